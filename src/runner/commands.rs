//! What runners read in a job's log: workflow commands (GitHub, Gitea, Forgejo) and section markers (GitLab).
//!
//! Pure functions from values to lines; they print nothing. Text that goes into a command is escaped here; lines relayed
//! from elsewhere go through [`super::neutralise`](mod@super::neutralise).

use std::fmt::Write as _;

use jiff::Timestamp;

use super::context::ForgeKind;
use super::neutralise::strip_controls;
use crate::problem::Location;

/// GitHub cuts the message of an annotation at this many characters, without a word; so we cut it and say so.
const MESSAGE_LIMIT: usize = 4096;

/// How the log of a run is structured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Workflow commands: GitHub, Gitea, Forgejo.
    Actions,
    /// Section markers: GitLab.
    GitLab,
    /// Nothing reads along but people.
    Plain,
}

/// How bad an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It failed the run.
    Error,
    /// It did not, but should be mended.
    Warning,
    /// Worth knowing.
    Notice,
}

/// A remark on a place in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation<'a> {
    /// How bad.
    pub level: Level,
    /// Where, relative to the repository; nowhere in particular without it.
    pub location: Option<&'a Location>,
    /// Headline.
    pub title: Option<&'a str>,
    /// The remark; may have several lines.
    pub message: &'a str,
}

impl Dialect {
    /// The dialect of a forge's log.
    pub fn of(forge: ForgeKind) -> Self {
        match forge {
            ForgeKind::GitHub | ForgeKind::Gitea | ForgeKind::Forgejo => Self::Actions,
            ForgeKind::GitLab => Self::GitLab,
            ForgeKind::Local => Self::Plain,
        }
    }

    /// The line that opens a collapsible section, without a line end. `at` dates the markers of GitLab, which computes a
    /// section's duration from them; `collapsed` asks for it folded (Actions groups always are).
    pub fn section_start(self, id: &str, title: &str, at: Timestamp, collapsed: bool) -> String {
        let title = one_line(title);
        match self {
            Self::Actions => format!("::group::{}", escape_data(&title)),
            Self::GitLab => {
                let option = if collapsed { "[collapsed=true]" } else { "" };
                format!("\x1b[0Ksection_start:{}:{}{option}\r\x1b[0K{title}", at.as_second(), section_name(id))
            }
            Self::Plain => title,
        }
    }

    /// The line that closes it, without a line end; nothing where sections have no end.
    pub fn section_end(self, id: &str, at: Timestamp) -> Option<String> {
        match self {
            Self::Actions => Some("::endgroup::".to_owned()),
            Self::GitLab => Some(format!("\x1b[0Ksection_end:{}:{}\r\x1b[0K", at.as_second(), section_name(id))),
            Self::Plain => None,
        }
    }

    /// The line that pins a remark to a place, without a line end; nothing where the log cannot do that (GitLab takes a
    /// code quality report instead).
    pub fn annotation(self, annotation: &Annotation<'_>) -> Option<String> {
        (self == Self::Actions).then(|| annotation_command(annotation))
    }

    /// The lines that make the runner mask a secret from now on: the whole value and, because logs are masked line by
    /// line, each of its lines that is long enough not to mask half the log. Empty where the runner cannot: printing
    /// anything there would show the secret.
    pub fn mask(self, secret: &str) -> Vec<String> {
        if self != Self::Actions || secret.trim().is_empty() {
            return Vec::new();
        }
        let whole = std::iter::once(secret);
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= 4 && *line != secret);
        whole.chain(lines).map(|value| format!("::add-mask::{}", escape_data(value))).collect()
    }
}

/// A line that stops a runner from obeying commands until the line that names the same token, for logs relayed as they
/// are. Its value must not be guessable by what is relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopToken(String);

impl StopToken {
    /// A new one. GitHub masks the token in the log, so it must not resemble anything people want to read.
    pub fn random() -> Self {
        Self(random_name())
    }

    /// `::stop-commands::TOKEN`.
    pub fn stop(&self) -> String {
        format!("::stop-commands::{}", self.0)
    }

    /// `::TOKEN::`.
    pub fn resume(&self) -> String {
        format!("::{}::", self.0)
    }
}

/// A word nobody can have written before: 128 random bits behind our name.
pub(super) fn random_name() -> String {
    format!("stagefreight_{:032x}", rand::random::<u128>())
}

/// A command for runners that end its properties at the last `::` of a line, not at the first as GitHub does: act's pattern, and with it
/// Forgejo's and most of Gitea's. There is no escape for a colon in the data that any of them undoes, so a space without width stands
/// between two of them: it looks the same.
pub fn for_greedy_runners(line: &str) -> String {
    let Some(end) = line.get(2..).and_then(|rest| rest.find("::")) else { return line.to_owned() };
    let (command, data) = line.split_at(end + 4);
    let mut out = command.to_owned();
    for c in data.chars() {
        if c == ':' && out.ends_with(':') {
            out.push('\u{200b}');
        }
        out.push(c);
    }
    out
}

/// Escapes the data of a workflow command (what follows the second `::`).
pub fn escape_data(text: &str) -> String {
    escape(text, false)
}

/// Escapes a property value of a workflow command (`file=`, `title=` …).
pub fn escape_property(text: &str) -> String {
    escape(text, true)
}

fn escape(text: &str, property: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            ':' if property => out.push_str("%3A"),
            ',' if property => out.push_str("%2C"),
            c => out.push(c),
        }
    }
    out
}

/// A section name GitLab accepts (`[A-Za-z0-9_.-]+`), made from any text.
pub fn section_name(id: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let name: String = id.chars().take(100).map(|c| if legal(c) { c } else { '_' }).collect();
    if name.is_empty() { "section".to_owned() } else { name }
}

fn annotation_command(annotation: &Annotation<'_>) -> String {
    let mut line = String::from(match annotation.level {
        Level::Error => "::error",
        Level::Warning => "::warning",
        Level::Notice => "::notice",
    });
    let mut separator = ' ';
    let mut property = |name: &str, value: &str| {
        let _ = write!(line, "{separator}{name}={}", escape_property(&one_line(value)));
        separator = ',';
    };
    if let Some(at) = annotation.location {
        property("file", &at.file);
        if let Some(n) = at.line {
            property("line", &n.to_string());
        }
        if let Some(n) = at.column {
            property("col", &n.to_string());
        }
    }
    if let Some(title) = annotation.title {
        property("title", title);
    }
    let message = cut(annotation.message, MESSAGE_LIMIT);
    let message: Vec<_> = message.lines().map(strip_controls).collect();
    line + "::" + &escape_data(&message.join("\n"))
}

/// The first `limit` characters, the last of them an ellipsis if there were more.
fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit - 1).chain(['…']).collect(),
    }
}

/// Text for one line: line ends become spaces, control characters go.
fn one_line(text: &str) -> String {
    text.lines().map(strip_controls).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
