//! What happened, as a value: what every report is drawn from. Filled by the pipeline on success and on failure alike.

use std::time::Duration;

use jiff::Timestamp;

use crate::buildx::event::{BuildFailure, CacheSource, Layer, Warning};
use crate::crucible::Proof;
use crate::event::Span;
use crate::image::{Digest, Repository, Tag};
use crate::plan::{Plan, TrustLevel};
use crate::problem::{Failure, Problem};
use crate::runner::CiContext;

/// Everything a run did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Where it ran.
    pub context: CiContext,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub status: Status,
    /// Why it failed; `None` when it did not.
    pub failure: Option<Failure>,
    /// What was planned; `None` when planning failed.
    pub plan: Option<Plan>,
    /// The builder used; `None` when none was reached.
    pub builder: Option<BuilderFacts>,
    /// One for each step of the plan, in its order.
    pub builds: Vec<BuildOutcome>,
    /// What became of old tags, one for each repository that was swept.
    pub swept: Vec<crate::retention::Swept>,
    /// What signs, or why nothing does; `None` where nothing was to be published, or it was not found out.
    pub signing: Option<Signing>,
    /// What it spent its time on, in the order in which it began.
    pub phases: Vec<Span>,
    /// Trouble that failed nothing, for people: withheld credentials, caches not reached.
    pub notes: Vec<Problem>,
}

/// Whether published images are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// They are.
    With {
        /// With what, for people: `the key in COSIGN_KEY`.
        how: String,
        /// By which program: `cosign 3.1.1`.
        program: String,
    },
    /// They are not.
    Off {
        /// What follows `not signed:`.
        why: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything asked for was done.
    Success,
    /// Something was not.
    Failure,
    /// A signal ended it.
    Cancelled,
}

/// One build's fate.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// Build id.
    pub id: String,
    /// A failure of it fails the run.
    pub required: bool,
    /// How it ended.
    pub state: BuildState,
    /// How long BuildKit took; zero if it never began.
    pub took: Duration,
    /// Finished layer-making steps, in order.
    pub layers: Vec<Layer>,
    /// Caches that BuildKit asked.
    pub caches: Vec<CacheSource>,
    /// BuildKit's warnings.
    pub warnings: Vec<Warning>,
    /// Digest of the manifest or index.
    pub digest: Option<Digest>,
    /// Digest of the image config, for a single platform.
    pub image_id: Option<Digest>,
    /// BuildKit's metadata file, as read.
    pub metadata: Option<serde_json::Value>,
    /// Why it was published without proof, or how far it was proven.
    pub verified: Option<String>,
    /// How it was proven, in crucible mode.
    pub proof: Option<Proof>,
    /// Every tag put, in every registry, read back.
    pub published: Vec<PublishedTag>,
    /// Every tag wanted that does not name the image, and why.
    pub others: Vec<OtherTag>,
    /// Its signatures, one for each repository.
    pub signatures: Vec<Signature>,
    /// Names in the engine.
    pub loaded: Vec<String>,
    /// OCI layout directory, relative to the workspace.
    pub layout: Option<String>,
    /// Path of its leg document, relative to the workspace, where this run is a leg.
    pub leg: Option<String>,
    /// The legs it was merged from, in the order of the platforms.
    pub legs: Vec<MergedLeg>,
}

/// A leg that an image was merged from.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedLeg {
    /// `linux/arm64`.
    pub platform: String,
    /// The manifest of that platform.
    pub digest: Digest,
    /// How far it was proven; `None` where it was not.
    pub trust: Option<TrustLevel>,
    /// How long BuildKit took.
    pub took: Duration,
    /// Its document, as found.
    pub document: String,
    /// Job that built it.
    pub job: Option<String>,
    /// Web address of that job.
    pub job_url: Option<String>,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq)]
pub enum BuildState {
    /// Built, and published, loaded or written as planned.
    Done,
    /// BuildKit failed it.
    BuildFailed(BuildFailure),
    /// It was built, but what had to follow failed.
    Failed(Failure),
    /// It never began.
    NotRun {
        /// One sentence.
        why: String,
    },
}

/// A tag that stands in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTag {
    /// Target id.
    pub target: String,
    /// Where.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// What the registry says it points to, recomputed from the bytes read back.
    pub digest: Digest,
    /// What it pointed to before; `None` where it is new.
    pub was: Option<Digest>,
}

/// A signature of an image in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Where.
    pub repository: Repository,
    /// What is signed.
    pub digest: Digest,
    /// Who made it.
    pub state: SignatureState,
    /// The manifest, in the same repository, that holds the signed attestation of its proof; `None` where it was not proven.
    pub attestation: Option<Digest>,
}

/// Which run made a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureState {
    /// This one.
    Made,
    /// An earlier one, with the same key.
    Stood,
}

/// A tag that was wanted and does not name our image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTag {
    /// Target id.
    pub target: String,
    /// Where.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// What became of it.
    pub fate: TagFate,
    /// What it names now, as last seen; `None` where it is not there, or not known.
    pub holds: Option<Digest>,
    /// One sentence.
    pub why: String,
    /// How to get it all the same.
    pub hint: Option<String>,
}

/// What became of a tag that does not name our image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagFate {
    /// It was not touched.
    Left,
    /// It named our image for a moment and was put back to what it named before.
    PutBack,
    /// It was new and is gone again.
    Removed,
    /// Another run took it.
    Taken,
    /// Nobody knows: the registry took it or not, and does not say.
    Unknown,
}

/// The builder used, for people and for `builder.json`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BuilderFacts {
    /// Builder name.
    pub name: String,
    /// `remote`, `docker-container`, `docker`.
    pub driver: String,
    /// `buildkitd` or `docker`.
    pub backend: String,
    /// Address, without credentials.
    pub endpoint: String,
    /// `running`, `stopped`, `inactive` …
    pub status: String,
    /// `reused`, `created` or `used as it is`.
    pub action: String,
    /// Version of BuildKit, if it told.
    pub buildkit: String,
    /// Version of buildx.
    pub buildx: String,
    /// Platforms it can build.
    pub platforms: Vec<String>,
    /// Garbage collection rules.
    pub gc_rules: Vec<GcRule>,
    /// Seconds from asking to ready.
    pub seconds: f64,
    /// What `buildx inspect` printed, when it could not be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// One garbage collection rule of a builder, in `buildx inspect`'s own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs, reason = "buildx's names, documented on the type")]
pub struct GcRule {
    pub scope: String,
    pub all: bool,
    pub keep_duration: String,
    pub max_used: String,
    pub reserved: String,
    pub min_free: String,
}
