//! `stagefreight verify`: says of an image in a registry why it is to be believed, or why not.
//!
//! Needs no configuration and no run, leaves nothing behind, writes nothing to a registry. Signatures are checked by cosign and
//! by nobody else. What could not be checked is never taken for good.

mod checks;
mod document;
mod facts;
mod text;

use tokio_util::sync::CancellationToken;

pub use self::document::Document;

use self::checks::Check;
use self::facts::Facts;
use crate::access::Visitor;
use crate::cli::Format;
use crate::environment::Environment;
use crate::image::{Digest, Repository, Tag, reference};
use crate::plan::TrustLevel;
use crate::problem::Problem;
use crate::run::question;
use crate::rundir::RunDir;

/// What was asked on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The image, as written.
    pub image: String,
    /// Who is believed; `None` where nobody was named.
    pub believe: Option<Believe>,
    /// The least level of proof; `None` where none is asked for.
    pub min_trust: Option<TrustLevel>,
    /// How to print the result.
    pub format: Format,
}

/// Who is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Believe {
    /// Whoever has the private half of this key: a path or an address.
    Key(String),
    /// The identity in a certificate: flags of cosign, as they were given.
    Identity(Vec<String>),
}

/// What an image is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Version {
    Tag(Tag),
    Digest(Digest),
}

/// Verifies. Returns the exit code: 0 all verified, 1 something is wrong or missing, 2 something could not be checked, 130 or 143
/// after a signal.
pub fn run(env: &Environment, call: &Call) -> u8 {
    question::answer(env, "the verification", async |run, cancel| {
        let document = verify(env, call, run, cancel).await?;
        let text = match call.format {
            Format::Text => text::render(&document),
            Format::Json => document.to_json(),
        };
        Ok((text, document.verdict.exit_code()))
    })
}

async fn verify(env: &Environment, call: &Call, run: &RunDir, cancel: &CancellationToken) -> Result<Document, Problem> {
    let (repository, version) = parse(&call.image)?;
    let visitor = Visitor::new(env, cancel)?;
    let registry = visitor.registry(repository.host()).await?;
    let place = (&registry, &repository);
    let (digest, image) = facts::image(place, &version).await;
    let Some(image) = image else { return Ok(Document::new(&call.image, None, vec![digest], None)) };
    let facts = Facts::gather(env, call, (run, &visitor), place, &image, cancel).await?;
    let (checks, trust) = checks::all(digest, &facts, call);
    Ok(Document::new(&call.image, Some((&repository, &image)), checks, trust))
}

/// `host/path[:tag]`, or `host/path[:tag]@sha256:…`, where the digest decides.
fn parse(text: &str) -> Result<(Repository, Version), Problem> {
    let hint = "Name an image: ghcr.io/acme/app:1.2.3, or ghcr.io/acme/app@sha256:…";
    let named = text.strip_prefix("docker://").unwrap_or(text);
    let refused = |why: String| Problem::new(format!("`{text}` is no image in a registry: {why}")).hint(hint);
    let (name, digest) = match named.split_once('@') {
        Some((name, digest)) => (name, Some(digest.parse::<Digest>().map_err(|error| refused(error.to_string()))?)),
        None => (named, None),
    };
    let (repository, tag) = reference::parse_tagged(name).map_err(|error| refused(error.to_string()))?;
    let version = match (digest, tag) {
        (Some(digest), _) => Version::Digest(digest),
        (None, Some(tag)) => Version::Tag(tag),
        (None, None) => Version::Tag("latest".parse().map_err(|error: reference::BadName| refused(error.to_string()))?),
    };
    Ok((repository, version))
}

#[cfg(test)]
mod tests;
