//! Gitea's and Forgejo's API for packages (`go-gitea/gitea` templates/swagger/v1_json.tmpl: listPackages, deletePackage): each
//! tag and each manifest pushed by digest is a version of a package of its own. Basic authentication with an access token.

use serde::Deserialize;
use url::Url;

use super::super::api::{Answer, Api, Credential, Page, read, segment, time};
use super::super::catalog::Listed;
use super::super::error::{Fault, RegistryError};
use super::super::tags::next_page;
use super::{distinct, split};
use crate::image::{Repository, Tag};

const NEEDS: &str =
    "Gitea and Forgejo want an access token with `write:package`, of an account that may write the owner's packages.";

#[derive(Debug)]
pub(in super::super) struct Gitea {
    api: Api,
    credential: Option<Credential>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    version: String,
    #[serde(default)]
    created_at: Option<String>,
}

impl Gitea {
    pub(super) fn new(api: Api) -> Self {
        let credential = api.login().map(Credential::basic);
        Self { api, credential }
    }

    pub(super) async fn tags(&self, repository: &Repository) -> Result<Vec<Listed>, RegistryError> {
        let attempt = self.api.attempt(repository, "listing the tags of".into(), NEEDS);
        let (owner, name) = split(repository);
        let path = format!("packages/{}?type=container&q={}&page=1&limit=50", segment(owner), segment(name));
        let first = self.api.url(&attempt, &path)?;
        let list = self.api.list(&attempt, first, self.credential.as_ref(), page, |_| false).await?;
        let fail = |fault| RegistryError { attempt: attempt.clone(), fault };
        // The search is for a part of the name.
        let ours = list.into_iter().filter(|package| package.kind == "container" && package.name == name);
        let tags = ours.filter(|package| !package.version.contains(':')).map(|package| {
            let wrong = |_| Fault::Protocol("its API listed something that is no tag".into());
            let tag: Tag = package.version.parse().map_err(wrong)?;
            Ok(Listed { tag, digest: None, pushed: time(package.created_at.as_deref()) })
        });
        Ok(distinct(tags.collect::<Result<_, Fault>>().map_err(fail)?))
    }

    pub(super) async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("deleting {tag} from"), NEEDS);
        let (owner, name) = split(repository);
        let path = format!("packages/{}/container/{}/{tag}", segment(owner), segment(name));
        self.api.delete(&attempt, &path, self.credential.as_ref()).await
    }
}

fn page(answer: &Answer, here: &Url) -> Result<Page<Package>, Fault> {
    Ok(Page { items: read(&answer.body)?, next: next_page(&answer.headers, here)? })
}
