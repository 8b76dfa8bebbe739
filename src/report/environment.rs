//! What a person asks for who compares two runs: builder, BuildKit, cache, and our own version. Not escaped.

use super::document::Document;

/// Caches left out that are told.
const CACHES: usize = 10;

/// Name and value of what is known.
pub(super) fn rows(document: &Document) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(builder) = &document.builder {
        rows.push(("Builder", format!("{} ({}, {})", builder.name, builder.driver, builder.action)));
        rows.push(("Endpoint", builder.endpoint.clone()));
        rows.push(("BuildKit", builder.buildkit.clone()));
        rows.push(("buildx", builder.buildx.clone()));
    }
    if let Some(cache) = &document.cache {
        rows.push(("Cache", cache.mode.clone()));
        rows.extend(cache.skipped.iter().take(CACHES).map(|why| ("Cache left out", why.clone())));
    }
    rows.push(("StageFreight", document.tool.version.clone()));
    rows.retain(|(_, value)| !value.is_empty());
    rows
}
