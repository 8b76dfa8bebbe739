//! The plan: everything a run is going to do, decided before anything is touched. Serialised by `stagefreight plan --format json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::model::{Publish, Sign};
use crate::image::{Repository, Tag};
pub use crate::registry::Provider;

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Version of the image, as git and CI tell it.
    pub version: Version,
    /// The commit the image is made of, 40 hex digits, if known.
    pub commit: Option<String>,
    /// Commit time: `SOURCE_DATE_EPOCH` and the `created` label.
    pub commit_time: Option<Timestamp>,
    /// Id of the repository, for cache tags and builder names.
    pub repo_id: String,
    /// Builds in an order that respects `depends_on`.
    pub steps: Vec<Step>,
    /// Builds the config has and this run leaves out, and why.
    pub left_out: Vec<Decision>,
    /// Cache settings as resolved.
    pub cache: CachePlan,
    /// The builder wanted.
    pub builder: BuilderPlan,
    /// How tags are put.
    pub publish: Publish,
    /// How images are signed.
    pub sign: Sign,
    /// Things to tell a person before anything happens: withheld credentials, sections that are not ours, mode compatibility.
    pub notes: Vec<String>,
}

/// A version with its parts; `0.0.0-dev+<sha7>` where git knows no tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The whole, as a label holds it: `1.2.3-rc.1`, `1.2.3-dev+abc1234`.
    pub full: String,
    /// `1.2.3`.
    pub base: String,
    /// `1`.
    pub major: String,
    /// `2`.
    pub minor: String,
    /// `3`.
    pub patch: String,
    /// `rc.1`, or empty.
    pub prerelease: String,
    /// The run is exactly on the version's tag.
    pub release: bool,
}

/// Something in or out of the plan, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Id of the build or target.
    pub id: String,
    /// Taken.
    pub included: bool,
    /// One sentence: `when.branches has main, this run is on feature/x`.
    pub why: String,
}

/// One build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Build id from the config; `default` where there is none.
    pub id: String,
    /// Builds that must be done first.
    pub depends_on: Vec<String>,
    /// A failure fails the run.
    pub required: bool,
    /// How it is proven.
    pub build_mode: BuildMode,
    /// What the proof asks for; only in crucible mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crucible: Option<CruciblePlan>,
    /// Path relative to the root, cleaned, or an absolute path or URL as given. Relative to the context where that is a URL.
    pub dockerfile: String,
    /// Directory relative to the root (cleaned, `.` for the root), or a URL as given.
    pub context: String,
    /// Stage to build; `None` is the last.
    pub target: Option<String>,
    /// `os/arch[/variant]`, sorted, without duplicates. Empty: the builder's own.
    pub platforms: Vec<String>,
    /// Which leg of the build this is; `None` where all platforms are built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<Leg>,
    /// Build args, resolved.
    pub build_args: BTreeMap<String, String>,
    /// OCI labels on the image config.
    pub labels: BTreeMap<String, String>,
    /// Annotations: buildx syntax key (`index:org…`, `manifest[linux/amd64]:…`) to value.
    pub annotations: BTreeMap<String, String>,
    /// Named contexts, `name` to value as buildx takes it.
    pub build_contexts: BTreeMap<String, String>,
    /// `--secret` specs as given (`id=x,src=path`, `id=x,env=NAME`): names and paths, never values.
    pub secrets: Vec<String>,
    /// Secrets whose *value* came through an input: id and value, handed over by a private file.
    #[serde(skip)]
    pub secret_values: Vec<(String, crate::secret::Secret)>,
    /// `--ssh` specs.
    pub ssh: Vec<String>,
    /// `--cache-from` specs, in order.
    pub cache_from: Vec<String>,
    /// `--cache-to` specs, in order.
    pub cache_to: Vec<String>,
    /// Ignore every cache.
    pub no_cache: bool,
    /// Always ask the registry for base images.
    pub pull: bool,
    /// `--provenance` value; `false` unless asked for.
    pub provenance: String,
    /// `--sbom` value; `false` unless asked for.
    pub sbom: String,
    /// Rewrite file timestamps to the epoch.
    pub rewrite_timestamp: bool,
    /// Seconds since 1970 for `SOURCE_DATE_EPOCH`; `None` without a commit.
    pub epoch: Option<i64>,
    /// What becomes of the image.
    pub output: Output,
    /// Names under which the image goes into the engine *beside* `output`: `load: true` together with a push, and
    /// `provider: local` targets beside registry targets. Empty otherwise.
    pub also_load: Vec<String>,
    /// Images the stages in use start from, as the Dockerfile names them, without stages and `scratch`. Only what is known
    /// for certain: a name with a variable that has no default is left out.
    pub base_images: Vec<String>,
    /// Every registry target that names this build, and why it is in or out.
    pub targets: Vec<Decision>,
    /// Hash over what decides the image's content, 64 hex digits.
    pub plan_hash: String,
}

/// One platform of a build, built by a job of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leg {
    /// As the build names it.
    pub platform: String,
    /// All platforms of the build.
    pub of: Vec<String>,
}

/// Whether a build is proven before it is published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildMode {
    /// Built once, published as built.
    #[default]
    #[serde(rename = "")]
    Plain,
    /// Built twice, cold, compared, and only then published.
    Crucible,
}

/// What a proof asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CruciblePlan {
    /// The least trust with which the image is published.
    pub min_trust: TrustLevel,
    /// Who runs the second pass.
    pub runner: CrucibleRunner,
    /// Paths in the image, absolute, whose files must be the same; empty for the entrypoint's binary.
    pub binaries: Vec<String>,
    /// Command run in both images, whose output must be the same; empty for none.
    pub version_command: Vec<String>,
    /// Globs over paths in the image, without the leading `/`: differences there are known and not told again. They count all the same.
    pub ignore: Vec<String>,
}

/// How far two builds of an image agree. Each level holds what those below it hold.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TrustLevel {
    /// It could be built a second time.
    Viable,
    /// The second build followed the same plan, and its version is the same.
    #[default]
    Consistent,
    /// The binaries that matter are the same.
    Deterministic,
    /// The image is the same, byte for byte.
    Reproducible,
}

/// Who runs the second pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrucibleRunner {
    /// This program.
    #[default]
    Rebuild,
    /// The StageFreight inside the image just built.
    Candidate,
}

impl TrustLevel {
    /// Its name in configuration, reports and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viable => "viable",
            Self::Consistent => "consistent",
            Self::Deterministic => "deterministic",
            Self::Reproducible => "reproducible",
        }
    }
}

impl std::fmt::Display for TrustLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What becomes of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Output {
    /// To registries.
    Publish {
        /// Never empty.
        targets: Vec<TargetPlan>,
    },
    /// Into the engine, under these names.
    Load {
        /// `name:tag` as given.
        names: Vec<String>,
    },
    /// An OCI layout directory.
    Layout {
        /// Relative to the root.
        dir: String,
    },
    /// Nobody said where to: into the engine when there is one, else an OCI layout. The plan cannot know whether there
    /// is; the backend settles it with [`Output::settled`].
    LoadOrLayout {
        /// `name:tag`, for the engine.
        names: Vec<String>,
        /// Relative to the root, for the layout.
        dir: String,
    },
}

impl Output {
    /// The output once it is known whether an engine can take the image; every other output is as it was.
    #[must_use]
    pub fn settled(self, engine: bool) -> Self {
        match self {
            Self::LoadOrLayout { names, .. } if engine => Self::Load { names },
            Self::LoadOrLayout { dir, .. } => Self::Layout { dir },
            other => other,
        }
    }
}

/// Where one target wants the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetPlan {
    /// Target id.
    pub id: String,
    /// Where.
    pub repository: Repository,
    /// Kind of registry.
    pub provider: Provider,
    /// Under which tags, in config order, without duplicates. Never empty.
    pub tags: Vec<Tag>,
    /// Those of them that move (`latest`, `1.2`, a branch's name); the others stay on one image for good.
    pub moving: Vec<Tag>,
    /// The registry is asked to scan what is published.
    pub scan: bool,
    /// Prefix of the environment variables with its login.
    pub credentials: Option<String>,
}

/// Cache settings as resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CachePlan {
    /// `off`, `local`, `shared`, `hybrid`.
    pub mode: String,
    /// Branch whose cache is written.
    pub branch: String,
    /// Branch whose cache is read after it, never written.
    pub fallback: Option<String>,
    /// Why a plane is left out (`local: /stagefreight/cache is not writable`).
    pub skipped: Vec<String>,
    /// The registry that holds the cache, when one is read or written: its login is needed even where its target is out.
    pub registry: Option<CacheRegistry>,
}

/// Where cache manifests live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CacheRegistry {
    /// Id of the target it lives beside.
    pub target: String,
    /// Where.
    pub repository: Repository,
    /// Kind of registry.
    pub provider: Provider,
    /// Prefix of the environment variables with its login.
    pub credentials: Option<String>,
    /// It is reached without verified TLS.
    pub insecure: bool,
}

/// The builder wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BuilderPlan {
    /// Forced by config (`buildkitd`, `docker`, `rootless`), else chosen.
    pub backend: Option<BackendChoice>,
    /// Name for a builder we make.
    pub name: String,
    /// An existing buildx builder to use as it is (`builder` input).
    pub existing: Option<String>,
    /// The name was chosen by the user, so it is taken as it is.
    pub named: bool,
    /// `docker-container` or `docker`; only where the backend is docker.
    pub driver: String,
    /// Image of the BuildKit container; `None` is buildx's own.
    pub image: Option<String>,
}

/// A forced backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// A BuildKit daemon over TCP or a unix socket.
    Buildkitd,
    /// A docker engine (`dind` in the config).
    Docker,
    /// A daemon that we start ourselves.
    Rootless,
}
