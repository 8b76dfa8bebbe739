//! When an image cannot be signed: the run fails, says why, and no tag has moved anywhere.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::support::{Attached, Cosign, LongStep, Sandbox, within};

use super::publish::{small, to_one_registry};
use super::sign::{digest, image, repository, with};

fn required(sandbox: Sandbox, more: &str) -> Sandbox {
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    sandbox.file(".stagefreight.yml", &format!("{config}sign: {{mode: required{more}}}\n"))
}

/// A sound registry, and the second one behind a proxy with these faults.
fn faulty(cosign: &Cosign, rules: Vec<Rule>) -> (Sandbox, FaultProxy) {
    let sandbox = small(Sandbox::new());
    let proxy = FaultProxy::start(&sandbox.testbed.registry2, rules);
    let config = format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: sound, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: [one, latest]}}
  - {{id: faulty, kind: registry, build: app, url: '{}', path: 'live/{{id}}', tags: [one, latest]}}
",
        proxy.host()
    );
    (with(sandbox.config(&config).buildkitd(), cosign), proxy)
}

fn our_tags(sandbox: &Sandbox) -> Vec<String> {
    let all = [sandbox.registry(), sandbox.registry2()].map(|registry| registry.tags(&repository(sandbox)));
    all.into_iter().flatten().filter(|tag| !tag.starts_with("sha256-")).collect()
}

fn nothing_was_built(sandbox: &Sandbox) {
    assert_eq!(our_tags(sandbox), [""; 0]);
    assert_eq!(sandbox.result()["builds"][0]["seconds"], 0.0, "told before anything is built");
}

#[test]
fn a_registry_that_takes_no_signature_gets_no_tag_and_nor_does_any_other() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "of-a-failing-key");
        let refusal = Fault::Answer(
            403,
            vec![("content-type", "application/json".into())],
            r#"{"errors":[{"code":"DENIED","message":"no signatures here"}]}"#.into(),
        );
        let at = if generation == 2 { ".sig" } else { "/manifests/sha256-" };
        let (sandbox, _proxy) = faulty(&cosign, vec![Rule::new(refusal).on("PUT").at(at)]);
        let run = sandbox.run(&["run"]).exits(1);
        assert_eq!(our_tags(&sandbox), [""; 0], "{generation}\n{}", run.text());
        run.says(&["signing", "cosign says:", "DENIED", "let that account push to this repository"]);
        let result = sandbox.result();
        assert_eq!(result["failure"]["kind"], "publish");
        assert_eq!(result["builds"][0]["published"], serde_json::json!([]));
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_tag_that_cannot_be_put_finds_the_image_signed() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "of-a-failing-key");
        let refusal = || Fault::Answer(403, Vec::new(), "{}".into());
        // What it takes away again after the failure stays, too: so that cosign can look at it.
        let mut rules: Vec<Rule> =
            ["one", "latest"].map(|tag| Rule::new(refusal()).on("PUT").at(format!("/manifests/{tag}"))).into();
        rules.push(Rule::new(Fault::Answer(405, Vec::new(), "{}".into())).on("DELETE"));
        let (sandbox, proxy) = faulty(&cosign, rules);
        let run = sandbox.run(&["run"]).exits(1);
        let result = sandbox.result();
        let digest = result["builds"][0]["digest"].as_str().unwrap().to_owned();
        let there = image(&sandbox.registry2(), &sandbox, &digest);
        assert!(cosign.verifies(&there), "{}", run.text());
        let seen = proxy.seen();
        let first = |path: &str| seen.iter().position(|s| s.method == "PUT" && s.path.contains(path)).expect("a PUT");
        let tag = ["/manifests/one", "/manifests/latest"]
            .into_iter()
            .filter(|tag| seen.iter().any(|s| s.path.contains(tag) && s.method == "PUT"));
        assert!(
            tag.clone().count() > 0 && tag.clone().all(|tag| first("/manifests/sha256-") < first(tag)),
            "signed first"
        );
        assert_eq!(our_tags(&sandbox), [""; 0]);
        assert!(result["builds"][0]["signatures"].is_null(), "nothing stands that it could be of: {result}");
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_registry_that_stumbles_over_a_signature_gets_it_again() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "of-a-failing-key");
        let stumble = Fault::Answer(503, Vec::new(), String::new());
        let at = if generation == 2 { ".sig" } else { "/manifests/sha256-" };
        let (sandbox, proxy) = faulty(&cosign, vec![Rule::new(stumble).on("PUT").at(at).times(1)]);
        let run = sandbox.run(&["run"]).succeeds();
        assert_eq!(proxy.count("PUT", at), 2);
        let digest = digest(&sandbox.registry2(), &sandbox, "latest");
        assert!(cosign.verifies(&image(&sandbox.registry2(), &sandbox, &digest)), "{}", run.text());
        assert_eq!(Attached::count(&sandbox.registry2(), &repository(&sandbox), &digest).signatures, 1);
    }
}

#[test]
fn a_wrong_password_is_told_before_anything_is_built() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "the right one");
        let sandbox = with(to_one_registry().buildkitd(), &cosign);
        let sandbox = sandbox.secret("COSIGN_PASSWORD", "the-wrong-one-entirely");
        let run = sandbox.run(&["run"]).exits(1);
        run.says(&["the key in COSIGN_KEY", "decryption failed", "COSIGN_PASSWORD is not the password of this key"]);
        nothing_was_built(&sandbox);
        let sandbox = sandbox.without("COSIGN_PASSWORD");
        sandbox
            .run(&["run"])
            .exits(1)
            .says(&["give it to the job as COSIGN_PASSWORD"])
            .faster_than(Duration::from_secs(60));
        nothing_was_built(&sandbox);
    }
}

#[test]
fn what_is_required_and_cannot_be_is_told_before_anything_is_built() {
    let no_key = required(to_one_registry().buildkitd(), "");
    no_key.run(&["run"]).exits(1).says(&["sign.mode is `required`, and there is no key"]);
    nothing_was_built(&no_key);

    let gone = required(to_one_registry().buildkitd(), ", key: no/such.key");
    gone.run(&["run"]).exits(1).says(&["sign.key", "no/such.key is not a file"]);
    nothing_was_built(&gone);

    // A key, and no program.
    let cosign = Cosign::new(3, "");
    let sandbox = with(to_one_registry().buildkitd(), &cosign);
    let bin = sandbox.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for tool in ["docker-buildx", "git"] {
        let found =
            sandbox.testbed.path.split(':').map(|dir| std::path::Path::new(dir).join(tool)).find(|p| p.exists());
        std::os::unix::fs::symlink(found.unwrap(), bin.join(tool)).unwrap();
    }
    let sandbox = sandbox.var("PATH", bin.to_str().unwrap());
    sandbox.run(&["run"]).exits(1).says(&["there is no cosign on PATH", "sign: {mode: off}"]);
    nothing_was_built(&sandbox);
}

/// A cosign that answers what it is, and then does this. It notes every call.
pub(crate) fn pretender(sandbox: &Sandbox, then: &str) -> String {
    let bin = sandbox.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let calls = sandbox.path().join("calls");
    let script = format!(
        "#!/bin/sh\necho \"$1 $2\" >> {calls}\ncase \"$1 $2\" in\n'version --json') echo '{{\"gitVersion\":\"v3.1.1\"}}' ;;\n'sign --help') echo 'x --trusted-root x' ;;\npublic-key*) echo public ;;\n*) {then} ;;\nesac\n",
        calls = calls.display()
    );
    let file = bin.join("cosign");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", bin.display(), sandbox.testbed.path)
}

#[test]
fn a_cosign_that_hangs_ends_with_the_run() {
    let sandbox = to_one_registry().buildkitd();
    let step = LongStep::new();
    let path = pretender(&sandbox, step.command());
    let sandbox = sandbox.var("PATH", &path).var("COSIGN_KEY", "hashivault://x");
    let running = sandbox.start(&["run"]);
    within(Duration::from_secs(60), "cosign hangs", || step.is_running().then_some(()));
    let run = running.stop(Signal::TERM).exits(143);
    within(Duration::from_secs(20), "nothing of it is left", || (!step.is_running()).then_some(()));
    assert_eq!(our_tags(&sandbox), [""; 0], "{}", run.text());
    sandbox.assert_tidy(&run);
}

#[test]
fn a_cosign_that_signs_nothing_and_is_content_is_found_out() {
    let sandbox = super::crucible::published(super::crucible::sound(), "").buildkitd();
    let path = pretender(&sandbox, "exit 0");
    let sandbox = sandbox.var("PATH", &path).var("COSIGN_KEY", "hashivault://x");
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["what stands there is not what it was given"]);
    assert_eq!(our_tags(&sandbox), [""; 0]);
    sandbox.assert_tidy(&run);
}

#[test]
fn code_from_forks_is_signed_by_nobody() {
    let sandbox = small(Sandbox::new()).on("github-fork-pr").buildkitd();
    let path = pretender(&sandbox, "exit 0");
    let tag = sandbox.fill("{registry}/live/{id}:latest");
    let sandbox = sandbox
        .var("PATH", &path)
        .var("COSIGN_KEY", "hashivault://x")
        .var("INPUT_TAGS", &tag)
        .var("INPUT_PUSH", "true");
    // Not even where signing is required: what is not published needs no signature.
    let sandbox = sandbox.file(".stagefreight.yml", "version: 1\nsign: {mode: required}\n");
    let run = sandbox.run(&["run"]).succeeds();
    assert!(!sandbox.path().join("calls").exists(), "cosign was started:\n{}", run.text());
    assert_eq!(our_tags(&sandbox), [""; 0]);
    sandbox.assert_silent(&run);
}

#[test]
fn a_network_that_swallows_packets_does_not_hold_up_a_signature_of_ones_own_key() {
    // cosign 3 asks for Sigstore's public root even where it signs with a file, unless it is given another.
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", hole.local_addr().unwrap());
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "");
        let sandbox = with(to_one_registry().buildkitd(), &cosign);
        let sandbox = sandbox.var("HTTPS_PROXY", &proxy).var("NO_PROXY", "localhost,127.0.0.1");
        let run = sandbox.run(&["run"]).succeeds();
        run.faster_than(Duration::from_secs(30));
        let digest = digest(&sandbox.registry(), &sandbox, "latest");
        assert_eq!(Attached::count(&sandbox.registry(), &repository(&sandbox), &digest).signatures, 1);
    }
}
