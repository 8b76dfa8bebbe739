//! Names of images as the distribution specification and the docker reference grammar write them
//! (`opencontainers/distribution-spec` spec.md, `distribution/reference` regexp.go).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The host that bare docker names mean.
pub const DOCKER_HUB: &str = "docker.io";

/// `host[:port]/path`, normalised: `alpine` is `docker.io/library/alpine`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    host: String,
    path: String,
}

/// A legal tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// Why a text is no image name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The host part is empty or holds characters a host and port cannot have.
    #[error("`{0}` is not a registry host: expected host or host:port, without scheme or path")]
    Host(String),
    /// The repository path breaks the distribution grammar.
    #[error(
        "`{0}` is not a repository path: lower-case letters, digits and single separators `.`, `_`, `-`, in parts joined by `/`"
    )]
    Path(String),
    /// The tag breaks the distribution grammar.
    #[error("`{0}` is not a legal tag: 1 to 128 of letters, digits, `_`, `.` and `-`, not starting with `.` or `-`")]
    Tag(String),
}

impl Repository {
    /// From a host (`registry.example.com:5000`) and a path (`team/app`).
    ///
    /// # Errors
    /// When either breaks its grammar.
    pub fn new(host: &str, path: &str) -> Result<Self, BadName> {
        if !is_host(host) {
            return Err(BadName::Host(clip(host)));
        }
        let host = match host {
            "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
            other => other.to_ascii_lowercase(),
        };
        let path = if host == DOCKER_HUB && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        if !is_path(&path) || host.len() + path.len() > 254 {
            return Err(BadName::Path(clip(&path)));
        }
        Ok(Self { host, path })
    }

    /// The registry host, with its port if it has one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path inside the registry.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for Repository {
    type Err = BadName;

    /// Docker's rule: the first part is a host if it holds a dot or a colon, or is `localhost`.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => Self::new(first, rest),
            _ => Self::new(DOCKER_HUB, s),
        }
    }
}

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = BadName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let mut bytes = s.bytes();
        let head = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let tail = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if head && tail && s.len() <= 128 { Ok(Self(s.to_owned())) } else { Err(BadName::Tag(clip(s))) }
    }
}

/// Splits `host/path[:tag]`; a digest suffix is refused, because nothing can be published *to* a digest.
///
/// # Errors
/// When the name or the tag breaks its grammar.
pub fn parse_tagged(s: &str) -> Result<(Repository, Option<Tag>), BadName> {
    if s.contains('@') {
        return Err(BadName::Path(clip(s)));
    }
    let after_slash = s.rfind('/').map_or(0, |i| i + 1);
    match s[after_slash..].find(':') {
        Some(i) => Ok((s[..after_slash + i].parse()?, Some(s[after_slash + i + 1..].parse()?))),
        None => Ok((s.parse()?, None)),
    }
}

/// A name as engines keep it, in full: `app` is `docker.io/library/app:latest`. One that is no name stays as it is.
pub fn full_name(name: &str) -> String {
    match parse_tagged(name) {
        Ok((repository, Some(tag))) => format!("{repository}:{tag}"),
        Ok((repository, None)) => format!("{repository}:latest"),
        Err(_) => name.to_owned(),
    }
}

/// Whether a host, with or without a port, is this very machine: `localhost` or a loopback address. Docker's own rule for what
/// may be spoken to without TLS.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, rest)) => {
            let hex = !v6.is_empty() && v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
            return hex && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    name.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|p| p > 0) && port.bytes().all(|b| b.is_ascii_digit())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` in parts joined by `/`.
fn is_path(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(is_component)
}

fn is_component(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = part.bytes().next().is_some_and(word) && part.bytes().next_back().is_some_and(word);
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators.into_iter().all(|sep| matches!(sep, "" | "." | "_" | "__") || sep.bytes().all(|b| b == b'-'))
}

fn clip(s: &str) -> String {
    s.chars().take(160).collect()
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Repository {
    type Error = BadName;

    fn try_from(s: String) -> Result<Self, BadName> {
        s.parse()
    }
}

impl From<Repository> for String {
    fn from(r: Repository) -> Self {
        r.to_string()
    }
}

impl TryFrom<String> for Tag {
    type Error = BadName;

    fn try_from(s: String) -> Result<Self, BadName> {
        s.parse()
    }
}

impl From<Tag> for String {
    fn from(t: Tag) -> Self {
        t.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, host, path) in [
            ("alpine", "docker.io", "library/alpine"),
            ("acme/app", "docker.io", "acme/app"),
            ("localhost/app", "localhost", "app"),
            ("localhost:5000/a/b", "localhost:5000", "a/b"),
            ("GHCR.io/acme/app", "ghcr.io", "acme/app"),
            ("index.docker.io/acme/app", "docker.io", "acme/app"),
            ("[::1]:5000/a", "[::1]:5000", "a"),
        ] {
            let got: Repository = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((got.host(), got.path()), (host, path), "{text}");
        }
    }

    #[test]
    fn bad_names_are_refused() {
        for bad in [
            "",
            "UPPER/app",
            "a//b",
            "a/-b",
            "a/b-",
            "a/b..c",
            "a/b___c",
            "host:0/a",
            "host:99999/a",
            "a b/c",
            "x.y/",
            "-a.b/c",
            "http://x/y",
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
        for good in ["a/b--c", "a/b__c", "a/b.c_d-e"] {
            assert!(good.parse::<Repository>().is_ok(), "{good}");
        }
        let long = "a".repeat(128);
        assert!(long.parse::<Tag>().is_ok());
        for bad in ["", ".a", "-a", "a+b", "a/b", "a b", &format!("{long}a"), "ä"] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for here in ["localhost", "localhost:5000", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::1]:5000"] {
            assert!(is_loopback(here), "{here}");
        }
        for away in ["", "127.0.0.1.example.com:5000", "localhost.example.com", "10.0.0.1", "[::2]:5000"] {
            assert!(!is_loopback(away), "{away}");
        }
    }

    #[test]
    fn tags_split_at_the_right_colon() {
        let split = |s: &str| parse_tagged(s).map(|(r, t)| (r.to_string(), t.map(String::from)));
        assert_eq!(split("localhost:5000/app"), Ok(("localhost:5000/app".into(), None)));
        assert_eq!(split("localhost:5000/app:v1"), Ok(("localhost:5000/app".into(), Some("v1".into()))));
        assert_eq!(split("app:v1"), Ok(("docker.io/library/app".into(), Some("v1".into()))));
        assert!(split("app@sha256:00").is_err());
    }
}
