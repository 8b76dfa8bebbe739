//! buildx's `--metadata-file`: what a build made, from the only source that is not a log.
//!
//! Reads bytes somebody else read; trusts nothing in them. Written by buildx on success only, so a file that lacks what
//! was published means that nothing certain was.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::image::reference::parse_tagged;
use crate::image::{Digest, Repository, Tag};

#[cfg(test)]
mod tests;

/// Largest metadata file read, in bytes; `mode=max` provenance makes files of a megabyte.
pub const MAX_BYTES: usize = 16 << 20;

/// What the metadata file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// `containerimage.digest`: of the manifest, or of the index when there are several platforms or attestations. The
    /// overlay2 `docker` driver puts the *config's* digest here after a load. `None` where nothing was exported.
    pub digest: Option<Digest>,
    /// `containerimage.config.digest`, for a single platform.
    pub config_digest: Option<Digest>,
    /// `containerimage.descriptor`, where the builder gives one.
    pub descriptor: Option<Descriptor>,
    /// `image.name`, split: as buildx writes them, in its order.
    pub image_names: Vec<String>,
    /// `buildx.build.ref`: `builder/node/id`, empty if missing.
    pub build_ref: String,
    /// Base images, from the provenance of every platform, each once.
    pub materials: Vec<Material>,
    /// The whole file.
    pub raw: Value,
}

/// What the digest points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// OCI or docker media type.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Something the image was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Material {
    /// `docker.io/library/busybox:latest` for an image, else the URI as it stands (a git or http source).
    pub name: String,
    /// Platform taken from an image.
    pub platform: Option<String>,
    /// sha256 digest; a git source has none.
    pub digest: Option<Digest>,
}

/// A name that the build pushed to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedRef {
    /// Where.
    pub repository: Repository,
    /// Under which tag; `None` when it was pushed by digest.
    pub tag: Option<Tag>,
    /// What was pushed.
    pub digest: Digest,
}

/// Why a metadata file is no proof of a publication.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Larger than [`MAX_BYTES`].
    #[error("buildx's metadata file has {bytes} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not a JSON object.
    #[error("buildx's metadata file is not a JSON object: {0}")]
    NotJson(String),
    /// A known field does not hold what it should.
    #[error("`{field}` in buildx's metadata file is not what it should be: {value}")]
    BadField {
        /// Which.
        field: &'static str,
        /// What it holds, clipped.
        value: String,
    },
    /// No `containerimage.digest`.
    #[error("buildx's metadata file names no digest: the build exported no image")]
    NoDigest,
    /// No `image.name`.
    #[error("buildx's metadata file names no image: nothing was pushed under a name")]
    NoName,
    /// The names are not those that were planned.
    #[error("the build pushed other names than planned{}{}", list("; missing: ", .missing), list("; not planned: ", .unplanned))]
    OtherNames {
        /// Planned and not pushed.
        missing: Vec<String>,
        /// Pushed and not planned.
        unplanned: Vec<String>,
    },
}

/// Reads a metadata file.
///
/// # Errors
/// When it is too large, is no JSON object, or a field we rely on has another form than buildx gives it. A *missing*
/// field is no error here: what must be there depends on what was asked for.
pub fn parse(bytes: &[u8]) -> Result<Metadata, MetadataError> {
    if bytes.len() > MAX_BYTES {
        return Err(MetadataError::TooLarge { bytes: bytes.len() });
    }
    let raw: Value = serde_json::from_slice(bytes).map_err(|e| MetadataError::NotJson(e.to_string()))?;
    if !raw.is_object() {
        return Err(MetadataError::NotJson(clip(&raw.to_string())));
    }
    let names = text(&raw, "image.name")?.unwrap_or_default();
    Ok(Metadata {
        digest: digest(&raw, "containerimage.digest")?,
        config_digest: digest(&raw, "containerimage.config.digest")?,
        descriptor: descriptor(&raw)?,
        image_names: names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect(),
        build_ref: text(&raw, "buildx.build.ref")?.unwrap_or_default().to_owned(),
        materials: materials(&raw),
        raw,
    })
}

/// The digest of what was built. The seed's `ParseMetadataDigest`.
///
/// # Errors
/// As [`parse`], and when there is none.
pub fn parse_metadata_digest(bytes: &[u8]) -> Result<Digest, MetadataError> {
    parse(bytes)?.digest.ok_or(MetadataError::NoDigest)
}

/// What was pushed, if it is exactly what was planned: every name once, no other, and a digest. The seed's
/// `ParseBuildxPublished`. Sorted by name.
///
/// # Errors
/// When digest or names are missing, or the names differ from the plan in any way.
pub fn parse_buildx_published(
    metadata: &Metadata,
    planned: &[(Repository, Option<Tag>)],
) -> Result<Vec<PublishedRef>, MetadataError> {
    let digest = metadata.digest.clone().ok_or(MetadataError::NoDigest)?;
    if metadata.image_names.is_empty() {
        return Err(MetadataError::NoName);
    }
    let planned: BTreeSet<(Repository, Option<Tag>)> = planned.iter().cloned().collect();
    let mut pushed = BTreeSet::new();
    let mut unplanned = Vec::new();
    for name in &metadata.image_names {
        match pushed_name(name, &digest) {
            Some(known) if planned.contains(&known) => _ = pushed.insert(known),
            _ => unplanned.push(clip(name)),
        }
    }
    let missing: Vec<String> = planned.difference(&pushed).map(|(r, t)| full(r, t.as_ref())).collect();
    if !missing.is_empty() || !unplanned.is_empty() {
        return Err(MetadataError::OtherNames { missing, unplanned });
    }
    let published = |(repository, tag)| PublishedRef { repository, tag, digest: digest.clone() };
    Ok(pushed.into_iter().map(published).collect())
}

/// A name of `image.name`; one that ends in a digest (`name-canonical`) must end in *the* digest.
fn pushed_name(name: &str, digest: &Digest) -> Option<(Repository, Option<Tag>)> {
    let name = match name.split_once('@') {
        Some((name, of)) if of == digest.as_str() => name,
        Some(_) => return None,
        None => name,
    };
    parse_tagged(name).ok()
}

fn full(repository: &Repository, tag: Option<&Tag>) -> String {
    tag.map_or_else(|| repository.to_string(), |tag| format!("{repository}:{tag}"))
}

fn text<'a>(raw: &'a Value, field: &'static str) -> Result<Option<&'a str>, MetadataError> {
    match raw.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(bad(field, other)),
    }
}

fn digest(raw: &Value, field: &'static str) -> Result<Option<Digest>, MetadataError> {
    let Some(text) = text(raw, field)?.filter(|t| !t.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| bad(field, &Value::from(text)))
}

fn descriptor(raw: &Value) -> Result<Option<Descriptor>, MetadataError> {
    let field = "containerimage.descriptor";
    let Some(value) = raw.get(field).filter(|v| !v.is_null()) else { return Ok(None) };
    let read = || {
        Some(Descriptor {
            media_type: value.get("mediaType")?.as_str()?.to_owned(),
            digest: value.get("digest")?.as_str()?.parse().ok()?,
            size: value.get("size")?.as_u64()?,
        })
    };
    read().map(Some).ok_or_else(|| bad(field, value))
}

/// From `buildx.build.provenance`, or `buildx.build.provenance/<platform>` each: SLSA 0.2's `materials`. Provenance
/// informs and proves nothing here, so what cannot be read of it is left out.
fn materials(raw: &Value) -> Vec<Material> {
    let fields = raw.as_object().into_iter().flatten();
    let provenances =
        fields.filter(|(name, _)| *name == "buildx.build.provenance" || name.starts_with("buildx.build.provenance/"));
    sorted(provenances.filter_map(|(_, p)| p.get("materials")?.as_array()).flatten())
}

/// The same from an in-toto statement with SLSA provenance 0.2 (`materials`) or 1 (`resolvedDependencies`), as BuildKit
/// attaches it to an image.
pub fn materials_of(statement: &Value) -> Vec<Material> {
    let places = ["/predicate/materials", "/predicate/buildDefinition/resolvedDependencies"];
    sorted(places.iter().filter_map(|at| statement.pointer(at)?.as_array()).flatten())
}

fn sorted<'a>(entries: impl Iterator<Item = &'a Value>) -> Vec<Material> {
    let found: BTreeSet<Material> = entries.filter_map(material).collect();
    found.into_iter().collect()
}

fn material(entry: &Value) -> Option<Material> {
    let uri = entry.get("uri")?.as_str()?;
    let digest = entry.pointer("/digest/sha256").and_then(Value::as_str);
    let digest = digest.and_then(|hex| format!("sha256:{hex}").parse().ok());
    let Some(package) = uri.strip_prefix("pkg:docker/") else {
        return Some(Material { name: clip(uri), platform: None, digest });
    };
    let (package, query) = package.split_once('?').unwrap_or((package, ""));
    let (path, version) = package.rsplit_once('@').unwrap_or((package, ""));
    let decode = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
    let repository = decode(path).parse::<Repository>().ok()?;
    let name = if version.is_empty() { repository.to_string() } else { format!("{repository}:{}", decode(version)) };
    let platform = query.split('&').find_map(|pair| pair.strip_prefix("platform=")).map(decode);
    Some(Material { name, platform, digest })
}

fn bad(field: &'static str, value: &Value) -> MetadataError {
    MetadataError::BadField { field, value: clip(&value.to_string()) }
}

fn clip(s: &str) -> String {
    s.chars().take(200).collect()
}

fn list(before: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("{before}{}", names.join(", ")) }
}
