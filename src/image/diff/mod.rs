//! What differs between two images: which layers, and in them which files and how.
//!
//! Reads layouts, streaming: no layer is ever held in memory or unpacked, and blobs whose digests agree are not opened. Knows
//! no Dockerfile and no build: why things differ is `crucible::culprit`'s business.

mod align;
mod compare;
mod config;
mod listing;
mod model;
mod pairing;
mod platforms;

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

pub use model::*;

use self::align::{Key, align};
use self::compare::{Blob, Limits, compare};
use self::config::{Config, MAX_CONFIG, Origin};
use self::listing::Listing;
use self::pairing::Found;
use self::platforms::{Counterparts, counterparts};
use super::layout::{Layout, LayoutError};
use super::manifest::Children;
use super::{Descriptor, Digest};

/// An image or index in a layout.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Where it is.
    pub layout: &'a Layout,
    /// Its manifest or index.
    pub root: &'a Descriptor,
}

/// Why two images cannot be compared at all. A layer that cannot be read is none of these: see [`LayerDiff::incomplete`].
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A manifest or config cannot be read.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A config is no image config.
    #[error("the image config {0} cannot be read: {1}")]
    Config(Digest, String),
    /// The full listing cannot be written.
    #[error("the listing cannot be written: {0}")]
    Listing(std::io::Error),
    /// No thread to read a layer in.
    #[error("no thread to read a layer in: {0}")]
    Thread(std::io::Error),
    /// Stopped by a signal.
    #[error("the comparison was stopped")]
    Cancelled,
}

/// Layer blobs that a comparison reads, of each image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Of the first.
    pub a: Vec<Descriptor>,
    /// Of the second.
    pub b: Vec<Descriptor>,
}

/// Compares two images. Blocking, for as long as reading the layers that differ takes. Every change goes to `listing`, if there is
/// one, as a JSON object (see `docs/diff.md`).
///
/// # Errors
/// When a manifest or config cannot be read, the listing cannot be written, or `cancel` says stop.
pub fn diff(
    a: Image<'_>,
    b: Image<'_>,
    listing: Option<&mut dyn Write>,
    cancel: &CancellationToken,
) -> Result<ImageDiff, DiffError> {
    let mut listing = Listing::begin(listing)?;
    let bytes_read = AtomicU64::new(0);
    let mut result = ImageDiff { identical: a.root.digest == b.root.digest, ..ImageDiff::default() };
    if !result.identical {
        let Counterparts { both, only_in_a, only_in_b } = counterparts(a, b)?;
        (result.only_in_a, result.only_in_b) = (only_in_a, only_in_b);
        let mut kept = 0;
        for (platform, left, right) in both {
            let (left, right) = (Side::read(a.layout, &left)?, Side::read(b.layout, &right)?);
            let mut work =
                Work { listing: &mut listing, kept: &mut kept, limits: Limits { cancel, bytes_read: &bytes_read } };
            result.platforms.push(work.platform(platform, &left, &right)?);
        }
    }
    result.bytes_read = bytes_read.load(Ordering::Relaxed);
    listing.end()?;
    Ok(result)
}

/// Which layer blobs [`diff`] would read: manifests and configs are enough to tell.
///
/// # Errors
/// When a manifest or config cannot be read.
pub fn needs(a: Image<'_>, b: Image<'_>) -> Result<Needs, DiffError> {
    let mut needs = Needs::default();
    if a.root.digest == b.root.digest {
        return Ok(needs);
    }
    for (_, left, right) in counterparts(a, b)?.both {
        let (left, right) = (Side::read(a.layout, &left)?, Side::read(b.layout, &right)?);
        for (i, j) in pairs(&left, &right) {
            let (left, right) = (i.and_then(|i| left.blob(i)), j.and_then(|j| right.blob(j)));
            if Relation::of(left, right) == Relation::Unlike {
                needs.a.extend(left.map(|blob| blob.blob.clone()));
                needs.b.extend(right.map(|blob| blob.blob.clone()));
            }
        }
    }
    Ok(needs)
}

/// One image of one platform, as far as manifest and config tell.
struct Side<'a> {
    layout: &'a Layout,
    manifest: Digest,
    config: Descriptor,
    config_bytes: bytes::Bytes,
    layers: Vec<Descriptor>,
    diff_ids: Option<Vec<Digest>>,
    origins: Vec<Origin>,
}

/// How two layers relate, before either is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    OnlyCompression,
    Unlike,
}

/// What comparing takes along.
struct Work<'s, 'w> {
    listing: &'s mut Listing<'w>,
    kept: &'s mut usize,
    limits: Limits<'s>,
}

impl<'a> Side<'a> {
    fn read(layout: &'a Layout, descriptor: &Descriptor) -> Result<Self, DiffError> {
        let manifest = layout.manifest(descriptor)?;
        let (config, layers) = match manifest.children().map_err(LayoutError::from)? {
            Children::Image { config, layers } => (config, layers),
            Children::Index(_) => {
                let why = "is an index where an image is meant".to_owned();
                return Err(LayoutError::Invalid { path: layout.blob_path(&descriptor.digest), why }.into());
            }
        };
        let config_bytes = layout.read(&config, MAX_CONFIG)?;
        let read: Config = parse(&config, &config_bytes)?;
        let (diff_ids, origins) = (read.diff_ids(layers.len()), read.origins(layers.len()));
        Ok(Self { layout, manifest: manifest.digest, config, config_bytes, layers, diff_ids, origins })
    }

    fn blob(&self, i: usize) -> Option<Blob<'_>> {
        let diff_id = self.diff_ids.as_ref().and_then(|ids| ids.get(i));
        Some(Blob { layout: self.layout, blob: self.layers.get(i)?, diff_id })
    }

    fn keys(&self) -> Vec<Key<'_>> {
        let keys = self.origins.iter().enumerate().filter_map(|(i, origin)| {
            let blob = self.blob(i)?;
            let content = blob.diff_id.unwrap_or(&blob.blob.digest).as_str();
            Some(Key { content, created_by: &origin.created_by })
        });
        keys.collect()
    }
}

fn parse<T: serde::de::DeserializeOwned>(descriptor: &Descriptor, bytes: &[u8]) -> Result<T, DiffError> {
    serde_json::from_slice(bytes).map_err(|e| DiffError::Config(descriptor.digest.clone(), e.to_string()))
}

fn pairs(a: &Side<'_>, b: &Side<'_>) -> Vec<align::Pair> {
    align(&a.keys(), &b.keys())
}

impl Relation {
    fn of(a: Option<Blob<'_>>, b: Option<Blob<'_>>) -> Self {
        match (a, b) {
            (Some(a), Some(b)) if a.blob.digest == b.blob.digest => Self::Same,
            (Some(a), Some(b)) if a.diff_id.is_some() && a.diff_id == b.diff_id => Self::OnlyCompression,
            _ => Self::Unlike,
        }
    }
}

impl Work<'_, '_> {
    fn platform(&mut self, platform: String, a: &Side<'_>, b: &Side<'_>) -> Result<PlatformDiff, DiffError> {
        let config = match a.config.digest == b.config.digest {
            true => Vec::new(),
            false => config::changes(&a.config_bytes, &b.config_bytes)
                .map_err(|e| DiffError::Config(a.config.digest.clone(), e.to_string()))?,
        };
        let mut layers = Vec::new();
        for (i, j) in pairs(a, b) {
            layers.extend(self.layers(&platform, (i, a), (j, b))?);
        }
        Ok(PlatformDiff {
            platform,
            manifests: (a.manifest.clone(), b.manifest.clone()),
            configs: (a.config.digest.clone(), b.config.digest.clone()),
            config,
            layers,
            layer_counts: (a.layers.len(), b.layers.len()),
        })
    }

    /// Compares two layers; `None` where they are the same blob.
    fn layers(
        &mut self,
        platform: &str,
        (i, a): (Option<usize>, &Side<'_>),
        (j, b): (Option<usize>, &Side<'_>),
    ) -> Result<Option<LayerDiff>, DiffError> {
        let (left, right) = (i.and_then(|i| a.blob(i)), j.and_then(|j| b.blob(j)));
        let relation = Relation::of(left, right);
        if relation == Relation::Same {
            return Ok(None);
        }
        let origins = [i.and_then(|i| a.origins.get(i)), j.and_then(|j| b.origins.get(j))];
        let origin = origins.into_iter().flatten().find(|o| o.history.is_some()).cloned().unwrap_or_default();
        let mut layer = LayerDiff {
            index: (i, j),
            blobs: (left.map(|l| l.blob.digest.clone()), right.map(|r| r.blob.digest.clone())),
            diff_ids: (left.and_then(|l| l.diff_id.cloned()), right.and_then(|r| r.diff_id.cloned())),
            created_by: origin.created_by,
            history: origin.history,
            only_compression: relation == Relation::OnlyCompression,
            order: false,
            changes: Vec::new(),
            total: 0,
            incomplete: None,
        };
        if relation == Relation::Unlike {
            self.listing.of(platform, layer.index);
            let mut found = Found { listing: self.listing, kept: self.kept, changes: Vec::new(), total: 0 };
            let compared = compare(left, right, &mut found, self.limits)?;
            (layer.changes, layer.total) = (found.changes, found.total);
            (layer.order, layer.incomplete) = (compared.order, compared.incomplete);
            if layer.total == 0 && layer.incomplete.is_none() && left.is_some() && right.is_some() {
                layer.incomplete = unexplained(left.and_then(|l| l.diff_id), right.and_then(|r| r.diff_id));
            }
        }
        Ok(Some(layer))
    }
}

/// Every entry agrees and yet the layers differ: what no entry shows.
fn unexplained(a: Option<&Digest>, b: Option<&Digest>) -> Option<String> {
    (a != b || a.is_none()).then(|| {
        "Every file agrees: what differs is in the archive around them (access times, the format of headers, padding) or in \
         the compression."
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
