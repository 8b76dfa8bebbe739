//! What a proof costs: how often the builder builds, and what it sends.

use std::io::Read as _;

use crate::support::extras::PrivateBuildkitd;
use crate::support::{Counter, Sandbox, Testbed};

use super::crucible::{proof, proven, random};

/// Nobody can compress it.
const SIZE: u64 = 20 << 20;

/// How many builds a daemon remembers.
fn builds(daemon: &PrivateBuildkitd, sandbox: &Sandbox) -> usize {
    let certificates = sandbox.testbed.buildkit_certs.to_str().unwrap();
    let args = ["--addr", &daemon.host, "--tlsdir", certificates, "debug", "histories"];
    let told = String::from_utf8(Testbed::tool("buildctl", &args).stdout).unwrap();
    told.lines().filter(|line| line.starts_with("COMPLETE")).count()
}

#[test]
fn the_image_is_built_twice_and_comes_once() {
    let daemon = PrivateBuildkitd::start();
    let wire = Counter::before(daemon.host.trim_start_matches("tcp://"));
    let through = |sandbox: Sandbox| sandbox.buildkitd().var("BUILDKIT_HOST", &format!("tcp://{}", wire.host));

    let sandbox = Sandbox::new().file("Dockerfile", "FROM scratch\nCOPY large /large\n");
    let mut noise = std::fs::File::open("/dev/urandom").unwrap().take(SIZE);
    std::io::copy(&mut noise, &mut std::fs::File::create(sandbox.workspace().join("large")).unwrap()).unwrap();
    let sandbox = through(proven(sandbox, ""));
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(proof(&sandbox)["trust"], "reproducible");
    let came = wire.down();
    assert!((SIZE..SIZE + SIZE / 10).contains(&came), "{came} bytes for an image of {SIZE}");
    assert_eq!(builds(&daemon, &sandbox), 2);
    sandbox.assert_tidy(&run);

    // Where there is something to explain, the second image comes out of the cache.
    let sandbox = through(proven(random(), ""));
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(proof(&sandbox)["trust"], "deterministic");
    assert_eq!(builds(&daemon, &sandbox), 2 + 3);
    sandbox.assert_tidy(&run);
}
