//! From proven content to published tags. Builds nothing; takes nothing but a `Verified`.
//!
//! `stage` makes sure that every target registry holds the content, by digest; `tag` then puts the tags, and reads every one of
//! them back. No tag is put before everything is staged. Putting back what had moved when a later tag fails moves in here.

pub mod attach;
pub mod forward;
pub mod record;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::build::Content;
use crate::crucible::Verified;
use crate::event::Events;
use crate::image::Tag;
use crate::image::manifest::Manifest;
use crate::outcome::PublishedTag;
use crate::plan::TargetPlan;
use crate::problem::{Failure, FailureKind, Problem};
use crate::registry::{self, Registry};

/// How long after a signal a tag that is just being put may still take: better to know that it stands than to wonder.
const LAST_PUT: Duration = Duration::from_millis(500);
/// Requests to registries under way at a time.
const PARALLEL: usize = 8;

/// An image whose content every target registry holds, under no tag.
#[derive(Debug)]
pub struct Staged {
    verified: Verified,
    manifest: Arc<Manifest>,
    places: Vec<(TargetPlan, Registry)>,
}

/// What tagging came to.
#[derive(Debug, Default)]
pub struct Publication {
    /// Tags that stand, by build id, read back from their registries.
    pub tags: Vec<(String, PublishedTag)>,
    /// Why it is not all of them.
    pub failure: Option<Failure>,
}

impl Staged {
    /// Build id.
    pub fn build(&self) -> &str {
        &self.verified.candidate().build
    }

    /// What every registry holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where.
    pub fn places(&self) -> &[(TargetPlan, Registry)] {
        &self.places
    }
}

/// Makes sure that every target holds the image's content, by digest.
///
/// # Errors
/// Every registry that does not, at once.
pub async fn stage(
    verified: Verified,
    targets: &[TargetPlan],
    access: &Access,
    cancel: &CancellationToken,
) -> Result<Staged, Failure> {
    let places = connect(targets, access)?;
    let candidate = verified.candidate();
    let source = match &candidate.content {
        Content::Pushed { targets: pushed } => {
            places.iter().find(|(t, _)| pushed.contains(&t.id)).map(|(t, r)| Source::Registry(r.clone(), t.clone()))
        }
        Content::Layout(layout) => Some(Source::Layout(layout.clone())),
        Content::Elsewhere => None,
    };
    let Some(source) = source else {
        return Err(internal(&format!("the image of {} is nowhere to publish from", candidate.build)));
    };
    let checks = places.iter().map(|place| hold(place, &source, &verified));
    let work = stream::iter(checks).buffer_unordered(PARALLEL).collect::<Vec<_>>();
    let held = or_cancelled(work, cancel).await?;
    let mut manifest = None;
    let mut problems = Vec::new();
    for result in held {
        match result {
            Ok(found) => manifest = Some(found),
            Err(problem) => problems.push(problem),
        }
    }
    match manifest {
        Some(manifest) if problems.is_empty() => Ok(Staged { verified, manifest: Arc::new(manifest), places }),
        _ => Err(Failure::many(FailureKind::Publish, problems)),
    }
}

/// Where content comes from that a registry does not hold yet.
enum Source {
    Registry(Registry, TargetPlan),
    Layout(crate::image::layout::Layout),
}

/// Sends what is missing, and reads back the manifest, whose digest is computed from what the registry sends.
async fn hold(
    (target, registry): &(TargetPlan, Registry),
    source: &Source,
    verified: &Verified,
) -> Result<Manifest, Problem> {
    let digest = &verified.candidate().digest;
    let to = (registry, &target.repository);
    match (source, &verified.candidate().content) {
        (_, Content::Pushed { targets }) if targets.contains(&target.id) => {}
        (Source::Registry(from, holder), _) => {
            registry::copy((from, &holder.repository), to, digest).await.map_err(|e| e.problem())?;
        }
        (Source::Layout(layout), _) => {
            let root = layout.root().map_err(|e| e.problem())?.clone();
            registry::upload_layout(layout, &root, to).await.map_err(|e| e.problem())?;
        }
    }
    let manifest = registry.get_manifest(&target.repository, digest).await.map_err(|e| e.problem())?;
    if manifest.digest == *digest {
        Ok(manifest)
    } else {
        Err(disagreement(target, "content", digest.as_str(), manifest.digest.as_str()))
    }
}

/// Puts every tag of every image, then reads every tag back. After a failure no further tag is put; those that stand are told.
pub async fn tag(staged: &[Staged], events: &Events, cancel: &CancellationToken) -> Publication {
    let failed = CancellationToken::new();
    let all =
        staged.iter().flat_map(|image| image.places.iter().map(move |(target, registry)| (image, target, registry)));
    let puts =
        all.flat_map(|(image, target, registry)| target.tags.iter().map(move |tag| (image, target, registry, tag)));
    let puts = puts.map(|(image, target, registry, tag)| {
        let failed = failed.clone();
        async move {
            if failed.is_cancelled() || cancel.is_cancelled() {
                return None;
            }
            let result = tokio::select! {
                biased;
                result = put(image, target, registry, tag) => result,
                () = too_late(cancel) => Err(Problem::new(format!(
                    "{}:{tag} was being put when a signal stopped the run: it may stand or not",
                    target.repository
                ))),
            };
            match &result {
                Ok(put) => tokio::select! {
                    biased;
                    () = events.info(format!("published {}:{} {}", put.repository, put.tag, put.digest)) => {}
                    // A log that takes no more lines must not keep the report from saying what stands.
                    () = cancel.cancelled() => {}
                },
                Err(_) => failed.cancel(),
            }
            Some((image.build().to_owned(), result))
        }
    });
    let ended = stream::iter(puts).buffered(PARALLEL).collect::<Vec<_>>().await;
    let mut publication = Publication::default();
    let mut problems = Vec::new();
    let mut skipped = 0;
    for result in ended {
        match result {
            Some((build, Ok(put))) => publication.tags.push((build, put)),
            Some((_, Err(problem))) => problems.push(problem),
            None => skipped += 1,
        }
    }
    if cancel.is_cancelled() && skipped > 0 {
        problems.push(Problem::new(format!("stopped by a signal before {skipped} of the tags were put")));
    }
    if !problems.is_empty() {
        let stands: Vec<_> = publication.tags.iter().map(|(_, t)| format!("{}:{}", t.repository, t.tag)).collect();
        if !stands.is_empty() {
            let what = format!("these tags were already put and stand: {}", stands.join(", "));
            problems
                .push(Problem::new(what).hint("run the job again once the cause is mended: it puts the missing ones"));
        }
        publication.failure = Some(Failure::many(FailureKind::Publish, problems));
    }
    publication
}

async fn put(image: &Staged, target: &TargetPlan, registry: &Registry, tag: &Tag) -> Result<PublishedTag, Problem> {
    registry.put_manifest(&target.repository, tag, &image.manifest).await.map_err(|e| e.problem())?;
    let found = registry.get_manifest(&target.repository, tag).await.map_err(|e| e.problem())?;
    if found.digest != image.manifest.digest {
        return Err(disagreement(target, &format!("tag {tag}"), image.manifest.digest.as_str(), found.digest.as_str()));
    }
    Ok(PublishedTag {
        target: target.id.clone(),
        repository: target.repository.clone(),
        tag: tag.clone(),
        digest: found.digest,
        was: None,
    })
}

async fn too_late(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(LAST_PUT).await;
}

fn disagreement(target: &TargetPlan, what: &str, expected: &str, found: &str) -> Problem {
    Problem::new(format!("{}: {what} was published as {expected} and reads back as {found}", target.repository)).hint(
        "another run may have taken the tag at the same moment; run this job again if its image is the one wanted",
    )
}

fn connect(targets: &[TargetPlan], access: &Access) -> Result<Vec<(TargetPlan, Registry)>, Failure> {
    let one = |target: &TargetPlan| access.registry(target).map(|registry| (target.clone(), registry));
    targets.iter().map(one).collect::<Result<_, _>>().map_err(|p| Failure::new(FailureKind::Publish, p))
}

async fn or_cancelled<T>(work: impl Future<Output = T>, cancel: &CancellationToken) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        () = cancel.cancelled() => {
            Err(Failure::new(FailureKind::Interrupted, Problem::new("publishing was stopped by a signal; no tag was put")))
        }
    }
}

fn internal(what: &str) -> Failure {
    Failure::new(FailureKind::Internal, Problem::new(format!("{what}; please file a bug")))
}

#[cfg(test)]
mod tests;
