//! BuildKit's progress as typed events: bytes of buildx's stderr in, [`Progress`] out, and a bounded memory of it.
//!
//! Everything read here is hostile: lines of any length, bytes that are no text, numbers that lie. Parsers keep a
//! bounded state, never fail and never panic. This room starts no process, reads no clock and draws nothing.

pub mod clean;
pub mod layers;
mod lines;
mod name;
mod pending;
pub mod plain;
pub mod rawjson;
pub mod tail;

use crate::buildx::event::Progress;

/// How buildx was told to print progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `--progress=rawjson`.
    RawJson,
    /// `--progress=plain`.
    Plain,
}

impl Format {
    /// The best format a buildx knows: `rawjson` came with 0.15.
    pub fn of_buildx(version: &semver::Version) -> Self {
        if (version.major, version.minor) >= (0, 15) { Self::RawJson } else { Self::Plain }
    }

    /// The value of `--progress`.
    pub fn flag(self) -> &'static str {
        match self {
            Self::RawJson => "rawjson",
            Self::Plain => "plain",
        }
    }
}

/// A parser of either format: push bytes as they come, then [`finish`](Self::finish).
#[derive(Debug)]
pub enum Parser {
    /// `--progress=rawjson`.
    RawJson(Box<rawjson::Parser>),
    /// `--progress=plain`.
    Plain(Box<plain::Parser>),
}

impl Parser {
    /// A parser that has seen nothing.
    pub fn new(format: Format) -> Self {
        match format {
            Format::RawJson => Self::RawJson(Box::default()),
            Format::Plain => Self::Plain(Box::default()),
        }
    }

    /// Reads the next bytes, cut anywhere.
    pub fn push(&mut self, chunk: &[u8], out: &mut impl FnMut(Progress)) {
        match self {
            Self::RawJson(parser) => parser.push(chunk, out),
            Self::Plain(parser) => parser.push(chunk, out),
        }
    }

    /// The stream is over: reads an unfinished last line.
    pub fn finish(&mut self, out: &mut impl FnMut(Progress)) {
        match self {
            Self::RawJson(parser) => parser.finish(out),
            Self::Plain(parser) => parser.finish(out),
        }
    }
}

/// Largest piece of a [`Progress::Log`], in bytes.
pub const MAX_LOG_PIECE: usize = 64 * 1024;

/// Longest line that is read; BuildKit's own messages end at 16 MiB.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// Vertexes whose state is remembered. Beyond it a build still works; its further steps are only reported when done.
pub(crate) const MAX_VERTEXES: usize = 4096;

/// The beginning of a text, at most so many bytes.
pub(crate) fn clip(s: &str, max_bytes: usize) -> String {
    s[..s.floor_char_boundary(max_bytes)].to_owned()
}
