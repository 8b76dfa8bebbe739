//! What is said below the differences of two builds, for those who draw them: what mends them, and how many do not count. Not
//! escaped.

use super::document::{CulpritFile, Culprits};
use super::headline::count;
use super::verdict::cause;

/// The cure of each class of cause among these files, once, under the name of its cause.
pub(super) fn cures<'d>(files: impl IntoIterator<Item = &'d CulpritFile>) -> Vec<(String, &'d str)> {
    let mut told: Vec<&CulpritFile> = Vec::new();
    for file in files {
        if !file.cure.is_empty() && told.iter().all(|other| other.cause != file.cause) {
            told.push(file);
        }
    }
    told.into_iter().map(|file| (cause(&file.cause), file.cure.as_str())).collect()
}

/// How many differences the configuration says to ignore.
pub(super) fn ignored(culprits: &Culprits) -> Option<String> {
    let ignored = usize::try_from(culprits.ignored).unwrap_or(usize::MAX);
    let told = count(ignored, "difference", "differences");
    (ignored > 0).then(|| format!("{told} in files that the configuration says to ignore"))
}
