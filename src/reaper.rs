//! What the first process of our container owes the others: orphans are reaped, signals are handed on. The work itself is done
//! by a child, so that nothing here can take the exit codes of the children the work starts.
//!
//! Also opens the door for runners that start a job image by `sh -c …` and keep the entrypoint (GitLab's docker executor).

use std::ffi::{OsStr, OsString};
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use tokio::signal::unix::{SignalKind, signal};

use crate::process;

/// What is handed on to the child. A process 1 without a handler would not even see them.
const HANDED_ON: [Signal; 7] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH];
/// Shells a runner may ask for in our place.
const SHELLS: [&str; 3] = ["sh", "bash", "ash"];

/// Who does the work of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Work {
    /// This very process.
    Ours,
    /// This very process, which becomes another program.
    Become(OsString),
    /// A child of this process.
    Below(OsString),
}

/// Takes over where this process is not the one to do the work; its exit code then. `arguments` begin with our own name.
pub fn take_over(arguments: &[OsString]) -> Option<u8> {
    match decide(std::process::id(), arguments) {
        Work::Ours => None,
        Work::Become(program) => Some(cannot_start(&program, &process::replace(&program, rest(arguments, 2)))),
        Work::Below(program) => {
            let from = if asks_for_shell(arguments) { 2 } else { 1 };
            Some(look_after(&program, rest(arguments, from)).unwrap_or_else(|error| cannot_start(&program, &error)))
        }
    }
}

fn decide(pid: u32, arguments: &[OsString]) -> Work {
    let shell = asks_for_shell(arguments).then(|| arguments.get(1).cloned()).flatten();
    match (pid, shell) {
        (1, shell) => Work::Below(shell.unwrap_or_else(|| "/proc/self/exe".into())),
        (_, Some(shell)) => Work::Become(shell),
        (_, None) => Work::Ours,
    }
}

/// `sh …` or `/bin/sh …`: no command of ours is called so.
fn asks_for_shell(arguments: &[OsString]) -> bool {
    let name = arguments.get(1).and_then(|program| Path::new(program).file_name());
    name.is_some_and(|name| SHELLS.iter().any(|shell| name == OsStr::new(shell)))
}

fn rest(arguments: &[OsString], from: usize) -> &[OsString] {
    arguments.get(from..).unwrap_or_default()
}

/// Starts the child, hands signals on, and waits for everybody until that child has ended. Whoever lives on then ends with us.
fn look_after(program: &OsStr, arguments: &[OsString]) -> std::io::Result<u8> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let mut ended = signal(SignalKind::child())?;
        let (sender, mut caught) = tokio::sync::mpsc::unbounded_channel();
        for kind in HANDED_ON {
            let (mut signals, sender) = (signal(SignalKind::from_raw(kind.as_raw()))?, sender.clone());
            tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(kind).is_ok() {} });
        }
        let child = process::start_below(program, arguments)?;
        loop {
            tokio::select! {
                _ = ended.recv() => {
                    if let Some(code) = reap(child) {
                        return Ok(code);
                    }
                }
                Some(kind) = caught.recv() => {
                    // It may have ended just now.
                    let _ = rustix::process::kill_process(child, kind);
                }
            }
        }
    })
}

/// Takes every child that has ended, adopted ones too; the exit code once ours is among them.
fn reap(child: Pid) -> Option<u8> {
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == child && (status.exited() || status.signaled()) {
            return Some(exit_code(status));
        }
    }
    None
}

/// As shells say it: 128 and the number of the signal.
fn exit_code(status: WaitStatus) -> u8 {
    let signalled = status.terminating_signal().map(|number| 128 + number);
    status.exit_status().or(signalled).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn cannot_start(program: &OsStr, error: &std::io::Error) -> u8 {
    use std::io::Write as _;
    let text = format!("error: {} cannot be started: {error}\n", program.display());
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    127
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn process_one_works_through_a_child_and_a_shell_is_let_in() {
        let ours = words(&["stagefreight", "run", "sh"]);
        assert_eq!(decide(7, &ours), Work::Ours);
        assert_eq!(decide(1, &ours), Work::Below("/proc/self/exe".into()));
        assert_eq!(decide(1, &words(&["stagefreight"])), Work::Below("/proc/self/exe".into()));
        for shell in ["sh", "/bin/sh", "/usr/local/bin/bash"] {
            let asked = words(&["/usr/local/bin/stagefreight", shell, "-c", "echo"]);
            assert_eq!(decide(7, &asked), Work::Become(shell.into()));
            assert_eq!(decide(1, &asked), Work::Below(shell.into()));
        }
        assert_eq!(decide(7, &words(&["stagefreight", "shell"])), Work::Ours);
    }
}
