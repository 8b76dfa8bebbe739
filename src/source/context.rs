//! What a local build context would carry into an image that its commit does not say: the times of its files.

use std::path::Path;

use jiff::Timestamp;

use crate::problem::Problem;

/// How many paths are named.
pub const NAMED: usize = 5;

/// Entries of a build context that are older than a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OldFiles {
    /// How many.
    pub count: u64,
    /// Some of them, relative to the context, with `/`. At most [`NAMED`].
    pub first: Vec<String>,
    /// The context has more entries than are looked at: there may be more.
    pub bounded: bool,
}

/// Looks for files, directories and links that are older than `epoch`. `ignore` is the text of the context's ignore file.
/// Reads metadata only and follows no links.
pub fn older_than(context: &Path, ignore: &str, epoch: Timestamp) -> OldFiles {
    let _ = (context, ignore, epoch);
    OldFiles::default()
}

/// What people are told when a context holds files older than the epoch; `None` where it holds none.
pub fn too_old(context: &Path, dockerfile: &Path, epoch: Timestamp) -> Option<Problem> {
    let _ = (context, dockerfile, epoch);
    None
}
