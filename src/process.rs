//! The only user of child processes.
//!
//! A child gets an argv array, an explicit environment and its own process group; it never outlives the call that
//! started it: cancellation ends the group politely, then by force, and dropping the future ends it at once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::environment::Vars;

/// How long a child may take to end after a polite signal.
const GRACE: Duration = Duration::from_millis(800);
/// How long what a child printed may take to arrive once it has ended: something it left behind may hold the pipe open.
const DRAIN: Duration = Duration::from_secs(2);
/// How much output `capture` keeps of each stream.
const CAPTURE_LIMIT: usize = 4 << 20;
/// How much of standard error an error carries.
const TAIL_LIMIT: usize = 4 << 10;

/// A child to start. Build the argv with a pure function and test it as a table. `Debug` shows only names of variables.
#[derive(Clone, PartialEq)]
pub struct Spec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without the program. Never a secret.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: PathBuf,
}

/// What a child printed and how it ended.
#[derive(Debug, Clone)]
pub struct Captured {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, cut at 4 MiB.
    pub stdout: Vec<u8>,
    /// Standard error, cut at 4 MiB.
    pub stderr: Vec<u8>,
}

/// Why a child gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It is not there, or may not be run.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It ended badly.
    #[error("{command} ended with {status}: {tail}")]
    Failed {
        /// Program and arguments.
        command: String,
        /// Exit code or signal.
        status: ExitStatus,
        /// Last lines of standard error.
        tail: String,
        /// What it printed before.
        stdout: Vec<u8>,
    },
    /// It took too long and was ended.
    #[error("{command} gave no answer within {} s", .limit.as_secs())]
    TimedOut {
        /// Program and arguments.
        command: String,
        /// The bound.
        limit: Duration,
    },
    /// The run was cancelled and the child was ended.
    #[error("{command} was cancelled")]
    Cancelled {
        /// Program and arguments.
        command: String,
    },
    /// Talking to it failed.
    #[error("lost contact with {command}: {source}")]
    Pipe {
        /// Program and arguments.
        command: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Spec {
    /// A child with the given environment.
    pub fn new(program: impl Into<PathBuf>, args: Vec<String>, env: BTreeMap<String, String>, cwd: &Path) -> Self {
        Self { program: program.into(), args, env, cwd: cwd.to_owned() }
    }

    /// Program and arguments, for people.
    pub fn display(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy();
        let mut line = quote(&name);
        for arg in &self.args {
            line.push(' ');
            line.push_str(&quote(arg));
        }
        line
    }

    fn start(&self, stdin: Stdio, stdout: Stdio) -> Result<Group, ProcessError> {
        #[allow(clippy::disallowed_methods, reason = "the one place that starts children")]
        let mut command = Command::new(&self.program);
        command
            .args(self.args.iter().map(OsString::from))
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.cwd)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .map_err(|source| ProcessError::Start { program: self.program.display().to_string(), source })?;
        let id = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        Ok(Group { child, id })
    }

    fn pipe(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Pipe { command: self.display(), source }
    }
}

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let env: Vec<_> = self.env.keys().collect();
        f.debug_struct("Spec").field("command", &self.display()).field("env", &env).field("cwd", &self.cwd).finish()
    }
}

/// A child and everything it starts. Dropped before the child has ended, all of it is killed.
struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    /// Waits for the child alone; what it left behind is its own affair.
    async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await;
        // From now on the number may be somebody else's.
        self.id = None;
        status
    }

    /// Ends all of it: SIGTERM, a moment of grace, SIGKILL to whoever is left.
    async fn end(mut self) {
        self.signal(Signal::TERM);
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.signal(Signal::KILL);
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.id = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // All of it may have ended meanwhile; then there is nobody left to tell.
            let _ = rustix::process::kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Runs a child to its end and keeps what it prints. `input` goes to its standard input. A bad exit is an error.
///
/// # Errors
/// See [`ProcessError`].
pub async fn capture(
    spec: &Spec,
    input: &[u8],
    limit: Duration,
    cancel: &CancellationToken,
) -> Result<Captured, ProcessError> {
    let captured = run(spec, input, limit, cancel).await?;
    if captured.status.success() {
        return Ok(captured);
    }
    let tail = tail(&captured.stderr);
    Err(ProcessError::Failed { command: spec.display(), status: captured.status, tail, stdout: captured.stdout })
}

async fn run(spec: &Spec, input: &[u8], limit: Duration, cancel: &CancellationToken) -> Result<Captured, ProcessError> {
    let mut group = spec.start(Stdio::piped(), Stdio::piped())?;
    let child = &mut group.child;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A child that does not read its input closes the pipe: its exit code tells the story.
                let _ = stdin.write_all(input).await;
            }
        };
        let ((), stdout, stderr) = tokio::join!(feed, read_all(stdout), read_all(stderr));
        let status = group.wait().await.map_err(|e| spec.pipe(e))?;
        Ok(Captured { status, stdout: stdout.map_err(|e| spec.pipe(e))?, stderr: stderr.map_err(|e| spec.pipe(e))? })
    };
    let ended = tokio::select! {
        done = work => return done,
        () = cancel.cancelled() => ProcessError::Cancelled { command: spec.display() },
        () = tokio::time::sleep(limit) => ProcessError::TimedOut { command: spec.display(), limit },
    };
    group.end().await;
    Err(ended)
}

/// Runs a child and hands over its standard error piece by piece as it comes, waiting for `sink`; standard output is dropped.
/// A bad exit is *not* an error here: the output explains it.
///
/// # Errors
/// See [`ProcessError`]; on cancellation the child has ended when this returns.
pub async fn stream<F>(spec: &Spec, cancel: &CancellationToken, mut sink: F) -> Result<ExitStatus, ProcessError>
where
    F: AsyncFnMut(&[u8]),
{
    let mut group = spec.start(Stdio::null(), Stdio::null())?;
    let mut stderr = group.child.stderr.take();
    let work = async {
        let mut buffer = vec![0; 64 << 10];
        let mut ended = None;
        while let Some(pipe) = &mut stderr {
            let n = tokio::select! {
                biased;
                n = pipe.read(&mut buffer) => n.map_err(|e| spec.pipe(e))?,
                status = group.wait(), if ended.is_none() => {
                    ended = Some(status.map_err(|e| spec.pipe(e))?);
                    continue;
                }
                () = tokio::time::sleep(DRAIN), if ended.is_some() => 0,
            };
            if n == 0 {
                break;
            }
            sink(&buffer[..n]).await;
        }
        match ended {
            Some(status) => Ok(status),
            None => group.wait().await.map_err(|e| spec.pipe(e)),
        }
    };
    tokio::select! {
        done = work => return done,
        () = cancel.cancelled() => {}
    }
    group.end().await;
    Err(ProcessError::Cancelled { command: spec.display() })
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(kept) };
    let mut buffer = vec![0; 16 << 10];
    loop {
        let n = pipe.read(&mut buffer).await?;
        if n == 0 {
            return Ok(kept);
        }
        let room = CAPTURE_LIMIT.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..n.min(room)]);
    }
}

/// The last lines of what a child said, for an error.
fn tail(stderr: &[u8]) -> String {
    let start = stderr.len().saturating_sub(TAIL_LIMIT);
    String::from_utf8_lossy(&stderr[start..]).trim().to_owned()
}

fn quote(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
}

/// Becomes another program, with everything that is ours. Returns only where that fails.
pub fn replace(program: &OsStr, args: &[OsString]) -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    #[allow(clippy::disallowed_methods, reason = "the one place that starts children")]
    std::process::Command::new(program).args(args).exec()
}

/// Starts a program that is given everything that is ours, for a process 1 that only looks after it: nobody waits for it here. It
/// leads a process group of its own, which gets the terminal, so that what a person types reaches it once.
///
/// # Errors
/// When it cannot be started.
pub fn start_below(program: &OsStr, args: &[OsString]) -> std::io::Result<Pid> {
    use std::os::unix::process::CommandExt as _;
    #[allow(clippy::disallowed_methods, reason = "the one place that starts children")]
    let child = std::process::Command::new(program).args(args).process_group(0).spawn()?;
    let pid = Pid::from_child(&child);
    if rustix::termios::tcsetpgrp(std::io::stdin(), pid).is_ok() {
        // It may have asked for input before the terminal was its own, and been stopped for that.
        let _ = rustix::process::kill_process(pid, Signal::CONT);
    }
    Ok(pid)
}

/// Starts a program that takes our environment and output, and no input. Nobody waits for it here.
///
/// # Errors
/// When it cannot be started.
pub fn start_quietly(program: &OsStr, args: &[OsString]) -> std::io::Result<Pid> {
    #[allow(clippy::disallowed_methods, reason = "the one place that starts children")]
    let child = std::process::Command::new(program).args(args).stdin(Stdio::null()).spawn()?;
    Ok(Pid::from_child(&child))
}

/// A child that stays until this value goes: its standard input ends then, which it takes for a sign. Nobody kills it, so it must.
#[derive(Debug)]
pub struct Kept {
    child: Child,
    /// What it says on standard error.
    pub stderr: Option<tokio::process::ChildStderr>,
}

impl Kept {
    /// Whether it has ended already.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Lets it go, and waits until it has ended, at most so long.
    pub async fn release(mut self, limit: Duration) {
        drop(self.child.stdin.take());
        let _ = tokio::time::timeout(limit, self.child.wait()).await;
    }
}

/// Starts a child that stays.
///
/// # Errors
/// When it cannot be started.
pub fn keep(spec: &Spec) -> Result<Kept, ProcessError> {
    #[allow(clippy::disallowed_methods, reason = "the one place that starts children")]
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).env_clear().envs(&spec.env).current_dir(&spec.cwd).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = |source| ProcessError::Start { program: spec.program.display().to_string(), source };
    let mut child = command.spawn().map_err(start)?;
    let stderr = child.stderr.take();
    Ok(Kept { child, stderr })
}

/// Finds a program as a shell would, in the directories of `PATH`, then in `more`.
pub fn find(name: &str, vars: &Vars, more: &[PathBuf]) -> Option<PathBuf> {
    let dirs = vars.get("PATH").unwrap_or_default().split(':').filter(|d| d.starts_with('/')).map(PathBuf::from);
    dirs.chain(more.iter().cloned()).map(|dir| dir.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
