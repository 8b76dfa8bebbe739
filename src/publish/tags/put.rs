//! Putting tags, and reading them back.

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::decide::{self, Verdict};
use super::{PARALLEL, Rules, State, Wish, too_late};
use crate::problem::Problem;

/// Puts the tags of one kind, several at a time. After a failure, or a signal, none is begun. Returns what went wrong.
pub(super) async fn all(
    wishes: &mut [Wish<'_>],
    moving: bool,
    rules: Rules<'_>,
    cancel: &CancellationToken,
) -> Vec<Problem> {
    let failed = CancellationToken::new();
    let puts =
        wishes.iter_mut().filter(|wish| wish.moves() == moving && matches!(wish.state, State::Wanted)).map(|wish| {
            let failed = failed.clone();
            async move {
                if failed.is_cancelled() || cancel.is_cancelled() {
                    return Ok(());
                }
                let result = tokio::select! {
                    biased;
                    result = one(wish, rules) => result,
                    () = too_late(cancel) => {
                        wish.state = State::Doubtful;
                        Err(Problem::new(format!("{wish} was being put when a signal stopped the run")))
                    }
                };
                if result.is_err() {
                    failed.cancel();
                }
                result
            }
        });
    let ended: Vec<_> = stream::iter(puts).buffer_unordered(PARALLEL).collect().await;
    let mut problems: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    let waiting = wishes.iter().filter(|wish| matches!(wish.state, State::Wanted)).count();
    if problems.is_empty() && cancel.is_cancelled() && waiting > 0 {
        problems.push(Problem::new(format!("stopped by a signal before {waiting} of the tags were put")));
    }
    problems
}

async fn one(wish: &mut Wish<'_>, rules: Rules<'_>) -> Result<(), Problem> {
    if wish.moves() {
        look_again(wish, rules).await?;
        if !matches!(wish.state, State::Wanted) {
            return Ok(());
        }
    }
    // Until the registry says that it took it, it may have.
    wish.state = State::Doubtful;
    let repository = &wish.place.target.repository;
    wish.place.registry().put_manifest(repository, wish.tag, &wish.image.manifest).await.map_err(|e| e.problem())?;
    wish.state = State::Put;
    Ok(())
}

/// Another run may have taken the tag since everything was decided; registries have no lock, so this only makes the gap small.
async fn look_again(wish: &mut Wish<'_>, rules: Rules<'_>) -> Result<(), Problem> {
    let found = wish.look().await.map_err(|e| e.problem())?;
    let changed = found.as_ref().map(|m| &m.digest) != wish.held();
    wish.before = found;
    if wish.held() == Some(wish.ours()) {
        wish.state = State::Stands;
    } else if changed && wish.held().is_some() {
        match decide::verdict(wish, rules).await {
            Verdict::Take | Verdict::Pass(_) => {}
            Verdict::Leave(why) => wish.state = State::Left(why),
            Verdict::Refuse(why) => return Err(why),
        }
    }
    Ok(())
}

/// Reads every tag that should name our image, by its bytes. Returns what went wrong.
pub(super) async fn read_back(wishes: &mut [Wish<'_>], cancel: &CancellationToken) -> Vec<Problem> {
    let reads = wishes.iter_mut().filter(|wish| matches!(wish.state, State::Put | State::Stands)).map(|wish| async move {
        tokio::select! {
            biased;
            found = wish.look() => judge(wish, found.map(|found| found.map(|m| m.digest.clone())).map_err(|e| e.problem())),
            () = too_late(cancel) => Some(Problem::new(format!("{wish} was put, and a signal came before it was read back"))),
        }
    });
    let ended: Vec<_> = stream::iter(reads).buffer_unordered(PARALLEL).collect().await;
    ended.into_iter().flatten().collect()
}

/// What a reading says. A tag that names another image now belongs to another run, or its registry does not keep what it takes.
fn judge(wish: &mut Wish<'_>, found: Result<Option<crate::image::Digest>, Problem>) -> Option<Problem> {
    let ours = wish.ours().clone();
    let stood = matches!(wish.state, State::Stands);
    match found {
        Ok(Some(digest)) if digest == ours => {
            if !stood {
                wish.state = State::Confirmed;
            }
            None
        }
        Ok(Some(digest)) => {
            let what = format!("{wish} was published as {ours} and reads back as {digest}");
            wish.state = State::Taken(digest);
            Some(Problem::new(what).hint("another run may have taken the tag at the same moment, or the registry does not keep what it is given; run this job again if its image is the one wanted"))
        }
        Ok(None) => Some(
            Problem::new(format!("{wish} was published and is not there when it is read back"))
                .hint("the registry does not keep what it is given: look at its log and storage"),
        ),
        Err(problem) => Some(problem),
    }
}
