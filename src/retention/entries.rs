//! The tags of a repository, told apart: those that targets made, those that hang on an image, caches, and everybody else's.

use jiff::Timestamp;

use super::Claims;
use super::graph::{Graph, Id};
use super::read::{Reader, Shape, many};
use crate::cache::tag::CacheTag;
use crate::image::{Digest, Tag};
use crate::problem::Problem;
use crate::registry::{Listed, Reference};

use futures::TryStreamExt as _;

/// What a tag of this form holds after the digest: nothing where it is a listing of referrers, else by cosign 2.
const SUFFIXES: [&str; 4] = ["", ".sig", ".att", ".sbom"];

/// A tag.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tag: Tag,
    pub(super) kind: Kind,
    /// What the listing says it points to.
    listed: Option<Digest>,
    /// When the listing says it was pushed.
    pub(super) pushed: Option<Timestamp>,
    pub(super) root: Root,
}

/// What a tag is for, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// It holds what is said about an image.
    Attached(Digest),
    /// A build cache of ours, or one that looks like it.
    Cache,
    /// Of these owners' templates; of none, it is somebody else's.
    Made(Vec<usize>),
}

/// What it points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Unread,
    At(Id),
    /// The tag is listed and holds nothing.
    Gone,
}

impl Entry {
    pub(super) fn id(&self) -> Option<Id> {
        match self.root {
            Root::At(id) => Some(id),
            Root::Unread | Root::Gone => None,
        }
    }
}

/// Sorts a listing.
pub(super) fn entries(listed: Vec<Listed>, claims: &Claims, cache_prefixes: &[String]) -> Vec<Entry> {
    let entry = |Listed { tag, digest, pushed }: Listed| {
        let kind = match attached_to(&tag) {
            Some(subject) => Kind::Attached(subject),
            None if cache_prefixes.iter().any(|prefix| CacheTag::parse(tag.as_str(), prefix).is_some()) => Kind::Cache,
            None => Kind::Made(claims.of(&tag)),
        };
        Entry { tag, kind, listed: digest, pushed, root: Root::Unread }
    };
    listed.into_iter().map(entry).collect()
}

/// Finds out what some of the tags point to, one request for each that the listing says nothing of.
pub(super) async fn resolve(
    entries: &mut [Entry],
    which: impl Fn(usize) -> bool,
    graph: &mut Graph,
    reader: &Reader<'_>,
) -> Result<(), Problem> {
    let mut unknown = Vec::new();
    for (at, entry) in entries.iter_mut().enumerate().filter(|(at, entry)| entry.root == Root::Unread && which(*at)) {
        match &entry.listed {
            Some(digest) => entry.root = Root::At(graph.node(digest, Shape::Unknown)),
            None => unknown.push((at, entry.tag.clone())),
        }
    }
    let read = many(unknown, async |(at, tag)| Ok((at, reader.manifest(Reference::Tag(&tag)).await?)));
    let mut read = std::pin::pin!(read);
    while let Some((at, found)) = read.try_next().await.map_err(|error| error.problem())? {
        entries[at].root = found.map_or(Root::Gone, |found| Root::At(graph.insert(found)));
    }
    Ok(())
}

/// The image that a tag `sha256-<hex>…` speaks of.
fn attached_to(tag: &Tag) -> Option<Digest> {
    let rest = tag.as_str().strip_prefix("sha256-")?;
    let (hex, suffix) = rest.split_at_checked(64)?;
    SUFFIXES.contains(&suffix).then(|| format!("sha256:{hex}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_apart_by_their_names() {
        let hex = "a".repeat(64);
        for (tag, kind) in [
            (format!("sha256-{hex}"), "attached"),
            (format!("sha256-{hex}.sig"), "attached"),
            (format!("sha256-{hex}.att"), "attached"),
            (format!("sha256-{hex}.sbom"), "attached"),
            (format!("sha256-{hex}.other"), "made"),
            (format!("sha256-{hex}a"), "made"),
            (format!("sha256-{}", "A".repeat(64)), "made"),
            ("sha256-abc".to_owned(), "made"),
            (CacheTag::new("cache", "acme/app", "main").unwrap().to_string(), "cache"),
            ("cache-main".to_owned(), "made"),
        ] {
            let listed = Listed { tag: tag.parse().unwrap(), digest: None, pushed: None };
            let found = match entries(vec![listed], &Claims::default(), &["cache".to_owned()])[0].kind {
                Kind::Attached(_) => "attached",
                Kind::Cache => "cache",
                Kind::Made(_) => "made",
            };
            assert_eq!(found, kind, "{tag}");
        }
    }
}
