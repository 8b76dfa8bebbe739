//! What is said about an image, attached to it wherever it goes: before any tag, and in every registry or the run fails.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{PARALLEL, Staged, or_cancelled};
use crate::build::{Candidate, Content};
use crate::image::{Descriptor, Digest};
use crate::plan::Step;
use crate::problem::{Failure, FailureKind, Problem};
use crate::provenance;
use crate::registry::referrers::{self, Artifact};

/// Tells statements apart (`moby/buildkit` docs/attestations/attestation-storage.md).
const PREDICATE: &str = "in-toto.io/predicate-type";

/// A statement about one manifest of an image.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The manifest it speaks of.
    pub subject: Digest,
    /// Type of its predicate.
    pub predicate: String,
    /// An in-toto document.
    pub document: Bytes,
}

/// What BuildKit attested about a proven image, as far as the step asks for it. Reads the layout.
///
/// # Errors
/// When it is not there any more.
pub fn of_the_builder(candidate: &Candidate, step: &Step) -> Result<Vec<Statement>, Problem> {
    let (Some(first), Content::Layout(layout)) = (&candidate.first, &candidate.content) else { return Ok(Vec::new()) };
    let asked = |predicate: &str| match predicate.starts_with("https://slsa.dev/provenance/") {
        true => step.provenance != "false",
        false => step.sbom != "false",
    };
    let read = |found: &crate::image::attestations::Attestation| {
        let document = found.read(layout).map_err(|e| e.problem())?;
        Ok(Statement { subject: found.subject.clone(), predicate: found.predicate.clone(), document })
    };
    first.attestations.iter().filter(|found| asked(&found.predicate)).map(read).collect()
}

/// Attaches statements to a staged image in every registry it is in.
///
/// # Errors
/// Every registry that does not take one, at once.
pub async fn attach(staged: &Staged, statements: &[Statement], cancel: &CancellationToken) -> Result<(), Failure> {
    let candidate = staged.verified.candidate();
    let subject = |digest: &Digest| -> Result<Descriptor, Problem> {
        match &candidate.content {
            _ if staged.manifest.digest == *digest => Ok(staged.manifest.descriptor()),
            Content::Layout(layout) => layout.image(digest).map_err(|e| e.problem()),
            _ => Err(Problem::new(format!("{digest} is no manifest of build {}", candidate.build))),
        }
    };
    let failed = |problem| Failure::new(FailureKind::Publish, problem);
    let mut work = Vec::new();
    for statement in statements {
        let subject = subject(&statement.subject).map_err(failed)?;
        let artifact = Artifact {
            artifact_type: provenance::MEDIA_TYPE.to_owned(),
            media_type: provenance::MEDIA_TYPE.to_owned(),
            payload: statement.document.clone(),
            annotations: [(PREDICATE.to_owned(), statement.predicate.clone())].into(),
        };
        work.push((subject, artifact));
    }
    // One after the other in each registry: where it keeps no list of referrers, they share one index.
    let places = staged.places.iter().map(|place| {
        let work = &work;
        async move {
            for (subject, artifact) in work {
                referrers::attach(place.registry(), &place.target.repository, subject, artifact)
                    .await
                    .map_err(|e| e.problem())?;
            }
            Ok(())
        }
    });
    let ended = or_cancelled(stream::iter(places).buffer_unordered(PARALLEL).collect::<Vec<_>>(), cancel).await?;
    let problems: Vec<Problem> = ended.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(Failure::many(FailureKind::Publish, problems)) }
}
