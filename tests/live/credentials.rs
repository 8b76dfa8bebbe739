//! Registries with a password: right, wrong, missing, several on one host, and from docker's own configuration.

use base64::Engine as _;

use crate::support::extras::PrivateRegistry;
use crate::support::{Registry, Sandbox};

use super::publish::small;

/// A target in the registry with a password, entered with `AUTH_*`.
fn locked() -> Sandbox {
    small(Sandbox::new())
        .config(
            "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: locked, kind: registry, build: app, url: '{registry_auth}', path: 'live/{id}', tags: [latest, '1']}
  - {id: open, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}
",
        )
        .buildkitd()
}

fn with_credentials(sandbox: Sandbox) -> Sandbox {
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let config = config.replace("{id: locked,", "{id: locked, credentials: AUTH,");
    sandbox.file(".stagefreight.yml", &config)
}

fn no_tags(sandbox: &Sandbox) {
    let repository = format!("live/{}", sandbox.id);
    assert_eq!(sandbox.registry_auth().tags(&repository), [""; 0]);
    assert_eq!(sandbox.registry().tags(&repository), [""; 0]);
}

#[test]
fn the_right_password_publishes() {
    let sandbox = with_credentials(locked());
    let (user, password) = (sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
    let sandbox = sandbox.var("AUTH_USER", &user).secret("AUTH_TOKEN", &password);
    let run = sandbox.run(&["run"]).succeeds();
    let repository = format!("live/{}", sandbox.id);
    assert_eq!(sandbox.registry_auth().tags(&repository), ["1", "latest"]);
    assert_eq!(sandbox.registry_auth().digest(&repository, "1"), sandbox.registry().digest(&repository, "latest"));
    let manifest = sandbox.document("publish.json").to_string();
    assert!(manifest.contains("AUTH"), "the prefix is recorded: {manifest}");
    sandbox.assert_tidy(&run);
}

/// Command lines of all processes of this machine, at one moment.
fn command_lines() -> String {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|p| std::fs::read(p.path().join("cmdline")).ok())
        .map(|l| String::from_utf8_lossy(&l).into_owned() + "\n")
        .collect()
}

#[test]
fn no_password_stands_in_a_command_line() {
    let step = crate::support::LongStep::new();
    let sandbox = with_credentials(locked()).file("Dockerfile", &step.dockerfile());
    let (user, password) = (sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
    let build_secret = format!("build-secret-{}", sandbox.id);
    let sandbox = sandbox.var("AUTH_USER", &user).secret("AUTH_TOKEN", &password).hidden(&build_secret);
    let mut vars = sandbox.vars.clone();
    vars.insert("INPUT_SECRETS".to_owned(), format!("s={build_secret}"));
    let running = sandbox.start_with(&vars, &["run"]);
    step.runs();
    let lines = command_lines();
    assert!(lines.contains("--metadata-file"), "buildx runs");
    assert!(!lines.contains(&password) && !lines.contains(&build_secret), "{lines}");
    let run = running.stop(rustix::process::Signal::TERM).exits(143);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_password_in_the_old_variables_works_and_is_noted() {
    let sandbox = with_credentials(locked());
    let (user, password) = (sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
    let sandbox = sandbox.var("AUTH_USER", &user).secret("AUTH_PASSWORD", &password);
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&["AUTH_PASSWORD", "AUTH_TOKEN"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn the_wrong_password_publishes_nothing_anywhere() {
    let sandbox = with_credentials(locked()).var("AUTH_USER", "testbed").secret("AUTH_TOKEN", "not-the-password-84");
    let run = sandbox.run(&["run"]).exits(1);
    no_tags(&sandbox);
    let address = sandbox.testbed.registry_auth.clone();
    run.says(&["401", &address, "AUTH_"]);
    assert_eq!(sandbox.result()["status"], "failure");
    sandbox.assert_tidy(&run);
}

#[test]
fn missing_credentials_are_told_before_any_build() {
    let sandbox = with_credentials(locked());
    let run = sandbox.run(&["run"]).exits(1);
    no_tags(&sandbox);
    run.says(&["AUTH_USER", "AUTH_TOKEN"]);
    let result = sandbox.result();
    assert_eq!(result["failure"]["kind"], "credentials");
    assert_eq!(result["builds"][0]["state"], "not_run", "{result}");
    sandbox.assert_tidy(&run);

    let half = sandbox.var("AUTH_USER", "testbed");
    let run = half.run(&["run"]).exits(1);
    run.says(&["AUTH_TOKEN"]);
    half.assert_tidy(&run);
}

#[test]
fn a_registry_that_wants_a_password_nobody_configured() {
    let sandbox = locked();
    let run = sandbox.run(&["run"]).exits(1);
    no_tags(&sandbox);
    let address = sandbox.testbed.registry_auth.clone();
    run.says(&["401", &address, "credentials"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn dockers_own_logins_are_honoured_and_left_alone() {
    let sandbox = locked();
    let testbed = sandbox.testbed.clone();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", testbed.user, testbed.password));
    // Outside the sandbox, so that the search for leftovers does not find what we put there.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, testbed.registry_auth);
    std::fs::write(&file, &text).unwrap();
    let sandbox = sandbox.hidden(&auth).var("DOCKER_CONFIG", dir.path().to_str().unwrap());
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(sandbox.registry_auth().tags(&format!("live/{}", sandbox.id)), ["1", "latest"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    sandbox.assert_tidy(&run);
}

#[test]
fn two_logins_on_one_host() {
    let registry = PrivateRegistry::start(&[("ada", "ada-secret-1815"), ("bob", "bob-secret-1912")]);
    let host = registry.host.clone();
    let sandbox = small(Sandbox::new())
        .config(&format!(
            "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: ada, kind: registry, build: app, url: '{host}', path: 'ada/app', credentials: ADA, tags: [one]}}
  - {{id: bob, kind: registry, build: app, url: '{host}', path: 'bob/app', credentials: BOB, tags: [two]}}
"
        ))
        .buildkitd()
        .var("ADA_USER", "ada")
        .secret("ADA_TOKEN", "ada-secret-1815")
        .var("BOB_USER", "bob")
        .secret("BOB_TOKEN", "bob-secret-1912");
    let run = sandbox.run(&["run"]).succeeds();
    let ada: Registry = registry.as_user("ada", "ada-secret-1815");
    assert_eq!(ada.digest("ada/app", "one"), ada.digest("bob/app", "two"));
    assert!(registry.has_seen("ada", "ada/app") && registry.has_seen("bob", "bob/app"), "each with its own login");
    assert!(!registry.has_seen("ada", "bob/app") && !registry.has_seen("bob", "ada/app"));
    sandbox.assert_tidy(&run);

    let wrong = sandbox.file(".note", "again").secret("BOB_TOKEN", "not-bobs-37");
    let run = wrong.run(&["run"]).exits(1);
    run.says(&["401", "BOB_"]);
    wrong.assert_tidy(&run);
}

#[test]
fn a_private_base_image_is_pulled_with_its_registrys_login() {
    let sandbox = Sandbox::new();
    let testbed = sandbox.testbed.clone();
    let base = format!("{}/live/{}/base:1", testbed.registry_auth, sandbox.id);
    let sandbox = sandbox
        .file("base.Dockerfile", "FROM scratch\nCOPY base.Dockerfile /from-base\n")
        .file("Dockerfile", &format!("FROM {base}\nCOPY Dockerfile /\n"))
        .config(
            "version: 1
registries: {'{registry_auth}': {credentials: AUTH}}
builds:
  - {id: base, kind: docker, dockerfile: base.Dockerfile}
  - {id: app, kind: docker, dockerfile: Dockerfile}
targets:
  - {id: base, kind: registry, build: base, url: '{registry_auth}', path: 'live/{id}/base', tags: ['1']}
  - {id: app, kind: registry, build: app, url: '{registry}', path: 'live/{id}/app', tags: [latest]}
",
        )
        .buildkitd()
        .var("AUTH_USER", &testbed.user)
        .secret("AUTH_TOKEN", &testbed.password);
    sandbox.run(&["run", "--build-id", "base"]).succeeds();
    let run = sandbox.run(&["run", "--build-id", "app"]).succeeds();
    assert_eq!(sandbox.registry().tags(&format!("live/{}/app", sandbox.id)), ["latest"]);
    sandbox.assert_tidy(&run);
}
