//! `.stagefreight.yml`, version 1, as written. Names and meanings are the file format's: changing one breaks users.
//!
//! `load` fills these types and reports every mistake with its place; the JSON Schema and the reference in `docs/config.md`
//! are made from them, so the comments on fields here are what users read. Nothing here has behaviour.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod build;
mod cache;
mod network;
mod publish;
mod report;
mod target;

pub use build::*;
pub use cache::*;
pub use network::*;
pub use publish::*;
pub use report::*;
pub use target::*;

/// The configuration file of StageFreight. Only `version` is required; what is left out has a sensible default.
///
/// Sections that belong to other StageFreight programs may stand in the same file; they are left alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Version of the file format. Only 1 exists.
    #[schemars(extend("x-required" = true), range(min = 1, max = 1))]
    pub version: u32,
    /// Free variables for templates, used as `{var:name}`. Values are templates themselves.
    pub vars: BTreeMap<String, String>,
    /// Named patterns for `when` and `select_tags`.
    pub policies: Policies,
    /// Where the source lives.
    pub sources: Sources,
    /// What to build.
    pub builds: Vec<Build>,
    /// Where to publish what was built.
    pub targets: Vec<Target>,
    /// Defaults for the `crucible` settings of every build.
    pub crucible: Crucible,
    /// How tags are put once every registry holds the image.
    pub publish: Publish,
    /// How published images are signed.
    pub sign: Sign,
    /// The builder, layer caches and cleanup of the engine's host.
    pub build_cache: BuildCache,
    /// Registries that need more than a login: plain http, their own CA, mirrors. The key is `host` or `host:port`.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// Corporate CA and proxy. Set once, they reach our own client, the builder and its RUN steps alike.
    pub network: Network,
    /// What is written to the forge: commit status, check run, a note on the request.
    pub report: Report,
    /// Facts about the project, for `{project.…}` in templates and for image labels.
    pub project: Project,
}

/// Named regular expressions. A pattern matches where it is found; anchor it (`^main$`) to match the whole name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// Patterns over git tags, for `when.git_tags` and `select_tags`.
    pub git_tags: BTreeMap<String, String>,
    /// Patterns over branch names, for `when.branches`.
    pub branches: BTreeMap<String, String>,
}

/// Sources. Only `primary` is read here; other keys belong to other StageFreight programs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sources {
    /// The repository being built.
    pub primary: PrimarySource,
}

/// The repository being built. Other keys belong to other StageFreight programs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PrimarySource {
    /// Kind of source; `git`.
    pub kind: Option<String>,
    /// Working tree, relative to the config file.
    pub worktree: Option<String>,
    /// Address of the repository. Identifies it in cache names when set, and is what image labels name as their source, wherever
    /// the build runs.
    pub url: Option<String>,
    /// Branch whose cache the other branches fall back to.
    pub default_branch: Option<String>,
}

/// Facts about the project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// Name. Default: the last part of the repository's path.
    pub name: Option<String>,
    /// Web address. Default: the repository's.
    pub url: Option<String>,
    /// Licence as an SPDX expression, `MIT OR Apache-2.0`.
    pub license: Option<String>,
    /// Main language. Default: told by the files in the root.
    pub language: Option<String>,
    /// One sentence about it.
    pub description: Option<String>,
}
