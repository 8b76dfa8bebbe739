//! Version 1 of the result document, field by field. The doc comments are its documentation: the JSON Schema carries them.

mod legs;
mod proof;
mod retention;
mod signing;
mod time;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use legs::*;
pub use proof::*;
pub use retention::*;
pub use signing::*;
pub use time::*;

/// What one run of StageFreight did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Version of this format: 1. Read what you know, ignore the rest.
    pub schema_version: u32,
    /// The program that wrote this.
    pub tool: Tool,
    /// How the run ended.
    pub status: Status,
    /// The exit code of the process.
    pub exit_code: u8,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Where it ran.
    pub context: Context,
    /// Version of the image, as git and CI tell it; absent when planning failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The builder used; absent when none was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<Builder>,
    /// Cache settings as resolved; absent when planning failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// Every build of the plan, in its order.
    #[serde(default)]
    pub builds: Vec<Build>,
    /// Builds of the configuration this run left out, and why.
    #[serde(default)]
    pub left_out: Vec<Decision>,
    /// The lowest level that the proven builds reached; absent when nothing was to be proven, or something that was is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustLevel>,
    /// What became of old tags, one for each repository where targets have a `retention`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retention: Vec<SweptRepository>,
    /// Whether published images are signed; absent where nothing was to be published, or it was not found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// What the run spent its time on, in the order in which it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseSpan>,
    /// Trouble that failed nothing: withheld credentials, caches not reached.
    #[serde(default)]
    pub notes: Vec<Problem>,
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `stagefreight`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that had to work did.
    Success,
    /// Something did not.
    Failure,
    /// A signal ended it.
    Cancelled,
}

/// Why a run, or what followed a build, failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Which part: `config`, `input`, `plan`, `backend`, `credentials`, `build`, `verification`, `publish`, `report`,
    /// `interrupted`, `terminated`, `internal`.
    pub kind: String,
    /// At least one, most important first.
    pub problems: Vec<Problem>,
}

/// One mistake or obstacle, with its cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What is wrong, in one sentence.
    pub what: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The lines that show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// Path relative to the workspace.
    pub file: String,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// `Dockerfile:8:3`, as far as it is known.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        [self.line, self.column].iter().flatten().try_for_each(|number| write!(f, ":{number}"))
    }
}

/// The CI job, or the machine, a run was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// Which forge.
    pub forge: Forge,
    /// Why it was started: `push`, `tag`, `release`, `schedule`, `manual`, `pull_request`, `merge_request`.
    pub event: String,
    /// The event as the runner calls it.
    pub event_name: String,
    /// The code built may see credentials.
    pub trusted: bool,
    /// Why it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted_because: Option<String>,
    /// `owner/name` or `group/sub/project`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Web address of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_url: Option<String>,
    /// Web address of the forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_url: Option<String>,
    /// The commit built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch built, or the head branch of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The tag the run is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The pull or merge request the run is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
    /// Pipeline or workflow run id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Attempt of that pipeline, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Job name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Web address of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_url: Option<String>,
    /// Name of the runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// A forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Forge {
    /// GitHub Actions.
    GitHub,
    /// Gitea Actions.
    Gitea,
    /// Forgejo Actions.
    Forgejo,
    /// GitLab CI.
    GitLab,
    /// None.
    Local,
}

/// A pull or merge request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Branch it comes from.
    pub head_ref: String,
    /// Branch it goes to.
    pub base_ref: String,
    /// Tip of the branch it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// Repository it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_repository: Option<String>,
}

/// A version and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// The whole: `1.2.3-rc.1`.
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

/// The builder used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// `remote`, `docker-container`, `docker`.
    pub driver: String,
    /// `buildkitd` or `docker`.
    pub backend: String,
    /// Its address, without credentials.
    pub endpoint: String,
    /// `reused`, `created` or `used as it is`.
    pub action: String,
    /// `running`, `stopped`, `inactive` …
    pub status: String,
    /// Version of BuildKit, empty if it did not tell.
    pub buildkit: String,
    /// Version of buildx.
    pub buildx: String,
    /// Platforms it can build.
    pub platforms: Vec<String>,
    /// Seconds from asking to ready.
    pub seconds: f64,
}

/// Cache settings as resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cache {
    /// `off`, `local`, `shared`, `hybrid`.
    pub mode: String,
    /// Branch whose cache is written.
    pub branch: String,
    /// Branch whose cache is read after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Parts left out, and why.
    #[serde(default)]
    pub skipped: Vec<String>,
}

/// Something taken or left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Id of the build or target.
    pub id: String,
    /// Taken.
    pub included: bool,
    /// One sentence.
    pub why: String,
}

/// One build: what was planned, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Build id.
    pub id: String,
    /// A failure of it fails the run.
    pub required: bool,
    /// How it ended.
    pub state: BuildState,
    /// Why it never began; with the state `not_run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What BuildKit failed it for; with the state `build_failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_failure: Option<BuildFailure>,
    /// What failed after it was built; with the state `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<BuildPlan>,
    /// How long BuildKit took, in seconds.
    pub seconds: f64,
    /// Digest of the manifest or index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Digest of the image configuration, for a single platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// How far the image was proven, or why it was published without proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
    /// How the image was proven; only with the mode `crucible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Every tag put, in every registry, as read back from it.
    #[serde(default)]
    pub published: Vec<PublishedTag>,
    /// Every tag wanted that does not name the image, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherTag>,
    /// Its signatures, one for each repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// Names in the engine.
    #[serde(default)]
    pub loaded: Vec<String>,
    /// OCI layout directory, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// Which platform this run built of it, where other jobs build the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Leg>,
    /// The legs it was merged from, in the order of its platforms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<MergedLeg>,
    /// Registry targets that name this build, and why each is in or out.
    #[serde(default)]
    pub targets: Vec<Decision>,
    /// Finished steps that make layers, in order.
    #[serde(default)]
    pub layers: Vec<Layer>,
    /// Caches that BuildKit was told to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caches: Vec<CacheSource>,
    /// Warnings of BuildKit's checks.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// BuildKit's metadata file, as read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    /// Built, and published, loaded or written as planned.
    Done,
    /// BuildKit failed it.
    BuildFailed,
    /// It was built; what had to follow failed.
    Failed,
    /// It never began.
    NotRun,
}

/// What a build was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildPlan {
    /// Path relative to the workspace, or as given.
    pub dockerfile: String,
    /// Directory relative to the workspace, or as given.
    pub context: String,
    /// Stage built; absent for the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Platforms; empty for the builder's own.
    pub platforms: Vec<String>,
    /// Builds that had to be done first.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// `plain` or `crucible`.
    pub mode: String,
    /// What was to become of the image.
    pub output: Output,
    /// References to publish (`host/path:tag`), names to load, or the layout directory.
    pub names: Vec<String>,
    /// Hash over what decides the image's content, 64 hex digits.
    pub plan_hash: String,
}

/// What becomes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// To registries.
    Publish,
    /// Into the engine.
    Load,
    /// An OCI layout directory.
    Layout,
}

/// A tag that stands in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublishedTag {
    /// Target id.
    pub target: String,
    /// `host/path`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// `host/path:tag`.
    pub reference: String,
    /// What the registry says it points to.
    pub digest: String,
    /// What it pointed to before; absent where it is new, or named this image already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
}

/// A tag that was wanted and does not name the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OtherTag {
    /// Target id.
    pub target: String,
    /// `host/path`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// `host/path:tag`.
    pub reference: String,
    /// What became of it.
    pub fate: TagFate,
    /// What it names now, as last seen; absent where it is not there, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<String>,
    /// One sentence.
    pub why: String,
    /// How to get it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What became of a tag that does not name the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TagFate {
    /// It was not touched.
    Left,
    /// It was put, and put back to what it named before.
    PutBack,
    /// It was put, and is gone again.
    Removed,
    /// Another run took it.
    Taken,
    /// Nobody knows what it names.
    Unknown,
}

/// A finished step that makes a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Stage name, empty for the only unnamed stage.
    pub stage: String,
    /// Platform, where BuildKit names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// `2` of `2/5`, 0 if unknown.
    pub index: u32,
    /// `5` of `2/5`, 0 if unknown.
    pub total: u32,
    /// `FROM`, `RUN`, `COPY` …
    pub instruction: String,
    /// Rest of the instruction, shortened.
    pub detail: String,
    /// Base image of a `FROM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_image: Option<String>,
    /// Its result came from the cache.
    pub cached: bool,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// When it began, in seconds since the run did; absent where BuildKit gave no times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
}

/// A warning of BuildKit's checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// One line.
    pub message: String,
    /// Longer explanation, may be empty.
    pub detail: String,
    /// Where to read more, may be empty.
    pub url: String,
    /// Place in the Dockerfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// What is known about a failed build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildFailure {
    /// BuildKit's own last word.
    pub summary: String,
    /// The Dockerfile line that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<Location>,
    /// Errors found in the output, most telling first.
    pub errors: Vec<BuildError>,
    /// Last lines of the output. Never empty.
    pub tail: Vec<String>,
}

/// An error found in a build's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildError {
    /// Which reader understood it: `rustc`, `go`, `gcc` … or `generic`.
    pub tool: String,
    /// Place in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The message in one line.
    pub message: String,
    /// The line it was read from.
    pub raw: String,
}
