//! Reading `.stagefreight.yml`: text in, a [`Config`] out, or every mistake at once with its place, its line and its cure.
//!
//! Three passes, none of which stops at the first mistake: `tree` (YAML syntax), `reader` and `sections` (keys and types), `check`
//! (what names what, patterns, templates). The text may be hostile: size, depth, aliases and the number of nodes are bounded.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::model::Config;
use crate::problem::{Location, Problem};

mod check;
mod choice;
mod cycles;
pub(crate) mod findings;
mod names;
mod reader;
mod sections;
pub(crate) mod tree;

use findings::Findings;
pub(super) use sections::OTHERS;

/// Names looked for where no file is named, in this order.
pub const DEFAULT_NAMES: [&str; 2] = [".stagefreight.yml", ".stagefreight.yaml"];

/// The largest file read, in bytes.
const LARGEST: usize = 1 << 20;

/// A configuration that was read, and what to tell a person about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// As written.
    pub config: Config,
    /// Sentences for people: sections that are not ours.
    pub notes: Vec<String>,
}

/// Reads a configuration. `file` is its path as people should see it.
///
/// # Errors
/// Every mistake found, in the order of the file; never empty.
pub fn load(text: &str, file: &str) -> Result<Loaded, Vec<Problem>> {
    if text.len() > LARGEST {
        return Err(vec![too_large(file)]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut findings = Findings::new(text, file);
    let Some(root) = tree::parse(text, &mut findings) else { return Err(findings.into_problems()) };
    let (config, notes) = sections::config(&root, &mut findings);
    check::check(&config, &mut findings);
    match findings.into_problems() {
        problems if problems.is_empty() => Ok(Loaded { config, notes }),
        problems => Err(problems),
    }
}

/// Opens the configuration below `root`: the one that is named, else the first of [`DEFAULT_NAMES`]. Gives its path relative to
/// `root` and its text; `None` where no file is named and none is there.
///
/// # Errors
/// A named file that is not there; one that is no regular file, is larger than 1 MiB, is not UTF-8, or cannot be read.
pub fn read(root: &Path, explicit: Option<&str>) -> Result<Option<(String, String)>, Problem> {
    let names: &[&str] = match &explicit {
        Some(name) => std::slice::from_ref(name),
        None => &DEFAULT_NAMES,
    };
    for name in names {
        match open(&root.join(name), name) {
            Ok(text) => return Ok(Some(((*name).to_owned(), text))),
            Err(Unread::Absent) => {}
            Err(Unread::Problem(problem)) => return Err(*problem),
        }
    }
    match explicit {
        None => Ok(None),
        Some(name) => Err(Problem::new(format!("the configuration file `{name}` does not exist"))
            .hint(format!("the path is relative to {}", root.display()))),
    }
}

enum Unread {
    Absent,
    Problem(Box<Problem>),
}

fn open(path: &Path, name: &str) -> Result<String, Unread> {
    let problem = |what: String| Unread::Problem(Box::new(Problem::new(what).at(whole(name))));
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Unread::Absent,
        _ => problem(format!("the configuration file cannot be read: {error}")),
    };
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(problem("the configuration file is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, even one that grows while it is read.
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > LARGEST {
        return Err(Unread::Problem(Box::new(too_large(name))));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        let at = Location { line: u32::try_from(line + 1).ok(), ..whole(name) };
        let problem = Problem::new("the configuration file is not UTF-8").at(at).hint("save it with UTF-8 encoding");
        Unread::Problem(Box::new(problem))
    })
}

fn too_large(file: &str) -> Problem {
    Problem::new("the configuration file is larger than 1 MiB")
        .at(whole(file))
        .hint("a configuration is a page or two; is this the right file?")
}

fn whole(file: &str) -> Location {
    Location { file: file.to_owned(), line: None, column: None }
}

#[cfg(test)]
mod tests;
