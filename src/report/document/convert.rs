//! From the run's own types to those of the document.

mod legs;
mod proof;
mod time;

use std::collections::BTreeSet;

use super::*;
use crate::buildx::event;
use crate::event::Span;
use crate::outcome;
use crate::plan::{self, BuildMode};
use crate::problem;
use crate::runner::{CiContext, ForgeKind, Trust};

/// Mode of a build that is to be proven.
const CRUCIBLE: &str = "crucible";

pub(super) fn document(outcome: &Outcome) -> Document {
    let plan = outcome.plan.as_ref();
    let builds = builds(outcome);
    Document {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        status: status(outcome),
        exit_code: exit_code(outcome),
        failure: outcome.failure.as_ref().map(failure),
        started: outcome.started.to_string(),
        seconds: seconds(outcome.took.as_secs_f64()),
        context: context(&outcome.context, plan.and_then(|p| p.commit.clone())),
        version: plan.map(|p| version(&p.version)),
        builder: outcome.builder.as_ref().map(builder),
        cache: plan.map(|p| cache(&p.cache)),
        trust: lowest_trust(&builds),
        builds,
        left_out: plan.map(|p| p.left_out.iter().map(decision).collect()).unwrap_or_default(),
        retention: outcome.swept.iter().map(swept).collect(),
        signing: outcome.signing.as_ref().map(signing),
        phases: outcome.phases.iter().map(time::span).collect(),
        notes: notes(outcome),
    }
}

/// A run that must not exit with 0 did not succeed, whatever it says of itself.
fn status(outcome: &Outcome) -> Status {
    match outcome.status {
        End::Cancelled => Status::Cancelled,
        End::Success if exit_code(outcome) == 0 => Status::Success,
        End::Success | End::Failure => Status::Failure,
    }
}

/// Milliseconds are enough, and print well.
fn seconds(exact: f64) -> f64 {
    (exact * 1000.0).round() / 1000.0
}

fn swept(swept: &crate::retention::Swept) -> SweptRepository {
    SweptRepository {
        repository: swept.plan.repository.to_string(),
        targets: swept.plan.targets.clone(),
        complete: swept.is_whole(),
        deleted: swept.deleted.iter().map(ToString::to_string).collect(),
        manifests: swept.manifests as u64,
        staying: swept.plan.staying.len() as u64,
        left: swept.left.iter().map(|left| LeftTag { tag: left.tag.to_string(), why: left.why.clone() }).collect(),
    }
}

/// The plan's notes and those of the run, each once.
fn notes(outcome: &Outcome) -> Vec<Problem> {
    let planned = outcome.plan.iter().flat_map(|p| &p.notes).map(|what| problem(&problem::Problem::new(what.as_str())));
    let mut seen = BTreeSet::new();
    outcome.notes.iter().map(problem).chain(planned).filter(|note| seen.insert(note.what.clone())).collect()
}

/// Every build of the plan, also those the run never came to.
fn builds(outcome: &Outcome) -> Vec<Build> {
    let steps = || outcome.plan.iter().flat_map(|p| &p.steps);
    let mut builds: Vec<Build> =
        outcome.builds.iter().map(|b| build(b, steps().find(|step| step.id == b.id), &outcome.phases)).collect();
    for step in steps().filter(|step| outcome.builds.iter().all(|b| b.id != step.id)) {
        builds.push(never_began(step));
    }
    builds
}

/// The lowest level of the builds that were to be proven. One that has none takes it from all.
pub(in crate::report) fn lowest_trust<'b>(builds: impl IntoIterator<Item = &'b Build>) -> Option<TrustLevel> {
    let asked = |build: &&Build| build.proof.is_some() || build.plan.as_ref().is_some_and(|plan| plan.mode == CRUCIBLE);
    let levels = builds.into_iter().filter(asked).map(|build| build.proof.as_ref().and_then(|proof| proof.trust));
    // `None` is lower than every level.
    levels.min().flatten()
}

fn never_began(step: &plan::Step) -> Build {
    Build {
        id: step.id.clone(),
        required: step.required,
        state: BuildState::NotRun,
        why: Some("the run ended before it".to_owned()),
        build_failure: None,
        failure: None,
        plan: Some(build_plan(step)),
        seconds: 0.0,
        digest: None,
        image_id: None,
        verified: None,
        proof: None,
        published: Vec::new(),
        others: Vec::new(),
        signatures: Vec::new(),
        loaded: Vec::new(),
        layout: None,
        leg: legs::leg(step, None),
        legs: Vec::new(),
        targets: step.targets.iter().map(decision).collect(),
        layers: Vec::new(),
        caches: Vec::new(),
        warnings: Vec::new(),
        metadata: None,
    }
}

fn build(build: &outcome::BuildOutcome, step: Option<&plan::Step>, phases: &[Span]) -> Build {
    let (state, why, build_failure, failed) = match &build.state {
        Fate::Done => (BuildState::Done, None, None, None),
        Fate::BuildFailed(f) => (BuildState::BuildFailed, None, Some(broken(f)), None),
        Fate::Failed(f) => (BuildState::Failed, None, None, Some(failure(f))),
        Fate::NotRun { why } => (BuildState::NotRun, Some(why.clone()), None, None),
    };
    Build {
        id: build.id.clone(),
        required: build.required,
        state,
        why,
        build_failure,
        failure: failed,
        plan: step.map(build_plan),
        seconds: seconds(build.took.as_secs_f64()),
        digest: build.digest.as_ref().map(ToString::to_string),
        image_id: build.image_id.as_ref().map(ToString::to_string),
        verified: build.verified.clone(),
        proof: build.proof.as_ref().map(proof::proof),
        published: build.published.iter().map(published).collect(),
        others: build.others.iter().map(other_tag).collect(),
        signatures: build.signatures.iter().map(signature).collect(),
        loaded: build.loaded.clone(),
        layout: build.layout.clone(),
        leg: step.and_then(|step| legs::leg(step, Some(build))),
        legs: build.legs.iter().map(legs::merged).collect(),
        targets: step.map(|s| s.targets.iter().map(decision).collect()).unwrap_or_default(),
        layers: time::layers(build, phases),
        caches: build.caches.iter().map(time::cache_source).collect(),
        warnings: build.warnings.iter().map(warning).collect(),
        metadata: build.metadata.clone(),
    }
}

fn signing(from: &outcome::Signing) -> Signing {
    match from.clone() {
        outcome::Signing::With { how, program } => {
            Signing { state: SigningState::Signed, how: Some(how), program: Some(program), why: None }
        }
        outcome::Signing::Off { why } => {
            Signing { state: SigningState::NotSigned, how: None, program: None, why: Some(why) }
        }
    }
}

fn signature(from: &outcome::Signature) -> Signature {
    Signature {
        repository: from.repository.to_string(),
        digest: from.digest.to_string(),
        state: match from.state {
            outcome::SignatureState::Made => SignatureState::Made,
            outcome::SignatureState::Stood => SignatureState::Stood,
        },
        attestation: from.attestation.as_ref().map(ToString::to_string),
    }
}

fn build_plan(step: &plan::Step) -> BuildPlan {
    let (output, names) = match &step.output {
        plan::Output::Publish { targets } => {
            let reference =
                |t: &plan::TargetPlan| t.tags.iter().map(|tag| format!("{}:{tag}", t.repository)).collect::<Vec<_>>();
            (Output::Publish, targets.iter().flat_map(reference).collect())
        }
        plan::Output::Load { names } => (Output::Load, names.clone()),
        plan::Output::Layout { dir } | plan::Output::LoadOrLayout { dir, .. } => (Output::Layout, vec![dir.clone()]),
    };
    BuildPlan {
        dockerfile: step.dockerfile.clone(),
        context: step.context.clone(),
        target: step.target.clone(),
        platforms: step.platforms.clone(),
        depends_on: step.depends_on.clone(),
        mode: match step.build_mode {
            BuildMode::Plain => "plain",
            BuildMode::Crucible => CRUCIBLE,
        }
        .to_owned(),
        output,
        names,
        plan_hash: step.plan_hash.clone(),
    }
}

fn context(ci: &CiContext, planned_commit: Option<String>) -> Context {
    let untrusted_because = match &ci.trust {
        Trust::Trusted => None,
        Trust::Untrusted { reason } => Some(reason.clone()),
    };
    Context {
        forge: match ci.forge {
            ForgeKind::GitHub => Forge::GitHub,
            ForgeKind::Gitea => Forge::Gitea,
            ForgeKind::Forgejo => Forge::Forgejo,
            ForgeKind::GitLab => Forge::GitLab,
            ForgeKind::Local => Forge::Local,
        },
        event: name_of(&ci.event),
        event_name: ci.event_name.clone(),
        trusted: untrusted_because.is_none(),
        untrusted_because,
        repository: ci.repository.clone(),
        repository_url: ci.repository_url.clone(),
        server_url: ci.server_url.clone(),
        commit: ci.commit.clone().or(planned_commit),
        branch: ci.branch.clone(),
        tag: ci.tag.clone(),
        pull_request: ci.pull_request.as_ref().map(|pr| PullRequest {
            number: pr.number,
            head_ref: pr.head_ref.clone(),
            base_ref: pr.base_ref.clone(),
            head_sha: pr.head_sha.clone(),
            head_repository: pr.head_repository.clone(),
        }),
        pipeline: ci.pipeline.clone(),
        attempt: ci.attempt,
        job: ci.job.clone(),
        job_url: ci.job_url.clone(),
        runner: ci.runner.clone(),
        actor: ci.actor.clone(),
    }
}

/// The name serde gives a unit variant.
fn name_of(variant: &impl serde::Serialize) -> String {
    serde_json::to_value(variant).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(crate) fn failure(failure: &problem::Failure) -> Failure {
    Failure { kind: name_of(&failure.kind), problems: failure.problems.iter().map(problem).collect() }
}

fn problem(problem: &problem::Problem) -> Problem {
    Problem {
        what: problem.what.clone(),
        location: problem.location.as_ref().map(location),
        snippet: problem.snippet.clone(),
        hint: problem.hint.clone(),
    }
}

fn location(at: &problem::Location) -> Location {
    Location { file: at.file.clone(), line: at.line, column: at.column }
}

fn broken(failure: &event::BuildFailure) -> BuildFailure {
    let error = |e: &event::BuildError| BuildError {
        tool: e.tool.clone(),
        location: e.location.as_ref().map(location),
        message: e.message.clone(),
        raw: e.raw.clone(),
    };
    // The readers promise a tail; should they break their word, BuildKit's last word is one.
    let tail = if failure.tail.is_empty() { vec![failure.summary.clone()] } else { failure.tail.clone() };
    BuildFailure {
        summary: failure.summary.clone(),
        dockerfile: failure.dockerfile.as_ref().map(location),
        errors: failure.errors.iter().map(error).collect(),
        tail,
    }
}

fn published(tag: &outcome::PublishedTag) -> PublishedTag {
    PublishedTag {
        target: tag.target.clone(),
        repository: tag.repository.to_string(),
        tag: tag.tag.to_string(),
        reference: format!("{}:{}", tag.repository, tag.tag),
        digest: tag.digest.to_string(),
        was: tag.was.as_ref().map(ToString::to_string),
    }
}

fn other_tag(tag: &outcome::OtherTag) -> OtherTag {
    OtherTag {
        target: tag.target.clone(),
        repository: tag.repository.to_string(),
        tag: tag.tag.to_string(),
        reference: format!("{}:{}", tag.repository, tag.tag),
        fate: match tag.fate {
            outcome::TagFate::Left => TagFate::Left,
            outcome::TagFate::PutBack => TagFate::PutBack,
            outcome::TagFate::Removed => TagFate::Removed,
            outcome::TagFate::Taken => TagFate::Taken,
            outcome::TagFate::Unknown => TagFate::Unknown,
        },
        holds: tag.holds.as_ref().map(ToString::to_string),
        why: tag.why.clone(),
        hint: tag.hint.clone(),
    }
}

fn warning(warning: &event::Warning) -> Warning {
    Warning {
        message: warning.message.clone(),
        detail: warning.detail.clone(),
        url: warning.url.clone(),
        location: warning.location.as_ref().map(location),
    }
}

fn version(version: &plan::Version) -> Version {
    Version {
        full: version.full.clone(),
        base: version.base.clone(),
        major: version.major.clone(),
        minor: version.minor.clone(),
        patch: version.patch.clone(),
        prerelease: version.prerelease.clone(),
        release: version.release,
    }
}

fn builder(facts: &outcome::BuilderFacts) -> Builder {
    Builder {
        name: facts.name.clone(),
        driver: facts.driver.clone(),
        backend: facts.backend.clone(),
        endpoint: facts.endpoint.clone(),
        action: facts.action.clone(),
        status: facts.status.clone(),
        buildkit: facts.buildkit.clone(),
        buildx: facts.buildx.clone(),
        platforms: facts.platforms.clone(),
        seconds: seconds(facts.seconds),
    }
}

fn cache(plan: &plan::CachePlan) -> Cache {
    Cache {
        mode: plan.mode.clone(),
        branch: plan.branch.clone(),
        fallback: plan.fallback.clone(),
        skipped: plan.skipped.clone(),
    }
}

fn decision(decision: &plan::Decision) -> Decision {
    Decision { id: decision.id.clone(), included: decision.included, why: decision.why.clone() }
}
