//! What a run spent its time on, and what it was spared, as the result document has it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a run, and how long it took. Builds may run side by side, and so may what they are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseSpan {
    /// Which part.
    pub phase: Phase,
    /// Id of the build it was for; absent where it was for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// When it began, in seconds since the run did.
    pub start: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// It came to its end, and the end was good.
    pub ok: bool,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Finding and starting what builds.
    Builder,
    /// BuildKit builds.
    Build,
    /// The second build and the comparison.
    Prove,
    /// Content goes to the registries, under no tag.
    Stage,
    /// Signatures and attestations.
    Sign,
    /// Tags are put and read back.
    Tag,
    /// Old tags go.
    Retention,
}

/// A cache that BuildKit was told to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CacheSource {
    /// As BuildKit names it: a reference, or where else it is.
    pub name: String,
    /// It was opened.
    pub read: bool,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
