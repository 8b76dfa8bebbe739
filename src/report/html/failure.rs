//! What failed, on the page: the part a person with a red pipeline reads.

use super::super::document::{BuildError, Document, Location, Problem};
use super::super::failure::{Part, parts};
use super::section as whole;
use super::text::{block, code, prose};

/// Empty when nothing failed.
pub(super) fn section(document: &Document) -> String {
    parts(document).iter().map(|part| whole(&prose(&part.title()), &body(part))).collect()
}

/// `Dockerfile:8`, as code.
pub(super) fn place(at: &Location) -> String {
    code(&at.to_string())
}

fn body(part: &Part<'_>) -> String {
    let errors: String = part.errors.iter().map(|error| error_line(error)).collect();
    let mut out = if errors.is_empty() { errors } else { format!("<ul class=\"errors\">\n{errors}</ul>\n") };
    out.extend(part.problems.iter().map(problem));
    if part.more > 0 {
        out.push_str(&format!("<p>… and {} more</p>\n", part.more));
    }
    if let Some((at, said)) = part.summary {
        let at = at.map(|at| format!("{} ", place(at))).unwrap_or_default();
        out.push_str(&format!("<p>{at}{}</p>\n", prose(said)));
    }
    if let Some(tail) = part.tail {
        let tail = block(tail.iter().map(String::as_str));
        out.push_str(&format!("<h3>The end of its output</h3>\n{tail}"));
    }
    out
}

fn problem(problem: &Problem) -> String {
    let at = problem.location.as_ref().map(|at| format!("<p class=\"place\">{}</p>\n", place(at))).unwrap_or_default();
    let snippet = problem.snippet.as_ref().map(|snippet| block([snippet.as_str()])).unwrap_or_default();
    let hint = problem.hint.as_ref().map(|hint| format!("<p class=\"hint\">{}</p>\n", prose(hint))).unwrap_or_default();
    format!("<div class=\"problem\">\n{at}<p><strong>{}</strong></p>\n{snippet}{hint}</div>\n", prose(&problem.what))
}

fn error_line(error: &BuildError) -> String {
    let at = error.location.as_ref().map(|at| format!("{} ", place(at))).unwrap_or_default();
    format!("<li>{at}{} <span class=\"muted\">{}</span></li>\n", prose(&error.message), prose(&error.tool))
}
