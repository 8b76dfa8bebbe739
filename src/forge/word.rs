//! What the forge is told, as a value, and how each part of it is made to fit. Pure; `report` fills it.

use crate::runner::summary::cut;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has begun.
    Pending,
    /// Everything that had to work did.
    Success,
    /// What was to be built or proven, or how that was written down, is at fault.
    Failure,
    /// Something around it is: a builder, a registry, a login.
    Error,
    /// A signal ended it.
    Cancelled,
}

/// What the forge is told of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// How it stands.
    pub state: State,
    /// One line of plain text, as long as it may be.
    pub description: String,
    /// Headline of the check.
    pub title: String,
    /// Body of the check, in markdown.
    pub summary: String,
    /// Remarks on lines of the repository, most telling first.
    pub remarks: Vec<Remark>,
    /// Body of the note, in markdown.
    pub note: String,
}

/// How bad a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It failed the run.
    Failure,
    /// It did not.
    Warning,
}

/// A remark on a line of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Path inside the repository.
    pub path: String,
    /// 1-based line.
    pub line: u32,
    /// 1-based column.
    pub column: Option<u32>,
    /// How bad.
    pub level: Level,
    /// Who says so.
    pub title: String,
    /// What.
    pub message: String,
}

/// The first `limit` characters, the last of them an ellipsis if there were more.
pub fn clip_chars(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// As many whole characters as fit into `limit` bytes, the last an ellipsis if there were more.
pub fn clip_bytes(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub('…'.len_utf8()));
    format!("{}…", &text[..end])
}

/// What a summary or note ends with that was cut.
const REST: &str = "\n> The rest did not fit here: the job's own summary has all of it.\n";

/// As many whole lines of markdown as fit into `limit` bytes, with a last one that says so.
pub(super) fn clip_markdown(markdown: &str, limit: usize) -> String {
    cut(markdown, limit, REST).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(clip_chars("häßlich", 7), "häßlich");
        assert_eq!(clip_chars("häßlich", 4), "häß…");
        assert_eq!(clip_bytes("häßlich", 9), "häßlich");
        for limit in 3..9 {
            let cut = clip_bytes("häßlich", limit);
            assert!(cut.len() <= limit && cut.ends_with('…'), "{limit}: {cut}");
        }
        let long = "🚢".repeat(200);
        assert_eq!(clip_chars(&long, 140).chars().count(), 140);
        assert!(clip_bytes(&long, 255).len() <= 255);
    }

    #[test]
    fn markdown_is_cut_at_lines_and_its_fence_closed() {
        let text = format!("# Title\n\n```text\n{}```\n", "line after line\n".repeat(100));
        assert_eq!(clip_markdown(&text, 4096), text);
        let cut = clip_markdown(&text, 500);
        assert!(cut.len() <= 500, "{}", cut.len());
        assert_eq!(cut.matches("```").count(), 2);
        assert!(cut.trim_end().ends_with("has all of it."), "{cut}");
        assert!(clip_markdown(&"é".repeat(2000), 1001).len() <= 1001);
    }
}
