//! What the build cache spared, in words: counted, not guessed. Plain text, not escaped.

use super::document::{CacheSource, Document};
use super::headline::count;

/// How many steps came from the cache; `None` where no step is known.
pub(super) fn hits(document: &Document) -> Option<String> {
    let layers = || document.builds.iter().flat_map(|build| &build.layers);
    let (all, cached) = (layers().count(), layers().filter(|layer| layer.cached).count());
    let what = match (cached, all) {
        (_, 0) => return None,
        (0, all) => format!("None of {} came from the cache", count(all, "step", "steps")),
        (cached, all) if cached == all => format!("All of {} came from the cache", count(all, "step", "steps")),
        (cached, all) => format!("{cached} of {} came from the cache", count(all, "step", "steps")),
    };
    Some(what)
}

/// Caches that BuildKit was told to read, each once.
pub(super) fn sources(document: &Document) -> Vec<&CacheSource> {
    let mut sources: Vec<&CacheSource> = Vec::new();
    for source in document.builds.iter().flat_map(|build| &build.caches) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// What became of one.
pub(super) fn fate(source: &CacheSource) -> String {
    match &source.why {
        _ if source.read => "read".to_owned(),
        Some(why) => format!("not read: {why}"),
        None => "not read".to_owned(),
    }
}
