//! Questions whose answers tell what a login may do, asked so that nothing is changed by asking.
//!
//! What an answer means for a run is decided elsewhere; which of these are harmless on which kind of registry, too.

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;

use super::auth::scope;
use super::client::Registry;
use super::error::{Fault, RegistryError};
use super::grant::Grant;
use super::retry::retry;
use super::transport::{Body, Request};
use crate::image::manifest::{MAX_MANIFEST, OCI_INDEX};
use crate::image::{Digest, Repository};

/// An upload that nobody began: what registries give are random.
const NOBODYS_UPLOAD: &str = "00000000-0000-0000-0000-000000000000";
/// A digest that no content has.
const NOBODYS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

impl Registry {
    /// Knocks at the door (`GET /v2/`) and asks for a token for these actions (`pull,push`) in a repository: whether the
    /// registry is there, takes the login, and what it then allows.
    ///
    /// On Quay, asking to push to a repository that is not there creates it.
    ///
    /// # Errors
    /// When the registry cannot be asked, or refuses the login.
    pub async fn enter(&self, repository: &Repository, actions: &str) -> Result<Grant, RegistryError> {
        let doing = if self.has_login() { "logging in to" } else { "connecting to" };
        let attempt = self.attempt(repository, doing.to_owned());
        let local = |e: url::ParseError| RegistryError { attempt: attempt.clone(), fault: Fault::Local(e.to_string()) };
        let url = self.transport.base.join("v2/").map_err(local)?;
        let scope = scope(repository.path(), actions);
        let request = Request { method: Method::GET, url, scope: scope.clone(), accept: None, body: Body::None };
        retry(|| self.transport.send(&attempt, &request)).await?;
        let known = self.transport.authorization(&scope).await;
        Ok(match known.as_ref().map(|header| header.reveal()) {
            None => Grant::NotAsked,
            Some(header) => match header.strip_prefix("Bearer ") {
                Some(token) => Grant::in_token(token, repository.path()),
                None => Grant::Untold,
            },
        })
    }

    /// It is seen with a login.
    pub fn has_login(&self) -> bool {
        self.transport.login.is_some()
    }

    /// Whether anything was ever put into a repository, as far as this login may see.
    ///
    /// # Errors
    /// When the registry does not say.
    pub async fn has_repository(&self, repository: &Repository) -> Result<bool, RegistryError> {
        let attempt = self.attempt(repository, "looking for".to_owned());
        let url = self.url(&attempt, repository, "tags/list?n=1")?;
        let scope = scope(repository.path(), "pull");
        let request = Request { method: Method::GET, url, scope, accept: None, body: Body::None };
        match retry(|| self.transport.send(&attempt, &request)).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes on with an upload that nobody began, which only those may who may push: whether the login may.
    ///
    /// Opening one and cancelling it would say the same, and leave a file behind: the `distribution` registry writes the
    /// state of an upload anew when it closes the one it has just cancelled (2.8.3). Some registries create a repository
    /// that is not there for this, too.
    ///
    /// # Errors
    /// When the login may not, or the registry says neither.
    pub async fn try_upload(&self, repository: &Repository) -> Result<(), RegistryError> {
        let attempt = self.attempt(repository, "trying whether uploads are taken by".to_owned());
        let scope = scope(repository.path(), "pull,push");
        let url = self.url(&attempt, repository, &format!("blobs/uploads/{NOBODYS_UPLOAD}"))?;
        let body = Bytes::new();
        let body = Body::Bytes(&body, "application/octet-stream");
        let request = Request { method: Method::PATCH, url, scope, accept: None, body };
        match retry(|| self.transport.send(&attempt, &request)).await {
            Err(error) if no_such_upload(&error.fault) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                Err(RegistryError { attempt, fault: Fault::Protocol("it goes on with an upload that is none".into()) })
            }
        }
    }

    /// Tries to delete a manifest that cannot exist: whether the registry would delete one that does, for this login.
    ///
    /// # Errors
    /// When it would not: `Unsupported` where deletes are disabled, `Unauthorized` or `Denied` where the login may not.
    pub async fn try_delete(&self, repository: &Repository) -> Result<(), RegistryError> {
        match self.delete_manifest(repository, &nobodys()).await {
            Err(error) if !matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the registry itself lists what refers to an image (distribution-spec 1.1); else a tag has to.
    ///
    /// # Errors
    /// When it does not say, for one because the repository is not there yet.
    pub async fn lists_referrers(&self, repository: &Repository) -> Result<bool, RegistryError> {
        let attempt = self.attempt(repository, "asking for referrers in".to_owned());
        let url = self.url(&attempt, repository, &format!("referrers/{NOBODYS}"))?;
        let (scope, accept) = (scope(repository.path(), "pull"), Some(OCI_INDEX));
        let request = Request { method: Method::GET, url, scope, accept, body: Body::None };
        let answered = retry(|| async {
            let response = self.transport.send(&attempt, &request).await?;
            let fail = |fault| RegistryError { attempt: attempt.clone(), fault };
            self.transport.read(response, MAX_MANIFEST).await.map_err(fail)
        })
        .await;
        match answered {
            // A page of HTML with status 200 is no list.
            Ok(body) => Ok(serde_json::from_slice::<Value>(&body).is_ok_and(|index| index["manifests"].is_array())),
            Err(error) if matches!(error.fault, Fault::NotFound | Fault::Unsupported(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// 404 or 400, as `BLOB_UPLOAD_UNKNOWN` or `BLOB_UPLOAD_INVALID`.
fn no_such_upload(fault: &Fault) -> bool {
    match fault {
        Fault::NotFound => true,
        Fault::Rejected { message, .. } => message.starts_with("BLOB_UPLOAD_"),
        _ => false,
    }
}

fn nobodys() -> Digest {
    NOBODYS.parse().unwrap_or_else(|_| Digest::of(b"nobody's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_upload_is_told_from_a_missing_repository() {
        assert!(no_such_upload(&Fault::NotFound));
        let rejected = |message: &str| Fault::Rejected { status: 400, message: message.into() };
        assert!(no_such_upload(&rejected("BLOB_UPLOAD_INVALID: blob upload invalid")));
        for other in [rejected("NAME_INVALID: no"), Fault::NameUnknown, Fault::Unauthorized("BLOB_UPLOAD_".into())] {
            assert!(!no_such_upload(&other), "{other}");
        }
    }
}
