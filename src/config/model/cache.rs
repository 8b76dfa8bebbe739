//! `build_cache`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{Age, Size};

/// Builder, caches, host cleanup.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BuildCache {
    /// Which caches are used beside the builder's own. Default: none.
    pub mode: CacheMode,
    /// The builder.
    pub builder: Builder,
    /// The cache in a directory on this machine.
    pub local: LocalCache,
    /// The cache in a registry.
    pub external: ExternalCache,
    /// Cleanup of the engine's host after a run.
    pub cleanup: Cleanup,
}

/// Which caches are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheMode {
    /// Not said: the builder's own cache only.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// None but the builder's own.
    Off,
    /// A directory on this machine.
    Local,
    /// A registry.
    Shared,
    /// Both, the directory first.
    Hybrid,
}

/// The builder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Builder {
    /// What runs the builds. A backend named here must be there, or the run fails. Default: buildkitd where it answers, else the docker engine, else BuildKit in the job itself.
    pub backend: Backend,
    /// Name of the builder. Default: `sf-` and a hash of the repository.
    pub name: Option<String>,
    /// How buildx uses a docker engine. Default: `docker-container`.
    pub driver: Option<Driver>,
    /// Accepted for old files; no docker context is needed any more.
    pub context: Option<String>,
    /// Image of the BuildKit container. Default: buildx's own.
    pub image: Option<String>,
}

/// What runs the builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Chosen by what is there.
    #[default]
    #[serde(rename = "")]
    Auto,
    /// A BuildKit daemon.
    Buildkitd,
    /// A docker engine. Also written `dind`.
    #[serde(alias = "dind")]
    Docker,
    /// BuildKit in the job itself, started and ended by us; without root in a user namespace.
    Rootless,
}

/// How buildx uses a docker engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// A BuildKit container on the engine.
    DockerContainer,
    /// The engine's own BuildKit.
    Docker,
}

/// A cache directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalCache {
    /// Base directory; each repository has its own below it. Default: `/stagefreight/cache/buildkit`.
    pub path: Option<String>,
    /// What to keep of it.
    pub retention: LocalRetention,
}

/// What to keep of a cache directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalRetention {
    /// Drop what is older.
    pub max_age: Option<Age>,
    /// Drop the oldest until it fits.
    pub max_size: Option<Size>,
}

/// A cache in a registry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalCache {
    /// Id of the registry target whose repository holds the cache. Required for the modes `shared` and `hybrid`.
    pub target: Option<String>,
    /// Prefix of cache tags. Default: `cache`.
    pub path: Option<String>,
    /// Branch whose cache is read after one's own. Default: `sources.primary.default_branch`.
    pub fallback: Option<String>,
    /// What is exported. Default: `max`.
    pub mode: Option<CacheExport>,
    /// What to keep of it.
    pub retention: ExternalRetention,
}

/// What a cache export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheExport {
    /// Layers of all stages.
    Max,
    /// Layers of the image alone.
    Min,
}

/// What to keep of cache tags.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalRetention {
    /// At most so many cache tags of this repository.
    pub max_refs: Option<u32>,
    /// None older than this.
    pub stale_age: Option<Age>,
}

/// Cleanup of the engine's host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cleanup {
    /// Whether anything is cleaned up at all.
    pub enabled: bool,
    /// What a cleanup that fails does to the run. Default: `best_effort`.
    pub enforcement: Option<Enforcement>,
    /// What is never touched.
    pub protect: CleanupProtect,
    /// What goes.
    pub prune: CleanupPrune,
}

/// What a cleanup that fails does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// It is reported, nothing more.
    BestEffort,
    /// The run fails.
    Required,
}

/// What cleanup never touches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CleanupProtect {
    /// Images.
    pub images: ProtectedImages,
    /// Volumes.
    pub volumes: ProtectedVolumes,
}

/// Images cleanup never touches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProtectedImages {
    /// Globs over image references.
    pub refs: Vec<String>,
}

/// Volumes cleanup never touches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProtectedVolumes {
    /// Named volumes are never removed, whatever this says.
    pub named: Option<bool>,
}

/// What cleanup removes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CleanupPrune {
    /// Images.
    pub images: PruneImages,
    /// The engine's build cache.
    pub build_cache: PruneBuildCache,
    /// Containers.
    pub containers: PruneContainers,
    /// Networks.
    pub networks: PruneNetworks,
}

/// Images to remove.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PruneImages {
    /// Images without a name.
    pub dangling: Option<OlderThan>,
    /// Images no container uses.
    pub unreferenced: Option<OlderThan>,
}

/// An age from which on something goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OlderThan {
    /// Only what is older. Default: any age.
    pub older_than: Option<Age>,
}

/// Build cache to remove.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PruneBuildCache {
    /// Only what is older. Default: any age.
    pub older_than: Option<Age>,
    /// Keep so much of it.
    pub keep_storage: Option<Size>,
}

/// Containers to remove.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PruneContainers {
    /// Containers that have exited.
    pub exited: Option<OlderThan>,
}

/// Networks to remove.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PruneNetworks {
    /// Networks no container is attached to.
    pub unused: bool,
}
