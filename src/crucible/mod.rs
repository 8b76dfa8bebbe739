//! The gate between building and publishing: publishing takes a `Verified`, and only this room makes one.
//!
//! Today the one way through is to waive the proof, with a reason that every report repeats. Proving an image by a second,
//! cold build moves in here.

pub mod culprit;
pub mod proof;
pub mod trust;

pub use proof::Proof;

use crate::image::Digest;
use crate::image::layout::Layout;
use crate::plan::{BuildMode, Step};
use crate::problem::{Failure, FailureKind, Problem};

/// An image as built, published nowhere under any name.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Build id.
    pub build: String,
    /// Digest of its manifest or index, as the builder told.
    pub digest: Digest,
    /// Where its bytes are.
    pub content: Content,
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

/// An image that may be published. Made only here.
#[derive(Debug, Clone)]
pub struct Verified {
    candidate: Candidate,
    how: String,
}

impl Verified {
    /// Lets a candidate through without proof; the reason is reported.
    pub fn waived(candidate: Candidate, reason: &str) -> Self {
        Self { candidate, how: format!("not proven: {reason}") }
    }

    /// The image.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// How far it is proven, for people.
    pub fn how(&self) -> &str {
        &self.how
    }
}

/// Refuses, before anything is built, what this version cannot prove: asked for proof, publishing without it would be a lie.
///
/// # Errors
/// Names every build that asks for `crucible`.
pub fn admit(steps: &[Step]) -> Result<(), Failure> {
    let asking: Vec<_> =
        steps.iter().filter(|step| step.build_mode == BuildMode::Crucible).map(|step| step.id.as_str()).collect();
    if asking.is_empty() {
        return Ok(());
    }
    let what =
        format!("build_mode: crucible is asked for ({}), and this version cannot prove images yet", asking.join(", "));
    let hint = "remove build_mode (or the build-mode input) to publish without proof; nothing was built or published";
    Err(Failure::new(FailureKind::Verification, Problem::new(what).hint(hint)))
}

/// Takes a candidate through the gate.
pub fn prove(candidate: Candidate) -> Verified {
    Verified::waived(candidate, "the build does not ask for the crucible")
}
