//! The part of the result document that tells of native legs. Added to version 1; absent where a build was not split.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TrustLevel;

/// One platform of a build, built by a job of its own: this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// `linux/arm64`.
    pub platform: String,
    /// All platforms of the build.
    pub of: Vec<String>,
    /// Path of the leg document, relative to the workspace; absent when none was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// A leg that an image was merged from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MergedLeg {
    /// `linux/arm64`.
    pub platform: String,
    /// Digest of the manifest of that platform.
    pub digest: String,
    /// How far it was proven by its job; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustLevel>,
    /// How long BuildKit took, in seconds.
    pub seconds: f64,
    /// Path of its document, as it was given or found.
    pub document: String,
    /// Job that built it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Web address of that job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_url: Option<String>,
}
