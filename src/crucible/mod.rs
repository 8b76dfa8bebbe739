//! The gate between building and publishing: publishing takes a `Verified`, and only this room makes one.
//!
//! A build in crucible mode is built a second time, cold, and compared; what does not earn the trust asked for is not let
//! through. Any other build is waived, with a reason that every report repeats.

pub mod candidate;
pub mod culprit;
pub mod proof;
pub mod rebuild;
pub mod trust;

mod admit;
mod binaries;
mod compare;
mod merged;
mod version;

pub use admit::admit;
pub use merged::merged;
pub use proof::Proof;

use std::path::PathBuf;
use std::time::Duration;

use futures::{StreamExt as _, stream};

use self::rebuild::Rebuilt;
use crate::build::cold::PassOrder;
use crate::build::{Candidate, FirstPass, Workshop};
use crate::buildx::argv;
use crate::event::Phase;
use crate::outcome::BuilderFacts;
use crate::plan::{CruciblePlan, CrucibleRunner, Plan, Step};
use crate::problem::{Failure, FailureKind, Problem};
use crate::request::Request;
use crate::source;

/// How many images are proven at a time: each takes a whole cold build.
const SIDE_BY_SIDE: usize = 2;

/// So much lies between the passes at least: clocks tell whole seconds, and one that got into the image must be seen.
const APART: Duration = Duration::from_millis(1100);

/// An image that may be published. Made only here.
#[derive(Debug, Clone)]
pub struct Verified {
    candidate: Candidate,
    how: String,
    proof: Option<Proof>,
}

impl Verified {
    /// Lets a candidate through without proof; the reason is reported.
    pub fn waived(candidate: Candidate, reason: &str) -> Self {
        Self { candidate, how: format!("not proven: {reason}"), proof: None }
    }

    /// The image.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// How it was proven; `None` where that was waived.
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }

    /// How far it is proven, for people.
    pub fn how(&self) -> &str {
        &self.how
    }
}

/// What a proof is made with.
#[derive(Debug, Clone, Copy)]
pub struct Prover<'a> {
    /// What was asked for: read again for the second pass.
    pub request: &'a Request,
    /// What the first pass followed.
    pub plan: &'a Plan,
    /// What builds.
    pub shop: Workshop<'a>,
    /// The builder, as it was during the first pass.
    pub facts: &'a BuilderFacts,
}

/// An image at the gate.
#[derive(Debug)]
pub struct Proven {
    /// Build id.
    pub build: String,
    /// What was found, in crucible mode.
    pub proof: Option<Proof>,
    /// The full listing of differences, in the run's private directory.
    pub listing: Option<PathBuf>,
    /// What a person should know beside: times that come from the checkout.
    pub notes: Vec<Problem>,
    /// It is let through, or why not.
    pub verified: Result<Verified, Failure>,
}

/// Takes candidates through the gate; the result has one for each, in their order.
pub async fn prove(candidates: Vec<Candidate>, prover: Prover<'_>) -> Vec<Proven> {
    let gates = candidates.into_iter().map(|candidate| gate(candidate, prover));
    stream::iter(gates).buffered(SIDE_BY_SIDE).collect().await
}

async fn gate(candidate: Candidate, prover: Prover<'_>) -> Proven {
    let build = candidate.build.clone();
    let step = prover.plan.steps.iter().find(|step| step.id == build);
    let asked = step.and_then(|step| Some((step, step.crucible.as_ref()?, candidate.first.clone()?)));
    let Some((step, wanted, first)) = asked else {
        let verified = Ok(Verified::waived(candidate, "the build does not ask for the crucible"));
        return Proven { build, proof: None, listing: None, notes: Vec::new(), verified };
    };
    let (mut found, mut listing) = (None, None);
    let notes = tokio::spawn(context_times(step.clone(), prover.shop.root.to_owned()));
    let work = async {
        let proof;
        (proof, listing) = one(&candidate, &first, step, wanted, prover).await?;
        found = Some(proof.clone());
        match proof.refusal(&build) {
            Some(problem) => Err(Failure::new(FailureKind::Verification, problem)),
            None => {
                let verdict = proof.verdict();
                Ok((proof, verdict))
            }
        }
    };
    let title = format!("Prove {build}: pass 2 of 2, cold");
    let (events, id) = (prover.shop.events, format!("prove_{}", first.index));
    let proven = Box::pin(events.timed(Phase::Prove, Some(&build), events.section(&id, &title, work))).await;
    let verified = proven.map(|proof| Verified { candidate, how: proof.verdict(), proof: Some(proof) });
    let notes = notes.await.unwrap_or_default();
    Proven { build, proof: found, listing, notes, verified }
}

/// Times in the image that come from the checkout and not from the commit. Looked at beside the second pass.
async fn context_times(step: Step, root: PathBuf) -> Vec<Problem> {
    let look = move || {
        let epoch = jiff::Timestamp::from_second(step.epoch?).ok()?;
        let rewritten = step.rewrite_timestamp && !argv::is_remote(&step.context);
        rewritten.then(|| source::too_old(&root.join(&step.context), &root.join(&step.dockerfile), epoch)).flatten()
    };
    tokio::task::spawn_blocking(look).await.ok().flatten().into_iter().collect()
}

async fn one(
    candidate: &Candidate,
    first: &FirstPass,
    step: &Step,
    wanted: &CruciblePlan,
    prover: Prover<'_>,
) -> Result<(Proof, Option<PathBuf>), Failure> {
    let (run_id, order) = order(first);
    let passes = vec![rebuild::first(candidate, first, step, prover.facts)];
    let mut proof = Proof { passes, materials: first.materials.clone(), ..Proof::begun(run_id, wanted) };
    tokio::select! {
        () = tokio::time::sleep(APART.saturating_sub(first.took)) => {}
        () = prover.shop.cancel.cancelled() => {}
    }
    let rebuilt = match second(candidate, &order, &proof.run_id, wanted, prover).await {
        Ok(rebuilt) => rebuilt,
        // Stopped, or asked for what cannot be: that is no finding about the image.
        Err(failure) if failure.kind != FailureKind::Verification => return Err(failure),
        Err(failure) => {
            proof.obstacles = vec![format!("there is no second image: {failure}")];
            return Ok((proof, None));
        }
    };
    proof.passes.push(rebuilt.pass());
    let compared = compare::images(candidate, &rebuilt.digest, &order, (step, wanted, first), prover).await?;
    proof.checks = compared.checks;
    proof.checks.extend(compare::executions(&proof.passes));
    proof.checks.sort_by_key(|check| check.kind);
    proof.culprits = compared.culprits;
    let verdict = trust::judge(&proof.checks, wanted.min_trust);
    proof.trust = Some(verdict.trust);
    proof.passed = verdict.passed;
    proof.obstacles = verdict.obstacles;
    Ok((proof, compared.listing))
}

async fn second(
    candidate: &Candidate,
    order: &PassOrder,
    run_id: &str,
    wanted: &CruciblePlan,
    prover: Prover<'_>,
) -> Result<Rebuilt, Failure> {
    match wanted.runner {
        CrucibleRunner::Rebuild => rebuild::run(&candidate.build, prover.request, order, prover.shop).await,
        CrucibleRunner::Candidate => Box::pin(candidate::run(candidate, order, run_id, prover)).await,
    }
}

/// A second pass nobody can have seen before, and the id of the whole proof.
fn order(first: &FirstPass) -> (String, PassOrder) {
    let [id, nonce] = [(); 2].map(|()| hex::encode(rand::random::<[u8; 6]>()));
    let order = PassOrder { nonce, pins: first.materials.clone(), dependencies: first.dependencies.clone() };
    (id, order)
}
