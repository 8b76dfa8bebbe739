//! The part of the result document that tells how an image was proven. Added to version 1; absent where nothing was proven.
//!
//! Kinds, causes and ways to differ are words, not closed lists: later versions of the program know more of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Location;

/// How an image was proven: built twice, cold, and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// 12 hex digits: names the proof in logs and in the attestation.
    pub run_id: String,
    /// Who ran the second pass: `rebuild` (the program that ran the first) or `candidate` (the one inside the image).
    pub runner: String,
    /// The least level with which the image was to be published.
    pub min_trust: TrustLevel,
    /// The level reached; absent when there was no second image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustLevel>,
    /// It was allowed to be published.
    pub passed: bool,
    /// What stood in the way of the next level, one sentence each. Of a proof that passed, too.
    #[serde(default)]
    pub obstacles: Vec<String>,
    /// Everything that was compared.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// The builds, in order. There is one only when the second gave no image.
    #[serde(default)]
    pub passes: Vec<Pass>,
    /// What the image was made from, as the first pass found it and the second was pinned to.
    #[serde(default)]
    pub materials: Vec<Material>,
    /// What differs; absent where nothing does, or nothing could be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprits: Option<Culprits>,
    /// Path of the attestation, relative to the workspace; absent when none was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<String>,
}

/// How far two builds of an image agree. Each level holds what those before it hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustLevel {
    /// It could be built a second time.
    Viable,
    /// The second build followed the same plan, and its version is the same.
    Consistent,
    /// The binaries that matter are the same.
    Deterministic,
    /// The image is the same, byte for byte.
    Reproducible,
}

/// One thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What: `image_digest`, `config_digest`, `diff_ids`, `layer_bytes`, `binary`, `version`, `plan_hash`, `environment`.
    pub kind: String,
    /// Which one, where there are several: a platform, a path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// How it came out.
    pub state: CheckState,
    /// What was compared, or why it could not be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// The same.
    Match,
    /// Not the same.
    Differs,
    /// It could not be told: never as good as a match.
    Unavailable,
    /// Nobody asked for it.
    NotAsked,
}

/// One of the two builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pass {
    /// Digest of the manifest, or of the index of platform manifests.
    pub digest: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Hash of the plan, as this pass computed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// What it was built with: name to value.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Program that ran it, and its version.
    pub by: String,
}

/// Something the image was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Material {
    /// Name of an image, or the address of another source.
    pub name: String,
    /// Platform taken from an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its digest, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Why two images differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Culprits {
    /// Layers that differ, in the order of the image.
    #[serde(default)]
    pub layers: Vec<CulpritLayer>,
    /// Fields of the image configuration that differ.
    #[serde(default)]
    pub config: Vec<ConfigChange>,
    /// Differences in files the configuration says to ignore: counted, not told.
    #[serde(default)]
    pub ignored: u64,
    /// Path of the full listing, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<String>,
    /// Why this is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A layer that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CulpritLayer {
    /// Platform of the image it belongs to.
    pub platform: String,
    /// Its position among the image's layers, from 1.
    pub layer: usize,
    /// The instruction that made it, shortened.
    pub instruction: String,
    /// Where that stands in the Dockerfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What made the files, where the instruction only copied them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The most telling files.
    #[serde(default)]
    pub files: Vec<CulpritFile>,
    /// How many more differ.
    #[serde(default)]
    pub more: u64,
    /// What else there is to say: only the compression differs, or only the order of entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CulpritFile {
    /// Absolute path in the image.
    pub path: String,
    /// How it differs: `only_in_a` (only the first build has it), `only_in_b`, `kind`, `content`, `mode`, `owner`, `mtime`,
    /// `xattr`, `link`, `order`.
    pub how: Vec<String>,
    /// Class of the cause, as far as the file tells: `wall_clock`, `mtime`, `order`, `random` …; `unknown` where it does not.
    pub cause: String,
    /// What shows it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// What usually mends this class.
    pub cure: String,
}

/// A field of the image configuration that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigChange {
    /// Its path in the configuration.
    pub field: String,
    /// In the first build, as JSON, shortened; absent where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// In the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
}
