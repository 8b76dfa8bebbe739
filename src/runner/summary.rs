//! The step summary: markdown appended to the runner's file, within the size that GitHub still shows.

use std::borrow::Cow;
use std::path::Path;

use super::outputs::append_lines;
use crate::problem::Problem;

/// GitHub drops a step's whole summary when its file passes this many bytes.
pub const LIMIT: u64 = 1024 * 1024;

const NOTE: &str = "\n> The rest of this summary did not fit: GitHub shows 1 MiB for each step.\n";

/// As much of a summary as fits behind `present` bytes, cut after a whole line and with a note to say so. Empty if not
/// even the note fits.
pub fn fit(markdown: &str, present: u64) -> Cow<'_, str> {
    let room = usize::try_from(LIMIT.saturating_sub(present)).unwrap_or(usize::MAX);
    // One byte for the line end that the file, and one for that which the text, may lack.
    if markdown.len() + 2 <= room {
        return Cow::Borrowed(markdown);
    }
    let close = "```\n";
    let Some(room) = room.checked_sub(NOTE.len() + close.len() + 2) else { return Cow::Borrowed("") };
    let end = markdown.as_bytes()[..room.min(markdown.len())].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let kept = &markdown[..end];
    let open = kept.lines().filter(|line| line.starts_with("```")).count() % 2 == 1;
    Cow::Owned(format!("{kept}{}{NOTE}", if open { close } else { "" }))
}

/// Appends a summary to the runner's file. Gives a note if it was cut.
///
/// # Errors
/// When the file cannot be written; the problem names it.
pub fn append(path: &Path, markdown: &str) -> Result<Option<Problem>, Problem> {
    let present = std::fs::metadata(path).map_or(0, |file| file.len());
    let text = fit(markdown, present);
    append_lines(path, &text).map_err(|error| {
        Problem::new(format!("the step summary could not be written to {}: {error}", path.display()))
            .hint("GITHUB_STEP_SUMMARY must name a file this step may write; the runner sets it for every step")
    })?;
    let cut = matches!(text, Cow::Owned(_)) || text.len() < markdown.len();
    Ok(cut.then(|| Problem::new("the step summary was cut: GitHub shows at most 1 MiB for each step")))
}

#[cfg(test)]
mod tests;
