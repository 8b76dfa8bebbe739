//! Leg documents from disk: bounded, links in a directory not followed, every file that is none told at once.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::DIRECTORY;
use super::document::{BadLeg, Document, LIMIT};
use crate::problem::{Failure, FailureKind, Problem};

/// How deep directories are looked through: artifacts of several jobs lie each in a directory of its own.
const DEPTH: usize = 3;
/// More files than this are no legs.
const MAX_FILES: usize = 1024;
/// All documents together.
const MAX_TOTAL: u64 = 256 << 20;

/// A document and the file it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// For people: the path as given or found.
    pub file: String,
    /// What it says.
    pub document: Document,
}

/// Reads all legs there are below directories and in files, relative to `root`; in [`DIRECTORY`] where none is named. Blocking.
///
/// # Errors
/// Every file that is no leg, at once; or that there is none.
pub fn gather(root: &Path, named: &[PathBuf]) -> Result<Vec<Found>, Failure> {
    let default = [PathBuf::from(DIRECTORY)];
    let named = if named.is_empty() { &default[..] } else { named };
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in named {
        let at = root.join(path);
        match std::fs::metadata(&at) {
            Ok(found) if found.is_dir() => list(&at, path, DEPTH, &mut files, &mut problems),
            Ok(_) => files.push((at, path.clone())),
            Err(error) => {
                problems.push(Problem::new(format!("there are no legs in {}: {error}", path.display())).hint(hand_on()))
            }
        }
    }
    files.sort();
    files.dedup();
    if files.len() > MAX_FILES {
        let what =
            format!("there are {} files where legs should be, and more than {MAX_FILES} are not read", files.len());
        problems.push(Problem::new(what).hint("name the directory that holds the legs and nothing else"));
        return Err(Failure::many(FailureKind::Input, problems));
    }
    let (mut legs, mut room) = (Vec::new(), MAX_TOTAL);
    for (at, shown) in files {
        let file = shown.display().to_string();
        match read(&at, &mut room) {
            Ok(document) => legs.push(Found { file, document }),
            Err(problem) => problems.push(Problem { what: format!("{file}: {}", problem.what), ..problem }),
        }
    }
    if legs.is_empty() && problems.is_empty() {
        let places: Vec<_> = named.iter().map(|path| path.display().to_string()).collect();
        problems.push(Problem::new(format!("there are no legs in {}", places.join(", "))).hint(hand_on()));
    }
    if problems.is_empty() { Ok(legs) } else { Err(Failure::many(FailureKind::Input, problems)) }
}

fn hand_on() -> String {
    format!(
        "every leg (`stagefreight run --platform-leg …`) writes to {DIRECTORY}: hand that directory on to this job as an \
         artifact, or name where it lies"
    )
}

/// Every `.json` below a directory.
fn list(dir: &Path, shown: &Path, depth: usize, files: &mut Vec<(PathBuf, PathBuf)>, problems: &mut Vec<Problem>) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            let what = format!("{} cannot be read: {error}", shown.display());
            problems.push(Problem::new(what).hint("check who owns it"));
            return;
        }
    };
    for entry in entries.flatten() {
        if files.len() > MAX_FILES {
            return;
        }
        let (at, shown) = (entry.path(), shown.join(entry.file_name()));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 1 => list(&at, &shown, depth - 1, files, problems),
            Ok(kind) if kind.is_file() && at.extension().is_some_and(|end| end == "json") => files.push((at, shown)),
            _ => {}
        }
    }
}

fn read(path: &Path, room: &mut u64) -> Result<Document, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::new(format!("it cannot be read: {error}")).hint("name files, or directories that hold them")
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Problem::new("it is no file").hint("name files, or directories that hold them"));
    }
    let limit = (LIMIT as u64).min(*room);
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    *room = room.saturating_sub(bytes.len() as u64);
    let document = if bytes.len() as u64 > limit { Err(BadLeg::TooLarge) } else { Document::parse(&bytes) };
    document.map_err(|bad| {
        let hint = match &bad {
            BadLeg::Version(_) => "use the same version of stagefreight for legs and merge",
            BadLeg::Checksum => "hand the file on as it was written, or run that leg again",
            BadLeg::TooLarge | BadLeg::Form(_) => {
                "name the directory that holds the legs and nothing else, or run that leg again"
            }
        };
        Problem::new(bad.to_string()).hint(hint)
    })
}
