//! From proven content to published tags. Builds nothing; takes nothing but a `Verified`.
//!
//! `stage` makes sure that every target registry holds the content, by digest; `attach` and signing say what it is; `tag` then
//! puts the tags, all or none, and reads every one of them back. What a failed publication left under no tag, `leftovers` takes
//! away again.

pub mod attach;
pub mod forward;
mod leftovers;
mod pieces;
pub mod record;
mod tags;

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::build::Content;
use crate::crucible::Verified;
use crate::event::Events;
use crate::image::Digest;
use crate::image::manifest::Manifest;
use crate::plan::TargetPlan;
use crate::problem::{Failure, FailureKind, Problem};
use crate::registry::{self, Catalog, Copied, Registry, TransferError};

pub use leftovers::clear;
pub use tags::{Publication, Rules, tag};

/// Requests to registries under way at a time.
const PARALLEL: usize = 8;

/// An image whose content every target registry holds, under no tag.
#[derive(Debug)]
pub struct Staged {
    verified: Verified,
    manifest: Arc<Manifest>,
    places: Vec<Place>,
}

/// A target, and what this run brought to it.
#[derive(Debug, Clone)]
struct Place {
    target: TargetPlan,
    catalog: Catalog,
    /// Manifests that were not there when this run began, children before parents. Empty where the build itself pushed: nobody
    /// looked before it.
    brought: Vec<Digest>,
}

impl Place {
    fn registry(&self) -> &Registry {
        self.catalog.registry()
    }
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
    pub fn places(&self) -> impl Iterator<Item = (&TargetPlan, &Registry)> {
        self.places.iter().map(|place| (&place.target, place.registry()))
    }
}

/// Has registries that scan when they are asked (Harbor) scan what was published. Returns what did not work, for people.
pub async fn scan(staged: &[Staged], events: &Events, cancel: &CancellationToken) -> Vec<Problem> {
    let places = staged.iter().flat_map(|image| image.places.iter().map(move |place| (image, place)));
    let asked = places.filter(|(_, place)| place.target.scan).map(|(image, place)| async move {
        let repository = &place.target.repository;
        match place.catalog.scan(repository, &image.manifest.digest).await {
            Ok(true) => events.info(format!("{repository} was asked to scan {}", image.manifest.digest)).await,
            Ok(false) => {}
            Err(error) => return Some(error.problem()),
        }
        None
    });
    let asked = stream::iter(asked).buffer_unordered(PARALLEL).filter_map(std::future::ready).collect();
    or_cancelled(asked, cancel).await.unwrap_or_default()
}

/// Makes sure that every target holds the image's content, by digest. If one does not, what was brought to the others is taken
/// away again.
///
/// # Errors
/// Every registry that does not, at once.
pub async fn stage(
    verified: Verified,
    targets: &[TargetPlan],
    access: &Access,
    cancel: &CancellationToken,
) -> Result<Staged, Failure> {
    let mut places = connect(targets, access)?;
    let candidate = verified.candidate();
    let source = match &candidate.content {
        Content::Pushed { targets: pushed } => places
            .iter()
            .find(|place| pushed.contains(&place.target.id))
            .map(|place| Source::Registry(place.registry().clone(), place.target.clone())),
        Content::Layout(layout) => Some(Source::Layout(layout.clone())),
        Content::Pieces(whole) => Some(Source::Pieces(pieces::Assembly::new(whole, &places))),
        Content::Elsewhere => None,
    };
    let Some(source) = source else {
        return Err(internal(&format!("the image of {} is nowhere to publish from", candidate.build)));
    };
    let work = places.iter_mut().map(|place| hold(place, &source, &verified));
    let held = or_cancelled(stream::iter(work).buffer_unordered(PARALLEL).collect::<Vec<_>>(), cancel).await?;
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
        _ => {
            problems.extend(leftovers::take_away(&places, cancel).await);
            Err(Failure::many(FailureKind::Publish, problems))
        }
    }
}

/// Where content comes from that a registry does not hold yet.
enum Source {
    Registry(Registry, TargetPlan),
    Layout(crate::image::layout::Layout),
    Pieces(pieces::Assembly),
}

/// Sends what is missing, and reads back the manifest, whose digest is computed from what the registry sends.
async fn hold(place: &mut Place, source: &Source, verified: &Verified) -> Result<Manifest, Problem> {
    let digest = &verified.candidate().digest;
    match (source, &verified.candidate().content) {
        (_, Content::Pushed { targets }) if targets.contains(&place.target.id) => {}
        _ => place.brought = send(place, source, digest).await?.manifests,
    }
    let repository = &place.target.repository;
    let manifest = place.registry().get_manifest(repository, digest).await.map_err(|e| e.problem())?;
    if manifest.digest == *digest {
        return Ok(manifest);
    }
    let what = format!("{repository}: content was sent as {digest} and reads back as {}", manifest.digest);
    Err(Problem::new(what).hint("the registry does not keep what it is given: look at its log and storage"))
}

/// Once more if all that was missing was a project, which is made (Harbor).
async fn send(place: &Place, source: &Source, digest: &Digest) -> Result<Copied, Problem> {
    let problem = |error: TransferError| error.problem();
    let failed = match transfer(place, source, digest).await {
        Err(TransferError::Registry(failed)) if failed.attempt.registry == place.registry().host() => failed,
        other => return other.map_err(problem),
    };
    match place.catalog.create_project(&place.target.repository, &failed).await {
        Ok(true) => transfer(place, source, digest).await.map_err(problem),
        Ok(false) => Err(failed.problem()),
        Err(more) => Err(more.problem()),
    }
}

async fn transfer(place: &Place, source: &Source, digest: &Digest) -> Result<Copied, TransferError> {
    let to = (place.registry(), &place.target.repository);
    match source {
        Source::Registry(from, holder) => registry::copy((from, &holder.repository), to, digest).await,
        Source::Pieces(assembly) => assembly.put_together(place).await,
        Source::Layout(layout) => {
            let root = layout.root()?.clone();
            registry::upload_layout(layout, &root, to).await
        }
    }
}

fn connect(targets: &[TargetPlan], access: &Access) -> Result<Vec<Place>, Failure> {
    let one = |target: &TargetPlan| {
        access.catalog(target).map(|catalog| Place { target: target.clone(), catalog, brought: Vec::new() })
    };
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
