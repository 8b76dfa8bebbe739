//! The stage of a run: old tags go once the new ones stand. Each plan is shown before it is carried out; trouble is noted and fails
//! nothing.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::shelf::{Shelf, retention, shelves};
use super::{Swept, apply, plan, render};
use crate::access::{Access, published};
use crate::event::{Events, Phase};
use crate::outcome::{BuildState, Outcome};
use crate::plan::{Plan, TargetPlan};
use crate::problem::Problem;
use crate::request::Request;

/// Tidies up where this run has published. Runs of forks publish nothing, so they come to nothing here.
pub async fn sweep(
    request: &Request,
    run: &Plan,
    access: &Access,
    events: &Events,
    cancel: &CancellationToken,
    outcome: &mut Outcome,
) {
    let stands = |target: &TargetPlan| {
        let done = outcome.builds.iter().filter(|build| build.state == BuildState::Done);
        done.flat_map(|build| &build.published).any(|tag| tag.target == target.id)
    };
    let wanted = published(run).filter(|target| retention(request, &target.id).is_some());
    let active: Vec<TargetPlan> = wanted.filter(|target| stands(target)).cloned().collect();
    if active.is_empty() || cancel.is_cancelled() {
        return;
    }
    let shelves = match shelves(request, &active) {
        Ok(shelves) => shelves,
        Err(problem) => return outcome.notes.push(old_tags_stay(problem)),
    };
    let work = async {
        let mut all = Vec::new();
        for mut shelf in shelves {
            let puts = outcome.builds.iter().flat_map(|build| &build.published);
            shelf.ours =
                puts.filter(|put| put.repository == shelf.target.repository).map(|put| put.tag.clone()).collect();
            match tidy(&shelf, request, access, events, cancel).await {
                Ok(swept) => all.push(swept),
                Err(problem) => outcome.notes.push(old_tags_stay(problem)),
            }
        }
        let said = all.iter().map(render::swept).collect::<Vec<_>>().join("; ");
        Ok((all, said))
    };
    // The work never fails.
    let section = Box::pin(events.section("retention", "Old tags", work));
    if let Ok(all) = events.timed(Phase::Retention, None, section).await {
        outcome.notes.extend(all.iter().flat_map(troubles));
        outcome.swept = all;
    }
}

async fn tidy(
    shelf: &Shelf,
    request: &Request,
    access: &Access,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Swept, Problem> {
    let catalog = access.catalog(&shelf.target)?;
    let nobody = BTreeSet::new();
    let question = shelf.question(request, &nobody);
    let plan = plan(&catalog, &question, cancel).await;
    events.info(render::plan(&plan).trim_end()).await;
    Ok(apply(&catalog, &question, plan, cancel).await)
}

/// What a person should know, of one repository.
fn troubles(swept: &Swept) -> Vec<Problem> {
    let plan = &swept.plan;
    let problems = plan.obstacle.iter().chain(&swept.problems).cloned();
    let mut all: Vec<Problem> = problems
        .map(|problem| Problem { what: format!("old tags of {} stay: {}", plan.repository, problem.what), ..problem })
        .collect();
    all.extend(plan.notes.iter().map(|note| Problem::new(format!("{}: {note}", plan.repository))));
    all
}

fn old_tags_stay(problem: Problem) -> Problem {
    Problem { what: format!("old tags stay: {}", problem.what), ..problem }
}
