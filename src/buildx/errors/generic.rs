//! Lines that call themselves errors, in whatever format: the second best.

use super::scan::{found, place};
use super::{Found, Rank};

/// Words an error line begins with, after its place and its program's name.
const WORDS: [&str; 7] = ["error:", "error[", "fatal:", "fatal error:", "failed:", "failure:", "panic:"];

pub(super) fn read(lines: &[&str]) -> Vec<Found> {
    lines.iter().enumerate().filter_map(|(i, line)| error(i, line)).collect()
}

fn error(i: usize, line: &str) -> Option<Found> {
    if let Some(found) = assertion(i, line) {
        return Some(found);
    }
    let (at, text) = match place(line.trim_start()) {
        // pyright and tsc draw a line between the two.
        Some((at, rest)) => (Some(at), rest.strip_prefix("- ").unwrap_or(rest)),
        None => (None, line.trim()),
    };
    let lower = text.to_ascii_lowercase();
    let begins = |s: &str| WORDS.iter().any(|word| s.starts_with(word));
    let named = lower.split_once(": ").is_some_and(|(name, rest)| !name.contains(' ') && begins(rest));
    let tagged = ["[error]", "error ", "err!", "! ", "✖ ", "✘ ", "× "].iter().any(|tag| lower.starts_with(tag))
        && lower.len() > 8;
    (begins(&lower) || named || tagged).then(|| found(Rank::Mistake, i, "generic", at, text, line))
}

/// glibc's `assert`: `prog: test_add.c:4: main: Assertion `add(1, 2) == 3' failed.`
fn assertion(i: usize, line: &str) -> Option<Found> {
    let (_, rest) = line.split_once(": ").filter(|_| line.contains(": Assertion ") && line.ends_with(" failed."))?;
    let (at, text) = place(rest)?;
    Some(found(Rank::Mistake, i, "generic", Some(at), text, line))
}
