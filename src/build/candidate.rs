//! What a build makes: an image, published nowhere under any name.

use std::time::Duration;

use jiff::Timestamp;

use crate::buildx::metadata::Material;
use crate::image::attestations::Attestation;
use crate::image::{Digest, Layout};

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
    /// In an OCI layout on this machine.
    Layout(Layout),
    /// Nowhere that is published from: loaded into an engine, or written for the user.
    Elsewhere,
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
