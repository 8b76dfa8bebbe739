//! `--progress=rawjson`: one BuildKit `SolveStatus` a line (moby/buildkit `client/graph.go`), other text between.
//!
//! A vertex is repeated in many messages: it is merged by digest and told again only when its state changes. Logs of
//! one step that arrive together leave together, so a chatty step costs one event a chunk and not one a line.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::lines::{Line, Lines};
use super::pending::PendingLog;
use super::{MAX_LOG_PIECE, MAX_VERTEXES, clip};
use crate::buildx::event::{Progress, Vertex, Warning};
use crate::problem::Location;

mod wire;

#[cfg(test)]
pub(in crate::buildx) mod tests;

/// Transfers remembered; beyond it they are told only when done.
const MAX_TRANSFERS: usize = 4096;

/// How much of a transfer's own time passes between two reports of it.
const TRANSFER_PERIOD: SignedDuration = SignedDuration::from_secs(1);

/// Streaming parser; see [`super::Parser`] for how to use it.
#[derive(Debug, Default)]
pub struct Parser {
    lines: Lines,
    state: State,
}

impl Parser {
    /// Reads the next bytes, cut anywhere. All log bytes that came whole have been told when this returns.
    pub fn push(&mut self, chunk: &[u8], out: &mut impl FnMut(Progress)) {
        let Self { lines, state } = self;
        lines.push(chunk, |line| state.read(&line, out));
        state.log.flush(out);
    }

    /// The stream is over: reads an unfinished last line.
    pub fn finish(&mut self, out: &mut impl FnMut(Progress)) {
        let Self { lines, state } = self;
        lines.finish(|line| state.read(&line, out));
        state.log.flush(out);
    }
}

/// What is remembered between lines.
#[derive(Debug, Default)]
struct State {
    vertexes: HashMap<String, Seen>,
    /// Digest under which a vertex that is only a part of another is told; see [`whole`].
    parts: HashMap<String, String>,
    /// Digest of the first strong vertex of each progress group.
    groups: HashMap<String, String>,
    transfers: HashMap<(String, String), Transfer>,
    log: PendingLog,
}

/// A vertex as last told.
#[derive(Debug, Default)]
struct Seen {
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
    phase: Phase,
    /// A part of it did real work: the whole is not cached.
    worked: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Phase {
    #[default]
    Waiting,
    Running,
    Done,
    Cached,
    Failed,
}

#[derive(Debug)]
enum Transfer {
    /// When it was last told, or first seen.
    Running(Timestamp),
    Done,
}

impl State {
    fn read(&mut self, line: &Line<'_>, out: &mut impl FnMut(Progress)) {
        let bytes = match line {
            Line::Whole(bytes) => bytes,
            Line::TooLong { bytes } => {
                self.log.flush(out);
                out(Progress::Trailer(format!("(a progress message of {bytes} bytes was too long to read)")));
                return;
            }
        };
        if bytes.first() == Some(&b'{') {
            if let Some(status) = wire::parse(bytes) {
                return self.status(&status, out);
            }
            let text = String::from_utf8_lossy(bytes);
            if let Cow::Owned(repaired) = &text
                && let Some(status) = wire::parse(repaired.as_bytes())
            {
                return self.status(&status, out);
            }
        }
        if !bytes.trim_ascii().is_empty() {
            self.log.flush(out);
            out(Progress::Trailer(clip(&String::from_utf8_lossy(bytes), MAX_LOG_PIECE)));
        }
    }

    /// A step that ends in the message that brings its output ends after it.
    fn status(&mut self, status: &wire::Status<'_>, out: &mut impl FnMut(Progress)) {
        let vertexes = status.vertexes.as_deref().unwrap_or_default();
        let logs = status.logs.as_deref().unwrap_or_default();
        self.group(vertexes);
        let ends_later = |v: &wire::Vertex<'_>| v.ended() && logs.iter().any(|log| log.vertex == v.digest);
        for vertex in vertexes {
            if ends_later(vertex) {
                self.vertex(&vertex.beginning(), out);
            } else {
                self.vertex(vertex, out);
            }
        }
        for log in logs {
            let whole = whole(&self.parts, &log.vertex);
            self.log.push_base64(whole, log.stream == 2, &log.data, out);
        }
        for transfer in status.statuses.iter().flatten() {
            self.transfer(transfer, out);
        }
        for vertex in vertexes.iter().filter(|v| ends_later(v)) {
            self.vertex(vertex, out);
        }
        for w in status.warnings.iter().flatten() {
            self.log.flush(out);
            out(Progress::Warning(warning(w)));
        }
    }

    /// `COPY --link` is two vertexes of one group, copying and merging. buildx shows a group as one step unless all of
    /// it is weak, and so do we: its parts are told under the digest of its first strong vertex.
    fn group(&mut self, vertexes: &[wire::Vertex<'_>]) {
        let grouped = || vertexes.iter().filter_map(|v| Some((v, v.group.as_ref()?)));
        for (vertex, group) in grouped().filter(|(_, group)| !group.weak) {
            if self.groups.len() < MAX_VERTEXES && !self.groups.contains_key(&*group.id) {
                self.groups.insert(group.id.to_string(), vertex.digest.to_string());
            }
        }
        for (vertex, group) in grouped() {
            if let Some(whole) = self.groups.get(&*group.id)
                && self.parts.len() < MAX_VERTEXES
                && !self.parts.contains_key(&*vertex.digest)
            {
                self.parts.insert(vertex.digest.to_string(), whole.clone());
            }
        }
    }

    fn vertex(&mut self, vertex: &wire::Vertex<'_>, out: &mut impl FnMut(Progress)) {
        let digest = clip(whole(&self.parts, &vertex.digest), 256);
        let mut forgotten = Seen::default();
        let known = self.vertexes.len() < MAX_VERTEXES || self.vertexes.contains_key(&digest);
        let seen = if known { self.vertexes.entry(digest.clone()).or_default() } else { &mut forgotten };

        let started = time(&vertex.started).or(seen.started);
        let mut completed = time(&vertex.completed);
        let mut phase = Phase::of(vertex);
        if phase == Phase::Done {
            // An end at a time nobody can read is still an end.
            completed = completed.or(started).or(Some(Timestamp::UNIX_EPOCH));
        }
        if vertex.group.is_some() {
            seen.worked |= phase == Phase::Done;
            if phase == Phase::Cached && seen.worked {
                phase = Phase::Done;
            }
        }
        let news = phase != seen.phase || (phase == Phase::Done && completed != seen.completed);
        if phase == Phase::Waiting || !news || (!known && phase == Phase::Running) {
            return;
        }
        (seen.started, seen.completed, seen.phase) = (started, completed, phase);
        self.log.flush(out);
        out(Progress::Vertex(Vertex {
            digest,
            name: clip(vertex.title(), 4096),
            started,
            completed,
            cached: phase == Phase::Cached,
            error: clip(&vertex.error, MAX_LOG_PIECE),
        }));
    }

    fn transfer(&mut self, status: &wire::VertexStatus<'_>, out: &mut impl FnMut(Progress)) {
        let done = !status.completed.is_empty();
        let now = time(&status.timestamp).unwrap_or_default();
        let key = (clip(whole(&self.parts, &status.vertex), 256), clip(&status.id, 512));
        let tell = match self.transfers.get_mut(&key) {
            Some(Transfer::Done) => false,
            Some(Transfer::Running(told)) if !done => {
                let due = now.duration_since(*told) >= TRANSFER_PERIOD;
                if due {
                    *told = now;
                }
                due
            }
            Some(running) => {
                *running = Transfer::Done;
                true
            }
            None => {
                if self.transfers.len() < MAX_TRANSFERS {
                    let state = if done { Transfer::Done } else { Transfer::Running(now) };
                    self.transfers.insert(key.clone(), state);
                }
                done
            }
        };
        if tell {
            self.log.flush(out);
            let (vertex, name) = key;
            let bytes = |n: i64| u64::try_from(n).unwrap_or(0);
            let (current, total) = (bytes(status.current), bytes(status.total));
            out(Progress::Transfer { vertex, name, current, total, done });
        }
    }
}

/// The digest under which a vertex is told: its own, unless it is a part of a group.
fn whole<'a>(parts: &'a HashMap<String, String>, digest: &'a str) -> &'a str {
    if parts.is_empty() { digest } else { parts.get(digest).map_or(digest, String::as_str) }
}

impl Phase {
    fn of(vertex: &wire::Vertex<'_>) -> Self {
        if !vertex.error.is_empty() {
            Self::Failed
        } else if vertex.cached {
            Self::Cached
        } else if !vertex.completed.is_empty() {
            Self::Done
        } else if !vertex.started.is_empty() {
            Self::Running
        } else {
            Self::Waiting
        }
    }
}

fn warning(w: &wire::Warning<'_>) -> Warning {
    let detail: Vec<String> = w.detail.iter().take(16).map(|d| text(d)).collect();
    let file = w.source.as_ref().map(|s| clip(&s.filename, 1024)).filter(|f| !f.is_empty());
    let line = w.range.iter().flatten().next().map(|r| r.start.line).filter(|&l| l > 0);
    Warning {
        message: text(&w.short),
        detail: detail.join("\n"),
        url: clip(&w.url, 1024),
        location: file.map(|file| Location { file, line, column: None }),
    }
}

/// Base64 text of a warning, bounded; text that is no base64 stays as it is.
fn text(base64: &str) -> String {
    let base64 = &base64[..base64.floor_char_boundary(8192)];
    match BASE64_STANDARD.decode(base64) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => base64.to_owned(),
    }
}

fn time(text: &str) -> Option<Timestamp> {
    if text.is_empty() { None } else { text.parse().ok() }
}
