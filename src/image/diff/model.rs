//! The result of a comparison, as a value.

use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// How two images relate. `a` is the first (the candidate), `b` the second (its rebuild).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageDiff {
    /// The digests of the roots agree: nothing below was looked at.
    pub identical: bool,
    /// One for each platform that both have and where they differ.
    pub platforms: Vec<PlatformDiff>,
    /// Platforms (`linux/amd64`) that only one of them has.
    pub only_in_a: Vec<String>,
    /// The same for the other.
    pub only_in_b: Vec<String>,
    /// Bytes read from layer blobs. Blobs that need no reading count nothing.
    pub bytes_read: u64,
}

impl ImageDiff {
    /// The same content: configs and uncompressed layers agree, on every platform. Only compression or manifests may differ.
    pub fn same_content(&self) -> bool {
        let same = |platform: &PlatformDiff| {
            platform.configs.0 == platform.configs.1 && platform.layers.iter().all(|layer| layer.only_compression)
        };
        self.identical || (self.only_in_a.is_empty() && self.only_in_b.is_empty() && self.platforms.iter().all(same))
    }
}

/// Two images of one platform.
#[derive(Debug, Clone, PartialEq)]
pub struct PlatformDiff {
    /// `linux/amd64`, from the index or the config; empty if neither says.
    pub platform: String,
    /// Digests of the two manifests.
    pub manifests: (Digest, Digest),
    /// Digests of the two configs.
    pub configs: (Digest, Digest),
    /// Fields of the configs that differ, history and layers left out.
    pub config: Vec<ConfigChange>,
    /// Layers that differ, lowest first.
    pub layers: Vec<LayerDiff>,
    /// Number of layers in each.
    pub layer_counts: (usize, usize),
}

/// A field of the image config that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// Path in the config: `config.Env.PATH`, `created`, `config.Labels.org.opencontainers.image.revision`.
    pub field: String,
    /// In the first, as JSON, shortened; `None` where it is missing.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// Two layers that take the same place.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerDiff {
    /// Position in each image, from 0; `None` where the image has no such layer.
    pub index: (Option<usize>, Option<usize>),
    /// Blob digests.
    pub blobs: (Option<Digest>, Option<Digest>),
    /// Digests of the uncompressed layers.
    pub diff_ids: (Option<Digest>, Option<Digest>),
    /// The history entry that made it (`created_by`), from the first image that has it.
    pub created_by: String,
    /// Index into the config's `history` of that entry, empty entries counted; `None` where the history does not tell.
    pub history: Option<usize>,
    /// The uncompressed bytes are the same: only compression differs. Nothing was read.
    pub only_compression: bool,
    /// Entries both have stand in another order in the archive; the first one out of place is among `changes` ([`How::Order`]).
    pub order: bool,
    /// Entries that differ, in the order they were found, at most [`MAX_CHANGES`] and some megabytes; the rest is only in the full
    /// listing. A path that stands several times in a layer is compared in the order of its appearance.
    pub changes: Vec<FileChange>,
    /// How many entries differ in all.
    pub total: u64,
    /// Why not everything could be compared: one sentence. What was not compared counts as different.
    pub incomplete: Option<String>,
}

/// How many changes of a layer are kept.
pub const MAX_CHANGES: usize = 200;

/// An entry of a layer that is not the same in both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path in the image without the leading `/`, `\` escapes for bytes that are not UTF-8. Hostile text.
    pub path: String,
    /// How it differs: never empty, sorted.
    pub how: Vec<How>,
    /// What it is in the first image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<Entry>,
    /// What it is in the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<Entry>,
}

/// What a layer says about a path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// `file`, `directory`, `symlink`, `hardlink`, `char`, `block`, `fifo`, `whiteout`, `opaque`.
    pub kind: String,
    /// Size of a file in bytes.
    pub size: u64,
    /// sha256 of a file's content, hex; empty for anything else. Of a sparse file: of its stored bytes, holes not filled.
    pub sha256: String,
    /// Permission bits.
    pub mode: u32,
    /// User id.
    pub uid: u64,
    /// Group id.
    pub gid: u64,
    /// Seconds since 1970. Nanoseconds are compared, and not told.
    pub mtime: i64,
    /// Target of a link, or `major:minor` of a device. Hostile text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// Extended attributes: name and hex of the value (`sha256:…` for a long one), sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<(String, String)>,
    /// The first bytes of a file, at most [`SAMPLE`], for telling what kind of file it is and what changed in it. Hostile bytes;
    /// in no listing.
    #[serde(skip)]
    pub sample: Vec<u8>,
}

/// How many bytes of a file are kept as its sample.
pub const SAMPLE: usize = 4096;

/// In what an entry differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Only the first image has it.
    OnlyInA,
    /// Only the second has it.
    OnlyInB,
    /// A file in one, a directory or link in the other.
    Kind,
    /// Its bytes.
    Content,
    /// Permission bits.
    Mode,
    /// User or group, by id or by name.
    Owner,
    /// Modification time.
    Mtime,
    /// Extended attributes.
    Xattr,
    /// Where a link points.
    Link,
    /// Its place in the archive.
    Order,
}
