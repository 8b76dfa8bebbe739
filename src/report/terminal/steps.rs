//! The steps of builds that run now: their names, how long, what they move, and their output cut into lines.
//!
//! Bounded whatever a build does: so many steps, so much of an unfinished line.

use std::collections::BTreeMap;
use std::time::Duration;

use super::style::inline;
use crate::redact::{Redactor, Stream};

/// More steps than this never run at once; beyond it the oldest is forgotten.
const STEPS: usize = 512;
/// Transfers of one step that are counted.
const TRANSFERS: usize = 64;
/// Longer lines are broken.
const LINE: usize = 16 * 1024;

/// A running step.
#[derive(Debug)]
pub(super) struct Step {
    build: String,
    vertex: String,
    /// As BuildKit names it, harmless and not too long.
    pub(super) name: String,
    /// `[build 2/5]`.
    pub(super) short: String,
    /// When it was first heard of, since the drawing began.
    pub(super) since: Duration,
    /// Its name has been shown.
    pub(super) announced: bool,
    /// The beginning of the last line it printed, if somebody keeps it.
    pub(super) last: Vec<u8>,
    transfers: BTreeMap<String, (u64, u64)>,
    /// Standard output and standard error: their lines must not run into each other.
    pub(super) logs: [Lines; 2],
}

/// All running steps, in the order they began.
#[derive(Debug, Default)]
pub(super) struct Steps {
    running: Vec<Step>,
    first_build: Option<String>,
    /// More than one build has been heard of, so lines must say whose they are.
    pub(super) several_builds: bool,
}

impl Steps {
    pub(super) fn running(&self) -> &[Step] {
        &self.running
    }

    pub(super) fn running_mut(&mut self) -> &mut [Step] {
        &mut self.running
    }

    /// Notes that a build said something.
    pub(super) fn heard_of(&mut self, build: &str) {
        match &self.first_build {
            None => self.first_build = Some(build.to_owned()),
            Some(first) => self.several_builds |= first != build,
        }
    }

    /// The step, made if it is new. An empty name is one BuildKit has not told yet.
    pub(super) fn step(
        &mut self,
        build: &str,
        vertex: &str,
        name: &str,
        redactor: &Redactor,
        now: Duration,
    ) -> &mut Step {
        let at = self.running.iter().position(|s| s.vertex == vertex && s.build == build).unwrap_or_else(|| {
            if self.running.len() >= STEPS {
                self.running.remove(0);
            }
            self.running.push(Step::new(build, vertex, redactor, now));
            self.running.len() - 1
        });
        let step = &mut self.running[at];
        if !name.is_empty() && step.name.is_empty() {
            step.name = inline(name, 160);
            step.short = short(&step.name);
        }
        step
    }

    /// The step is over.
    pub(super) fn take(&mut self, build: &str, vertex: &str) -> Option<Step> {
        let at = self.running.iter().position(|s| s.vertex == vertex && s.build == build)?;
        Some(self.running.remove(at))
    }
}

impl Step {
    fn new(build: &str, vertex: &str, redactor: &Redactor, now: Duration) -> Self {
        Self {
            build: build.to_owned(),
            vertex: vertex.to_owned(),
            name: String::new(),
            short: "[build]".to_owned(),
            since: now,
            announced: false,
            last: Vec::new(),
            transfers: BTreeMap::new(),
            logs: [Lines::new(redactor), Lines::new(redactor)],
        }
    }

    /// `app [build 2/5]` where several builds run, else `[build 2/5]`.
    pub(super) fn prefix(&self, several_builds: bool) -> String {
        prefix(&self.build, several_builds, &self.short)
    }

    /// The same with the whole name.
    pub(super) fn title(&self, several_builds: bool) -> String {
        prefix(&self.build, several_builds, if self.name.is_empty() { &self.short } else { &self.name })
    }

    pub(super) fn transfer(&mut self, name: &str, current: u64, total: u64) {
        if let Some(entry) = self.transfers.get_mut(name) {
            *entry = (current, total);
        } else if self.transfers.len() < TRANSFERS {
            self.transfers.insert(name.to_owned(), (current, total));
        }
    }

    /// `12.4/80.0 MB` moved, if it moves anything worth telling.
    pub(super) fn moved(&self) -> Option<String> {
        let (current, total) =
            self.transfers.values().fold((0u64, 0u64), |(c, t), &(a, b)| (c.saturating_add(a), t.saturating_add(b)));
        let mb = |bytes: u64| bytes as f64 / 1e6;
        match (current, total) {
            (0..100_000, _) => None,
            (_, 0) => Some(format!("{:.1} MB", mb(current))),
            _ => Some(format!("{:.1}/{:.1} MB", mb(current), mb(total.max(current)))),
        }
    }
}

/// `several` says whether the id is needed.
pub(super) fn prefix(build: &str, several: bool, rest: &str) -> String {
    if several { format!("{} {rest}", inline(build, 40)) } else { rest.to_owned() }
}

/// The part in brackets of `[linux/arm64 build 2/5] RUN make`; else the beginning, in brackets.
fn short(name: &str) -> String {
    match name.find(']') {
        Some(end) if name.starts_with('[') && end < 60 => name[..=end].to_owned(),
        _ => format!("[{}]", inline(name, 24)),
    }
}

/// Does BuildKit's name speak of an instruction of a Dockerfile (`[build 2/5] RUN make`)?
pub(super) fn is_instruction(name: &str) -> bool {
    let Some((bracket, _)) = name.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return false };
    let last = bracket.rsplit(' ').next().unwrap_or_default();
    last.split_once('/')
        .is_some_and(|(n, m)| [n, m].iter().all(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit())))
}

/// Cuts output that comes in pieces into lines, with secrets masked even where a piece or an overlong line ends inside.
#[derive(Debug)]
pub(super) struct Lines {
    stream: Stream,
    clean: Vec<u8>,
    partial: Vec<u8>,
}

impl Lines {
    fn new(redactor: &Redactor) -> Self {
        Self { stream: redactor.stream(), clean: Vec::new(), partial: Vec::new() }
    }

    /// Takes a piece and gives the lines that are whole, without their ends.
    pub(super) fn push(&mut self, piece: &[u8], line: &mut impl FnMut(&[u8])) {
        if self.stream.is_idle() {
            split(&mut self.partial, piece, line);
            return;
        }
        self.clean.clear();
        self.stream.push(piece, &mut self.clean);
        split(&mut self.partial, &self.clean, line);
    }

    /// Gives what is left of an unfinished line.
    pub(super) fn finish(&mut self, line: &mut impl FnMut(&[u8])) {
        self.clean.clear();
        self.stream.finish(&mut self.clean);
        split(&mut self.partial, &self.clean, line);
        if !self.partial.is_empty() {
            line(&self.partial);
            self.partial.clear();
        }
    }
}

fn split(partial: &mut Vec<u8>, piece: &[u8], line: &mut impl FnMut(&[u8])) {
    for segment in piece.split_inclusive(|&b| b == b'\n') {
        let ended = segment.ends_with(b"\n");
        if ended && partial.is_empty() {
            broken(trim_end(segment), line);
            continue;
        }
        partial.extend_from_slice(segment);
        if ended || partial.len() >= LINE {
            broken(trim_end(partial), line);
            partial.clear();
        }
    }
}

/// A line, broken where it is too long.
fn broken(text: &[u8], line: &mut impl FnMut(&[u8])) {
    match text.len() {
        0..=LINE => line(text),
        _ => text.chunks(LINE).for_each(line),
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
