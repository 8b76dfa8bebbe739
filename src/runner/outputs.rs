//! The outputs of a step, in the file format GitHub, Gitea and Forgejo read (`GITHUB_OUTPUT`).
//!
//! Every value is written as a heredoc under a random delimiter, so no value can end it and become a second output.

use std::fmt::Write as _;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::commands::random_name;
use super::context::ForgeKind;
use crate::problem::Problem;

/// A rendered file and what did not go into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text to write or append.
    pub text: String,
    /// One note for each value that was left out, for people. It fails nothing.
    pub notes: Vec<Problem>,
}

/// What a runner's parser can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimits {
    /// Bytes in one line. The runners of Gitea and Forgejo read with a line buffer of 64 KiB and fail the step beyond it.
    pub line: usize,
    /// Size of all outputs as GitHub estimates it: two bytes for each UTF-16 unit. 1 MB for a job, of which we leave a
    /// tenth to the job's other steps.
    pub total: usize,
}

impl OutputLimits {
    /// The limits of a forge's runner.
    pub fn of(forge: ForgeKind) -> Self {
        match forge {
            ForgeKind::Gitea | ForgeKind::Forgejo => Self { line: 64 * 1024 - 2, total: 900_000 },
            ForgeKind::GitHub | ForgeKind::GitLab | ForgeKind::Local => Self { line: usize::MAX, total: 900_000 },
        }
    }
}

/// Renders outputs in the order given, the most important first: one that passes a limit is left out with a note, those
/// behind it still get their chance.
pub fn render(outputs: &[(&str, &str)], limits: OutputLimits) -> Rendered {
    let mut rendered = Rendered::default();
    let mut left = limits.total;
    for &(name, value) in outputs {
        let cost = 2 * (utf16_len(name) + utf16_len(value));
        if let Some(why) = refusal(name, value, cost > left, limits) {
            rendered.notes.push(why);
            continue;
        }
        left -= cost;
        let delimiter = random_name();
        let _ = write!(rendered.text, "{name}<<{delimiter}\n{value}\n{delimiter}\n");
    }
    rendered
}

/// Appends outputs to the runner's file. Gives the notes about what was left out.
///
/// # Errors
/// When the file cannot be written; the problem names it.
pub fn write(path: &Path, outputs: &[(&str, &str)], limits: OutputLimits) -> Result<Vec<Problem>, Problem> {
    let rendered = render(outputs, limits);
    append_lines(path, &rendered.text).map_err(|error| {
        Problem::new(format!("the outputs could not be written to {}: {error}", path.display()))
            .hint("GITHUB_OUTPUT must name a file this step may write; the runner sets it for every step")
    })?;
    Ok(rendered.notes)
}

/// Appends text that consists of lines, after a line end if the file lacks one.
pub(super) fn append_lines(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.seek(SeekFrom::Start(size - 1))?;
        file.read_exact(&mut last)?;
    }
    let separator = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{separator}{text}").as_bytes())
}

fn refusal(name: &str, value: &str, too_much: bool, limits: OutputLimits) -> Option<Problem> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || !name.chars().all(legal) {
        return Some(Problem::new(format!(
            "the output {name:?} was left out: its name may hold only letters, digits, `_` and `-`"
        )));
    }
    let hint = "read it from the result document instead (output `result`)";
    if value.lines().any(|line| line.len() > limits.line) {
        return Some(
            Problem::new(format!("the output `{name}` was left out: this runner reads lines of at most 64 KiB"))
                .hint(hint),
        );
    }
    too_much.then(|| {
        Problem::new(format!("the output `{name}` was left out: a job's outputs may hold 1 MB together")).hint(hint)
    })
}

fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests;
