//! Signatures of what is staged: made by cosign, by digest, before any tag names it.
//!
//! `resolve` finds what signs before anything is built, and tries it; `run` signs and attests. A run that was to sign and cannot
//! has failed. Only cosign makes and checks signatures; what it was given and what it wrote is compared here. Keys and
//! passwords are handed on and never looked at.

pub mod argv;
pub(crate) mod attested;
pub mod cosign;
mod image;
mod key;
mod resolve;
mod trouble;

pub(crate) use trouble::last_words;

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use key::Identity;
pub use resolve::resolve;

use self::argv::{Believed, Manner, Reach};
use self::cosign::Cosign;
use crate::access::Access;
use crate::credentials::Login;
use crate::event::Events;
use crate::image::manifest::Children;
use crate::image::{Digest, Repository};
use crate::outcome::{self, Signature};
use crate::problem::{Failure, FailureKind, Problem};
use crate::process::ProcessError;
use crate::provenance;
use crate::publish::Staged;
use crate::publish::attach::Statement;
use crate::registry::Registry;

/// Repositories worked on at a time: each is one cosign of some 50 MB.
const PARALLEL: usize = 4;
/// Whether a run signs.
#[derive(Debug)]
pub enum Signing {
    /// It does not.
    Off {
        /// For people, what follows `not signed:`; `None` where nothing is published and nobody asks.
        why: Option<String>,
    },
    /// It does.
    With(Box<Signer>),
}

/// What signs: tried, and known to work as far as that can be known before there is something to sign.
#[derive(Debug)]
pub struct Signer {
    cosign: Cosign,
    manner: Manner,
    believed: Believed,
    how: String,
}

/// An image in a repository, to be signed.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Build id.
    pub build: &'a str,
    /// Where.
    pub repository: &'a Repository,
    /// The registry, with the target's login.
    pub registry: &'a Registry,
    /// That login, for cosign.
    pub login: Option<&'a Login>,
    /// How cosign reaches it.
    pub reach: Reach,
    /// Manifest or index.
    pub digest: &'a Digest,
    /// Manifests of an index; empty for an image of one platform.
    pub children: Vec<Digest>,
    /// The statement that is attested: a proof of ours. `None` for an image that was not proven.
    pub statement: Option<&'a Value>,
}

impl Signer {
    /// For people: `the key in COSIGN_KEY`.
    pub fn how(&self) -> &str {
        &self.how
    }

    /// For people: `cosign 3.1.1`.
    pub fn program(&self) -> String {
        format!("cosign {}", self.cosign.version)
    }

    fn problem(&self, doing: &str, error: &ProcessError) -> Problem {
        trouble::problem(doing, error, self.cosign.has_password())
    }
}

impl Signing {
    /// For the reports.
    pub fn noted(&self) -> Option<outcome::Signing> {
        match self {
            Self::Off { why } => why.clone().map(|why| outcome::Signing::Off { why }),
            Self::With(signer) => Some(outcome::Signing::With {
                how: signer.how.clone(),
                program: format!("cosign {}", signer.cosign.version),
            }),
        }
    }
}

/// Signs what is staged, everywhere. A run that does not sign says so and goes on.
///
/// # Errors
/// As [`run`].
pub async fn staged(
    signing: &Signing,
    staged: &[Staged],
    statements: &[(String, Vec<Statement>)],
    access: &Access,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Vec<(String, Signature)>, Failure> {
    let signer = match signing {
        Signing::With(signer) => signer,
        Signing::Off { why } => {
            if let Some(why) = why {
                events.info(format!("not signed: {why}")).await;
            }
            return Ok(Vec::new());
        }
    };
    let proofs: BTreeMap<&str, Value> =
        statements.iter().filter_map(|(build, said)| Some((build.as_str(), proof(said)?))).collect();
    let mut subjects = Vec::new();
    for image in staged {
        for (target, registry) in image.places() {
            let settings = access.settings(target.repository.host());
            let children = match image.manifest().children() {
                Ok(Children::Index(children)) => children.into_iter().map(|child| child.digest).collect(),
                _ => Vec::new(),
            };
            subjects.push(Subject {
                build: image.build(),
                repository: &target.repository,
                registry,
                login: access.login(target),
                reach: Reach { http: settings.http, insecure: settings.insecure },
                digest: &image.manifest().digest,
                children,
                statement: proofs.get(image.build()),
            });
        }
    }
    run(signer, &subjects, events, cancel).await
}

/// Our own statement among those about an image.
fn proof(statements: &[Statement]) -> Option<Value> {
    let documents = statements.iter().filter(|said| said.predicate == provenance::PREDICATE_TYPE);
    documents.filter_map(|said| serde_json::from_slice(&said.document).ok()).find(attested::is_ours)
}

/// Signs every image in every repository, and attests what was proven. What stands already is left as it is.
///
/// # Errors
/// Every image that is not signed, at once. Signatures that were made stand; they say nothing wrong.
pub async fn run(
    signer: &Signer,
    subjects: &[Subject<'_>],
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Vec<(String, Signature)>, Failure> {
    // One after the other in each repository: images of one may share manifests, and so the lists of their signatures.
    let mut repositories: BTreeMap<&Repository, Vec<&Subject<'_>>> = BTreeMap::new();
    for subject in subjects {
        let known = repositories.entry(subject.repository).or_default();
        if known.iter().all(|other| other.digest != subject.digest) {
            known.push(subject);
        }
    }
    let work = repositories.into_values().enumerate().map(|(number, subjects)| async move {
        let mut ended = Vec::new();
        for subject in subjects {
            let name = format!("sign-{number}-{}", ended.len());
            ended.push(
                image::sign(signer, subject, &name, events, cancel).await.map(|made| (subject.build.to_owned(), made)),
            );
        }
        ended
    });
    let ended = stream::iter(work).buffer_unordered(PARALLEL).collect::<Vec<_>>().await;
    let (mut signed, mut problems) = (Vec::new(), Vec::new());
    for result in ended.into_iter().flatten() {
        match result {
            Ok(made) => signed.push(made),
            Err(problem) => problems.push(problem),
        }
    }
    match (problems.is_empty(), cancel.is_cancelled()) {
        (true, _) => Ok(signed),
        (false, true) => {
            let problem = Problem::new("signing was stopped by a signal; no tag was put");
            Err(Failure::new(FailureKind::Interrupted, problem))
        }
        (false, false) => Err(Failure::many(FailureKind::Publish, problems)),
    }
}
