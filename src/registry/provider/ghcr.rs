//! GitHub's container registry by its packages API (`github/rest-api-description`: packages/get-all-package-versions-for-package-
//! owned-by-org, …-user, …-authenticated-user, packages/delete-package-version-for-org, …). A version is a manifest; deleting it
//! takes its tags. The registry itself takes no deletes.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::super::api::{Answer, Api, Credential, Page, read, segment, time};
use super::super::catalog::Listed;
use super::super::error::{Attempt, Fault, RegistryError};
use super::super::tags::next_page;
use super::{distinct, split};
use crate::image::{Digest, Repository, Tag};

const NEEDS: &str = "GitHub wants a token with `read:packages` and `delete:packages`. A job's own token needs `permissions: \
                     packages: write`, and the role Admin for its repository under \"Manage Actions access\" in the settings \
                     of the package.";

/// A version just pushed may take a moment to be listed.
const LISTED_LATE: [Duration; 3] = [Duration::ZERO, Duration::from_millis(300), Duration::from_millis(900)];

#[derive(Debug)]
pub(in super::super) struct Ghcr {
    api: Api,
    credential: Option<Credential>,
    /// What was learnt of repositories, by path.
    known: Mutex<HashMap<String, Package>>,
}

/// Where a package is in the API, and which number its manifests have.
#[derive(Debug, Clone, Default)]
struct Package {
    path: String,
    versions: HashMap<Digest, u64>,
}

#[derive(Deserialize)]
struct Version {
    id: u64,
    /// The digest.
    name: String,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    container: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    tags: Vec<Tag>,
}

/// Where the API of a registry is: that of ghcr.io, of a GHE.com tenant, of an Enterprise Server.
pub(super) fn base(host: &str) -> Option<String> {
    if host == "ghcr.io" {
        return Some("https://api.github.com/".to_owned());
    }
    let server = host.strip_prefix("containers.")?;
    Some(match server.ends_with(".ghe.com") {
        true => format!("https://api.{server}/"),
        false => format!("https://{server}/api/v3/"),
    })
}

impl Ghcr {
    pub(super) fn new(api: Api) -> Self {
        let credential = api.login().map(|login| Credential::bearer(&login.secret));
        Self { api, credential, known: Mutex::default() }
    }

    pub(super) async fn tags(&self, repository: &Repository) -> Result<Vec<Listed>, RegistryError> {
        let attempt = self.api.attempt(repository, "listing the tags of".into(), NEEDS);
        let versions = self.versions(&attempt, repository, None).await?;
        let listed = versions.into_iter().flat_map(|version| {
            let (digest, pushed) = (version.name.parse().ok(), time(version.created_at.as_deref()));
            let tags = version.metadata.and_then(|metadata| metadata.container).map(|container| container.tags);
            let of_tag = move |tag| Listed { tag, digest: digest.clone(), pushed };
            tags.unwrap_or_default().into_iter().map(of_tag)
        });
        Ok(distinct(listed.collect()))
    }

    pub(super) async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("deleting {digest} from"), NEEDS);
        let Some((package, id)) = self.find(&attempt, repository, digest).await? else {
            return Err(RegistryError { attempt, fault: Fault::NotFound });
        };
        let done = self.api.delete(&attempt, &format!("{package}/versions/{id}"), self.credential.as_ref()).await;
        if let Some(package) = self.known.lock().await.get_mut(repository.path()) {
            package.versions.remove(digest);
        }
        done
    }

    /// The number of a version. Listed ones are known; the newest are listed first.
    async fn find(
        &self,
        attempt: &Attempt,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<(String, u64)>, RegistryError> {
        for wait in LISTED_LATE {
            if let Some(package) = self.known.lock().await.get(repository.path())
                && let Some(id) = package.versions.get(digest)
            {
                return Ok(Some((package.path.clone(), *id)));
            }
            tokio::time::sleep(wait).await;
            self.versions(attempt, repository, Some(digest)).await?;
        }
        let known = self.known.lock().await;
        let found = known.get(repository.path()).and_then(|p| Some((p.path.clone(), *p.versions.get(digest)?)));
        Ok(found)
    }

    /// Every version, or those up to one that is looked for.
    async fn versions(
        &self,
        attempt: &Attempt,
        repository: &Repository,
        until: Option<&Digest>,
    ) -> Result<Vec<Version>, RegistryError> {
        let known = self.known.lock().await.get(repository.path()).map(|package| package.path.clone());
        let places = known.map_or_else(|| self.places(repository), |path| vec![path]);
        let wanted = |versions: &[Version]| until.is_some_and(|d| versions.iter().any(|v| v.name == d.as_str()));
        for path in places {
            let first = self.api.url(attempt, &format!("{path}/versions?state=active&per_page=100"))?;
            match self.api.list(attempt, first, self.credential.as_ref(), page, wanted).await {
                Ok(versions) => {
                    let mut known = self.known.lock().await;
                    let package = known.entry(repository.path().to_owned()).or_default();
                    package.path = path;
                    let ids = versions.iter().filter_map(|version| Some((version.name.parse().ok()?, version.id)));
                    package.versions.extend(ids);
                    return Ok(versions);
                }
                // An organisation is no user, and the other way round.
                Err(error) if matches!(error.fault, Fault::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError { attempt: Box::new(attempt.clone()), fault: Fault::NotFound })
    }

    /// Where a package may be: an owner's name does not say what the owner is.
    fn places(&self, repository: &Repository) -> Vec<String> {
        let (owner, name) = split(repository);
        let (owner, name) = (segment(owner), segment(name));
        let mut places: Vec<_> =
            ["orgs", "users"].iter().map(|kind| format!("{kind}/{owner}/packages/container/{name}")).collect();
        if self.api.login().is_some_and(|login| login.user.eq_ignore_ascii_case(&owner)) {
            places.push(format!("user/packages/container/{name}"));
        }
        places
    }
}

fn page(answer: &Answer, here: &Url) -> Result<Page<Version>, Fault> {
    Ok(Page { items: read(&answer.body)?, next: next_page(&answer.headers, here)? })
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn each_registry_of_githubs_has_its_api() {
        for (host, api) in [
            ("ghcr.io", Some("https://api.github.com/")),
            ("containers.acme.ghe.com", Some("https://api.acme.ghe.com/")),
            ("containers.git.example.com", Some("https://git.example.com/api/v3/")),
            ("registry.example.com", None),
        ] {
            assert_eq!(base(host).as_deref(), api, "{host}");
        }
    }
}
