//! `stagefreight init`: a configuration and a workflow for a repository, by looking at it.
//!
//! Looks (`look`), decides what the files say (`config`, `workflow`, `ignores`), and puts them down (`files`). Asks no network,
//! overwrites nothing unless told to, and never starts a run.

pub(crate) mod builds;
pub(crate) mod config;
pub(crate) mod files;
mod ignores;
mod look;
mod versions;
mod workflow;

use std::fmt::Write as _;
use std::io::Write as _;

use crate::environment::Environment;
use crate::problem::{Failure, FailureKind, Problem};
use crate::redact::Redactor;
use crate::run::complain;

pub use look::Forge;

use files::{Change, Fate};
use look::Seen;

/// What was asked on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The forge; told by the repository where it is not given.
    pub forge: Option<Forge>,
    /// Show, and write nothing.
    pub dry_run: bool,
    /// Write over files that are there.
    pub force: bool,
}

/// Looks, writes, and says what and why. Returns the exit code: 0 done, 1 a file that is there was left alone or could not be
/// written, or nothing tells which workflow is wanted; 2 there is nothing to start from.
pub fn run(env: &Environment, call: &Call) -> u8 {
    let result = look::look(env, call.forge).and_then(|seen| {
        let changes = changes(&seen)?;
        let fates = files::apply(&seen.root, &changes, call.dry_run, call.force);
        Ok((told(&seen, &changes, &fates, call), fates, seen.forge.is_none()))
    });
    match result {
        Ok((text, fates, incomplete)) => {
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            u8::from(incomplete || fates.iter().any(|fate| matches!(fate, Fate::LeftAlone | Fate::Failed(_))))
        }
        Err(problem) => complain(&Failure::new(FailureKind::Input, problem), &Redactor::default()),
    }
}

/// Everything that is to be written, the configuration first.
fn changes(seen: &Seen) -> Result<Vec<Change>, Problem> {
    let config = config::text(seen);
    // What is written has to load: said here rather than in the user's first job.
    if let Err(problems) = crate::config::load(&config, ".stagefreight.yml") {
        let first = problems.into_iter().next().map(|problem| problem.what).unwrap_or_default();
        return Err(Problem::new(format!("the configuration for this repository would not load: {first}"))
            .hint("this is a fault of ours; please file a bug, with the names of the Dockerfiles and of `origin`"));
    }
    let mut changes = vec![Change::create(".stagefreight.yml", config)];
    changes.extend(workflow::change(seen));
    changes.extend(ignores::changes(seen));
    Ok(changes)
}

/// What a person reads.
fn told(seen: &Seen, changes: &[Change], fates: &[Fate], call: &Call) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Seen in {}", seen.root.display());
    for (what, why) in &seen.reasons {
        let _ = writeln!(out, "  {what}: {why}");
    }
    out.push('\n');
    for (change, fate) in changes.iter().zip(fates) {
        let _ = writeln!(out, "{}", fate.sentence(change));
        if call.dry_run || (matches!(fate, Fate::LeftAlone) && change.is_new_file()) {
            for line in change.text.lines() {
                let _ = writeln!(out, "  | {line}");
            }
        }
    }
    if seen.forge.is_none() {
        out.push_str("no workflow: nothing tells which forge builds this, and which registry its images go to; so there is no target, either\n");
    }
    out.push_str(&next(seen, fates, call));
    files::shown(&out)
}

/// What to call where the forge is not known.
const WITH_FORGE: &str = "  stagefreight init --force --forge FORGE   with targets and a workflow: FORGE is github, gitea, forgejo or gitlab\n";

fn next(seen: &Seen, fates: &[Fate], call: &Call) -> String {
    let mut out = String::from("\nNext\n");
    if call.dry_run {
        out.push_str("  stagefreight init             write this\n");
        out.push_str(seen.forge.map_or(WITH_FORGE, |_| ""));
        return out;
    }
    if seen.forge.is_none() {
        out.push_str(WITH_FORGE);
    } else if fates.iter().any(|fate| matches!(fate, Fate::LeftAlone)) {
        out.push_str(
            "  stagefreight init --force     write over what is there; or take from the above what you want\n",
        );
    }
    out.push_str("  stagefreight plan             what a run would do, and why; touches nothing\n");
    out.push_str("  stagefreight run --local      build, load into docker, publish nothing\n");
    if let Some(forge) = seen.forge {
        let _ = writeln!(out, "  then commit, push, and look at the {}", forge.pipeline());
    }
    for step in workflow::by_hand(seen) {
        let _ = writeln!(out, "  by hand: {step}");
    }
    out
}

#[cfg(test)]
mod tests;
