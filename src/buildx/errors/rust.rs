//! Rust: rustc, cargo, rustfmt, and panics of tests and build scripts.

use std::collections::BTreeSet;

use super::scan::{digits, extension, found, location, place, traced};
use super::{Found, Rank};
use crate::buildx::event::BuildError;

/// What cargo and rustc say last, of errors told before.
const CLOSING: [&str; 5] =
    ["could not compile", "aborting due to", "build failed", "test failed", "process didn't exit"];

/// `error[E0425]: …` with `--> file:line:column` a line or a few below; `thread 'main' panicked at …`.
pub(super) fn read(lines: &[&str]) -> Vec<Found> {
    let cargo = lines.iter().any(|l| {
        let l = l.trim_start();
        l.starts_with("Compiling ") || l.starts_with("error: could not compile") || l.contains("Cargo.toml")
    });
    let failed = failed(lines);
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let panicked = line.split_once(" panicked at ").filter(|_| line.trim_start().starts_with("thread '"));
        if let Some((thread, at)) = panicked {
            let test = thread.trim_start().trim_start_matches("thread '").split('\'').next().unwrap_or(thread);
            if failed.is_empty() || failed.contains(test) || !is_test(test) {
                all.push(documented(&lines[..i], panic(i, at, lines)));
            }
            continue;
        }
        if let Some(at) = line.strip_prefix("Diff in ").and_then(unformatted) {
            all.push(found(Rank::Mistake, i, "rustfmt", Some(at), "not formatted as rustfmt does", line));
            continue;
        }
        let Some(rest) = line.strip_prefix("error") else { continue };
        let coded = rest.starts_with("[E");
        let Some((_, message)) = rest.split_once(": ").filter(|(code, _)| coded || code.is_empty()) else { continue };
        let below = lines[i + 1..].iter().take(8).take_while(|l| !l.starts_with("error"));
        let arrow = below.filter_map(|l| l.trim_start().strip_prefix("--> ")).find_map(place).map(|(l, _)| l);
        if CLOSING.iter().any(|s| message.starts_with(s)) {
            all.push(found(Rank::Summary, i, "cargo", None, message, line));
        } else if arrow.is_some() || coded {
            let manifest = arrow.as_ref().is_some_and(|at| extension(&at.file) == "toml");
            all.push(found(Rank::Mistake, i, if manifest { "cargo" } else { "rustc" }, arrow, message, line));
        } else if cargo {
            // A build script that panicked is told by its panic.
            let script = message.starts_with("failed to run custom build command");
            let rank = if script { Rank::Summary } else { Rank::Mistake };
            let message = with_causes(message, &lines[i + 1..]);
            all.push(found(rank, i, "cargo", None, &message, line));
        }
    }
    all
}

/// Tests that failed, as they are listed at the end.
fn failed<'a>(lines: &[&'a str]) -> BTreeSet<&'a str> {
    let lists = lines.iter().enumerate().filter(|(_, line)| **line == "failures:").map(|(i, _)| &lines[i + 1..]);
    lists.flat_map(|list| list.iter().map_while(|line| line.strip_prefix("    "))).collect()
}

/// A thread that a test may have its name from: another may have panicked on a failing test's behalf.
fn is_test(thread: &str) -> bool {
    thread != "main" && thread.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
}

/// A test in a comment panics at lines of a file that rustdoc made: its own begins where the head above says.
fn documented(above: &[&str], panic: Found) -> Found {
    let head = above.iter().rev().take(8).find_map(|line| line.strip_prefix("---- ")?.strip_suffix(" stdout ----"));
    let at = head.and_then(|head| {
        let (file, name) = head.split_once(" - ")?;
        Some(location(file, Some(digits(name.rsplit_once("(line ")?.1)?.0), None))
    });
    let Some(at) = at else { return panic };
    Found { error: BuildError { location: Some(at), ..panic.error }, frames: Vec::new(), ..panic }
}

/// Its place, and the text on the lines below; before Rust 1.73 both on one line, the text in quotes.
fn panic(i: usize, at: &str, lines: &[&str]) -> Found {
    const ENDS: [&str; 8] =
        ["note: ", "stack backtrace:", "thread '", "error", "warning", "----", "test ", "For more information"];
    let below = &lines[i + 1..];
    if let Some(text) = at.strip_prefix('\'') {
        let parts = std::iter::once(text).chain(below.iter().copied()).take(8);
        let mut said = Vec::new();
        for part in parts {
            if let Some((last, at)) = part.rsplit_once("', ").and_then(|(last, at)| Some((last, place(at)?.0))) {
                said.push(last.trim());
                return found(Rank::Mistake, i, "rust", Some(at), &said.join(" "), lines[i]);
            }
            said.push(part.trim());
        }
        return found(Rank::Mistake, i, "rust", None, text, lines[i]);
    }
    let is_end = |line: &str| ENDS.iter().any(|end| line.starts_with(end));
    let inside = below.iter().map(|line| line.trim()).take_while(|line| !is_end(line));
    let mut message = String::new();
    for line in inside.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).take(4) {
        // `assertion … failed` has its values on the lines below.
        let value = line.starts_with("left: ") || line.starts_with("right: ");
        let between = if message.is_empty() {
            ""
        } else if value {
            ", "
        } else {
            " "
        };
        message.push_str(between);
        message.push_str(line);
    }
    let stack = below.iter().take(80).map(|line| line.trim()).take_while(|line| !line.starts_with("thread '"));
    let frames = stack.filter_map(|line| place(line.strip_prefix("at ")?)).map(|(at, _)| at);
    let frames = place(at).map(|(at, _)| at).into_iter().chain(frames).collect();
    traced(Rank::Mistake, i, "rust", frames, |_| false, &message, lines[i])
}

/// `/app/src/main.rs:3:`, formerly `/app/src/main.rs at line 3:`.
fn unformatted(text: &str) -> Option<crate::problem::Location> {
    let former =
        || text.split_once(" at line ").and_then(|(file, line)| Some(location(file, Some(digits(line)?.0), None)));
    place(text).map(|(at, _)| at).or_else(former)
}

/// Adds what cargo lists as `Caused by:`, innermost last.
fn with_causes(message: &str, below: &[&str]) -> String {
    let below: Vec<&str> = below.iter().take(16).take_while(|l| !l.starts_with("error")).copied().collect();
    let causes = below.windows(2).filter(|pair| pair[0].trim() == "Caused by:").map(|pair| pair[1].trim());
    let causes: Vec<&str> = causes.filter(|cause| !cause.is_empty() && !cause.starts_with("process didn't")).collect();
    let last = causes.len().saturating_sub(2);
    std::iter::once(message).chain(causes[last..].iter().copied()).collect::<Vec<_>>().join(": ")
}
