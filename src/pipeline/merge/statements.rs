//! What is said of a merged image: one statement of ours about the whole, and those that its legs brought about theirs.

use crate::crucible::Verified;
use crate::legs::CheckedLeg;
use crate::outcome::Outcome;
use crate::pipeline::ledger;
use crate::plan::Plan;
use crate::problem::{Failure, FailureKind};
use crate::publish::attach::Statement;
use crate::request::Request;

/// By build id. Ours is written to the workspace, too.
///
/// # Errors
/// When it cannot be written down, or a leg speaks of something else.
pub(super) fn all(
    verified: &[Verified],
    checked: &[(String, Vec<CheckedLeg>)],
    request: &Request,
    plan: &Plan,
    outcome: &mut Outcome,
) -> Result<Vec<(String, Vec<Statement>)>, Failure> {
    let mut all = Vec::new();
    for image in verified {
        let id = &image.candidate().build;
        let step = plan.steps.iter().find(|step| step.id == *id);
        let legs = checked.iter().find(|(build, _)| build == id).map(|(_, legs)| legs.as_slice()).unwrap_or_default();
        let Some(step) = step else { continue };
        let begun = legs.iter().filter_map(|leg| leg.document().run.started.parse().ok()).min();
        let started = begun.unwrap_or(outcome.started);
        let Some(ours) = ledger::in_writing(image, (step, started), request, plan, outcome)? else { continue };
        // Ours goes first: it is the one that is signed.
        let mut statements = vec![ours];
        for leg in legs {
            statements.extend(leg.statements().map_err(|problem| Failure::new(FailureKind::Verification, problem))?);
        }
        all.push((id.clone(), statements));
    }
    Ok(all)
}
