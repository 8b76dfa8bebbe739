//! Steps that take for ever, for tests that end them.

use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::within;

/// A process of this machine (BuildKit's RUN steps are such) whose command line is exactly this.
fn find_process(command: &str) -> Option<Pid> {
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let words: Vec<_> = line.split(|b| *b == 0).filter(|w| !w.is_empty()).collect();
        (words.join(&b' ') == command.as_bytes()).then(|| Pid::from_raw(pid)).flatten()
    })
}

/// A RUN step that takes for ever, by a command line nobody else has. It does not outlive the test, however that ends.
pub(crate) struct LongStep(String);

impl LongStep {
    pub(crate) fn new() -> Self {
        Self(format!("sleep 9{:07}", rand::random::<u32>() % 10_000_000))
    }

    pub(crate) fn command(&self) -> &str {
        &self.0
    }

    pub(crate) fn dockerfile(&self) -> String {
        format!("FROM busybox\n{}\n", self.instruction())
    }

    pub(crate) fn instruction(&self) -> String {
        format!("RUN {}", self.0)
    }

    pub(crate) fn is_running(&self) -> bool {
        find_process(&self.0).is_some()
    }

    /// Waits until it runs.
    pub(crate) fn runs(&self) {
        within(Duration::from_secs(180), &format!("`{}` runs", self.0), || self.is_running().then_some(()));
    }

    /// Waits until it is gone.
    pub(crate) fn ends(&self) {
        within(Duration::from_secs(60), &format!("`{}` ends", self.0), || (!self.is_running()).then_some(()));
    }
}

impl Drop for LongStep {
    fn drop(&mut self) {
        if let Some(pid) = find_process(&self.0) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}
