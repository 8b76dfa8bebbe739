//! What a build says while it runs, typed. Filled by the rawjson and plain parsers, drawn by `report`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::problem::Location;

/// One piece of progress.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// A vertex began or changed (sent when it first starts, and again when it completes, is found cached, or fails).
    /// BuildKit may run one vertex in several goes (a `FROM` resolves, then downloads): it then begins and completes
    /// again, and the last word counts.
    Vertex(Vertex),
    /// Output of a step: raw bytes, at most 64 KiB a piece, cut at line ends where there are any.
    Log {
        /// The vertex's digest.
        vertex: String,
        /// True for standard error.
        stderr: bool,
        /// Hostile bytes: escape sequences, workflow commands, secrets may be inside.
        data: Vec<u8>,
    },
    /// Bytes moved by a transfer (pull, push, context upload, export).
    Transfer {
        /// The vertex's digest.
        vertex: String,
        /// Name of the transfer (`sha256:…`, `transferring context`).
        name: String,
        /// Bytes so far.
        current: u64,
        /// Bytes in all, 0 if unknown.
        total: u64,
        /// It is over.
        done: bool,
    },
    /// A warning of BuildKit's own checks.
    Warning(Warning),
    /// A line that was not progress: the source excerpt and the `ERROR:` that buildx prints at the end.
    Trailer(String),
}

/// A step of the build graph.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Vertex {
    /// BuildKit's digest of the vertex: its identity across messages.
    pub digest: String,
    /// As BuildKit names it, for example `[build 2/5] RUN make`.
    pub name: String,
    /// Start, once started. Plain progress knows durations only: there they count from 1970.
    pub started: Option<Timestamp>,
    /// End, once ended.
    pub completed: Option<Timestamp>,
    /// Its result came from the cache.
    pub cached: bool,
    /// Why it failed; empty if it did not.
    pub error: String,
}

/// A finished layer-making step, for the timeline. The seed's `LayerEvent`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Stage name, empty for the only unnamed stage.
    pub stage: String,
    /// Platform, where the vertex names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// `2` of `2/5`; 0 where BuildKit gives none.
    pub index: u32,
    /// `5` of `2/5`.
    pub total: u32,
    /// `FROM`, `RUN`, `COPY` …
    pub instruction: String,
    /// Rest of the instruction, at most 60 characters.
    pub detail: String,
    /// Base image of a `FROM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_image: Option<String>,
    /// Its result came from the cache.
    pub cached: bool,
    /// How long it ran, in seconds; 0 when cached.
    pub seconds: f64,
    /// When it began, in seconds since the first step of its build did; `None` where progress has no times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
}

/// A cache that BuildKit was told to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSource {
    /// As BuildKit names it.
    pub name: String,
    /// Why it gave nothing; empty where it was read.
    pub error: String,
}

/// A build check's warning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// One line.
    pub message: String,
    /// Longer explanation, may be empty.
    pub detail: String,
    /// Where to read more, may be empty.
    pub url: String,
    /// Place in the Dockerfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// The rule's name and what it says of this Dockerfile: `FromAsCasing: 'as' and … do not match (line 1)`.
pub fn rule(message: &str) -> Option<(&str, &str)> {
    let (rule, said) = message.split_once(": ")?;
    let named = rule.starts_with(|c: char| c.is_ascii_uppercase()) && rule.chars().all(|c| c.is_ascii_alphanumeric());
    let said = match said.rsplit_once(" (line ") {
        Some((before, line)) if line.trim_end_matches(')').bytes().all(|b| b.is_ascii_digit()) => before,
        _ => said,
    };
    (named && rule.len() <= 64).then_some((rule, said))
}

/// A structured error found in a failed build's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildError {
    /// Which reader understood it: `rustc`, `go`, `gcc`, `docker`, … or `generic`.
    pub tool: String,
    /// Place in the source, if the tool said one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The message in one line.
    pub message: String,
    /// The line it was read from.
    pub raw: String,
}

/// What is known about a failed build. `tail` is never empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BuildFailure {
    /// Structured errors, at most 15, most telling first. May be empty.
    pub errors: Vec<BuildError>,
    /// The Dockerfile line that failed, when BuildKit named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<Location>,
    /// BuildKit's own last word (`process "/bin/sh -c make" did not complete successfully: exit code: 2`).
    pub summary: String,
    /// Last lines of the failing step, or of everything. Never empty.
    pub tail: Vec<String>,
}
