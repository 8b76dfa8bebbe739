//! Calm lines for CI logs and pipes: a section for each stage, a line for each finished step, the output of steps under
//! their short name, and a sign of life when nothing else is said.

use std::time::Duration;

use super::Moment;
use super::bases::{Bases, is_base};
use super::steps::{Step, Steps, is_instruction, prefix};
use super::style::{Paint, inline, lines};
use crate::buildx::event::{Progress, Vertex, Warning};
use crate::event::Event;
use crate::problem::Failure;
use crate::redact::Redactor;
use crate::report::headline::duration;
use crate::runner::commands::StopToken;
use crate::runner::{Dialect, neutralise};

/// After so long without a line something is said: some runners end jobs that are silent for ten minutes, and people wonder
/// earlier.
const SILENCE: Duration = Duration::from_secs(30);
/// Steps that make no layer are only worth a line if they took this long.
const SLOW: Duration = Duration::from_secs(1);

/// The state of the log.
#[derive(Debug)]
pub(super) struct Plain {
    dialect: Dialect,
    paint: Paint,
    verbose: bool,
    /// The output of steps is shown.
    show_logs: bool,
    pub(super) steps: Steps,
    /// Open sections, oldest first: id, title, since.
    pub(super) sections: Vec<(String, String, Duration)>,
    /// The one whose marker stands in the log: sections do not nest there.
    marked: Option<String>,
    /// The runner obeys nothing until this is said: text of others stands in the log.
    hushed: Option<StopToken>,
    bases: Bases,
    last_line: Duration,
}

impl Plain {
    pub(super) fn new(dialect: Dialect, paint: Paint, verbose: bool) -> Self {
        Self {
            dialect,
            paint,
            verbose,
            show_logs: true,
            steps: Steps::default(),
            sections: Vec::new(),
            marked: None,
            hushed: None,
            bases: Bases::default(),
            last_line: Duration::ZERO,
        }
    }

    /// For a terminal: no markers, and the output of steps only if asked for.
    pub(super) fn for_terminal(paint: Paint, verbose: bool) -> Self {
        Self { show_logs: verbose, ..Self::new(Dialect::Plain, paint, verbose) }
    }

    pub(super) fn event(&mut self, event: Event, redactor: &Redactor, now: Moment, out: &mut Vec<u8>) {
        let before = out.len();
        match event {
            Event::SectionStart { id, title } => self.section_start(id, title, now, out),
            Event::SectionEnd { id, result, took } => self.section_end(&id, &result, took, now, out),
            // Plans quote labels, branch names and commit messages.
            Event::Info(text) => {
                self.text(&text, |line| line.to_owned(), out);
                self.hush(before, out);
            }
            Event::Warning(text) => {
                let paint = self.paint;
                self.text(&format!("warning: {text}"), |line| paint.warn(line), out);
                self.hush(before, out);
            }
            Event::Debug(text) if self.verbose => {
                let paint = self.paint;
                self.text(&text, |line| paint.dim(line), out);
                self.hush(before, out);
            }
            Event::Debug(_) => {}
            Event::Build { build, progress } => {
                self.progress(&build, progress, redactor, now, out);
                self.hush(before, out);
            }
        }
        if out.len() > before {
            self.last_line = now.elapsed;
        }
    }

    /// Time passed: says something if nobody has for long.
    pub(super) fn tick(&mut self, now: Moment, out: &mut Vec<u8>) {
        if now.elapsed.saturating_sub(self.last_line) < SILENCE {
            return;
        }
        let before = out.len();
        self.flush_logs(out);
        let several = self.steps.several_builds;
        let alive = |title: &str, since: Duration, moved: Option<String>| {
            let moved = moved.map(|m| format!(", {m}")).unwrap_or_default();
            format!("  {title} … still running, {}{moved}", elapsed(now, since))
        };
        let running = self.steps.running();
        for step in running.iter().take(3) {
            say(out, &self.paint.dim(&alive(&step.title(several), step.since, step.moved())));
        }
        if running.len() > 3 {
            say(out, &self.paint.dim(&format!("  … and {} more steps", running.len() - 3)));
        }
        if running.is_empty() {
            for (_, title, since) in self.sections.iter().take(3) {
                say(out, &self.paint.dim(&alive(title, *since, None)));
            }
        }
        if out.len() > before {
            self.last_line = now.elapsed;
            self.hush(before, out);
        }
    }

    /// Ends what is open, so that what follows stands outside every section, and is obeyed again.
    pub(super) fn close(&mut self, now: Moment, out: &mut Vec<u8>) {
        let before = out.len();
        self.flush_logs(out);
        self.say_bases(None, out);
        self.hush(before, out);
        self.unmark(now, out);
        self.heed(out);
        self.sections.clear();
    }

    /// What was just written, from there on, and all that follows is text of others: the runner is told to obey nothing in it.
    /// Each stretch has a token of its own, made when the text is there already, so nothing in it can name it. Lines are
    /// neutralised all the same: log viewers read commands of their own (`##[group]`) whatever the runner was told, and a
    /// build with a way to the log could read the token there.
    fn hush(&mut self, from: usize, out: &mut Vec<u8>) {
        if self.dialect == Dialect::Actions && self.hushed.is_none() && out.len() > from {
            let token = StopToken::random();
            out.splice(from..from, format!("{}\n", token.stop()).into_bytes());
            self.hushed = Some(token);
        }
    }

    /// A command of ours follows.
    fn heed(&mut self, out: &mut Vec<u8>) {
        if let Some(token) = self.hushed.take() {
            say(out, &token.resume());
        }
    }

    fn section_start(&mut self, id: String, title: String, now: Moment, out: &mut Vec<u8>) {
        let title = inline(&title, 120);
        if self.marked.is_none() {
            self.mark(&id, &title, now, out);
        } else {
            say(out, &format!("  {}", self.paint.bold(&title)));
        }
        self.sections.push((id, title, now.elapsed));
    }

    fn section_end(
        &mut self,
        id: &str,
        result: &Result<String, Failure>,
        took: Duration,
        now: Moment,
        out: &mut Vec<u8>,
    ) {
        let title = match self.sections.iter().position(|(open, ..)| open == id) {
            Some(at) => self.sections.remove(at).1,
            None => inline(id, 120),
        };
        let before = out.len();
        self.say_bases(None, out);
        self.hush(before, out);
        let was_marked = self.marked.as_deref() == Some(id);
        if was_marked {
            self.unmark(now, out);
        }
        let took = self.paint.dim(&format!("({})", duration(took.as_secs_f64())));
        let line = match result {
            Ok(said) if said.is_empty() => format!("{} {title} {took}", self.paint.good("✓")),
            Ok(said) => format!("{} {title}: {} {took}", self.paint.good("✓"), inline(said, 300)),
            Err(failure) => {
                let why = failure.problems.first().map_or("", |p| p.what.as_str());
                format!("{} {title}: {} {took}", self.paint.bad("✗"), inline(why, 300))
            }
        };
        let before = out.len();
        say(out, &line);
        if result.is_err() {
            self.hush(before, out);
        }
        // What still runs goes on in a section of its own.
        if let (true, Some((id, title, _))) = (was_marked, self.sections.first().cloned()) {
            self.mark(&id, &title, now, out);
        }
    }

    fn mark(&mut self, id: &str, title: &str, now: Moment, out: &mut Vec<u8>) {
        self.heed(out);
        let line = self.dialect.section_start(id, title, now.wall, true);
        say(out, &if self.dialect == Dialect::Plain { self.paint.bold(&line) } else { line });
        self.marked = Some(id.to_owned());
    }

    fn unmark(&mut self, now: Moment, out: &mut Vec<u8>) {
        if let Some(id) = self.marked.take()
            && let Some(line) = self.dialect.section_end(&id, now.wall)
        {
            self.heed(out);
            say(out, &line);
        }
    }

    fn text(&self, text: &str, paint: impl Fn(&str) -> String, out: &mut Vec<u8>) {
        let indent = if self.sections.is_empty() { "" } else { "  " };
        for line in lines(text) {
            let indent = if line.is_empty() { "" } else { indent };
            say(out, &format!("{indent}{}", paint(&line)));
        }
    }

    fn progress(&mut self, build: &str, progress: Progress, redactor: &Redactor, now: Moment, out: &mut Vec<u8>) {
        self.steps.heard_of(build);
        match progress {
            Progress::Vertex(vertex) => self.vertex(build, &vertex, redactor, now, out),
            Progress::Log { vertex, stderr, data } => {
                self.say_bases(Some(build), out);
                let several = self.steps.several_builds;
                let step = self.steps.step(build, &vertex, "", redactor, now.elapsed);
                if self.show_logs {
                    log(step, usize::from(stderr), &data, several, out);
                } else {
                    keep_last(step, usize::from(stderr), &data);
                }
            }
            Progress::Transfer { vertex, name, current, total, done: _ } => {
                self.steps.step(build, &vertex, "", redactor, now.elapsed).transfer(&name, current, total);
            }
            Progress::Warning(warning) => self.warning(build, &warning, out),
            Progress::Trailer(line) if self.verbose => {
                let line = prefix(build, self.steps.several_builds, &inline(&line, 2000));
                say(out, &format!("  {}", self.paint.dim(&line)));
            }
            // The closing block shows the same, in order.
            Progress::Trailer(_) => {}
        }
    }

    fn vertex(&mut self, build: &str, vertex: &Vertex, redactor: &Redactor, now: Moment, out: &mut Vec<u8>) {
        let over = vertex.completed.is_some() || vertex.cached || !vertex.error.is_empty();
        if !over {
            self.steps.step(build, &vertex.digest, &vertex.name, redactor, now.elapsed);
            return;
        }
        // Made even if it never ran, for its names.
        self.steps.step(build, &vertex.digest, &vertex.name, redactor, now.elapsed);
        let Some(mut step) = self.steps.take(build, &vertex.digest) else { return };
        let several = self.steps.several_builds;
        if self.show_logs {
            flush(&mut step, several, out);
        }
        let took = match (vertex.started, vertex.completed) {
            (Some(from), Some(to)) => Duration::try_from(to.duration_since(from)).unwrap_or_default(),
            _ => now.elapsed.saturating_sub(step.since),
        };
        if is_base(&step.name) && vertex.error.is_empty() {
            self.bases.ended(build, &vertex.digest, step.title(several), took, vertex.cached);
            return;
        }
        if is_instruction(&step.name) {
            self.say_bases(Some(build), out);
        }
        let worth_it = self.verbose || is_instruction(&step.name) || (took >= SLOW && !vertex.cached);
        let end = if vertex.error.contains("context canceled") {
            self.paint.dim("cancelled")
        } else if !vertex.error.is_empty() {
            self.paint.bad(&format!("failed after {}: {}", duration(took.as_secs_f64()), inline(&vertex.error, 200)))
        } else if !worth_it {
            return;
        } else if vertex.cached {
            self.paint.dim("cached")
        } else {
            self.paint.dim(&duration(took.as_secs_f64()))
        };
        say(out, &format!("  {} … {end}", step.title(several)));
    }

    /// Says what is built on, before what is built on it.
    fn say_bases(&mut self, build: Option<&str>, out: &mut Vec<u8>) {
        for (title, took, cached) in self.bases.due(build) {
            let end = if cached { "cached".to_owned() } else { duration(took.as_secs_f64()) };
            say(out, &format!("  {title} … {}", self.paint.dim(&end)));
        }
    }

    fn warning(&self, build: &str, warning: &Warning, out: &mut Vec<u8>) {
        let place = warning.location.as_ref().map(|at| {
            let line = at.line.map(|n| format!(":{n}")).unwrap_or_default();
            format!("{}{line}: ", at.file)
        });
        let more = if warning.url.is_empty() { String::new() } else { format!(" ({})", warning.url) };
        let text = format!("warning: {}{}{more}", place.unwrap_or_default(), warning.message);
        let text = prefix(build, self.steps.several_builds, &inline(&text, 500));
        say(out, &format!("  {}", self.paint.warn(&text)));
    }

    fn flush_logs(&mut self, out: &mut Vec<u8>) {
        if self.show_logs {
            let several = self.steps.several_builds;
            self.steps.running_mut().iter_mut().for_each(|step| flush(step, several, out));
        }
    }
}

/// Output of a step, line by line under its short name. The hot path of a long build.
fn log(step: &mut Step, stream: usize, data: &[u8], several_builds: bool, out: &mut Vec<u8>) {
    announce(step, several_builds, out);
    let prefix = format!("  {} | ", step.prefix(several_builds));
    step.logs[stream].push(data, &mut |line| log_line(&prefix, line, out));
}

/// What is left of unfinished lines.
fn flush(step: &mut Step, several_builds: bool, out: &mut Vec<u8>) {
    let prefix = format!("  {} | ", step.prefix(several_builds));
    for stream in &mut step.logs {
        stream.finish(&mut |line| log_line(&prefix, line, out));
    }
}

fn log_line(prefix: &str, line: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(&neutralise(line));
    out.push(b'\n');
}

/// The whole name, once, before the first line of output.
fn announce(step: &mut Step, several_builds: bool, out: &mut Vec<u8>) {
    if !std::mem::replace(&mut step.announced, true) && !step.name.is_empty() {
        say(out, &format!("  {}", step.title(several_builds)));
    }
}

/// Only the last line, for the live area.
fn keep_last(step: &mut Step, stream: usize, data: &[u8]) {
    let Step { logs, last, .. } = step;
    logs[stream].push(data, &mut |line| {
        if !line.trim_ascii().is_empty() {
            last.clear();
            last.extend_from_slice(&line[..line.len().min(400)]);
        }
    });
}

pub(super) fn elapsed(now: Moment, since: Duration) -> String {
    duration(now.elapsed.saturating_sub(since).as_secs_f64())
}

fn say(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}
