//! The attestation of a proof: an in-toto Statement v1 with a SLSA Provenance v1 predicate, as values and as JSON.
//!
//! Pure: it is told the facts, writes nothing and signs nothing. Contract: in-toto/attestation `spec/v1/statement.md` and
//! `spec/predicates/provenance.md`; what our own fields mean stands in `docs/provenance.md`. Values of build arguments and
//! secrets never come in here.

mod dependencies;
mod model;
#[cfg(test)]
mod tests;

pub use model::*;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::crucible::proof::Proof;
use crate::image::{Digest, Repository};
use crate::outcome::BuilderFacts;
use crate::plan::Step;
use crate::redact::Redactor;
use crate::runner::CiContext;
use crate::source::strip_credentials;

/// Type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Type of its predicate.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// What our parameters mean, and where that is written. Another meaning gets another address.
pub const BUILD_TYPE: &str = "https://github.com/stagefreight/action/blob/main/docs/provenance.md#crucible-v1";
/// Who built, where no forge's job can be named.
pub const BUILDER_ID: &str = "https://github.com/stagefreight/action";
/// Media type of the statement, where it is attached to an image.
pub const MEDIA_TYPE: &str = "application/vnd.in-toto+json";
/// Directory of attestations, relative to the workspace.
pub const DIRECTORY: &str = ".stagefreight/provenance";

/// Path of a proof's attestation, relative to the workspace.
pub fn path(run_id: &str) -> String {
    format!("{DIRECTORY}/crucible-{run_id}.json")
}

/// What is known when a proof has passed.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Where the run happens.
    pub context: &'a CiContext,
    /// The commit the image is made of, as the plan has it.
    pub commit: Option<&'a str>,
    /// What was built.
    pub step: &'a Step,
    /// What was proven: digest of the manifest or index.
    pub digest: &'a Digest,
    /// How it was proven.
    pub proof: &'a Proof,
    /// Where the image is published, or about to be. Empty where it goes to no registry.
    pub repositories: &'a [Repository],
    /// The builder used.
    pub builder: Option<&'a BuilderFacts>,
    /// When the first pass began.
    pub started: Timestamp,
    /// When the proof was done.
    pub finished: Timestamp,
}

/// The attestation. `None` for a proof that did not pass: what is not proven is not attested.
pub fn statement(facts: &Facts<'_>) -> Option<Statement> {
    let proof = facts.proof;
    let trust = proof.trust.filter(|_| proof.passed)?;
    if proof.passes.is_empty() && proof.legs.is_empty() {
        return None;
    }
    Some(Statement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: subject(facts, facts.digest),
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Provenance {
            build_definition: BuildDefinition {
                build_type: BUILD_TYPE.to_owned(),
                external_parameters: external(facts.step),
                internal_parameters: InternalParameters {
                    run_id: proof.run_id.clone(),
                    plan_hash: facts.step.plan_hash.clone(),
                    source_date_epoch: facts.step.epoch,
                    trust,
                    min_trust: proof.min_trust,
                    runner: proof.runner,
                    passes: proof.passes.iter().map(pass).collect(),
                    checks: proof.checks.iter().map(check).collect(),
                    legs: proof.legs.iter().map(leg).collect(),
                },
                resolved_dependencies: dependencies::all(facts.context, facts.commit, &proof.materials),
            },
            run_details: run_details(facts),
        },
    })
}

impl Statement {
    /// The same with secrets masked, should one have found its way into a name.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        let definition = &mut self.predicate.build_definition;
        let ExternalParameters {
            build: _,
            dockerfile,
            context,
            target: _,
            platforms: _,
            build_args,
            build_contexts,
            secrets,
        } = &mut definition.external_parameters;
        let names = build_args.iter_mut().chain(build_contexts).chain(secrets);
        let InternalParameters { checks, passes, legs, .. } = &mut definition.internal_parameters;
        let passes = passes.iter_mut().chain(legs.iter_mut().flat_map(|leg| &mut leg.passes));
        let ours = checks.iter_mut().map(|check| &mut check.subject).chain(passes.map(|pass| &mut pass.by));
        let addresses =
            definition.resolved_dependencies.iter_mut().flat_map(|it| it.name.iter_mut().chain(&mut it.uri));
        names.chain(ours).chain(addresses).chain([dockerfile, context]).for_each(|text| redactor.in_place(text));
        self
    }

    /// The text of the file: indented, with a line end.
    pub fn to_json(&self) -> String {
        // Keys are strings and there are no numbers but whole ones, so nothing in it can fail to serialise.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The image by its names in registries; by the build's id where no registry gets it.
fn subject(facts: &Facts<'_>, proven: &Digest) -> Vec<Subject> {
    let mut names: Vec<String> = facts.repositories.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        names.push(facts.step.id.clone());
    }
    names.into_iter().map(|name| Subject { name, digest: sha256(proven) }).collect()
}

fn external(step: &Step) -> ExternalParameters {
    let specs = step.secrets.iter().filter_map(|spec| spec.split(',').find_map(|part| part.strip_prefix("id=")));
    let mut secrets: Vec<String> =
        specs.chain(step.secret_values.iter().map(|(id, _)| id.as_str())).map(str::to_owned).collect();
    secrets.sort();
    secrets.dedup();
    ExternalParameters {
        build: step.id.clone(),
        dockerfile: address(&step.dockerfile),
        context: address(&step.context),
        target: step.target.clone(),
        platforms: step.platforms.clone(),
        build_args: step.build_args.keys().cloned().collect(),
        build_contexts: step.build_contexts.keys().cloned().collect(),
        secrets,
    }
}

/// A path as it is; an address without login and query, which may be one as well (signed addresses).
fn address(text: &str) -> String {
    if !text.contains("://") {
        return text.to_owned();
    }
    let text = strip_credentials(text);
    let (before, fragment) =
        text.split_once('#').map_or((text.as_str(), None), |(before, after)| (before, Some(after)));
    let before = before.split('?').next().unwrap_or_default();
    fragment.map_or_else(|| before.to_owned(), |fragment| format!("{before}#{fragment}"))
}

fn pass(from: &crate::crucible::proof::Pass) -> Pass {
    Pass { digest: sha256(&from.digest), plan_hash: from.plan_hash.clone(), by: from.by.clone() }
}

fn leg(from: &crate::crucible::proof::LegProof) -> Leg {
    let run = format!("crucible-{}", from.run_id);
    Leg {
        platform: from.platform.clone(),
        run_id: from.run_id.clone(),
        trust: from.trust,
        passes: from.passes.iter().map(pass).collect(),
        invocation_id: from.job_url.as_ref().map_or(run.clone(), |url| format!("{}#{run}", strip_credentials(url))),
    }
}

/// Without the detail: it may hold output of the image, and the report has it.
fn check(from: &crate::crucible::proof::Check) -> Check {
    Check { kind: from.kind, subject: from.subject.clone(), state: from.state }
}

fn run_details(facts: &Facts<'_>) -> RunDetails {
    let CiContext { repository_url, job, job_url, .. } = facts.context;
    // A job of a repository is what people trust or do not; one run of it is the invocation.
    let named = repository_url
        .as_ref()
        .zip(job.as_ref())
        .map(|(repository, job)| format!("{}#{}", strip_credentials(repository), dependencies::encoded(job)));
    let id = named.and_then(|named| dependencies::uri(&named)).unwrap_or_else(|| BUILDER_ID.to_owned());
    let mut version = BTreeMap::from([("stagefreight".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    if let Some(builder) = facts.builder {
        version.insert("buildkit".to_owned(), builder.buildkit.clone());
        version.insert("buildx".to_owned(), builder.buildx.clone());
    }
    version.retain(|_, version| !version.is_empty());
    let run = format!("crucible-{}", facts.proof.run_id);
    let invocation_id = job_url.as_ref().map_or(run.clone(), |url| format!("{}#{run}", strip_credentials(url)));
    RunDetails {
        builder: Builder { id, version },
        metadata: Metadata { invocation_id, started_on: facts.started, finished_on: facts.finished },
    }
}

fn sha256(digest: &Digest) -> DigestSet {
    BTreeMap::from([("sha256".to_owned(), digest.hex().to_owned())])
}
