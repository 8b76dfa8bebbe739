//! Reads what `buildx inspect` and `buildx version` print for people: there is no machine form of either.
//!
//! What cannot be understood is kept as it is, in [`BuilderFacts::raw`]: a report then shows buildx's own words.

use semver::Version;

use crate::buildx::progress::{clean::clean, clip};
use crate::outcome::{BuilderFacts, GcRule};

#[cfg(test)]
mod tests;

/// The oldest buildx that is used.
pub const MIN_BUILDX: Version = Version::new(0, 13, 0);

/// Most output kept when it is not understood, in bytes.
const MAX_RAW: usize = 16 * 1024;

/// Why a buildx cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildxVersionError {
    /// The text names no version.
    #[error("`buildx version` printed no version: {0}")]
    Unreadable(String),
    /// Older than [`MIN_BUILDX`].
    #[error("buildx {0} is too old: {MIN_BUILDX} or newer is needed")]
    TooOld(Version),
}

/// Name, driver, endpoint, status, BuildKit version, platforms and garbage collection rules of the builder's first
/// node, from the output of `buildx inspect [--bootstrap] NAME`. Other fields are left as they are by default; `raw` is
/// set when name or driver were not found.
pub fn parse_inspect(text: &str) -> BuilderFacts {
    let mut facts = BuilderFacts::default();
    let (head, nodes) = text.split_once("Nodes:").unwrap_or((text, ""));
    for (key, value) in head.lines().filter_map(field) {
        match key {
            "Name" => facts.name = value,
            "Driver" => facts.driver = value,
            _ => {}
        }
    }
    let mut names = 0;
    for line in nodes.lines() {
        let Some((key, value)) = field(line) else { continue };
        match key {
            // A second node's facts would overwrite the first's.
            "Name" if names == 1 => break,
            "Name" => names += 1,
            // A copy of the builder's own configuration follows to the end.
            key if key.starts_with("File#") => break,
            "Endpoint" => facts.endpoint = without_login(&value),
            "Status" => facts.status = value,
            "Buildkit" | "BuildKit version" => facts.buildkit = value,
            "Platforms" => facts.platforms = list(&value),
            key if key.starts_with("GC Policy rule#") => facts.gc_rules.push(GcRule::default()),
            key => {
                if let Some(rule) = facts.gc_rules.last_mut() {
                    rule_field(rule, key, value);
                }
            }
        }
    }
    for rule in facts.gc_rules.iter_mut().filter(|rule| rule.scope.is_empty()) {
        rule.scope = if rule.all { "everything" } else { "general cache" }.to_owned();
    }
    if facts.name.is_empty() || facts.driver.is_empty() {
        facts.raw = Some(clip(text.trim(), MAX_RAW));
    }
    facts
}

/// The version in the output of `buildx version`: `github.com/docker/buildx v0.29.1 <commit>`, with or without the `v`.
///
/// # Errors
/// When there is none, or it is older than [`MIN_BUILDX`].
pub fn parse_version(text: &str) -> Result<Version, BuildxVersionError> {
    let version = text.lines().take(8).flat_map(str::split_whitespace).find_map(version_of);
    match version {
        None => Err(BuildxVersionError::Unreadable(clip(text.trim(), 200))),
        Some(version) if below_minimum(&version) => Err(BuildxVersionError::TooOld(version)),
        Some(version) => Ok(version),
    }
}

/// By number alone: `0.13.0-rc2` and a distribution's `0.13.1+ds1` are what they say.
fn below_minimum(version: &Version) -> bool {
    (version.major, version.minor, version.patch) < (MIN_BUILDX.major, MIN_BUILDX.minor, MIN_BUILDX.patch)
}

/// A version, also in Debian's spelling with `~` before a prerelease.
fn version_of(word: &str) -> Option<Version> {
    Version::parse(&word.strip_prefix('v').unwrap_or(word).replace('~', "-")).ok()
}

/// `Key:   value`, the key without its indentation.
fn field(line: &str) -> Option<(&str, String)> {
    let (key, value) = line.split_once(':')?;
    Some((key.trim(), clip(&clean(value.trim().as_bytes()), 2048)))
}

fn rule_field(rule: &mut GcRule, key: &str, value: String) {
    match key {
        "All" => rule.all = value == "true",
        "Filters" => rule.scope = scope(&value),
        "Keep Duration" => rule.keep_duration = value,
        "Reserved Space" | "Keep Bytes" => rule.reserved = value,
        "Max Used Space" => rule.max_used = value,
        "Min Free Space" => rule.min_free = value,
        _ => {}
    }
}

/// `type==source.local type==exec.cachemount` (or with commas) as `source.local, exec.cachemount`.
fn scope(filters: &str) -> String {
    let words = filters.split([' ', ',']).filter(|w| !w.is_empty());
    words.map(|w| w.strip_prefix("type==").unwrap_or(w)).collect::<Vec<_>>().join(", ")
}

/// Platforms; a `*` marks those a person configured.
fn list(value: &str) -> Vec<String> {
    value.split(',').map(|p| p.trim().trim_end_matches('*')).filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

/// `tcp://user:secret@host:1` without the login.
fn without_login(endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.find('/').unwrap_or(rest.len());
            let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host..])
        }
        None => endpoint.to_owned(),
    }
}
