//! The outputs of a job, in the dotenv report GitLab reads.
//!
//! GitLab fails the whole upload over one bad line, so what could offend it is left out with a note.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::outputs::Rendered;
use crate::problem::Problem;

/// A file must stay below this many bytes (the default of GitLab's instance setting).
const SIZE_LIMIT: usize = 5120;
/// How many variables a self-managed GitLab takes by default.
const VARIABLE_LIMIT: usize = 20;
/// Before every name: variables of a dotenv report reach all later jobs, and must not take the place of others.
const PREFIX: &str = "STAGEFREIGHT_";

/// Renders outputs in the order given, the most important first: one that does not fit is left out with a note, those
/// behind it still get their chance.
pub fn render(outputs: &[(&str, &str)]) -> Rendered {
    let mut rendered = Rendered::default();
    let mut names = BTreeSet::new();
    for &(name, value) in outputs {
        let key = key(name);
        let line = format!("{key}={value}\n");
        let why = if names.contains(&key) {
            Some("another output has the same name")
        } else if names.len() == VARIABLE_LIMIT {
            Some("GitLab takes at most 20 variables in a report")
        } else if rendered.text.len() + line.len() >= SIZE_LIMIT {
            Some("GitLab takes at most 5 KiB in a report")
        } else {
            bad_value(value)
        };
        match why {
            None => {
                rendered.text.push_str(&line);
                names.insert(key);
            }
            Some(why) => rendered.notes.push(
                Problem::new(format!("the variable `{key}` was left out of the dotenv report: {why}"))
                    .hint("read it from the result document instead, kept as an artifact"),
            ),
        }
    }
    rendered
}

/// Writes the report anew, in one move, making its directory if need be. Gives the notes about what was left out.
///
/// # Errors
/// When it cannot be written; the problem names it.
pub fn write(path: &Path, outputs: &[(&str, &str)]) -> Result<Vec<Problem>, Problem> {
    let rendered = render(outputs);
    replace(path, rendered.text.as_bytes()).map_err(|error| {
        Problem::new(format!("the dotenv report could not be written to {}: {error}", path.display()))
            .hint("STAGEFREIGHT_DOTENV names the file; it must be the one under `artifacts:reports:dotenv`")
    })?;
    Ok(rendered.notes)
}

/// The variable for an output: `STAGEFREIGHT_` and the name in capitals, what a name may not hold as `_`.
pub fn key(name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(name.chars().map(legal)).collect()
}

/// What GitLab would refuse, change or expand.
fn bad_value(value: &str) -> Option<&'static str> {
    if value.chars().any(char::is_control) {
        Some("its value is not one line of text")
    } else if value.trim() != value {
        Some("GitLab would strip the white space around its value")
    } else if value.contains('$') {
        Some("GitLab would expand the `$` in its value")
    } else {
        None
    }
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    // GitLab's helper, which uploads it, may be another user.
    let readable = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().prefix(".outputs").permissions(readable).tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
