//! The attestation, field by field, named as the two specifications name them. Fields of ours are in the parameters only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::crucible::proof::{CheckKind, CheckState};
use crate::plan::{CrucibleRunner, TrustLevel};

/// Algorithm to lower-case hex: `sha256`, `gitCommit`.
pub type DigestSet = BTreeMap<String, String>;

/// An in-toto Statement, v1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// [`super::STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What is attested; never empty.
    pub subject: Vec<Subject>,
    /// [`super::PREDICATE_TYPE`].
    pub predicate_type: String,
    /// What is said of it.
    pub predicate: Provenance,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// `host/path` without tag, or the id of the build where no registry has it.
    pub name: String,
    /// Digest of its manifest or index.
    pub digest: DigestSet,
}

/// A SLSA Provenance, v1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// What was asked for, and from what it was made.
    pub build_definition: BuildDefinition,
    /// Who built it, and when.
    pub run_details: RunDetails,
}

/// Input of a build.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// [`super::BUILD_TYPE`].
    pub build_type: String,
    /// What the user asked for.
    pub external_parameters: ExternalParameters,
    /// What we made of it.
    pub internal_parameters: InternalParameters,
    /// Sources and base images.
    pub resolved_dependencies: Vec<Dependency>,
}

/// What the user asked for: names, never values that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalParameters {
    /// Build id.
    pub build: String,
    /// Path or address.
    pub dockerfile: String,
    /// Path or address.
    pub context: String,
    /// Stage; absent for the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Empty for the builder's own.
    pub platforms: Vec<String>,
    /// Names of build arguments. Their values decide the plan hash.
    pub build_args: Vec<String>,
    /// Names of further build contexts.
    pub build_contexts: Vec<String>,
    /// Ids of secrets.
    pub secrets: Vec<String>,
}

/// What a proof did and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InternalParameters {
    /// 12 hex digits.
    pub run_id: String,
    /// Hash over what decides the image's content.
    pub plan_hash: String,
    /// Seconds since 1970 to which timestamps were clamped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_date_epoch: Option<i64>,
    /// The level reached.
    pub trust: TrustLevel,
    /// The level asked for.
    pub min_trust: TrustLevel,
    /// Who ran the second pass.
    pub runner: CrucibleRunner,
    /// The two builds.
    pub passes: Vec<Pass>,
    /// What was compared.
    pub checks: Vec<Check>,
    /// The proofs of its platforms, where each was built and proven by a job of its own: they have the passes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<Leg>,
}

/// How one platform was proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leg {
    /// `linux/arm64`.
    pub platform: String,
    /// 12 hex digits.
    pub run_id: String,
    /// The level reached.
    pub trust: TrustLevel,
    /// The two builds.
    pub passes: Vec<Pass>,
    /// The address of its job and the proof's id.
    pub invocation_id: String,
}

/// One of the two builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// What it gave.
    pub digest: DigestSet,
    /// Plan hash as it computed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Program that ran it.
    pub by: String,
}

/// Something that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub kind: CheckKind,
    /// Which one, where there are several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// How it came out.
    pub state: CheckState,
}

/// A source or a base image: a `ResourceDescriptor` of in-toto.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// What the builder calls it, where that is no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A package URL, or an address; absent where only the digest is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Empty where the source has none.
    #[serde(skip_serializing_if = "DigestSet::is_empty")]
    pub digest: DigestSet,
}

/// Who built, and when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDetails {
    /// Who.
    pub builder: Builder,
    /// When.
    pub metadata: Metadata,
}

/// Who built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Builder {
    /// The forge's job, `https://forge/owner/name#job`, else [`super::BUILDER_ID`].
    pub id: String,
    /// Programs that took part.
    pub version: BTreeMap<String, String>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The job's address and the proof's id.
    pub invocation_id: String,
    /// When the first pass began, RFC 3339 in UTC.
    pub started_on: Timestamp,
    /// When the proof was done.
    pub finished_on: Timestamp,
}
