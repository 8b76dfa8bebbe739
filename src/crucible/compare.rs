//! From two images to checks. Where their digests agree nothing is read; where they do not, the second image is fetched and
//! everything that can be told apart is.

use std::path::{Path, PathBuf};

use super::culprit::{self, DockerfileSource};
use super::proof::{Check, CheckKind, CheckState, Culprits, Pass};
use super::{Prover, binaries, version};
use crate::build::cold::PassOrder;
use crate::build::{Candidate, Content, FirstPass, cold};
use crate::image::diff::{self, Image, ImageDiff};
use crate::image::{Digest, Layout};
use crate::plan::{CruciblePlan, Step};
use crate::problem::{Failure, FailureKind, Problem};

/// What comparing two images gives.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Checks of the images.
    pub(super) checks: Vec<Check>,
    /// Why they differ.
    pub(super) culprits: Option<Culprits>,
    /// The full listing, in the run's private directory.
    pub(super) listing: Option<PathBuf>,
}

/// What every image is checked for.
const ARTIFACT: [CheckKind; 5] =
    [CheckKind::ImageDigest, CheckKind::ConfigDigest, CheckKind::DiffIds, CheckKind::LayerBytes, CheckKind::Binary];

/// Checks that the passes went the same way.
pub(super) fn executions(passes: &[Pass]) -> Vec<Check> {
    let [first, second, ..] = passes else { return Vec::new() };
    let plan = match (&first.plan_hash, &second.plan_hash) {
        (Some(a), Some(b)) if a == b => check(CheckKind::PlanHash, CheckState::Match, a.clone()),
        (Some(a), Some(b)) => {
            let detail = format!("{a} / {b}: the repository changed between the passes");
            check(CheckKind::PlanHash, CheckState::Differs, detail)
        }
        _ => check(CheckKind::PlanHash, CheckState::Unavailable, "a pass did not tell its plan".to_owned()),
    };
    let name = |pairs: &[(String, String)], name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let other: Vec<String> = first
        .environment
        .iter()
        .filter(|(key, value)| name(&second.environment, key).as_ref() != Some(value))
        .map(|(key, value)| format!("{key}: {value} / {}", name(&second.environment, key).unwrap_or_default()))
        .collect();
    let state = match other.is_empty() && first.environment.len() == second.environment.len() {
        true => CheckState::Match,
        false => CheckState::Differs,
    };
    vec![plan, check(CheckKind::Environment, state, other.join("; "))]
}

/// Compares the candidate with the image of the second pass.
///
/// # Errors
/// When a signal ends it. That something cannot be compared is a finding, not an error.
pub(super) async fn images(
    candidate: &Candidate,
    second: &Digest,
    order: &PassOrder,
    (step, wanted, first): (&Step, &CruciblePlan, &FirstPass),
    prover: Prover<'_>,
) -> Result<Compared, Failure> {
    let asks_version = !wanted.version_command.is_empty();
    if candidate.digest == *second {
        let mut checks = ARTIFACT.map(|kind| check(kind, CheckState::Match, String::new())).to_vec();
        checks[0].detail = candidate.digest.to_string();
        let state = if asks_version { CheckState::Match } else { CheckState::NotAsked };
        checks.push(check(CheckKind::Version, state, String::new()));
        return Ok(Compared { checks, ..Compared::default() });
    }
    let digests = format!("{} / {second}", candidate.digest);
    let differs = check(CheckKind::ImageDigest, CheckState::Differs, digests);
    let Content::Layout(layout) = &candidate.content else {
        let what = "a candidate in crucible mode has no layout; please file a bug";
        return Err(Failure::new(FailureKind::Internal, Problem::new(what)));
    };
    let dir = prover.shop.run.scratch(&format!("second-{}", first.index));
    let other = match cold::fetch(first.index, step, order, second, &dir, prover.shop).await {
        Ok(other) => other,
        Err(failure) if failure.kind == FailureKind::Interrupted => return Err(failure),
        Err(failure) => return Ok(unavailable(differs, asks_version, &failure.to_string())),
    };
    let listing = prover.shop.run.scratch(&format!("differences-{}.json", first.index));
    let found = match read(layout, &other, wanted, &listing, prover).await? {
        Ok(found) => found,
        Err(why) => return Ok(unavailable(differs, asks_version, &why)),
    };
    let mut checks = vec![differs];
    checks.extend(layers(&found.diff));
    checks.extend(found.binaries);
    checks.extend(versions(layout, &other, &found.diff, (first.index, wanted), prover).await);
    let dockerfile = prover.request.source.dockerfile(&step.dockerfile).map(|text| DockerfileSource {
        path: &step.dockerfile,
        text,
        target: step.target.as_deref(),
        build_args: &step.build_args,
    });
    let culprits = culprit::explain(&found.diff, dockerfile, &wanted.ignore);
    // As large as the image, and no longer needed. What cannot be removed now goes with the run's directory.
    let _ = tokio::fs::remove_dir_all(&dir).await;
    Ok(Compared { checks, culprits: Some(culprits), listing: Some(listing) })
}

/// What reading both images gave.
struct Found {
    diff: ImageDiff,
    binaries: Vec<Check>,
}

/// Reads what differs, on a thread of its own. The inner error is why it cannot be read.
async fn read(
    a: &Layout,
    b: &Layout,
    wanted: &CruciblePlan,
    listing: &Path,
    prover: Prover<'_>,
) -> Result<Result<Found, String>, Failure> {
    let (a, b, wanted, listing) = (a.clone(), b.clone(), wanted.clone(), listing.to_owned());
    let cancel = prover.shop.cancel.clone();
    let work = move || {
        let (left, right) = (a.root().map_err(|e| e.to_string())?, b.root().map_err(|e| e.to_string())?);
        let file = std::fs::File::create(&listing).map_err(|e| format!("no listing can be written: {e}"))?;
        let mut out = std::io::BufWriter::new(file);
        let (left, right) = (Image { layout: &a, root: left }, Image { layout: &b, root: right });
        let diff = diff::diff(left, right, Some(&mut out), &cancel).map_err(|e| e.to_string())?;
        let binaries = binaries::checks((&a, &b), &diff, &wanted.binaries, &cancel);
        Ok(Found { diff, binaries })
    };
    let read = tokio::task::spawn_blocking(work).await;
    if prover.shop.cancel.is_cancelled() {
        let what = "comparing the images was stopped by a signal";
        return Err(Failure::new(FailureKind::Interrupted, Problem::new(what)));
    }
    read.map_err(|e| Failure::new(FailureKind::Internal, Problem::new(e.to_string())))
}

/// The images differ, and nothing more can be said.
fn unavailable(differs: Check, asks_version: bool, why: &str) -> Compared {
    let rest = ARTIFACT[1..].iter().map(|kind| check(*kind, CheckState::Unavailable, why.to_owned()));
    let version = match asks_version {
        true => check(CheckKind::Version, CheckState::Unavailable, why.to_owned()),
        false => check(CheckKind::Version, CheckState::NotAsked, String::new()),
    };
    Compared { checks: std::iter::once(differs).chain(rest).chain([version]).collect(), ..Compared::default() }
}

/// What configs and layers say, for every platform that differs.
fn layers(diff: &ImageDiff) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut push = |kind, subject: &str, same: bool, detail: String| {
        let state = if same { CheckState::Match } else { CheckState::Differs };
        checks.push(Check { kind, subject: subject.to_owned(), state, detail });
    };
    for found in &diff.platforms {
        let (a, b) = &found.configs;
        let count = found.layer_counts.0.max(found.layer_counts.1);
        let content = found.layers.iter().filter(|layer| !layer.only_compression).count();
        let told = |n: usize| if n == 0 { String::new() } else { format!("{n} of {count} layers") };
        push(
            CheckKind::ConfigDigest,
            &found.platform,
            a == b,
            if a == b { a.to_string() } else { format!("{a} / {b}") },
        );
        push(CheckKind::DiffIds, &found.platform, content == 0, told(content));
        push(CheckKind::LayerBytes, &found.platform, found.layers.is_empty(), told(found.layers.len()));
    }
    for platform in diff.only_in_a.iter().chain(&diff.only_in_b) {
        push(CheckKind::DiffIds, platform, false, "only one of the images has this platform".to_owned());
    }
    if checks.is_empty() {
        // The indexes differ, and the images in them do not.
        checks.extend(ARTIFACT[1..4].iter().map(|kind| check(*kind, CheckState::Match, String::new())));
    }
    checks
}

/// What both images say of their version, for every platform that differs.
async fn versions(
    a: &Layout,
    b: &Layout,
    diff: &ImageDiff,
    (index, wanted): (usize, &CruciblePlan),
    prover: Prover<'_>,
) -> Vec<Check> {
    let command = &wanted.version_command;
    if command.is_empty() {
        return vec![check(CheckKind::Version, CheckState::NotAsked, String::new())];
    }
    let mut checks = Vec::new();
    for found in &diff.platforms {
        let dir = prover.shop.run.scratch(&format!("version-{index}"));
        let (first, second) = (&found.manifests.0, &found.manifests.1);
        let first = version::ask(command, (a, first), &found.platform, &dir, prover.shop).await;
        let second = version::ask(command, (b, second), &found.platform, &dir, prover.shop).await;
        let (state, detail) = match (first, second) {
            (Ok(a), Ok(b)) if a == b => (CheckState::Match, a),
            (Ok(a), Ok(b)) => (CheckState::Differs, format!("{a} / {b}")),
            (Err(problem), _) | (_, Err(problem)) => (CheckState::Unavailable, problem.what),
        };
        checks.push(Check { kind: CheckKind::Version, subject: found.platform.clone(), state, detail });
    }
    if checks.is_empty() {
        checks.push(check(CheckKind::Version, CheckState::Match, String::new()));
    }
    checks
}

fn check(kind: CheckKind, state: CheckState, detail: String) -> Check {
    Check { kind, subject: String::new(), state, detail }
}
