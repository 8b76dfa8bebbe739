//! Small scanners the readers share.

use super::{Found, Rank};
use crate::buildx::event::BuildError;
use crate::problem::Location;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 300;
/// Most frames of a stack that are looked for.
const MAX_FRAMES: usize = 40;

/// An error read from line number `at`. A message that says nothing is the line itself.
pub(super) fn found(rank: Rank, at: usize, tool: &str, location: Option<Location>, message: &str, raw: &str) -> Found {
    let message = if message.trim().is_empty() { raw } else { message };
    let message = message.trim().chars().take(MAX_MESSAGE).collect();
    let error = BuildError { tool: tool.to_owned(), location, message, raw: raw.trim_end().to_owned() };
    Found { rank, line: at, error, frames: Vec::new() }
}

/// An error with a stack: at the first of its frames that is no library's, the others to choose from.
pub(super) fn traced(
    rank: Rank,
    at: usize,
    tool: &str,
    frames: Vec<Location>,
    is_library: impl Fn(&str) -> bool,
    message: &str,
    raw: &str,
) -> Found {
    let (libraries, ours): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| is_library(&frame.file));
    let mut frames = ours.into_iter().chain(libraries).take(MAX_FRAMES);
    let location = frames.next();
    Found { frames: frames.collect(), ..found(rank, at, tool, location, message, raw) }
}

/// `path:line[:column]` at the beginning, and what follows its colon or blank.
pub(super) fn place(line: &str) -> Option<(Location, &str)> {
    let (at, _) = line.match_indices(':').find(|&(i, _)| line[i + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    let path = &line[..at];
    let (number, mut rest) = digits(&line[at + 1..])?;
    let mut column = None;
    if let Some((c, after)) = rest.strip_prefix(':').and_then(digits) {
        (column, rest) = (Some(c), after);
    }
    let ends = rest.is_empty() || rest.starts_with([':', ' ', '\t']);
    (ends && is_path(path)).then(|| (location(path, Some(number), column), rest.trim_start_matches([':', ' ', '\t'])))
}

/// `path(line,column)` at the beginning, and what follows.
pub(super) fn place_in_parens(line: &str) -> Option<(Location, &str)> {
    let (at, _) = line.match_indices('(').find(|&(i, _)| line[i + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    let (path, rest) = (&line[..at], &line[at + 1..]);
    let (number, rest) = digits(rest)?;
    let (column, rest) = digits(rest.strip_prefix(',')?)?;
    let rest = rest.strip_prefix(')')?;
    is_path(path).then(|| (location(path, Some(number), Some(column)), rest.trim_start_matches([':', ' '])))
}

/// A location with the path as a person would type it.
pub(super) fn location(path: &str, line: Option<u32>, column: Option<u32>) -> Location {
    Location { file: path.strip_prefix("./").unwrap_or(path).to_owned(), line, column: column.filter(|&c| c > 0) }
}

/// A number at the beginning, at most nine digits, and what follows.
pub(super) fn digits(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end > 9 { None } else { text[..end].parse().ok().map(|n| (n, &text[end..])) }
}

/// The file's extension.
pub(super) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Looks like a source file: no blanks, not a time or an address.
fn is_path(path: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || matches!(c, ':' | '"' | '\'' | '<' | '>' | '=' | ',' | '|' | '*');
    // A directory may stand in parentheses, `app/(shop)/page.tsx`; anything else in them is prose.
    let parens = |part: &str| part.contains(['(', ')']) && !(part.starts_with('(') && part[1..].contains(')'));
    !path.is_empty()
        && path.len() <= 512
        && !path.contains(bad)
        && !path.split('/').any(parens)
        && path.contains(['.', '/'])
        && path.contains(|c: char| c.is_alphabetic())
        && !path.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_times_and_addresses_are_not() {
        let read = |line| place(line).map(|(l, rest)| (l.file, l.line, l.column, rest.to_owned()));
        let some = |f: &str, l, c, r: &str| Some((f.to_owned(), Some(l), c, r.to_owned()));
        assert_eq!(read("src/a.c:3:5: error: x"), some("src/a.c", 3, Some(5), "error: x"));
        assert_eq!(read("./a.c:3: error"), some("a.c", 3, None, "error"));
        assert_eq!(read("/w/a.go:10 +0x1d"), some("/w/a.go", 10, None, "+0x1d"));
        assert_eq!(read("a.c:3"), some("a.c", 3, None, ""));
        assert_eq!(read("a.ts:3:0 - error"), some("a.ts", 3, None, "- error"));
        for not in [
            "",
            ":",
            "12:30:45 started",
            "http://example.test:80: refused",
            "two words.c:3: x",
            "error:5: x",
            "a.c:12345678901: x",
            "a.c:3x",
            "--> a.c:3:5",
            "at f (/a.c:3:5)",
            "f(/a.c:3:5)",
            "(/a.c:3:5)",
        ] {
            assert_eq!(read(not), None, "{not}");
        }
    }

    #[test]
    fn places_in_parens() {
        let read = |line| place_in_parens(line).map(|(l, rest)| (l.file, l.line, l.column, rest.to_owned()));
        assert_eq!(read("app/(a)/[b]/c.ts(1,2): e"), Some(("app/(a)/[b]/c.ts".into(), Some(1), Some(2), "e".into())));
        assert_eq!(read("src/a.ts(12,5): error"), Some(("src/a.ts".into(), Some(12), Some(5), "error".into())));
        for not in ["f(1,2)", "src/a.ts(12): e", "src/a.ts(,5)", "(1,2): e"] {
            assert_eq!(read(not), None, "{not}");
        }
    }
}
