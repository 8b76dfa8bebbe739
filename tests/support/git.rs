//! Real repositories for tests, made with the git program. No configuration of the machine reaches them.

#![allow(dead_code, reason = "each test that includes this file uses its own part")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The committer time of every commit made here.
pub(crate) const TIME: i64 = 1_763_643_787;

/// git in a directory, with an environment of its own.
#[allow(clippy::disallowed_methods, reason = "tests prepare their own repositories")]
pub(crate) fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory).args(["-c", "protocol.file.allow=always"]).args(args).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.org");
        command.env(format!("GIT_{who}_DATE"), format!("{TIME} +0100"));
    }
    command
}

/// Runs git; the test fails if it does. Gives what it printed, trimmed.
pub(crate) fn git(directory: &Path, args: &[&str]) -> String {
    let output = command(directory, args).output().expect("git");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs git with input.
pub(crate) fn git_with_input(directory: &Path, args: &[&str], input: &[u8]) -> Output {
    use std::io::Write as _;
    let mut child = command(directory, args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output
}

/// A repository on branch `main` with one commit that holds a Dockerfile.
pub(crate) fn repository(directory: &Path) {
    git(directory, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(directory.join("Dockerfile"), "FROM scratch\n").unwrap();
    git(directory, &["add", "."]);
    commit(directory);
}

/// An empty commit. Gives its id.
pub(crate) fn commit(directory: &Path) -> String {
    git(directory, &["commit", "--quiet", "--allow-empty", "--message", "change"]);
    git(directory, &["rev-parse", "HEAD"])
}
