//! Harbor's API 2.0 (`goharbor/harbor` api/v2.0/swagger.yaml): listArtifacts, deleteTag, deleteArtifact, scanArtifact,
//! headProject, createProject. Basic authentication; names of repositories are encoded twice.
//!
//! Harbor's own /v2 refuses DELETE by tag (src/server/registry/manifest.go).

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::super::api::{Answer, Api, Call, Credential, Page, read, segment, time};
use super::super::catalog::Listed;
use super::super::error::{Fault, RegistryError};
use super::super::tags::next_page;
use super::{distinct, split};
use crate::image::{Digest, Repository, Tag};

const NEEDS: &str =
    "In Harbor the account or robot needs `list` and `delete` on artifacts and `delete` on tags of the project.";
const NEEDS_CREATE: &str = "Create the project in Harbor first, or let this account create projects (a system robot needs \
                            `create` on projects).";
const NEEDS_SCAN: &str = "In Harbor the account or robot needs `create` on scans of the project.";

#[derive(Debug)]
pub(in super::super) struct Harbor {
    api: Api,
    credential: Option<Credential>,
}

#[derive(Deserialize)]
struct Artifact {
    digest: String,
    #[serde(default)]
    push_time: Option<String>,
    // `null` where there is none.
    #[serde(default)]
    tags: Option<Vec<ArtifactTag>>,
}

#[derive(Deserialize)]
struct ArtifactTag {
    name: Tag,
    #[serde(default)]
    push_time: Option<String>,
}

impl Harbor {
    pub(super) fn new(api: Api) -> Self {
        let credential = api.login().map(Credential::basic);
        Self { api, credential }
    }

    /// Signatures and other accessories are not listed: Harbor deletes them with what they belong to.
    pub(super) async fn tags(&self, repository: &Repository) -> Result<Vec<Listed>, RegistryError> {
        let attempt = self.api.attempt(repository, "listing the tags of".into(), NEEDS);
        let path = format!("{}?with_tag=true&page=1&page_size=100", artifacts(repository));
        let first = self.api.url(&attempt, &path)?;
        let list = self.api.list(&attempt, first, self.credential.as_ref(), page, |_| false).await?;
        Ok(distinct(list.into_iter().flatten().collect()))
    }

    pub(super) async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("deleting {tag} from"), NEEDS);
        // A tag serves as the reference of its own artifact.
        let path = format!("{}/{tag}/tags/{tag}", artifacts(repository));
        self.api.delete(&attempt, &path, self.credential.as_ref()).await
    }

    pub(super) async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("deleting {digest} from"), NEEDS);
        let path = format!("{}/{digest}", artifacts(repository));
        self.api.delete(&attempt, &path, self.credential.as_ref()).await
    }

    /// Creates the repository's project if there is none. Whether pushing again may help now.
    pub(in super::super) async fn create_project(&self, repository: &Repository) -> Result<bool, RegistryError> {
        let project = split(repository).0;
        let attempt = self.api.attempt(repository, format!("creating the project {project} for"), NEEDS_CREATE);
        let url = self.api.url(&attempt, &format!("api/v2.0/projects?project_name={}", segment(project)))?;
        let credential = self.credential.as_ref();
        let call = Call { method: Method::HEAD, url, credential, json: None };
        match self.api.send(&attempt, &call).await {
            Ok(_) => return Ok(false),
            Err(error) if matches!(error.fault, Fault::NotFound) => {}
            Err(error) => return Err(error),
        }
        let json = json!({"project_name": project, "metadata": {"public": "false"}});
        let url = self.api.url(&attempt, "api/v2.0/projects")?;
        match self.api.send(&attempt, &Call { method: Method::POST, url, credential, json: Some(&json) }).await {
            Ok(_) => Ok(true),
            // Another run was quicker.
            Err(RegistryError { fault: Fault::Rejected { status: 409, .. }, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Asks for a scan for vulnerabilities. Harbor answers at once and scans later.
    pub(in super::super) async fn scan(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("asking for a scan of {} in", digest.short()), NEEDS_SCAN);
        let url = self.api.url(&attempt, &format!("{}/{digest}/scan", artifacts(repository)))?;
        let call = Call { method: Method::POST, url, credential: self.credential.as_ref(), json: None };
        self.api.send(&attempt, &call).await.map(drop)
    }
}

fn artifacts(repository: &Repository) -> String {
    let (project, name) = split(repository);
    format!("api/v2.0/projects/{}/repositories/{}/artifacts", segment(project), segment(&segment(name)))
}

fn page(answer: &Answer, here: &Url) -> Result<Page<Vec<Listed>>, Fault> {
    let artifacts: Vec<Artifact> = read(&answer.body)?;
    let listed = |artifact: Artifact| {
        let digest: Option<Digest> = artifact.digest.parse().ok();
        let of_tag = |tag: ArtifactTag| Listed {
            digest: digest.clone(),
            pushed: time(tag.push_time.as_deref()).or_else(|| time(artifact.push_time.as_deref())),
            tag: tag.name,
        };
        artifact.tags.unwrap_or_default().into_iter().map(of_tag).collect()
    };
    Ok(Page { items: artifacts.into_iter().map(listed).collect(), next: next_page(&answer.headers, here)? })
}
