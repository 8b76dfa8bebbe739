//! Runs the plan's builds: in the order `depends_on` asks for, independent ones side by side, bounded.
//!
//! One BuildKit solve a build. Publishes nothing under any name; a build that fails is a value, not an error: what becomes
//! of the run is decided by who reads it.

pub mod blame;
mod candidate;
pub mod cold;
mod deliver;
mod exports;
mod place;
mod reports;
mod solve;

pub use candidate::{Candidate, Content, FirstPass, Piece, Pieces};
pub use deliver::deliver;
pub use reports::in_the_way;

use std::collections::BTreeMap;
use std::path::Path;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use semver::Version;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::backend::Builder;
use crate::buildx::progress::Format;
use crate::buildx::tool::Buildx;
use crate::engine::Engine;
use crate::event::Events;
use crate::outcome::{BuildOutcome, BuildState};
use crate::plan::{Plan, Step};
use crate::rundir::RunDir;

/// How many builds run at a time. BuildKit schedules steps across them itself; more would only interleave logs.
const SIDE_BY_SIDE: usize = 4;

/// What builds are made with.
#[derive(Debug, Clone, Copy)]
pub struct Workshop<'a> {
    /// buildx.
    pub buildx: &'a Buildx,
    /// The builder.
    pub builder: &'a Builder,
    /// Version of buildx.
    pub version: &'a Version,
    /// How buildx prints progress.
    pub format: Format,
    /// Logins: which targets the builder can push to.
    pub access: &'a Access,
    /// The engine, if there is one.
    pub engine: Option<&'a Engine>,
    /// The run's private directory.
    pub run: &'a RunDir,
    /// Root of the checkout.
    pub root: &'a Path,
    /// Where progress goes.
    pub events: &'a Events,
    /// Set when a signal came.
    pub cancel: &'a CancellationToken,
}

/// A build that ended, well or badly.
#[derive(Debug)]
pub struct Built {
    /// What is reported.
    pub outcome: BuildOutcome,
    /// The image, if there is one.
    pub candidate: Option<Candidate>,
}

/// Runs every build of a plan; the result has one for each step, in the plan's order.
pub async fn run(plan: &Plan, shop: Workshop<'_>) -> Vec<Built> {
    let mut ended: BTreeMap<usize, Built> = BTreeMap::new();
    let mut waiting: Vec<usize> = (0..plan.steps.len()).collect();
    let mut running = FuturesUnordered::new();
    loop {
        let ready = waiting
            .iter()
            .copied()
            .filter(|&i| dependencies_ended(plan, i, &ended))
            .take(SIDE_BY_SIDE.saturating_sub(running.len()));
        for i in ready.collect::<Vec<_>>() {
            waiting.retain(|&other| other != i);
            let step = &plan.steps[i];
            match obstacle(plan, step, &ended, shop.cancel) {
                Some(why) => drop(ended.insert(i, not_run(step, why))),
                None => {
                    let dependencies = exports::dependencies(plan, step, &ended, shop.root);
                    running.push(async move { (i, solve::run(i, step, &dependencies, shop).await) });
                }
            }
        }
        match running.next().await {
            Some((i, built)) => drop(ended.insert(i, built)),
            None if waiting.is_empty() => break,
            // What was ruled out just now may have been what others waited for.
            None if waiting.iter().any(|&i| dependencies_ended(plan, i, &ended)) => {}
            // Plans have no circles; waiting for one would never end.
            None => {
                let circle = |&i: &usize| (i, not_run(&plan.steps[i], "it waits for itself".to_owned()));
                ended.extend(waiting.iter().map(circle).collect::<Vec<_>>());
                break;
            }
        }
    }
    ended.into_values().collect()
}

fn dependencies_ended(plan: &Plan, i: usize, ended: &BTreeMap<usize, Built>) -> bool {
    let has_ended = |id: &String| plan.steps.iter().position(|s| s.id == *id).is_none_or(|d| ended.contains_key(&d));
    plan.steps[i].depends_on.iter().all(has_ended)
}

/// Why a build whose turn has come is not run.
fn obstacle(plan: &Plan, step: &Step, ended: &BTreeMap<usize, Built>, cancel: &CancellationToken) -> Option<String> {
    if cancel.is_cancelled() {
        return Some("the run was stopped before its turn".to_owned());
    }
    let failed = |id: &&String| {
        let built = plan.steps.iter().position(|s| s.id == **id).and_then(|d| ended.get(&d));
        built.is_some_and(|b| b.outcome.state != BuildState::Done)
    };
    step.depends_on.iter().find(failed).map(|id| format!("it depends on {id}, which was not built"))
}

fn not_run(step: &Step, why: String) -> Built {
    Built { outcome: blank(step, BuildState::NotRun { why }), candidate: None }
}

/// An outcome with nothing in it yet.
pub(crate) fn blank(step: &Step, state: BuildState) -> BuildOutcome {
    BuildOutcome {
        id: step.id.clone(),
        required: step.required,
        state,
        took: std::time::Duration::ZERO,
        layers: Vec::new(),
        caches: Vec::new(),
        warnings: Vec::new(),
        digest: None,
        image_id: None,
        metadata: None,
        verified: None,
        proof: None,
        published: Vec::new(),
        others: Vec::new(),
        signatures: Vec::new(),
        loaded: Vec::new(),
        layout: None,
        leg: None,
        legs: Vec::new(),
    }
}
