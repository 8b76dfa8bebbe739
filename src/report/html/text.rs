//! Makes text from elsewhere harmless in HTML, as content and as the value of a quoted attribute: it can open no tag and end
//! no attribute, and holds no control character and nothing that turns the reading direction. Pure.

use std::borrow::Cow;

use super::super::escape;

/// Stands for empty text.
const NOTHING: &str = "–";

/// Text on one line, not too long.
pub(super) fn text(text: &str) -> String {
    entities(escape::one_line(text).trim())
}

/// A name, a path or a piece of code.
pub(super) fn code(text: &str) -> String {
    let text = self::text(text);
    format!("<code>{}</code>", if text.is_empty() { NOTHING } else { &text })
}

/// A sentence. What stands between backticks is code.
pub(super) fn prose(text: &str) -> String {
    let text = escape::one_line(text);
    let parts: Vec<&str> = text.trim().split('`').collect();
    let balanced = parts.len() % 2 == 1;
    let part = |(i, part): (usize, &&str)| match i % 2 {
        1 if !balanced && i == parts.len() - 1 => format!("`{}", entities(part)),
        // A box without content sticks out at the end of a line.
        1 if part.trim().is_empty() => format!("`{part}`"),
        1 => format!("<code>{}</code>", entities(part)),
        _ => entities(part),
    };
    parts.iter().enumerate().map(part).collect()
}

/// The last lines of a text, as they are.
pub(super) fn block<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let (left_out, kept) = escape::last_lines(lines);
    let before = if left_out > 0 { format!("… {left_out} lines before these\n") } else { String::new() };
    let kept: Vec<Cow<'_, str>> = kept.iter().map(|line| Cow::Owned(entities(line))).collect();
    // A browser leaves out a line end that follows the tag.
    format!("<pre tabindex=\"0\">\n{before}{}</pre>\n", kept.join("\n"))
}

/// A link; `None` for anything but a plain web address.
pub(super) fn link(url: &str, words: &str) -> Option<String> {
    escape::link(url).map(|url| format!("<a href=\"{}\" rel=\"noopener noreferrer\">{words}</a>", entities(url)))
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
