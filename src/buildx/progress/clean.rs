//! One line of hostile output, made readable: no terminal control sequences, no control characters, bounded length.
//!
//! This makes text fit to be *read*; escaping it for markdown or workflow commands is `report`'s.

/// Longest cleaned line, in characters.
const MAX_CHARS: usize = 2000;

/// A line as a terminal would leave it: what a carriage return overwrote is gone, and so are escape sequences.
pub fn clean(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // A progress bar redraws itself after `\r`; its last drawing is what a person would see.
    let mut drawings = line.rsplit(|&b| b == b'\r').map(visible);
    let last = drawings.next().unwrap_or_default();
    if last.trim().is_empty() { drawings.find(|d| !d.trim().is_empty()).unwrap_or(last) } else { last }
}

fn visible(bytes: &[u8]) -> String {
    // 8 bytes a character leaves room for escape sequences, and bounds the work on a line of megabytes.
    let bytes = &bytes[..bytes.len().min(MAX_CHARS * 8)];
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut chars = text.chars();
    let mut count = 0;
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            '\t' => out.push('\t'),
            c if c.is_control() || is_invisible(c) => continue,
            c => out.push(c),
        }
        count += 1;
        if count == MAX_CHARS {
            out.push('…');
            break;
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Characters that change how others are read: direction overrides and zero-width marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Consumes an escape sequence after its ESC: CSI (`[ … letter`), OSC and its kin (`] … BEL` or `ESC \`), or one
/// character.
fn skip_escape(chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some('[') => {
            chars.find(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        // Character set selection has one more character.
        Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => {
            chars.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_not_show_is_gone() {
        for (raw, want) in [
            (&b"plain"[..], "plain"),
            (b"\x1b[31merror\x1b[0m: no", "error: no"),
            (b"\x1b]0;title\x07text", "text"),
            (b"\x1b]8;;http://x\x1b\\link", "link"),
            (b"\x1b(Btext", "text"),
            (b"10%\r50%\r100%", "100%"),
            (b"50%\r", "50%"),
            (b"50%\r   \r", "50%"),
            (b"done\r\r", "done"),
            (b"a\x00b\x07c\td", "abc\td"),
            (b"bad \xff bytes", "bad \u{fffd} bytes"),
            ("evil\u{202e}txt".as_bytes(), "eviltxt"),
            (b"cut \x1b[3", "cut"),
            (b"cut \x1b", "cut"),
            (b"trailing   ", "trailing"),
        ] {
            assert_eq!(clean(raw), want, "{raw:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut() {
        let got = clean(&vec![b'x'; 1 << 20]);
        assert_eq!(got.chars().count(), MAX_CHARS + 1);
        assert!(got.ends_with('…'));
        // Nothing but escapes is still bounded work.
        assert!(clean(&b"\x1b[0m".repeat(1 << 18)).is_empty());
    }
}
