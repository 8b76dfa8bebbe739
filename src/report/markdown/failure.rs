//! The part of the summary a person with a red pipeline reads.

use super::super::document::{BuildError, Document, Location, Problem};
use super::super::escape::{code, fenced, prose};
use super::super::failure::{Part, parts};

/// Empty when nothing failed.
pub(super) fn section(document: &Document) -> String {
    parts(document).iter().map(|part| format!("### {}\n\n{}", prose(&part.title()), body(part))).collect()
}

/// `Dockerfile:8`, as code.
pub(super) fn place(at: &Location) -> String {
    code(&at.to_string())
}

fn body(part: &Part<'_>) -> String {
    let mut out: String = part.errors.iter().map(|error| error_line(error)).collect();
    if !out.is_empty() {
        out.push('\n');
    }
    out.extend(part.problems.iter().map(problem));
    if part.more > 0 {
        out.push_str(&format!("… and {} more\n\n", part.more));
    }
    if let Some((at, said)) = part.summary {
        let at = at.map(|at| format!("**{}** ", place(at))).unwrap_or_default();
        out.push_str(&format!("{at}{}\n\n", prose(said)));
    }
    if let Some(tail) = part.tail {
        out.push_str(&format!("The end of its output:\n\n{}\n", fenced(tail.iter().map(String::as_str))));
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

fn error_line(error: &BuildError) -> String {
    let at = error.location.as_ref().map(|at| format!("{} ", place(at))).unwrap_or_default();
    format!("- {at}{} ({})\n", prose(&error.message), prose(&error.tool))
}
