//! What a build makes: an image, published nowhere under any name.

use std::time::Duration;

use jiff::Timestamp;

use crate::buildx::metadata::Material;
use crate::image::attestations::Attestation;
use crate::image::{Descriptor, Digest, Layout, Manifest};

/// An image as built.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Build id.
    pub build: String,
    /// Digest of its manifest or index, as the builder told.
    pub digest: Digest,
    /// Where its bytes are.
    pub content: Content,
    /// What a proof needs to know of how it was built; only in crucible mode.
    pub first: Option<FirstPass>,
}

/// Where the bytes of an image are.
#[derive(Debug, Clone)]
pub enum Content {
    /// In registries, by digest, put there by the build itself. The ids of the targets that have it.
    Pushed {
        /// Target ids.
        targets: Vec<String>,
    },
    /// In registries, in pieces: legs that other jobs built. The root above them is nowhere yet.
    Pieces(Pieces),
    /// In an OCI layout on this machine.
    Layout(Layout),
    /// Nowhere that is published from: loaded into an engine, or written for the user.
    Elsewhere,
}

/// An image of which registries hold everything but the root.
#[derive(Debug, Clone)]
pub struct Pieces {
    /// The index; or, of one platform, what was built, which may be there already.
    pub root: Manifest,
    /// What it names, or the root itself.
    pub pieces: Vec<Piece>,
}

/// A manifest below the root, with everything below it.
#[derive(Debug, Clone)]
pub struct Piece {
    /// What the registries hold.
    pub descriptor: Descriptor,
    /// Ids of the targets that hold it.
    pub targets: Vec<String>,
}

/// The first of two cold builds.
#[derive(Debug, Clone)]
pub struct FirstPass {
    /// Number of the step in the plan.
    pub index: usize,
    /// Base images and other sources, as it resolved them.
    pub materials: Vec<Material>,
    /// What BuildKit attests about it: provenance, and an SBOM where one was asked for.
    pub attestations: Vec<Attestation>,
    /// Named contexts for the builds it depends on.
    pub dependencies: Vec<(String, String)>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub took: Duration,
}
