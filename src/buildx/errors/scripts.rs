//! Languages that run, and the tools that check them.

use super::scan::{digits, extension, found, location, place, place_in_parens, traced};
use super::{Found, Rank, javascript};
use crate::problem::Location;

/// tsc: `src/a.ts(12,5): error TS2304: …`, or with `--pretty` `src/a.ts:12:5 - error TS2304: …`. Angular says `Error: ` before
/// and has errors of its own (`NG8002`); task runners put a package's name first.
pub(super) fn typescript(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((before, kind, message)) =
            ["TS", "NG"].iter().find_map(|kind| line.split_once(&format!("error {kind}")).map(|(b, m)| (b, kind, m)))
        else {
            continue;
        };
        let before = before.trim_end_matches([' ', '-', ':']);
        let last = before.rsplit(' ').next().unwrap_or(before);
        let placed = place_in_parens(last).or_else(|| place(last)).map(|(l, _)| l);
        let (code, message) = message.split_once(": ").unwrap_or(("", message));
        if !code.is_empty() && code.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) {
            all.push(found(Rank::Mistake, i, "tsc", placed, &format!("{kind}{code}: {message}"), line));
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

/// `  1:10  error  message  rule`; react-scripts writes `  Line 1:10:  message  rule`.
fn eslint_row(line: &str) -> Option<((u32, u32), String)> {
    let text = line.strip_prefix("  ")?.trim_start();
    let react = text.strip_prefix("Line ");
    let (row, rest) = digits(react.unwrap_or(text))?;
    let (column, rest) = digits(rest.strip_prefix(':')?)?;
    let message = match react {
        Some(_) => rest.strip_prefix(':')?,
        None => rest.trim_start().strip_prefix("error")?.strip_prefix(' ')?,
    };
    let words: Vec<&str> = message.split("  ").map(str::trim).filter(|w| !w.is_empty()).collect();
    Some((
        (row, column),
        match words.as_slice() {
            [message @ .., rule] if !message.is_empty() => format!("{} ({rule})", message.join(" ")),
            words => words.join(" "),
        },
    ))
}

/// `package.SomeError: message` at the beginning of a line. All in capitals (`ERROR`) it is a program's way to shout.
pub(super) fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or(line);
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'));
    let last = name.rsplit('.').next().unwrap_or(name);
    plain && last.starts_with(|c: char| c.is_ascii_uppercase()) && last.contains(|c: char| c.is_ascii_lowercase())
}

/// node and its test runners: `SomeError: message`, placed by the line above it or the first frame that is no library's.
pub(super) fn node(lines: &[&str]) -> Vec<Found> {
    let is_script = |l: &Location| ["js", "mjs", "cjs", "jsx", "ts", "mts", "tsx"].contains(&extension(&l.file));
    let mut all = Vec::new();
    let mut above: Option<Location> = None;
    let printed = javascript::printed(lines);
    for (i, line) in lines.iter().enumerate().filter(|(i, _)| !printed[*i]) {
        if let Some((at, rest)) = place(line.strip_prefix("file://").unwrap_or(line)) {
            above = Some(at).filter(|at| is_script(at) && rest.is_empty());
            continue;
        }
        let text = line.trim_start();
        let name = text.split(':').next().unwrap_or(text).split(" [").next().unwrap_or(text);
        let is_error = name.ends_with("Error") && is_exception(name) && text.contains(": ");
        let is_frame = |l: &&&str| l.trim_start().starts_with("at ");
        let mut stack = lines[i + 1..].iter().take(30).skip_while(|l| !is_frame(l)).take_while(is_frame).peekable();
        if !is_error || stack.peek().is_none() {
            continue;
        }
        let frames = stack.filter_map(|l| stack_frame(l));
        let frames = above.take().into_iter().chain(frames).filter(is_script).collect();
        all.push(traced(Rank::Mistake, i, "node", frames, |file| file.contains("node_modules/"), text, line));
    }
    all
}

/// `at f (/app/a.js:1:2)`, `at file:///app/a.mjs:1:2`.
pub(super) fn stack_frame(line: &str) -> Option<Location> {
    let at = line.trim_end_matches([' ', '{']).trim_start().strip_prefix("at ")?;
    let at = match at.strip_suffix(')') {
        Some(inner) => inner.rsplit_once(" (")?.1,
        None => at.rsplit(' ').next()?,
    };
    place(at.strip_prefix("file://").unwrap_or(at)).map(|(at, _)| at)
}

/// A shell on a line of a script: `/docker/setup.sh: line 3: CONFIG_FILE: unbound variable`, `./x.sh: 3: y: not found`.
pub(super) fn shell(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((script, rest)) = line.split_once(": ") else { continue };
        let Some((number, rest)) = digits(rest.strip_prefix("line ").unwrap_or(rest)) else { continue };
        let Some(message) = rest.strip_prefix(": ") else { continue };
        // `/bin/sh: 1: …` is the RUN's own text.
        let is_script = script.contains('/') && !script.contains(char::is_whitespace) && !is_shell(script);
        if is_script && !message.is_empty() {
            all.push(found(Rank::Mistake, i, "shell", Some(location(script, Some(number), None)), message, line));
        }
    }
    all
}

fn is_shell(path: &str) -> bool {
    ["sh", "bash", "ash", "dash", "zsh", "ksh"].contains(&path.rsplit('/').next().unwrap_or(path))
}
