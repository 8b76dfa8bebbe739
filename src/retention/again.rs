//! Whether a plan still holds when it is carried out: every tag is looked at again, and what has come or moved since stays, with all it
//! needs. Registries have no locks; this is as near to one as they let us come.

use std::collections::{BTreeSet, HashMap};

use tokio_util::sync::CancellationToken;

use super::plan::{PATIENCE, Question, RetentionPlan, plan};
use super::read::PARALLEL;
use crate::image::{Digest, Tag};
use crate::problem::Problem;
use crate::registry::{Catalog, Listed};

/// So often a plan is made anew because somebody else was quicker.
const TRIES: usize = 3;

/// The plan, if what it was made of is still so; else one made anew, in which what has changed stays.
pub(super) async fn still_true(
    catalog: &Catalog,
    question: &Question<'_>,
    mut current: RetentionPlan,
    cancel: &CancellationToken,
) -> Result<RetentionPlan, (RetentionPlan, Problem)> {
    let mut busy: BTreeSet<Tag> = question.busy.clone();
    for _ in 0..TRIES {
        if current.going.is_empty() {
            return Ok(current);
        }
        let changed = tokio::select! {
            changed = changed(catalog, question, &current) => changed,
            () = cancel.cancelled() => Err(Problem::new("it was stopped by a signal")),
            () = tokio::time::sleep(PATIENCE) => Err(Problem::new("reading the tags again took too long")),
        };
        let changed = match changed {
            Ok(changed) => changed,
            Err(problem) => return Err((current, problem)),
        };
        if changed.is_empty() {
            return Ok(current);
        }
        busy.extend(changed.iter().cloned());
        let mut anew = plan(catalog, &Question { busy: &busy, ..*question }, cancel).await;
        anew.requests += current.requests;
        anew.notes.push(format!(
            "tags came or moved while this was planned, and stay: {}",
            changed.iter().take(5).map(Tag::as_str).collect::<Vec<_>>().join(", ")
        ));
        current = anew;
    }
    let what = "tags come and go faster than they can be read, so nothing is deleted";
    Err((current, Problem::new(what).hint("the next run tries again")))
}

/// Tags that are new, or point to something else than when the plan was made.
async fn changed(catalog: &Catalog, question: &Question<'_>, plan: &RetentionPlan) -> Result<BTreeSet<Tag>, Problem> {
    let mut known: HashMap<&Tag, Option<&Digest>> = HashMap::new();
    known.extend(plan.staying.iter().map(|tag| (&tag.tag, tag.digest.as_ref())));
    known.extend(plan.going.iter().map(|tag| (&tag.tag, Some(&tag.digest))));
    let listed = catalog.tags(question.repository).await.map_err(|error| error.problem())?;
    let now = catalog.resolve(question.repository, listed, PARALLEL).await.map_err(|error| error.problem())?;
    // One that is gone takes nothing with it that the plan did not know.
    let differs = |entry: &Listed| known.get(&entry.tag).copied().flatten() != entry.digest.as_ref();
    Ok(now.into_iter().filter(differs).map(|entry| entry.tag).collect())
}
