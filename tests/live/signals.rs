//! A run that is told to stop: soon, politely, and leaving nothing.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::support::{Sandbox, within};

use super::publish::to_one_registry;

/// A process of this machine (BuildKit's RUN steps are such) whose command line is exactly this.
pub(crate) fn find_process(command: &str) -> Option<Pid> {
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let words: Vec<_> = line.split(|b| *b == 0).filter(|w| !w.is_empty()).collect();
        (words.join(&b' ') == command.as_bytes()).then(|| Pid::from_raw(pid)).flatten()
    })
}

pub(crate) fn process_runs(command: &str) {
    within(Duration::from_secs(60), &format!("`{command}` runs"), || find_process(command));
}

/// Ends what an outage has orphaned.
pub(crate) fn end_process(command: &str) {
    if let Some(pid) = find_process(command) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn stopped_by(signal: Signal, code: i32, sandbox: Sandbox) {
    let marker = format!("98{}{}", rand::random::<u16>(), signal.as_raw());
    let sandbox = sandbox.file("Dockerfile", &format!("FROM busybox\nRUN sleep {marker}\n")).on("github-push");
    let running = sandbox.start(&["run"]);
    process_runs(&format!("sleep {marker}"));
    assert_ne!(std::fs::read_dir(sandbox.temp()).unwrap().count(), 0, "credentials are somewhere");
    let told = Instant::now();
    running.signal(signal);
    let run = running.wait(Duration::from_secs(20)).exits(code);
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    sandbox.assert_tidy(&run);
    let result = sandbox.result();
    assert_eq!(result["status"], "cancelled", "{result}");
    assert_eq!(result["exit_code"], code);
    run.says(&["ancelled"]);
    assert!(sandbox.summary().contains("ancelled"), "{}", sandbox.summary());
    within(Duration::from_secs(5), "the RUN ends", || find_process(&format!("sleep {marker}")).is_none().then_some(()));
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
    let marker = format!("95{}", rand::random::<u16>());
    let sandbox = to_one_registry().file("Dockerfile", &format!("FROM busybox\nRUN sleep {marker}\n")).buildkitd();
    let running = sandbox.start(&["run"]);
    process_runs(&format!("sleep {marker}"));
    running.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(20));
    running.signal(Signal::INT);
    let run = running.wait(Duration::from_secs(5)).exits(143);
    assert_eq!(sandbox.result()["status"], "cancelled");
    sandbox.assert_tidy(&run);
}
