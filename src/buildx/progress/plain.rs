//! `--progress=plain`: what buildx older than 0.15 can tell, and the text people have in their old logs.
//!
//! `#5 [build 2/4] RUN make` names a step; `#5 0.123 text` is its output; `CACHED`, `DONE 1.2s`, `ERROR: …` and
//! `CANCELED` end it. What has no `#` is a trailer. The vertex's id is `#5`; times count from 1970, for plain text
//! knows durations only.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::clean::clean;
use super::layers::Timeline;
use super::lines::{Line, Lines};
use super::pending::PendingLog;
use super::{MAX_LOG_PIECE, MAX_VERTEXES, clip};
use crate::buildx::event::{Layer, Progress, Vertex, Warning};

#[cfg(test)]
mod tests;

/// Finished layer-making steps of a captured log, in order. The seed's `ParseBuildxOutput`.
pub fn parse_buildx_output(text: &str) -> Vec<Layer> {
    let mut timeline = Timeline::default();
    let mut parser = Parser::default();
    let mut keep = |progress: Progress| timeline.push(&progress);
    parser.push(text.as_bytes(), &mut keep);
    parser.finish(&mut keep);
    timeline.layers()
}

/// Streaming parser; see [`super::Parser`] for how to use it.
#[derive(Debug, Default)]
pub struct Parser {
    lines: Lines,
    state: State,
}

impl Parser {
    /// Reads the next bytes, cut anywhere. All output that came in whole lines has been told when this returns.
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

#[derive(Debug, Default)]
struct State {
    names: HashMap<u32, String>,
    log: PendingLog,
}

impl State {
    fn read(&mut self, line: &Line<'_>, out: &mut impl FnMut(Progress)) {
        let text = match line {
            Line::Whole(bytes) => String::from_utf8_lossy(bytes),
            Line::TooLong { bytes } => format!("(a line of {bytes} bytes was too long to read)").into(),
        };
        let event = match numbered(&text) {
            // `#0` is buildx speaking about itself.
            Some((0, _)) => return,
            Some((number, rest)) => match (self.names.get(&number), logged(rest)) {
                (Some(_), Some(output)) => {
                    return self.log.push_line(&format!("#{number}"), output.as_bytes(), out);
                }
                (Some(name), None) => step(format!("#{number}"), name, rest),
                (None, _) => self.begin(number, rest),
            },
            None if text.trim().is_empty() => return,
            None => Some(Progress::Trailer(clip(&text, MAX_LOG_PIECE))),
        };
        if let Some(event) = event {
            self.log.flush(out);
            out(event);
        }
    }

    fn begin(&mut self, number: u32, name: &str) -> Option<Progress> {
        if self.names.len() == MAX_VERTEXES {
            return None;
        }
        let name = clip(&clean(name.as_bytes()), 4096);
        self.names.insert(number, name.clone());
        Some(Progress::Vertex(vertex(format!("#{number}"), name, Ending::Running)))
    }
}

/// `#12 rest`.
fn numbered(line: &str) -> Option<(u32, &str)> {
    let text = line.strip_prefix('#')?;
    let (number, rest) = text.split_once(' ').unwrap_or((text, ""));
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| number.parse().ok()).flatten().map(|n| (n, rest))
}

/// What a line says about a step that is known, and that is not its output.
fn step(id: String, name: &str, rest: &str) -> Option<Progress> {
    // The name is printed again when buildx comes back to a step it had left with `...`.
    if rest == "..." || rest.strip_suffix(" (resume)").unwrap_or(rest) == name {
        None
    } else if let Some(message) = rest.strip_prefix("WARN: ") {
        Some(Progress::Warning(warning(message)))
    } else if let Some(ending) = Ending::read(rest) {
        Some(Progress::Vertex(vertex(id, name.to_owned(), ending)))
    } else {
        transfer(id, rest)
    }
}

/// `12.345 text`: seconds with decimals, then a line of output.
fn logged(rest: &str) -> Option<&str> {
    let (seconds, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let (whole, part) = seconds.split_once('.')?;
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(part)).then_some(text)
}

enum Ending<'a> {
    Running,
    Cached,
    Done(Option<f64>),
    Failed(&'a str),
}

impl<'a> Ending<'a> {
    fn read(rest: &'a str) -> Option<Self> {
        match rest.split_once(' ').unwrap_or((rest, "")) {
            ("CACHED", "") => Some(Self::Cached),
            ("DONE", "") => Some(Self::Done(None)),
            ("DONE", took) => seconds(took).map(|s| Self::Done(Some(s))),
            ("ERROR:", why) => Some(Self::Failed(why)),
            ("CANCELED", "") => Some(Self::Failed("context canceled")),
            _ => None,
        }
    }
}

/// `1.2s`.
fn seconds(text: &str) -> Option<f64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (0.0..1e9).contains(&seconds).then_some(seconds)
}

fn vertex(digest: String, name: String, ending: Ending<'_>) -> Vertex {
    let epoch = Timestamp::UNIX_EPOCH;
    let after = |seconds: f64| epoch.checked_add(SignedDuration::from_secs_f64(seconds)).ok();
    let (completed, cached, error) = match ending {
        Ending::Running => (None, false, String::new()),
        Ending::Cached => (Some(epoch), true, String::new()),
        Ending::Done(took) => (after(took.unwrap_or(0.0)), false, String::new()),
        Ending::Failed(why) => (Some(epoch), false, clip(why, MAX_LOG_PIECE)),
    };
    Vertex { digest, name, started: Some(epoch), completed, cached, error }
}

/// `MaintainerDeprecated: Maintainer instruction is … (line 3)`. The place stays in words: plain text does not say
/// which file it means.
fn warning(message: &str) -> Warning {
    Warning {
        message: clip(&clean(message.as_bytes()), 8192),
        detail: String::new(),
        url: String::new(),
        location: None,
    }
}

/// `sha256:… 1.05MB / 2.30MB 0.3s done`, `transferring context: 30B done`, `exporting layers 0.1s done`.
fn transfer(vertex: String, rest: &str) -> Option<Progress> {
    // Only the end is told: the many steps before it are for a terminal.
    let rest = rest.strip_suffix(" done")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let words = match words.as_slice() {
        [words @ .., took] if seconds(took).is_some() => words,
        words => words,
    };
    let (name, current, total) = match words {
        [name @ .., current, "/", total] if size(current).is_some() => (name, size(current), size(total)),
        [name @ .., current] if size(current).is_some() => (name, size(current), None),
        name => (name, None, None),
    };
    let (current, total) = (current.unwrap_or(0), total.unwrap_or(0));
    Some(Progress::Transfer { vertex, name: clip(&name.join(" "), 512), current, total, done: true })
}

/// `1.05MB`, `30B`, `12.3kB`: decimal units, as buildx prints them.
fn size(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[number.len()..] {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok().filter(|n| (0.0..1e6).contains(n))? * factor;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be between 0 and 1e18")]
    Some(bytes.round() as u64)
}
