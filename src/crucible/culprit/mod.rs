//! Why two builds of one image differ: from the list of differences and the Dockerfile to files, lines, causes and cures.
//!
//! Pure: reads nothing, runs nothing, and every text it is given is hostile. It names a Dockerfile line only where that is
//! certain, and a cause only as far as the files show one. What leaves it is bounded; escaping is the business of whoever
//! prints.

mod binary;
mod classify;
mod clip;
mod content;
mod cure;
mod hints;
mod kind;
mod names;
mod packages;
mod place;
mod token;

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobSet, GlobSetBuilder};

use self::classify::Finding;
use self::place::{Place, Plan};
use super::proof::{Cause, CulpritFile, CulpritLayer, Culprits, MAX_FILES};
use crate::image::diff::{FileChange, How, ImageDiff, LayerDiff, PlatformDiff};
use crate::plan::dockerfile;

/// More layers than any image has; the rest is not told.
const LAYERS: usize = 512;
/// After so many files of one cause the others come first.
const OF_A_KIND: usize = 6;
/// More globs than anyone writes.
const GLOBS: usize = 1_000;

/// The Dockerfile the image was built from.
#[derive(Debug, Clone, Copy)]
pub struct DockerfileSource<'a> {
    /// Path as reports name it, relative to the workspace.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The stage that was built; the last one if `None`.
    pub target: Option<&'a str>,
    /// Build arguments that were given: they may name base images.
    pub build_args: &'a BTreeMap<String, String>,
}

/// Explains what differs. `ignore` are globs over paths in the image, without leading `/`: what they match is counted, not
/// told. A glob that is none is passed over: the configuration was checked before.
pub fn explain(diff: &ImageDiff, dockerfile: Option<DockerfileSource<'_>>, ignore: &[String]) -> Culprits {
    let plan = dockerfile.map(|source| Plan { source, dockerfile: dockerfile::read(source.text) });
    let ignore = globs(ignore);
    let mut culprits = Culprits { incomplete: incomplete(diff), ..Culprits::default() };
    for platform in &diff.platforms {
        for change in &platform.config {
            if !culprits.config.contains(change) {
                culprits.config.push(change.clone());
            }
        }
        for layer in platform.layers.iter().take(LAYERS) {
            let (told, ignored) = explain_layer(layer, platform, plan.as_ref(), &ignore);
            culprits.ignored += ignored;
            culprits.layers.extend(told);
        }
    }
    culprits
}

/// Paths are compared as the configuration's globs are everywhere: `*` crosses directories.
fn globs(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns.iter().take(GLOBS) {
        if let Ok(glob) = Glob::new(pattern.trim_start_matches('/')) {
            set.add(glob);
        }
    }
    set.build().unwrap_or_default()
}

/// Why the list is not all of it, in one sentence.
fn incomplete(diff: &ImageDiff) -> Option<String> {
    let mut reasons = Vec::new();
    for (only, which) in [(&diff.only_in_a, "first"), (&diff.only_in_b, "second")] {
        if let Some(platform) = only.first() {
            let more = if only.len() > 1 { format!(" and {} more", only.len() - 1) } else { String::new() };
            reasons.push(format!("only the {which} image has {}{more}", clip::line(platform, 60)));
        }
    }
    if diff.platforms.iter().any(|platform| platform.layers.len() > LAYERS) {
        reasons.push(format!("only the first {LAYERS} layers of a platform are told"));
    }
    let partial =
        diff.platforms.iter().flat_map(|platform| &platform.layers).filter(|l| l.incomplete.is_some()).count();
    if partial > 0 {
        reasons.push(format!("{partial} of the layers could not be compared to their end"));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The layer, unless all that differs in it is ignored, and how much was ignored.
fn explain_layer(
    layer: &LayerDiff,
    platform: &PlatformDiff,
    plan: Option<&Plan<'_>>,
    ignore: &GlobSet,
) -> (Option<CulpritLayer>, u64) {
    let changes: Vec<FileChange> =
        layer.changes.iter().filter(|change| !ignore.is_match(&change.path)).cloned().collect();
    let ignored = (layer.changes.len() - changes.len()) as u64;
    let total = layer.total.max(layer.changes.len() as u64) - ignored;
    let note = note(layer, total);
    if total == 0 && note.is_none() && ignored > 0 {
        return (None, ignored);
    }
    let mut place = place::find(plan, layer, platform.layer_counts, &platform.platform);
    let mut findings = findings(&changes, &place);
    rank(&mut findings, &changes);
    let told: u64 = findings.iter().take(MAX_FILES).map(|found| found.changes.len() as u64).sum();
    findings.truncate(MAX_FILES);
    place.point_at_maker(findings.iter().filter(|found| found.finding.rank < 5).map(|found| found.path(&changes)));
    let told_layer = CulpritLayer {
        platform: clip::line(&platform.platform, 60),
        layer: layer.index.0.or(layer.index.1).unwrap_or(0) + 1,
        instruction: place.instruction,
        location: place.location,
        origin: place.origin,
        files: findings.into_iter().map(|found| found.told(&changes)).collect(),
        more: total - told,
        note,
    };
    (Some(told_layer), ignored)
}

/// What there is to say of the layer as a whole.
fn note(layer: &LayerDiff, total: u64) -> Option<String> {
    let said = if layer.only_compression {
        Some("The content is the same; only the compressed bytes differ: another compressor or level made them.")
    } else if layer.index.1.is_none() {
        Some("Only the first image has this layer.")
    } else if layer.index.0.is_none() {
        Some("Only the second image has this layer.")
    } else if layer.order {
        Some("The same entries stand in another order in the layer.")
    } else if total == 0 && layer.changes.is_empty() {
        Some("The entries are the same; the archive around them differs.")
    } else {
        None
    };
    let partly = layer
        .incomplete
        .as_ref()
        .map(|why| format!("Not everything was compared: {}.", clip::line(why, 160).trim_end_matches('.')));
    let parts: Vec<String> = said.map(str::to_owned).into_iter().chain(partly).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A finding and the changes it is about: one, or two that are one file with two names.
struct Found {
    finding: Finding,
    changes: Vec<usize>,
}

impl Found {
    fn path<'c>(&self, changes: &'c [FileChange]) -> &'c str {
        self.changes.first().map_or("", |at| &changes[*at].path)
    }

    fn told(self, changes: &[FileChange]) -> CulpritFile {
        let how: BTreeSet<How> = self.changes.iter().flat_map(|at| changes[*at].how.iter().copied()).collect();
        CulpritFile {
            path: clip::cut(&format!("/{}", self.path(changes)), clip::PATH),
            how: how.into_iter().collect(),
            cause: self.finding.cause,
            evidence: clip::line(&self.finding.evidence, clip::EVIDENCE),
        }
    }
}

fn findings(changes: &[FileChange], place: &Place) -> Vec<Found> {
    let pairs = names::pair_up(changes);
    let paired: BTreeSet<usize> = pairs.iter().flat_map(|pair| [pair.a, pair.b]).collect();
    let mut found: Vec<Found> = Vec::with_capacity(changes.len());
    for pair in pairs {
        let (a, b) = (&changes[pair.a].path, &changes[pair.b].path);
        let cause = match pair.inside {
            true => Cause::RandomName,
            false => names::cause(a, b, &place.hints(a)),
        };
        let evidence = format!("{} / {}", clip::cut(names::split(a).1, 70), clip::cut(names::split(b).1, 70));
        let evidence = if pair.inside { "in a directory with another name".to_owned() } else { evidence };
        let rank = if pair.inside { 5 } else { 0 };
        found.push(Found { finding: Finding { cause, evidence, rank }, changes: vec![pair.a, pair.b] });
    }
    for (at, change) in changes.iter().enumerate().filter(|(at, _)| !paired.contains(at)) {
        found.push(Found { finding: classify::classify(change, &place.hints(&change.path)), changes: vec![at] });
    }
    found
}

/// The most telling first, the order of the image otherwise. Many of one cause do not crowd out the others, and a directory
/// whose time says only that something in it changed comes last.
fn rank(found: &mut [Found], changes: &[FileChange]) {
    let mut seen = BTreeMap::<Cause, usize>::new();
    found.sort_by_key(|found| (found.finding.rank, found.changes.first().copied()));
    for found in found.iter_mut() {
        let seen = seen.entry(found.finding.cause).or_default();
        *seen += 1;
        let path = found.path(changes);
        let inside = |change: &FileChange| change.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        if found.finding.rank == 6 && !changes.iter().any(inside) {
            found.finding.rank = 4;
        }
        if *seen > OF_A_KIND && found.finding.rank < 6 {
            found.finding.rank += 10;
        }
    }
    found.sort_by_key(|found| found.finding.rank);
}

#[cfg(test)]
mod tests;
