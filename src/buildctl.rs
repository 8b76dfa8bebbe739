//! Our binary under the name `buildctl`, in a BuildKit container made of our image. buildx's `docker-container` driver asks a
//! container two things by that name (docker/buildx driver/docker-container/driver.go): does the daemon answer (`debug workers`),
//! and a line to it (`dial-stdio`). Nothing else of buildctl is here.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::backend::{Endpoint, answers};

/// Where BuildKit listens in its container.
const SOCKET: &str = "/run/buildkit/buildkitd.sock";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// `debug workers`.
    Workers,
    /// `dial-stdio`.
    Line,
    /// Anything else.
    Unknown,
}

/// What is asked, if we were called by that name.
pub fn question(arguments: &[OsString]) -> Option<Question> {
    let name = arguments.first().and_then(|name| Path::new(name).file_name());
    if name != Some(OsStr::new("buildctl")) {
        return None;
    }
    let words: Vec<_> = arguments[1..].iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    Some(match words.as_slice() {
        ["debug", "workers"] => Question::Workers,
        ["dial-stdio"] => Question::Line,
        _ => Question::Unknown,
    })
}

/// Answers it. Returns the exit code.
pub fn answer(question: Question) -> u8 {
    let done = match question {
        Question::Workers => workers(),
        Question::Line => line(Path::new(SOCKET)).map_err(|e| format!("BuildKit at {SOCKET} cannot be reached: {e}")),
        Question::Unknown => Err("this is StageFreight, which answers `buildctl debug workers` and `buildctl dial-stdio` for buildx; for the rest use the buildctl of BuildKit".to_owned()),
    };
    let Err(what) = done else { return 0 };
    let _ = writeln!(std::io::stderr().lock(), "error: {what}");
    1
}

fn workers() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(answers(&Endpoint::Unix(SOCKET.into()))).map_err(|e| e.to_string())
}

/// Carries bytes both ways until the daemon hangs up. The caller's end is handed on; the daemon answers it by its own.
fn line(socket: &Path) -> std::io::Result<()> {
    let daemon = UnixStream::connect(socket)?;
    // Unbuffered: a message that waits for a newline would wait for ever.
    let mut caller = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut asked = daemon.try_clone()?;
    std::thread::spawn(move || {
        let _ = carry(&mut caller, &mut asked);
        let _ = asked.shutdown(Shutdown::Write);
    });
    carry(&mut &daemon, &mut output)
}

/// Piece by piece: `std::io::copy` asks the kernel to move them, which it does only once the caller has said everything.
fn carry(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            n => to.write_all(&buffer[..n])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question is answered before the caller has said its last word.
    #[test]
    fn a_line_carries_at_once() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let mut caller = File::from(std::os::fd::OwnedFd::from(reader));
        std::thread::spawn(move || carry(&mut caller, &mut &theirs));
        (&writer).write_all(b"question").unwrap();
        ours.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut heard = [0; 8];
        ours.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"question");
        drop(writer);
    }

    fn asked(words: &[&str]) -> Option<Question> {
        question(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn two_questions_are_known_under_that_name_only() {
        assert_eq!(asked(&["buildctl", "dial-stdio"]), Some(Question::Line));
        assert_eq!(asked(&["/usr/bin/buildctl", "debug", "workers"]), Some(Question::Workers));
        assert_eq!(asked(&["buildctl", "prune"]), Some(Question::Unknown));
        assert_eq!(asked(&["buildctl"]), Some(Question::Unknown));
        assert_eq!(asked(&["stagefreight", "dial-stdio"]), None);
        assert_eq!(asked(&[]), None);
    }
}
