//! What goes wrong, and what a tired person then reads.

use std::time::Duration;

use crate::support::sandbox::Sandbox;
use crate::support::{Finished, LongStep, extras};

use super::publish::{small, to_one_registry};

/// A failed run: no tag, nothing left, a document that says so.
fn fails(sandbox: &Sandbox, code: i32) -> Finished {
    let run = sandbox.run(&["run"]).exits(code);
    assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0]);
    let result = sandbox.result();
    assert_eq!(result["status"], "failure");
    assert_eq!(result["exit_code"], code);
    sandbox.assert_tidy(&run);
    run
}

fn with_dockerfile(text: &str) -> Sandbox {
    to_one_registry().file("Dockerfile", text).on("github-push").buildkitd()
}

#[test]
fn a_failing_run_shows_its_output_and_its_line() {
    let sandbox =
        with_dockerfile("FROM busybox\nRUN true\nRUN echo main.go:7:2: undefined: frobnicate >&2 && exit 17\n");
    let run = fails(&sandbox, 1);
    run.says(&["undefined: frobnicate", "exit code: 17", "Dockerfile:3", "::error file="]);
    let build = &sandbox.result()["builds"][0];
    assert_eq!(build["state"], "build_failed");
    assert_eq!(build["build_failure"]["dockerfile"]["line"], 3);
    assert!(!build["build_failure"]["tail"].as_array().unwrap().is_empty());
    assert!(sandbox.summary().contains("frobnicate"), "{}", sandbox.summary());
    let outputs = sandbox.outputs();
    assert_eq!((outputs["digest"].as_str(), outputs["result"].as_str()), ("", ".stagefreight/result.json"));
}

#[test]
fn a_failing_copy_names_the_file() {
    let sandbox = with_dockerfile("FROM busybox\nRUN sleep 0\nCOPY no-such-file /x\n");
    fails(&sandbox, 1).says(&["no-such-file", "Dockerfile:3", "not found"]);
}

#[test]
fn a_syntax_error_has_its_line() {
    let sandbox = with_dockerfile("FROM busybox\nRUNN true\n");
    fails(&sandbox, 1).says(&["RUNN", "Dockerfile:2"]);
}

#[test]
fn a_missing_base_image_is_named() {
    let sandbox = with_dockerfile(&format!(
        "FROM busybox AS a\nFROM {}/live/no-such-image-anywhere:7\nCOPY --from=a / /\n",
        crate::support::Testbed::get().registry
    ));
    fails(&sandbox, 1).says(&["no-such-image-anywhere:7", "not found"]);
}

#[test]
fn a_missing_dockerfile_is_known_before_anything_is_built() {
    let sandbox = Sandbox::new()
        .config("version: 1\nbuilds:\n  - {id: app, kind: docker, dockerfile: deploy/Dockerfile}\n")
        .buildkitd();
    let run = sandbox.run(&["run"]);
    let run = run.exits(2);
    run.says(&["deploy/Dockerfile"]);
    sandbox.assert_tidy(&run);

    let nothing = Sandbox::new().file("README", "no image here\n").buildkitd();
    let run = nothing.run(&["run"]).exits(2);
    run.says(&["Dockerfile"]);
    nothing.assert_tidy(&run);
}

#[test]
fn a_daemon_that_dies_mid_build_is_told() {
    let daemon = extras::PrivateBuildkitd::start();
    let step = LongStep::new();
    let sandbox = with_dockerfile(&step.dockerfile()).var("BUILDKIT_HOST", &daemon.host);
    let running = sandbox.start(&["run"]);
    step.runs();
    daemon.kill();
    let run = running.wait(Duration::from_secs(30)).exits(1);
    assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0]);
    assert_eq!(sandbox.result()["status"], "failure");
    run.says(&["contact with the builder was lost", "run the job again"]);
    let times = run.text().matches("contact with the builder was lost").count();
    assert_eq!(times, 2, "once in the closing, once in the annotation: {}", run.text());
    sandbox.assert_tidy(&run);
}

/// A backend that cannot be used: told in a sentence, and before anybody loses patience.
fn no_backend(sandbox: &Sandbox, texts: &[&str]) {
    let run = sandbox.run(&["run"]).exits(1);
    run.faster_than(Duration::from_secs(30)).says(texts);
    let result = sandbox.result();
    assert_eq!(result["failure"]["kind"], "backend", "{result}");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_daemon_of_another_ca_is_told_apart() {
    let sandbox = to_one_registry().buildkitd();
    let (certs, strange) = (sandbox.path().join("certs"), sandbox.path().join("strange"));
    extras::copied_certs(&sandbox.testbed, &certs);
    extras::strangers_certs(&strange);
    std::fs::copy(strange.join("ca.pem"), certs.join("ca.pem")).unwrap();
    let sandbox = sandbox.var("BUILDKIT_CERT_PATH", certs.to_str().unwrap());
    let host = sandbox.testbed.buildkit_host.clone();
    no_backend(&sandbox, &[&host, "certificate is not to be trusted", "ca.pem"]);
}

#[test]
fn a_daemon_that_refuses_our_certificate_is_told_apart() {
    let sandbox = to_one_registry().buildkitd();
    let (certs, strange) = (sandbox.path().join("certs"), sandbox.path().join("strange"));
    extras::copied_certs(&sandbox.testbed, &certs);
    extras::strangers_certs(&strange);
    for file in ["cert.pem", "key.pem"] {
        std::fs::copy(strange.join(file), certs.join(file)).unwrap();
    }
    let sandbox = sandbox.var("BUILDKIT_CERT_PATH", certs.to_str().unwrap());
    no_backend(&sandbox, &["refuses our client certificate", "cert.pem"]);
}

#[test]
fn a_missing_client_certificate_is_told_apart() {
    let sandbox = to_one_registry().buildkitd();
    let certs = sandbox.path().join("certs");
    extras::copied_certs(&sandbox.testbed, &certs);
    std::fs::remove_file(certs.join("cert.pem")).unwrap();
    let sandbox = sandbox.var("BUILDKIT_CERT_PATH", certs.to_str().unwrap());
    no_backend(&sandbox, &["cert.pem"]);
}

#[test]
fn a_dead_daemon_is_told_apart() {
    let dead = format!("tcp://{}", crate::scenery::dead_address());
    let sandbox = to_one_registry().buildkitd().var("BUILDKIT_HOST", &dead);
    no_backend(&sandbox, &[&dead, "nothing answers"]);
}

#[test]
fn nothing_to_build_with_is_told() {
    let sandbox = to_one_registry().var("DOCKER_HOST", "unix:///nowhere/docker.sock");
    no_backend(&sandbox, &["BUILDKIT_HOST", "/nowhere/docker.sock"]);
}

#[test]
fn a_missing_buildx_is_told() {
    let sandbox = to_one_registry().buildkitd().var("PATH", "/nowhere");
    no_backend(&sandbox, &["buildx"]);
}

#[test]
fn every_mistake_of_the_configuration_at_once() {
    let sandbox = small(Sandbox::new())
        .file(
            ".stagefreight.yml",
            "version: 1\nbuilds:\n  - {id: app, kind: docker, platfroms: [linux/amd64]}\n  - {id: app, kind: docker}\ntargets:\n  - {id: hub, kind: registry, build: nope, url: localhost, path: x, tags: [a]}\n",
        )
        .on("github-push")
        .buildkitd();
    let run = sandbox.run(&["run"]).exits(2);
    run.says(&[".stagefreight.yml:3", "platfroms", "platforms", "nope"]);
    assert_eq!(sandbox.result()["failure"]["kind"], "config");
    assert!(sandbox.result()["failure"]["problems"].as_array().unwrap().len() >= 3, "{}", sandbox.result());
    assert!(run.text().contains("::error file=.stagefreight.yml,line=3"), "{}", run.text());
    sandbox.assert_tidy(&run);
}

#[test]
fn an_input_nobody_can_read_is_named() {
    let sandbox = to_one_registry().on("github-push").buildkitd().var("INPUT_NO-CACHE", "perhaps");
    let run = sandbox.run(&["run"]).exits(2);
    run.says(&["INPUT_NO-CACHE"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_result_that_cannot_be_written_fails_the_run() {
    let sandbox = to_one_registry().buildkitd();
    sandbox.write(".stagefreight", "a file, not a directory");
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&[".stagefreight"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn what_a_killed_run_left_is_swept_by_the_next() {
    let step = LongStep::new();
    let sandbox = with_dockerfile(&step.dockerfile());
    let running = sandbox.start(&["run"]);
    step.runs();
    running.signal(rustix::process::Signal::KILL);
    running.wait(Duration::from_secs(5));
    let left = || std::fs::read_dir(sandbox.temp()).unwrap().count();
    assert_eq!(left(), 1, "a killed run cannot clean up");
    let sandbox = sandbox.file("Dockerfile", "FROM scratch\nCOPY hello.txt /\n");
    sandbox.run(&["run"]).succeeds();
    sandbox.assert_clean();
}
