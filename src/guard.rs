//! A process between us and a daemon of ours, so that nothing of the daemon outlives us, however we end: the guard is told of our end
//! by its standard input, which the kernel closes even when we are killed outright. It adopts whatever the daemon leaves.
//!
//! `stagefreight guard PROGRAM ARGUMENT…`: for processes of our own. No shell, no configuration, nothing to publish with.

use std::ffi::OsString;
use std::io::Read as _;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::process;

/// The word that calls us so.
pub const WORD: &str = "guard";
/// How long the daemon may take to end in good order.
const GRACE: Duration = Duration::from_secs(2);
/// How long its remains may take to be gone after that.
const REMAINS: Duration = Duration::from_secs(5);
/// How often the dead are looked for while they are awaited.
const TICK: Duration = Duration::from_millis(20);

/// The program to guard, if we were called for that.
pub fn called(arguments: &[OsString]) -> Option<&[OsString]> {
    let rest = arguments.get(1..)?;
    (rest.first()? == WORD && rest.len() > 1).then(|| &rest[1..])
}

/// Runs the program until it ends, or until our caller does. Returns the exit code.
pub fn run(command: &[OsString]) -> u8 {
    let [program, arguments @ ..] = command else { return 2 };
    let done = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let code = runtime.block_on(watch(program, arguments));
        // A thread waits for the end of standard input, which need not come.
        runtime.shutdown_background();
        code
    });
    done.unwrap_or_else(|error| {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), "{} cannot be started: {error}", program.display());
        127
    })
}

async fn watch(program: &OsString, arguments: &[OsString]) -> std::io::Result<u8> {
    let mut ended = signal(SignalKind::child())?;
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let (told, mut alone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        let _ = told.send(());
    });
    let child = process::start_quietly(program, arguments)?;
    let mut code = None;
    while code.is_none() {
        tokio::select! {
            _ = ended.recv() => code = reap(child),
            _ = &mut alone => break,
            _ = terminated.recv() => break,
            _ = interrupted.recv() => break,
        }
    }
    if code.is_none() {
        let _ = rustix::process::kill_process(child, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while code.is_none() && Instant::now() < deadline {
            tokio::time::sleep(TICK).await;
            code = reap(child);
        }
    }
    let deadline = Instant::now() + REMAINS;
    while let Some(remains) = children().filter(|_| Instant::now() < deadline) {
        for pid in remains {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        tokio::time::sleep(TICK).await;
        code = code.or(reap(child));
    }
    Ok(code.unwrap_or(137))
}

/// Takes everybody who has ended; the exit code once it is the program's.
fn reap(child: Pid) -> Option<u8> {
    let mut code = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == child {
            let signalled = status.terminating_signal().map(|number| 128 + number);
            code = status.exit_status().or(signalled).and_then(|code| u8::try_from(code).ok());
        }
    }
    code
}

/// Our children, adopted ones too; `None` where there is none. Whoever ends hands us theirs.
fn children() -> Option<Vec<Pid>> {
    let me = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").ok()?;
    let pids = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of_ours = pids.filter(|pid| {
        // The parent is the second field after the name, which may hold anything but ends with the last bracket.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        fields.split_whitespace().nth(1) == Some(me.as_str())
    });
    let found: Vec<_> = of_ours.filter_map(Pid::from_raw).collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_called_by_its_word_and_a_program() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(called(&words(&["stagefreight", "guard", "sleep", "1"])).unwrap(), words(&["sleep", "1"]));
        for other in [&["stagefreight", "guard"][..], &["stagefreight", "run", "guard"], &["stagefreight"], &[]] {
            assert_eq!(called(&words(other)), None);
        }
    }
}
