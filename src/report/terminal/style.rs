//! Colour, if any, and text fit to stand in a log.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

use crate::runner::neutralise_text;

/// Paints when it holds `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn bold(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub(super) fn warn(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Lines of text from elsewhere, harmless in any log.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(neutralise_text)
}

/// Text from elsewhere as part of a line: its own lines joined, cut after so many characters.
pub(super) fn inline(text: &str, limit: usize) -> String {
    let joined = lines(text).collect::<Vec<_>>().join(" ");
    match joined.char_indices().nth(limit) {
        None => joined,
        Some((end, _)) => format!("{}…", joined[..end].trim_end()),
    }
}
