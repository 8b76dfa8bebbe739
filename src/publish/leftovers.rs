//! What a failed publication leaves under no tag. Only what was not there before this run is taken away, and only where no tag
//! holds it: another run may have put one meanwhile.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{PARALLEL, Place, Staged};
use crate::image::{Digest, Tag};
use crate::problem::Problem;
use crate::registry::referrers::fallback_tag;
use crate::registry::{Fault, RegistryError};

/// A repository with more tags is not searched for one that holds what should go: it stays.
const MOST_TAGS: usize = 1000;
/// What cosign 2 puts behind the digest of what it signs.
const SIGNATURES: [&str; 3] = [".sig", ".att", ".sbom"];

/// After a failure: takes away what these images brought. Returns what could not be, for people.
pub async fn clear(staged: &[Staged], cancel: &CancellationToken) -> Vec<Problem> {
    let places: Vec<Place> = staged.iter().flat_map(|image| image.places.iter().cloned()).collect();
    take_away(&places, cancel).await
}

pub(super) async fn take_away(places: &[Place], cancel: &CancellationToken) -> Vec<Problem> {
    let brought = places.iter().filter(|place| !place.brought.is_empty());
    let work = brought.map(|place| async {
        let stays = |why: String| {
            let what = format!("what was sent to {} stays there under no tag: {why}", place.target.repository);
            Some(
                Problem::new(what)
                    .hint("it harms nothing: the next run uses it, or the registry's garbage collection removes it"),
            )
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => stays("a signal stopped the run".to_owned()),
            done = from_one(place) => match done {
                Ok(None) => None,
                Ok(Some(why)) => stays(why),
                Err(error) => stays(error.to_string()),
            },
        }
    });
    stream::iter(work).buffer_unordered(PARALLEL).filter_map(std::future::ready).collect().await
}

/// Why it stays under no tag, if it does.
async fn from_one(place: &Place) -> Result<Option<String>, RegistryError> {
    match use_of(place).await? {
        Use::None => {}
        Use::Tagged => return Ok(None),
        Use::Unknown(why) => return Ok(Some(why)),
    }
    // Parents first: a registry may refuse to lose what an index names. What was said about an image goes before it.
    for digest in place.brought.iter().rev() {
        said_about(place, digest).await?;
        gone(place.catalog.delete(&place.target.repository, digest).await)?;
    }
    Ok(None)
}

/// What tags hold of what was brought.
enum Use {
    None,
    Tagged,
    Unknown(String),
}

/// Asks every tag, other than those that only say something about an image.
async fn use_of(place: &Place) -> Result<Use, RegistryError> {
    let repository = &place.target.repository;
    let tags = match place.catalog.tags(repository).await {
        Ok(tags) => tags,
        // Where there is content and no tag.
        Err(error) if matches!(error.fault, Fault::NameUnknown | Fault::NotFound) => return Ok(Use::None),
        Err(error) => return Err(error),
    };
    if tags.len() > MOST_TAGS {
        return Ok(Use::Unknown(format!("more than {MOST_TAGS} tags there may hold it")));
    }
    let names: Vec<String> = place.brought.iter().map(fallback_tag).collect();
    let others = tags.into_iter().filter(|listed| !names.iter().any(|name| listed.tag.as_str().starts_with(name)));
    let asked = others.map(|listed| async move {
        match listed.digest {
            Some(digest) => Ok(Some(digest)),
            None => Ok(place.registry().head_manifest(repository, &listed.tag).await?.and_then(|head| head.digest)),
        }
    });
    let held = stream::iter(asked).buffer_unordered(PARALLEL).try_any(|digest: Option<Digest>| {
        std::future::ready(digest.is_some_and(|digest| place.brought.contains(&digest)))
    });
    Ok(if held.await? { Use::Tagged } else { Use::None })
}

/// Deletes attestations and signatures of something that was not there before, so they are ours.
async fn said_about(place: &Place, subject: &Digest) -> Result<(), RegistryError> {
    let repository = &place.target.repository;
    for referrer in crate::registry::referrers::list(place.registry(), repository, subject, None).await? {
        gone(place.catalog.delete(repository, &referrer.descriptor.digest).await)?;
    }
    let name = fallback_tag(subject);
    for tag in std::iter::once(name.clone()).chain(SIGNATURES.map(|suffix| format!("{name}{suffix}"))) {
        let Ok(tag) = tag.parse::<Tag>() else { continue };
        if let Some(digest) = place.registry().head_manifest(repository, &tag).await?.and_then(|head| head.digest) {
            gone(place.catalog.delete(repository, &digest).await)?;
        }
    }
    Ok(())
}

/// What is not there is gone.
fn gone(deleted: Result<(), RegistryError>) -> Result<(), RegistryError> {
    match deleted {
        Err(error) if matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => Ok(()),
        other => other,
    }
}
