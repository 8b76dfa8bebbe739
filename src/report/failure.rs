//! What failed, part by part, for those who draw it: the run's own problems first, then what each broken build left behind.
//!
//! Each thing is told once: the run's word for a failed build stands with that build. Not escaped; knows no format.

use super::document::{Build, BuildError, BuildFailure, BuildState, Document, Failure, Location, Problem};

/// So many problems of a part are shown; the document has all.
const PROBLEMS: usize = 30;

/// What stands below one heading.
pub(super) struct Part<'d> {
    /// The build it tells of; none where it is the run itself.
    pub(super) build: Option<&'d Build>,
    /// Errors read in the output that nothing else here says.
    pub(super) errors: Vec<&'d BuildError>,
    /// BuildKit's last word and its line, where no problem says it.
    pub(super) summary: Option<(Option<&'d Location>, &'d str)>,
    /// The first problems.
    pub(super) problems: Vec<Problem>,
    /// How many more problems there are.
    pub(super) more: usize,
    /// The end of the output, of a build that BuildKit failed.
    pub(super) tail: Option<&'d [String]>,
}

impl<'d> Part<'d> {
    /// Problems and nothing else.
    pub(super) fn of(build: Option<&'d Build>, mut problems: Vec<Problem>) -> Self {
        let more = problems.len().saturating_sub(PROBLEMS);
        problems.truncate(PROBLEMS);
        Self { build, errors: Vec::new(), summary: None, problems, more, tail: None }
    }

    /// Its heading. The name of a build stands between backticks.
    pub(super) fn title(&self) -> String {
        match self.build {
            None => "What went wrong".to_owned(),
            Some(build) if build.required => format!("Build `{}` failed", build.id),
            Some(build) => format!("Build `{}` failed (optional)", build.id),
        }
    }
}

/// All parts; none when nothing failed.
pub(super) fn parts(document: &Document) -> Vec<Part<'_>> {
    let run = document.failure.as_ref();
    let own: Vec<_> = run.iter().flat_map(|run| other_problems(document, run)).cloned().collect();
    let own = (!own.is_empty()).then(|| Part::of(None, own));
    let broken = document.builds.iter().filter(|build| is_broken(build));
    own.into_iter().chain(broken.flat_map(|build| of_build(build, run))).collect()
}

fn of_build<'d>(build: &'d Build, run: Option<&Failure>) -> Vec<Part<'d>> {
    let after = build.failure.as_ref().filter(|failure| run != Some(failure));
    let after = after.map(|failure| Part::of(Some(build), failure.problems.clone()));
    let during = build.build_failure.as_ref().map(|failure| {
        let told = told_of(run, failure);
        Part {
            errors: untold_errors(failure, &told),
            summary: told.is_empty().then_some((failure.dockerfile.as_ref(), &failure.summary)),
            tail: Some(&failure.tail),
            ..Part::of(Some(build), told)
        }
    });
    after.into_iter().chain(during).collect()
}

/// Failed, at whatever point.
pub(super) fn is_broken(build: &Build) -> bool {
    matches!(build.state, BuildState::BuildFailed | BuildState::Failed)
}

/// The problem is the run's word for this failure of a build, so both are told in one place, and once.
fn tells(problem: &Problem, build: &BuildFailure) -> bool {
    let said = !build.summary.is_empty() && problem.what.contains(&build.summary);
    said || build.errors.iter().any(|error| error.message == problem.what)
}

/// The run's problems that tell of this build's failure, without the lines that the end of its output shows anyway.
fn told_of(run: Option<&Failure>, build: &BuildFailure) -> Vec<Problem> {
    let mut told: Vec<Problem> =
        run.iter().flat_map(|run| &run.problems).filter(|problem| tells(problem, build)).cloned().collect();
    let tail = build.tail.join("\n");
    for problem in &mut told {
        problem.snippet.take_if(|snippet| *snippet == tail);
    }
    told
}

/// Errors read in the output that neither these problems nor, where there are none, the summary says as well.
fn untold_errors<'d>(build: &'d BuildFailure, told: &[Problem]) -> Vec<&'d BuildError> {
    let said = |message: &String| *message == build.summary || told.iter().any(|problem| problem.what == *message);
    build.errors.iter().filter(|error| !said(&error.message)).collect()
}

/// The problems of a failure that are not the run's word for a failed build.
pub(super) fn other_problems<'d>(document: &'d Document, failure: &'d Failure) -> Vec<&'d Problem> {
    let broken: Vec<&BuildFailure> = document.builds.iter().filter_map(|b| b.build_failure.as_ref()).collect();
    failure.problems.iter().filter(|problem| !broken.iter().any(|build| tells(problem, build))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn the_runs_word_for_a_failed_build_stands_with_that_build_and_nowhere_else() {
        let mut document = Document::new(&fixtures::failing_run());
        let told = parts(&document);
        let [build] = told.as_slice() else { panic!("{} parts", told.len()) };
        assert_eq!(build.title(), "Build `app` failed");
        assert_eq!((build.problems.len(), build.summary, build.errors.len()), (1, None, 2));
        assert!(build.tail.is_some());

        document.failure.as_mut().unwrap().problems[0].what = "the disk is full".into();
        let told = parts(&document);
        let [run, build] = told.as_slice() else { panic!("{} parts", told.len()) };
        assert_eq!((run.title().as_str(), run.problems.len(), run.tail), ("What went wrong", 1, None));
        let (at, said) = build.summary.unwrap();
        assert_eq!((at.unwrap().to_string().as_str(), build.problems.len()), ("Dockerfile:8", 0));
        assert!(said.contains("exit code: 101"), "{said}");
    }

    #[test]
    fn an_error_that_is_said_already_is_not_said_again() {
        let mut document = Document::new(&fixtures::failing_run());
        let build = document.builds[0].build_failure.as_mut().unwrap();
        build.errors[1].message.clone_from(&build.summary);
        let first = build.errors[0].message.clone();
        document.failure.as_mut().unwrap().problems[0].what = first;
        assert_eq!(parts(&document)[0].errors.len(), 0);
    }

    #[test]
    fn what_failed_the_run_is_not_told_of_the_build_too_and_many_problems_are_counted() {
        let mut document = Document::new(&fixtures::failing_publish());
        assert_eq!(parts(&document).len(), 1);
        let problems = &mut document.failure.as_mut().unwrap().problems;
        *problems = vec![problems[0].clone(); 33];
        let told = parts(&document);
        assert_eq!((told.len(), told[0].problems.len(), told[0].more), (2, 30, 3));
        document.builds[0].required = false;
        assert_eq!(parts(&document)[1].title(), "Build `app` failed (optional)");
    }
}
