//! What is read of a repository to decide: manifests, of which only what refers to what is kept, and the times in configs. Many
//! requests at a time, of bounded size; deletes nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde::Deserialize;

use crate::image::attestations::is_attestation;
use crate::image::manifest::{Children, DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, Manifest, OCI_INDEX, OCI_MANIFEST};
use crate::image::{Digest, Repository, Tag};
use crate::registry::{Catalog, Fault, Reference, RegistryError, referrers};

/// Requests under way at a time.
pub(super) const PARALLEL: usize = 16;
/// The largest config that is read; in those of images stand a few kilobytes.
const MAX_CONFIG: u64 = 1 << 20;
/// The label, and the annotation.
const CREATED: &str = "org.opencontainers.image.created";
/// 1980: what is said to be older was made by a tool that sets no time.
const OLDEST: i64 = 315_532_800;

/// A repository, read with many requests at a time.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    catalog: &'a Catalog,
    repository: &'a Repository,
    requests: AtomicUsize,
}

/// What a manifest is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Not known before it is read.
    Unknown,
    /// It may have manifests below it.
    Index,
    /// It has none.
    Image,
    /// No manifest at all: in the indexes of old BuildKit caches stand layers.
    Blob,
}

/// A manifest below another, or one that refers to it.
#[derive(Debug, Clone)]
pub(super) struct Pointer {
    pub(super) digest: Digest,
    pub(super) shape: Shape,
    /// It attests something: of no image it tells how old it is.
    pub(super) attests: bool,
}

/// A config that has not been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigAt {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// What is kept of a manifest.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) digest: Digest,
    pub(super) shape: Shape,
    pub(super) children: Vec<Pointer>,
    pub(super) subject: Option<Digest>,
    /// By its annotation.
    pub(super) created: Option<Timestamp>,
    pub(super) config: Option<ConfigAt>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(catalog: &'a Catalog, repository: &'a Repository) -> Self {
        Self { catalog, repository, requests: AtomicUsize::new(0) }
    }

    /// How much was asked so far, pages of listings not counted.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// A manifest; `None` where there surely is none.
    pub(super) async fn manifest(&self, reference: Reference<'_>) -> Result<Option<Found>, RegistryError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match self.catalog.registry().get_manifest(self.repository, reference).await {
            Ok(manifest) => found(&manifest).map(Some).map_err(|fault| self.error(reference, fault)),
            Err(RegistryError { fault: Fault::NotFound, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a tag points to now; `None` where it is not there.
    pub(super) async fn digest_of(&self, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match self.catalog.registry().head_manifest(self.repository, tag).await? {
            Some(head) if head.digest.is_some() => Ok(head.digest),
            Some(_) => Ok(self.manifest(Reference::Tag(tag)).await?.map(|found| found.digest)),
            None => Ok(None),
        }
    }

    /// What refers to a manifest that is there; `None` where the registry has no such listings.
    pub(super) async fn referrers(&self, subject: &Digest) -> Result<Option<Vec<Pointer>>, RegistryError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let listed = referrers::listed(self.catalog.registry(), self.repository, subject).await?;
        Ok(listed.map(|all| all.iter().map(|referrer| pointer(&referrer.descriptor)).collect()))
    }

    /// When the image of a config was made; `None` where the config does not say, or is none.
    pub(super) async fn created(&self, config: &ConfigAt) -> Result<Option<Timestamp>, RegistryError> {
        if config.size > MAX_CONFIG {
            return Ok(None);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let blob = Descriptor {
            media_type: String::new(),
            digest: config.digest.clone(),
            size: config.size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
        };
        let read = async {
            let stream = self.catalog.registry().get_blob(self.repository, &blob).await?;
            stream.try_fold(Vec::new(), async |all, chunk| Ok([all, chunk.to_vec()].concat())).await
        };
        match read.await {
            Ok(bytes) => Ok(created_in(&bytes)),
            Err(RegistryError { fault: Fault::NotFound, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn error(&self, reference: Reference<'_>, fault: Fault) -> RegistryError {
        let attempt = crate::registry::Attempt {
            registry: self.repository.host().to_owned(),
            repository: self.repository.path().to_owned(),
            doing: format!("reading manifest {reference} of"),
            login: None,
            needs: Default::default(),
        };
        RegistryError { attempt: Box::new(attempt), fault }
    }
}

/// Work on many things, so many at a time, in whatever order they end; the first error ends it.
pub(super) fn many<T, R, F: Future<Output = Result<R, RegistryError>>>(
    things: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> F,
) -> impl Stream<Item = Result<R, RegistryError>> {
    futures::stream::iter(things).map(work).buffer_unordered(PARALLEL)
}

fn found(manifest: &Manifest) -> Result<Found, Fault> {
    #[derive(Deserialize)]
    struct More {
        subject: Option<Descriptor>,
        #[serde(default)]
        annotations: Option<BTreeMap<String, String>>,
    }
    let unreadable = |why: String| Fault::Protocol(why);
    let more: More = serde_json::from_slice(&manifest.bytes).map_err(|error| unreadable(error.to_string()))?;
    let created = more.annotations.and_then(|all| all.get(CREATED).and_then(|text| plausible(text)));
    let (shape, children, config) = match manifest.children().map_err(|error| unreadable(error.to_string()))? {
        Children::Index(children) => (Shape::Index, children.iter().map(pointer).collect(), None),
        Children::Image { config, .. } => {
            (Shape::Image, Vec::new(), Some(ConfigAt { digest: config.digest, size: config.size }))
        }
    };
    let subject = more.subject.map(|subject| subject.digest);
    Ok(Found { digest: manifest.digest.clone(), shape, children, subject, created, config })
}

fn pointer(descriptor: &Descriptor) -> Pointer {
    let shape = match descriptor.media_type.as_str() {
        "" => Shape::Unknown,
        OCI_INDEX | DOCKER_INDEX => Shape::Index,
        OCI_MANIFEST | DOCKER_MANIFEST => Shape::Image,
        _ => Shape::Blob,
    };
    Pointer { digest: descriptor.digest.clone(), shape, attests: is_attestation(descriptor) }
}

/// The label of the image, else what its builder wrote.
fn created_in(config: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Image {
        created: Option<String>,
        config: Option<Container>,
    }
    #[derive(Deserialize)]
    struct Container {
        #[serde(rename = "Labels")]
        labels: Option<BTreeMap<String, String>>,
    }
    let image: Image = serde_json::from_slice(config).ok()?;
    let label = image.config.and_then(|container| container.labels?.remove(CREATED));
    label.as_deref().and_then(plausible).or_else(|| image.created.as_deref().and_then(plausible))
}

/// A time that somebody meant: not the zero of a language, nor that of a clock.
fn plausible(text: &str) -> Option<Timestamp> {
    text.trim().parse::<Timestamp>().ok().filter(|time| time.as_second() >= OLDEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_label_says_how_old_an_image_is_before_its_builder_does() {
        let label = |text: &str| json!({"Labels": {CREATED: text}});
        for (config, expected) in [
            (
                json!({"created": "2026-11-20T10:00:00Z", "config": label("2026-11-19T10:00:00Z")}),
                "2026-11-19T10:00:00Z",
            ),
            (json!({"created": "2026-11-20T10:00:00.5+02:00", "config": {"Labels": null}}), "2026-11-20T08:00:00.5Z"),
            (json!({"created": "2026-11-20T10:00:00Z", "config": label("yesterday")}), "2026-11-20T10:00:00Z"),
            (json!({"created": "2026-11-20T10:00:00Z", "config": null}), "2026-11-20T10:00:00Z"),
            (json!({"created": "0001-01-01T00:00:00Z"}), ""),
            (
                json!({"created": "1970-01-01T00:00:00Z", "config": label("1980-01-01T00:00:00Z")}),
                "1980-01-01T00:00:00Z",
            ),
            (json!({}), ""),
            (json!([]), ""),
        ] {
            let found = created_in(config.to_string().as_bytes()).map(|time| time.to_string()).unwrap_or_default();
            assert_eq!(found, expected, "{config}");
        }
    }

    #[test]
    fn of_a_manifest_only_what_refers_to_what_is_kept() {
        let digest = |c: char| format!("sha256:{}", c.to_string().repeat(64));
        let attests = json!({"vnd.docker.reference.type": "attestation-manifest"});
        let index = json!({"schemaVersion": 2, "annotations": {CREATED: "2026-11-20T10:00:00Z"}, "manifests": [
            {"mediaType": OCI_MANIFEST, "digest": digest('a'), "size": 1},
            {"mediaType": OCI_MANIFEST, "digest": digest('b'), "size": 1, "annotations": attests},
            {"mediaType": DOCKER_INDEX, "digest": digest('c'), "size": 1},
            {"digest": digest('d'), "size": 1},
            {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest('e'), "size": 1},
        ]});
        let read = |value: serde_json::Value| found(&Manifest::new(value.to_string().into(), "").unwrap());
        let index = read(index).unwrap();
        let shapes: Vec<_> = index.children.iter().map(|child| (child.shape, child.attests)).collect();
        let expected = [Shape::Image, Shape::Image, Shape::Index, Shape::Unknown, Shape::Blob];
        assert_eq!(shapes.iter().map(|(shape, _)| *shape).collect::<Vec<_>>(), expected);
        assert_eq!(shapes.iter().filter(|(_, attests)| *attests).count(), 1);
        assert!(index.created.is_some() && index.config.is_none());
        let config = json!({"digest": digest('f'), "size": 7});
        let artifact = json!({"schemaVersion": 2, "config": config, "layers": [], "subject": config});
        let artifact = read(artifact).unwrap();
        assert_eq!((artifact.shape, artifact.subject.unwrap().to_string()), (Shape::Image, digest('f')));
        // A subject that cannot be read is not none.
        assert!(
            read(json!({"schemaVersion": 2, "config": config, "subject": {"digest": "sha512:00", "size": 1}})).is_err()
        );
    }
}
