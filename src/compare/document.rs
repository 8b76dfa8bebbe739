//! What `stagefreight diff --format json` prints, version 1 (`docs/diff.md`). Fields may be added; none is renamed or removed.

use std::slice::Iter;

use serde::Serialize;

use crate::crucible::proof::{CulpritFile, CulpritLayer, Culprits};
use crate::image::Digest;
use crate::image::diff::{ConfigChange, FileChange, ImageDiff, LayerDiff, PlatformDiff};

const SCHEMA_VERSION: u32 = 1;

/// The whole.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    schema_version: u32,
    /// The two images, as they were named, and the digests they have.
    images: [Named<'a>; 2],
    /// Every byte agrees.
    identical: bool,
    /// Configs and uncompressed layers agree; compression or manifests may differ.
    same_content: bool,
    /// Platforms only the first, and only the second has.
    only_in: [&'a [String]; 2],
    /// Platforms that both have and where they differ.
    platforms: Vec<Platform<'a>>,
    /// Bytes of layers that were read.
    bytes_read: u64,
}

/// One of the two.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) digest: &'a Digest,
}

#[derive(Debug, Serialize)]
struct Platform<'a> {
    platform: &'a str,
    manifests: [&'a Digest; 2],
    config_digests: [&'a Digest; 2],
    layer_counts: [usize; 2],
    config: &'a [ConfigChange],
    layers: Vec<Layer<'a>>,
}

#[derive(Debug, Serialize)]
struct Layer<'a> {
    index: [Option<usize>; 2],
    blobs: [Option<&'a Digest>; 2],
    diff_ids: [Option<&'a Digest>; 2],
    created_by: &'a str,
    history: Option<usize>,
    only_compression: bool,
    order: bool,
    total: u64,
    incomplete: Option<&'a str>,
    changes: &'a [FileChange],
    /// The most telling of them, and what makes such files differ.
    causes: &'a [CulpritFile],
}

impl<'a> Document<'a> {
    /// `culprits` explains the layers of `diff`, in their order.
    pub(super) fn new(images: [Named<'a>; 2], diff: &'a ImageDiff, culprits: &'a Culprits) -> Self {
        let mut explained = culprits.layers.iter();
        Self {
            schema_version: SCHEMA_VERSION,
            images,
            identical: diff.identical,
            same_content: diff.same_content(),
            only_in: [&diff.only_in_a, &diff.only_in_b],
            platforms: diff.platforms.iter().map(|platform| Platform::new(platform, &mut explained)).collect(),
            bytes_read: diff.bytes_read,
        }
    }
}

impl<'a> Platform<'a> {
    fn new(from: &'a PlatformDiff, explained: &mut Iter<'a, CulpritLayer>) -> Self {
        Self {
            platform: &from.platform,
            manifests: [&from.manifests.0, &from.manifests.1],
            config_digests: [&from.configs.0, &from.configs.1],
            layer_counts: [from.layer_counts.0, from.layer_counts.1],
            config: &from.config,
            layers: from.layers.iter().map(|layer| Layer::new(layer, explained.next())).collect(),
        }
    }
}

impl<'a> Layer<'a> {
    fn new(from: &'a LayerDiff, explained: Option<&'a CulpritLayer>) -> Self {
        Self {
            index: [from.index.0, from.index.1],
            blobs: [from.blobs.0.as_ref(), from.blobs.1.as_ref()],
            diff_ids: [from.diff_ids.0.as_ref(), from.diff_ids.1.as_ref()],
            created_by: &from.created_by,
            history: from.history,
            only_compression: from.only_compression,
            order: from.order,
            total: from.total,
            incomplete: from.incomplete.as_deref(),
            changes: &from.changes,
            causes: explained.map_or(&[], |layer| layer.files.as_slice()),
        }
    }
}
