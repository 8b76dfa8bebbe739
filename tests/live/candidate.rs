//! The StageFreight inside an image runs the second pass of that image's own build: on a BuildKit daemon as a process of this
//! machine, on a docker engine in a container. The image is our own Dockerfile's, around the program under test.

use std::time::Duration;

use rustix::process::Signal;

use super::network::engine_over_tls;
use crate::support::{Engine, LongStep, Running, Sandbox, Testbed, within};

/// The BuildKit container of the testbed's image, which knows where the testbed's registries are.
const CONTAINER: &str = "build_cache: {builder: {image: '{buildkit_image}'}}\n";
const REGISTRIES: &str = "registries: {docker.io: {mirrors: ['{registry}']}, '{registry}': {http: true}}\n";
const CANDIDATE: &str = "version: 1
builds:
  - {id: image, kind: docker, build_mode: crucible, crucible: {runner: candidate, min_trust: deterministic}}
";
/// How long two cold builds of our own image, and moving it into an engine, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What stands in for programs that a second pass does not call: they are most of what would be packed twice.
const STAND_INS: [&str; 4] = ["usr/bin/buildkitd", "usr/bin/buildkit-runc", "usr/bin/rootlesskit", "ko-app/cosign"];

/// With the program under test, instead of one compiled inside the image, and with what comes from no mirror.
fn start(sandbox: &Sandbox) -> Running {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/image");
    let bases = String::from_utf8(Testbed::tool(script.to_str().unwrap(), &["--bases"]).stdout).unwrap();
    let mut args: Vec<_> = ["run", "--build-context", "binary=prebuilt"].into_iter().chain(bases.lines()).collect();
    if sandbox.workspace().join("stand-ins").exists() {
        // The last one of a name counts.
        args.extend(["--build-context", "buildkit=stand-ins", "--build-context", "cosign=stand-ins"]);
    }
    sandbox.start(&args)
}

/// A file of this repository.
fn ours(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A checkout with our own Dockerfile, as it is.
fn whole_image() -> Sandbox {
    let sandbox = Sandbox::new()
        .file(".gitignore", "/prebuilt/\n/stand-ins/\n")
        .file(".dockerignore", &ours(".dockerignore"))
        .file("Dockerfile", &ours("Dockerfile"));
    let to = sandbox.workspace().join("prebuilt");
    std::fs::create_dir(&to).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("stagefreight").to_str().unwrap().to_owned();
    // What debuggers read is most of it.
    Testbed::tool("strip", &["-o", to.join("stagefreight").to_str().unwrap(), &program]);
    sandbox
}

/// Of it what a second pass needs, and more lines at its end.
fn our_image(more: &str) -> Sandbox {
    let sandbox = whole_image();
    for program in STAND_INS {
        let path = sandbox.workspace().join("stand-ins").join(program);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "#!/bin/sh\nexit 1\n").unwrap();
    }
    sandbox.file("Dockerfile", &format!("{}{more}", ours("Dockerfile")))
}

fn on_buildkitd(sandbox: Sandbox) -> Sandbox {
    sandbox.config(CANDIDATE).buildkitd()
}

fn on_docker(sandbox: Sandbox) -> Sandbox {
    sandbox.config(&format!("{CANDIDATE}{CONTAINER}{REGISTRIES}")).docker()
}

/// Nothing of this proof is left in the engine.
fn assert_nothing_left(engine: &Engine, run_id: &str) {
    let containers = engine.containers();
    assert!(!containers.iter().any(|name| name.contains(run_id)), "{containers:?}");
    assert_eq!(engine.image(&format!("stagefreight/crucible-candidate:{run_id}")), None);
}

/// The proof, as reported.
fn proof(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.result()["builds"][0]["proof"].clone()
}

fn proves_itself(sandbox: &Sandbox, place: &str) {
    let run = start(sandbox).wait(PATIENCE).succeeds();
    let proof = proof(sandbox);
    assert_eq!((&proof["runner"], &proof["passed"]), (&"candidate".into(), &true.into()), "{proof}");
    assert_eq!(proof["trust"], "reproducible", "{proof}");
    let version = format!("stagefreight {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(proof["passes"][1]["by"], version.as_str(), "{proof}");
    assert_eq!(proof["passes"][0]["digest"], proof["passes"][1]["digest"]);
    run.says(&[&format!("the candidate is {version}; it runs the second pass {place}")]);
    sandbox.assert_tidy(&run);
}

#[test]
fn our_own_image_proves_itself_on_a_buildkit_daemon() {
    proves_itself(&on_buildkitd(whole_image()), "on this machine");
}

#[test]
fn our_own_image_proves_itself_on_a_docker_engine() {
    let sandbox = on_docker(whole_image());
    proves_itself(&sandbox, "in a container");
    let run_id = proof(&sandbox)["run_id"].as_str().unwrap().to_owned();
    assert_nothing_left(sandbox.the_engine(), &run_id);
}

/// The engine's own BuildKit over the containerd store.
#[test]
fn our_own_image_proves_itself_on_the_containerd_store() {
    let own = "build_cache: {builder: {backend: docker, driver: docker}}\n";
    let sandbox = our_image("").config(&format!("{CANDIDATE}{own}")).containerd();
    proves_itself(&sandbox, "in a container");
}

/// The candidate is given the client's certificates.
#[test]
fn our_own_image_proves_itself_on_an_engine_over_tls() {
    let sandbox = on_docker(our_image(""));
    let (front, certs) = engine_over_tls(&sandbox);
    let sandbox = sandbox
        .var("DOCKER_HOST", &format!("tcp://{}", front.host))
        .var("DOCKER_TLS_VERIFY", "1")
        .var("DOCKER_CERT_PATH", certs.path().to_str().unwrap());
    proves_itself(&sandbox, "in a container");
}

fn is_refused(sandbox: Sandbox, dockerfile: &str, says: &[&str]) {
    let sandbox = sandbox.file("Dockerfile", dockerfile);
    let run = sandbox.run(&["run"]).exits(2);
    run.says(&["crucible.runner: candidate needs an image that contains StageFreight"]).says(says);
    assert_eq!(sandbox.result()["failure"]["kind"], "config");
    assert!(!sandbox.workspace().join("dist").exists(), "what is not proven goes nowhere");
    sandbox.assert_tidy(&run);
}

/// Says something, and not what StageFreight would say.
const OTHER: &str = "FROM busybox\nRUN printf '#!/bin/sh\\necho a tool of another trade\\n' > /tool && chmod 755 /tool\nENTRYPOINT [\"/tool\"]\n";

#[test]
fn another_program_is_not_let_near_a_buildkit_daemon() {
    is_refused(on_buildkitd(Sandbox::new()), OTHER, &["/tool in it", "answered `a tool of another trade`"]);
    let absent = "FROM scratch\nCOPY Dockerfile /\n";
    is_refused(on_buildkitd(Sandbox::new()), absent, &["none of /usr/local/bin/stagefreight is a program in it"]);
}

#[test]
fn another_program_is_not_let_near_a_docker_engine() {
    is_refused(on_docker(Sandbox::new()), OTHER, &["/tool in it", "answered `a tool of another trade`"]);
}

/// The base image lies behind a password. The candidate is given that one, and none for publishing.
fn behind_a_password(sandbox: Sandbox) -> Sandbox {
    let testbed = sandbox.testbed.clone();
    let base = sandbox.fill("{registry_auth}/live/{id}/base:1");
    let of = format!("{}/library/debian:bookworm-slim", testbed.registry);
    let config = sandbox.path().join("crane");
    std::fs::create_dir(&config).unwrap();
    let crane = |args: &[&str]| {
        let dir = format!("DOCKER_CONFIG={}", config.display());
        Testbed::tool("env", &[&[dir.as_str(), "crane"], args].concat());
    };
    crane(&["auth", "login", &testbed.registry_auth, "--username", &testbed.user, "--password", &testbed.password]);
    crane(&["copy", "--insecure", &of, &base]);
    std::fs::remove_dir_all(&config).unwrap();
    let dockerfile =
        ours("Dockerfile").replace("\nFROM debian:bookworm-slim AS world\n", &format!("\nFROM {base} AS world\n"));
    assert!(dockerfile.contains(&base), "our Dockerfile has another base now");
    let sandbox = sandbox.file("Dockerfile", &dockerfile);
    let (user, password) = (testbed.user.clone(), testbed.password.clone());
    sandbox.var("BASE_USER", &user).secret("BASE_PASS", &password).secret("GITHUB_TOKEN", "a-token-for-publishing-only")
}

#[test]
fn the_candidate_pulls_with_the_logins_it_is_handed() {
    let registries = "registries: {docker.io: {mirrors: ['{registry}']}, '{registry}': {http: true}, '{registry_auth}': {http: true, credentials: BASE}}\n";
    let sandbox = behind_a_password(our_image("")).config(&format!("{CANDIDATE}{CONTAINER}{registries}")).docker();
    proves_itself(&sandbox, "in a container");
}

/// A signal while the candidate builds: everybody ends, and nothing stays.
fn is_stopped(make: impl FnOnce(Sandbox) -> Sandbox) -> Sandbox {
    let step = LongStep::new();
    // Only the second pass runs on a machine of such a name.
    let sandbox = make(our_image(&format!("RUN case $(uname -n) in sf-*) exec {};; esac\n", step.command())));
    let running = start(&sandbox);
    step.runs();
    let run = running.stop(Signal::TERM).exits(143);
    run.says(&["the candidate is stagefreight"]);
    assert_eq!(sandbox.result()["status"], "cancelled");
    step.ends();
    sandbox.assert_tidy(&run);
    sandbox
}

#[test]
fn sigterm_in_the_candidates_pass_on_a_buildkit_daemon() {
    is_stopped(on_buildkitd);
}

#[test]
fn sigterm_in_the_candidates_pass_on_a_docker_engine() {
    let sandbox = is_stopped(on_docker);
    let ours = |names: std::collections::BTreeSet<String>| {
        names.into_iter().filter(|n| n.contains("stagefreight-crucible")).count()
    };
    within(PATIENCE, "no container of a candidate stays", || {
        (ours(sandbox.the_engine().containers()) == 0).then_some(())
    });
}

#[test]
fn a_crucible_starts_no_other_one() {
    let sandbox = on_buildkitd(Sandbox::new()).file("Dockerfile", "FROM busybox\n").var("STAGEFREIGHT_CRUCIBLE", "1");
    let run = sandbox.run(&["run"]).exits(2);
    run.says(&["STAGEFREIGHT_CRUCIBLE is set", "starts no other one"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn the_pass_is_nobody_elses_command() {
    let sandbox = Sandbox::new();
    sandbox.write("h.json", r#"{"version":1,"run_id":"x","build":"b","root":"/","temp":null,"vars":{},"now":"2026-01-01T00:00:00Z","inputs":{},"docker_config":null,"order":{"nonce":"","pins":[],"dependencies":[]}}"#);
    let run = sandbox.run(&["crucible-pass", "--handover", "h.json", "--result", "r.json"]).exits(2);
    run.says(&["lacks STAGEFREIGHT_CRUCIBLE"]);
    assert!(!sandbox.workspace().join("r.json").exists());
}
