//! Artifacts attached to an image: attestations, signatures, bills of materials (`opencontainers/distribution-spec` 1.1, "Pushing
//! Manifests with Subject", "Listing Referrers", "Referrers Tag Schema").
//!
//! Where a registry does not list what refers to an image, an index under the tag `sha256-<hex>` does, and writing it is our
//! duty. Nothing here depends on the clock: attaching the same twice changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::auth::scope;
use super::blobs::Source;
use super::client::Registry;
use super::error::{Attempt, Fault, RegistryError, clean};
use super::retry::retry;
use super::tags::next_page;
use super::transport::{Body, Request};
use crate::image::manifest::{MAX_MANIFEST, Manifest, OCI_INDEX, OCI_MANIFEST};
use crate::image::{Descriptor, Digest, Repository, Tag};

/// What the config of an artifact without one is.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// An image with more pages of referrers is not listed to its end.
const MAX_PAGES: usize = 100;
/// So often the index under the tag is written again when somebody else wrote it at the same time.
const TRIES: u32 = 5;

/// Something to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// What kind of thing it is, as a media type; what listings are filtered by.
    pub artifact_type: String,
    /// Media type of the payload.
    pub media_type: String,
    /// The thing itself.
    pub payload: Bytes,
    /// Free text on its manifest. Nothing of the clock, or the same artifact is another one each time.
    pub annotations: BTreeMap<String, String>,
}

/// Something that refers to an image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// Its manifest, with its annotations.
    #[serde(flatten)]
    pub descriptor: Descriptor,
    /// What kind of thing it is; empty where the listing does not say.
    #[serde(default)]
    pub artifact_type: String,
}

/// Attaches an artifact to an image of the same repository, which need not be there yet. Returns where its manifest is.
///
/// Two programs that attach to one image at the same moment, on a registry without listings, may undo each other's entry: the
/// specification has no lock. Each entry is read back and written again if it is gone; what remains is a very small gap, and
/// none between clones of one [`Registry`].
///
/// # Errors
/// When the registry does not take it, or the tag for listings holds something else than an index.
pub async fn attach(
    registry: &Registry,
    repository: &Repository,
    subject: &Descriptor,
    artifact: &Artifact,
) -> Result<Descriptor, RegistryError> {
    for (bytes, media_type) in
        [(Bytes::from_static(EMPTY), EMPTY_TYPE), (artifact.payload.clone(), &artifact.media_type)]
    {
        let blob = descriptor(media_type, &bytes);
        if registry.head_blob(repository, &blob.digest).await?.is_none() {
            registry.upload(repository, &blob, &Source::Bytes(bytes), None).await?;
        }
    }
    let manifest = manifest(subject, artifact);
    registry.put_manifest(repository, &manifest.digest, &manifest).await?;
    // Asked rather than believed: some registries send `OCI-Subject` and list nothing, others list without sending it. A
    // listing that cannot be had is none: an entry too many under the tag does no harm.
    let listed = from_api(registry, repository, &subject.digest, Some(&artifact.artifact_type)).await.ok().flatten();
    if !listed.is_some_and(|all| all.iter().any(|found| found.descriptor.digest == manifest.digest)) {
        list_under_tag(registry, repository, &subject.digest, &manifest, artifact).await?;
    }
    Ok(manifest.descriptor())
}

/// What refers to an image, of one kind or of any, in the registry's order. Entries that cannot be read are left out.
///
/// # Errors
/// When the registry does not say.
pub async fn list(
    registry: &Registry,
    repository: &Repository,
    subject: &Digest,
    artifact_type: Option<&str>,
) -> Result<Vec<Referrer>, RegistryError> {
    let listed = match from_api(registry, repository, subject, artifact_type).await? {
        Some(listed) => listed,
        None => match read_tag(registry, repository, &tag_of(registry, repository, subject)?).await? {
            Some(index) => entries(&index).iter().filter_map(referrer).collect(),
            None => Vec::new(),
        },
    };
    // Not every registry filters.
    Ok(listed.into_iter().filter(|found| artifact_type.is_none_or(|wanted| found.artifact_type == wanted)).collect())
}

/// The registry's own listing of what refers to an image that is there, whole; `None` where the registry surely has no such
/// listings. For whoever deletes: trouble is never taken for "nothing refers to it".
///
/// # Errors
/// When it cannot be told, or an entry cannot be read.
pub async fn listed(
    registry: &Registry,
    repository: &Repository,
    subject: &Digest,
) -> Result<Option<Vec<Referrer>>, RegistryError> {
    let attempt = registry.attempt(repository, format!("listing what refers to {} in", subject.short()));
    let fail = |fault| RegistryError { attempt: attempt.clone(), fault };
    let mut next = Some(registry.url(&attempt, repository, &format!("referrers/{subject}"))?);
    let mut all = Vec::new();
    for _ in 0..MAX_PAGES {
        let Some(url) = next.take() else { return Ok(Some(all)) };
        let (headers, body, here) = match page(registry, repository, &attempt, url).await {
            Ok(answer) => answer,
            // What registries say to a path they do not know.
            Err(RegistryError {
                fault: Fault::NotFound | Fault::NameUnknown | Fault::Unsupported(_) | Fault::Server { status: 501, .. },
                ..
            }) if all.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        };
        let index = serde_json::from_slice::<Listing>(&body);
        let index = index.map_err(|error| fail(Fault::Protocol(clean(&format!("no listing: {error}"), 200))))?;
        all.extend(index.manifests);
        next = next_page(&headers, &here).map_err(fail)?;
    }
    Err(fail(Fault::Protocol(format!("the listing has more than {MAX_PAGES} pages"))))
}

/// The tag under which an image's referrers are listed where the registry does not list them.
pub fn fallback_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// The artifact's manifest: the same bytes for the same artifact and subject.
fn manifest(subject: &Descriptor, artifact: &Artifact) -> Manifest {
    let mut text = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact.artifact_type,
        "config": descriptor(EMPTY_TYPE, EMPTY),
        "layers": [descriptor(&artifact.media_type, &artifact.payload)],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
    });
    if !artifact.annotations.is_empty() {
        text["annotations"] = json!(artifact.annotations);
    }
    sealed(&text, OCI_MANIFEST)
}

/// The registry's own listing; `None` where it has none. Whatever is no listing counts as none, trouble on the way does not.
async fn from_api(
    registry: &Registry,
    repository: &Repository,
    subject: &Digest,
    artifact_type: Option<&str>,
) -> Result<Option<Vec<Referrer>>, RegistryError> {
    let attempt = registry.attempt(repository, format!("listing what refers to {} in", subject.short()));
    let fail = |fault| RegistryError { attempt: attempt.clone(), fault };
    let mut first = registry.url(&attempt, repository, &format!("referrers/{subject}"))?;
    if let Some(wanted) = artifact_type {
        first.query_pairs_mut().append_pair("artifactType", wanted);
    }
    let (mut all, mut next) = (Vec::new(), Some(first));
    for _ in 0..MAX_PAGES {
        let Some(url) = next.take() else { return Ok(Some(all)) };
        let answered = page(registry, repository, &attempt, url).await;
        let (headers, body, here) = match answered {
            Ok(answer) => answer,
            Err(error) if error.is_transient() || !all.is_empty() => return Err(error),
            Err(_) => return Ok(None),
        };
        // A page of HTML with status 200, from a proxy or a registry that is also a web site.
        let Some(index) = serde_json::from_slice::<Value>(&body).ok().filter(|index| index["manifests"].is_array())
        else {
            return Ok(None);
        };
        all.extend(entries(&index).iter().filter_map(referrer));
        next = next_page(&headers, &here).map_err(fail)?;
    }
    Err(fail(Fault::Protocol(format!("the listing has more than {MAX_PAGES} pages"))))
}

/// A page of a listing, with its headers and its address.
async fn page(
    registry: &Registry,
    repository: &Repository,
    attempt: &Attempt,
    url: Url,
) -> Result<(HeaderMap, Vec<u8>, Url), RegistryError> {
    let scope = scope(repository.path(), "pull");
    let request = Request { method: Method::GET, url, scope, accept: Some(OCI_INDEX), body: Body::None };
    let (headers, body) = retry(|| async {
        let response = registry.transport.send(attempt, &request).await?;
        let headers = response.headers().clone();
        let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
        Ok((headers, registry.transport.read(response, MAX_MANIFEST).await.map_err(fail)?))
    })
    .await?;
    Ok((headers, body, request.url))
}

/// A listing of which every entry has to be read.
#[derive(Deserialize)]
struct Listing {
    manifests: Vec<Referrer>,
}

/// Puts the manifest into the index under the tag. Entries of others stay as they are, to the letter.
async fn list_under_tag(
    registry: &Registry,
    repository: &Repository,
    subject: &Digest,
    manifest: &Manifest,
    artifact: &Artifact,
) -> Result<(), RegistryError> {
    let tag = tag_of(registry, repository, subject)?;
    let _alone = registry.transport.listing.lock().await;
    for attempt in 0..TRIES {
        let found = read_tag(registry, repository, &tag).await?;
        let Some(index) = with_entry(found, entry(manifest, artifact)) else { return Ok(()) };
        let index = sealed(&index, OCI_INDEX);
        if index.bytes.len() > MAX_MANIFEST {
            let attempt = registry.attempt(repository, format!("writing the list of referrers {tag} to"));
            return Err(RegistryError { attempt, fault: Fault::TooLarge("an index of more than 4 MiB".into()) });
        }
        if attempt > 0 {
            // Let the other one finish.
            tokio::time::sleep(Duration::from_millis(50) * attempt).await;
        }
        registry.put_manifest(repository, &tag, &index).await?;
    }
    match read_tag(registry, repository, &tag)
        .await?
        .and_then(|index| with_entry(Some(index), entry(manifest, artifact)))
    {
        None => Ok(()),
        Some(_) => {
            let attempt = registry.attempt(repository, format!("writing the list of referrers {tag} to"));
            Err(RegistryError {
                attempt,
                fault: Fault::Protocol("it is overwritten by somebody else each time".into()),
            })
        }
    }
}

fn tag_of(registry: &Registry, repository: &Repository, subject: &Digest) -> Result<Tag, RegistryError> {
    fallback_tag(subject).parse().map_err(|error: crate::image::reference::BadName| {
        let attempt = registry.attempt(repository, "naming the list of referrers in".to_owned());
        RegistryError { attempt, fault: Fault::Local(error.to_string()) }
    })
}

/// The index with the entry; `None` where it is in it already.
fn with_entry(index: Option<Value>, entry: Value) -> Option<Value> {
    let mut index = index.unwrap_or_else(|| json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}));
    if entries(&index).iter().any(|found| found["digest"] == entry["digest"]) {
        return None;
    }
    if let Some(manifests) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        manifests.push(entry);
    }
    Some(index)
}

/// A listing says what a thing is, so that nobody has to read each.
fn entry(manifest: &Manifest, artifact: &Artifact) -> Value {
    let mut entry = json!(manifest.descriptor());
    entry["artifactType"] = json!(artifact.artifact_type);
    if !artifact.annotations.is_empty() {
        entry["annotations"] = json!(artifact.annotations);
    }
    entry
}

/// The index under a tag; `None` where there is none.
async fn read_tag(registry: &Registry, repository: &Repository, tag: &Tag) -> Result<Option<Value>, RegistryError> {
    let manifest = match registry.get_manifest(repository, tag).await {
        Ok(manifest) => manifest,
        Err(error) if matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => return Ok(None),
        Err(error) => return Err(error),
    };
    match serde_json::from_slice::<Value>(&manifest.bytes) {
        Ok(index) if index["manifests"].is_array() => Ok(Some(index)),
        _ => {
            let attempt = registry.attempt(repository, format!("reading the list of referrers {tag} of"));
            let why = format!("the tag {tag} holds a {}, and no index", clean(&manifest.media_type, 100));
            Err(RegistryError { attempt, fault: Fault::Protocol(why) })
        }
    }
}

fn entries(index: &Value) -> &[Value] {
    index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn referrer(entry: &Value) -> Option<Referrer> {
    serde_json::from_value(entry.clone()).ok()
}

/// What names these bytes.
pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        urls: Vec::new(),
        annotations: BTreeMap::new(),
        platform: None,
    }
}

fn sealed(text: &Value, media_type: &str) -> Manifest {
    let bytes = Bytes::from(text.to_string());
    Manifest { digest: Digest::of(&bytes), media_type: media_type.to_owned(), bytes }
}

#[cfg(test)]
mod tests;
