//! Which legs make which image: each platform of each build once, of this very plan, commit and pipeline. Pure.

use std::collections::BTreeMap;

use super::path;
use super::read::Found;
use crate::image::platform::normalise;
use crate::plan::{Plan, Step};
use crate::problem::{Failure, FailureKind, Problem};
use crate::runner::CiContext;

/// The legs of one build.
#[derive(Debug)]
pub struct OfBuild<'a> {
    /// What they are merged for.
    pub step: &'a Step,
    /// One for each platform, in the plan's order; or why not.
    pub legs: Result<Vec<Found>, Problem>,
}

/// Sorts legs to the builds of a plan. Returns them in the plan's order, and what a person should know.
///
/// # Errors
/// Every leg that is of another image, and every leg there are two of, at once.
pub fn sort<'a>(
    plan: &'a Plan,
    context: &CiContext,
    found: Vec<Found>,
) -> Result<(Vec<OfBuild<'a>>, Vec<Problem>), Failure> {
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    let mut legs: BTreeMap<(String, String), Found> = BTreeMap::new();
    for leg in found {
        let build = &leg.document.build;
        if let Some(left) = plan.left_out.iter().find(|left| left.id == *build) {
            notes.push(Problem::new(format!("{} is not merged: build {build} is left out: {}", leg.file, left.why)));
            continue;
        }
        if let Some(problem) = foreign(&leg, plan, context) {
            problems.push(problem);
            continue;
        }
        let key = (build.clone(), leg.document.platform());
        match legs.get(&key) {
            Some(other) => {
                let what = format!("there are two legs {} of build {}: {} and {}", key.1, key.0, other.file, leg.file);
                problems.push(Problem::new(what).hint(format!(
                    "a leg that is run again replaces its document; remove the one that is not to be published (its own name is {})",
                    path(&key.0, &key.1)
                )));
            }
            None => drop(legs.insert(key, leg)),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::many(FailureKind::Input, problems));
    }
    let builds = plan.steps.iter().map(|step| OfBuild { step, legs: of_build(step, &mut legs) }).collect();
    Ok((builds, notes))
}

fn of_build(step: &Step, legs: &mut BTreeMap<(String, String), Found>) -> Result<Vec<Found>, Problem> {
    let (mut all, mut missing) = (Vec::new(), Vec::new());
    for platform in &step.platforms {
        match legs.remove(&(step.id.clone(), normalise(platform))) {
            Some(leg) => all.push(leg),
            None => missing.push(platform.as_str()),
        }
    }
    if missing.is_empty() {
        return Ok(all);
    }
    let (legs, they) = if missing.len() == 1 { ("the leg", "it") } else { ("the legs", "them") };
    let what = format!(
        "build {} cannot be merged: {legs} {} {} missing",
        step.id,
        missing.join(", "),
        match missing.len() {
            1 => "is",
            _ => "are",
        }
    );
    Err(Problem::new(what).hint(format!(
        "look at the job that was to build {they} (`stagefreight run --platform-leg {}`), and hand its {} on to this job",
        missing[0],
        path(&step.id, missing[0])
    )))
}

/// Why a leg is of another image than this run's, if it is.
fn foreign(leg: &Found, plan: &Plan, context: &CiContext) -> Option<Problem> {
    let (file, leg) = (&leg.file, &leg.document);
    let other = |what: String, hint: &str| Some(Problem::new(format!("{file} is of another {what}")).hint(hint));
    let both = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    let named = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let stale = "merge what the legs of this very run wrote: remove documents of other runs, or run the legs again";
    let inputs =
        "give legs and merge the same configuration and inputs (platforms, build arguments, target, build mode)";
    if both(&leg.run.repository, &context.repository) {
        let (theirs, ours) = (named(&leg.run.repository), named(&context.repository));
        return other(format!("repository: {theirs}, and this run is of {ours}"), stale);
    }
    if leg.commit != plan.commit {
        let (theirs, ours) = (named(&leg.commit), named(&plan.commit));
        return other(format!("commit: {theirs}, and this run is of {ours}"), stale);
    }
    if both(&leg.run.pipeline, &context.pipeline) {
        let (theirs, ours) = (named(&leg.run.pipeline), named(&context.pipeline));
        return other(format!("pipeline run: {theirs}, and this one is {ours}"), stale);
    }
    let Some(step) = plan.steps.iter().find(|step| step.id == leg.build) else {
        let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
        let what = format!("{file} is of build `{}`, which this run does not have", leg.build.escape_debug());
        return Some(Problem::new(what).hint(format!("the builds are: {}", ids.join(", "))));
    };
    if leg.version != plan.version.full {
        let what = format!("version: {}, and this run is of {}", leg.version, plan.version.full);
        return other(
            what,
            "check out the same commit with the same tags in every job (`fetch-depth: 0`; GIT_DEPTH: 0)",
        );
    }
    let spelled = |all: &[String]| all.iter().map(|platform| normalise(platform)).collect::<Vec<_>>();
    if spelled(&leg.platforms) != spelled(&step.platforms) {
        let what =
            format!("set of platforms: {}, and this run is of {}", leg.platforms.join(", "), step.platforms.join(", "));
        return other(what, inputs);
    }
    if leg.plan_hash != step.plan_hash || leg.source_date_epoch != step.epoch {
        return other(format!("plan of build {}", step.id), inputs);
    }
    None
}
