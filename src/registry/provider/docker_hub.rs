//! Docker Hub's API, <https://docs.docker.com/reference/api/hub/latest/>: `POST /v2/auth/token`, `GET
//! /v2/namespaces/{namespace}/repositories/{repository}/tags`.
//!
//! `DELETE /v2/repositories/{namespace}/{repository}/tags/{tag}/` stands in no reference; Docker's own hub-tool uses it
//! (`docker/hub-tool` pkg/hub/tags.go). The registry itself (registry-1.docker.io) takes no deletes.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::super::api::{Answer, Api, Call, Credential, Page, read, segment, time};
use super::super::catalog::Listed;
use super::super::error::{Attempt, Fault, RegistryError};
use super::{distinct, split};
use crate::image::{Digest, Repository, Tag};
use crate::secret::Secret;

pub(super) const BASE: &str = "https://hub.docker.com/";

const NEEDS: &str = "Docker Hub wants a personal access token with the rights Read, Write and Delete, of an account that may \
                     write to the repository.";

#[derive(Debug)]
pub(in super::super) struct DockerHub {
    api: Api,
    /// Given for the login; lives for minutes.
    session: Mutex<Option<Credential>>,
}

#[derive(Deserialize)]
struct Tags {
    next: Option<String>,
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: Tag,
    // Tags pushed long ago have none.
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    tag_last_pushed: Option<String>,
    #[serde(default)]
    last_updated: Option<String>,
}

impl DockerHub {
    pub(super) fn new(api: Api) -> Self {
        Self { api, session: Mutex::default() }
    }

    pub(super) async fn tags(&self, repository: &Repository) -> Result<Vec<Listed>, RegistryError> {
        let attempt = self.api.attempt(repository, "listing the tags of".into(), NEEDS);
        let (namespace, name) = split(repository);
        let path = format!("v2/namespaces/{}/repositories/{}/tags?page_size=100", segment(namespace), segment(name));
        let first = self.api.url(&attempt, &path)?;
        let session = self.session(&attempt).await?;
        let list = self.api.list(&attempt, first, Some(&session), page, |_| false).await?;
        Ok(distinct(list))
    }

    pub(super) async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("deleting {tag} from"), NEEDS);
        let (namespace, name) = split(repository);
        let path = format!("v2/repositories/{}/{}/tags/{tag}/", segment(namespace), segment(name));
        let session = self.session(&attempt).await?;
        match self.api.delete(&attempt, &path, Some(&session)).await {
            // The session may have ended while the caller worked.
            Err(RegistryError { fault: Fault::Unauthorized(_), .. }) => {
                *self.session.lock().await = None;
                let session = self.session(&attempt).await?;
                self.api.delete(&attempt, &path, Some(&session)).await
            }
            other => other,
        }
    }

    /// Every tag of it. There is no way to delete what has none.
    pub(super) async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        let listed = self.tags(repository).await?;
        let tags: Vec<_> = listed.into_iter().filter(|entry| entry.digest.as_ref() == Some(digest)).collect();
        if tags.is_empty() {
            let attempt = self.api.registry.attempt(repository, format!("deleting {digest} from"));
            let fault = Fault::Unsupported("Docker Hub deletes tags, not images without one".into());
            return Err(RegistryError { attempt, fault });
        }
        for entry in tags {
            self.untag(repository, &entry.tag).await?;
        }
        Ok(())
    }

    async fn session(&self, attempt: &Attempt) -> Result<Credential, RegistryError> {
        #[derive(Deserialize)]
        struct Token {
            access_token: String,
        }
        let mut session = self.session.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
        let login = self.api.login().ok_or_else(|| fail(Fault::Unauthorized("no login".into())))?;
        let json = json!({"identifier": login.user, "secret": login.secret.reveal()});
        let url = self.api.url(attempt, "v2/auth/token")?;
        let call = Call { method: Method::POST, url, credential: None, json: Some(&json) };
        let Answer { body, .. } = self.api.send(attempt, &call).await?;
        // The words of a parser could quote the token.
        let token: Token = read(&body).map_err(|_| fail(Fault::Protocol("its API gave no token".into())))?;
        let made = Credential::bearer(&Secret::new(token.access_token));
        *session = Some(made.clone());
        Ok(made)
    }
}

fn page(answer: &Answer, here: &Url) -> Result<Page<Listed>, Fault> {
    let page: Tags = read(&answer.body)?;
    let next = page.next.filter(|next| !next.is_empty()).map(|next| here.join(&next)).transpose();
    let next = next.map_err(|_| Fault::Protocol("its API's list goes on at no address".into()))?;
    let listed = |entry: Entry| Listed {
        digest: entry.digest.and_then(|digest| digest.parse().ok()),
        pushed: time(entry.tag_last_pushed.or(entry.last_updated).as_deref()),
        tag: entry.name,
    };
    Ok(Page { items: page.results.into_iter().map(listed).collect(), next })
}
