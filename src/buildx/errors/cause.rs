//! Failures that are no mistake in any source file: the machine, the image or the network could not do it.

use super::scan::found;
use super::{Found, Rank};

/// Most causes read of one log; a retrying download says the same many times.
const MAX: usize = 3;

/// How near the end a line must stand to be the cause, where it may also be something that was tried in vain and got
/// over: a mirror that does not answer, a program a configure script looks for.
const NEAR_THE_END: usize = 30;

/// What was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The shell found no such program.
    CommandNotFound,
    /// A file that may not be run or written.
    PermissionDenied,
    /// A program for another architecture, or a script without `#!`.
    WrongArchitecture,
    /// The kernel ended it for want of memory.
    OutOfMemory,
    /// The disk is full.
    NoSpace,
    /// A name does not resolve, or nobody answers.
    Network,
    /// A server's certificate is not trusted.
    Certificate,
    /// The script has Windows line ends.
    WindowsLineEnds,
}

impl Cause {
    /// The name of the reader, for `BuildError::tool`.
    fn tool(self) -> &'static str {
        match self {
            Self::CommandNotFound | Self::PermissionDenied | Self::WindowsLineEnds => "shell",
            Self::WrongArchitecture => "platform",
            Self::OutOfMemory => "memory",
            Self::NoSpace => "disk",
            Self::Network => "network",
            Self::Certificate => "tls",
        }
    }

    /// A step that goes on after it is not unheard of.
    fn may_be_overcome(self) -> bool {
        matches!(self, Self::CommandNotFound | Self::PermissionDenied | Self::Network | Self::Certificate)
    }

    /// The cause a line of output names.
    pub(super) fn of(line: &str) -> Option<Self> {
        let lower = line.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if has(&["no space left on device", "disk quota exceeded", "enospc:"]) {
            Some(Self::NoSpace)
        } else if has(&["exec format error"]) {
            Some(Self::WrongArchitecture)
        } else if lower.trim() == "killed"
            || line.contains(" Killed  ")
            || has(&["out of memory: killed", "cannot allocate memory", "heap out of memory", "outofmemoryerror"])
            || has(&["signal: killed", "(signal: 9, sigkill", "fatal error: killed signal", "std::bad_alloc"])
        {
            Some(Self::OutOfMemory)
        } else if has(&CERTIFICATE) {
            Some(Self::Certificate)
        } else if has(&NETWORK) {
            Some(Self::Network)
        } else {
            shell(line)
        }
    }
}

const CERTIFICATE: [&str; 6] = [
    "certificate signed by unknown authority",
    "ssl certificate problem",
    "certificate_verify_failed",
    "self-signed certificate in certificate chain",
    "unable to get local issuer certificate",
    "certificate verification failed",
];

const NETWORK: [&str; 15] = [
    "could not connect to",
    "failed to connect to",
    "could not resolve host",
    "could not resolve hostname",
    "temporary failure in name resolution",
    "temporary failure resolving",
    "name or service not known",
    "failure in name resolution",
    "getaddrinfo",
    "no such host",
    "network is unreachable",
    "etimedout",
    "econnrefused",
    "tls handshake timeout",
    "i/o timeout",
];

/// What a shell, or runc in its place, says of a program it cannot start.
fn shell(line: &str) -> Option<Cause> {
    let shells = ["/bin/sh:", "sh:", "/bin/bash:", "bash:", "/bin/ash:", "ash:", "dash:", "env:", "/usr/bin/env:"];
    let make = line.split_once(": ").is_some_and(|(name, rest)| {
        let name = name.split('[').next().unwrap_or(name);
        matches!(name, "make" | "gmake") && !rest.starts_with("***")
    });
    let runc = line.contains("unable to start container process");
    let speaks = runc || make || shells.iter().any(|s| line.starts_with(s)) || line.contains(".sh: line ");
    if !speaks {
        return None;
    }
    if line.contains("\\r") || line.contains("bad interpreter") || line.contains("^M") {
        Some(Cause::WindowsLineEnds)
    } else if line.ends_with("not found") || line.ends_with("No such file or directory") {
        Some(Cause::CommandNotFound)
    } else if line.ends_with("ermission denied") {
        Some(Cause::PermissionDenied)
    } else if runc && (line.contains("no such file or directory") || line.contains("not found in $PATH")) {
        Some(Cause::CommandNotFound)
    } else {
        None
    }
}

pub(super) fn read(lines: &[&str]) -> Vec<Found> {
    let near = lines.len().saturating_sub(NEAR_THE_END);
    let told = lines.iter().enumerate().filter(|(_, line)| !is_passed_test(line));
    let causes = told.filter_map(|(i, line)| Some((i, line, Cause::of(line)?)));
    let counts = causes.filter(|(i, _, cause)| *i >= near || !cause.may_be_overcome());
    let mut found: Vec<Found> =
        counts.map(|(i, line, cause)| self::found(Rank::Cause, i, cause.tool(), None, line, line)).collect();
    // The last ones ended it.
    let first = found.len().saturating_sub(MAX);
    found.drain(..first);
    found
}

/// The name of a test that passed, or of one that begins, may speak of anything.
fn is_passed_test(line: &str) -> bool {
    const MARKS: [&str; 9] = ["✓ ", "✔ ", "√ ", "ok ", "PASS", "--- PASS", "=== RUN", "[ RUN", "[       OK"];
    let line = line.trim_start();
    MARKS.iter().any(|mark| line.starts_with(mark)) || (line.starts_with("test ") && line.ends_with(" ... ok"))
}
