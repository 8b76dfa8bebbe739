//! What an image was made from, in the words of attestations: package URLs and git addresses with digests.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Dependency, address, sha256};
use crate::buildx::metadata::Material;
use crate::image::Repository;
use crate::image::reference::parse_tagged;
use crate::runner::CiContext;
use crate::source::strip_credentials;

/// What a package URL and a fragment show as they are (`package-url/purl-spec`: everything else is encoded).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// What an address cannot show (RFC 3986); `%` stays, for it may be encoded already.
const UNFIT: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// The commit first, then everything the builder says it took, each once.
pub(super) fn all(context: &CiContext, commit: Option<&str>, materials: &[Material]) -> Vec<Dependency> {
    let mut all: Vec<Dependency> = commit.map(|commit| source(context, commit)).into_iter().collect();
    for found in materials.iter().filter_map(material) {
        if !all.contains(&found) {
            all.push(found);
        }
    }
    all
}

/// `git+https://forge/owner/name@refs/heads/main`. The ref of a request is left out: what is built is its merge, and only
/// forges know where that is.
fn source(context: &CiContext, commit: &str) -> Dependency {
    let named = match (&context.tag, &context.branch, &context.pull_request) {
        (_, _, Some(_)) => String::new(),
        (Some(tag), _, _) => format!("@refs/tags/{tag}"),
        (None, Some(branch), _) => format!("@refs/heads/{branch}"),
        (None, None, None) => String::new(),
    };
    let uri = context.repository_url.as_ref().and_then(|url| uri(&format!("git+{}{named}", strip_credentials(url))));
    let digest = BTreeMap::from([("gitCommit".to_owned(), commit.to_ascii_lowercase())]);
    Dependency { name: None, uri, digest }
}

/// What has neither an address nor a digest is nothing that could be found again.
fn material(from: &Material) -> Option<Dependency> {
    let digest = from.digest.as_ref().map(sha256).unwrap_or_default();
    let uri = if from.name.contains("://") { uri(&address(&from.name)) } else { package(from) };
    let name = if uri.is_none() && !from.name.is_empty() { Some(from.name.clone()) } else { None };
    (uri.is_some() || !digest.is_empty()).then_some(Dependency { name, uri, digest })
}

/// The text as an address: with a scheme, and nothing in it that an address cannot hold.
pub(super) fn uri(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (named && !rest.is_empty()).then(|| utf8_percent_encode(text, UNFIT).to_string())
}

/// `pkg:docker/busybox@latest?platform=linux%2Famd64`: as BuildKit's own attestations name base images, so that both agree.
fn package(from: &Material) -> Option<String> {
    let (repository, tag) = parse_tagged(&from.name).ok()?;
    let path: Vec<String> = familiar(&repository).split('/').map(encoded).collect();
    let tag = tag.map(|tag| format!("@{}", encoded(tag.as_str()))).unwrap_or_default();
    let platform = from.platform.as_ref().map(|it| format!("?platform={}", encoded(it))).unwrap_or_default();
    Some(format!("pkg:docker/{}{tag}{platform}", path.join("/")))
}

/// Docker's own registry goes without its name.
fn familiar(repository: &Repository) -> String {
    match (repository.host(), repository.path()) {
        ("docker.io", path) => path.strip_prefix("library/").unwrap_or(path).to_owned(),
        (host, path) => format!("{host}/{path}"),
    }
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}
