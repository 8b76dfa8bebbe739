//! Says why a build failed: from the failing step's last lines and buildx's last words to places in files.
//!
//! Three layers, of which the last always holds: readers that know a tool's format, then any line that calls itself an
//! error, then the raw tail. Pure functions over lines that are already bounded and cleaned; nothing is printed here.

use crate::buildx::event::{BuildError, BuildFailure};
use crate::buildx::progress::layers::Timeline;
use crate::buildx::progress::plain;
use crate::problem::{Location, Problem};

mod cause;
mod compilers;
pub mod cure;
mod directory;
mod docker;
mod generic;
mod go;
mod java;
mod javascript;
mod packages;
mod python;
mod rust;
mod scan;
mod scripts;

#[cfg(test)]
mod tests;

pub use cure::cure;

/// Most errors reported.
pub const MAX_ERRORS: usize = 15;
/// Most lines of a failure's tail.
pub const MAX_TAIL: usize = 40;

/// What is known about a failed build, as [`Timeline::evidence`] gathers it: lines are cleaned and bounded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// Name of the failing vertex; empty when BuildKit blames none (a syntax error).
    pub step: String,
    /// Its error.
    pub error: String,
    /// Its last lines of output.
    pub log: Vec<String>,
    /// The last lines that were not progress: excerpt and `ERROR: …`.
    pub trailer: Vec<String>,
    /// The last lines of everything.
    pub overall: Vec<String>,
}

/// What a reader found on a line.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    rank: Rank,
    /// Index of the line, to keep the tools' own order.
    line: usize,
    error: BuildError,
    /// Further places of it, likeliest first: the other frames of a stack.
    frames: Vec<Location>,
}

/// How much an error tells: the smaller, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The machine or the image could not do it: no space, no memory, no network, no such command. Whatever else is
    /// said follows from it.
    Cause,
    /// A mistake, mostly with a place in a source file.
    Mistake,
    /// A tool's summary of mistakes: `make: *** … Error 2`.
    Summary,
}

type Reader = fn(&[&str]) -> Vec<Found>;

/// In order of trust: of two readers that understand one line, the first has it.
const READERS: [Reader; 24] = [
    cause::read,
    rust::read,
    go::read,
    compilers::gcc,
    compilers::linker,
    java::compilers,
    java::gradle,
    java::exceptions,
    compilers::cmake,
    compilers::make,
    javascript::bundlers,
    javascript::next,
    javascript::tests,
    javascript::tap,
    scripts::typescript,
    scripts::eslint,
    python::exceptions,
    python::tests,
    python::checkers,
    scripts::node,
    scripts::shell,
    packages::npm,
    packages::pip,
    packages::system,
];

/// A failure whose places are still the tools' own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explained {
    /// What is known. `tail` is never empty.
    pub failure: BuildFailure,
    /// Of each error the further places it may stand on, likeliest first: the first that is a file of the checkout.
    pub frames: Vec<Vec<Location>>,
}

/// Everything a person needs to know about a failed build. `tail` is never empty, whatever the evidence.
pub fn explain(evidence: &Evidence) -> BuildFailure {
    trace(evidence).failure
}

/// The same, with the stacks of its errors.
pub fn trace(evidence: &Evidence) -> Explained {
    let excerpt = docker::excerpt(&evidence.trailer);
    let summary = summary(evidence);
    let dockerfile = excerpt.as_ref().map(|e| e.location.clone()).or_else(|| docker::place_in(&summary));
    let (errors, frames) = errors(evidence, &summary, dockerfile.as_ref()).into_iter().unzip();
    Explained { failure: BuildFailure { errors, dockerfile, tail: tail(evidence, &summary), summary }, frames }
}

/// The build itself worked, and a registry did not take its content for a reason that may have passed: worth another try.
pub fn may_pass(failure: &BuildFailure) -> bool {
    docker::is_passing(&failure.summary)
}

/// Errors and last lines of captured plain output of a failed build. The seed's `ParseBuildErrors`.
pub fn parse_build_errors(stderr: &str) -> (Vec<BuildError>, Vec<String>) {
    let mut timeline = Timeline::default();
    let mut parser = plain::Parser::default();
    parser.push(stderr.as_bytes(), &mut |progress| timeline.push(&progress));
    parser.finish(&mut |progress| timeline.push(&progress));
    let failure = explain(&timeline.evidence());
    (failure.errors, failure.tail)
}

/// The failure as one problem: what happened in as few words as are known, the Dockerfile line, and a cure if the kind is
/// known.
pub fn problem(failure: &BuildFailure) -> Problem {
    let plainer = docker::read(&failure.summary, None).map(|found| found.error.message);
    Problem {
        what: plainer.unwrap_or_else(|| failure.summary.clone()),
        location: failure.dockerfile.clone(),
        // The tail stands in the failure itself, and every report shows it.
        snippet: None,
        hint: cure(failure),
    }
}

/// BuildKit's own last word, without buildx's prefixes.
fn summary(evidence: &Evidence) -> String {
    let verdict = docker::verdict(&evidence.trailer).unwrap_or_default();
    let candidates = [docker::without_prefixes(&verdict), &evidence.error, &evidence.step];
    match candidates.into_iter().find(|text| !text.trim().is_empty()) {
        Some(text) => text.trim().to_owned(),
        None => "the build failed, and BuildKit said nothing about why".to_owned(),
    }
}

fn errors(evidence: &Evidence, summary: &str, dockerfile: Option<&Location>) -> Vec<(BuildError, Vec<Location>)> {
    // Where BuildKit blames no step, other steps' output is not about the failure, unless there is no verdict either.
    let blind = evidence.step.is_empty() && docker::verdict(&evidence.trailer).is_none();
    let lines = if blind { &evidence.overall } else { &evidence.log };
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();

    let mut found: Vec<Found> = READERS.iter().flat_map(|read| read(&lines)).collect();
    directory::enter(&lines, &mut found);
    found.extend(docker::read(summary, dockerfile));
    if found.is_empty() {
        found = generic::read(&lines);
    } else if found.iter().all(|found| found.rank == Rank::Summary) {
        // That something failed was understood, and not what: a place says it best.
        let placed = generic::read(&lines).into_iter().filter(|more| more.error.location.is_some());
        let placed: Vec<Found> = placed.filter(|more| found.iter().all(|known| known.line != more.line)).collect();
        found.extend(placed);
    }
    found.sort_by_key(|f| (f.rank, f.line));
    let mut errors: Vec<(BuildError, Vec<Location>)> = Vec::new();
    for Found { error, frames, .. } in found {
        let same = |(e, _): &(BuildError, Vec<Location>)| {
            (e.location == error.location && e.message == error.message) || (e.raw == error.raw && e.tool != error.tool)
        };
        if errors.len() < MAX_ERRORS && !errors.iter().any(same) {
            errors.push((error, frames));
        }
    }
    if errors.is_empty() && !blind {
        errors.push((docker::process_error(summary, dockerfile), Vec::new()));
    }
    errors
}

/// Last lines of the failing step, else the excerpt, else everything, else the summary: never empty.
fn tail(evidence: &Evidence, summary: &str) -> Vec<String> {
    let told = |lines: &[String]| -> Vec<String> {
        // buildx's remark that nothing will be exported has nothing to do with a failure.
        let lines: Vec<&String> = lines.iter().filter(|l| !l.starts_with("WARNING: No output specified")).collect();
        lines[lines.len().saturating_sub(MAX_TAIL)..].iter().map(|&l| l.clone()).collect()
    };
    let mut candidates = [&evidence.log, &evidence.trailer, &evidence.overall].into_iter().map(|lines| told(lines));
    let tail = candidates.find(|lines| lines.iter().any(|l| !l.trim().is_empty()));
    tail.unwrap_or_else(|| vec![summary.to_owned()])
}
