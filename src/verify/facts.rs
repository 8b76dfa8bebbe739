//! What the registry and cosign say about an image. Judges nothing but the digest; everything read is bounded.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::checks::{Check, State, What};
use super::{Believe, Call, Version};
use crate::access::Visitor;
use crate::environment::Environment;
use crate::http::ProxySettings;
use crate::image::manifest::{Children, Manifest, Platform};
use crate::image::{Digest, Repository};
use crate::problem::Problem;
use crate::process::ProcessError;
use crate::provenance;
use crate::registry::{Fault, Reference, Registry, RegistryError, referrers};
use crate::rundir::RunDir;
use crate::sign::argv::{self, Believed, Generation, Reach};
use crate::sign::attested::{self, Attested};
use crate::sign::cosign::{Cosign, Place};

/// Of an index, no more platforms are read.
const PLATFORMS: usize = 64;
/// Of a manifest, no more statements are read.
const STATEMENTS: usize = 32;
/// The largest statement that is read; a bill of materials of a large image has some megabytes.
const LARGEST: u64 = 64 << 20;

/// An image as read.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) manifest: Manifest,
    /// Platforms of an index, with their names; empty for an image of one platform.
    pub(super) platforms: Vec<(String, Digest)>,
}

/// What cosign came to.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nobody was named to be believed.
    Nobody,
    /// There is no cosign on `PATH`.
    NoCosign,
    /// It was asked.
    Cosign {
        /// For people.
        program: String,
        generation: Generation,
        signature: Said,
        statements: Result<Vec<Value>, Said>,
    },
}

/// How cosign answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// It is good.
    Good,
    /// There is none, or none that is good; its words.
    Bad(String),
    /// It could not tell; why.
    Unknown(String),
}

/// All of it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) digest: Digest,
    pub(super) asked: Asked,
    /// Statements as they stand, whoever signed them; or why they cannot be read.
    pub(super) attested: Result<Vec<Attested>, String>,
    /// Statements attached to the image and its platforms: what each hangs on, and whether it speaks of that.
    pub(super) attached: Result<Vec<Attached>, String>,
}

/// Of what a statement speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Of what it hangs on.
    This,
    /// Of something else.
    Another,
    /// Of nothing: `BuildKit` names no subject where it exports an image without a name.
    Nothing,
}

/// A statement that hangs on a manifest.
#[derive(Debug)]
pub(super) struct Attached {
    /// For people: `the index`, `linux/arm64`.
    pub(super) on: String,
    pub(super) about: About,
    pub(super) statement: Value,
}

/// Reads the image, twice where it is named by a tag, and its platforms once. `None` where there is nothing to go on with.
pub(super) async fn image(
    (registry, repository): (&Registry, &Repository),
    version: &Version,
) -> (Check, Option<Image>) {
    let check = |state, why: String| Check::new(What::Digest, state, why);
    let read = |reference| registry.get_manifest(repository, reference);
    let reference = match version {
        Version::Tag(tag) => Reference::Tag(tag),
        Version::Digest(digest) => Reference::Digest(digest),
    };
    let manifest = match read(reference).await {
        Ok(manifest) => manifest,
        Err(error) => return (unread(&error), None),
    };
    let mut why = "computed from the bytes the registry sent".to_owned();
    if let Version::Tag(tag) = version {
        match read(reference).await {
            Ok(again) if again.digest == manifest.digest => why.push_str("; asked again, the tag named it again"),
            Ok(again) => {
                let why = format!(
                    "asked twice, the tag {tag} named {} and {}: it is moving, or the registry is not to be trusted",
                    manifest.digest, again.digest
                );
                return (check(State::Failed, why), None);
            }
            Err(error) => return (unread(&error), None),
        }
    }
    let children = match manifest.children() {
        Ok(Children::Index(children)) => children,
        Ok(Children::Image { .. }) => Vec::new(),
        Err(error) => return (check(State::Failed, error.to_string()), None),
    };
    let mut platforms = Vec::new();
    for child in children.iter().filter(|child| !crate::image::attestations::is_attestation(child)) {
        if platforms.len() == PLATFORMS {
            return (check(State::NotChecked, format!("it has more than {PLATFORMS} platforms")), None);
        }
        if let Err(error) = read(Reference::Digest(&child.digest)).await {
            return (unread(&error), None);
        }
        platforms.push((
            child.platform.as_ref().map_or_else(|| child.digest.short().to_owned(), named),
            child.digest.clone(),
        ));
    }
    if !platforms.is_empty() {
        why.push_str(&format!("; so are those of its {} platforms", platforms.len()));
    }
    (check(State::Verified, why), Some(Image { manifest, platforms }))
}

fn named(platform: &Platform) -> String {
    let variant = platform.variant.iter().map(|variant| format!("/{variant}")).collect::<String>();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

/// What is not there, or not what it says it is, is wrong; whatever else keeps us from reading it is not known.
fn unread(error: &RegistryError) -> Check {
    let state = match error.fault {
        Fault::NotFound | Fault::NameUnknown | Fault::Protocol(_) => State::Failed,
        _ => State::NotChecked,
    };
    let problem = error.problem();
    Check { hint: problem.hint, ..Check::new(What::Digest, state, problem.what) }
}

impl Facts {
    /// # Errors
    /// When the call cannot be answered at all: a key that is not there, a cosign that is none.
    pub(super) async fn gather(
        env: &Environment,
        call: &Call,
        (run, visitor): (&RunDir, &Visitor<'_>),
        place: (&Registry, &Repository),
        image: &Image,
        cancel: &CancellationToken,
    ) -> Result<Self, Problem> {
        let (registry, repository) = place;
        let digest = &image.manifest.digest;
        let told = |error: RegistryError| error.to_string();
        let (asked, attested, attached) = tokio::join!(
            ask(env, call, (run, visitor), repository, digest, cancel),
            attested::read(registry, repository, digest),
            attached(place, image),
        );
        Ok(Self {
            digest: digest.clone(),
            asked: asked?,
            attested: attested.map_err(told),
            attached: attached.map_err(told),
        })
    }
}

async fn ask(
    env: &Environment,
    call: &Call,
    (run, visitor): (&RunDir, &Visitor<'_>),
    repository: &Repository,
    digest: &Digest,
    cancel: &CancellationToken,
) -> Result<Asked, Problem> {
    let believed = match &call.believe {
        None => return Ok(Asked::Nobody),
        Some(Believe::Identity(flags)) => Believed::Flags(flags.clone()),
        Some(Believe::Key(key)) => {
            let address = key.contains("://") || key.starts_with("pkcs11:");
            if !address && !env.cwd.join(key).is_file() {
                return Err(Problem::new(format!("--key {key} is not a file"))
                    .hint("Give the public half of the key, cosign.pub."));
            }
            Believed::Key { public: key.clone(), log: false }
        }
    };
    let place = Place { vars: &env.vars, run, cwd: &env.cwd, proxy: &ProxySettings::default(), more: &[] };
    let Some(cosign) = Cosign::find(place, cancel).await? else { return Ok(Asked::NoCosign) };
    let login = visitor.login(repository.host()).await?;
    let docker = cosign
        .login("verify", login.as_ref())
        .map_err(|e| Problem::new(format!("no docker configuration can be written: {e}")))?;
    let image = format!("{repository}@{digest}");
    let reach = Reach::default();
    let (signature, statements) = tokio::join!(
        cosign.call(argv::verify(&believed, reach, &image), &docker, cancel),
        cosign.call(argv::verify_attestation(&believed, reach, &image, provenance::PREDICATE_TYPE), &docker, cancel),
    );
    let statements =
        statements.map(|said| said.stdout.split(|byte| *byte == b'\n').filter_map(attested::statement).collect());
    Ok(Asked::Cosign {
        program: format!("cosign {}", cosign.version),
        generation: cosign.generation,
        signature: signature.map_or_else(|error| said(&error), |_| Said::Good),
        statements: statements.map_err(|error| said(&error)),
    })
}

/// cosign's exit codes tell little: its words do. What it does not say in these words is not known.
fn said(error: &ProcessError) -> Said {
    const BAD: [&str; 9] = [
        "no signatures found",
        "no matching signatures",
        "no matching attestations",
        "no attestations found",
        "none of the attestations matched",
        "none of the expected identities matched",
        "invalid signature",
        "could not verify envelope",
        "failed to verify signature",
    ];
    match error {
        ProcessError::Failed { tail, .. } => {
            let words = crate::sign::last_words(tail);
            if BAD.iter().any(|bad| words.contains(bad)) { Said::Bad(words) } else { Said::Unknown(words) }
        }
        other => Said::Unknown(other.to_string()),
    }
}

/// The statements that hang on the image and on each platform, as attached by us and by whoever follows the same rules.
async fn attached(
    (registry, repository): (&Registry, &Repository),
    image: &Image,
) -> Result<Vec<Attached>, RegistryError> {
    let root = if image.platforms.is_empty() { "the image" } else { "the index" };
    let all = std::iter::once((root, &image.manifest.digest))
        .chain(image.platforms.iter().map(|(name, d)| (name.as_str(), d)));
    let mut found = Vec::new();
    for (on, digest) in all {
        let listed = referrers::list(registry, repository, digest, Some(provenance::MEDIA_TYPE)).await?;
        for referrer in listed.iter().take(STATEMENTS) {
            let manifest = registry.get_manifest(repository, &referrer.descriptor.digest).await?;
            let Ok(Children::Image { layers, .. }) = manifest.children() else { continue };
            let subject = serde_json::from_slice::<Value>(&manifest.bytes).unwrap_or_default()["subject"]["digest"]
                == digest.as_str();
            for layer in
                layers.iter().filter(|layer| layer.media_type == provenance::MEDIA_TYPE && layer.size <= LARGEST)
            {
                let bytes = attested::blob(registry, repository, layer).await?;
                let statement: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let about = about(&statement, subject, digest);
                found.push(Attached { on: on.to_owned(), about, statement });
            }
        }
    }
    Ok(found)
}

fn about(statement: &Value, hangs_there: bool, digest: &Digest) -> About {
    match statement["subject"].as_array() {
        _ if !hangs_there => About::Another,
        Some(subjects) if subjects.is_empty() => About::Nothing,
        _ if attested::speaks_of(statement, digest) => About::This,
        _ => About::Another,
    }
}
