//! Here-documents, taken out before the parser sees the file: it refuses valid ones (a redirect after the word, several
//! in one RUN), and a body must never be mistaken for instructions.
//!
//! Text keeps its length and its lines, so every place the parser reports is a place in the user's file.

use super::words;

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub word: String,
    /// 1-based line of its first body line.
    pub line: u32,
    /// Its body, as written.
    pub body: String,
    /// Variables in it are expanded: the word was not quoted.
    pub expand: bool,
}

/// One `<<word` on an instruction's line.
struct Opening {
    word: String,
    expand: bool,
    strip_tabs: bool,
}

/// The text with `<<` made `__` and every body made spaces, and the documents themselves.
pub(super) fn blank(text: &str) -> (String, Vec<Heredoc>) {
    let escape = escape(text);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut out, mut found, mut at) = (String::with_capacity(text.len()), Vec::new(), 0);
    while at < lines.len() {
        let end = instruction_end(&lines, at, escape);
        let openings = openings(&lines[at..end], escape);
        let Some(after) = bodies(&lines, end, &openings, &mut found) else {
            // Not closed: perhaps no here-document at all. The parser and BuildKit will say.
            lines[at..end].iter().for_each(|line| out.push_str(line));
            at = end;
            continue;
        };
        for line in &lines[at..end] {
            if openings.is_empty() { out.push_str(line) } else { out.push_str(&line.replace("<<", "__")) }
        }
        lines[end..after].iter().for_each(|line| out.extend(line.bytes().map(spaces)));
        at = after;
    }
    (out, found)
}

/// Keeps the line ends; everything else becomes as many spaces as it has bytes.
fn spaces(byte: u8) -> char {
    if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { ' ' }
}

/// The escape character: directives stand in comments at the top.
pub(super) fn escape(text: &str) -> char {
    for line in text.lines() {
        let Some((key, value)) = line.trim().strip_prefix('#').and_then(|c| c.split_once('=')) else { break };
        if key.trim().eq_ignore_ascii_case("escape") {
            return if value.trim() == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The line after the instruction that begins at `at`, continuations and the comments and blank lines in them included.
pub(super) fn instruction_end(lines: &[&str], at: usize, escape: char) -> usize {
    let mut end = at;
    let mut continued = false;
    while let Some(line) = lines.get(end) {
        end += 1;
        let skipped = is_comment(line) || line.trim().is_empty();
        if !continued && skipped {
            break;
        }
        if !skipped {
            continued = line.trim_end().ends_with(escape);
        }
        if !continued {
            break;
        }
    }
    end
}

/// The here-documents an instruction opens; only RUN, COPY and ADD can, also after ONBUILD.
fn openings(lines: &[&str], escape: char) -> Vec<Opening> {
    if !lines.iter().any(|line| line.contains("<<")) {
        return Vec::new();
    }
    let code: Vec<&str> =
        lines.iter().filter(|line| !is_comment(line)).map(|line| line.trim_end().trim_end_matches(escape)).collect();
    let words = words::split(&code.join(" "));
    let mut words = words.iter().map(String::as_str);
    let mut keyword = words.next();
    if keyword.is_some_and(|k| k.eq_ignore_ascii_case("ONBUILD")) {
        keyword = words.next();
    }
    if !keyword.is_some_and(|k| ["RUN", "COPY", "ADD"].iter().any(|name| k.eq_ignore_ascii_case(name))) {
        return Vec::new();
    }
    words.filter_map(opening).collect()
}

/// `<<EOF`, `<<-EOF`, `3<<"EOF"`: BuildKit's rule, `^\d*<<-?[^<]+$` with one word.
fn opening(word: &str) -> Option<Opening> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let (strip_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let word = words::unquote(rest);
    Some(Opening { expand: word == rest, word, strip_tabs })
}

/// Reads the bodies that begin at line `at`; the line after the last one, or `None` where one is not closed.
fn bodies(lines: &[&str], mut at: usize, openings: &[Opening], found: &mut Vec<Heredoc>) -> Option<usize> {
    let before = found.len();
    for opening in openings {
        let start = at;
        let length = lines[start..].iter().position(|line| {
            let line = line.trim_end_matches(['\n', '\r']);
            opening.word == if opening.strip_tabs { line.trim_start_matches('\t') } else { line }
        });
        let Some(length) = length else {
            found.truncate(before);
            return None;
        };
        at = start + length + 1;
        found.push(Heredoc {
            word: opening.word.clone(),
            line: u32::try_from(start + 1).unwrap_or(u32::MAX),
            body: lines[start..start + length].concat(),
            expand: opening.expand,
        });
    }
    Some(at)
}
