//! Tags as one transaction: look at what each names now, decide which may be put, put the fixed ones and then those that move,
//! read all of them back. If one fails, those already put go back to what they named before. No stage before this touches a tag.

mod decide;
mod put;
mod undo;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::forward::{History, Ours};
use super::{PARALLEL, Place, Staged, or_cancelled};
use crate::config::model::Publish;
use crate::event::Events;
use crate::image::manifest::Manifest;
use crate::image::{Digest, Tag};
use crate::outcome::{OtherTag, PublishedTag, TagFate};
use crate::problem::{Failure, FailureKind, Problem};
use crate::registry::{Fault, RegistryError};

/// How long after a signal a tag that is just being put may still take: better to know that it stands than to wonder.
const LAST_PUT: Duration = Duration::from_millis(400);

/// By what rules tags are put.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The config's.
    pub publish: &'a Publish,
    /// What takes moving tags.
    pub ours: Ours<'a>,
    /// Where commits are compared.
    pub history: &'a History,
}

/// What tagging came to. By build id.
#[derive(Debug, Default)]
pub struct Publication {
    /// Tags that name our images, read back from their registries.
    pub tags: Vec<(String, PublishedTag)>,
    /// Tags wanted that do not.
    pub others: Vec<(String, OtherTag)>,
    /// What a person should know.
    pub notes: Vec<Problem>,
    /// Why it is not all of them.
    pub failure: Option<Failure>,
}

/// One tag in one place.
#[derive(Debug)]
struct Wish<'a> {
    image: &'a Staged,
    place: &'a Place,
    tag: &'a Tag,
    /// What it named when it was last looked at.
    before: Option<Arc<Manifest>>,
    state: State,
}

/// How far a tag is.
#[derive(Debug)]
enum State {
    /// It names our image already.
    Stands,
    /// It will be put.
    Wanted,
    /// It is not ours to take, and why.
    Left(Problem),
    /// The registry took it.
    Put,
    /// The registry may have taken it.
    Doubtful,
    /// Read back: it names our image.
    Confirmed,
    /// Read back: it names another.
    Taken(Digest),
    /// Put back, or found to be as it was.
    Undone,
    /// It could not be put back: it names our image, as last seen.
    Stuck(Problem),
    /// It could not be put back, and nobody knows what it names.
    Lost(Problem),
}

impl Wish<'_> {
    fn moves(&self) -> bool {
        self.place.target.moving.contains(self.tag)
    }

    fn ours(&self) -> &Digest {
        &self.image.manifest.digest
    }

    fn held(&self) -> Option<&Digest> {
        self.before.as_ref().map(|manifest| &manifest.digest)
    }

    /// What it names now, with the bytes.
    async fn look(&self) -> Result<Option<Arc<Manifest>>, RegistryError> {
        match self.place.registry().get_manifest(&self.place.target.repository, self.tag).await {
            Ok(found) => Ok(Some(Arc::new(found))),
            Err(error) if matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Display for Wish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.place.target.repository, self.tag)
    }
}

/// Puts every tag of every image that may be put, or none.
pub async fn tag(staged: &[Staged], rules: Rules<'_>, events: &Events, cancel: &CancellationToken) -> Publication {
    let mut wishes: Vec<Wish<'_>> = staged.iter().flat_map(wishes_of).collect();
    let mut notes = Vec::new();
    let failure = transact(&mut wishes, rules, &mut notes, events, cancel).await.err();
    let mut publication = summary(wishes, failure.is_some());
    publication.notes = notes;
    publication.failure = failure;
    publication
}

async fn transact(
    wishes: &mut [Wish<'_>],
    rules: Rules<'_>,
    notes: &mut Vec<Problem>,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    or_cancelled(survey(wishes), cancel).await??;
    for said in or_cancelled(decide::all(wishes, rules), cancel).await?? {
        events.info(said).await;
    }
    let mut problems = Vec::new();
    for moving in [false, true] {
        if problems.is_empty() {
            problems = put::all(wishes, moving, rules, cancel).await;
        }
    }
    if problems.is_empty() {
        problems = put::read_back(wishes, cancel).await;
    }
    // A tag that another run took at the same moment is whole, and so are ours: nothing is put back for that alone.
    let incomplete = |wish: &Wish<'_>| matches!(wish.state, State::Wanted | State::Doubtful | State::Put);
    if !problems.is_empty() && wishes.iter().any(incomplete) {
        problems.extend(undo::all(wishes, cancel).await);
    }
    // Only now: another run may have taken a tag while the others were put.
    if problems.is_empty() {
        notes.extend(decide::disagreements(wishes));
    }
    tokio::select! {
        biased;
        () = say(wishes, events) => {}
        // A log that takes no more lines must not keep the report from saying what stands.
        () = cancel.cancelled() => {}
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::many(FailureKind::Publish, problems)) }
}

/// One line for each tag that was left, and for each that names our image.
async fn say(wishes: &[Wish<'_>], events: &Events) {
    for wish in wishes {
        match &wish.state {
            State::Left(why) => events.warn(format!("{wish} is left: {}", why.what)).await,
            State::Stands => events.info(format!("unchanged {wish} {}", wish.ours())).await,
            State::Confirmed => events.info(format!("published {wish} {}", wish.ours())).await,
            _ => {}
        }
    }
}

fn wishes_of(image: &Staged) -> impl Iterator<Item = Wish<'_>> {
    let tags = image.places.iter().flat_map(|place| place.target.tags.iter().map(move |tag| (place, tag)));
    tags.map(move |(place, tag)| Wish { image, place, tag, before: None, state: State::Wanted })
}

/// Looks at what every tag names now: what decides, and what a failure goes back to.
async fn survey(wishes: &mut [Wish<'_>]) -> Result<(), Failure> {
    let looked = wishes.iter().map(Wish::look);
    let looked: Vec<_> = stream::iter(looked).buffered(PARALLEL).collect().await;
    let mut problems = Vec::new();
    for (wish, found) in wishes.iter_mut().zip(looked) {
        match found {
            Ok(found) => wish.before = found,
            Err(error) => problems.push(error.problem()),
        }
        if wish.held() == Some(wish.ours()) {
            wish.state = State::Stands;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::many(FailureKind::Publish, problems)) }
}

/// What stands where, in the order of the plan.
fn summary(wishes: Vec<Wish<'_>>, failed: bool) -> Publication {
    let mut publication = Publication::default();
    for wish in wishes {
        let build = wish.image.build().to_owned();
        let ours = wish.ours().clone();
        let held = wish.held().cloned();
        let other = |fate, holds, why: Problem| OtherTag {
            target: wish.place.target.id.clone(),
            repository: wish.place.target.repository.clone(),
            tag: wish.tag.clone(),
            fate,
            holds,
            why: why.what,
            hint: why.hint,
        };
        let unput = || Problem::new("it was not put, because the publication failed before");
        let found = match wish.state {
            State::Stands | State::Confirmed | State::Put | State::Stuck(_) => {
                let (target, repository) = (wish.place.target.id.clone(), wish.place.target.repository.clone());
                let was = held.filter(|held| *held != ours);
                let tag = PublishedTag { target, repository, tag: wish.tag.clone(), digest: ours, was };
                publication.tags.push((build, tag));
                continue;
            }
            State::Left(why) => other(TagFate::Left, held, why),
            State::Wanted => other(TagFate::Left, held, unput()),
            State::Undone if held.is_some() => other(TagFate::PutBack, held, Problem::new("put back after a failure")),
            State::Undone => other(TagFate::Removed, None, Problem::new("removed again after a failure")),
            State::Taken(digest) => {
                other(TagFate::Taken, Some(digest), Problem::new("another run took it at the same moment"))
            }
            State::Doubtful => other(TagFate::Unknown, None, Problem::new("it was being put when the run ended")),
            State::Lost(why) => other(TagFate::Unknown, None, why),
        };
        publication.others.push((build, found));
    }
    debug_assert!(failed || publication.others.iter().all(|(_, other)| other.fate == TagFate::Left));
    publication
}

async fn too_late(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(LAST_PUT).await;
}
