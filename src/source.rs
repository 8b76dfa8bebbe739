//! The checkout, as a value: what git and the file system say, read once before planning.
//!
//! Reads; never writes, never runs git. A checkout owned by somebody else (`dubious ownership`) is read all the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

/// A snapshot of the checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Absolute root: paths in config and inputs are relative to it.
    pub root: PathBuf,
    /// What git knows; `None` where there is no repository.
    pub git: Option<Git>,
    /// Dockerfiles found, path relative to the root with `/`, and their text. Includes those named by config and inputs.
    pub dockerfiles: BTreeMap<String, String>,
    /// Files in the root that tell the language (`go.mod`, `Cargo.toml`, `package.json` …).
    pub markers: Vec<String>,
}

/// What git knows about the checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Git {
    /// The checked-out commit, 40 hex digits; `None` in a repository without commits.
    pub head: Option<String>,
    /// Branch checked out; `None` when detached.
    pub branch: Option<String>,
    /// Committer time of `head`.
    pub commit_time: Option<Timestamp>,
    /// Only part of the history is here, so a missing tag proves nothing.
    pub shallow: bool,
    /// Address of `origin` as configured, credentials removed.
    pub remote: Option<String>,
    /// `HEAD` of the remote, when known locally.
    pub default_branch: Option<String>,
    /// Tags reachable from `head`, nearest first (fewest commits since), ties by semver, highest first.
    pub tags: Vec<GitTag>,
}

/// A tag and how far behind `head` it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitTag {
    /// Short name.
    pub name: String,
    /// Commits on `head` that the tag does not have.
    pub distance: u32,
}
