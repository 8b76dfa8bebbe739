//! BuildKit's own words: the excerpt with `>>>`, the `ERROR:` line, and what they mean.

use super::scan::{digits, found, location};
use super::{Found, Rank};
use crate::buildx::event::BuildError;
use crate::problem::Location;

/// Prefixes that say nothing a person does not know.
const PREFIXES: [&str; 9] = [
    "ERROR: ",
    "error: ",
    "failed to build: ",
    "failed to solve: ",
    "failed to solve with frontend dockerfile.v0: ",
    "failed to create LLB definition: ",
    "rpc error: code = Unknown desc = ",
    "rpc error: code = NotFound desc = ",
    "failed to compute cache key: ",
];

/// The source excerpt buildx prints.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Excerpt {
    pub(super) location: Location,
}

/// What kind of failure BuildKit's last word tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// A RUN ended with this exit code.
    Exit(u32),
    /// The Dockerfile is not one: what the parser says.
    Syntax(&'a str),
    /// The Dockerfile is not there.
    NoDockerfile(&'a str),
    /// The Dockerfile has nothing in it.
    EmptyDockerfile,
    /// COPY or ADD names a path the context does not hold.
    NoSource(&'a str),
    /// The base image is not there.
    NoImage(&'a str),
    /// The base image may not be read.
    ImageDenied(&'a str),
    /// No such stage.
    NoStage(&'a str),
    /// The driver cannot build for several platforms.
    NoMultiPlatform,
    /// The registry does not let us push there.
    PushDenied(&'a str),
    /// The registry could not be reached for the push.
    PushUnreachable(&'a str),
    /// The builder does not trust a registry's certificate.
    Untrusted(&'a str),
    /// The builder speaks TLS to a registry that does not.
    SpeaksPlain(&'a str),
    /// The builder speaks plain http to a registry that wants TLS.
    SpeaksTls(&'a str),
    /// The builder went away in the middle.
    LostContact,
    /// Anything else.
    Other,
}

/// Words by which registries and BuildKit refuse.
const REFUSALS: [&str; 5] = ["401 unauthorized", "403 forbidden", "denied", "unauthorized", "authorization failed"];

/// What a registry or the network says when the same push may work a moment later. Two pushes of one blob at a time are
/// among it: some registries confuse them.
const PASSING: [&str; 14] = [
    "did not match uploaded content",
    "blob unknown",
    "blob upload unknown",
    "429 too many requests",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway timeout",
    "connection reset",
    "broken pipe",
    "unexpected eof",
    "i/o timeout",
    "tls handshake timeout",
    "server closed idle connection",
];

impl<'a> Verdict<'a> {
    /// Reads a summary, prefixes already gone.
    pub(super) fn of(summary: &'a str) -> Self {
        let quoted_before =
            |end: &str| summary.split_once(end).and_then(|(before, _)| before.rsplit_once(": \"")).map(|(_, s)| s);
        if let Some((_, code)) = summary.rsplit_once("did not complete successfully: exit code: ") {
            Self::Exit(digits(code).map_or(0, |(code, _)| code))
        } else if let Some((_, rest)) = summary.split_once("dockerfile parse error ") {
            Self::Syntax(rest.split_once(": ").map_or(rest, |(_, said)| said))
        } else if summary.contains("failed to calculate checksum of ref") {
            Self::NoSource(quoted_before("\": not found").unwrap_or(""))
        } else if let Some((_, rest)) = summary.split_once("failed to read dockerfile: open ") {
            Self::NoDockerfile(rest.split(':').next().unwrap_or(rest))
        } else if summary.contains("Dockerfile cannot be empty") || summary.contains("file with no instructions") {
            Self::EmptyDockerfile
        } else if let Some((_, rest)) = summary.split_once("target stage \"") {
            Self::NoStage(rest.split('"').next().unwrap_or(rest))
        } else if let Some((_, rest)) = summary.split_once("failed to resolve source metadata for ") {
            let (image, why) = rest.split_once(": ").unwrap_or((rest, ""));
            if let Some(verdict) = Self::of_tls(image, why) {
                return verdict;
            }
            match says(rest, &REFUSALS) {
                true => Self::ImageDenied(image),
                false if rest.ends_with("not found") => Self::NoImage(image),
                false => Self::Other,
            }
        } else if let Some((_, rest)) = summary.split_once("failed to push ") {
            let (target, why) = rest.split_once(": ").unwrap_or((rest, ""));
            if let Some(verdict) = Self::of_tls(target, why) {
                verdict
            } else if says(why, &REFUSALS) {
                Self::PushDenied(target)
            } else if why.contains("failed to do request") {
                Self::PushUnreachable(target)
            } else {
                Self::Other
            }
        } else if summary.contains("code = Unavailable") || summary.contains("error reading from server") {
            Self::LostContact
        } else if summary.to_ascii_lowercase().starts_with("multi-platform build is not supported") {
            Self::NoMultiPlatform
        } else {
            Self::Other
        }
    }

    /// Trouble with the registry of an image before a word of HTTP is understood.
    fn of_tls(image: &'a str, why: &str) -> Option<Self> {
        let host = image.split('/').next().filter(|host| host.contains(['.', ':'])).unwrap_or("docker.io");
        if why.contains("x509: ") || why.contains("tls: failed to verify") {
            Some(Self::Untrusted(host))
        } else if why.contains("server gave HTTP response to HTTPS client") {
            Some(Self::SpeaksPlain(host))
        } else if why.contains("malformed HTTP response") || why.contains("HTTP request to an HTTPS server") {
            Some(Self::SpeaksTls(host))
        } else {
            None
        }
    }
}

/// Finds the last `Dockerfile:3` that stands over a rule of dashes.
pub(super) fn excerpt(trailer: &[String]) -> Option<Excerpt> {
    let heads = trailer.windows(2).rev().filter(|pair| pair[1].len() >= 8 && pair[1].bytes().all(|b| b == b'-'));
    heads.filter_map(|pair| pair[0].rsplit_once(':')).find_map(|(file, line)| {
        let (line, rest) = digits(line)?;
        (rest.is_empty() && !file.is_empty()).then(|| Excerpt { location: location(file, Some(line), None) })
    })
}

/// A place the summary itself names: `dockerfile parse error on line 3: …` (older: `parse error line 3`).
pub(super) fn place_in(summary: &str) -> Option<Location> {
    let (_, rest) = summary.split_once("dockerfile parse error ")?;
    let (line, _) = digits(rest.strip_prefix("on ").unwrap_or(rest).strip_prefix("line ")?)?;
    Some(location("Dockerfile", Some(line), None))
}

fn says(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// The image was built, and putting it into a registry failed for a reason that may have passed.
pub(super) fn is_passing(summary: &str) -> bool {
    summary.contains("failed to push ") && says(summary, &PASSING) && !says(summary, &REFUSALS)
}

/// buildx's last word; what a registry says comes as a list on the lines below.
pub(super) fn verdict(trailer: &[String]) -> Option<String> {
    let is_verdict = |l: &String| l.starts_with("ERROR: ") || l.starts_with("error: failed to solve");
    let at = trailer.iter().rposition(is_verdict)?;
    let list = trailer[at + 1..].iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    match trailer[at].trim_end() {
        head if head.ends_with("errors:") => Some(format!("{head} {}", list.take(5).collect::<Vec<_>>().join("; "))),
        head => Some(head.to_owned()),
    }
}

pub(super) fn without_prefixes(verdict: &str) -> &str {
    let mut text = verdict.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    text
}

/// A failure of the Dockerfile itself, in fewer words than BuildKit's. A RUN that failed is told by its output.
pub(super) fn read(summary: &str, dockerfile: Option<&Location>) -> Option<Found> {
    let message = match Verdict::of(summary) {
        Verdict::Exit(_) | Verdict::Other | Verdict::NoMultiPlatform => return None,
        Verdict::Syntax(said) => said.to_owned(),
        Verdict::NoDockerfile(path) => format!("there is no Dockerfile at `{path}`"),
        Verdict::EmptyDockerfile => "the Dockerfile holds no instructions".to_owned(),
        Verdict::NoSource(path) => format!("`{path}` is not in the build context"),
        Verdict::NoImage(image) => format!("image `{image}` not found"),
        Verdict::ImageDenied(image) => format!("image `{image}` may not be pulled with the credentials given"),
        Verdict::NoStage(stage) => format!("the Dockerfile has no stage `{stage}`"),
        Verdict::PushDenied(target) => format!("the registry does not let this job push to {target}"),
        Verdict::Untrusted(host) => format!("the builder does not trust the certificate of the registry {host}"),
        Verdict::SpeaksPlain(host) => format!("the registry {host} speaks plain http, and the builder expects TLS"),
        Verdict::SpeaksTls(host) => format!("the registry {host} speaks TLS, and the builder expects plain http"),
        Verdict::PushUnreachable(target) => format!("the builder cannot reach the registry of {target}"),
        Verdict::LostContact => "contact with the builder was lost in the middle of the build".to_owned(),
    };
    Some(found(Rank::Cause, usize::MAX, "docker", dockerfile.cloned(), &message, summary))
}

/// The summary as an error, where nothing better was found.
pub(super) fn process_error(summary: &str, dockerfile: Option<&Location>) -> BuildError {
    found(Rank::Summary, 0, "docker", dockerfile.cloned(), summary, summary).error
}
