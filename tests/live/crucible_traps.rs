//! What could make two builds look alike that are not, or unlike that are: what others build meanwhile, what the builder
//! remembers, what moves between the passes.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Bare, LongStep, Sandbox, Testbed, Web};

use super::crucible::{project, proof, proven, sound};

/// The second pass has a host name of its own, which alone would keep its steps from being anybody else's. One that the
/// user sets takes that away.
const NAMED: &str = ", build_args: {BUILDKIT_SANDBOX_HOSTNAME: everywhere}";
/// The same for others.
const SO_NAMED: [&str; 2] = ["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=everywhere"];

/// An image with a file of random bytes, and a stage that is just that file.
fn random(more: &str) -> Sandbox {
    let sandbox = project("");
    let dockerfile = format!(
        "FROM busybox AS made
RUN head -c 64 /dev/urandom > /random # {}
FROM scratch AS file
COPY --from=made /random /random
{more}
FROM made
COPY program /program
ENTRYPOINT [\"/program\"]
",
        sandbox.id
    );
    sandbox.file("Dockerfile", &dockerfile)
}

/// The random bytes are found out, and nothing else differs.
#[track_caller]
fn assert_random(proof: &Value) {
    assert_eq!(proof["trust"], "deterministic", "{proof:#}");
    let layers = proof["culprits"]["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[0]["location"]["line"]), (1, &2.into()), "{proof:#}");
    let files = layers[0]["files"].as_array().unwrap();
    assert_eq!((files.len(), &files[0]["path"], &files[0]["cause"]), (1, &"/random".into(), &"random".into()));
}

#[test]
fn a_third_build_held_open_lends_its_result_to_neither_pass() {
    let step = LongStep::new();
    let sandbox = random(&format!("FROM made AS held\n{}", step.instruction()));
    let bare = Bare::new();
    let mut held = bare.build(&sandbox.workspace(), "held", &["--no-cache", "--output", "type=cacheonly"]);
    let mut held = held.args(SO_NAMED).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    step.runs();
    // The trap works: as long as it is held, two cold builds of anybody else get one random number.
    let others = || bare.file(&sandbox.workspace(), "file", &["--no-cache", SO_NAMED[0], SO_NAMED[1]], "random");
    assert_eq!(others(), others());
    let sandbox = proven(sandbox, NAMED).buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    assert_random(&proof(&sandbox));
    assert!(held.try_wait().unwrap().is_none(), "it was held all the time");
    held.kill().unwrap();
    held.wait().unwrap();
    sandbox.assert_tidy(&run);
}

#[test]
fn what_others_left_in_the_cache_is_not_used() {
    let bare = Bare::new();
    let (checkout, told) = std::sync::mpsc::channel::<std::path::PathBuf>();
    let web = Web::start(move |_| {
        // In a pass: others build the same, and leave it in the cache.
        let checkout = told.recv().unwrap();
        let others = || bare.file(&checkout, "file", &SO_NAMED, "random");
        assert_eq!(others(), others(), "the second is taken from the cache");
        Some("left\n".to_owned())
    });
    let sandbox = random("");
    let dockerfile = std::fs::read_to_string(sandbox.workspace().join("Dockerfile")).unwrap();
    let asks = format!("FROM made\nRUN wget -qO /left {}", web.url());
    let sandbox = proven(sandbox.file("Dockerfile", &dockerfile.replace("\nFROM made", &format!("\n{asks}"))), NAMED);
    for _ in 0..2 {
        checkout.send(sandbox.workspace()).unwrap();
    }
    let sandbox = sandbox.buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(web.calls(), 2, "once in each pass");
    assert_random(&proof(&sandbox));
    sandbox.assert_tidy(&run);
}

#[test]
fn a_base_image_that_moves_between_the_passes_is_not_taken_for_a_difference() {
    let sandbox = Sandbox::new();
    let (registry, repository) = (sandbox.registry(), format!("live/{}/base", sandbox.id));
    let base = format!("{}/{repository}:moving", registry.host);
    Testbed::tool("crane", &["copy", "--platform", "linux/amd64", &sandbox.fill("{registry}/library/busybox"), &base]);
    let old = registry.digest(&repository, "moving");
    let moving = base.clone();
    let web = Web::start(move |call| {
        if call == 1 {
            Testbed::tool("crane", &["mutate", &moving, "--label", "moved=yes", "--tag", &moving]);
        }
        Some("hello\n".to_owned())
    });
    let dockerfile = format!("FROM {base}\nRUN wget -qO /hello {}\n", web.url());
    let sandbox = proven(sandbox.file("Dockerfile", &dockerfile), "").buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    assert_ne!(registry.digest(&repository, "moving"), old, "it moved");
    let proof = proof(&sandbox);
    assert_eq!((&proof["trust"], web.calls()), (&"reproducible".into(), 2), "{proof:#}");
    assert_eq!(proof["materials"][0]["digest"], old);
    for pass in proof["passes"].as_array().unwrap() {
        assert_eq!(pass["environment"]["base images"], old);
    }
    sandbox.assert_tidy(&run);
}

#[test]
fn a_file_older_than_the_commit_is_told() {
    let sandbox = proven(sound(), "").buildkitd();
    let program = std::fs::File::options().append(true).open(sandbox.workspace().join("program")).unwrap();
    program.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(proof(&sandbox)["trust"], "reproducible", "in this checkout it is as old in both passes");
    run.says(&["1 file in the build context is older than the commit's time", "program"]);
    sandbox.assert_tidy(&run);
}
