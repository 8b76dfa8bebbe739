//! The checkout, as a value: what git and the file system say, read once before planning.
//!
//! Reads; never writes, never runs git. A checkout owned by somebody else (`dubious ownership`) is read all the same.

mod ancestry;
mod context;
mod dockerfiles;
mod dockerignore;
mod git;
mod language;
mod listing;
mod remote;
mod tags;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use ancestry::{Ancestry, Gap, ancestry, ancestry_in};
pub use context::{OldFiles, older_than, too_old};
pub use dockerfiles::clean_path;
pub use git::child_git_env;
pub use language::detect_language;
pub use listing::files;
pub use remote::{strip_credentials, web_url};

use crate::problem::Problem;

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
    /// Commits on `head` that the tag does not have. A lower bound where a long history was not walked to its end; zero
    /// is always exact.
    pub distance: u32,
}

impl Git {
    /// The tag that is checked out: `head` is detached and tagged. Of several the highest version.
    pub fn checked_out_tag(&self) -> Option<&str> {
        let nearest = self.tags.first().filter(|tag| tag.distance == 0 && self.branch.is_none())?;
        Some(&nearest.name)
    }
}

impl Source {
    /// The text of a Dockerfile, however its path is spelled (`./a//Dockerfile`).
    pub fn dockerfile(&self, path: &str) -> Option<&str> {
        self.dockerfiles.get(&clean_path(path)).map(String::as_str)
    }

    /// The paths of the Dockerfiles, those nearest to the root first, `Dockerfile` before other names in one directory.
    pub fn dockerfile_paths(&self) -> Vec<&str> {
        let mut paths: Vec<_> = self.dockerfiles.keys().map(String::as_str).collect();
        paths.sort_by_key(|path| dockerfiles::rank(path));
        paths
    }

    /// The main language of the project, if a file in its root tells.
    pub fn language(&self) -> Option<&'static str> {
        detect_language(&self.markers)
    }
}

/// Takes the snapshot. `wanted` are Dockerfiles named by config and inputs: they are read too, wherever they are. One that
/// does not exist is not missed here; the plan says so where it needs it.
///
/// Bounded: 4 directories deep, 5 000 entries, 1 MiB for each Dockerfile, 20 000 commits.
///
/// # Errors
/// A root that cannot be read, or a repository that git could not read either.
pub fn read(root: &Path, wanted: &[String]) -> Result<Source, Problem> {
    let root = root.canonicalize().map_err(|error| {
        Problem::new(format!("the workspace {} cannot be read: {error}", root.display()))
            .hint("run in the directory that holds the checkout; in CI, check the repository out first")
    })?;
    let names = root_names(&root)?;
    Ok(Source {
        git: git::read(&root)?,
        dockerfiles: dockerfiles::read(&root, wanted),
        markers: names.into_iter().filter(|name| language::is_marker(name)).collect(),
        root,
    })
}

/// File names in the root, sorted; of an absurd number some.
fn root_names(root: &Path) -> Result<Vec<String>, Problem> {
    let entries = std::fs::read_dir(root)
        .map_err(|error| Problem::new(format!("the workspace {} cannot be listed: {error}", root.display())))?;
    let mut names: Vec<_> = entries
        .take(10_000)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}
