//! The step summary: markdown appended to the runner's file, within the size that GitHub still shows.

use std::borrow::Cow;
use std::path::Path;

use super::outputs::append_lines;
use crate::problem::Problem;

/// GitHub drops a step's whole summary when its file passes this many bytes.
pub const LIMIT: u64 = 1024 * 1024;

const NOTE: &str = "\n> The rest of this summary did not fit: GitHub shows 1 MiB for each step.\n";

/// As much of a summary as fits behind `present` bytes, cut with a note to say so. Empty if not even the note fits.
pub fn fit(markdown: &str, present: u64) -> Cow<'_, str> {
    let room = usize::try_from(LIMIT.saturating_sub(present)).unwrap_or(usize::MAX);
    // One byte for the line end that the file, and one for that which the text, may lack.
    cut(markdown, room.saturating_sub(2), NOTE)
}

/// As many whole lines of our markdown as fit into `limit` bytes before `rest`, which says that there is more. What is open there, a
/// fence or folded text, is closed first. Empty if not even `rest` fits.
pub(crate) fn cut<'m>(markdown: &'m str, limit: usize, rest: &str) -> Cow<'m, str> {
    const FOLDED: &str = "\n</details>\n";
    if markdown.len() <= limit {
        return Cow::Borrowed(markdown);
    }
    if rest.len() > limit {
        return Cow::Borrowed("");
    }
    let (mut end, mut fence, mut folds) = (0, "", 0_usize);
    let (mut kept, mut close) = (0, String::new());
    for line in markdown.split_inclusive('\n') {
        end += line.len();
        fence = fence_after(fence, line);
        if fence.is_empty() {
            match line.trim_end() {
                "<details>" => folds += 1,
                "</details>" => folds = folds.saturating_sub(1),
                _ => {}
            }
        }
        let closing = fence.len() + usize::from(!fence.is_empty()) + folds * FOLDED.len();
        if end + closing + rest.len() > limit {
            break;
        }
        kept = end;
        close.clear();
        if !fence.is_empty() {
            close.push_str(fence);
            close.push('\n');
        }
        close.push_str(&FOLDED.repeat(folds));
    }
    Cow::Owned(format!("{}{close}{rest}", &markdown[..kept]))
}

/// The fence that is open after this line, empty for none: only one that is as long closes it.
fn fence_after<'m>(open: &'m str, line: &'m str) -> &'m str {
    let line = line.trim_end();
    let (run, rest) = line.split_at(line.len() - line.trim_start_matches('`').len());
    match open.len() {
        0 if run.len() >= 3 && !rest.contains('`') => run,
        1.. if run.len() >= open.len() && rest.is_empty() => "",
        _ => open,
    }
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
