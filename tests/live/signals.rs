//! A run that is told to stop: soon, politely, and leaving nothing.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{LongStep, Sandbox};

use super::publish::to_one_registry;

/// The run's directory, which holds logins, is there, and nobody else may look into it.
fn private_while_it_lasts(sandbox: &Sandbox) {
    use std::os::unix::fs::PermissionsExt as _;
    let dirs: Vec<_> = std::fs::read_dir(sandbox.temp()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(dirs.len(), 1, "{dirs:?}");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dirs[0]), 0o700);
    assert_eq!(mode(&dirs[0].join("docker/config.json")), 0o600);
}

fn stopped_by(signal: Signal, code: i32, sandbox: Sandbox) {
    let step = LongStep::new();
    let sandbox = sandbox.file("Dockerfile", &step.dockerfile()).on("github-push");
    let running = sandbox.start(&["run"]);
    step.runs();
    private_while_it_lasts(&sandbox);
    let run = running.stop(signal).exits(code);
    sandbox.assert_tidy(&run);
    let result = sandbox.result();
    assert_eq!(result["status"], "cancelled", "{result}");
    assert_eq!(result["exit_code"], code);
    run.says(&["ancelled"]);
    assert!(sandbox.summary().contains("ancelled"), "{}", sandbox.summary());
    step.ends();
    assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0]);
}

#[test]
fn sigterm_mid_build() {
    stopped_by(Signal::TERM, 143, to_one_registry().buildkitd());
}

#[test]
fn sigint_mid_build() {
    stopped_by(Signal::INT, 130, to_one_registry().buildkitd());
}

#[test]
fn sigterm_mid_build_in_a_container() {
    let image = crate::support::Testbed::get().buildkit_image;
    let sandbox = to_one_registry();
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let config = format!(
        "{config}build_cache: {{builder: {{image: '{image}'}}}}\nregistries: {{docker.io: {{mirrors: ['{{registry}}']}}, '{{registry}}': {{http: true}}}}\n"
    );
    stopped_by(Signal::TERM, 143, sandbox.config(&config).docker());
}

#[test]
fn a_second_signal_changes_nothing() {
    let step = LongStep::new();
    let sandbox = to_one_registry().file("Dockerfile", &step.dockerfile()).buildkitd();
    let running = sandbox.start(&["run"]);
    step.runs();
    running.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(150));
    running.signal(Signal::INT);
    let run = running.wait(Duration::from_secs(20)).exits(143);
    assert_eq!(sandbox.result()["status"], "cancelled");
    sandbox.assert_tidy(&run);
}
