//! `builds[]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{CrucibleRunner, TrustLevel};

/// A build: one image for one or more platforms.
///
/// Builds of `kind: binary` belong to another StageFreight program: they may be named in `depends_on`, and their other keys are left alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Build {
    /// Name, unique among builds.
    #[schemars(extend("x-required" = true))]
    pub id: String,
    /// What is built.
    #[schemars(extend("x-required" = true))]
    pub kind: BuildKind,
    /// Build only when the run's git tag matches: names from `policies.git_tags` or patterns, with the rules of `when.git_tags`.
    pub select_tags: Vec<String>,
    /// Whether a failure of this build fails the run. Default: true.
    pub required: Option<bool>,
    /// How the image is proven before it is published. Default: not at all.
    pub build_mode: crate::plan::BuildMode,
    /// Id of a build that must be done first.
    pub depends_on: Option<String>,
    /// Dockerfile, relative to the repository's root. Default: the first one found.
    pub dockerfile: Option<String>,
    /// Context directory, relative to the repository's root. Default: `.`.
    pub context: Option<String>,
    /// Stage to build. Default: the last one.
    pub target: Option<String>,
    /// Platforms as `os/arch` or `os/arch/variant`. Default: that of the machine.
    #[schemars(inner(regex(pattern = r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$")))]
    pub platforms: Vec<String>,
    /// Build arguments. Values are templates.
    pub build_args: BTreeMap<String, String>,
    /// Extra image labels. Values are templates.
    pub labels: BTreeMap<String, String>,
    /// Which changed files invalidate which layers.
    pub cache: BuildCacheRules,
    /// Settings of crucible mode for this build; what is left out is taken from the top-level `crucible`.
    pub crucible: Crucible,
    /// Whether file timestamps in layers are rewritten to the commit's time. Default: `auto`.
    pub reproducible: Reproducible,
}

/// What a build makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildKind {
    /// A container image.
    #[default]
    Docker,
    /// A binary: the business of another StageFreight program.
    Binary,
}

/// Timestamp rewriting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reproducible {
    /// On in crucible mode, off otherwise: rewriting re-compresses layers.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Layer cache invalidation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BuildCacheRules {
    /// What invalidates what.
    pub watch: Vec<CacheWatch>,
    /// Find such files without being told. Default: false.
    pub auto_detect: Option<bool>,
}

/// Files whose change invalidates layers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CacheWatch {
    /// Globs over paths relative to the repository's root.
    pub paths: Vec<String>,
    /// Layers that are then built anew.
    pub invalidates: Vec<String>,
}

/// Settings of crucible mode.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Crucible {
    /// Image whose tools both passes use, as a named context: `FROM toolchain` or `COPY --from=toolchain` in the Dockerfile.
    pub toolchain_image: Option<String>,
    /// The least trust with which the image is published. Default: `consistent`.
    pub min_trust: Option<TrustLevel>,
    /// Who runs the second pass. Default: `rebuild`.
    pub runner: Option<CrucibleRunner>,
    /// Files in the image, by absolute path, that must be the same for `deterministic`. Default: the entrypoint's binary.
    pub binaries: Vec<String>,
    /// Command run in both images, without network, whose output must be the same: `["/app", "--version"]`. Default: none.
    pub version_command: Vec<String>,
    /// How the two images are compared.
    pub compare: Compare,
}

/// How two images are compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compare {
    /// Globs over paths in the image (`var/log/**`): differences there are not told. They are still differences: the image
    /// is not `reproducible` with them.
    pub ignore: Vec<String>,
}
