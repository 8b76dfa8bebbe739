//! Legs in words, for the log and the summary.

use super::document::{Build, Document, MergedLeg};

/// Builds that were merged from legs, with each leg.
pub(super) fn merged(document: &Document) -> impl Iterator<Item = (&Build, &MergedLeg)> {
    document.builds.iter().flat_map(|build| build.legs.iter().map(move |leg| (build, leg)))
}

/// Documents that this run wrote, with their builds.
pub(super) fn written(document: &Document) -> impl Iterator<Item = (&Build, &str)> {
    document.builds.iter().filter_map(|build| Some((build, build.leg.as_ref()?.document.as_deref()?)))
}
