//! The last part of the line: staged, attested, signed, tagged; and what a failure leaves is taken away again.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::ledger;
use crate::access::Access;
use crate::crucible::Verified;
use crate::event::{Events, Phase};
use crate::outcome::Outcome;
use crate::plan::{Output, Plan, TargetPlan};
use crate::problem::Failure;
use crate::publish::attach::Statement;
use crate::publish::forward::{History, Ours};
use crate::publish::{self, Rules, Staged};
use crate::request::Request;
use crate::retention;
use crate::rundir::RunDir;
use crate::sign::{self, Signing};

/// What publication needs to know and to use.
#[derive(Clone, Copy)]
pub(super) struct Publishing<'a> {
    pub(super) request: &'a Request,
    pub(super) plan: &'a Plan,
    pub(super) signing: &'a Signing,
    pub(super) access: &'a Access,
    pub(super) private: &'a RunDir,
    pub(super) events: &'a Events,
    pub(super) cancel: &'a CancellationToken,
}

/// Publishes, writes down what stands, and lets old tags go: how every run ends that puts tags.
///
/// # Errors
/// Why it is not all of it.
pub(super) async fn to_the_end(
    verified: Vec<Verified>,
    statements: &[(String, Vec<Statement>)],
    at: Publishing<'_>,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let Publishing { request, plan, access, events, cancel, .. } = at;
    let published = publish(verified, statements, at, outcome).await;
    // The record of what stands in the registries, whether that is all of it or not.
    let recorded = ledger::write_record(request, plan, outcome);
    let done = match (published, recorded) {
        (Err(failure), Err(more)) => Err(Failure { problems: [failure.problems, more.problems].concat(), ..failure }),
        (published, recorded) => published.and(recorded),
    };
    // Old tags go, only where everything new stands. Trouble with them fails nothing.
    if done.is_ok() {
        retention::sweep(request, plan, access, events, cancel, outcome).await;
    }
    done
}

/// Publishes what was let through the gate, as far as the plan has targets for it.
///
/// # Errors
/// Why it is not all of it. What stands is noted in `outcome`.
async fn publish(
    verified: Vec<Verified>,
    statements: &[(String, Vec<Statement>)],
    at: Publishing<'_>,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let wanted: BTreeMap<_, _> =
        at.plan.steps.iter().filter_map(|s| Some((s.id.as_str(), targets(&s.output)?))).collect();
    let verified: Vec<_> =
        verified.into_iter().filter(|image| wanted.contains_key(image.candidate().build.as_str())).collect();
    if verified.is_empty() {
        return Ok(());
    }
    let work = async {
        let mut staged = Vec::new();
        match transact(verified, &wanted, statements, at, &mut staged, outcome).await {
            Ok(count) => {
                outcome.notes.extend(publish::scan(&staged, at.events, at.cancel).await);
                Ok(((), format!("{count} tags")))
            }
            Err(mut failure) => {
                failure.problems.extend(publish::clear(&staged, at.cancel).await);
                ledger::forget_signatures(&mut outcome.builds);
                Err(failure)
            }
        }
    };
    at.events.section("publish", "Publish", work).await
}

/// How many tags name our images.
async fn transact(
    verified: Vec<Verified>,
    wanted: &BTreeMap<&str, &[TargetPlan]>,
    statements: &[(String, Vec<Statement>)],
    at: Publishing<'_>,
    staged: &mut Vec<Staged>,
    outcome: &mut Outcome,
) -> Result<usize, Failure> {
    let Publishing { request, plan, signing, access, private, events, cancel } = at;
    for image in verified {
        let targets = wanted.get(image.candidate().build.as_str()).copied().unwrap_or_default();
        let build = image.candidate().build.clone();
        let work = publish::stage(image, targets, access, cancel);
        staged.push(Box::pin(events.timed(Phase::Stage, Some(&build), work)).await?);
    }
    for image in staged.iter() {
        if let Some((_, said)) = statements.iter().find(|(build, _)| build == image.build()) {
            let work = publish::attach::attach(image, said, cancel);
            events.timed(Phase::Sign, Some(image.build()), work).await?;
        }
    }
    // Signed by digest, before any tag names it.
    let work = sign::staged(signing, staged, statements, access, events, cancel);
    let signatures = Box::pin(events.timed(Phase::Sign, None, work)).await?;
    ledger::note_signatures(signatures, &mut outcome.builds);
    let release = plan.version.release && request.context.tag.is_some();
    let rules = Rules {
        publish: &plan.publish,
        ours: Ours { revision: plan.commit.as_deref(), version: &plan.version, release },
        history: &History::new(request, access, private, cancel),
    };
    let work = async {
        let publication = publish::tag(staged, rules, events, cancel).await;
        if publication.failure.is_none() { Ok(publication) } else { Err(publication) }
    };
    let (Ok(publication) | Err(publication)) = Box::pin(events.timed(Phase::Tag, None, work)).await;
    // Noted before anything else is waited for: a signal may end this at any time.
    ledger::note_publication(publication, outcome)
}

pub(super) fn targets(output: &Output) -> Option<&[TargetPlan]> {
    match output {
        Output::Publish { targets } => Some(targets),
        _ => None,
    }
}
