//! After a failure: every tag that was put goes back to what it named before, unless somebody else has taken it since.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{PARALLEL, State, Wish};
use crate::problem::Problem;
use crate::registry::Fault;

/// How long after a signal it may take: the process has two seconds in all.
const LAST_WISH: Duration = Duration::from_millis(500);

/// Puts back what was put. Returns what could not be, and if all could, that.
pub(super) async fn all(wishes: &mut [Wish<'_>], cancel: &CancellationToken) -> Vec<Problem> {
    let touched = |wish: &&mut Wish<'_>| matches!(wish.state, State::Put | State::Doubtful | State::Confirmed);
    let work = wishes.iter_mut().filter(touched).map(|wish| async move {
        let state = tokio::select! {
            biased;
            state = one(wish) => state,
            () = last_wish(cancel) => State::Lost(unknown(wish, "a signal stopped the run")),
        };
        wish.state = state;
        match &wish.state {
            State::Undone => None,
            State::Taken(digest) => {
                Some(Problem::new(format!("{wish} was taken by another run and names {digest} now")))
            }
            State::Stuck(why) | State::Lost(why) => Some(why.clone()),
            _ => None,
        }
    });
    let ended: Vec<Option<Problem>> = stream::iter(work).buffer_unordered(PARALLEL).collect().await;
    let undone = ended.iter().filter(|problem| problem.is_none()).count();
    let mut problems: Vec<_> = ended.into_iter().flatten().collect();
    if problems.is_empty() && undone > 0 {
        problems.push(Problem::new("every tag that was put was taken back: each names what it named before"));
    }
    problems
}

/// Reads first: only what still names our image is touched.
async fn one(wish: &Wish<'_>) -> State {
    let (registry, repository) = (wish.place.registry(), &wish.place.target.repository);
    let found = match wish.look().await {
        Ok(found) => found.map(|manifest| manifest.digest.clone()),
        Err(error) => return State::Lost(unknown(wish, &error.to_string())),
    };
    if found.as_ref() == wish.held() {
        return State::Undone;
    }
    match found {
        Some(digest) if digest == *wish.ours() => {}
        Some(digest) => return State::Taken(digest),
        None => return State::Lost(unknown(wish, "somebody else removed it")),
    }
    let done = match &wish.before {
        Some(before) => registry.put_manifest(repository, wish.tag, before).await.map(drop),
        None => match wish.place.catalog.untag(repository, wish.tag).await {
            Err(error) if matches!(error.fault, Fault::NotFound) => Ok(()),
            other => other,
        },
    };
    let now = wish.look().await.map(|found| found.map(|manifest| manifest.digest.clone()));
    match (done, now) {
        (_, Ok(now)) if now.as_ref() == wish.held() => State::Undone,
        (_, Ok(Some(now))) if now != *wish.ours() => State::Taken(now),
        (Err(error), Ok(Some(_))) => State::Stuck(stuck(wish, &error.to_string())),
        (Ok(()), Ok(Some(_))) => State::Stuck(stuck(wish, "the registry says it was done, and it was not")),
        (_, Ok(None)) => State::Lost(unknown(wish, "somebody else removed it")),
        (_, Err(error)) => State::Lost(unknown(wish, &error.to_string())),
    }
}

fn stuck(wish: &Wish<'_>, why: &str) -> Problem {
    let what = match wish.held() {
        Some(before) => format!("{wish} could not be put back to {before} and names {}: {why}", wish.ours()),
        None => format!("{wish} is new, could not be removed again, and names {}: {why}", wish.ours()),
    };
    Problem::new(what)
        .hint("run the job again once the cause is mended: it completes the publication; or put the tag right by hand")
}

fn unknown(wish: &Wish<'_>, why: &str) -> Problem {
    let before = match wish.held() {
        Some(before) => format!("it named {before} before"),
        None => "it was not there before".to_owned(),
    };
    Problem::new(format!("{wish} may name {} or not ({before}): {why}", wish.ours()))
        .hint("look at the tag once the registry answers; running the job again completes the publication")
}

async fn last_wish(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(LAST_WISH).await;
}
