//! The part of the summary a person with a red pipeline reads.

use super::super::document::{Build, BuildError, BuildFailure, Document, Failure, Location, Problem};
use super::super::escape::{code, fenced, prose};
use super::super::headline::{is_broken, other_problems, told_of, untold_errors};

/// So many problems of one failure are shown.
const PROBLEMS: usize = 30;

/// What failed: the run's own problems, then what each broken build left behind. Empty when nothing did.
pub(super) fn section(document: &Document) -> String {
    let mut out = String::new();
    let others = document.failure.iter().flat_map(|failure| other_problems(document, failure)).collect::<Vec<_>>();
    if !others.is_empty() {
        out.push_str("### What went wrong\n\n");
        out.push_str(&problems(&others));
    }
    for build in document.builds.iter().filter(|b| is_broken(b)) {
        out.push_str(&broken(build, document.failure.as_ref()));
    }
    out
}

/// `Dockerfile:8`, as code.
pub(super) fn place(at: &Location) -> String {
    let number = |n: Option<u32>| n.map(|n| format!(":{n}")).unwrap_or_default();
    code(&format!("{}{}{}", at.file, number(at.line), number(at.column)))
}

fn problems(all: &[&Problem]) -> String {
    let mut out: String = all.iter().take(PROBLEMS).map(|found| problem(found)).collect();
    if all.len() > PROBLEMS {
        out.push_str(&format!("… and {} more\n\n", all.len() - PROBLEMS));
    }
    out
}

fn problem(problem: &Problem) -> String {
    let at = problem.location.as_ref().map(|at| format!("**{}** ", place(at))).unwrap_or_default();
    let mut out = format!("{at}{}\n\n", prose(&problem.what));
    if let Some(snippet) = &problem.snippet {
        out.push_str(&fenced([snippet.as_str()]));
        out.push('\n');
    }
    if let Some(hint) = &problem.hint {
        out.push_str(&format!("💡 {}\n\n", prose(hint)));
    }
    out
}

fn broken(build: &Build, told: Option<&Failure>) -> String {
    let mut out = String::new();
    if let Some(failure) = build.failure.as_ref().filter(|failure| told != Some(failure)) {
        out.push_str(&title(build));
        out.push_str(&problems(&failure.problems.iter().collect::<Vec<_>>()));
    }
    if let Some(failure) = &build.build_failure {
        out.push_str(&title(build));
        out.push_str(&build_failure(failure, told));
    }
    out
}

fn title(build: &Build) -> String {
    let optional = if build.required { "" } else { " (optional)" };
    format!("### Build {} failed{optional}\n\n", code(&build.id))
}

fn build_failure(failure: &BuildFailure, told: Option<&Failure>) -> String {
    let told = told_of(told, failure);
    let mut out: String = untold_errors(failure, &told).map(error_line).collect();
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&problems(&told.iter().collect::<Vec<_>>()));
    if told.is_empty() {
        let at = failure.dockerfile.as_ref().map(|at| format!("**{}** ", place(at))).unwrap_or_default();
        out.push_str(&format!("{at}{}\n\n", prose(&failure.summary)));
    }
    out.push_str("The end of its output:\n\n");
    out.push_str(&fenced(failure.tail.iter().map(String::as_str)));
    out.push('\n');
    out
}

fn error_line(error: &BuildError) -> String {
    let at = error.location.as_ref().map(|at| format!("{} ", place(at))).unwrap_or_default();
    format!("- {at}{} ({})\n", prose(&error.message), prose(&error.tool))
}
