//! Whole images from a registry or a layout into a registry: blobs first, then manifests, children before parents.
//!
//! What is there already is not sent again. No tag is touched: the root is stored by its digest.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::blobs::{Sent, Source};
use super::client::Registry;
use super::error::RegistryError;
use crate::image::layout::{Layout, LayoutError};
use crate::image::manifest::{Content, Descriptor, Manifest, Walk};
use crate::image::{Digest, Repository};
use crate::problem::Problem;

/// Blobs on their way at a time, for one image and registry.
const PARALLEL: usize = 4;

/// What a copy took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Bytes of blobs sent.
    pub bytes: u64,
    /// Blobs sent.
    pub sent: usize,
    /// Blobs the registry had in another repository and took from there.
    pub mounted: usize,
    /// Blobs that were there already.
    pub present: usize,
    /// Manifests that were not there, children before parents.
    pub manifests: Vec<Digest>,
}

/// Why an image did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A registry, the one read or the one written: it says which.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl TransferError {
    /// For people.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Registry(error) => error.problem(),
            Self::Layout(error) => error.problem(),
        }
    }
}

/// Copies an image or index with everything below it, byte for byte. Source and destination may be one registry under
/// two logins.
///
/// # Errors
/// When something cannot be read or written. What was written until then stays, without a tag.
pub async fn copy(
    from: (&Registry, &Repository),
    to: (&Registry, &Repository),
    digest: &Digest,
) -> Result<Copied, TransferError> {
    if holds(to, digest).await? {
        return Ok(Copied::default());
    }
    let content = walk(from, from.0.get_manifest(from.1, digest).await?).await?;
    // Only a repository of the same registry can be mounted from; whether this login may read it, it will say itself.
    let mount = (from.0.host() == to.0.host() && from.1 != to.1).then_some(from.1);
    write(&content, Origin::Repository(from.0, from.1), mount, to).await
}

/// Uploads an image or index of a layout with everything below it, byte for byte, unless it is there. Everything is checked
/// before anything is sent.
///
/// # Errors
/// When the layout is damaged or the registry does not take it. What was written until then stays, without a tag.
pub async fn upload_layout(
    layout: &Layout,
    root: &Descriptor,
    to: (&Registry, &Repository),
) -> Result<Copied, TransferError> {
    let (reading, below) = (Arc::new(layout.clone()), root.clone());
    let walked = tokio::task::spawn_blocking({
        let layout = Arc::clone(&reading);
        move || layout.walk(&below)
    });
    let content = walked
        .await
        .map_err(|error| LayoutError::Io { path: reading.dir().to_owned(), error: std::io::Error::other(error) })??;
    if holds(to, &root.digest).await? {
        return Ok(Copied::default());
    }
    write(&content, Origin::Layout(&reading), None, to).await
}

/// Everything below a manifest, which has been read already.
pub(super) async fn walk(
    (from, repository): (&Registry, &Repository),
    root: Manifest,
) -> Result<Content, TransferError> {
    let mut walk = Walk::new(root.descriptor());
    let mut known = Some(root);
    while let Some(wanted) = walk.wants() {
        let manifest = match known.take() {
            Some(root) => root,
            None => from.get_manifest(repository, &wanted.digest).await?,
        };
        walk.feed(manifest).map_err(LayoutError::from)?;
    }
    Ok(walk.finish())
}

/// Where an image comes from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Layout(&'a Layout),
    Repository(&'a Registry, &'a Repository),
}

impl Origin<'_> {
    fn source(self, blob: &Descriptor) -> Source {
        match self {
            Self::Layout(layout) => Source::File(layout.blob_path(&blob.digest)),
            Self::Repository(registry, repository) => Source::Repository(registry.clone(), repository.clone()),
        }
    }
}

async fn write(
    content: &Content,
    origin: Origin<'_>,
    mount: Option<&Repository>,
    (to, repository): (&Registry, &Repository),
) -> Result<Copied, TransferError> {
    let mut copied = Copied::default();
    let mut waiting = content.blobs.iter();
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < PARALLEL
            && let Some(blob) = waiting.next()
        {
            under_way.push(write_blob(blob, origin.source(blob), mount, to, repository));
        }
        match under_way.next().await {
            Some(sent) => copied.note(sent?),
            None => break,
        }
    }
    for manifest in &content.manifests {
        if !holds((to, repository), &manifest.digest).await? {
            to.put_manifest(repository, &manifest.digest, manifest).await?;
            copied.manifests.push(manifest.digest.clone());
        }
    }
    Ok(copied)
}

/// Whether a manifest is there, by the registry's own word for its digest.
async fn holds((registry, repository): (&Registry, &Repository), digest: &Digest) -> Result<bool, RegistryError> {
    let head = registry.head_manifest(repository, digest).await?;
    Ok(head.is_some_and(|head| head.digest.as_ref() == Some(digest)))
}

/// One blob, unless it is there.
async fn write_blob(
    blob: &Descriptor,
    source: Source,
    mount: Option<&Repository>,
    to: &Registry,
    repository: &Repository,
) -> Result<Option<Sent>, RegistryError> {
    match to.head_blob(repository, &blob.digest).await? {
        Some(_) => Ok(None),
        None => to.upload(repository, blob, &source, mount).await.map(Some),
    }
}

impl std::ops::AddAssign for Copied {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.sent += more.sent;
        self.mounted += more.mounted;
        self.present += more.present;
        self.manifests.extend(more.manifests);
    }
}

impl Copied {
    fn note(&mut self, sent: Option<Sent>) {
        match sent {
            None => self.present += 1,
            Some(Sent::Mounted) => self.mounted += 1,
            Some(Sent::Bytes(bytes)) => {
                self.sent += 1;
                self.bytes += bytes;
            }
        }
    }
}
