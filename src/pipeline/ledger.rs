//! What is noted while the line is followed: for the report, for later jobs, and to decide whether to go on.

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::access;
use crate::backend::builder;
use crate::build::{self, Built};
use crate::crucible::{Proven, Verified};
use crate::image::Repository;
use crate::outcome::{BuildOutcome, BuildState, BuilderFacts, Outcome, Signature};
use crate::plan::{Output, Plan, Step};
use crate::problem::{Failure, FailureKind, Problem};
use crate::provenance::{self, Facts};
use crate::publish::Publication;
use crate::publish::attach::{self, Statement};
use crate::publish::record;
use crate::redact::Redactor;
use crate::report;
use crate::request::Request;

pub(super) fn note_builds(built: Vec<Built>, outcome: &mut Outcome) -> Vec<build::Candidate> {
    let mut candidates = Vec::new();
    for Built { outcome: build, candidate } in built {
        outcome.builds.push(build);
        candidates.extend(candidate);
    }
    candidates
}

/// A check failed: what was being built meanwhile was stopped for it, not by a fault of its own.
pub(super) fn halted(built: Vec<Built>, failure: Failure, outcome: &mut Outcome) -> Failure {
    note_builds(built, outcome);
    for build in &mut outcome.builds {
        let stopped = match &build.state {
            BuildState::Failed(failure) => failure.kind == FailureKind::Interrupted,
            state => matches!(state, BuildState::NotRun { .. }),
        };
        if stopped {
            build.state = BuildState::NotRun { why: "it was stopped, because a check before publishing failed".into() };
        }
    }
    failure
}

/// What the gate said of each image; those it let through.
pub(super) fn note_proofs(proven: Vec<Proven>, request: &Request, outcome: &mut Outcome) -> Vec<Verified> {
    let mut through = Vec::new();
    for Proven { build, mut proof, listing, notes, verified } in proven {
        outcome.notes.extend(notes);
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

/// Signatures, with the builds they are of.
pub(super) fn note_signatures(signatures: Vec<(String, Signature)>, builds: &mut [BuildOutcome]) {
    for (build, signature) in signatures {
        if let Some(build) = builds.iter_mut().find(|b| b.id == build) {
            build.signatures.push(signature);
        }
    }
}

/// What a failed run signed and left under no tag was taken away again, or is told as left behind.
pub(super) fn forget_signatures(builds: &mut [BuildOutcome]) {
    for build in builds {
        let published = &build.published;
        build
            .signatures
            .retain(|s| published.iter().any(|tag| tag.repository == s.repository && tag.digest == s.digest));
    }
}

/// Nothing is published when a build that is required is not there; one that is not is told and left out.
pub(super) fn required_builds(outcome: &mut Outcome, cancel: &CancellationToken) -> Result<(), Failure> {
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
            let note = Problem::new(format!("build {} failed and is not required: {}", build.id, problem.what));
            if !outcome.notes.contains(&note) {
                outcome.notes.push(note);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::many(kind, problems)) }
}

/// What stands in the registries, and what does not. How many tags name our images.
pub(super) fn note_publication(publication: Publication, outcome: &mut Outcome) -> Result<usize, Failure> {
    let count = publication.tags.len();
    for build in &mut outcome.builds {
        let of_this = |id: &String| *id == build.id;
        build.published.extend(publication.tags.iter().filter(|(id, _)| of_this(id)).map(|(_, tag)| tag.clone()));
        build.others.extend(publication.others.iter().filter(|(id, _)| of_this(id)).map(|(_, tag)| tag.clone()));
    }
    outcome.notes.extend(publication.notes);
    publication.failure.map_or(Ok(count), Err)
}

/// The builder's facts, for people and for later jobs. A builder that builds needs no record.
pub(super) fn record_builder(request: &Request, facts: &BuilderFacts, outcome: &mut Outcome) {
    let text = format!("{:#}\n", serde_json::to_value(facts).unwrap_or_default());
    if let Err(failure) = report::write::put(&request.source.root, builder::RECORD, &text) {
        outcome.notes.extend(failure.problems);
    }
}

pub(super) fn write_record(request: &Request, plan: &Plan, outcome: &Outcome) -> Result<(), Failure> {
    if outcome.builds.iter().all(|b| b.published.is_empty()) {
        return Ok(());
    }
    let record = record::record(&outcome.context, &outcome.started.to_string(), plan, &outcome.builds)?;
    report::write::put(&request.source.root, record::FILE, &record::canonical(&record))
}

/// Puts in writing what was proven: to the workspace, and as statements to attach to what is published, by build id.
///
/// # Errors
/// When it cannot be written down.
pub(super) fn attest(
    verified: &[Verified],
    request: &Request,
    plan: &Plan,
    outcome: &mut Outcome,
) -> Result<Vec<(String, Vec<Statement>)>, Failure> {
    let mut all = Vec::new();
    for image in verified {
        let candidate = image.candidate();
        let step = plan.steps.iter().find(|step| step.id == candidate.build);
        let (Some(step), Some(first)) = (step, &candidate.first) else { continue };
        let Some(ours) = in_writing(image, (step, first.started), request, plan, outcome)? else { continue };
        let mut statements = attach::of_the_builder(candidate, step)
            .map_err(|problem| Failure::new(FailureKind::Verification, problem))?;
        statements.push(ours);
        all.push((candidate.build.clone(), statements));
    }
    Ok(all)
}

/// Our own statement about one image: written to the workspace, and to be attached. `None` for one that was not proven.
///
/// # Errors
/// When it cannot be written down.
pub(super) fn in_writing(
    image: &Verified,
    (step, started): (&Step, Timestamp),
    request: &Request,
    plan: &Plan,
    outcome: &mut Outcome,
) -> Result<Option<Statement>, Failure> {
    let (Some(proof), digest) = (image.proof(), &image.candidate().digest) else { return Ok(None) };
    let facts = Facts {
        context: &outcome.context,
        commit: plan.commit.as_deref(),
        step,
        digest,
        proof,
        repositories: &repositories(step),
        builder: outcome.builder.as_ref(),
        started,
        finished: Timestamp::now(),
    };
    let Some(statement) = provenance::statement(&facts) else { return Ok(None) };
    let redactor = Redactor::of(access::secrets(request));
    let (file, text) = (provenance::path(&proof.run_id), statement.redacted(&redactor).to_json());
    report::write::put(&request.source.root, &file, &text)?;
    let noted = outcome.builds.iter_mut().find(|build| build.id == step.id);
    if let Some(proof) = noted.and_then(|build| build.proof.as_mut()) {
        proof.provenance = Some(file);
    }
    Ok(Some(Statement {
        subject: digest.clone(),
        predicate: provenance::PREDICATE_TYPE.to_owned(),
        document: Bytes::from(text),
        trust: proof.trust,
    }))
}

/// Where an image is published, each once.
fn repositories(step: &Step) -> Vec<Repository> {
    let mut repositories = match &step.output {
        Output::Publish { targets } => targets.iter().map(|target| target.repository.clone()).collect(),
        _ => Vec::new(),
    };
    repositories.sort();
    repositories.dedup();
    repositories
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
