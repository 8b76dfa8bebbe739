//! What is said about an image, attached to it wherever it goes: before any tag, and in every registry or the run fails.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{PARALLEL, Place, Staged, or_cancelled};
use crate::build::{Candidate, Content};
use crate::image::{Descriptor, Digest};
use crate::plan::{Step, TrustLevel};
use crate::problem::{Failure, FailureKind, Problem};
use crate::provenance;
use crate::registry::RegistryError;
use crate::registry::referrers::{self, Artifact};

/// Tells statements apart (`moby/buildkit` docs/attestations/attestation-storage.md).
const PREDICATE: &str = "in-toto.io/predicate-type";
/// How far the image is proven.
const TRUST: &str = "org.stagefreight.trust";

/// A statement about one manifest of an image.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The manifest it speaks of.
    pub subject: Digest,
    /// Type of its predicate.
    pub predicate: String,
    /// An in-toto document.
    pub document: Bytes,
    /// How far the image is proven, where the statement says that.
    pub trust: Option<TrustLevel>,
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
        let document = with_subject(found.read(layout).map_err(|e| e.problem())?, &found.subject);
        Ok(Statement { subject: found.subject.clone(), predicate: found.predicate.clone(), document, trust: None })
    };
    first.attestations.iter().filter(|found| asked(&found.predicate)).map(read).collect()
}

/// BuildKit names what a statement is about only where it exports an image by a name; ours has none yet. A statement that
/// names something stays as it is.
fn with_subject(document: Bytes, subject: &Digest) -> Bytes {
    let Ok(mut statement) = serde_json::from_slice::<Value>(&document) else { return document };
    match statement.get_mut("subject") {
        Some(Value::Array(named)) if named.is_empty() => named.push(json!({"digest": {"sha256": subject.hex()}})),
        _ => return document,
    }
    Bytes::from(statement.to_string())
}

/// Attaches statements to a staged image in every registry it is in. What is said there already is not said again: a job that
/// runs twice proves the same once.
///
/// # Errors
/// Every registry that does not take one, at once.
pub async fn attach(staged: &Staged, statements: &[Statement], cancel: &CancellationToken) -> Result<(), Failure> {
    let candidate = staged.verified.candidate();
    let stranger = |digest: &Digest| Problem::new(format!("{digest} is no manifest of build {}", candidate.build));
    let subject = |digest: &Digest| -> Result<Descriptor, Problem> {
        match &candidate.content {
            _ if staged.manifest.digest == *digest => Ok(staged.manifest.descriptor()),
            Content::Pieces(whole) => {
                let piece = whole.pieces.iter().find(|piece| piece.descriptor.digest == *digest);
                piece.map(|piece| piece.descriptor.clone()).ok_or_else(|| stranger(digest))
            }
            Content::Layout(layout) => layout.image(digest).map_err(|e| e.problem()),
            _ => Err(stranger(digest)),
        }
    };
    let failed = |problem| Failure::new(FailureKind::Publish, problem);
    let mut work = Vec::new();
    for statement in statements {
        let subject = subject(&statement.subject).map_err(failed)?;
        let kind = [(PREDICATE.to_owned(), statement.predicate.clone())].into_iter();
        let kind = kind.chain(statement.trust.map(|trust| (TRUST.to_owned(), trust.name().to_owned())));
        let artifact = Artifact {
            artifact_type: provenance::MEDIA_TYPE.to_owned(),
            media_type: provenance::MEDIA_TYPE.to_owned(),
            payload: statement.document.clone(),
            annotations: kind.into_iter().collect(),
        };
        work.push((subject, artifact));
    }
    // One after the other in each registry: where it keeps no list of referrers, they share one index.
    let places = staged.places.iter().map(|place| {
        let work = &work;
        async move {
            for (subject, artifact) in work {
                once(place, subject, artifact).await.map_err(|e| e.problem())?;
            }
            Ok(())
        }
    });
    let ended = or_cancelled(stream::iter(places).buffer_unordered(PARALLEL).collect::<Vec<_>>(), cancel).await?;
    let problems: Vec<Problem> = ended.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(Failure::many(FailureKind::Publish, problems)) }
}

async fn once(place: &Place, subject: &Descriptor, artifact: &Artifact) -> Result<(), RegistryError> {
    let (registry, repository) = (place.registry(), &place.target.repository);
    let standing = referrers::list(registry, repository, &subject.digest, Some(&artifact.artifact_type)).await?;
    if standing.iter().all(|found| found.descriptor.annotations != artifact.annotations) {
        referrers::attach(registry, repository, subject, artifact).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_about_nothing_is_given_its_subject_and_others_stay_to_the_letter() {
        let digest = Digest::of(b"image");
        let of = |text: &'static str| with_subject(Bytes::from_static(text.as_bytes()), &digest);
        let named: Value = serde_json::from_slice(&of(r#"{"subject":[],"predicate":{}}"#)).unwrap();
        assert_eq!(named, json!({"subject": [{"digest": {"sha256": digest.hex()}}], "predicate": {}}));
        for text in [r#"{ "subject":[{"name":"a"}] }"#, r#"{"predicate":{}}"#, "no json"] {
            assert_eq!(of(text), text.as_bytes());
        }
    }
}
