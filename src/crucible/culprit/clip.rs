//! Making hostile text short: what leaves this room is one line and bounded.

/// Longest path in the report.
pub(super) const PATH: usize = 300;
/// Longest evidence.
pub(super) const EVIDENCE: usize = 160;
/// Longest instruction.
pub(super) const INSTRUCTION: usize = 160;

/// On one line, white space collapsed, at most `limit` characters.
pub(super) fn line(text: &str, limit: usize) -> String {
    // No more is looked at than could be kept.
    let text: String = text.chars().take(limit * 4).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&words.join(" "), limit)
}

/// At most `limit` characters, the cut marked.
pub(super) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Bytes as text: what is not printable becomes an escape.
pub(super) fn escaped(bytes: &[u8], limit: usize) -> String {
    cut(&bytes[..bytes.len().min(limit + 1)].escape_ascii().to_string(), limit)
}
