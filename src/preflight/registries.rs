//! Asks the registries of a plan's targets, all at once and bounded.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::judge::{self, Answer, Seen, Trial};
use super::{Aspect, Check, State, Subject, Verdict, verdict, whisper};
use crate::access::{self, Access};
use crate::config::model::Config;
use crate::event::Events;
use crate::plan::{Plan, TargetPlan};
use crate::registry::{Grant, Provider, Registry, RegistryError};

/// What has not answered by then is unknown.
const LIMIT: Duration = Duration::from_secs(10);
/// How long others may still answer once one check has failed a run, or the run does not wait for anything else.
const MERCY: Duration = Duration::from_millis(500);

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What decides whether a run can succeed, and no longer than that needs.
    Run,
    /// Everything a person may want to know.
    Doctor,
}

/// Beside a run's builds: a check that fails sets `halt`, which stops them. When they have `ended`, what has not answered is
/// not waited for: publishing will tell.
pub async fn watch(
    plan: &Plan,
    config: &Config,
    access: &Access,
    events: &Events,
    halt: &CancellationToken,
    ended: &CancellationToken,
) -> Verdict {
    let checks = check(plan, config, access, Depth::Run, (halt, ended)).await;
    whisper(&checks, events).await;
    let verdict = verdict(&checks);
    if verdict.failure.is_some() {
        halt.cancel();
    }
    verdict
}

/// Every registry of the plan's targets, in the plan's order. A target like one before it is not asked for again. The first
/// token ends this at once, the second soon.
pub async fn check(
    plan: &Plan,
    config: &Config,
    access: &Access,
    depth: Depth,
    (now, soon): (&CancellationToken, &CancellationToken),
) -> Vec<Check> {
    let until = Instant::now() + LIMIT;
    let mut seen = BTreeSet::new();
    let targets = access::published(plan)
        .filter(|target| seen.insert((&target.repository, access.login(target).map(|login| login.source.as_str()))));
    let mut asked: FuturesUnordered<_> = targets
        .enumerate()
        .map(|(i, target)| async move {
            let deletes = config.targets.iter().any(|t| t.id == target.id && t.retention.is_some());
            (i, one(target, access, deletes, depth, until).await)
        })
        .collect();
    let (mut found, mut patience, mut hurried) = (Vec::new(), until + MERCY, false);
    loop {
        tokio::select! {
            next = asked.next() => match next {
                Some((i, checks)) => {
                    hurried |= depth == Depth::Run && checks.iter().any(Check::is_fatal);
                    found.push((i, checks));
                }
                None => break,
            },
            () = soon.cancelled(), if !hurried => hurried = true,
            () = tokio::time::sleep_until(patience) => break,
            () = now.cancelled() => break,
        }
        if hurried {
            patience = patience.min(Instant::now() + MERCY);
        }
    }
    found.sort_by_key(|(i, _)| *i);
    found.into_iter().flat_map(|(_, checks)| checks).collect()
}

async fn one(target: &TargetPlan, access: &Access, deletes: bool, depth: Depth, until: Instant) -> Vec<Check> {
    let place = target.repository.to_string();
    let subject = Subject::Registry { target: target.id.clone(), repository: place.clone() };
    let registry = match access.registry(target) {
        Ok(registry) => registry,
        Err(problem) => return vec![Check::of(&subject, Aspect::Reachable, State::Failed, problem)],
    };
    let login = access.login(target).map(|login| login.source.as_str());
    let seen = Seen { subject: &subject, place: &place, provider: target.provider, login };
    let actions = if target.provider == Provider::Quay { "pull" } else { "pull,push" };
    let entered = within(until, registry.enter(&target.repository, actions)).await;
    let mut checks = seen.door(&entered);
    let Some(Ok(grant)) = entered else { return checks };
    let (push, deletes, referrers) = tokio::join!(
        push(&registry, target, seen, &grant, until),
        async {
            match (deletes || depth == Depth::Doctor, judge::deletes_by_specification(target.provider)) {
                (false, _) => None,
                (true, false) => Some(seen.deletes_elsewhere(deletes)),
                (true, true) => {
                    Some(seen.deletes(&within(until, registry.try_delete(&target.repository)).await, deletes))
                }
            }
        },
        async {
            let asked = depth == Depth::Doctor;
            let answer = if asked { within(until, registry.lists_referrers(&target.repository)).await } else { None };
            asked.then(|| seen.referrers(&answer))
        }
    );
    checks.push(push);
    checks.extend(deletes.into_iter().chain(referrers));
    checks
}

/// The token's own words first; a trial only where it leaves nothing.
async fn push(registry: &Registry, target: &TargetPlan, seen: Seen<'_>, grant: &Grant, until: Instant) -> Check {
    let repository = &target.repository;
    if target.provider == Provider::Quay {
        // Asked for a push, Quay creates what is not there: so only where reading says that it is.
        return match grant.allows("pull") {
            Some(true) => match within(until, registry.enter(repository, "pull,push")).await {
                Some(Ok(grant)) => seen.grant(&grant).unwrap_or_else(|| seen.untried("the token does not say")),
                Some(Err(error)) => seen.upload(&Some(Err(error))),
                None => seen.upload(&None),
            },
            _ => seen.untried("the repository is not there yet, or private, and asking would create it"),
        };
    }
    if let Some(told) = seen.grant(grant) {
        return told;
    }
    match judge::trial(target.provider) {
        Trial::Upload => {}
        Trial::UploadIfThere => match within(until, registry.has_repository(repository)).await {
            Some(Ok(true)) => {}
            Some(Ok(false)) => {
                return seen.untried("the repository is not there yet, and trying could create it");
            }
            Some(Err(error)) => return seen.upload(&Some(Err(error))),
            None => return seen.upload(&None),
        },
        Trial::Never => {
            return seen.untried("the login's rights cannot be read, and trying could leave something behind");
        }
    }
    seen.upload(&within(until, registry.try_upload(repository)).await)
}

async fn within<T>(until: Instant, question: impl Future<Output = Result<T, RegistryError>>) -> Answer<T> {
    tokio::time::timeout_at(until, question).await.ok()
}
