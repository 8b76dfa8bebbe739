//! One registry with one login: manifests.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use url::Url;

use super::auth::scope;
use super::endpoint::HostSettings;
use super::error::{Attempt, Fault, RegistryError, clean};
use super::retry::retry;
use super::transport::{Body, Request, Transport};
use crate::credentials::Login;
use crate::http::Clients;
use crate::image::manifest::{MAX_MANIFEST, Manifest};
use crate::image::{Digest, Repository, Tag};

const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";

/// A registry as seen with one login. Cheap to clone; clones share connections and tokens. Two logins to one host are
/// two of these.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) transport: Arc<Transport>,
}

/// A manifest by tag or by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// Whatever a tag points to now.
    Tag(&'a Tag),
    /// Exactly these bytes.
    Digest(&'a Digest),
}

/// What a registry says about a manifest without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it claims the digest is; some registries do not say.
    pub digest: Option<Digest>,
    /// What it is.
    pub media_type: String,
    /// Its size.
    pub size: Option<u64>,
}

impl Registry {
    /// A registry by its name in images. Nothing is sent yet.
    ///
    /// # Errors
    /// When the name is none.
    pub fn new(
        host: &str,
        login: Option<Login>,
        settings: &HostSettings,
        clients: Arc<Clients>,
    ) -> Result<Self, RegistryError> {
        let transport = Transport::new(host, login, settings, clients).map_err(|fault| {
            let doing = "connecting to".to_owned();
            let (registry, repository) = (clean(host, 100), String::new());
            RegistryError {
                attempt: Box::new(Attempt { registry, repository, doing, login: None, needs: None }),
                fault,
            }
        })?;
        Ok(Self { transport: Arc::new(transport) })
    }

    /// Its name in images.
    pub fn host(&self) -> &str {
        &self.transport.host
    }

    /// What a tag or digest points to; `None` where there is nothing.
    ///
    /// # Errors
    /// When the registry does not say.
    pub async fn head_manifest(
        &self,
        repository: &Repository,
        reference: impl Into<Reference<'_>>,
    ) -> Result<Option<Head>, RegistryError> {
        let reference = reference.into();
        let attempt = self.attempt(repository, format!("looking for manifest {reference} in"));
        let request = self.manifest_request(&attempt, repository, reference, Method::HEAD, "pull")?;
        match retry(|| self.transport.send(&attempt, &request)).await {
            Ok(response) => Ok(Some(Head {
                digest: claimed_digest(response.headers()),
                media_type: media_type(response.headers()),
                // Not `content_length()`: that is the length of the body, which a HEAD has not.
                size: header(response.headers(), "content-length").and_then(|text| text.parse().ok()),
            })),
            Err(error) if matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A manifest or index. Its digest is computed from the bytes; one the registry claims or one asked for that differs
    /// is an error.
    ///
    /// # Errors
    /// When it is not there, not to be had, not what was asked for, or no manifest.
    pub async fn get_manifest(
        &self,
        repository: &Repository,
        reference: impl Into<Reference<'_>>,
    ) -> Result<Manifest, RegistryError> {
        let reference = reference.into();
        let attempt = self.attempt(repository, format!("reading manifest {reference} of"));
        let request = self.manifest_request(&attempt, repository, reference, Method::GET, "pull")?;
        retry(|| async {
            let fail = |fault| RegistryError { attempt: attempt.clone(), fault };
            let response = self.transport.send(&attempt, &request).await?;
            let headers = response.headers().clone();
            let bytes = Bytes::from(self.transport.read(response, MAX_MANIFEST).await.map_err(fail)?);
            check_digest(&headers, reference, &bytes).map_err(fail)?;
            Manifest::new(bytes, &media_type(&headers)).map_err(|error| fail(Fault::Protocol(error.to_string())))
        })
        .await
    }

    /// Stores a manifest under a tag or its digest. Everything it refers to must be there.
    ///
    /// # Errors
    /// When the registry does not take it, or says it stored something else.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        reference: impl Into<Reference<'_>>,
        manifest: &Manifest,
    ) -> Result<Digest, RegistryError> {
        let reference = reference.into();
        let attempt = self.attempt(repository, format!("writing manifest {reference} to"));
        let request = Request {
            body: Body::Bytes(&manifest.bytes, &manifest.media_type),
            accept: None,
            ..self.manifest_request(&attempt, repository, reference, Method::PUT, "pull,push")?
        };
        let response = retry(|| self.transport.send(&attempt, &request)).await?;
        check_digest(response.headers(), Reference::Digest(&manifest.digest), &manifest.bytes)
            .map_err(|fault| RegistryError { attempt, fault })?;
        Ok(manifest.digest.clone())
    }

    /// Deletes a manifest, and with it every tag that points to it.
    ///
    /// # Errors
    /// When the registry does not; `Unsupported` where deletes are disabled, `NotFound` where there is nothing.
    pub async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        self.delete(repository, Reference::Digest(digest)).await
    }

    /// Takes a tag away and leaves what it pointed to. Older registries cannot (`Unsupported`).
    ///
    /// # Errors
    /// When the registry does not.
    pub async fn delete_tag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        self.delete(repository, Reference::Tag(tag)).await
    }

    async fn delete(&self, repository: &Repository, reference: Reference<'_>) -> Result<(), RegistryError> {
        let attempt = self.attempt(repository, format!("deleting {reference} from"));
        let request = self.manifest_request(&attempt, repository, reference, Method::DELETE, "pull,delete")?;
        retry(|| self.transport.send(&attempt, &request)).await.map(drop)
    }

    /// For messages.
    pub(super) fn attempt(&self, repository: &Repository, doing: String) -> Box<Attempt> {
        self.transport.attempt(repository.path(), doing)
    }

    /// An address below a repository, which must be of this registry: its login is for no other.
    pub(super) fn url(&self, attempt: &Attempt, repository: &Repository, rest: &str) -> Result<Url, RegistryError> {
        let fail = |why: String| RegistryError { attempt: Box::new(attempt.clone()), fault: Fault::Local(why) };
        if repository.host() != self.host() {
            return Err(fail(format!("{repository} is not a repository of {}", self.host())));
        }
        let path = format!("v2/{}/{rest}", repository.path());
        self.transport.base.join(&path).map_err(|error| fail(error.to_string()))
    }

    fn manifest_request<'a>(
        &self,
        attempt: &Attempt,
        repository: &Repository,
        reference: Reference<'_>,
        method: Method,
        actions: &str,
    ) -> Result<Request<'a>, RegistryError> {
        let url = self.url(attempt, repository, &format!("manifests/{reference}"))?;
        let scope = scope(repository.path(), actions);
        Ok(Request { method, url, scope, accept: Some(ACCEPT), body: Body::None })
    }
}

impl<'a> From<&'a Tag> for Reference<'a> {
    fn from(tag: &'a Tag) -> Self {
        Self::Tag(tag)
    }
}

impl<'a> From<&'a Digest> for Reference<'a> {
    fn from(digest: &'a Digest) -> Self {
        Self::Digest(digest)
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn claimed_digest(headers: &HeaderMap) -> Option<Digest> {
    header(headers, "docker-content-digest")?.parse().ok()
}

/// Without parameters (`; charset=utf-8`); empty where the registry gives only a generic type.
fn media_type(headers: &HeaderMap) -> String {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if matches!(given, "application/json" | "application/octet-stream" | "text/plain") {
        return String::new();
    }
    given.to_owned()
}

fn check_digest(headers: &HeaderMap, asked: Reference<'_>, bytes: &[u8]) -> Result<(), Fault> {
    let found = Digest::of(bytes);
    if let Reference::Digest(asked) = asked
        && *asked != found
    {
        return Err(Fault::Protocol(format!("it gave {found} for {asked}")));
    }
    match header(headers, "docker-content-digest") {
        Some(claimed) if claimed != found.as_str() && claimed.starts_with("sha256:") => {
            Err(Fault::Protocol(format!("it says the digest is {}, the content has {found}", clean(claimed, 80))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
