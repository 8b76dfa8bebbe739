//! The straight line of a run: each stage takes a value and returns a new one, and what it came to is noted for the report.
//!
//! Nothing here prints, decides how things look, or knows how a stage works.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backend::builder::{self, Surroundings};
use crate::backend::{self, Backend};
use crate::build::{self, Built, Workshop};
use crate::buildx::progress::Format;
use crate::buildx::tool::{self, Buildx};
use crate::crucible::{self, Proven, Prover, Verified};
use crate::event::Events;
use crate::outcome::{BuildState, BuilderFacts, Outcome};
use crate::plan::{self, Output, Plan};
use crate::problem::{Failure, FailureKind, Problem};
use crate::publish::{self, record};
use crate::report;
use crate::request::Request;
use crate::rundir::RunDir;
use crate::{access, access::Access};

/// How long after the last build the builder's description may take.
const DESCRIPTION: Duration = Duration::from_secs(5);

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
    if plan.steps.is_empty() {
        return Ok(());
    }
    report::write::withdraw(&request.source.root, record::FILE);
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
    // What builds: a daemon or an engine, and a builder on it. Logins are tried meanwhile.
    let buildx = Buildx::locate(&request.vars, private, &request.source.root).map_err(unusable)?.with_env(trust);
    let (workplace, checked) =
        tokio::join!(prepare(request, &plan, &access, &buildx, private, events, cancel), access.check(&plan, cancel));
    let (backend, plan, workplace) = workplace?;
    outcome.notes.extend(backend.notes.iter().chain(&workplace.builder.notes).cloned());
    outcome.plan = Some(plan.clone());
    checked?;
    // Build: one solve a step; its content goes to every registry by digest, under no tag.
    outcome.notes.extend(build::in_the_way(&request.source.root, &plan.steps));
    let shop = Workshop {
        buildx: &workplace.buildx,
        builder: &workplace.builder,
        version: &workplace.version,
        format: workplace.format,
        access: &access,
        engine: backend.engine.as_ref(),
        run: private,
        root: &request.source.root,
        events,
        cancel,
    };
    // A builder that died cannot be described: nobody waits for that long after the last build.
    let enough = cancel.child_token();
    let (built, facts) = tokio::join!(
        async {
            let built = build::run(&plan, shop).await;
            let enough = enough.clone();
            tokio::spawn(async move {
                tokio::time::sleep(DESCRIPTION).await;
                enough.cancel();
            });
            built
        },
        workplace.builder.describe(&workplace.buildx, &workplace.version, &enough)
    );
    outcome.builder = Some(facts.clone());
    let candidates = note_builds(built, outcome);
    let mut ready = required_builds(outcome, cancel);
    // Prove: only what passes the gate can be published.
    let mut verified = Vec::new();
    if ready.is_ok() {
        let prover = Prover { request, plan: &plan, shop, facts: &facts };
        verified = note_proofs(crucible::prove(candidates, prover).await, request, outcome);
        deliver(&mut verified, &plan, shop, outcome).await;
        ready = required_builds(outcome, cancel);
    }
    record_builder(request, &facts, outcome);
    ready?;
    // Publish: all content everywhere first, tags after that.
    let published = publish(verified, &plan, &access, events, cancel, outcome).await;
    // The record of what stands in the registries, whether that is all of it or not.
    let recorded = write_record(request, &plan, outcome);
    match (published, recorded) {
        (Err(failure), Err(more)) => Err(Failure { problems: [failure.problems, more.problems].concat(), ..failure }),
        (published, recorded) => published.and(recorded),
    }
}

/// The builder and how to talk to it.
struct Workplace {
    buildx: Buildx,
    builder: builder::Builder,
    version: semver::Version,
    format: Format,
}

async fn prepare(
    request: &Request,
    plan: &Plan,
    access: &Access,
    buildx: &Buildx,
    private: &RunDir,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<(Backend, Plan, Workplace), Failure> {
    let work = async {
        let needs_engine = |s: &&plan::Step| !s.also_load.is_empty() || matches!(s.output, Output::Load { .. });
        let loads = plan.steps.iter().find(needs_engine);
        let wants_engine =
            loads.is_some() || plan.steps.iter().any(|s| matches!(s.output, Output::LoadOrLayout { .. }));
        let (backend, version) =
            tokio::join!(backend::resolve(&plan.builder, &request.vars, wants_engine), tool::version(buildx, cancel));
        let (backend, version) = (backend?, version.map_err(unusable)?);
        if let (Some(step), None) = (loads, &backend.engine) {
            return Err(no_engine(step));
        }
        let mut plan = plan.clone();
        for step in &mut plan.steps {
            let engine = backend.engine.is_some() && step.platforms.len() <= 1;
            step.output = step.output.clone().settled(engine);
        }
        let buildx = match plan.builder.existing {
            Some(_) => buildx.clone().with_users_builders(&request.vars),
            None => buildx.clone(),
        };
        let (hosts, pulls) = (access::hosts(&plan), access::pull_hosts(&plan));
        let certificates = access.certificates();
        let around = Surroundings {
            registries: &request.config.registries,
            network: &request.config.network,
            proxy: access.proxy(),
            hosts: &hosts,
            pulls: &pulls,
            certificates: &certificates,
            root: &request.source.root,
        };
        let builder = builder::prepare(&backend, &plan.builder, around, &buildx, private, cancel).await?;
        // What cannot be proven here is refused before anything is built.
        crucible::admit(&plan.steps, &backend, builder.driver)?;
        let headline = builder.headline();
        let format = Format::of_buildx(&version);
        Ok(((backend, plan, Workplace { buildx, builder, version, format }), headline))
    };
    events.section("builder", "Builder", work).await
}

fn private_directory(request: &Request) -> Result<RunDir, Failure> {
    let temp = &request.context.files.temp;
    RunDir::create(temp).map_err(|e| {
        let what = format!("no private directory can be made in {}: {e}", temp.display());
        unusable(Problem::new(what).hint("make it writable, or set RUNNER_TEMP (or TMPDIR) to a directory that is"))
    })
}

fn no_engine(step: &plan::Step) -> Failure {
    let what = format!("build {} is to be loaded into a docker engine, and there is none", step.id);
    let hint =
        "set DOCKER_HOST to an engine, or leave out --local and --load: without targets an OCI layout is written";
    unusable(Problem::new(what).hint(hint))
}

fn unusable(problem: Problem) -> Failure {
    Failure::new(FailureKind::Backend, problem)
}

fn note_builds(built: Vec<Built>, outcome: &mut Outcome) -> Vec<build::Candidate> {
    let mut candidates = Vec::new();
    for Built { outcome: build, candidate } in built {
        outcome.builds.push(build);
        candidates.extend(candidate);
    }
    candidates
}

/// What the gate said of each image; those it let through.
fn note_proofs(proven: Vec<Proven>, request: &Request, outcome: &mut Outcome) -> Vec<Verified> {
    let mut through = Vec::new();
    for Proven { build, mut proof, listing, verified } in proven {
        if let (Some(proof), Some(from)) = (&mut proof, listing) {
            let file = proof.listing_file();
            match report::write::put_file(&request.source.root, &file, &from) {
                Ok(()) => proof.culprits.iter_mut().for_each(|culprits| culprits.listing = Some(file.clone())),
                Err(failure) => outcome.notes.extend(failure.problems),
            }
        }
        let Some(noted) = outcome.builds.iter_mut().find(|b| b.id == build) else { continue };
        noted.proof = proof;
        match verified {
            Ok(image) => {
                noted.verified = Some(image.how().to_owned());
                through.push(image);
            }
            Err(failure) => noted.state = BuildState::Failed(failure),
        }
    }
    through
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

/// Nothing is published when a build that is required is not there; one that is not is told and left out.
fn required_builds(outcome: &mut Outcome, cancel: &CancellationToken) -> Result<(), Failure> {
    if cancel.is_cancelled() && outcome.builds.iter().any(|build| build.state != BuildState::Done) {
        return Err(Failure::new(FailureKind::Interrupted, Problem::new("the builds were stopped by a signal")));
    }
    let mut problems = Vec::new();
    let mut kind = FailureKind::Build;
    for build in &outcome.builds {
        let problem = match &build.state {
            BuildState::Done => continue,
            BuildState::BuildFailed(failure) => crate::buildx::errors::problem(failure),
            BuildState::Failed(failure) => {
                kind = failure.kind;
                failure.problems.first().cloned().unwrap_or_else(|| Problem::new("it failed"))
            }
            BuildState::NotRun { why } => Problem::new(format!("build {} was not run: {why}", build.id)),
        };
        if build.required {
            problems.push(problem);
        } else {
            outcome
                .notes
                .push(Problem::new(format!("build {} failed and is not required: {}", build.id, problem.what)));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::many(kind, problems)) }
}

async fn publish(
    verified: Vec<Verified>,
    plan: &Plan,
    access: &Access,
    events: &Events,
    cancel: &CancellationToken,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let wanted: BTreeMap<_, _> = plan
        .steps
        .iter()
        .filter_map(|s| match &s.output {
            Output::Publish { targets } => Some((s.id.as_str(), targets.as_slice())),
            _ => None,
        })
        .collect();
    if verified.iter().all(|image| !wanted.contains_key(image.candidate().build.as_str())) {
        return Ok(());
    }
    let builds = &mut outcome.builds;
    events
        .section("publish", "Publish", async {
            let mut staged = Vec::new();
            for image in verified {
                if let Some(targets) = wanted.get(image.candidate().build.as_str()) {
                    staged.push(publish::stage(image, targets, access, cancel).await?);
                }
            }
            let publication = publish::tag(&staged, events, cancel).await;
            let count = publication.tags.len();
            // Noted before anything else is waited for: a signal may end this at any time.
            for (build, tag) in publication.tags {
                if let Some(build) = builds.iter_mut().find(|b| b.id == build) {
                    build.published.push(tag);
                }
            }
            match publication.failure {
                Some(failure) => Err(failure),
                None => Ok(((), format!("{count} tags"))),
            }
        })
        .await
}

/// The builder's facts, for people and for later jobs. A builder that builds needs no record.
fn record_builder(request: &Request, facts: &BuilderFacts, outcome: &mut Outcome) {
    let text = format!("{:#}\n", serde_json::to_value(facts).unwrap_or_default());
    if let Err(failure) = report::write::put(&request.source.root, builder::RECORD, &text) {
        outcome.notes.extend(failure.problems);
    }
}

fn write_record(request: &Request, plan: &Plan, outcome: &Outcome) -> Result<(), Failure> {
    if outcome.builds.iter().all(|b| b.published.is_empty()) {
        return Ok(());
    }
    let record = record::record(&outcome.context, &outcome.started.to_string(), plan, &outcome.builds)?;
    report::write::put(&request.source.root, record::FILE, &record::canonical(&record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn stopped(required: bool) -> Outcome {
        let mut outcome = fixtures::cancelled();
        outcome.builds.truncate(1);
        outcome.builds[0].required = required;
        outcome.builds[0].state = BuildState::NotRun { why: "the run was stopped before its turn".into() };
        outcome
    }

    #[test]
    fn an_optional_build_may_fail_but_not_be_stopped_unseen() {
        let (going, cancelled) = (CancellationToken::new(), CancellationToken::new());
        cancelled.cancel();
        let mut outcome = stopped(false);
        outcome.notes.clear();
        assert_eq!(required_builds(&mut outcome, &going), Ok(()));
        assert_eq!(outcome.notes.len(), 1, "what was left out is told");
        let failure = required_builds(&mut stopped(false), &cancelled).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Interrupted);
        assert!(required_builds(&mut stopped(true), &going).is_err());
        let mut done = stopped(true);
        done.builds[0].state = BuildState::Done;
        assert_eq!(required_builds(&mut done, &cancelled), Ok(()), "what worked out, worked out");
    }
}
