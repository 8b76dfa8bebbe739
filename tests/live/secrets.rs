//! Build secrets: in the RUN step that mounts them, and nowhere else.

use crate::support::Sandbox;

#[test]
fn secrets_reach_the_step_that_mounts_them_and_nothing_else() {
    let sandbox = Sandbox::new();
    let id = sandbox.id.clone();
    let (by_value, by_env, by_file) = (format!("value-{id},\"x"), format!("env-{id}"), format!("file-{id}"));
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("secret");
    std::fs::write(&file, &by_file).unwrap();
    // Only hashes go into the image: the values must be found nowhere.
    let sandbox = sandbox
        .file(
            "Dockerfile",
            &format!(
                "FROM busybox
# secrets are no part of a step's cache key: {id}
RUN echo {id}
RUN --mount=type=secret,id=v --mount=type=secret,id=e --mount=type=secret,id=f \\
    for s in v e f; do sha256sum < /run/secrets/$s; done > /sums; cat /run/secrets/v /run/secrets/e /run/secrets/f
CMD [\"cat\", \"/sums\"]
"
            ),
        )
        .hidden(&by_value)
        .hidden(&by_file)
        .secret("A_TOKEN_OF_OURS", &by_env)
        .on("github-push")
        .buildkitd();
    let tag = sandbox.fill("{registry}/live/{id}:latest");
    let quoted = format!("\"v={}\"", by_value.replace('"', "\"\""));
    let sandbox = sandbox.var("INPUT_TAGS", &tag).var("INPUT_VERBOSE", "true");
    let mut vars = sandbox.vars.clone();
    vars.insert("INPUT_SECRETS".to_owned(), quoted);
    vars.insert("INPUT_SECRET-ENVS".to_owned(), "e=A_TOKEN_OF_OURS".to_owned());
    vars.insert("INPUT_SECRET-FILES".to_owned(), format!("f={}", file.display()));
    let run = sandbox.start_with(&vars, &["run"]).wait(std::time::Duration::from_secs(60)).succeeds();
    let engine = crate::support::Engine::new(&sandbox.testbed.docker_host);
    let said = engine.run(&tag, &[]);
    engine.remove_image(&tag);
    let sums: Vec<_> = [&by_value, &by_env, &by_file].map(|s| sha256(s)).into();
    assert_eq!(said.lines().map(|l| l.split(' ').next().unwrap()).collect::<Vec<_>>(), sums);
    // A file's content is not known to us, so what its RUN prints of it is the user's own doing.
    let shown = run.text().replace(&by_file, "");
    assert!(!shown.contains(&by_value) && !shown.contains(&by_env), "{shown}");
    sandbox.assert_clean();
    let manifest = sandbox.registry().manifest(&format!("live/{id}"), "latest").unwrap().body.to_string();
    let config = sandbox.registry().config(&format!("live/{id}"), "latest").to_string();
    for secret in [&by_value, &by_env, &by_file] {
        assert!(!manifest.contains(secret.as_str()) && !config.contains(secret.as_str()));
    }
}

#[test]
fn a_secret_that_is_not_there_is_named_before_the_build() {
    let sandbox = super::publish::small(Sandbox::new()).buildkitd();
    let run = sandbox.run(&["run", "--secret-env", "e=NO_SUCH_VARIABLE"]);
    assert_ne!(run.code, Some(0));
    run.says(&["NO_SUCH_VARIABLE"]);
    let run = sandbox.run(&["run", "--secret-file", "f=no/such/file"]);
    assert_ne!(run.code, Some(0));
    run.says(&["no/such/file"]);
    sandbox.assert_clean();
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text.as_bytes()))
}
