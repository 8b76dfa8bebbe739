//! What real engines export becomes an image in a real registry, and comes back as the same image.
//! Needs the testbed: `eval "$(ci/testbed env)"`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod support;

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::archive::import_archive;
use stagefreight::image::manifest::Children;
use stagefreight::image::{Layout, Repository, Tag};
use stagefreight::registry::{HostSettings, Registry, upload_layout};
use support::testbed;

#[allow(clippy::disallowed_methods, reason = "the engine under test is driven through its own program")]
fn docker(engine: &str, args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new("docker");
    command.arg("-H").arg(engine).args(args).current_dir(dir).stdin(Stdio::null());
    command
}

fn run(engine: &str, args: &[&str], dir: &Path) -> String {
    let out = docker(engine, args, dir).output().unwrap();
    assert!(out.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Builds, exports, imports, uploads, tags, and pulls into the same engine again.
fn round_trip(engine: &str, name: &str) -> (Layout, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let dockerfile = "FROM busybox\nRUN echo one > /one\nWORKDIR /tmp\nENV A=b\nRUN echo two > /two\n";
    std::fs::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
    let local = format!("registry-tests/{name}:{}", std::process::id());
    run(engine, &["build", "-q", "-t", &local, "."], dir.path());

    let mut export = docker(engine, &["save", &local], dir.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = export.stdout.take().unwrap();
    let layout = import_archive(&mut stdout, &dir.path().join("layout")).unwrap();
    stdout.read_to_end(&mut Vec::new()).unwrap();
    assert!(export.wait().unwrap().success());
    let root = layout.root().unwrap().clone();
    for blob in layout.walk(&root).unwrap().blobs {
        layout.verify(&blob).unwrap();
    }

    let host = testbed("TESTBED_REGISTRY");
    let repository = Repository::new(&host, &format!("registry-tests/{name}-{}", std::process::id())).unwrap();
    let tag: Tag = "v1".parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clients = Clients::new(HttpSettings::default());
        let registry = Registry::new(&host, None, &HostSettings::default(), clients).unwrap();
        upload_layout(&layout, &root, (&registry, &repository)).await.unwrap();
        registry.put_manifest(&repository, &tag, &layout.manifest(&root).unwrap()).await.unwrap();
    });

    let remote = format!("{repository}:{tag}");
    let id = run(engine, &["inspect", "-f", "{{.Id}}", &local], dir.path());
    run(engine, &["pull", "-q", &remote], dir.path());
    assert_eq!(run(engine, &["inspect", "-f", "{{.Id}}", &remote], dir.path()), id);
    assert_eq!(run(engine, &["run", "--rm", &remote, "cat", "/one", "/two"], dir.path()), "one\ntwo");
    run(engine, &["rmi", "-f", &local, &remote], dir.path());
    (layout, dir)
}

#[test]
fn from_an_engine_with_overlay2() {
    let (layout, _dir) = round_trip(&testbed("DOCKER_HOST"), "overlay2");
    let manifest = layout.manifest(layout.root().unwrap()).unwrap();
    let Children::Image { layers, .. } = manifest.children().unwrap() else { panic!("an index") };
    assert!(layers.len() >= 4);
    assert!(layers.iter().all(|layer| layer.media_type.ends_with(".tar+gzip")), "{layers:?}");
}

#[test]
fn from_an_engine_with_the_containerd_store() {
    round_trip(&testbed("TESTBED_DOCKER_HOST_CONTAINERD"), "containerd");
}
