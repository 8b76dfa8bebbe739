//! Quay's API (`quay/quay` endpoints/api/tag.py: listRepoTags, deleteFullTag), with an OAuth token of an application
//! (endpoints/decorators.py: `Authorization: Bearer`). Robot accounts and users cannot call it; for them there is the
//! specification, which newer Quay serves for tags too (endpoints/v2/manifest.py).

use serde::Deserialize;
use url::Url;

use super::super::api::{Answer, Api, Credential, Page, read, segment};
use super::super::catalog::Listed;
use super::super::error::{Fault, RegistryError};
use super::{distinct, split};
use crate::credentials::Login;
use crate::image::{Repository, Tag};

const NEEDS: &str =
    "Quay's API wants an OAuth token with `repo:write`: log in as `$oauthtoken` with the token as password.";

#[derive(Debug)]
pub(in super::super) struct Quay {
    api: Api,
    credential: Option<Credential>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Vec<Entry>,
    page: u32,
    has_additional: bool,
}

#[derive(Deserialize)]
struct Entry {
    name: Tag,
    #[serde(default)]
    manifest_digest: Option<String>,
    #[serde(default)]
    start_ts: Option<i64>,
}

/// Whether a login is one for the API: the user name under which Quay takes OAuth tokens as passwords (`quay/quay`
/// auth/credential_consts.py).
pub(super) fn takes(login: &Login) -> bool {
    login.user == "$oauthtoken"
}

impl Quay {
    pub(super) fn new(api: Api) -> Self {
        let credential = api.login().map(|login| Credential::bearer(&login.secret));
        Self { api, credential }
    }

    pub(super) async fn tags(&self, repository: &Repository) -> Result<Vec<Listed>, RegistryError> {
        let attempt = self.api.attempt(repository, "listing the tags of".into(), NEEDS);
        let path = format!("{}?onlyActiveTags=true&limit=100&page=1", tag_path(repository));
        let first = self.api.url(&attempt, &path)?;
        let list = self.api.list(&attempt, first, self.credential.as_ref(), page, |_| false).await?;
        Ok(distinct(list))
    }

    pub(super) async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("deleting {tag} from"), NEEDS);
        let path = format!("{}{tag}", tag_path(repository));
        self.api.delete(&attempt, &path, self.credential.as_ref()).await
    }
}

fn tag_path(repository: &Repository) -> String {
    let (namespace, name) = split(repository);
    let name: Vec<_> = name.split('/').map(segment).collect();
    format!("api/v1/repository/{}/{}/tag/", segment(namespace), name.join("/"))
}

fn page(answer: &Answer, here: &Url) -> Result<Page<Listed>, Fault> {
    let page: Tags = read(&answer.body)?;
    let next = page.has_additional.then(|| {
        let mut next = here.clone();
        let number = page.page.saturating_add(1).to_string();
        next.query_pairs_mut().clear().extend_pairs([("onlyActiveTags", "true"), ("limit", "100"), ("page", &number)]);
        next
    });
    let listed = |entry: Entry| Listed {
        digest: entry.manifest_digest.and_then(|digest| digest.parse().ok()),
        pushed: entry.start_ts.and_then(|second| jiff::Timestamp::from_second(second).ok()),
        tag: entry.name,
    };
    Ok(Page { items: page.tags.into_iter().map(listed).collect(), next })
}
