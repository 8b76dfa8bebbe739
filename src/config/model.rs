//! `.stagefreight.yml`, version 1, as written. Names and meanings are the file format's: changing one breaks users.
//!
//! The JSON Schema is generated from these types; `load` fills them and reports every mistake with its place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The configuration file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Format version; only 1 exists.
    pub version: u32,
    /// Free variables for templates: `{var:name}`.
    pub vars: BTreeMap<String, String>,
    /// Named patterns for `when`.
    pub policies: Policies,
    /// Where the source lives.
    pub sources: Sources,
    /// What to build.
    pub builds: Vec<Build>,
    /// Where to publish it.
    pub targets: Vec<Target>,
    /// Builder, caches and host cleanup.
    pub build_cache: BuildCache,
    /// Registries that need more than a login: plain http, own CA, mirrors.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// Corporate CA and proxy, for our client, the builder and its RUN steps alike.
    pub network: Network,
    /// Facts about the project, for `{project.…}` templates and labels.
    pub project: Project,
}

/// Named regular expressions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// For `when.git_tags` and `select_tags`.
    pub git_tags: BTreeMap<String, String>,
    /// For `when.branches`.
    pub branches: BTreeMap<String, String>,
}

/// Sources; only `primary` is ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sources {
    /// The repository being built.
    pub primary: PrimarySource,
}

/// The repository being built.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PrimarySource {
    /// Only `git`.
    pub kind: Option<String>,
    /// Path of the working tree, relative to the config file.
    pub worktree: Option<String>,
    /// Address; identifies the repository in caches when set.
    pub url: Option<String>,
    /// Branch whose cache others fall back to.
    pub default_branch: Option<String>,
}

/// A build. Keys of `kind: binary` are accepted and not ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Build {
    /// Unique name.
    pub id: String,
    /// `docker`; `binary` belongs to another StageFreight program.
    pub kind: String,
    /// Build only when the run's git tag matches one of these (names of policies or patterns).
    pub select_tags: Vec<String>,
    /// A failure fails the run. Default true.
    pub required: Option<bool>,
    /// Empty, or `crucible`.
    pub build_mode: crate::plan::BuildMode,
    /// Id of a build that must be done first.
    pub depends_on: Option<String>,
    /// Dockerfile, relative to the root. Default: the first found.
    pub dockerfile: Option<String>,
    /// Context directory. Default `.`.
    pub context: Option<String>,
    /// Stage to build. Default: the last.
    pub target: Option<String>,
    /// Platforms, `os/arch[/variant]`. Default: that of the machine.
    pub platforms: Vec<String>,
    /// Build args; values are templates.
    pub build_args: BTreeMap<String, String>,
    /// Extra labels; values are templates.
    pub labels: BTreeMap<String, String>,
    /// Layer cache invalidation rules.
    pub cache: BuildCacheRules,
    /// Crucible settings.
    pub crucible: Crucible,
    /// Timestamp rewriting: `auto` (on in crucible mode), `on`, `off`.
    pub reproducible: Reproducible,
}

/// Timestamp rewriting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reproducible {
    /// On in crucible mode, off otherwise: it re-compresses layers.
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
    /// Find dependencies by themselves.
    pub auto_detect: Option<bool>,
}

/// Files whose change invalidates layers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CacheWatch {
    /// Globs.
    pub paths: Vec<String>,
    /// Layers.
    pub invalidates: Vec<String>,
}

/// Crucible settings of a build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Crucible {
    /// Image whose tools the passes share.
    pub toolchain_image: Option<String>,
}

/// A target. Only `kind: registry` is ours; keys of other kinds are accepted there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// Unique name.
    pub id: String,
    /// `registry`.
    pub kind: String,
    /// Id of the build to publish.
    pub build: Option<String>,
    /// When this target takes part.
    pub when: When,
    /// Publish only when the run's git tag matches one of these.
    pub select_tags: Vec<String>,
    /// Registry host, `host[:port]`. A template.
    pub url: Option<String>,
    /// Kind of registry; default: told by the host.
    pub provider: Option<String>,
    /// Repository path in the registry. A template.
    pub path: Option<String>,
    /// Prefix of the environment variables with the login.
    pub credentials: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Tags; templates.
    pub tags: Vec<String>,
    /// Which old tags to keep.
    pub retention: Option<Retention>,
    /// The registry scans for vulnerabilities itself.
    pub native_scan: Option<bool>,
}

/// Conditions: OR within a list, AND between lists.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Branch patterns.
    pub branches: Vec<String>,
    /// Git tag patterns; present and no tag in the run is no match.
    pub git_tags: Vec<String>,
    /// Events.
    pub events: Vec<crate::runner::EventKind>,
}

/// Tag retention. A bare integer is `keep_last`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Newest so many.
    pub keep_last: Option<u32>,
    /// Newest of so many days.
    pub keep_daily: Option<u32>,
    /// Newest of so many weeks.
    pub keep_weekly: Option<u32>,
    /// Newest of so many months.
    pub keep_monthly: Option<u32>,
    /// Newest of so many years.
    pub keep_yearly: Option<u32>,
    /// Patterns never deleted.
    pub protect: Vec<String>,
}

/// Builder, caches, host cleanup.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BuildCache {
    /// Which caches are used.
    pub mode: CacheMode,
    /// The builder.
    pub builder: Builder,
    /// A directory on this machine.
    pub local: LocalCache,
    /// A registry.
    pub external: ExternalCache,
    /// Cleanup of the engine's host.
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
    /// A directory.
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
    /// Empty (choose), `buildkitd`, `docker` or its alias `dind`.
    pub backend: String,
    /// Builder name. Default: `sf-` and a hash of the repository.
    pub name: Option<String>,
    /// `docker-container` (default) or `docker`.
    pub driver: Option<String>,
    /// Accepted for old files; no docker context is needed any more.
    pub context: Option<String>,
    /// Image of the BuildKit container. Default: buildx's own.
    pub image: Option<String>,
}

/// A cache directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalCache {
    /// Base directory. Default `/stagefreight/cache/buildkit`.
    pub path: Option<String>,
    /// What to keep.
    pub retention: LocalRetention,
}

/// What to keep of a cache directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalRetention {
    /// Duration, `7d`.
    pub max_age: Option<String>,
    /// Size in binary units, `15GB`.
    pub max_size: Option<String>,
}

/// A cache in a registry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalCache {
    /// Id of the registry target it lives beside.
    pub target: Option<String>,
    /// Tag prefix. Default `cache`.
    pub path: Option<String>,
    /// Branch read after one's own.
    pub fallback: Option<String>,
    /// `max` (default) or `min`.
    pub mode: Option<String>,
    /// What to keep.
    pub retention: ExternalRetention,
}

/// What to keep of cache tags.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalRetention {
    /// At most so many.
    pub max_refs: Option<u32>,
    /// None older than this.
    pub stale_age: Option<String>,
}

/// Cleanup of the engine's host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cleanup {
    /// Default false.
    pub enabled: bool,
    /// `best_effort` (default) or `required`.
    pub enforcement: Option<String>,
    /// What is never touched.
    pub protect: CleanupProtect,
    /// What goes.
    pub prune: CleanupPrune,
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
    /// Globs over references.
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
    /// Without a name.
    pub dangling: Option<OlderThan>,
    /// Without a container.
    pub unreferenced: Option<OlderThan>,
}

/// An age.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OlderThan {
    /// Duration, `72h`.
    pub older_than: Option<String>,
}

/// Build cache to remove.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PruneBuildCache {
    /// Duration.
    pub older_than: Option<String>,
    /// Size to keep.
    pub keep_storage: Option<String>,
}

/// Containers to remove.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PruneContainers {
    /// Exited ones.
    pub exited: Option<OlderThan>,
}

/// Networks to remove.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PruneNetworks {
    /// Unused ones.
    pub unused: bool,
}

/// A registry that needs more than a login. The key is its `host[:port]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySettings {
    /// Plain http.
    pub http: bool,
    /// Accept any certificate.
    pub insecure: bool,
    /// PEM file with the CA of its certificate, relative to the root.
    pub ca: Option<String>,
    /// Hosts asked first for its images.
    pub mirrors: Vec<String>,
    /// Prefix of the environment variables with the login, for pulling base images.
    pub credentials: Option<String>,
}

/// Corporate network settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// PEM file with additional CAs, relative to the root.
    pub ca: Option<String>,
    /// Proxies. Default: those of the environment.
    pub proxy: Proxy,
}

/// Proxies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// For http.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// Hosts reached directly, comma separated.
    pub no_proxy: Option<String>,
}

/// Facts about the project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// Name. Default: last part of the repository.
    pub name: Option<String>,
    /// Web address. Default: the repository's.
    pub url: Option<String>,
    /// SPDX expression.
    pub license: Option<String>,
    /// Main language. Default: detected.
    pub language: Option<String>,
    /// One sentence.
    pub description: Option<String>,
}
