//! What a proof came to, as a value: what reports, outputs and the attestation are drawn from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::buildx::metadata::Material;
use crate::image::Digest;
use crate::image::diff::{ConfigChange, How};
use crate::plan::{CruciblePlan, CrucibleRunner, TrustLevel};
use crate::problem::{Location, Problem};

/// The outcome of proving one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// 12 hex digits: correlates the passes in logs and names temporary images.
    pub run_id: String,
    /// Who ran the second pass.
    pub runner: CrucibleRunner,
    /// What was asked for.
    pub min_trust: TrustLevel,
    /// What was reached; `None` when there was no second image.
    pub trust: Option<TrustLevel>,
    /// It may be published.
    pub passed: bool,
    /// What stood in the way, one sentence each; of a higher level than asked for, too.
    pub obstacles: Vec<String>,
    /// Every check, in the order of [`CheckKind`].
    pub checks: Vec<Check>,
    /// The passes, in order. The second is missing when it gave no image.
    pub passes: Vec<Pass>,
    /// Base images and other sources, as pass 1 resolved them and pass 2 was pinned to.
    pub materials: Vec<Material>,
    /// What differs, where something does.
    pub culprits: Option<Culprits>,
    /// Path of the attestation, relative to the workspace, once it is written.
    pub provenance: Option<String>,
    /// The proofs of its legs, where it was merged: they have the passes, and this has none.
    pub legs: Vec<LegProof>,
}

impl Proof {
    /// Of an image nobody has looked at yet: nothing is reached, and nothing found.
    pub(super) fn begun(run_id: String, wanted: &CruciblePlan) -> Self {
        Self {
            run_id,
            runner: wanted.runner,
            min_trust: wanted.min_trust,
            trust: None,
            passed: false,
            obstacles: Vec::new(),
            checks: Vec::new(),
            passes: Vec::new(),
            materials: Vec::new(),
            culprits: None,
            provenance: None,
            legs: Vec::new(),
        }
    }
}

/// How one platform was proven, by a job of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct LegProof {
    /// `linux/arm64`.
    pub platform: String,
    /// The proof's own id.
    pub run_id: String,
    /// What it reached.
    pub trust: TrustLevel,
    /// The two builds.
    pub passes: Vec<Pass>,
    /// Web address of the job that proved it.
    pub job_url: Option<String>,
}

impl Proof {
    /// Where the full listing of differences goes, relative to the workspace.
    pub fn listing_file(&self) -> String {
        format!(".stagefreight/differences/crucible-{}.json", self.run_id)
    }

    /// What was found, in one plain sentence.
    pub fn verdict(&self) -> String {
        match self.trust {
            None => "not proven: it could not be built a second time".to_owned(),
            Some(TrustLevel::Reproducible) => {
                "reproducible: two cold builds gave the same image, byte for byte".to_owned()
            }
            Some(TrustLevel::Deterministic) => {
                "deterministic: two cold builds gave the same binaries in images that differ".to_owned()
            }
            Some(TrustLevel::Consistent) => {
                "consistent: two cold builds followed the same plan and gave images that differ".to_owned()
            }
            Some(TrustLevel::Viable) => "viable: it could be built twice, and no more can be said".to_owned(),
        }
    }

    /// Why the image is not let through; `None` where it is.
    pub fn refusal(&self, build: &str) -> Option<Problem> {
        if self.passed {
            return None;
        }
        let reached =
            self.trust.map_or("could not be built a second time".to_owned(), |trust| format!("is only {trust}"));
        let why = if self.obstacles.is_empty() { String::new() } else { format!(": {}", self.obstacles.join("; ")) };
        let what = format!("build {build} {reached}, and `min_trust` asks for {}{why}", self.min_trust);
        let hint = match &self.culprits {
            Some(_) => {
                "nothing was published; mend the causes that the proof names, or ask for less with crucible.min_trust"
            }
            None => "nothing was published; mend what stood in the way, and run the job again",
        };
        Some(Problem::new(what).hint(hint))
    }
}

/// One of the two builds.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// Digest of the manifest, or of the index of platform manifests.
    pub digest: Digest,
    /// How long it took.
    pub took: Duration,
    /// Plan hash, as this pass computed it.
    pub plan_hash: Option<String>,
    /// What it was built with: name and value, sorted by name.
    pub environment: Vec<(String, String)>,
    /// Program that ran it: `stagefreight 0.1.0`.
    pub by: String,
}

/// One thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub kind: CheckKind,
    /// Which one, where there are several: `linux/amd64 /usr/bin/app`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// How it came out.
    pub state: CheckState,
    /// Digests or values that were compared, or why they could not be. Hostile text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Digest of the manifest or index: every byte of the image.
    ImageDigest,
    /// Digests of the configs: what the images contain, whatever the compression.
    ConfigDigest,
    /// Digests of the uncompressed layers.
    DiffIds,
    /// Digests of the layers as they are stored.
    LayerBytes,
    /// A file that matters.
    Binary,
    /// Output of the version command.
    Version,
    /// The plan each pass followed.
    PlanHash,
    /// What each pass was built with.
    Environment,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// The same.
    Match,
    /// Not the same.
    Differs,
    /// It could not be told: never as good as a match.
    Unavailable,
    /// Nobody asked: outside the ladder.
    NotAsked,
}

/// Why two images differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Culprits {
    /// Layers that differ, in the order of the image.
    pub layers: Vec<CulpritLayer>,
    /// Fields of the config that differ.
    pub config: Vec<ConfigChange>,
    /// Differences in files the configuration says to ignore: counted, not told.
    pub ignored: u64,
    /// Path of the full listing, relative to the workspace.
    pub listing: Option<String>,
    /// Why this is not all of it.
    pub incomplete: Option<String>,
}

/// A layer that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct CulpritLayer {
    /// `linux/amd64`.
    pub platform: String,
    /// Its position among the image's layers, from 1.
    pub layer: usize,
    /// The instruction that made it, in one line, shortened: `RUN date > /built`. Hostile text.
    pub instruction: String,
    /// Where that stands in the Dockerfile.
    pub location: Option<Location>,
    /// What made the files, where the instruction only copied them: `stage build, lines 2 to 7`.
    pub origin: Option<String>,
    /// The most telling files, at most [`MAX_FILES`].
    pub files: Vec<CulpritFile>,
    /// How many more there are.
    pub more: u64,
    /// Only the compression differs, or only the order of entries: one sentence.
    pub note: Option<String>,
}

/// How many files of a layer are told.
pub const MAX_FILES: usize = 20;

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CulpritFile {
    /// Absolute path in the image. Hostile text.
    pub path: String,
    /// How it differs.
    pub how: Vec<How>,
    /// The class of cause, as far as the file tells.
    pub cause: Cause,
    /// What shows it, in one line, shortened: `2026-01-01 10:00:01 / 2026-01-01 10:00:09`. Hostile text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
}

/// Classes of what makes builds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A date or time of day in a file.
    WallClock,
    /// Modification times.
    Mtime,
    /// The same lines in another order: directory listings, hash maps, parallel jobs.
    Order,
    /// Random or machine-made bytes.
    Random,
    /// Files whose names are made up anew each time.
    RandomName,
    /// Numbers that are another each time: process ids, counters, ports.
    ProcessId,
    /// The build host's name or kernel.
    Host,
    /// Times or order inside zip, jar, tar or gzip files.
    Archive,
    /// Python's compiled files.
    PythonCache,
    /// Logs, caches and databases of package managers.
    PackageManager,
    /// Build ids or paths in compiled programs.
    Compiler,
    /// Permissions that follow the umask.
    Mode,
    /// Owners that follow whoever built.
    Owner,
    /// Extended attributes.
    Xattr,
    /// Where links point.
    Link,
    /// Sorting or language that follows the locale.
    Locale,
    /// Content that came from the network.
    Network,
    /// Nothing of these: the content differs.
    Unknown,
}
