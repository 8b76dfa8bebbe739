//! Manifests and indexes as far as moving images needs them (`opencontainers/image-spec` manifest.md, image-index.md,
//! descriptor.md, and docker's schema 2): what refers to what. Bytes are kept as they are and never written anew.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Digest;

/// An OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image config.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Docker's index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The largest manifest taken: the least the distribution specification asks registries to accept, and what they do.
pub const MAX_MANIFEST: usize = 4 << 20;

const MAX_DEPTH: usize = 4;
const MAX_MANIFESTS: usize = 512;
const MAX_BLOBS: usize = 8192;
const MAX_TOTAL: usize = 16 << 20;

/// A pointer to content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Hash of its bytes.
    pub digest: Digest,
    /// Number of its bytes.
    pub size: u64,
    /// Where a blob may be had that registries do not hold (foreign layers).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Platform of a manifest in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// Platform of a manifest in an index. Attestations have `unknown/unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A manifest or index, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// As stored.
    pub bytes: Bytes,
    /// What it is, for a `Content-Type`.
    pub media_type: String,
    /// Hash of `bytes`, computed here.
    pub digest: Digest,
}

/// What a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Children {
    /// An index: manifests.
    Index(Vec<Descriptor>),
    /// An image (or attestation, or other artifact): config, then layers in order.
    Image {
        /// Config blob.
        config: Descriptor,
        /// Layer blobs, lowest first.
        layers: Vec<Descriptor>,
    },
}

/// Why bytes are no usable manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// Not JSON, or without what every manifest has.
    #[error("not a manifest: {0}")]
    Syntax(String),
    /// Reads as an index and as an image: two programs could see two different things.
    #[error("the manifest has both `manifests` and `layers`, so its meaning is ambiguous")]
    Ambiguous,
    /// Docker's schema 1 or something unheard of.
    #[error("manifest schema version {0} is not supported: only 2 is")]
    Schema(u64),
    /// More than any image of this world.
    #[error("the image is too large to be followed: {0}")]
    TooLarge(&'static str),
    /// The bytes are not those the descriptor promised.
    #[error("content of {expected} has digest {found}: it is damaged or was replaced")]
    Digest {
        /// Asked for.
        expected: Digest,
        /// Got.
        found: Digest,
    },
}

/// Everything an image consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Manifests and indexes, children before parents; the root is last.
    pub manifests: Vec<Manifest>,
    /// Configs and layers, each once. Layers that registries do not hold are left out.
    pub blobs: Vec<Descriptor>,
}

/// Finds everything below a root. Does no input or output: give it each manifest it asks for.
#[derive(Debug)]
pub struct Walk {
    stack: Vec<Visit>,
    entered: HashSet<Digest>,
    noted: HashSet<Digest>,
    total: usize,
    content: Content,
}

#[derive(Debug)]
enum Visit {
    Enter(Descriptor, usize),
    Leave(Manifest),
}

impl Manifest {
    /// From bytes; an empty media type is replaced by the one the bytes name.
    ///
    /// # Errors
    /// When the bytes are no manifest.
    pub fn new(bytes: Bytes, media_type: &str) -> Result<Self, BadManifest> {
        let children = children(&bytes)?;
        let media_type = match media_type {
            "" => declared_type(&bytes).unwrap_or_else(|| match children {
                Children::Index(_) => OCI_INDEX.to_owned(),
                Children::Image { .. } => OCI_MANIFEST.to_owned(),
            }),
            given => given.to_owned(),
        };
        let digest = Digest::of(&bytes);
        Ok(Self { bytes, media_type, digest })
    }

    /// What it refers to.
    ///
    /// # Errors
    /// When the bytes are no manifest.
    pub fn children(&self) -> Result<Children, BadManifest> {
        children(&self.bytes)
    }

    /// A pointer to it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest.clone(),
            size: self.bytes.len() as u64,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
        }
    }
}

impl Descriptor {
    /// A layer that stays where it is: registries need not hold it (foreign layers of old Windows images).
    pub fn is_foreign(&self) -> bool {
        !self.urls.is_empty() || self.media_type.contains(".nondistributable.") || self.media_type.contains(".foreign.")
    }
}

/// What a manifest refers to, told by what it holds and not by what it is called.
///
/// # Errors
/// When the bytes are no manifest.
pub fn children(bytes: &[u8]) -> Result<Children, BadManifest> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Any {
        schema_version: u64,
        manifests: Option<Vec<Descriptor>>,
        config: Option<Descriptor>,
        layers: Option<Vec<Descriptor>>,
    }
    if bytes.len() > MAX_MANIFEST {
        return Err(BadManifest::TooLarge("a manifest of more than 4 MiB"));
    }
    let any: Any = serde_json::from_slice(bytes).map_err(|e| BadManifest::Syntax(e.to_string()))?;
    if any.schema_version != 2 {
        return Err(BadManifest::Schema(any.schema_version));
    }
    match (any.manifests, any.config, any.layers) {
        (Some(manifests), None, None) => Ok(Children::Index(manifests)),
        (Some(_), _, _) => Err(BadManifest::Ambiguous),
        (None, Some(config), layers) => Ok(Children::Image { config, layers: layers.unwrap_or_default() }),
        (None, None, _) => Err(BadManifest::Syntax("neither `manifests` nor `config` in it".into())),
    }
}

fn declared_type(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Declared {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
    }
    serde_json::from_slice::<Declared>(bytes).ok()?.media_type
}

impl Walk {
    /// Starts at a manifest or index.
    pub fn new(root: Descriptor) -> Self {
        Self {
            stack: vec![Visit::Enter(root, 1)],
            entered: HashSet::new(),
            noted: HashSet::new(),
            total: 0,
            content: Content { manifests: Vec::new(), blobs: Vec::new() },
        }
    }

    /// The manifest to give to [`Walk::feed`]; `None` when all is found.
    pub fn wants(&mut self) -> Option<Descriptor> {
        loop {
            match self.stack.pop()? {
                Visit::Leave(manifest) => self.content.manifests.push(manifest),
                Visit::Enter(descriptor, _) if self.entered.contains(&descriptor.digest) => {}
                Visit::Enter(descriptor, depth) => {
                    let wanted = descriptor.clone();
                    self.stack.push(Visit::Enter(descriptor, depth));
                    return Some(wanted);
                }
            }
        }
    }

    /// Takes the manifest last asked for.
    ///
    /// # Errors
    /// When it is not the one asked for, or refers to more than is believable.
    pub fn feed(&mut self, manifest: Manifest) -> Result<(), BadManifest> {
        let Some(Visit::Enter(expected, depth)) = self.stack.pop() else {
            return Ok(());
        };
        if manifest.digest != expected.digest {
            return Err(BadManifest::Digest { expected: expected.digest, found: manifest.digest });
        }
        self.entered.insert(expected.digest);
        self.total += manifest.bytes.len();
        if self.total > MAX_TOTAL {
            return Err(BadManifest::TooLarge("its manifests together have more than 16 MiB"));
        }
        let children = manifest.children()?;
        self.stack.push(Visit::Leave(manifest));
        match children {
            Children::Index(manifests) => self.enter_all(manifests, depth + 1),
            Children::Image { config, layers } => self.note_blobs(std::iter::once(config).chain(layers)),
        }
    }

    /// Everything found.
    pub fn finish(self) -> Content {
        self.content
    }

    fn enter_all(&mut self, manifests: Vec<Descriptor>, depth: usize) -> Result<(), BadManifest> {
        if depth > MAX_DEPTH {
            return Err(BadManifest::TooLarge("indexes nested more than 4 deep"));
        }
        // One that is below two parents is pushed twice and entered once, below the parent that is left first.
        self.stack.extend(manifests.into_iter().rev().map(|descriptor| Visit::Enter(descriptor, depth)));
        if self.stack.len() + self.content.manifests.len() > MAX_MANIFESTS {
            return Err(BadManifest::TooLarge("more than 512 manifests"));
        }
        Ok(())
    }

    fn note_blobs(&mut self, blobs: impl Iterator<Item = Descriptor>) -> Result<(), BadManifest> {
        for blob in blobs.filter(|blob| !blob.is_foreign()) {
            if self.noted.insert(blob.digest.clone()) {
                self.content.blobs.push(blob);
            }
        }
        if self.content.blobs.len() > MAX_BLOBS {
            return Err(BadManifest::TooLarge("more than 8192 blobs"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
