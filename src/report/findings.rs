//! What is worth pinning to a line of the repository: errors and warnings of a run, most telling first, each once.
//!
//! Shared by annotations and the code quality report; says nothing of their formats.

use std::collections::BTreeSet;

use super::document::{Build, BuildFailure, Document, Location, Problem, Proof};
use super::headline::other_problems;
use super::verdict::{Remark, remarks};

/// Something found, for a person reading the change that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// It failed the run.
    pub(super) error: bool,
    /// Who says so, a few words: `rustc in the build app`.
    pub(super) title: String,
    /// What; may have several lines.
    pub(super) message: String,
    /// Where, if that is a path inside the repository.
    pub(super) place: Option<Location>,
}

/// All findings, errors first.
pub(super) fn findings(document: &Document) -> Vec<Finding> {
    let mut all: Vec<Finding> = document.builds.iter().flat_map(of_build).collect();
    if let Some(failure) = &document.failure {
        let title = format!("{} failed", failure.kind);
        // What a build has already said is not said again.
        all.extend(other_problems(document, failure).into_iter().map(|p| of_problem(p, true, &title)));
    }
    let mut seen = BTreeSet::new();
    all.retain(|f| seen.insert((place_key(f), f.message.clone())));
    all.sort_by_key(|f| !f.error);
    all
}

fn of_build(build: &Build) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(failure) = &build.build_failure {
        found.extend(of_build_failure(build, failure));
    }
    if let Some(failure) = &build.failure {
        let title = format!("the build {} failed", build.id);
        found.extend(failure.problems.iter().map(|p| of_problem(p, build.required, &title)));
    }
    if let Some(proof) = &build.proof {
        found.extend(of_proof(build, proof));
    }
    found.extend(build.warnings.iter().map(|warning| {
        Finding {
            error: false,
            title: format!("check of the build {}", build.id),
            message: [warning.message.as_str(), &warning.detail, &warning.url]
                .iter()
                .filter(|t| !t.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join("\n"),
            place: warning.location.as_ref().and_then(in_repository),
        }
    }));
    found
}

/// The errors found in the output that have a place; then the line of the Dockerfile, for those without.
fn of_build_failure(build: &Build, failure: &BuildFailure) -> Vec<Finding> {
    let mut found: Vec<Finding> = failure
        .errors
        .iter()
        .filter_map(|error| {
            Some(Finding {
                error: build.required,
                title: format!("{} in the build {}", error.tool, build.id),
                message: error.message.clone(),
                place: Some(error.location.as_ref().and_then(in_repository)?),
            })
        })
        .collect();
    let first_error = failure.errors.first().map(|e| format!("\n{}", e.message)).unwrap_or_default();
    found.push(Finding {
        error: build.required,
        title: format!("the build {} failed", build.id),
        message: format!("{}{first_error}", failure.summary),
        place: failure.dockerfile.as_ref().and_then(in_repository),
    });
    found
}

/// The first instructions whose results differ. A proof that passed all the same only warns.
fn of_proof(build: &Build, proof: &Proof) -> Vec<Finding> {
    let error = build.required && !proof.passed;
    let title = if proof.passed { "is not reproducible" } else { "is not proven" };
    let finding = |remark: Remark<'_>| Finding {
        error,
        title: format!("the build {} {title}", build.id),
        message: remark.text,
        place: remark.location.and_then(in_repository),
    };
    // Without a line the report says it better.
    remarks(proof).into_iter().map(finding).filter(|finding| finding.place.is_some()).collect()
}

fn of_problem(problem: &Problem, error: bool, title: &str) -> Finding {
    let hint = problem.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    Finding {
        error,
        title: title.to_owned(),
        message: format!("{}{hint}", problem.what),
        place: problem.location.as_ref().and_then(in_repository),
    }
}

fn place_key(finding: &Finding) -> Option<(String, Option<u32>)> {
    finding.place.as_ref().map(|at| (at.file.clone(), at.line))
}

/// The place with a clean path relative to the repository; `None` when the path leads, or may lead, out of it.
fn in_repository(at: &Location) -> Option<Location> {
    let file = at.file.strip_prefix("./").unwrap_or(&at.file);
    let inside = !file.is_empty()
        && !file.starts_with(['/', '~', '<'])
        && !file.contains("://")
        && !file.contains(|c: char| c.is_control() || c == '\\')
        && file.split('/').all(|part| !matches!(part, "" | "." | ".."));
    inside.then(|| Location { file: file.to_owned(), ..at.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn only_paths_inside_the_repository_are_places() {
        let ok =
            |file: &str| in_repository(&Location { file: file.into(), line: Some(1), column: None }).map(|l| l.file);
        assert_eq!(ok("src/main.rs").as_deref(), Some("src/main.rs"));
        assert_eq!(ok("./Dockerfile").as_deref(), Some("Dockerfile"));
        assert_eq!(ok("a..b/..c").as_deref(), Some("a..b/..c"));
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            "a//b",
            "./",
            "https://x/y",
            "C:\\x",
            "a\nb",
            "<stdin>",
            "~/x",
            ".",
        ] {
            assert_eq!(ok(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_source_line_comes_before_the_dockerfile_line_and_the_cause_is_told_there_too() {
        let found = findings(&Document::new(&fixtures::failing_run()));
        let places: Vec<_> = found.iter().map(|f| f.place.as_ref().map(|at| at.file.as_str())).collect();
        assert_eq!(places, [Some("src/main.rs"), Some("src/routes.rs"), Some("Dockerfile")]);
        assert!(found[2].message.ends_with("expected `u16`, found `&str`"), "{}", found[2].message);
    }

    #[test]
    fn a_build_that_may_fail_only_warns() {
        let found = findings(&Document::new(&fixtures::optional_failed()));
        assert!(found.iter().all(|f| !f.error), "{found:?}");
    }
}
