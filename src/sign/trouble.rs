//! What cosign says when it fails, as one sentence with its cure. Its own last words are always repeated.

use crate::problem::Problem;
use crate::process::ProcessError;

/// How much of its last words is repeated.
const LAST_WORDS: usize = 400;

/// The cures differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Password,
    NoKey,
    Refused,
    Services,
    Key,
    Registry,
    Other,
}

/// A call that failed, and what it was for (`signing host/app@sha256:…`).
pub(super) fn problem(doing: &str, error: &ProcessError, password: bool) -> Problem {
    match error {
        ProcessError::Failed { tail, .. } => {
            let said = last_words(tail);
            Problem::new(format!("{doing} failed: cosign says: {said}")).hint(cure(cause(&said), password))
        }
        ProcessError::TimedOut { limit, .. } => {
            let what = format!("{doing} failed: cosign gave no answer within {} s and was stopped", limit.as_secs());
            Problem::new(what).hint("check the way to the registry, to the key service and, for signatures in the public log or without a key, to Sigstore's services")
        }
        ProcessError::Cancelled { .. } => Problem::new(format!("{doing} was stopped by a signal")),
        other => Problem::new(format!("{doing} failed: {other}")),
    }
}

/// The last thing it called an error, on one line, of bounded length.
pub(crate) fn last_words(stderr: &str) -> String {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines()
        .filter_map(|line| line.strip_prefix("Error: ").or(line.split_once(": Error: ").map(|(_, e)| e)))
        .next_back();
    let said = error.or_else(|| lines().next_back()).unwrap_or("nothing");
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LAST_WORDS).collect();
    said.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).to_owned()
}

fn cause(said: &str) -> Cause {
    let said = said.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if any(&["decryption failed", "enter password", "inappropriate ioctl"]) {
        Cause::Password
    } else if any(&["unsupported pem", "invalid pem", "pem decode", "reading key", "unmarshal"]) {
        Cause::Key
    } else if any(&["unauthorized", "denied", "forbidden", "status code 401", "status code 403"]) {
        Cause::Refused
    } else if any(&["fulcio", "rekor", "tuf", "sigstore", "tlog", "oidc", "id token"]) {
        Cause::Services
    } else if any(&["no such file", "no key", "not found in environment"]) {
        Cause::NoKey
    } else if any(&["status code", "connection refused", "timeout", "eof", "connection reset", "x509", "no such host"])
    {
        Cause::Registry
    } else {
        Cause::Other
    }
}

fn cure(cause: Cause, password: bool) -> &'static str {
    match cause {
        Cause::Password if password => "COSIGN_PASSWORD is not the password of this key: give the right one to the job",
        Cause::Password => "the key has a password: give it to the job as COSIGN_PASSWORD",
        Cause::Key => "give a key that `cosign generate-key-pair` or `cosign import-key-pair` wrote, unchanged",
        Cause::NoKey => "check that the key is there under that name, and that this job may read it",
        Cause::Refused => {
            "the signature is pushed beside the image with the target's login: let that account push to this repository"
        }
        Cause::Services => {
            "check the way to Sigstore's public services, or sign with a key (sign.key) and transparency_log: false"
        }
        Cause::Registry => "check that the registry is up and takes manifests, then run the job again",
        Cause::Other => "run the same cosign by hand to see more, or switch signing off with `sign: {mode: off}`",
    }
}

#[cfg(test)]
mod tests;
