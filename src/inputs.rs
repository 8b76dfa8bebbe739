//! Flags, action inputs and environment twins: one definition, three ways in.
//!
//! Precedence: command line, then `INPUT_*`, then `STAGEFREIGHT_*`; config and defaults come below, in `plan`.

use crate::secret::Secret;

/// What was asked for beside the config file. `None` and empty lists mean "not said".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// Config file, relative to the workspace.
    pub config: Option<String>,
    /// Only this build.
    pub build_id: Option<String>,
    /// `crucible` or empty.
    pub build_mode: Option<String>,
    /// Context directory or URL.
    pub context: Option<String>,
    /// Dockerfile.
    pub file: Option<String>,
    /// Stage.
    pub target: Option<String>,
    /// Platforms.
    pub platforms: Vec<String>,
    /// Full references (`host/path:tag`), or bare tags that replace those of the config's targets.
    pub tags: Vec<String>,
    /// `key=value`.
    pub labels: Vec<String>,
    /// `[type:]key=value`, buildx syntax.
    pub annotations: Vec<String>,
    /// `NAME=value`.
    pub build_args: Vec<String>,
    /// `name=value`.
    pub build_contexts: Vec<String>,
    /// `id=value`, the value itself.
    pub secrets: Vec<Secret>,
    /// `id=ENV_NAME`.
    pub secret_envs: Vec<String>,
    /// `id=path`.
    pub secret_files: Vec<String>,
    /// `default|id[=socket|key]`.
    pub ssh: Vec<String>,
    /// buildx `--cache-from`.
    pub cache_from: Vec<String>,
    /// buildx `--cache-to`.
    pub cache_to: Vec<String>,
    /// Ignore every cache.
    pub no_cache: Option<bool>,
    /// Always ask for newer base images.
    pub pull: Option<bool>,
    /// Publish. Default: where there are targets.
    pub push: Option<bool>,
    /// Load into the engine.
    pub load: Option<bool>,
    /// buildx `--provenance`.
    pub provenance: Option<String>,
    /// buildx `--sbom`.
    pub sbom: Option<String>,
    /// An existing buildx builder.
    pub builder: Option<String>,
    /// Show the plan, touch nothing.
    pub dry_run: bool,
    /// Load into the engine, push nothing.
    pub local: bool,
    /// Say more.
    pub verbose: bool,
}
