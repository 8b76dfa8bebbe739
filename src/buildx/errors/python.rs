//! Python: exceptions, its test runner, and the tools that check it.

use super::scan::{digits, extension, found, location, place, traced};
use super::scripts::is_exception;
use super::{Found, Rank};
use crate::problem::Location;

/// The exception of a traceback, at the deepest frame that is not of the standard library or a package. It stands as far from
/// the margin as its `Traceback`: pip shows those of what it runs inside its own words.
pub(super) fn exceptions(lines: &[&str]) -> Vec<Found> {
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut all = Vec::new();
    let mut frames: Vec<Location> = Vec::new();
    let mut margin = 0;
    for (i, line) in lines.iter().enumerate() {
        if let Some(frame) = frame(line) {
            if frames.is_empty() {
                margin = depth(line).saturating_sub(2);
            }
            frames.push(frame);
        } else if !frames.is_empty() && depth(line) == margin && is_exception(line.trim_start()) {
            let frames = frames.drain(..).rev().filter(|f| !f.file.starts_with('<')).collect();
            all.push(traced(Rank::Mistake, i, "python", frames, is_library, line, line));
        } else if line.trim_start().starts_with("Traceback (") {
            frames.clear();
        }
        if frames.len() > 200 {
            frames.drain(..100);
        }
    }
    all
}

/// `  File "app.py", line 3, in load`.
fn frame(line: &str) -> Option<Location> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    Some(location(file, Some(digits(rest)?.0), None))
}

fn is_library(file: &str) -> bool {
    ["/lib/python", "site-packages", "dist-packages", "<frozen", "<string>"].iter().any(|l| file.contains(l))
}

/// pytest: `FAILED tests/test_a.py::test_x - assert 1 == 2`, `ERROR tests/test_a.py`, at the last line that its section names;
/// `ImportError while loading conftest '/app/conftest.py'.`
pub(super) fn tests(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(file) = line.strip_prefix("ImportError while loading conftest '") {
            let file = file.split('\'').next().unwrap_or(file);
            let end = lines.len().min(i + 60);
            let at = blamed(&lines[i + 1..end]).unwrap_or_else(|| location(file, None, None));
            all.push(found(Rank::Mistake, i, "pytest", Some(at), raised(&lines[i + 1..end]).unwrap_or(line), line));
            continue;
        }
        let failed = line.strip_prefix("FAILED ");
        let Some(test) = failed.or_else(|| line.strip_prefix("ERROR ")) else { continue };
        let (test, said) = test.split_once(" - ").unwrap_or((test, ""));
        let (file, name) = test.split_once("::").unwrap_or((test, ""));
        if !file.ends_with(".py") || file.contains(' ') || (name.is_empty() && failed.is_some()) {
            continue;
        }
        let name = name.replace("::", ".");
        let heads = match (failed, name.is_empty()) {
            (Some(_), _) => vec![name],
            (None, true) => vec![format!("ERROR collecting {file}")],
            (None, false) => vec![format!("ERROR at setup of {name}"), format!("ERROR at teardown of {name}")],
        };
        let section = section(&lines[..i], &heads);
        let at = section.and_then(blamed).unwrap_or_else(|| location(file, None, None));
        let said = Some(said).filter(|said| !said.is_empty()).or_else(|| section.and_then(raised));
        let message = match (test.split_once("::"), said) {
            (Some((_, name)), Some(said)) => format!("{name} - {said}"),
            (Some((_, name)), None) => name.to_owned(),
            (None, said) => said.unwrap_or(line).to_owned(),
        };
        all.push(found(Rank::Mistake, i, "pytest", Some(at), &message, line));
    }
    all
}

/// What follows a head, `____ test_x ____`, to the next one, or to what the test printed.
fn section<'a, 'l>(lines: &'a [&'l str], names: &[String]) -> Option<&'a [&'l str]> {
    // Of a long name little of the line is left; between the parts of a traceback stands `_ _ _ _`.
    let name = |line: &str| line.trim_matches(['_', ' ']).to_owned();
    let head =
        |line: &str| line.starts_with('_') && line.ends_with('_') && line.contains(' ') && !name(line).is_empty();
    let at = lines.iter().rposition(|line| head(line) && names.contains(&name(line)))? + 1;
    let is_end =
        |line: &str| head(line) || line.starts_with("====") || (line.starts_with("---") && line.contains(" Captured "));
    let length = lines[at..].iter().take(400).take_while(|line| !is_end(line)).count();
    Some(&lines[at..at + length])
}

/// The last place in a file that is no library's.
fn blamed(lines: &[&str]) -> Option<Location> {
    let mut places = lines.iter().rev().filter_map(|line| place(line)).map(|(at, _)| at);
    places.find(|at| extension(&at.file) == "py" && !is_library(&at.file))
}

/// `E   ModuleNotFoundError: No module named 'x'`.
fn raised<'l>(lines: &[&'l str]) -> Option<&'l str> {
    lines.iter().find_map(|line| line.strip_prefix("E ")).map(str::trim)
}

/// mypy (`a.py:2: error: …  [code]`), pyright (`  /app/a.py:2:5 - error: …`), and ruff, flake8 and pylint (`a.py:2:5: F841 …`, or with the place below `-->`).
pub(super) fn checkers(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some((at, text)) =
            place(line.trim_start()).filter(|(at, _)| ["py", "pyi"].contains(&extension(&at.file)))
        {
            if let Some(message) = text.strip_prefix("error: ") {
                all.push(found(Rank::Mistake, i, "mypy", Some(at), message, line));
            } else if let Some(message) = text.strip_prefix("- error: ") {
                all.push(found(Rank::Mistake, i, "pyright", Some(at), message, line));
            } else if starts_with_rule(text) {
                all.push(found(Rank::Mistake, i, "ruff", Some(at), text, line));
            }
        } else if starts_with_rule(line)
            && let Some((at, _)) = lines.get(i + 1).and_then(|l| place(l.trim_start().strip_prefix("--> ")?))
        {
            all.push(found(Rank::Mistake, i, "ruff", Some(at), line, line));
        }
    }
    all
}

/// `F841 …`, `C0114: …`, `invalid-syntax: …`.
fn starts_with_rule(text: &str) -> bool {
    let word = text.split([' ', ':']).next().unwrap_or(text);
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let number = &word[letters..];
    let coded =
        (1..=5).contains(&letters) && (3..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    coded || word == "invalid-syntax"
}
