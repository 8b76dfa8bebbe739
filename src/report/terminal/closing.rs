//! The last words of a run in the log: what failed and how to mend it, what was published, what was skipped, how long.
//!
//! Pure; drawn from the document, which must be redacted. Text from elsewhere is neutralised line by line.

use std::fmt::Write as _;

use super::proof;
use super::style::{Paint, inline, lines};
use crate::report::annotations;
use crate::report::document::convert;
use crate::report::document::{BuildError, Document, Location, OtherTag, Problem, PublishedTag, Status};
use crate::report::failure::{Part, parts};
use crate::report::headline::{duration, fate, headline};
use crate::report::legs;
use crate::report::retention;
use crate::report::signed;
use crate::report::skipped::{self, Skipped};
use crate::report::verdict::level;
use crate::runner::commands::StopToken;

/// So many published references.
const REFERENCES: usize = 200;
/// Longer sentences are cut.
const SENTENCE: usize = 1000;

/// What the log ends with: annotations where the runner reads them, then [`render`], in whose details it obeys nothing.
/// `pinned`: the remarks stand on their lines already.
pub fn last_words(document: &Document, pinned: bool, color: bool) -> String {
    let mut out: String = annotations::lines(document, pinned).into_iter().map(|line| line + "\n").collect();
    let details = details(document, color);
    if annotations::are_read(document) && !details.is_empty() {
        let token = StopToken::random();
        out.push_str(&format!("{}\n{details}{}\n", token.stop(), token.resume()));
    } else {
        out.push_str(&details);
    }
    out.push_str(&last_line(document, color));
    out
}

/// Everything: failures, notes, what was skipped, what was published, and the headline last, where people look.
pub fn render(document: &Document, color: bool) -> String {
    details(document, color) + &last_line(document, color)
}

fn details(document: &Document, color: bool) -> String {
    let paint = Paint(color);
    let mut out = render_failure(document, color);
    block(&mut out, paint, "Notes", document.notes.iter().map(note));
    block(&mut out, paint, "Skipped", skipped(document));
    block(&mut out, paint, "Published", published(document));
    block(&mut out, paint, "Other tags", other_tags(document));
    block(&mut out, paint, "Signatures", signed::sentence(document).map(|said| inline(&said, SENTENCE)));
    block(&mut out, paint, "Legs", legs(document));
    block(&mut out, paint, "Images", kept_here(document));
    block(&mut out, paint, "Old tags", old_tags(document));
    block(&mut out, paint, "Proof", proof::rows(document, paint));
    out
}

fn last_line(document: &Document, color: bool) -> String {
    let paint = Paint(color);
    let sign = match document.status {
        Status::Success => paint.good("✓"),
        Status::Failure => paint.bad("✗"),
        Status::Cancelled => paint.warn("■"),
    };
    // The other headlines say how long it took.
    let took = format!(" ({})", duration(document.seconds));
    let took = if document.status == Status::Failure { paint.dim(&took) } else { String::new() };
    format!("\n{sign} {}{took}\n", paint.bold(&inline(&headline(document), SENTENCE)))
}

/// What failed: each problem with its place, the lines that show it and the cure; of builds the errors first, then always
/// the end of the output. Empty when nothing failed.
pub fn render_failure(document: &Document, color: bool) -> String {
    let paint = Paint(color);
    let mut out = String::new();
    for part in parts(document) {
        let title = match part.build {
            None if document.status == Status::Cancelled => "Cancelled".to_owned(),
            _ => inline(&part.title().replace('`', ""), SENTENCE),
        };
        let _ = writeln!(out, "\n{}", paint.bold(&title));
        body(&mut out, paint, &part);
    }
    out
}

/// What failed before there was a run to report on.
pub fn failure(failure: &crate::problem::Failure) -> String {
    let mut out = String::new();
    body(&mut out, Paint(false), &Part::of(None, convert::failure(failure).problems));
    out
}

fn body(out: &mut String, paint: Paint, part: &Part<'_>) {
    for error in &part.errors {
        let _ = writeln!(out, "  {}", error_line(paint, error));
    }
    if let Some((at, said)) = part.summary {
        let at = at.map(|at| format!("{}: ", place(at))).unwrap_or_default();
        let _ = writeln!(out, "  {}{}", paint.bold(&at), inline(said, SENTENCE));
    }
    for (i, found) in part.problems.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        problem(out, paint, found);
    }
    if part.more > 0 {
        let _ = writeln!(out, "\n  … and {} more", part.more);
    }
    if let Some(tail) = part.tail {
        let _ = writeln!(out, "\n  {}", paint.dim("The end of its output:"));
        for line in tail.iter().flat_map(|text| lines(text)) {
            let _ = writeln!(out, "    | {}", inline(&line, 2000));
        }
    }
}

fn problem(out: &mut String, paint: Paint, problem: &Problem) {
    let at = problem.location.as_ref().map(|at| format!("{}: ", place(at))).unwrap_or_default();
    let _ = writeln!(out, "  {}{}", paint.bold(&at), paint.bad(&inline(&problem.what, SENTENCE)));
    for line in problem.snippet.iter().flat_map(|s| lines(s)).take(60) {
        let _ = writeln!(out, "    {}", inline(&line, 500));
    }
    if let Some(hint) = &problem.hint {
        for (i, line) in lines(hint).enumerate() {
            let arrow = if i == 0 { "→" } else { " " };
            let _ = writeln!(out, "  {} {}", paint.good(arrow), inline(&line, SENTENCE));
        }
    }
}

fn error_line(paint: Paint, error: &BuildError) -> String {
    let at = error.location.as_ref().map(|at| format!("{}: ", place(at))).unwrap_or_default();
    let message = paint.bad(&inline(&error.message, SENTENCE));
    format!("{}{message} {}", paint.bold(&at), paint.dim(&format!("({})", inline(&error.tool, 40))))
}

pub(super) fn place(at: &Location) -> String {
    inline(&at.to_string(), 300)
}

fn note(note: &Problem) -> String {
    let hint = note.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    inline(&format!("{}{hint}", note.what), SENTENCE)
}

fn skipped(document: &Document) -> impl Iterator<Item = String> {
    let line = |out: Skipped<'_>| inline(&format!("{} {}: {}", out.kind, out.id, out.why), SENTENCE);
    skipped::all(document).into_iter().map(line)
}

/// References, and their digest once below those that share it.
fn published(document: &Document) -> Vec<String> {
    let tags: Vec<&PublishedTag> = document.builds.iter().flat_map(|b| &b.published).collect();
    let mut all = Vec::new();
    for (i, tag) in tags.iter().take(REFERENCES).enumerate() {
        all.push(inline(&tag.reference, 500));
        if tags.get(i + 1).is_none_or(|next| next.digest != tag.digest) {
            all.push(format!("  {}", inline(&tag.digest, 100)));
        }
    }
    if tags.len() > REFERENCES {
        all.push(format!("… and {} more", tags.len() - REFERENCES));
    }
    all
}

/// Tags that do not name the image, and why.
fn other_tags(document: &Document) -> Vec<String> {
    let tags: Vec<&OtherTag> = document.builds.iter().flat_map(|b| &b.others).collect();
    let mut all = Vec::new();
    for tag in tags.iter().take(REFERENCES) {
        all.push(inline(&format!("{}: {}", tag.reference, fate(tag)), SENTENCE));
        all.extend(tag.hint.iter().map(|hint| inline(&format!("  hint: {hint}"), SENTENCE)));
    }
    if tags.len() > REFERENCES {
        all.push(format!("… and {} more", tags.len() - REFERENCES));
    }
    all
}

/// The platforms with the jobs that built them; or what this job leaves for the one that merges.
fn legs(document: &Document) -> Vec<String> {
    let merged = legs::merged(document).map(|(build, leg)| {
        let trust = leg.trust.map(|trust| format!(", {}", level(trust))).unwrap_or_default();
        let job = leg.job.as_ref().map(|job| format!(", by {job}")).unwrap_or_default();
        let said = format!("{} {}: {} in {}{trust}{job}", build.id, leg.platform, leg.digest, duration(leg.seconds));
        inline(&said, SENTENCE)
    });
    let written = legs::written(document).map(|(build, file)| {
        let digest = build.digest.as_deref().unwrap_or_default();
        inline(&format!("{}: {file} for {digest}", build.id), SENTENCE)
    });
    merged.chain(written).take(REFERENCES).collect()
}

fn old_tags(document: &Document) -> Vec<String> {
    retention::sentences(document).map(|(at, said)| inline(&format!("{at}: {said}"), SENTENCE)).collect()
}

fn kept_here(document: &Document) -> Vec<String> {
    let mut all = Vec::new();
    for build in &document.builds {
        all.extend(build.loaded.iter().map(|name| inline(&format!("in the engine: {name}"), 500)));
        all.extend(build.layout.iter().map(|dir| inline(&format!("OCI layout: {dir}"), 500)));
        if !build.loaded.is_empty() || build.layout.is_some() {
            all.extend(build.digest.iter().map(|digest| format!("  {}", inline(digest, 100))));
        }
    }
    all
}

fn block(out: &mut String, paint: Paint, title: &str, rows: impl IntoIterator<Item = String>) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_some() {
        let _ = writeln!(out, "\n{}", paint.bold(title));
        rows.for_each(|row| {
            let _ = writeln!(out, "  {row}");
        });
    }
}
