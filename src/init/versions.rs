//! How releases are called here, from the git tags that are behind the checkout.

use semver::Version;

use super::builds::Found;
use crate::source::Git;

/// How many tags are looked at.
const MOST: usize = 2_000;

/// The way of naming releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) scheme: Scheme,
    /// A pre-release was tagged once.
    pub(super) prereleases: bool,
    /// Builds with tags of their own, `api-v1.2.3`.
    pub(super) scoped: Vec<String>,
    seen: Option<String>,
    shallow: bool,
}

/// What a release tag looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `v1.2.3`.
    WithV,
    /// `1.2.3`.
    Bare,
    /// Both.
    Either,
    /// Tags, and none of them a version.
    Other,
}

impl Scheme {
    /// A pattern for a release, without its end.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::WithV => r"^v\d+\.\d+\.\d+",
            Self::Bare => r"^\d+\.\d+\.\d+",
            Self::Either => r"^v?\d+\.\d+\.\d+",
            Self::Other => ".*",
        }
    }

    /// A glob for the workflow's trigger.
    pub(super) fn glob(self) -> &'static str {
        match self {
            Self::WithV => "v*",
            Self::Bare => "[0-9]*",
            Self::Either | Self::Other => "*",
        }
    }
}

impl Versions {
    /// What was concluded, and why.
    pub(super) fn reason(&self) -> (String, String) {
        let (what, why) = match (&self.seen, self.scheme) {
            (Some(tag), Scheme::WithV) => ("releases are tagged v1.2.3", format!("as {tag}")),
            (Some(tag), Scheme::Bare) => ("releases are tagged 1.2.3", format!("as {tag}")),
            (Some(tag), Scheme::Either) => ("releases are tagged 1.2.3, with and without a v", format!("as {tag}")),
            (Some(tag), Scheme::Other) => ("releases are tagged by names of your own", format!("as {tag}")),
            (None, _) if self.shallow => {
                ("releases are tagged v1.2.3", "a guess: this clone is shallow and holds no tag".to_owned())
            }
            (None, _) => ("releases are tagged v1.2.3", "the usual way: there is no tag yet".to_owned()),
        };
        (what.to_owned(), why)
    }
}

pub(super) fn read(git: Option<&Git>, builds: &[Found]) -> Versions {
    let tags = git.map(|git| git.tags.as_slice()).unwrap_or_default();
    let names: Vec<&str> = tags.iter().take(MOST).map(|tag| tag.name.as_str()).collect();
    let version = |name: &str| Version::parse(name.strip_prefix('v').unwrap_or(name)).ok();
    let with_v = names.iter().find(|name| name.starts_with('v') && version(name).is_some());
    let bare = names.iter().find(|name| !name.starts_with('v') && version(name).is_some());
    let scoped: Vec<String> = builds
        .iter()
        .map(|build| build.id.clone())
        .filter(|id| {
            names.iter().any(|name| {
                name.strip_prefix(id.as_str())
                    .and_then(|rest| rest.strip_prefix("-v"))
                    .is_some_and(|rest| version(rest).is_some())
            })
        })
        .collect();
    let (scheme, seen) = match (with_v, bare, names.first()) {
        (Some(_), Some(bare), _) => (Scheme::Either, Some(*bare)),
        (Some(tag), None, _) => (Scheme::WithV, Some(*tag)),
        (None, Some(tag), _) => (Scheme::Bare, Some(*tag)),
        (None, None, Some(tag)) if scoped.is_empty() => (Scheme::Other, Some(*tag)),
        (None, None, first) => (Scheme::WithV, first.copied()),
    };
    let prerelease = |name: &&str| version(name).is_some_and(|version| !version.pre.is_empty());
    Versions {
        scheme,
        prereleases: names.iter().any(prerelease),
        scoped,
        seen: seen.map(str::to_owned),
        shallow: git.is_some_and(|git| git.shallow),
    }
}
