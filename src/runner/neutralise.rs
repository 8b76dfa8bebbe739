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
/// - bytes that are not UTF-8 may be replaced by U+FFFD.
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

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// Nothing to do? Two passes: the first is branch-free so that it compiles to vector code, and settles most lines.
fn is_clean(line: &[u8]) -> bool {
    let suspicious = |b: u8| (b < 0x20) & (b != b'\t') | (b == 0x7f) | (b == 0xc2) | (b == b'#');
    let mut any = false;
    for chunk in line.chunks(64) {
        any |= chunk.iter().fold(false, |found, &b| found | suspicious(b));
    }
    if any && !really_clean(line) {
        return false;
    }
    !starts_command(line)
}

/// The exact question behind the first pass's `C2` (the lead byte of the C1 controls, but also of `©`) and `#`.
fn really_clean(line: &[u8]) -> bool {
    line.iter().enumerate().all(|(at, &b)| match b {
        b'\t' => true,
        0..0x20 | 0x7f => false,
        b'#' => !line[at..].starts_with(b"##["),
        0xc2 => !line.get(at + 1).is_some_and(|next| (0x80..0xa0).contains(next)),
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

/// What a runner sees at the start of a line: it trims Unicode white space, and a byte order mark may vanish too.
fn trimmed(line: &str) -> &str {
    line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

fn rewrite(line: &str) -> String {
    // Controls first: what they hide (`:\0:`, `#\x1b[0m#[`) must not come together unseen.
    let plain = strip_controls(line);
    let plain = plain.replace("##[", "## [");
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
