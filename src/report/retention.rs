//! Old tags in words: one sentence for each repository. Not escaped.

use super::document::{Document, SweptRepository};

/// A sentence for each repository that was tidied up, with its name apart.
pub(super) fn sentences(document: &Document) -> impl Iterator<Item = (&str, String)> {
    document.retention.iter().map(|swept| (swept.repository.as_str(), sentence(swept)))
}

fn sentence(swept: &SweptRepository) -> String {
    let stay = format!("{} stay", count(swept.staying + swept.left.len() as u64, "tag"));
    let left = match (swept.left.len(), swept.complete) {
        (0, true) => String::new(),
        (0, false) => ", not all could be done".to_owned(),
        (n, _) => format!(", {} could not be deleted", count(n as u64, "tag")),
    };
    match swept.deleted.len() as u64 {
        0 => format!("no old tag deleted{left}, {stay}"),
        n => format!("{} and {} deleted{left}, {stay}", count(n, "old tag"), count(swept.manifests, "manifest")),
    }
}

fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
