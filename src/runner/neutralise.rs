//! Makes text from elsewhere harmless in a log: nothing in it commands the runner or the terminal.
//!
//! Everything a build, a commit message or a server says passes here before it reaches a log, hundreds of megabytes of
//! it, so a clean line costs one look and no allocation.

use std::borrow::Cow;

/// One line from elsewhere (without its line end), fit for any log:
///
/// - terminal control sequences and control characters are gone, tabs stay. A carriage return inside becomes a space: it
///   ends a line for GitHub's runner, so what follows it could otherwise be a command;
/// - `::` at the start of the line and `##[` anywhere, which runners read as commands, are broken by a space;
/// - bytes that are not UTF-8 are replaced by U+FFFD: alone they are controls to some terminals.
pub fn neutralise(line: &[u8]) -> Cow<'_, [u8]> {
    if is_clean(line) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(rewrite(&String::from_utf8_lossy(line)).into_bytes())
}

/// [`neutralise`] for text.
pub fn neutralise_text(line: &str) -> Cow<'_, str> {
    if is_clean(line.as_bytes()) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(rewrite(line))
}

/// Removes terminal control sequences and control characters except tab, and nothing else: for text that goes into a
/// place where commands mean nothing. A line break inside becomes a space, so that the steps of a progress bar stay apart.
pub fn strip_controls(line: &str) -> Cow<'_, str> {
    if !line.chars().any(is_control) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(is_control) {
        out.push_str(&rest[..at]);
        let breaks = rest[at..].starts_with(['\r', '\n']);
        rest = &rest[at + control_len(&rest[at..])..];
        if breaks && !rest.is_empty() && !rest.starts_with(['\r', '\n']) {
            out.push(' ');
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Control characters, and those that turn the reading direction of what follows or end a line for some: a log is read as it
/// was written.
fn is_control(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Nothing to do? Two passes: the first is branch-free so that it compiles to vector code, and settles most lines.
fn is_clean(line: &[u8]) -> bool {
    let suspicious = |b: u8| (b < 0x20) & (b != b'\t') | (b >= 0x7f) | (b == b'#');
    let mut any = false;
    for chunk in line.chunks(64) {
        any |= chunk.iter().fold(false, |found, &b| found | suspicious(b));
    }
    if any && !really_clean(line) {
        return false;
    }
    !starts_command(line)
}

/// The exact question behind the first pass's bytes outside ASCII and its `#`. `C2` and `E2` are the lead bytes of C1 controls
/// and of marks of direction, but also of `©` and `…`.
fn really_clean(line: &[u8]) -> bool {
    let text = line.is_ascii() || std::str::from_utf8(line).is_ok();
    text && line.iter().enumerate().all(|(at, &b)| match b {
        b'\t' => true,
        0..0x20 | 0x7f => false,
        b'#' => !matches!(line[at + 1..], [b'#', b'[' | 0x80..=0xff, ..] | [0x80..=0xff, ..]),
        0xc2 => !line.get(at + 1).is_some_and(|next| (0x80..0xa0).contains(next)),
        0xe2 => !matches!(line[at + 1..], [0x80, 0xa8..=0xae, ..] | [0x81, 0xa6..=0xa9, ..]),
        _ => true,
    })
}

/// `::` after what runners trim. Non-ASCII white space is left to the slow path, which decodes.
fn starts_command(line: &[u8]) -> bool {
    match line.iter().position(|b| !matches!(b, b' ' | b'\t')) {
        None => false,
        Some(at) if line[at].is_ascii() => line[at..].starts_with(b"::"),
        Some(at) => trimmed(&String::from_utf8_lossy(&line[at..])).starts_with("::"),
    }
}

/// What a runner sees at the start of a line: it trims Unicode white space, and characters without weight (a byte order mark,
/// zero-width ones) are nothing to a comparison by culture, which .NET makes.
fn trimmed(line: &str) -> &str {
    line.trim_start_matches(|c: char| c.is_whitespace() || is_weightless(c))
}

fn is_weightless(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

fn rewrite(line: &str) -> String {
    // Controls first: what they hide (`:\0:`, `#\x1b[0m#[`) must not come together unseen.
    let plain = strip_controls(line);
    let mut plain = plain.replace("##[", "## [");
    if !plain.is_ascii() && plain.contains('#') {
        let bare: String = plain.chars().filter(|&c| !is_weightless(c)).collect();
        if bare.contains("##[") {
            plain = bare.replace("##[", "## [");
        }
    }
    let body = trimmed(&plain);
    if !body.starts_with("::") {
        return plain;
    }
    let lead = &plain[..plain.len() - body.len()];
    format!("{lead}: {}", &body[1..])
}

/// Length in bytes of the control character at the start of `text`, with the sequence it introduces, if it is whole.
fn control_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, first)) = chars.next() else { return 0 };
    let alone = first.len_utf8();
    match first {
        '\x1b' => match text[alone..].chars().next() {
            Some('[') => alone + 1 + csi_len(&text[alone + 1..]),
            Some(']' | 'P' | 'X' | '^' | '_') => alone + 1 + string_len(&text[alone + 1..]),
            Some(_) => alone + escape_len(&text[alone..]),
            None => alone,
        },
        '\u{9b}' => alone + csi_len(&text[alone..]),
        '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => alone + string_len(&text[alone..]),
        _ => alone,
    }
}

/// Parameters and final byte of a CSI sequence. A malformed one is dropped as far as it was well formed.
fn csi_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|b| !(0x20..0x40).contains(b)).unwrap_or(bytes.len());
    end + usize::from(bytes.get(end).is_some_and(|b| (0x40..0x7f).contains(b)))
}

/// Intermediate bytes and final byte of any other escape sequence.
fn escape_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|b| !(0x20..0x30).contains(b)).unwrap_or(bytes.len());
    end + usize::from(bytes.get(end).is_some_and(|b| (0x30..0x7f).contains(b)))
}

/// Body and terminator of an OSC, DCS, SOS, PM or APC string; nothing if it never ends, so that an unfinished one hides
/// no text. The search stops at the first control character, which keeps the whole linear.
fn string_len(text: &str) -> usize {
    let Some(end) = text.find(|c: char| c.is_control()) else { return 0 };
    match &text[end..] {
        rest if rest.starts_with('\x07') => end + 1,
        rest if rest.starts_with("\x1b\\") => end + 2,
        rest if rest.starts_with('\u{9c}') => end + 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
