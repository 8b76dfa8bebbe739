//! An OCI image layout on disk (`opencontainers/image-spec` image-layout.md), read with nothing taken on trust.
//!
//! Blocking file access: callers on an executor use `spawn_blocking`. Knows no registry; `archive` writes layouts.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Digest;
use super::manifest::{BadManifest, Children, Content, Descriptor, MAX_MANIFEST, Manifest, Walk};
use crate::problem::Problem;

/// A layout whose `oci-layout` and `index.json` have been read.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
    entries: Vec<Descriptor>,
}

/// Why a layout or an image archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is not what the specification says it is.
    #[error("{}: {why}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A blob's bytes do not have its name.
    #[error("blob {expected} holds other content ({found}): the layout is damaged")]
    Damaged {
        /// Its name.
        expected: Digest,
        /// What its bytes hash to.
        found: Digest,
    },
    /// A manifest in it cannot be used.
    #[error(transparent)]
    Manifest(#[from] BadManifest),
    /// More than one image where one is meant.
    #[error("expected one image in {}, found {count}", path.display())]
    NotOne {
        /// Where.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// An image archive breaks its own rules, or ours about size.
    #[error("the image archive cannot be used: {0}")]
    Archive(String),
}

impl LayoutError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }

    /// For people.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.to_string());
        match self {
            Self::Io { error, .. } if error.kind() == std::io::ErrorKind::StorageFull => {
                problem.hint("The disk is full: free some space, or give the runner a larger one.")
            }
            Self::Io { .. } => problem,
            Self::NotOne { .. } => problem.hint("Export or build one image at a time."),
            _ => problem.hint("The image was not written completely, or was changed since: build it again."),
        }
    }
}

#[derive(Deserialize)]
struct Marker {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

#[derive(Deserialize)]
struct EntryPoint {
    #[serde(rename = "schemaVersion")]
    schema: u64,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Layout {
    /// Opens a directory.
    ///
    /// # Errors
    /// When it is no layout of a version we know.
    pub fn open(dir: &Path) -> Result<Self, LayoutError> {
        let marker: Marker = read_json(&dir.join("oci-layout"))?;
        if !marker.version.starts_with("1.") {
            let why = format!("layout version {:?} is not supported: only 1.x is", marker.version);
            return Err(LayoutError::Invalid { path: dir.join("oci-layout"), why });
        }
        let index: EntryPoint = read_json(&dir.join("index.json"))?;
        if index.schema != 2 {
            return Err(BadManifest::Schema(index.schema).into());
        }
        Ok(Self { dir: dir.to_owned(), entries: index.manifests })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `index.json` lists: one image may stand in it several times, under several names.
    pub fn entries(&self) -> &[Descriptor] {
        &self.entries
    }

    /// The one image in it.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn root(&self) -> Result<&Descriptor, LayoutError> {
        let distinct: BTreeSet<_> = self.entries.iter().map(|entry| &entry.digest).collect();
        match self.entries.first() {
            Some(only) if distinct.len() == 1 => Ok(only),
            _ => Err(LayoutError::NotOne { path: self.dir.join("index.json"), count: distinct.len() }),
        }
    }

    /// The one image in it, or a manifest of it by its digest.
    ///
    /// # Errors
    /// When it is not there, or the layout is damaged.
    pub fn image(&self, digest: &Digest) -> Result<Descriptor, LayoutError> {
        let root = self.root()?;
        if root.digest == *digest {
            return Ok(root.clone());
        }
        let children = match self.manifest(root)?.children()? {
            Children::Index(children) => children,
            Children::Image { .. } => Vec::new(),
        };
        let why = || format!("{digest} is not in it");
        let found = children.into_iter().find(|child| child.digest == *digest);
        found.ok_or_else(|| LayoutError::Invalid { path: self.dir.clone(), why: why() })
    }

    /// Where a blob is or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        blob_path(&self.dir, digest)
    }

    /// A manifest, its digest checked.
    ///
    /// # Errors
    /// When it is missing, damaged or no manifest.
    pub fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, LayoutError> {
        let bytes = self.read(descriptor, MAX_MANIFEST)?;
        Ok(Manifest::new(bytes, &descriptor.media_type)?)
    }

    /// A small blob as a whole (a config, a manifest), its digest checked.
    ///
    /// # Errors
    /// When it is missing, damaged or larger than `limit` bytes.
    pub fn read(&self, descriptor: &Descriptor, limit: usize) -> Result<Bytes, LayoutError> {
        let path = self.blob_path(&descriptor.digest);
        let bytes = read_bounded(&path, limit)?;
        let found = Digest::of(&bytes);
        if found != descriptor.digest {
            return Err(LayoutError::Damaged { expected: descriptor.digest.clone(), found });
        }
        Ok(bytes.into())
    }

    /// Reads a blob of any size and checks its digest and size; keeps nothing.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn verify(&self, descriptor: &Descriptor) -> Result<(), LayoutError> {
        let path = self.blob_path(&descriptor.digest);
        let mut file = open_plain(&path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            match file.read(&mut buffer).map_err(LayoutError::io(&path))? {
                0 => break,
                n => {
                    hash.update(&buffer[..n]);
                    size += n as u64;
                }
            }
        }
        let found = Digest::from_sha256(&hash.finalize());
        if found != descriptor.digest {
            return Err(LayoutError::Damaged { expected: descriptor.digest.clone(), found });
        }
        if size != descriptor.size {
            let why = format!("has {size} bytes, its descriptor says {}", descriptor.size);
            return Err(LayoutError::Invalid { path, why });
        }
        Ok(())
    }

    /// Everything below a root. Manifests are read and checked; blobs must exist in their size, and are not read.
    ///
    /// # Errors
    /// When something is missing, damaged, or more than is believable.
    pub fn walk(&self, root: &Descriptor) -> Result<Content, LayoutError> {
        let mut walk = Walk::new(root.clone());
        while let Some(wanted) = walk.wants() {
            walk.feed(self.manifest(&wanted)?)?;
        }
        let content = walk.finish();
        for blob in &content.blobs {
            let path = self.blob_path(&blob.digest);
            let size = open_plain(&path)?.metadata().map_err(LayoutError::io(&path))?.len();
            if size != blob.size {
                let why = format!("has {size} bytes, its descriptor says {}", blob.size);
                return Err(LayoutError::Invalid { path, why });
            }
        }
        Ok(content)
    }
}

impl Layout {
    /// Removes blobs that belong to no image of the layout.
    ///
    /// # Errors
    /// When the layout is damaged, or the disk refuses.
    pub fn prune(&self) -> Result<(), LayoutError> {
        let mut needed = BTreeSet::new();
        for entry in &self.entries {
            let content = self.walk(entry)?;
            needed.extend(content.manifests.iter().map(|manifest| manifest.digest.hex().to_owned()));
            needed.extend(content.blobs.iter().map(|blob| blob.digest.hex().to_owned()));
        }
        let dir = self.dir.join("blobs/sha256");
        for blob in std::fs::read_dir(&dir).map_err(LayoutError::io(&dir))? {
            let path = blob.map_err(LayoutError::io(&dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !needed.contains(name) {
                std::fs::remove_file(&path).map_err(LayoutError::io(&path))?;
            }
        }
        Ok(())
    }
}

pub(super) fn blob_path(dir: &Path, digest: &Digest) -> PathBuf {
    dir.join("blobs/sha256").join(digest.hex())
}

/// Opens a regular file; a link, a pipe or a device in a layout is somebody's trick.
fn open_plain(path: &Path) -> Result<File, LayoutError> {
    let kind = path.symlink_metadata().map_err(LayoutError::io(path))?.file_type();
    if !kind.is_file() {
        return Err(LayoutError::Invalid { path: path.to_owned(), why: "is not a regular file".into() });
    }
    File::open(path).map_err(LayoutError::io(path))
}

fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, LayoutError> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(LayoutError::io(path))?;
    if bytes.len() > limit {
        return Err(LayoutError::Invalid { path: path.to_owned(), why: format!("has more than {limit} bytes") });
    }
    Ok(bytes)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, LayoutError> {
    let bytes = read_bounded(path, MAX_MANIFEST)?;
    serde_json::from_slice(&bytes).map_err(|e| LayoutError::Invalid { path: path.to_owned(), why: e.to_string() })
}

#[cfg(test)]
mod tests;
