//! Names of caches and builders: one constructor and one parser, inverse of each other.
//!
//! Every name here is a promise to caches that exist already: a tag that StageFreight 0.5 could push is written byte for
//! byte as 0.5 writes it. Nothing else may put a cache tag together.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::image::Tag;

/// Longest tag the distribution specification allows, in bytes.
const TAG_LIMIT: usize = 128;
/// How much of a cleaned name is kept before the hash.
const NAME_LIMIT: usize = 119;
/// Hex digits of a hash in a name.
const HASH: usize = 8;

/// `<prefix>-<repo hash, 8>-<branch>`: the tag of one branch's cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheTag {
    prefix: String,
    repo_hash: String,
    branch_ref: String,
}

/// Why no cache tag can begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPrefix {
    /// It cannot begin a tag.
    #[error("`{0}` cannot begin a tag: letters, digits, `_`, `.` and `-`, not starting with `.` or `-`")]
    Illegal(String),
    /// It leaves no room for the hashes.
    #[error("the cache tag prefix has {0} bytes; with both hashes a tag has room for {max}", max = CacheTag::PREFIX_LIMIT)]
    Long(usize),
}

impl CacheTag {
    /// Longest prefix: the two hashes and their dashes need the rest.
    pub const PREFIX_LIMIT: usize = TAG_LIMIT - (1 + HASH) - (2 + HASH);

    /// The tag for a repository and a branch as git names it.
    ///
    /// # Errors
    /// When the prefix cannot begin a tag or is too long.
    pub fn new(prefix: &str, repo_id: &str, branch: &str) -> Result<Self, BadPrefix> {
        if prefix.parse::<Tag>().is_err() && prefix.len() <= TAG_LIMIT {
            return Err(BadPrefix::Illegal(prefix.to_owned()));
        }
        if prefix.len() > Self::PREFIX_LIMIT {
            return Err(BadPrefix::Long(prefix.len()));
        }
        let canonical = canonicalize_ref(branch);
        let room = TAG_LIMIT - prefix.len() - (1 + HASH) - 1;
        Ok(Self {
            prefix: prefix.to_owned(),
            repo_hash: repo_hash(repo_id)[..HASH].to_owned(),
            branch_ref: shorten(&canonical, room),
        })
    }

    /// Reads a tag back. The prefix must be given: one that holds eight hex digits of its own could not be told from
    /// the repository's hash.
    pub fn parse(tag: &str, prefix: &str) -> Option<Self> {
        let rest = tag.strip_prefix(prefix)?.strip_prefix('-')?;
        let (hash, branch_ref) = rest.split_at_checked(HASH)?;
        let branch_ref = branch_ref.strip_prefix('-')?;
        let legal = tag.parse::<Tag>().is_ok() && is_hash(hash) && is_canonical(branch_ref);
        legal.then(|| Self { prefix: prefix.to_owned(), repo_hash: hash.to_owned(), branch_ref: branch_ref.to_owned() })
    }

    /// `<prefix>-<repo hash, 8>`: what all cache tags of one repository begin with. Retention touches nothing outside it.
    pub fn scope_prefix(&self) -> String {
        format!("{}-{}", self.prefix, self.repo_hash)
    }

    /// The cleaned branch with its hash.
    pub fn branch_ref(&self) -> &str {
        &self.branch_ref
    }
}

impl fmt::Display for CacheTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.prefix, self.repo_hash, self.branch_ref)
    }
}

/// Whether a tag is a cache tag of the scope `<prefix>-<repo hash, 8>`. Anything else in the repository is not ours.
pub fn is_sf_cache_tag(tag: &str, scope_prefix: &str) -> bool {
    let prefix = scope_prefix.len().checked_sub(1 + HASH).and_then(|at| scope_prefix.split_at_checked(at));
    prefix.is_some_and(|(prefix, _)| {
        CacheTag::parse(tag, prefix).is_some_and(|tag| !prefix.is_empty() && tag.scope_prefix() == scope_prefix)
    })
}

/// A name a registry takes, from any text: cleaned and cut, then the first 8 hex digits of the text's sha256, so that
/// `feature/a-b` and `feature-a/b` stay apart.
pub fn canonicalize_ref(s: &str) -> String {
    let mut name = String::with_capacity(s.len().min(NAME_LIMIT + 1));
    // Letter by letter, as 0.5 does it: `İ` is one letter to it.
    for c in s.chars().filter_map(|c| c.to_lowercase().next()) {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
        if c != '-' || !name.ends_with('-') {
            name.push(c);
        }
    }
    let name = name.trim_matches('-');
    let name = &name[..name.len().min(NAME_LIMIT)];
    format!("{name}-{}", &sha256_hex(s)[..HASH])
}

/// First 16 hex digits of the sha256 of a repository's id: the name of its local cache directory.
pub fn repo_hash(repo_id: &str) -> String {
    sha256_hex(repo_id)[..16].to_owned()
}

/// Name of the builder made for a repository: `sf-` and 8 hex digits.
pub fn builder_name(repo_id: &str) -> String {
    format!("sf-{}", &repo_hash(repo_id)[..HASH])
}

/// Cuts the name before the hash so that the whole fits; `canonical` always ends in a dash and a hash.
fn shorten(canonical: &str, room: usize) -> String {
    if canonical.len() <= room {
        return canonical.to_owned();
    }
    let (name, hash) = canonical.split_at(canonical.len() - (1 + HASH));
    format!("{}{hash}", &name[..room - hash.len()])
}

/// A cleaned name (perhaps empty), a dash, a hash.
fn is_canonical(branch_ref: &str) -> bool {
    branch_ref.rsplit_once('-').is_some_and(|(name, hash)| {
        let kept = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        is_hash(hash) && name.bytes().all(kept) && !name.contains("--") && !name.starts_with('-')
    })
}

fn is_hash(s: &str) -> bool {
    s.len() == HASH && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn sha256_hex(s: &str) -> String {
    hex::encode(Sha256::digest(s.as_bytes()))
}

#[cfg(test)]
mod tests;
