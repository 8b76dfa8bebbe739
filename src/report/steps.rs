//! The steps of a build in words. Not escaped.

use super::document::{Build, Layer};
use super::headline::{count, duration};

/// `6 steps, 2 cached, 38.9s`; nothing where no step is known.
pub(super) fn counted(build: &Build) -> Option<String> {
    let (all, cached) = (build.layers.len(), build.layers.iter().filter(|layer| layer.cached).count());
    (all > 0).then(|| format!("{}, {cached} cached, {}", count(all, "step", "steps"), duration(build.seconds)))
}

/// `[linux/arm64 build 2/4] RUN make`, as BuildKit names it.
pub(super) fn name(layer: &Layer) -> String {
    let place = if layer.total > 0 { format!("{}/{}", layer.index, layer.total) } else { String::new() };
    let parts = [layer.platform.as_deref().unwrap_or_default(), &layer.stage, &place];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let bracket = if parts.is_empty() { String::new() } else { format!("[{}] ", parts.join(" ")) };
    format!("{bracket}{} {}", layer.instruction, layer.detail)
}
