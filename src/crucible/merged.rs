//! The gate for an image that was merged from legs: each was proven, or not, by the job that built it. No leg's own word for its
//! level is taken: it is judged again here, and the lowest is the whole's.

use super::proof::{Check, LegProof, Pass, Proof};
use super::{Proven, Verified, trust};
use crate::build::Candidate;
use crate::legs::CheckedLeg;
use crate::legs::document;
use crate::plan::{CruciblePlan, CrucibleRunner, Step, TrustLevel};
use crate::problem::{Failure, FailureKind};

/// Takes a merged image through the gate.
pub fn merged(candidate: Candidate, step: &Step, legs: &[CheckedLeg]) -> Proven {
    let build = candidate.build.clone();
    let Some(wanted) = &step.crucible else {
        let verified = Ok(Verified::waived(candidate, "the build does not ask for the crucible"));
        return Proven { build, proof: None, listing: None, notes: Vec::new(), verified };
    };
    let told: Vec<Told<'_>> = legs.iter().map(Told::of).collect();
    let proof = judge(&told, step, wanted);
    let verified = match proof.refusal(&build) {
        Some(problem) => Err(Failure::new(FailureKind::Verification, problem)),
        None => Ok(Verified { candidate, how: proof.verdict(), proof: Some(proof.clone()) }),
    };
    Proven { build, proof: Some(proof), listing: None, notes: Vec::new(), verified }
}

/// What is needed of a leg to judge it.
struct Told<'a> {
    platform: &'a str,
    digest: &'a crate::image::Digest,
    job_url: Option<&'a str>,
    proof: Option<&'a document::Proof>,
}

impl<'a> Told<'a> {
    fn of(leg: &'a CheckedLeg) -> Self {
        let document = leg.document();
        Self {
            platform: leg.platform(),
            // What was looked up in the registry, not what the document says.
            digest: &leg.root().digest,
            job_url: document.run.job_url.as_deref(),
            proof: document.proof.as_ref(),
        }
    }
}

fn judge(legs: &[Told<'_>], step: &Step, wanted: &CruciblePlan) -> Proof {
    let mut whole = Proof::begun(hex::encode(rand::random::<[u8; 6]>()), wanted);
    let (mut levels, mut passed) = (Vec::new(), !legs.is_empty());
    for leg in legs {
        let (level, good) = one(leg, step, wanted, &mut whole);
        levels.push(level);
        passed &= good;
    }
    // Ran one second pass by this program, the whole was not run by candidates.
    if legs.iter().any(|leg| leg.proof.is_some_and(|proof| proof.runner == CrucibleRunner::Rebuild)) {
        whole.runner = CrucibleRunner::Rebuild;
    }
    whole.materials.sort();
    whole.materials.dedup();
    // `None` is lower than every level.
    whole.trust = levels.into_iter().min().flatten();
    whole.passed = passed && whole.trust.is_some();
    whole
}

/// The level of one leg, and whether it may be published.
fn one(leg: &Told<'_>, step: &Step, wanted: &CruciblePlan, whole: &mut Proof) -> (Option<TrustLevel>, bool) {
    let platform = leg.platform;
    let Some(proof) = leg.proof else {
        whole.obstacles.push(format!("{platform}: the leg was not proven"));
        return (None, false);
    };
    let of_this_plan = |pass: &document::Pass| pass.plan_hash.as_ref().is_none_or(|hash| *hash == step.plan_hash);
    let [first, second] = proof.passes.as_slice() else {
        whole.obstacles.push(format!("{platform}: its proof has {} builds, and two are needed", proof.passes.len()));
        return (None, false);
    };
    if first.digest != *leg.digest || !of_this_plan(first) || !of_this_plan(second) {
        whole.obstacles.push(format!("{platform}: its proof is of another image"));
        return (None, false);
    }
    let mut verdict = trust::judge(&proof.checks, wanted.min_trust);
    // Two images that differ are not the same, whatever the checks say.
    if first.digest != second.digest && verdict.trust == TrustLevel::Reproducible {
        verdict.obstacles.push("the two builds gave images that differ".to_owned());
        verdict.trust = TrustLevel::Deterministic;
    }
    let level = verdict.trust.min(proof.trust);
    if proof.trust > level {
        // What it says elsewhere would be believed elsewhere.
        verdict.obstacles.push(format!("its document claims {}, and its checks show {level}", proof.trust));
        verdict.passed = false;
    }
    whole.obstacles.extend(verdict.obstacles.into_iter().map(|why| format!("{platform}: {why}")));
    whole.checks.extend(proof.checks.iter().map(|check| Check {
        subject: match check.subject.strip_prefix(platform) {
            Some(rest) => format!("{platform}{rest}"),
            None => format!("{platform} {}", check.subject).trim_end().to_owned(),
        },
        ..check.clone()
    }));
    whole.materials.extend(proof.materials.iter().cloned());
    whole.legs.push(LegProof {
        platform: platform.to_owned(),
        run_id: proof.run_id.clone(),
        trust: level,
        passes: proof.passes.iter().map(pass).collect(),
        job_url: leg.job_url.map(str::to_owned),
    });
    (Some(level), verdict.passed && level >= wanted.min_trust)
}

fn pass(from: &document::Pass) -> Pass {
    Pass {
        digest: from.digest.clone(),
        took: std::time::Duration::try_from_secs_f64(from.seconds).unwrap_or_default(),
        plan_hash: from.plan_hash.clone(),
        environment: from.environment.clone(),
        by: from.by.clone(),
    }
}

#[cfg(test)]
mod tests;
