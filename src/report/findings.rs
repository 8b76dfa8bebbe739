//! What is worth pinning to a line of the repository: errors and warnings of a run, most telling first, each once.
//!
//! Shared by annotations and the code quality report; says nothing of their formats.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::document::{Build, BuildFailure, Document, Location, Problem, Proof, Warning};
use super::failure::other_problems;
use super::verdict::{Remark, remarks};
use super::warnings::address;
use crate::buildx::event::rule;
use crate::runner::neutralise::strip_controls;

/// How many errors without a place, and how many on its very line, are told with the failed instruction.
const UNPLACED: usize = 5;
/// How many source lines are told before the line of the Dockerfile.
const BEFORE_DOCKERFILE: usize = 8;

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
    // The first of each build before the second of any: a runner shows only so many.
    let mut builds: Vec<_> = document.builds.iter().map(|build| of_build(build).into_iter()).collect();
    let mut all = Vec::new();
    while !builds.is_empty() {
        builds.retain_mut(|found| found.next().map(|finding| all.push(finding)).is_some());
    }
    if let Some(failure) = &document.failure {
        let title = format!("{} failed", failure.kind);
        // What a build has already said is not said again.
        all.extend(other_problems(document, failure).into_iter().map(|p| of_problem(p, true, &title)));
    }
    let mut seen = BTreeSet::new();
    all.retain(|f| seen.insert((line_of(&f.place).map(|(file, line)| (file.to_owned(), line)), f.message.clone())));
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
    found.extend(build.warnings.iter().map(|warning| of_check(build, warning)));
    found
}

/// BuildKit's check, under its rule's name, with the page that explains it.
fn of_check(build: &Build, warning: &Warning) -> Finding {
    let (rule, message) = match rule(&warning.message) {
        Some((rule, message)) => (rule, message),
        None => ("check", warning.message.as_str()),
    };
    let parts = [message, &warning.detail, address(warning).unwrap_or_default()];
    Finding {
        error: false,
        title: format!("{rule} in the build {}", build.id),
        message: parts.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join("\n"),
        place: warning.location.as_ref().and_then(in_repository),
    }
}

/// The errors found in the output that have a place of their own; then the failed instruction, with those that have none, and those
/// on its very line: one remark there, which says what all of them do.
fn of_build_failure(build: &Build, failure: &BuildFailure) -> Vec<Finding> {
    let instruction = failure.dockerfile.as_ref().and_then(in_repository);
    let errors: Vec<_> =
        failure.errors.iter().map(|error| (error.location.as_ref().and_then(in_repository), error)).collect();
    let on_it = |at: &Option<Location>| at.is_some() && line_of(at) == line_of(&instruction);
    let said = |told: &dyn Fn(&Option<Location>) -> bool| -> Vec<&str> {
        let told = errors.iter().filter(|(at, _)| told(at)).map(|(_, error)| error.message.as_str());
        told.filter(|message| *message != failure.summary).take(UNPLACED).collect()
    };
    // What a reader made of it is clearer than BuildKit's last word.
    let mut message = [said(&on_it), vec![&failure.summary], said(&Option::is_none)].concat();
    if message.len() == 1 {
        message.extend(failure.errors.first().map(|e| e.message.as_str()).filter(|first| *first != failure.summary));
    }
    let own =
        errors.iter().filter(|(at, error)| at.is_some() && !(on_it(at) && message.contains(&error.message.as_str())));
    let mut found: Vec<Finding> = own
        .map(|(at, error)| Finding {
            error: build.required,
            title: format!("{} in the build {}", error.tool, build.id),
            message: error.message.clone(),
            place: at.clone(),
        })
        .collect();
    // Among those that a runner shows, however many there are.
    found.insert(
        found.len().min(BEFORE_DOCKERFILE),
        Finding {
            error: build.required,
            title: format!("the build {} failed", build.id),
            message: message.join("\n"),
            place: instruction,
        },
    );
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

fn line_of(place: &Option<Location>) -> Option<(&str, Option<u32>)> {
    place.as_ref().map(|at| (at.file.as_str(), at.line))
}

/// The place with a clean path relative to the repository; `None` when the path leads, or may lead, out of it, or does not read as
/// it is written.
fn in_repository(at: &Location) -> Option<Location> {
    let file = at.file.strip_prefix("./").unwrap_or(&at.file);
    let inside = !file.is_empty()
        && !file.starts_with(['/', '~', '<'])
        && !file.contains("://")
        && !file.contains(|c: char| c.is_control() || c == '\\')
        && matches!(strip_controls(file), Cow::Borrowed(_))
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
            "a\u{202e}b",
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
    fn the_failed_instruction_says_what_has_no_place_and_is_never_crowded_out() {
        let mut outcome = fixtures::failing_run();
        let crate::outcome::BuildState::BuildFailed(failure) = &mut outcome.builds[0].state else { panic!() };
        let error = failure.errors[0].clone();
        let at = |line| crate::problem::Location { file: "src/a.rs".into(), line: Some(line), column: None };
        failure.errors =
            (1..=14).map(|n| crate::buildx::event::BuildError { location: Some(at(n)), ..error.clone() }).collect();
        for outside in [None, Some("/etc/passwd"), Some("../../x")] {
            let location = outside.map(|file| crate::problem::Location { file: file.into(), ..at(1) });
            let message = format!("from {outside:?}");
            failure.errors.push(crate::buildx::event::BuildError { location, message, ..error.clone() });
        }
        let found = findings(&Document::new(&outcome));
        let dockerfile = found.iter().position(|f| f.place.as_ref().is_some_and(|at| at.file == "Dockerfile"));
        let dockerfile = dockerfile.filter(|at| *at < 10).unwrap();
        for said in ["exit code: 101", "from None", "from Some(\"/etc/passwd\")", "from Some(\"../../x\")"] {
            assert!(found[dockerfile].message.contains(said), "{}", found[dockerfile].message);
        }
        assert!(
            found
                .iter()
                .filter_map(|f| f.place.as_ref())
                .all(|at| !at.file.contains("..") && !at.file.starts_with('/'))
        );
    }

    #[test]
    fn the_failed_instruction_has_one_remark() {
        let mut outcome = fixtures::failing_run();
        let crate::outcome::BuildState::BuildFailed(failure) = &mut outcome.builds[0].state else { panic!() };
        let at = failure.dockerfile.clone();
        let error = |message: &str, location| crate::buildx::event::BuildError {
            tool: "docker".into(),
            location,
            message: message.into(),
            raw: message.into(),
        };
        failure.summary = "failed to compute cache key: \"/dist\": not found".into();
        let ignored = "`dist` is left out of the build context by .dockerignore";
        failure.errors = vec![error(ignored, at.clone()), error(&failure.summary.clone(), at.clone())];
        let found = findings(&Document::new(&outcome));
        let [only, other] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!((only.title.as_str(), only.place.as_ref().unwrap().line), ("the build app failed", Some(8)));
        assert_eq!(only.message, format!("{ignored}\nfailed to compute cache key: \"/dist\": not found"));
        assert_eq!(other.title, "build failed", "the run's own word, which tells of something else here");

        // Another line is another remark, and so is what one remark has no room for.
        let crate::outcome::BuildState::BuildFailed(failure) = &mut outcome.builds[0].state else { panic!() };
        let above = at.clone().map(|at| crate::problem::Location { line: Some(3), ..at });
        failure.errors = (0..7).map(|n| error(&format!("error {n}"), at.clone())).collect();
        failure.errors.insert(0, error("error above", above));
        let found = findings(&Document::new(&outcome));
        let told: Vec<_> = found.iter().map(|finding| finding.message.lines().next().unwrap()).collect();
        assert_eq!(told[..4], ["error above", "error 5", "error 6", "error 0"]);
        assert_eq!(found[3].message.lines().count(), 6);
    }

    #[test]
    fn the_first_of_each_build_comes_before_the_second_of_any() {
        let mut outcome = fixtures::failing_run();
        let mut second = outcome.builds[0].clone();
        second.id = "worker".into();
        let crate::outcome::BuildState::BuildFailed(failure) = &mut second.state else { panic!() };
        failure.errors.iter_mut().for_each(|error| error.message.push_str(", in the worker"));
        outcome.builds.push(second);
        let found = findings(&Document::new(&outcome));
        assert!(found[0].title.ends_with("build app") && found[1].title.ends_with("build worker"), "{found:?}");
    }

    #[test]
    fn a_check_stands_under_its_rule() {
        assert_eq!(rule("FromAsCasing: casing (line 3)"), Some(("FromAsCasing", "casing")));
        assert_eq!(rule("FromAsCasing: casing (line 3"), Some(("FromAsCasing", "casing")));
        for plain in ["no rule here", "two words: x", "::error: x", "", "a: b"] {
            assert_eq!(rule(plain), None, "{plain}");
        }
    }

    #[test]
    fn a_build_that_may_fail_only_warns() {
        let found = findings(&Document::new(&fixtures::optional_failed()));
        assert!(found.iter().all(|f| !f.error), "{found:?}");
    }
}
