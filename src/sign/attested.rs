//! Attestations as they stand in a registry, read without cosign: to find what it wrote, and to compare it with what it was given.
//!
//! Says nothing about signatures: only cosign checks these.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt as _;
use serde::Deserialize;
use serde_json::Value;

use crate::image::manifest::Children;
use crate::image::{Descriptor, Digest, Repository, Tag};
use crate::provenance;
use crate::registry::{Reference, Registry, RegistryError, referrers};

/// Media type of what cosign 3 attaches.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Of an image, no more attachments are looked at.
const MOST: usize = 64;
/// The largest one that is read: cosign itself takes none larger than 128 MiB, and a provenance has some kilobytes.
const LARGEST: u64 = 4 << 20;

/// A statement that cosign attached.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attested {
    /// The manifest that holds it.
    pub(crate) manifest: Digest,
    /// The in-toto statement.
    pub(crate) statement: Value,
}

/// Whether anything hangs on a manifest that may be a signature. Cheap, and wrong only in saying yes.
pub(crate) async fn may_be_signed(registry: &Registry, repository: &Repository, digest: &Digest) -> bool {
    let two = async {
        let tag = tag(digest, "sig")?;
        registry.head_manifest(repository, &tag).await.ok().map(|head| head.is_some())
    };
    let three = async {
        let listed = referrers::list(registry, repository, digest, None).await.ok()?;
        // The fallback listing of cosign 3 names the type of the empty config: only our own attachments are known as no signature.
        Some(listed.iter().any(|found| found.artifact_type != provenance::MEDIA_TYPE))
    };
    let (two, three) = tokio::join!(two, three);
    two.unwrap_or(true) || three.unwrap_or(true)
}

/// Every in-toto statement that cosign, of either generation, attached to a manifest.
///
/// # Errors
/// When the registry does not say.
pub(crate) async fn read(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
) -> Result<Vec<Attested>, RegistryError> {
    let mut found = Vec::new();
    if let Some(tag) = tag(digest, "att")
        && registry.head_manifest(repository, &tag).await?.is_some()
    {
        collect(registry, repository, Reference::Tag(&tag), &mut found).await?;
    }
    let listed = referrers::list(registry, repository, digest, None).await?;
    let others = listed.iter().filter(|found| found.artifact_type != provenance::MEDIA_TYPE);
    for referrer in others.take(MOST) {
        collect(registry, repository, Reference::Digest(&referrer.descriptor.digest), &mut found).await?;
    }
    Ok(found)
}

async fn collect(
    registry: &Registry,
    repository: &Repository,
    reference: Reference<'_>,
    found: &mut Vec<Attested>,
) -> Result<(), RegistryError> {
    let manifest = registry.get_manifest(repository, reference).await?;
    let Ok(Children::Image { layers, .. }) = manifest.children() else { return Ok(()) };
    for layer in layers.iter().filter(|layer| layer.size <= LARGEST).take(MOST) {
        if layer.media_type != BUNDLE && layer.media_type != "application/vnd.dsse.envelope.v1+json" {
            continue;
        }
        let bytes = blob(registry, repository, layer).await?;
        if let Some(statement) = statement(&bytes) {
            found.push(Attested { manifest: manifest.digest.clone(), statement });
        }
    }
    Ok(())
}

/// A small blob.
///
/// # Errors
/// When it is not to be had, or not what it says it is.
pub(crate) async fn blob(
    registry: &Registry,
    repository: &Repository,
    blob: &Descriptor,
) -> Result<Vec<u8>, RegistryError> {
    let mut stream = std::pin::pin!(registry.get_blob(repository, blob).await?);
    let mut bytes = Vec::new();
    // The stream ends in an error as soon as there is more than the descriptor says.
    while let Some(chunk) = stream.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The statement in an envelope (`secure-systems-lab/dsse` envelope.md), or in a bundle with one (`sigstore/protobuf-specs`).
pub(crate) fn statement(text: &[u8]) -> Option<Value> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        #[serde(rename_all = "camelCase")]
        Bundle {
            dsse_envelope: Envelope,
        },
        Envelope(Envelope),
    }
    #[derive(Deserialize)]
    struct Envelope {
        payload: String,
    }
    let (Form::Bundle { dsse_envelope: envelope } | Form::Envelope(envelope)) = serde_json::from_slice(text).ok()?;
    let statement: Value = serde_json::from_slice(&STANDARD.decode(envelope.payload).ok()?).ok()?;
    statement.is_object().then_some(statement)
}

/// Whether a statement speaks of a manifest.
pub(crate) fn speaks_of(statement: &Value, digest: &Digest) -> bool {
    let subjects = statement["subject"].as_array().map(Vec::as_slice).unwrap_or_default();
    subjects.iter().any(|subject| subject["digest"]["sha256"] == digest.hex())
}

/// Whether a statement is a proof of ours.
pub(crate) fn is_ours(statement: &Value) -> bool {
    statement["predicateType"] == provenance::PREDICATE_TYPE
        && statement["predicate"]["buildDefinition"]["buildType"] == provenance::BUILD_TYPE
}

/// Whether two statements say the same of one image. A proof made again has other times and another id.
pub(super) fn same_proof(one: &Value, other: &Value) -> bool {
    let essence = |statement: &Value| {
        let mut definition = statement["predicate"]["buildDefinition"].clone();
        if let Some(ours) = definition["internalParameters"].as_object_mut() {
            ours.remove("runId");
        }
        definition
    };
    is_ours(one) && is_ours(other) && essence(one) == essence(other)
}

/// A tag of cosign 2.
fn tag(digest: &Digest, suffix: &str) -> Option<Tag> {
    format!("sha256-{}.{suffix}", digest.hex()).parse().ok()
}

#[cfg(test)]
mod tests;
