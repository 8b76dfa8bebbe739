//! The last words of a run in the log: what failed and how to mend it, what was published, what was skipped, how long.
//!
//! Pure; drawn from the document, which must be redacted. Text from elsewhere is neutralised line by line.

use std::fmt::Write as _;

use super::proof;
use super::style::{Paint, inline, lines};
use crate::report::annotations;
use crate::report::document::convert;
use crate::report::document::{
    Build, BuildError, BuildFailure, Document, Failure, Location, OtherTag, Problem, PublishedTag, Status,
};
use crate::report::headline::{duration, fate, headline, is_broken, other_problems, told_of, untold_errors};
use crate::report::retention;
use crate::report::signed;

/// So many problems are shown; the document has all.
const PROBLEMS: usize = 30;
/// So many published references.
const REFERENCES: usize = 200;
/// Longer sentences are cut.
const SENTENCE: usize = 1000;

/// What the log ends with: annotations where the runner reads them, then [`render`].
pub fn last_words(document: &Document, color: bool) -> String {
    let mut out: String = annotations::lines(document).into_iter().map(|line| line + "\n").collect();
    out.push_str(&render(document, color));
    out
}

/// Everything: failures, notes, what was skipped, what was published, and the headline last, where people look.
pub fn render(document: &Document, color: bool) -> String {
    let paint = Paint(color);
    let mut out = render_failure(document, color);
    block(&mut out, paint, "Notes", document.notes.iter().map(note));
    block(&mut out, paint, "Skipped", skipped(document));
    block(&mut out, paint, "Published", published(document));
    block(&mut out, paint, "Other tags", other_tags(document));
    block(&mut out, paint, "Signatures", signed::sentence(document).map(|said| inline(&said, SENTENCE)));
    block(&mut out, paint, "Images", kept_here(document));
    block(&mut out, paint, "Old tags", old_tags(document));
    block(&mut out, paint, "Proof", proof::rows(document, paint));
    let sign = match document.status {
        Status::Success => paint.good("✓"),
        Status::Failure => paint.bad("✗"),
        Status::Cancelled => paint.warn("■"),
    };
    // The other headlines say how long it took.
    let took = format!(" ({})", duration(document.seconds));
    let took = if document.status == Status::Failure { paint.dim(&took) } else { String::new() };
    let _ = writeln!(out, "\n{sign} {}{took}", paint.bold(&inline(&headline(document), SENTENCE)));
    out
}

/// What failed: each problem with its place, the lines that show it and the cure; of builds the errors first, then always
/// the end of the output. Empty when nothing failed.
pub fn render_failure(document: &Document, color: bool) -> String {
    let paint = Paint(color);
    let mut out = String::new();
    let others = document.failure.iter().flat_map(|failure| other_problems(document, failure)).collect::<Vec<_>>();
    if !others.is_empty() {
        let title = if document.status == Status::Cancelled { "Cancelled" } else { "What went wrong" };
        let _ = writeln!(out, "\n{}", paint.bold(title));
        problems(&mut out, paint, &others);
    }
    for build in document.builds.iter().filter(|b| is_broken(b)) {
        broken(&mut out, paint, build, document.failure.as_ref());
    }
    out
}

/// What failed before there was a run to report on.
pub fn failure(failure: &crate::problem::Failure) -> String {
    let mut out = String::new();
    let failure = convert::failure(failure);
    problems(&mut out, Paint(false), &failure.problems.iter().collect::<Vec<_>>());
    out
}

fn problems(out: &mut String, paint: Paint, all: &[&Problem]) {
    for (i, found) in all.iter().take(PROBLEMS).enumerate() {
        if i > 0 {
            out.push('\n');
        }
        problem(out, paint, found);
    }
    if all.len() > PROBLEMS {
        let _ = writeln!(out, "\n  … and {} more", all.len() - PROBLEMS);
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

fn broken(out: &mut String, paint: Paint, build: &Build, told: Option<&Failure>) {
    let optional = if build.required { "" } else { " (optional)" };
    let title = paint.bold(&format!("Build {} failed{optional}", inline(&build.id, 100)));
    if let Some(failure) = build.failure.as_ref().filter(|failure| told != Some(failure)) {
        let _ = writeln!(out, "\n{title}");
        problems(out, paint, &failure.problems.iter().collect::<Vec<_>>());
    }
    if let Some(failure) = &build.build_failure {
        let _ = writeln!(out, "\n{title}");
        build_failure(out, paint, failure, told);
    }
}

fn build_failure(out: &mut String, paint: Paint, failure: &BuildFailure, told: Option<&Failure>) {
    let told = told_of(told, failure);
    for error in untold_errors(failure, &told) {
        let _ = writeln!(out, "  {}", error_line(paint, error));
    }
    if told.is_empty() {
        let at = failure.dockerfile.as_ref().map(|at| format!("{}: ", place(at))).unwrap_or_default();
        let _ = writeln!(out, "  {}{}", paint.bold(&at), inline(&failure.summary, SENTENCE));
    }
    problems(out, paint, &told.iter().collect::<Vec<_>>());
    let _ = writeln!(out, "\n  {}", paint.dim("The end of its output:"));
    for line in failure.tail.iter().flat_map(|text| lines(text)) {
        let _ = writeln!(out, "    | {}", inline(&line, 2000));
    }
}

fn error_line(paint: Paint, error: &BuildError) -> String {
    let at = error.location.as_ref().map(|at| format!("{}: ", place(at))).unwrap_or_default();
    let message = paint.bad(&inline(&error.message, SENTENCE));
    format!("{}{message} {}", paint.bold(&at), paint.dim(&format!("({})", inline(&error.tool, 40))))
}

pub(super) fn place(at: &Location) -> String {
    let number = |n: Option<u32>| n.map(|n| format!(":{n}")).unwrap_or_default();
    inline(&format!("{}{}{}", at.file, number(at.line), number(at.column)), 300)
}

fn note(note: &Problem) -> String {
    let hint = note.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    inline(&format!("{}{hint}", note.what), SENTENCE)
}

fn skipped(document: &Document) -> Vec<String> {
    let line = |kind: &str, id: &str, why: &str| inline(&format!("{kind} {id}: {why}"), SENTENCE);
    let mut all = Vec::new();
    for build in &document.builds {
        all.extend(build.why.iter().map(|why| line("build", &build.id, why)));
        let out = build.targets.iter().filter(|target| !target.included);
        all.extend(out.map(|target| line("target", &target.id, &target.why)));
    }
    all.extend(document.left_out.iter().map(|build| line("build", &build.id, &build.why)));
    all
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
