//! Languages that run, and the tools that check them.

use super::scan::{digits, found, location, place, place_in_parens};
use super::{Found, Rank};
use crate::problem::Location;

/// tsc: `src/a.ts(12,5): error TS2304: …`, or with `--pretty` `src/a.ts:12:5 - error TS2304: …`.
pub(super) fn typescript(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((before, message)) = line.split_once("error TS") else { continue };
        let placed = place_in_parens(before).or_else(|| place(before)).map(|(l, _)| l);
        let (code, message) = message.split_once(": ").unwrap_or(("", message));
        if !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) {
            all.push(found(Rank::Mistake, i, "tsc", placed, &format!("TS{code}: {message}"), line));
        }
    }
    all
}

/// eslint's default format: the file on a line of its own, `  1:10  error  message  rule` below it.
pub(super) fn eslint(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    let mut file = None;
    for (i, line) in lines.iter().enumerate() {
        let is_file = line.contains(['.', '/']) && !line.contains(char::is_whitespace) && !line.contains(':');
        if is_file {
            file = Some(*line);
        } else if let (Some(file), Some((at, message))) = (file, eslint_row(line)) {
            let at = location(file, Some(at.0), Some(at.1));
            all.push(found(Rank::Mistake, i, "eslint", Some(at), &message, line));
        } else if line.trim().is_empty() || eslint_row(&line.replace("warning", "error")).is_none() {
            file = None;
        }
    }
    all
}

fn eslint_row(line: &str) -> Option<((u32, u32), String)> {
    let (row, rest) = digits(line.strip_prefix("  ")?.trim_start())?;
    let (column, rest) = digits(rest.strip_prefix(':')?)?;
    let message = rest.trim_start().strip_prefix("error")?.strip_prefix(' ')?;
    let words: Vec<&str> = message.split("  ").map(str::trim).filter(|w| !w.is_empty()).collect();
    Some((
        (row, column),
        match words.as_slice() {
            [message @ .., rule] if !message.is_empty() => format!("{} ({rule})", message.join(" ")),
            words => words.join(" "),
        },
    ))
}

/// Python: the exception of a traceback, at the deepest frame that is not of the standard library or a package;
/// pytest's `FAILED` lines.
pub(super) fn python(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    let mut frames: Vec<Location> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(frame) = python_frame(line) {
            frames.push(frame);
        } else if let Some(test) = line.strip_prefix("FAILED ") {
            let (file, message) = test.split_once("::").unwrap_or((test, ""));
            if message.is_empty() || !file.ends_with(".py") {
                continue;
            }
            all.push(found(Rank::Mistake, i, "pytest", Some(location(file, None, None)), message, line));
        } else if !frames.is_empty() && is_exception(line) {
            let library = |f: &&Location| {
                ["/lib/python", "site-packages", "<frozen", "<string>"].iter().any(|l| f.file.contains(l))
            };
            let ours = frames.iter().rev().find(|f| !library(f)).or(frames.last()).cloned();
            all.push(found(Rank::Mistake, i, "python", ours.filter(|f| !f.file.starts_with('<')), line, line));
            frames.clear();
        } else if line.starts_with("Traceback (") {
            frames.clear();
        }
        if frames.len() > 200 {
            frames.drain(..100);
        }
    }
    all
}

/// `  File "app.py", line 3, in load`.
fn python_frame(line: &str) -> Option<Location> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    Some(location(file, Some(digits(rest)?.0), None))
}

/// `package.SomeError: message` at the beginning of a line.
fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or(line);
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'));
    let last = name.rsplit('.').next().unwrap_or(name);
    plain && last.starts_with(|c: char| c.is_ascii_uppercase())
}

/// node: `SomeError: message`, placed by the line above it or the first frame that is no library's.
pub(super) fn node(lines: &[&str]) -> Vec<Found> {
    let is_script = |l: &Location| [".js", ".mjs", ".cjs", ".ts"].iter().any(|e| l.file.ends_with(e));
    let mut all = Vec::new();
    let mut above: Option<Location> = None;
    for (i, line) in lines.iter().enumerate() {
        if let Some((at, rest)) = place(line.strip_prefix("file://").unwrap_or(line)) {
            above = Some(at).filter(|at| is_script(at) && rest.is_empty());
            continue;
        }
        let name = line.split(':').next().unwrap_or(line).split(" [").next().unwrap_or(line);
        let is_error = name.ends_with("Error") && is_exception(name) && line.contains(": ");
        let stack = lines[i + 1..].iter().take(12).map(|l| l.trim_start()).filter(|l| l.starts_with("at "));
        if !is_error || stack.clone().next().is_none() {
            continue;
        }
        let frames = stack.filter_map(|l| place(l.rsplit(['(', ' ']).next()?.trim_end_matches(')')));
        let ours = frames.map(|(l, _)| l).find(|l| is_script(l) && !l.file.contains("node_modules"));
        all.push(found(Rank::Mistake, i, "node", above.take().or(ours), line, line));
    }
    all
}
