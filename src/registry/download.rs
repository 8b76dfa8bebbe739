//! Images from a registry into a layout on disk, in two steps: manifests and configs, then the blobs somebody wants.

use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::client::{Reference, Registry};
use super::copy::{TransferError, walk};
use super::error::RegistryError;
use super::retry::retry;
use crate::image::layout::{Layout, LayoutError};
use crate::image::manifest::{Children, Descriptor};
use crate::image::{Digest, Repository};

/// Blobs on their way at a time.
const PARALLEL: usize = 4;
/// The largest config that is fetched.
const MAX_CONFIG: u64 = 1 << 20;

/// Writes an image without its layers into the empty directory `dir`: every manifest below it, and configs.
///
/// # Errors
/// When something is not there, not to be had, or not what it says it is.
pub async fn download_manifests(
    (from, repository): (&Registry, &Repository),
    reference: Reference<'_>,
    dir: &Path,
) -> Result<(Layout, Descriptor), TransferError> {
    let root = from.get_manifest(repository, reference).await?;
    let descriptor = root.descriptor();
    let content = walk((from, repository), root).await?;
    let layout = begin(dir, &descriptor).await?;
    let mut configs = Vec::new();
    for manifest in &content.manifests {
        let path = layout.blob_path(&manifest.digest);
        tokio::fs::write(&path, &manifest.bytes).await.map_err(|error| LayoutError::Io { path, error })?;
        if let Children::Image { config, .. } = manifest.children().map_err(LayoutError::from)? {
            configs.push(config);
        }
    }
    configs.retain(|config| config.size <= MAX_CONFIG);
    download_blobs((from, repository), &configs, &layout).await?;
    Ok((layout, descriptor))
}

/// Adds blobs to a layout, their digests checked. Those that are there already are not fetched.
///
/// # Errors
/// When one is not to be had, or cannot be written.
pub async fn download_blobs(
    from: (&Registry, &Repository),
    blobs: &[Descriptor],
    layout: &Layout,
) -> Result<(), TransferError> {
    let mut wanted: Vec<&Descriptor> = blobs.iter().filter(|blob| !blob.is_foreign()).collect();
    wanted.sort_by_key(|blob| &blob.digest);
    wanted.dedup_by_key(|blob| &blob.digest);
    let fetched = futures::stream::iter(wanted).map(|blob| fetch(from, blob, layout));
    fetched.buffer_unordered(PARALLEL).try_collect::<()>().await
}

async fn begin(dir: &Path, root: &Descriptor) -> Result<Layout, LayoutError> {
    let index = json!({ "schemaVersion": 2, "manifests": [root] }).to_string();
    let blobs = dir.join("blobs/sha256");
    tokio::fs::create_dir_all(&blobs).await.map_err(|error| LayoutError::Io { path: blobs, error })?;
    for (name, text) in [("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#), ("index.json", &index)] {
        let path = dir.join(name);
        tokio::fs::write(&path, text).await.map_err(|error| LayoutError::Io { path, error })?;
    }
    Layout::open(dir)
}

async fn fetch(from: (&Registry, &Repository), blob: &Descriptor, layout: &Layout) -> Result<(), TransferError> {
    let path = layout.blob_path(&blob.digest);
    if tokio::fs::try_exists(&path).await.unwrap_or_default() {
        return Ok(());
    }
    let part = part(layout.dir(), &blob.digest);
    // A connection that breaks is tried again from the start; a disk that is full is not.
    retry(|| receive(from, blob, &part)).await?.map_err(|error| LayoutError::Io { path: part.clone(), error })?;
    tokio::fs::rename(&part, &path).await.map_err(|error| LayoutError::Io { path, error })?;
    Ok(())
}

/// Not among the blobs before it is whole.
fn part(dir: &Path, digest: &Digest) -> PathBuf {
    dir.join(format!("{}.part", digest.hex()))
}

async fn receive(
    (from, repository): (&Registry, &Repository),
    blob: &Descriptor,
    to: &Path,
) -> Result<std::io::Result<()>, RegistryError> {
    let mut stream = std::pin::pin!(from.get_blob(repository, blob).await?);
    let mut file = match tokio::fs::File::create(to).await {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(chunk) = stream.try_next().await? {
        if let Err(error) = file.write_all(&chunk).await {
            return Ok(Err(error));
        }
    }
    Ok(file.flush().await)
}
