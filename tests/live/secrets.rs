//! Secrets: build secrets in the RUN step that mounts them, logins and keys where they are used, and nowhere else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use serde_json::Value;

use crate::support::{Cosign, Registry, Sandbox};

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
    let run = sandbox.start_with(&vars, &["run"]).wait(std::time::Duration::from_secs(240)).succeeds();
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

/// Looks at the process table until it is told to stop: all command lines, and the environment of every buildx.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<[BTreeSet<Vec<u8>>; 2]>,
}

impl Watch {
    fn start() -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut lines, mut environments) = (BTreeSet::new(), BTreeSet::new());
            while !stopped.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    let Ok(line) = std::fs::read(process.path().join("cmdline")) else { continue };
                    if contains(&line, b"buildx") {
                        environments.extend(std::fs::read(process.path().join("environ")));
                    }
                    lines.insert(line);
                }
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            [lines, environments]
        });
        Self { stop, thread }
    }

    fn end(self) -> [BTreeSet<Vec<u8>>; 2] {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Everything readable that a repository holds: manifests, configs with their history, statements, and what is in envelopes.
fn all_of(registry: &Registry, repository: &str) -> Vec<Vec<u8>> {
    let mut wanted = registry.tags(repository);
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(reference) = wanted.pop() {
        let Some(manifest) = registry.manifest(repository, &reference) else { continue };
        if !seen.insert(manifest.digest.clone()) {
            continue;
        }
        found.push(manifest.body.to_string().into_bytes());
        let digests = |key: &str| -> Vec<String> {
            let all = manifest.body[key].as_array().into_iter().flatten();
            all.map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
        };
        wanted.extend(digests("manifests"));
        let config = manifest.body["config"]["digest"].as_str().map(str::to_owned);
        for digest in digests("layers").into_iter().chain(config) {
            let blob = registry.blob(repository, &digest).unwrap();
            let envelope: Value = serde_json::from_slice(&blob).unwrap_or_default();
            for payload in [&envelope["payload"], &envelope["dsseEnvelope"]["payload"]] {
                let decoded =
                    payload.as_str().map(|text| base64::engine::general_purpose::STANDARD.decode(text).unwrap());
                found.extend(decoded);
            }
            found.push(blob);
        }
    }
    found
}

#[test]
fn keys_passwords_and_logins_are_found_nowhere() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "a password 2 distinctive");
        let pem = std::fs::read_to_string(cosign.key()).unwrap();
        let body: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let sandbox = super::crucible::sound().config(
            "version: 1
builds:
  - {id: app, kind: docker, build_mode: crucible}
targets:
  - {id: locked, kind: registry, build: app, url: '{registry_auth}', path: 'live/{id}', tags: ['1', latest], credentials: AUTH}
  - {id: open, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}
",
        );
        let (user, password) = (sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let sandbox = super::sign::with(sandbox.on("github-push").buildkitd(), &cosign)
            .secret("COSIGN_KEY", &pem)
            .var("AUTH_USER", &user)
            .secret("AUTH_TOKEN", &password)
            .var("INPUT_VERBOSE", "true")
            .hidden(&basic);
        let sandbox = body.iter().fold(sandbox, |sandbox, line| sandbox.hidden(line));
        let watch = Watch::start();
        let run = sandbox.run(&["run", "--provenance", "mode=max"]);
        let [lines, environments] = watch.end();
        let run = run.succeeds();
        let secrets: Vec<&str> = body.iter().copied().chain([cosign.password.as_str(), &password, &basic]).collect();
        let of = |name: &[u8]| lines.iter().filter(|line| contains(line, name)).count();
        assert!(of(b"--signing-config") + of(b"--tlog-upload") > 0, "cosign was seen at work");
        assert!(!environments.is_empty(), "buildx was seen at work");
        for secret in &secrets {
            assert!(!lines.iter().any(|line| contains(line, secret.as_bytes())), "in a command line");
        }
        for secret in body.iter().copied().chain([cosign.password.as_str()]) {
            assert!(!environments.iter().any(|env| contains(env, secret.as_bytes())), "given to buildx");
        }
        for registry in [sandbox.registry(), sandbox.registry_auth()] {
            let all = all_of(&registry, &format!("live/{}", sandbox.id));
            assert!(all.iter().any(|text| contains(text, b"\"history\"")), "configs were read");
            assert!(all.iter().any(|text| contains(text, b"crucible-v1")), "statements were read");
            for secret in &secrets {
                assert!(!all.iter().any(|text| contains(text, secret.as_bytes())), "in the registry");
            }
        }
        // Every file of the workspace, publish.json and the provenance among them, and all that was printed.
        assert!(sandbox.document("publish.json")["published"].as_array().unwrap().len() == 3);
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_key_that_a_failing_cosign_prints_is_masked() {
    let cosign = Cosign::new(3, "of-the-printed-key");
    let pem = std::fs::read_to_string(cosign.key()).unwrap();
    let line = pem.lines().nth(1).unwrap();
    let sandbox = super::sign::with(super::publish::to_one_registry().buildkitd(), &cosign);
    let then = format!("echo \"Error: cannot use key {line} with of-the-printed-key\" >&2; exit 1");
    let path = super::sign_failures::pretender(&sandbox, &then);
    let sandbox = sandbox.secret("COSIGN_KEY", &pem).var("PATH", &path);
    // The script of the test itself holds it.
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["cosign says: cannot use key"]);
    assert!(!run.text().contains(line) && !run.text().contains("of-the-printed-key"), "{}", run.text());
    let result = sandbox.result().to_string();
    assert!(!result.contains(line) && !result.contains("of-the-printed-key"), "{result}");
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text.as_bytes()))
}
