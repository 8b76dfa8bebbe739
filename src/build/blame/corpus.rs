//! Really failed builds (`ci/corpus`): what is said of each, and where.
//!
//! `expected.json` is what a person expects who looks at the sources. A new one is written by hand from what this test
//! prints of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::*;
use crate::buildx::argv::tests::step;
use crate::buildx::errors;
use crate::buildx::event::Progress;
use crate::buildx::progress::layers::Timeline;
use crate::buildx::progress::rawjson;

/// How many kinds of failure each group must have.
const KINDS: usize = 6;
const GROUPS: [(&str, &[&str]); 9] = [
    ("Go", &["go"]),
    ("Rust", &["rust"]),
    ("C and C++", &["c"]),
    ("TypeScript and JavaScript", &["js"]),
    ("Python", &["python"]),
    ("Java", &["java"]),
    ("make and cmake", &["make", "cmake"]),
    ("package managers", &["packages"]),
    ("BuildKit", &["buildkit"]),
];

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// `Dockerfile:5`.
    dockerfile: String,
    /// All errors, in order.
    errors: Vec<Error>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Error {
    tool: String,
    /// `src/main.go:5:2`; absent where the tool names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// How the message begins.
    message: String,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/errors")
}

fn cases() -> Vec<(String, PathBuf)> {
    let dirs = |path: &Path| -> Vec<PathBuf> {
        let mut all: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
        all.sort();
        all
    };
    let name = |case: &Path| case.strip_prefix(corpus()).unwrap().display().to_string();
    dirs(&corpus()).iter().flat_map(|group| dirs(group)).map(|case| (name(&case), case)).collect()
}

/// The step that `arguments` asks for.
fn asked(case: &Path) -> Step {
    let text = fs::read_to_string(case.join("arguments")).unwrap_or_else(|_| ".".into());
    let mut step = Step { dockerfile: String::new(), context: ".".into(), build_args: BTreeMap::new(), ..step() };
    step.build_contexts.clear();
    step.platforms.clear();
    let mut words = text.lines();
    while let Some(word) = words.next() {
        match word {
            "-f" => step.dockerfile = words.next().unwrap().into(),
            "--target" => step.target = words.next().map(Into::into),
            "--build-arg" => {
                drop(words.next().unwrap().split_once('=').map(|(k, v)| step.build_args.insert(k.into(), v.into())))
            }
            "--build-context" => {
                drop(
                    words.next().unwrap().split_once('=').map(|(k, v)| step.build_contexts.insert(k.into(), v.into())),
                );
            }
            context => step.context = context.into(),
        }
    }
    if step.dockerfile.is_empty() {
        step.dockerfile = "Dockerfile".into();
    }
    step
}

/// What BuildKit told of the build, in the pieces in which it came.
fn told(case: &Path) -> Vec<Progress> {
    let mut all = Vec::new();
    let mut parser = rawjson::Parser::default();
    let log = fs::read(case.join("build.rawjson"))
        .unwrap_or_else(|e| panic!("{}: {e}; run ci/corpus record", case.display()));
    log.split_inclusive(|&b| b == b'\n').for_each(|line| parser.push(line, &mut |progress| all.push(progress)));
    parser.finish(&mut |progress| all.push(progress));
    all
}

fn failure(case: &Path, told: &[Progress]) -> BuildFailure {
    let mut timeline = Timeline::default();
    told.iter().for_each(|progress| timeline.push(progress));
    place(errors::trace(&timeline.evidence()), timeline.warnings(), &asked(case), case)
}

/// As it might have come, too: each of a step's streams in its order, but one before or after the other by chance.
fn otherwise(told: &[Progress], chance: &mut StdRng) -> Vec<Progress> {
    let mut told = told.to_vec();
    // What follows a cut of the corpus came with what stood before it.
    let is_cut = |told: &Progress| matches!(told, Progress::Log { data, .. } if data.starts_with(b"[corpus: "));
    for _ in 0..4 {
        for i in 1..told.len() {
            if let (Progress::Log { vertex, stderr, .. }, Progress::Log { vertex: next, stderr: other, .. }) =
                (&told[i - 1], &told[i])
                && vertex == next
                && stderr != other
                && !is_cut(&told[i - 1])
                && (i < 2 || !is_cut(&told[i - 2]))
                && chance.random_bool(0.5)
            {
                told.swap(i - 1, i);
            }
        }
    }
    told
}

fn seen(failure: &BuildFailure) -> Expected {
    let error = |e: &BuildError| Error {
        tool: e.tool.clone(),
        at: e.location.as_ref().map(written),
        message: e.message.clone(),
    };
    Expected {
        dockerfile: failure.dockerfile.as_ref().map(written).unwrap_or_default(),
        errors: failure.errors.iter().map(error).collect(),
    }
}

fn agrees(seen: &Expected, expected: &Expected) -> bool {
    let same = |(seen, expected): (&Error, &Error)| {
        seen.tool == expected.tool && seen.at == expected.at && seen.message.starts_with(&expected.message)
    };
    seen.dockerfile == expected.dockerfile
        && seen.errors.len() == expected.errors.len()
        && seen.errors.iter().zip(&expected.errors).all(same)
}

#[test]
fn really_failed_builds_are_put_on_their_lines() {
    let mut wrong = String::new();
    for (name, case) in cases() {
        let seen = seen(&failure(&case, &told(&case)));
        let said = || serde_json::to_string_pretty(&seen).unwrap();
        let text = fs::read_to_string(case.join("expected.json")).unwrap_or_else(|_| "{}".into());
        match serde_json::from_str::<Expected>(&text) {
            Ok(expected) if agrees(&seen, &expected) => {}
            Ok(_) => wrong.push_str(&format!("== {name} is not as expected\n{}\n", said())),
            Err(error) => wrong.push_str(&format!("== {name} has no expected.json ({error})\n{}\n", said())),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn it_does_not_matter_which_stream_is_ahead() {
    let (mut chance, mut wrong) = (StdRng::seed_from_u64(5), BTreeSet::new());
    for (name, case) in cases() {
        let told = told(&case);
        let told_in_order = sorted(seen(&failure(&case, &told)));
        for _ in 0..20 {
            let seen = sorted(seen(&failure(&case, &otherwise(&told, &mut chance))));
            if seen != told_in_order {
                wrong.insert(format!("{name}: {seen:#?} is not {told_in_order:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

fn sorted(mut seen: Expected) -> Expected {
    seen.errors.sort_by_cached_key(|error| format!("{error:?}"));
    seen
}

#[test]
fn every_place_is_a_file_of_the_checkout_and_has_that_line() {
    for (name, case) in cases() {
        let failure = failure(&case, &told(&case));
        assert!(!failure.errors.is_empty() && !failure.tail.is_empty(), "{name}");
        let places = failure.errors.iter().filter_map(|e| e.location.as_ref()).chain(failure.dockerfile.as_ref());
        for at in places {
            let text = fs::read(case.join(&at.file)).unwrap_or_else(|e| panic!("{name}: {}: {e}", written(at)));
            let text = String::from_utf8_lossy(&text);
            let line = at.line.map(|line| text.lines().nth(line as usize - 1).unwrap_or_default());
            // Compilers like to point behind the end, and one line below the last.
            assert!(at.line.is_none_or(|line| line as usize <= text.lines().count() + 1), "{name}: {}", written(at));
            let width = line.map_or(0, |line| line.chars().map(|c| if c == '\t' { 8 } else { 1 }).sum::<usize>());
            assert!(at.column.is_none_or(|column| column as usize <= width + 1), "{name}: {}", written(at));
        }
    }
}

#[test]
fn every_group_has_its_kinds() {
    let cases: BTreeSet<String> = cases().into_iter().map(|(name, _)| name).collect();
    for (group, dirs) in GROUPS {
        let kinds = cases.iter().filter(|case| dirs.iter().any(|dir| case.starts_with(&format!("{dir}/")))).count();
        assert!(kinds >= KINDS, "{group}: {kinds}");
    }
}
