//! The straight line of a run: each stage takes a value and returns a new one, and what it came to is noted for the report.
//!
//! Nothing here prints, decides how things look, or knows how a stage works.

mod ledger;
mod leg;
mod make;
mod merge;
mod publication;

use tokio_util::sync::CancellationToken;

use crate::access;
use crate::build::{self, Workshop};
use crate::buildx::tool::Buildx;
use crate::crucible::{self, Prover, Verified};
use crate::event::Events;
use crate::outcome::{BuildState, Outcome};
use crate::plan::{self, Plan};
use crate::problem::{Failure, FailureKind, Problem};
use crate::publish::record;
use crate::report;
use crate::request::Request;
use crate::rundir::RunDir;
use make::{Made, Making};
use publication::Publishing;

pub(crate) use make::prepare;
pub use merge::merge;

/// How long a BuildKit of our own may take to end.
const ORDERLY: std::time::Duration = std::time::Duration::from_secs(4);

/// Does what was asked for. Whatever was reached stands in `outcome`, also when this ends early.
///
/// # Errors
/// Why it was not all done.
pub async fn run(
    request: &Request,
    events: &Events,
    cancel: &CancellationToken,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    // What is going to happen, decided before anything is touched.
    let plan = plan::resolve(request)?;
    outcome.plan = Some(plan.clone());
    events
        .section("plan", "Plan", async { Ok((events.info(plan::render::text(&plan)).await, "ready".to_owned())) })
        .await?;
    crucible::candidate::refuse_nested(&plan.steps, &request.vars)?;
    if plan.steps.is_empty() {
        return Ok(());
    }
    report::write::withdraw(&request.source.root, record::FILE);
    leg::withdraw(request, &plan);
    // Secrets live in a private directory, which is gone when this function returns or is dropped.
    let private = private_directory(request)?;
    let ended = Box::pin(build_and_publish(request, plan, &private, events, cancel, outcome)).await;
    if let Err(error) = private.close() {
        let what = format!("the run's private directory could not be removed: {error}");
        outcome.notes.push(Problem::new(what).hint("the next run of this user on this machine removes it"));
    }
    ended
}

async fn build_and_publish(
    request: &Request,
    plan: Plan,
    private: &RunDir,
    events: &Events,
    cancel: &CancellationToken,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    // Logins.
    let access = access::resolve(request, &plan, cancel).await?;
    let trust = access.write(private)?;
    outcome.notes.extend(access.notes.iter().cloned());
    // Build: one solve a step; its content goes to every registry by digest, under no tag. Beside its first seconds, whether
    // what follows can succeed: a check that fails stops it.
    let buildx = Buildx::locate(&request.vars, private, &request.source.root).map_err(unusable)?.with_env(trust);
    if plan.steps.iter().all(|step| step.crucible.is_none()) {
        buildx.remember_contexts(&request.vars, private);
    }
    let made = make::make(Making { request, access: &access, buildx: &buildx, private, events, cancel }, plan, outcome);
    let Made { backend, plan, workplace, signing, built, facts } = made.await?;
    let shop = workplace.shop(&backend, &access, request, private, events, cancel);
    let candidates = ledger::note_builds(built, outcome);
    let mut ready = ledger::required_builds(outcome, cancel);
    // Prove: only what passes the gate can be published.
    let mut verified = Vec::new();
    if ready.is_ok() {
        let prover = Prover { request, plan: &plan, shop, facts: &facts };
        verified = ledger::note_proofs(crucible::prove(candidates, prover).await, request, outcome);
        deliver(&mut verified, &plan, shop, outcome).await;
        ready = ledger::required_builds(outcome, cancel);
    }
    ledger::record_builder(request, &facts, outcome);
    ready?;
    // Attest: what was proven, in writing.
    let statements = ledger::attest(&verified, request, &plan, outcome)?;
    // Publish: all content everywhere first, then what is said about it, tags after that.
    let at = Publishing { request, plan: &plan, signing: &signing, access: &access, private, events, cancel };
    let done = if plan.steps.iter().any(|step| step.leg.is_some()) {
        // A leg goes no further than its content: whoever merges puts the tags.
        leg::hand_over(verified, &statements, &facts, at, outcome).await
    } else {
        publication::to_the_end(verified, &statements, at, outcome).await
    };
    // A BuildKit of our own ends in good order: what it keeps is read by the next run.
    if let Some(daemon) = &workplace.builder.daemon {
        daemon.end(ORDERLY).await;
    }
    done
}

pub(crate) fn private_directory(request: &Request) -> Result<RunDir, Failure> {
    let temp = &request.context.files.temp;
    RunDir::create(temp).map_err(|e| {
        let what = format!("no private directory can be made in {}: {e}", temp.display());
        unusable(Problem::new(what).hint("make it writable, or set RUNNER_TEMP (or TMPDIR) to a directory that is"))
    })
}

pub(crate) fn unusable(problem: Problem) -> Failure {
    Failure::new(FailureKind::Backend, problem)
}

/// Proven images go where they are wanted beside registries. One that cannot is a build that failed.
async fn deliver(verified: &mut Vec<Verified>, plan: &Plan, shop: Workshop<'_>, outcome: &mut Outcome) {
    let mut kept = Vec::new();
    for image in verified.drain(..) {
        let id = &image.candidate().build;
        let step = plan.steps.iter().find(|step| step.id == *id);
        let noted = outcome.builds.iter_mut().find(|b| b.id == *id);
        if let (Some(step), Some(noted)) = (step, noted)
            && let Err(failure) = build::deliver(image.candidate(), step, noted, shop).await
        {
            noted.state = BuildState::Failed(failure);
            continue;
        }
        kept.push(image);
    }
    *verified = kept;
}
