//! One image in one repository: what stands is left, what is missing is made, what was attested is read back.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::attested::{self, Attested};
use super::{Signer, Subject, argv};
use crate::event::Events;
use crate::image::Digest;
use crate::outcome::{Signature, SignatureState};
use crate::problem::Problem;
use crate::provenance;

/// What one image needs.
struct Work<'a> {
    signer: &'a Signer,
    subject: &'a Subject<'a>,
    docker: std::path::PathBuf,
    cancel: &'a CancellationToken,
}

pub(super) async fn sign(
    signer: &Signer,
    subject: &Subject<'_>,
    name: &str,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Signature, Problem> {
    let docker = signer.cosign.login(name, subject.login).map_err(|e| unwritable(&e))?;
    let work = Work { signer, subject, docker, cancel };
    let (repository, digest) = (subject.repository, subject.digest);
    let state = work.signature().await?;
    let line = match state {
        SignatureState::Made => format!("signed {repository}@{}", digest.short()),
        SignatureState::Stood => format!("{repository}@{} is signed with this key already", digest.short()),
    };
    events.info(line).await;
    let attestation = match subject.statement {
        Some(_) => {
            let reference = work.attestation().await?;
            events.info(format!("attested the proof of {repository}@{}", digest.short())).await;
            Some(reference)
        }
        None => None,
    };
    Ok(Signature { repository: repository.clone(), digest: digest.clone(), state, attestation })
}

impl Work<'_> {
    /// Makes what is missing of the signatures of an image and of each of its platforms.
    async fn signature(&self) -> Result<SignatureState, Problem> {
        let Subject { registry, repository, digest, children, .. } = self.subject;
        if !attested::may_be_signed(registry, repository, digest).await {
            self.make(digest, !children.is_empty()).await?;
            return Ok(SignatureState::Made);
        }
        let mut state = SignatureState::Stood;
        for each in std::iter::once(*digest).chain(children) {
            if !self.stands(each).await {
                self.make(each, false).await?;
                state = SignatureState::Made;
            }
        }
        Ok(state)
    }

    /// Whether a valid signature of this very key is there. One that cannot be checked is made again: better two than none.
    async fn stands(&self, digest: &Digest) -> bool {
        let args = argv::verify(&self.signer.believed, self.subject.reach, &self.named(digest));
        self.signer.cosign.call(args, &self.docker, self.cancel).await.is_ok()
    }

    async fn make(&self, digest: &Digest, whole: bool) -> Result<(), Problem> {
        let image = self.named(digest);
        let args = argv::sign(&self.signer.manner, self.subject.reach, &image, whole);
        let made = self.signer.cosign.call(args, &self.docker, self.cancel).await;
        made.map(drop).map_err(|e| self.signer.problem(&format!("signing {image} with {}", self.signer.how), &e))
    }

    /// The manifest that holds the attestation: an equal one that stands, else a new one.
    async fn attestation(&self) -> Result<Digest, Problem> {
        let Some(ours) = self.subject.statement else { return Err(Problem::new("there is nothing to attest")) };
        let digest = self.subject.digest;
        for standing in self.believed_statements().await {
            if attested::same_proof(&standing, ours) && attested::speaks_of(&standing, digest) {
                let there = self.read().await?;
                if let Some(found) = there.into_iter().find(|found| found.statement == standing) {
                    return Ok(found.manifest);
                }
            }
        }
        let predicate = self.docker.join("predicate.json");
        write(&predicate, ours["predicate"].to_string().as_bytes()).await.map_err(|e| unwritable(&e))?;
        let image = self.named(digest);
        let kind = provenance::PREDICATE_TYPE;
        let args =
            argv::attest(&self.signer.manner, self.subject.reach, &image, kind, &predicate.display().to_string());
        let made = self.signer.cosign.call(args, &self.docker, self.cancel).await;
        made.map_err(|e| self.signer.problem(&format!("attesting {image} with {}", self.signer.how), &e))?;
        // There are ways to make cosign sign an empty predicate and be content: what stands in the registry decides.
        let right = |found: &Attested| {
            attested::speaks_of(&found.statement, digest)
                && found.statement["predicateType"] == kind
                && found.statement["predicate"] == ours["predicate"]
        };
        let there = self.read().await?;
        there.into_iter().find(right).map(|found| found.manifest).ok_or_else(|| {
            Problem::new(format!(
                "{} attested {image}, and what stands there is not what it was given",
                self.signer.program()
            ))
            .hint("this cosign may not be one we know: install cosign 2 or 3, and report this")
        })
    }

    /// Statements of this kind that this key signed; none where that cannot be told.
    async fn believed_statements(&self) -> Vec<serde_json::Value> {
        let Subject { registry, repository, digest, reach, .. } = self.subject;
        if !attested::read(registry, repository, digest)
            .await
            .is_ok_and(|all| all.iter().any(|a| attested::is_ours(&a.statement)))
        {
            return Vec::new();
        }
        let kind = provenance::PREDICATE_TYPE;
        let args = argv::verify_attestation(&self.signer.believed, *reach, &self.named(digest), kind);
        match self.signer.cosign.call(args, &self.docker, self.cancel).await {
            Ok(said) => said.stdout.split(|byte| *byte == b'\n').filter_map(attested::statement).collect(),
            Err(_) => Vec::new(),
        }
    }

    async fn read(&self) -> Result<Vec<Attested>, Problem> {
        let Subject { registry, repository, digest, .. } = self.subject;
        attested::read(registry, repository, digest).await.map_err(|e| e.problem())
    }

    fn named(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.subject.repository)
    }
}

async fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    tokio::fs::write(path, bytes).await
}

fn unwritable(error: &std::io::Error) -> Problem {
    Problem::new(format!("what cosign needs cannot be written to the run's private directory: {error}"))
        .hint("check the space left and the permissions of the runner's temporary directory")
}
