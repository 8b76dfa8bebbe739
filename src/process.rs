//! The only user of child processes.
//!
//! A child gets an argv array, an explicit environment and its own process group; it never outlives the call that
//! started it: cancellation ends the group politely, then by force, and dropping the future ends it at once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::environment::Vars;

/// How long a child may take to end after a polite signal.
const GRACE: Duration = Duration::from_millis(800);
/// How much output `capture` keeps of each stream.
const CAPTURE_LIMIT: usize = 4 << 20;
/// How much of standard error an error carries.
const TAIL_LIMIT: usize = 4 << 10;

/// A child to start. Build the argv with a pure function and test it as a table.
#[derive(Debug, Clone, PartialEq)]
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

    fn start(&self, stdin: Stdio, stdout: Stdio) -> Result<Child, ProcessError> {
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
        command.spawn().map_err(|source| ProcessError::Start { program: self.program.display().to_string(), source })
    }

    fn pipe(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Pipe { command: self.display(), source }
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
    let mut child = spec.start(Stdio::piped(), Stdio::piped())?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A child that does not read its input closes the pipe: its exit code tells the story.
                let _ = stdin.write_all(input).await;
            }
        };
        let ((), stdout, stderr) = tokio::join!(feed, read_all(stdout), read_all(stderr));
        let status = child.wait().await.map_err(|e| spec.pipe(e))?;
        Ok(Captured { status, stdout: stdout.map_err(|e| spec.pipe(e))?, stderr: stderr.map_err(|e| spec.pipe(e))? })
    };
    let ended = tokio::select! {
        done = work => return done,
        () = cancel.cancelled() => ProcessError::Cancelled { command: spec.display() },
        () = tokio::time::sleep(limit) => ProcessError::TimedOut { command: spec.display(), limit },
    };
    end(&mut child).await;
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
    let mut child = spec.start(Stdio::null(), Stdio::null())?;
    let stderr = child.stderr.take();
    let work = async {
        if let Some(mut stderr) = stderr {
            let mut buffer = vec![0; 64 << 10];
            loop {
                let n = stderr.read(&mut buffer).await.map_err(|e| spec.pipe(e))?;
                if n == 0 {
                    break;
                }
                sink(&buffer[..n]).await;
            }
        }
        child.wait().await.map_err(|e| spec.pipe(e))
    };
    tokio::select! {
        done = work => return done,
        () = cancel.cancelled() => {}
    }
    end(&mut child).await;
    Err(ProcessError::Cancelled { command: spec.display() })
}

/// Ends a child and everything it started: SIGTERM to its group, a moment of grace, SIGKILL.
async fn end(child: &mut Child) {
    signal(child, rustix::process::Signal::TERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        signal(child, rustix::process::Signal::KILL);
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended meanwhile; then there is nobody left to tell.
        let _ = rustix::process::kill_process_group(pid, signal);
    }
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
mod tests {
    use super::*;

    fn sh(script: &str) -> Spec {
        Spec::new("/bin/sh", vec!["-c".into(), script.into()], BTreeMap::new(), Path::new("/"))
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn output_input_and_exit_are_handed_over() {
        let token = CancellationToken::new();
        let got = capture(&sh("cat; echo err >&2"), b"in", LONG, &token).await.unwrap();
        assert_eq!((got.stdout.as_slice(), got.stderr.as_slice()), (&b"in"[..], &b"err\n"[..]));
        let error = capture(&sh("echo no >&2; exit 7"), b"", LONG, &token).await.unwrap_err().to_string();
        assert_eq!(error, "sh -c 'echo no >&2; exit 7' ended with exit status: 7: no");
        let missing = Spec::new("/no/such", vec![], BTreeMap::new(), Path::new("/"));
        assert!(matches!(capture(&missing, b"", LONG, &token).await, Err(ProcessError::Start { .. })));
    }

    #[tokio::test]
    async fn a_child_sees_only_the_environment_it_was_given() {
        let mut spec = sh("env");
        spec.env.insert("ONLY".into(), "this".into());
        let got = capture(&spec, b"", LONG, &CancellationToken::new()).await.unwrap();
        let text = String::from_utf8(got.stdout).unwrap();
        assert!(text.contains("ONLY=this") && !text.contains("CARGO"), "{text}");
    }

    #[tokio::test]
    async fn cancellation_ends_the_whole_group_even_if_it_ignores_terms() {
        let dir = tempfile::tempdir().unwrap();
        let pidfile = dir.path().join("pid");
        let script = format!(
            "trap '' TERM; (trap '' TERM; echo $BASHPID >/dev/null; sleep 60) & echo $! > {}; wait",
            pidfile.display()
        );
        let token = CancellationToken::new();
        let stop = token.clone();
        let mut spec = sh(&script);
        spec.env.insert("PATH".into(), "/usr/bin:/bin".into());
        let watch = async {
            while std::fs::read_to_string(&pidfile).map_or(true, |s| !s.ends_with('\n')) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stop.cancel();
        };
        let started = std::time::Instant::now();
        let (ended, ()) = tokio::join!(stream(&spec, &token, async |_| {}), watch);
        assert!(matches!(ended, Err(ProcessError::Cancelled { .. })));
        assert!(started.elapsed() < Duration::from_secs(5));
        let pid = std::fs::read_to_string(&pidfile).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "grandchild still runs: {state}");
    }

    #[tokio::test]
    async fn every_wait_has_a_bound() {
        let ended =
            capture(&sh("while :; do :; done"), b"", Duration::from_millis(200), &CancellationToken::new()).await;
        assert!(matches!(ended, Err(ProcessError::TimedOut { .. })), "{ended:?}");
    }
}
