//! The leg document, `schema_version` 1: what `stagefreight merge` has to know of an image that another job built. Canonical JSON
//! that carries its own checksum, and holds no secret. `docs/legs.md` says what the fields mean.
//!
//! Within version 1 fields are added, never renamed, removed or given another meaning. Pure: bytes in, values out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::buildx::metadata::Material;
use crate::crucible::proof::Check;
use crate::image::manifest::{DOCKER_MANIFEST, MAX_MANIFEST, OCI_MANIFEST};
use crate::image::platform::normalise;
use crate::image::{Digest, Repository};
use crate::plan::{CrucibleRunner, TrustLevel};

/// The version written and read.
pub const SCHEMA_VERSION: u32 = 1;
/// The largest document. What BuildKit attests of a large image has some megabytes.
pub const LIMIT: usize = 32 << 20;

const MAX_PLATFORMS: usize = 64;
const MAX_STATEMENTS: usize = 64;
const MAX_ATTESTATIONS: usize = 16;
const MAX_REPOSITORIES: usize = 256;
const MAX_CHECKS: usize = 10_000;

/// One leg of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// `sha256:…` over the document with this field empty.
    pub checksum: String,
    /// Program that wrote it: `stagefreight 0.1.0`.
    pub tool: String,
    /// The job that built it.
    pub run: Run,
    /// Build id.
    pub build: String,
    /// `linux/arm64`.
    pub platform: String,
    /// All platforms of the build.
    pub platforms: Vec<String>,
    /// Commit the image is made of.
    pub commit: Option<String>,
    /// Version of the image.
    pub version: String,
    /// Plan hash of the whole build, 64 hex digits.
    pub plan_hash: String,
    /// Seconds since 1970 to which timestamps were lowered.
    pub source_date_epoch: Option<i64>,
    /// How long BuildKit took.
    pub seconds: f64,
    /// Digest of what was built: of the manifest, or of an index of it and what BuildKit attests of it.
    pub digest: Digest,
    /// The image in registries; absent where nothing is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Staged>,
    /// What built it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<Builder>,
    /// How it was proven; only in crucible mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What is said about it, to be attached when it is published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Said>,
}

/// The job that built a leg.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// `git_hub`, `git_lab`, `gitea`, `forgejo`, `local`.
    pub forge: String,
    /// `owner/name`.
    pub repository: Option<String>,
    /// Pipeline or workflow run: the same for all legs of an image.
    pub pipeline: Option<String>,
    /// Attempt of that pipeline; may differ where only some jobs were run again.
    pub attempt: Option<u32>,
    /// Job.
    pub job: Option<String>,
    /// Its web address.
    pub job_url: Option<String>,
    /// When the run began, RFC 3339.
    pub started: String,
}

/// An image in registries, by digest, under no tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// `host/path` of each.
    pub repositories: Vec<String>,
    /// The manifest of the platform.
    pub manifest: Pointer,
    /// Digest of its config.
    pub config: Digest,
    /// Manifests with what BuildKit attests of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Pointer>,
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// What it is.
    pub media_type: String,
    /// Hash of its bytes.
    pub digest: Digest,
    /// Number of its bytes.
    pub size: u64,
}

/// What built a leg.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// `buildkitd` or `docker`.
    pub backend: String,
    /// `remote`, `docker-container`, `docker`.
    pub driver: String,
    /// Version of BuildKit.
    pub buildkit: String,
    /// Version of buildx.
    pub buildx: String,
}

/// How a leg was proven. The level is worked out again from the checks by whoever reads this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// 12 hex digits.
    pub run_id: String,
    /// Who ran the second pass.
    pub runner: CrucibleRunner,
    /// What was asked for.
    pub min_trust: TrustLevel,
    /// What was reached.
    pub trust: TrustLevel,
    /// Everything that was compared.
    pub checks: Vec<Check>,
    /// The two builds.
    pub passes: Vec<Pass>,
    /// Base images and other sources.
    pub materials: Vec<Material>,
}

/// One of the two builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// What it gave.
    pub digest: Digest,
    /// How long it took.
    pub seconds: f64,
    /// Plan hash as it computed it.
    pub plan_hash: Option<String>,
    /// What it was built with: name and value.
    pub environment: Vec<(String, String)>,
    /// Program that ran it.
    pub by: String,
}

/// A statement about a leg: an in-toto document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The manifest it speaks of.
    pub subject: Digest,
    /// Type of its predicate.
    pub predicate: String,
    /// How far the image is proven, where it says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustLevel>,
    /// The document itself, byte for byte.
    pub document: String,
}

/// Why bytes are no leg.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLeg {
    /// More than [`LIMIT`].
    #[error("it has more than {} MiB", LIMIT >> 20)]
    TooLarge,
    /// Not JSON, or not of this form.
    #[error("it is no leg document: {0}")]
    Form(String),
    /// Of another version of the form.
    #[error("it is of schema version {0}, and this program reads version {SCHEMA_VERSION}")]
    Version(u64),
    /// Somebody changed it.
    #[error("its checksum is not that of its content: it was changed after it was written, or cut off")]
    Checksum,
}

impl Document {
    /// The file's text, with the checksum filled in.
    pub fn to_text(&self) -> String {
        let value = serde_json::to_value(Self { checksum: String::new(), ..self.clone() }).unwrap_or_default();
        sealed(value)
    }

    /// Reads a file's bytes. Nothing in it is believed but that it is what its writer wrote.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadLeg> {
        if bytes.len() > LIMIT {
            return Err(BadLeg::TooLarge);
        }
        let form = |e: serde_json::Error| BadLeg::Form(e.to_string().chars().take(200).collect());
        let mut value: Value = serde_json::from_slice(bytes).map_err(form)?;
        let fields = value.as_object_mut().ok_or_else(|| BadLeg::Form("it is no object".to_owned()))?;
        match fields.get("schema_version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(SCHEMA_VERSION) => {}
            Some(other) => return Err(BadLeg::Version(other)),
            None => return Err(BadLeg::Form("it has no `schema_version`".to_owned())),
        }
        let claimed = fields.insert("checksum".to_owned(), String::new().into());
        let claimed = claimed.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        if Digest::of(value.to_string().as_bytes()).as_str() != claimed {
            return Err(BadLeg::Checksum);
        }
        let document: Self = serde_json::from_value(value).map_err(form)?;
        document.plausible()?;
        Ok(Self { checksum: claimed, ..document })
    }

    /// The platform, in its one spelling.
    pub fn platform(&self) -> String {
        normalise(&self.platform)
    }

    /// More of anything than a leg can have, or other things than it can have.
    fn plausible(&self) -> Result<(), BadLeg> {
        let many = |what: &str, n: usize, limit: usize| match n > limit {
            true => Err(BadLeg::Form(format!("it has {n} {what}, and more than {limit} are not believed"))),
            false => Ok(()),
        };
        let said = |why: String| Err(BadLeg::Form(why));
        many("platforms", self.platforms.len(), MAX_PLATFORMS)?;
        many("statements", self.statements.len(), MAX_STATEMENTS)?;
        many("checks", self.proof.as_ref().map_or(0, |proof| proof.checks.len()), MAX_CHECKS)?;
        if !self.platforms.contains(&self.platform) {
            return said(format!("its platform `{}` is none of its build's", short(&self.platform)));
        }
        if !self.seconds.is_finite() || self.seconds < 0.0 {
            return said("`seconds` is no time".to_owned());
        }
        let Some(staged) = &self.staged else { return Ok(()) };
        many("repositories", staged.repositories.len(), MAX_REPOSITORIES)?;
        many("attestations", staged.attestations.len(), MAX_ATTESTATIONS)?;
        if let Some(bad) = staged.repositories.iter().find(|name| name.parse::<Repository>().is_err()) {
            return said(format!("`{}` is no repository", short(bad)));
        }
        for pointer in std::iter::once(&staged.manifest).chain(&staged.attestations) {
            if ![OCI_MANIFEST, DOCKER_MANIFEST].contains(&pointer.media_type.as_str()) {
                return said(format!(
                    "{} is of the media type `{}`, which no leg is",
                    pointer.digest,
                    short(&pointer.media_type)
                ));
            }
            if pointer.size == 0 || pointer.size > MAX_MANIFEST as u64 {
                return said(format!("{} cannot be a manifest of {} bytes", pointer.digest, pointer.size));
            }
        }
        Ok(())
    }
}

/// Canonical JSON (sorted keys, no white space) with its checksum, and a line end.
fn sealed(mut value: Value) -> String {
    rounded(&mut value);
    let checksum = Digest::of(value.to_string().as_bytes()).to_string();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("checksum".to_owned(), checksum.into());
    }
    format!("{value}\n")
}

/// Fractions to a thousandth. One with many digits can be read back as its neighbour, and the checksum would be another.
fn rounded(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let short = number.as_f64().map(|exact| (exact * 1000.0).round() / 1000.0);
            *value = short.and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number);
        }
        Value::Array(values) => values.iter_mut().for_each(rounded),
        Value::Object(fields) => fields.values_mut().for_each(rounded),
        _ => {}
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}

/// Seals a document that a test has changed.
#[cfg(test)]
pub(crate) fn reseal(mut value: Value) -> String {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("checksum".to_owned(), String::new().into());
    }
    sealed(value)
}
