//! How a proof came out, in words: what the summary, the log and the annotations say alike.
//!
//! Pure. Names of the user's stand between backticks; texts of the document are not escaped here. A level is always a word:
//! marks and colours only stand beside it.

use super::document::{Build, Check, CheckState, Culprits, Document, Problem, Proof, TrustLevel};
use super::headline::count;
use crate::crucible::proof::{Cause, CheckKind};

/// So many layers are pinned to lines of the Dockerfile, and so many of their files are named there.
const CULPRITS: usize = 5;
const FILES: usize = 3;

/// The builds that were proven, or were to be.
pub(super) fn proven(document: &Document) -> Vec<(&Build, &Proof)> {
    document.builds.iter().filter_map(|build| Some((build, build.proof.as_ref()?))).collect()
}

/// The line a person remembers, and the plain fact in it: `Reproducible: two cold builds of `app` gave the same image, byte
/// for byte`.
pub(super) fn verdict(document: &Document, build: &Build, proof: &Proof) -> String {
    let id = &build.id;
    if !proof.passed {
        return format!("Not proven: {}{}", why_not(id, proof), consequence(document, build));
    }
    match proof.trust {
        Some(TrustLevel::Reproducible) => {
            format!("Reproducible: two cold builds of `{id}` gave the same image, byte for byte")
        }
        Some(TrustLevel::Deterministic) => {
            let differing = proof.culprits.as_ref().map(extent).unwrap_or_default();
            format!("Deterministic: two cold builds of `{id}` gave the same binaries; the images differ{differing}")
        }
        Some(TrustLevel::Consistent) => {
            let binaries = match worst(&proof.checks, "binary") {
                Some(CheckState::Differs) => "differ",
                Some(CheckState::Unavailable) => "could not be compared",
                _ => "were not compared",
            };
            format!("Consistent: two cold builds of `{id}` followed the same plan; their binaries {binaries}")
        }
        Some(TrustLevel::Viable) => format!("Viable: `{id}` could be built twice, cold; nothing more is proven"),
        None => format!("Not proven: the second build of `{id}` gave no image"),
    }
}

/// All verdicts in one line: of one build the whole sentence, of several the level of each.
pub(super) fn verdicts(document: &Document) -> Option<String> {
    match proven(document).as_slice() {
        [] => None,
        [(build, proof)] => Some(verdict(document, build, proof)),
        several => {
            let level =
                |proof: &Proof| if proof.passed { proof.trust.map_or("not proven", level) } else { "not proven" };
            let told: Vec<_> =
                several.iter().take(5).map(|(build, proof)| format!("`{}` {}", build.id, level(proof))).collect();
            let more = if several.len() > 5 { format!(" and {} more", several.len() - 5) } else { String::new() };
            let all = several.iter().all(|(_, proof)| proof.passed);
            Some(format!("{}: {}{more}", if all { "Proven" } else { "Not everything is proven" }, told.join(", ")))
        }
    }
}

fn why_not(id: &str, proof: &Proof) -> String {
    let Some(trust) = proof.trust else { return format!("the second build of `{id}` gave no image") };
    for (kind, what) in [("plan_hash", "did not follow the same plan"), ("version", "do not give the same version")] {
        if worst(&proof.checks, kind) == Some(CheckState::Differs) {
            return format!("two cold builds of `{id}` {what}");
        }
    }
    format!("two cold builds of `{id}` are only {}, and {} was asked for", level(trust), level(proof.min_trust))
}

fn consequence(document: &Document, build: &Build) -> &'static str {
    if document.builds.iter().all(|build| build.published.is_empty()) {
        "; nothing was published"
    } else if build.published.is_empty() {
        "; it was not published"
    } else {
        ""
    }
}

/// ` in 3 files of 2 layers`; nothing where no file is known.
fn extent(culprits: &Culprits) -> String {
    let files: u64 = culprits.layers.iter().map(|layer| layer.files.len() as u64 + layer.more).sum();
    if files == 0 {
        return String::new();
    }
    let layers = count(culprits.layers.len(), "layer", "layers");
    format!(" in {files} {} of {layers}", if files == 1 { "file" } else { "files" })
}

/// The worst state of the checks of a kind.
fn worst(checks: &[Check], kind: &str) -> Option<CheckState> {
    let states: Vec<_> = checks.iter().filter(|check| check.kind == kind).map(|check| check.state).collect();
    let order = [CheckState::Differs, CheckState::Unavailable, CheckState::NotAsked, CheckState::Match];
    order.into_iter().find(|state| states.contains(state))
}

/// What stood in the way and is not told as a problem of the run.
pub(super) fn untold_obstacles<'p>(document: &Document, build: &Build, proof: &'p Proof) -> Vec<&'p str> {
    let told: Vec<&Problem> = problems(document, build);
    let untold = |obstacle: &&str| !told.iter().any(|problem| problem.what.contains(*obstacle));
    proof.obstacles.iter().map(String::as_str).filter(untold).collect()
}

/// What to do about a proof that did not pass, unless a problem of the run says so already.
pub(super) fn advice(document: &Document, build: &Build, proof: &Proof) -> Option<String> {
    if proof.passed || problems(document, build).iter().any(|problem| problem.hint.is_some()) {
        return None;
    }
    let Some(trust) = proof.trust else {
        return Some("look at the output of the second build: it has no cache and must work without one".to_owned());
    };
    let kinds: &[&str] = match trust {
        TrustLevel::Viable => &["plan_hash", "version"],
        TrustLevel::Consistent => &["binary"],
        TrustLevel::Deterministic | TrustLevel::Reproducible => &["image_digest"],
    };
    let differs = kinds.iter().any(|kind| worst(&proof.checks, kind) == Some(CheckState::Differs));
    let mend = if differs { "mend what differs" } else { "make what could not be compared comparable" };
    Some(if trust < proof.min_trust {
        format!("{mend}, or ask for less with `crucible: {{min_trust: {}}}`", level(trust))
    } else {
        format!("{mend}: another plan or version is another image, whatever level is asked for")
    })
}

/// Problems that tell of this build's proof: those of the run where it failed for that, and the build's own.
fn problems<'d>(document: &'d Document, build: &'d Build) -> Vec<&'d Problem> {
    let run = document.failure.iter().filter(|failure| failure.kind == "verification");
    run.chain(&build.failure).flat_map(|failure| &failure.problems).collect()
}

/// One thing to say at a line of the Dockerfile.
pub(super) struct Remark<'p> {
    pub(super) location: Option<&'p super::document::Location>,
    pub(super) text: String,
}

/// The first culprits, each with its line. Without evidence, which is another in every run: forges compare remarks.
pub(super) fn remarks(proof: &Proof) -> Vec<Remark<'_>> {
    let layers = proof.culprits.iter().flat_map(|culprits| &culprits.layers);
    let told = layers.take(CULPRITS).map(|layer| {
        let mut text = format!("two builds of this instruction differ: {}", layer.instruction);
        let mut cures: Vec<&str> = Vec::new();
        for file in layer.files.iter().take(FILES) {
            text.push_str(&format!(
                "\n{}: {} ({})",
                stable_path(&file.path, &file.cause),
                hows(&file.how),
                cause(&file.cause)
            ));
            if !file.cure.is_empty() && !cures.contains(&file.cure.as_str()) {
                cures.push(&file.cure);
            }
        }
        let more = layer.more + layer.files.len().saturating_sub(FILES) as u64;
        if more > 0 {
            text.push_str(&format!("\nand {more} more"));
        }
        for line in layer.note.iter().map(String::as_str).chain(cures) {
            text.push_str(&format!("\n{line}"));
        }
        Remark { location: layer.location.as_ref(), text }
    });
    told.collect()
}

/// A made-up name is another each time, its directory is not.
fn stable_path<'p>(path: &'p str, cause: &str) -> &'p str {
    match path.rsplit_once('/') {
        Some((directory, _)) if cause == "random_name" && !directory.is_empty() => directory,
        _ => path,
    }
}

/// The name of a level, in the middle of a sentence.
pub(super) fn level(level: TrustLevel) -> &'static str {
    match level {
        TrustLevel::Viable => "viable",
        TrustLevel::Consistent => "consistent",
        TrustLevel::Deterministic => "deterministic",
        TrustLevel::Reproducible => "reproducible",
    }
}

/// One elephant for each level reached.
pub(super) fn elephants(trust: Option<TrustLevel>) -> String {
    let reached = match trust {
        None => 0,
        Some(TrustLevel::Viable) => 1,
        Some(TrustLevel::Consistent) => 2,
        Some(TrustLevel::Deterministic) => 3,
        Some(TrustLevel::Reproducible) => 4,
    };
    "🐘".repeat(reached)
}

/// How a check came out, as a word.
pub(super) fn state(state: CheckState) -> &'static str {
    match state {
        CheckState::Match => "match",
        CheckState::Differs => "differs",
        CheckState::Unavailable => "unavailable",
        CheckState::NotAsked => "not asked",
    }
}

/// What was compared: `image digest`.
pub(super) fn check(kind: &str) -> String {
    known::<CheckKind>(kind).map_or_else(|| spaced(kind), |kind| kind.name().trim_start_matches("the ").to_owned())
}

/// A class of cause: `wall clock`.
pub(super) fn cause(word: &str) -> String {
    known::<Cause>(word).map_or_else(|| spaced(word), |cause| cause.name().to_owned())
}

/// How a file differs: `content, modification time`.
pub(super) fn hows(words: &[String]) -> String {
    let told = words.iter().map(|word| match word.as_str() {
        "only_in_a" => "only in the first build".to_owned(),
        "only_in_b" => "only in the second build".to_owned(),
        "kind" => "another kind of file".to_owned(),
        "mtime" => "modification time".to_owned(),
        "xattr" => "extended attributes".to_owned(),
        "link" => "link target".to_owned(),
        other => spaced(other),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The program's own word for it, if it is one.
fn known<T: serde::de::DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests;
