//! How to get what was published: one command for each repository. Not escaped.

use super::document::{Document, PublishedTag};

/// Commands shown.
const PULLS: usize = 20;

/// `docker pull ghcr.io/acme/app:1.4.2`, with the first tag of each repository.
pub(super) fn pulls(document: &Document) -> Vec<String> {
    let mut first: Vec<&PublishedTag> = Vec::new();
    for tag in document.builds.iter().flat_map(|build| &build.published) {
        if first.len() < PULLS && first.iter().all(|told| told.repository != tag.repository) {
            first.push(tag);
        }
    }
    first.into_iter().map(|tag| format!("docker pull {}", tag.reference)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn each_repository_has_one_command_and_many_have_twenty() {
        let mut document = Document::new(&fixtures::success());
        assert_eq!(pulls(&document), ["docker pull ghcr.io/acme/app:1.4.2", "docker pull docker.io/acme/app:1.4.2"]);
        let tag = document.builds[0].published[0].clone();
        document.builds[0].published =
            (0..50).map(|n| PublishedTag { repository: format!("{n}"), ..tag.clone() }).collect();
        assert_eq!(pulls(&document).len(), PULLS);
    }
}
