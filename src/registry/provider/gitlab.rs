//! GitLab's container registry API (`gitlab-org/gitlab` doc/api/container_registry.md): "List registry repositories within a
//! project", "Delete a registry repository tag". `JOB-TOKEN` for the job's own token, else the token as Bearer
//! (doc/api/rest/authentication.md).
//!
//! Its list of tags says neither digest nor time, so tags are listed by the specification. Manifests are deleted by it too.

use std::collections::HashMap;

use reqwest::header::HeaderName;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::super::api::{Answer, Api, Credential, Page, read, segment};
use super::super::client::Registry;
use super::super::error::{Attempt, Fault, RegistryError};
use super::super::tags::next_page;
use crate::image::{Repository, Tag};

/// The user name that goes with a job's own token.
const JOB_USER: &str = "gitlab-ci-token";

const NEEDS: &str = "GitLab wants the job's own token for the registry of its own project, or else a token with the scope `api` of a \
                     member who may delete tags (and no protection rule for this tag).";

#[derive(Debug)]
pub(in super::super) struct GitLab {
    registry: Registry,
    base: Option<String>,
    /// Where a repository is in the API.
    places: Mutex<HashMap<String, (u64, u64)>>,
}

#[derive(Deserialize)]
struct Place {
    id: u64,
    path: String,
    project_id: u64,
}

impl GitLab {
    pub(super) fn new(registry: Registry, base: Option<&str>) -> Self {
        Self { registry, base: base.map(str::to_owned), places: Mutex::default() }
    }

    pub(super) async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        let (api, credential) = self.api(repository, tag).await?;
        let attempt = api.attempt(repository, format!("deleting {tag} from"), NEEDS);
        let (project, id) = self.place(&api, &attempt, &credential, repository).await?;
        let path = format!("projects/{project}/registry/repositories/{id}/tags/{tag}");
        api.delete(&attempt, &path, Some(&credential)).await
    }

    /// The API is at the host that gives the registry its tokens, which has seen the login before: GitLab itself
    /// (`https://gitlab.example.com/jwt/auth`, below its relative URL if it has one).
    async fn api(&self, repository: &Repository, tag: &Tag) -> Result<(Api, Credential), RegistryError> {
        let known = self.registry.transport.known.lock().await.realm().and_then(beside);
        let base = self.base.clone().or_else(|| known.map(|url| url.to_string()));
        let api = base.and_then(|base| Api::at(&self.registry, &base));
        match (api, &self.registry.transport.login) {
            (Some(api), Some(login)) => Ok((api, credential(&login.user, &login.secret))),
            _ => {
                let attempt = self.registry.attempt(repository, format!("deleting {tag} from"));
                Err(RegistryError { attempt, fault: Fault::Unsupported("where GitLab's API is cannot be told".into()) })
            }
        }
    }

    /// An image's name begins with its project's path, and does not say where that ends.
    async fn place(
        &self,
        api: &Api,
        attempt: &Attempt,
        credential: &Credential,
        repository: &Repository,
    ) -> Result<(u64, u64), RegistryError> {
        let mut places = self.places.lock().await;
        if let Some(place) = places.get(repository.path()) {
            return Ok(*place);
        }
        let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
        let mut project = repository.path();
        while project.contains('/') {
            let path = format!("projects/{}/registry/repositories?per_page=100", segment(project));
            let first = api.url(attempt, &path)?;
            let wanted = |place: &Place| place.path == repository.path();
            let listed = api.list(attempt, first, Some(credential), page, |places| places.iter().any(wanted)).await;
            match listed {
                Ok(listed) => {
                    if let Some(place) = listed.into_iter().find(wanted) {
                        let place = (place.project_id, place.id);
                        places.insert(repository.path().to_owned(), place);
                        return Ok(place);
                    }
                }
                Err(error) if matches!(error.fault, Fault::NotFound) => {}
                Err(error) => return Err(error),
            }
            project = project.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        Err(fail(Fault::NotFound))
    }
}

/// The API's address, from that of the token server.
fn beside(realm: &Url) -> Option<Url> {
    let root = realm.path().strip_suffix("/jwt/auth")?;
    let mut base = realm.clone();
    base.set_path(&format!("{root}/api/v4/"));
    base.set_query(None);
    Some(base)
}

fn credential(user: &str, secret: &crate::secret::Secret) -> Credential {
    if user == JOB_USER {
        return Credential(HeaderName::from_static("job-token"), secret.clone());
    }
    Credential::bearer(secret)
}

fn page(answer: &Answer, here: &Url) -> Result<Page<Place>, Fault> {
    Ok(Page { items: read(&answer.body)?, next: next_page(&answer.headers, here)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_where_the_tokens_come_from() {
        let base = |realm: &str| beside(&Url::parse(realm).unwrap()).map(|url| url.to_string());
        assert_eq!(base("https://gitlab.com/jwt/auth?service=x").as_deref(), Some("https://gitlab.com/api/v4/"));
        assert_eq!(base("https://h:8443/git/jwt/auth").as_deref(), Some("https://h:8443/git/api/v4/"));
        assert_eq!(base("https://auth.example.com/token"), None);
    }
}
