//! Carries a plan out. What came or moved since it was made stays, with all it needs; each tag is looked at once more right before
//! it goes. Whatever cannot be deleted stays with everything below it, and fails nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::again::still_true;
use super::order::{Action, Group};
use super::plan::{Question, RetentionPlan};
use super::read::Reader;
use crate::image::Tag;
use crate::problem::Problem;
use crate::registry::{Catalog, Fault, RegistryError};

/// Groups being deleted at a time.
const PARALLEL: usize = 8;
/// How long deleting may take; the next run goes on.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long what has begun may take to end after a signal: an image of which only half is deleted leaves the other half unnamed.
const LAST_WORDS: Duration = Duration::from_millis(800);
/// Problems kept; more of the same help nobody.
const MOST_PROBLEMS: usize = 10;

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Swept {
    /// The plan as it was carried out.
    pub plan: RetentionPlan,
    /// Tags that are gone.
    pub deleted: Vec<Tag>,
    /// How many manifests are gone.
    pub manifests: usize,
    /// Tags of the plan that are still there.
    pub left: Vec<Left>,
    /// Why it is not all done. Fails nothing.
    pub problems: Vec<Problem>,
}

/// A tag that was to go and is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The tag.
    pub tag: Tag,
    /// One phrase.
    pub why: String,
}

/// What a step came to.
enum Done {
    Deleted,
    /// It was not there any more.
    Absent,
    /// Somebody else moved a tag, or nothing could be done: it stays, and what is below it.
    Left(String),
    Failed(RegistryError),
}

/// What is put together while groups end.
#[derive(Default)]
struct Ledger {
    deleted: Vec<Tag>,
    manifests: usize,
    left: Vec<Left>,
    problems: Vec<Problem>,
}

/// Deletes what the plan says.
pub async fn apply(
    catalog: &Catalog,
    question: &Question<'_>,
    plan: RetentionPlan,
    cancel: &CancellationToken,
) -> Swept {
    let plan = match still_true(catalog, question, plan, cancel).await {
        Ok(plan) => plan,
        Err((plan, problem)) => {
            let left = plan
                .going
                .iter()
                .map(|going| Left { tag: going.tag.clone(), why: "it was not tried".to_owned() })
                .collect();
            return Swept { plan, deleted: Vec::new(), manifests: 0, left, problems: vec![problem] };
        }
    };
    let reader = Reader::new(catalog, question.repository);
    // Ended by a signal, by a registry that refuses, or by the time: no group begins after that.
    let stop = cancel.child_token();
    let cannot = Cannot::default();
    let hand = Hand { catalog, question, reader: &reader, stop: &stop, cannot: &cannot };
    let work = async {
        let (tags, manifests): (Vec<_>, Vec<_>) = plan.groups.iter().partition(|group| is_untag(group));
        let mut all = Vec::new();
        // Tags alone one by one: some registries have to be written to for that, and old ones stumble over a tag that is being
        // written while they delete. The first manifest alone, too: where nothing may be deleted one request tells.
        for group in tags.into_iter().chain(manifests.first().copied()) {
            all.push(hand.group(group).await);
        }
        let rest = futures::stream::iter(manifests.into_iter().skip(1)).map(|group| hand.group(group));
        all.extend(rest.buffer_unordered(PARALLEL).collect::<Vec<_>>().await);
        all
    };
    let too_late = async {
        tokio::select! {
            () = cancel.cancelled() => tokio::time::sleep(LAST_WORDS).await,
            () = tokio::time::sleep(PATIENCE) => {
                stop.cancel();
                tokio::time::sleep(LAST_WORDS).await;
            }
        }
    };
    let ledgers = tokio::select! {
        ledgers = work => Some(ledgers),
        () = too_late => None,
    };
    let mut swept = finish(plan, ledgers, cancel.is_cancelled());
    if cannot.untagged.load(Ordering::Relaxed) {
        let note = "the registry deletes nothing that has no tag: it clears away by itself what only old tags needed";
        swept.plan.notes.push(note.to_owned());
    }
    swept
}

fn finish(plan: RetentionPlan, ledgers: Option<Vec<Ledger>>, cancelled: bool) -> Swept {
    let mut swept = Swept { plan, deleted: Vec::new(), manifests: 0, left: Vec::new(), problems: Vec::new() };
    let known = ledgers.is_some();
    for ledger in ledgers.into_iter().flatten() {
        swept.deleted.extend(ledger.deleted);
        swept.manifests += ledger.manifests;
        swept.left.extend(ledger.left);
        swept.problems.extend(ledger.problems);
    }
    let more = swept.problems.len().saturating_sub(MOST_PROBLEMS);
    swept.problems.truncate(MOST_PROBLEMS);
    if more > 0 {
        swept.problems.push(Problem::new(format!("{more} more deletions failed")));
    }
    let why = match (known, cancelled) {
        (true, false) => return swept,
        (_, true) => "deleting was stopped by a signal",
        (false, false) => "deleting took too long",
    };
    let hint = "whatever is still there is whole; the next run goes on";
    swept.problems.push(Problem::new(why).hint(hint));
    swept
}

/// What deletes.
#[derive(Clone, Copy)]
struct Hand<'a> {
    catalog: &'a Catalog,
    question: &'a Question<'a>,
    reader: &'a Reader<'a>,
    stop: &'a CancellationToken,
    cannot: &'a Cannot,
}

/// What this registry was seen not to do, while other things may work.
#[derive(Debug, Default)]
struct Cannot {
    /// It takes no tag away without its image.
    untag: AtomicBool,
    /// It deletes no manifest without a tag (Docker Hub).
    untagged: AtomicBool,
}

impl Cannot {
    /// The flag for an action, if its failing says nothing of others.
    fn flag(&self, action: &Action) -> Option<&AtomicBool> {
        match action {
            Action::Untag(..) => Some(&self.untag),
            Action::Delete(_, tags) => tags.is_empty().then_some(&self.untagged),
        }
    }
}

impl Hand<'_> {
    /// One group, step by step. A step that is not done keeps everything below it.
    async fn group(&self, group: &Group) -> Ledger {
        let mut ledger = Ledger::default();
        let mut blocked = vec![self.stop.is_cancelled(); group.len()];
        for (at, step) in group.iter().enumerate() {
            if blocked[at] {
                ledger.leave(&step.action, "something that is still there may need it, or deleting was stopped");
                continue;
            }
            let flag = self.cannot.flag(&step.action);
            if flag.is_some_and(|cannot| cannot.load(Ordering::Relaxed)) {
                ledger.leave(&step.action, "the registry does not delete it");
                continue;
            }
            match self.step(&step.action).await {
                Done::Deleted => ledger.delete(&step.action),
                Done::Absent => ledger.leave_nothing(&step.action),
                Done::Left(why) => {
                    ledger.leave(&step.action, &why);
                    block(group, at, &mut blocked);
                }
                Done::Failed(error) => {
                    ledger.leave(&step.action, "the registry did not delete it");
                    block(group, at, &mut blocked);
                    match (flag, &error.fault) {
                        (Some(cannot), Fault::Unsupported(_)) => cannot.store(true, Ordering::Relaxed),
                        _ if is_final(&error) => self.stop.cancel(),
                        _ => {}
                    }
                    let by_itself = matches!((&step.action, &error.fault), (Action::Delete(_, tags), Fault::Unsupported(_)) if tags.is_empty());
                    if !by_itself {
                        ledger.problems.push(error.problem());
                    }
                }
            }
        }
        ledger
    }

    async fn step(&self, action: &Action) -> Done {
        let repository = self.question.repository;
        let (tags, digest) = match action {
            Action::Untag(tag, digest) => (std::slice::from_ref(tag), digest),
            Action::Delete(digest, tags) => (tags.as_slice(), digest),
        };
        for tag in tags {
            match self.reader.digest_of(tag).await {
                Ok(Some(now)) if now == *digest => {}
                Ok(None) if matches!(action, Action::Delete(..)) => {}
                Ok(None) => return Done::Absent,
                Ok(Some(_)) => return Done::Left(format!("{tag} was moved by somebody else")),
                Err(error) => return Done::Failed(error),
            }
        }
        let done = match action {
            Action::Untag(tag, _) => self.catalog.untag(repository, tag).await,
            Action::Delete(digest, _) => self.catalog.delete(repository, digest).await,
        };
        match done {
            Ok(()) => Done::Deleted,
            Err(error) if matches!(error.fault, Fault::NotFound) => Done::Absent,
            Err(error) if matches!(error.fault, Fault::Moved) => Done::Left("it was moved by somebody else".to_owned()),
            Err(error) => Done::Failed(error),
        }
    }
}

/// The tag goes alone.
fn is_untag(group: &Group) -> bool {
    group.iter().all(|step| matches!(step.action, Action::Untag(..)))
}

/// The registry will say the same each time, or has failed for so long that the next run had better go on.
fn is_final(error: &RegistryError) -> bool {
    matches!(error.fault, Fault::Unsupported(_)) || error.is_refusal() || error.is_transient()
}

/// Everything below a step stays with it.
fn block(group: &Group, at: usize, blocked: &mut [bool]) {
    let mut stack = vec![at];
    while let Some(at) = stack.pop() {
        stack.extend(group[at].below.iter().copied().filter(|other| !std::mem::replace(&mut blocked[*other], true)));
    }
}

impl Ledger {
    fn delete(&mut self, action: &Action) {
        match action {
            Action::Untag(tag, _) => self.deleted.push(tag.clone()),
            Action::Delete(_, tags) => {
                self.deleted.extend(tags.iter().cloned());
                self.manifests += 1;
            }
        }
    }

    fn leave(&mut self, action: &Action, why: &str) {
        let tags = match action {
            Action::Untag(tag, _) => std::slice::from_ref(tag),
            Action::Delete(_, tags) => tags.as_slice(),
        };
        self.left.extend(tags.iter().map(|tag| Left { tag: tag.clone(), why: why.to_owned() }));
    }

    /// Somebody else was quicker: what was to go is gone.
    fn leave_nothing(&mut self, action: &Action) {
        if let Action::Untag(tag, _) = action {
            self.deleted.push(tag.clone());
        } else {
            self.delete(action);
        }
    }
}

impl Swept {
    /// Nothing was to do, or all of it was done.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.left.is_empty() && self.plan.obstacle.is_none()
    }
}
