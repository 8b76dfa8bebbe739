//! What an image says of its commit and version (`opencontainers/image-spec` annotations.md). Whoever may push can write
//! anything there: a label is believed only if it can be what it claims.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use semver::Version;
use serde::Deserialize;
use serde_json::Value;

use super::{Holder, ONCE};
use crate::image::attestations::is_attestation;
use crate::image::manifest::{Children, Manifest, OCI_CONFIG};
use crate::image::{Descriptor, Digest, Repository};
use crate::problem::Problem;
use crate::registry::Registry;

/// The commit.
pub(super) const REVISION: &str = "org.opencontainers.image.revision";
/// The version.
pub(super) const VERSION: &str = "org.opencontainers.image.version";

/// Docker's image config (`distribution/distribution` manifest/schema2).
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// The largest config read: as large as the largest manifest.
const MAX_CONFIG: u64 = 4 << 20;
/// The longest version looked at.
const MAX_VERSION: usize = 256;

/// Labels, or annotations, which name the same things.
type Labels = BTreeMap<String, String>;

/// Reads the labels of what a tag names; an image of several platforms speaks through its first. Where the config has neither
/// label, annotations of the manifest, then of the index, speak for it.
///
/// # Errors
/// When it cannot be read.
pub async fn holder(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<Holder, Problem> {
    let root = manifest(registry, repository, digest).await?;
    let mut sources = vec![annotations(&root)];
    let image = match children(&root)? {
        Children::Index(children) => match children.iter().find(|child| is_platform(child)) {
            Some(first) => {
                let manifest = manifest(registry, repository, &first.digest).await?;
                sources.insert(0, annotations(&manifest));
                Some(manifest)
            }
            None => None,
        },
        Children::Image { .. } => Some(root),
    };
    // An index within the index says no more than its annotations.
    if let Some(Children::Image { config, .. }) = image.as_ref().map(children).transpose()?
        && is_image_config(&config)
    {
        sources.insert(0, config_labels(registry, repository, &config).await?);
    }
    Ok(read(digest, &sources))
}

/// The first source that has anything to say.
fn read(digest: &Digest, sources: &[Labels]) -> Holder {
    let mut found = Holder { digest: digest.clone(), revision: None, version: None, unusable: Vec::new() };
    let said = |labels: &Labels, name: &str| labels.get(name).filter(|value| !value.trim().is_empty()).cloned();
    let Some(labels) = sources.iter().find(|l| [REVISION, VERSION].iter().any(|name| said(l, name).is_some())) else {
        return found;
    };
    if let Some(text) = said(labels, REVISION) {
        found.revision = revision(&text);
        found.unusable.extend(found.revision.is_none().then_some(REVISION));
    }
    if let Some(text) = said(labels, VERSION) {
        found.version = version(&text);
        found.unusable.extend(found.version.is_none().then_some(VERSION));
    }
    found
}

/// A whole commit id; zeros are none.
fn revision(text: &str) -> Option<String> {
    let text = text.trim();
    let whole = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    (whole && text.bytes().any(|b| b != b'0')).then(|| text.to_ascii_lowercase())
}

fn version(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    (text.len() <= MAX_VERSION && Version::parse(text).is_ok()).then(|| text.to_owned())
}

/// Not an attestation, and not another index.
fn is_platform(child: &Descriptor) -> bool {
    let unknown = child.platform.as_ref().is_some_and(|p| p.os == "unknown" || p.architecture == "unknown");
    !unknown
        && !is_attestation(child)
        && !child.media_type.contains("index")
        && !child.media_type.contains("manifest.list")
}

/// Artifacts that are no images have configs of their own kinds.
fn is_image_config(config: &Descriptor) -> bool {
    matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG)
}

fn annotations(manifest: &Manifest) -> Labels {
    #[derive(Deserialize)]
    struct Annotated {
        #[serde(default)]
        annotations: Option<Labels>,
    }
    serde_json::from_slice::<Annotated>(&manifest.bytes).ok().and_then(|m| m.annotations).unwrap_or_default()
}

async fn config_labels(registry: &Registry, repository: &Repository, config: &Descriptor) -> Result<Labels, Problem> {
    if config.size > MAX_CONFIG {
        return Err(unreadable(repository, config, &format!("it has {} bytes", config.size)));
    }
    let mut stream = registry.get_blob(repository, config).await.map_err(|e| e.problem())?.boxed();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        // The stream ends in an error where it is longer than the descriptor says.
        bytes.extend_from_slice(&chunk.map_err(|e| e.problem())?);
    }
    labels_in(&bytes).ok_or_else(|| unreadable(repository, config, "it is not what an image config should be"))
}

/// The labels in an image config; of a value that is no text, its JSON.
fn labels_in(config: &[u8]) -> Option<Labels> {
    #[derive(Deserialize)]
    struct Config {
        config: Option<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(rename = "Labels")]
        labels: Option<BTreeMap<String, Value>>,
    }
    let config: Config = serde_json::from_slice(config).ok()?;
    let labels = config.config.and_then(|inner| inner.labels).unwrap_or_default();
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Some(labels.into_iter().map(|(name, value)| (name, text(value))).collect())
}

async fn manifest(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<Manifest, Problem> {
    registry.get_manifest(repository, digest).await.map_err(|e| e.problem())
}

fn children(manifest: &Manifest) -> Result<Children, Problem> {
    manifest.children().map_err(|e| Problem::new(format!("manifest {}: {e}", manifest.digest.short())).hint(ONCE))
}

fn unreadable(repository: &Repository, config: &Descriptor, why: &str) -> Problem {
    Problem::new(format!("the labels of an image in {repository} cannot be read from {}: {why}", config.digest.short()))
        .hint(ONCE)
}

#[cfg(test)]
mod tests;
