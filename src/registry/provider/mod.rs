//! Kinds of registries, and their own APIs: where vendors leave the distribution specification, or leave it open.
//!
//! One file a vendor, each with the contract it was written from. Nothing here decides what is deleted; callers do.

mod docker_hub;
mod ghcr;
mod gitea;
mod gitlab;
mod harbor;
mod jfrog;
mod quay;

use serde::Serialize;

use super::api::Api;
use super::catalog::Listed;
use super::client::Registry;
use super::error::RegistryError;
use crate::image::{Digest, Repository, Tag};

pub(super) use harbor::Harbor;

/// Kind of registry, for what the distribution specification leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "names of products")]
pub enum Provider {
    DockerHub,
    Ghcr,
    GitLab,
    Jfrog,
    Harbor,
    Quay,
    Gitea,
    Ecr,
    Gar,
    Acr,
    Generic,
}

/// A registry's own API, where it has one that this login may use.
#[derive(Debug)]
pub(super) enum Vendor {
    DockerHub(docker_hub::DockerHub),
    Ghcr(ghcr::Ghcr),
    GitLab(gitlab::GitLab),
    Jfrog(jfrog::Jfrog),
    Harbor(Harbor),
    Quay(quay::Quay),
    Gitea(gitea::Gitea),
}

impl Vendor {
    /// The API for a kind of registry. `base` is where it is, if that is known; else it follows from the registry's name.
    pub(super) fn of(provider: Provider, registry: &Registry, base: Option<&str>) -> Option<Self> {
        // Without a login an API says no more than the specification does.
        let login = registry.transport.login.as_ref().filter(|login| !login.is_identity_token())?;
        let beside = || base.map_or_else(|| Some(Api::beside(registry)), |base| Api::at(registry, base));
        Some(match provider {
            Provider::DockerHub => {
                Self::DockerHub(docker_hub::DockerHub::new(Api::at(registry, base.unwrap_or(docker_hub::BASE))?))
            }
            Provider::Ghcr => {
                let own = ghcr::base(registry.host());
                Self::Ghcr(ghcr::Ghcr::new(Api::at(registry, base.or(own.as_deref())?)?))
            }
            Provider::GitLab => Self::GitLab(gitlab::GitLab::new(registry.clone(), base)),
            Provider::Jfrog => Self::Jfrog(jfrog::Jfrog::new(beside()?)),
            Provider::Harbor => Self::Harbor(Harbor::new(beside()?)),
            Provider::Quay if quay::takes(login) => Self::Quay(quay::Quay::new(beside()?)),
            Provider::Gitea => {
                let own = format!("{}api/v1/", registry.transport.base);
                Self::Gitea(gitea::Gitea::new(Api::at(registry, base.unwrap_or(&own))?))
            }
            Provider::Quay | Provider::Ecr | Provider::Gar | Provider::Acr | Provider::Generic => return None,
        })
    }

    /// Every tag; `None` where the API says no more than the specification.
    pub(super) async fn tags(&self, repository: &Repository) -> Option<Result<Vec<Listed>, RegistryError>> {
        match self {
            Self::DockerHub(hub) => Some(hub.tags(repository).await),
            Self::Ghcr(ghcr) => Some(ghcr.tags(repository).await),
            Self::Harbor(harbor) => Some(harbor.tags(repository).await),
            Self::Quay(quay) => Some(quay.tags(repository).await),
            Self::Gitea(gitea) => Some(gitea.tags(repository).await),
            Self::GitLab(_) | Self::Jfrog(_) => None,
        }
    }

    /// Takes one tag away and leaves its siblings; `None` where the API cannot do that.
    pub(super) async fn untag(&self, repository: &Repository, tag: &Tag) -> Option<Result<(), RegistryError>> {
        match self {
            Self::DockerHub(hub) => Some(hub.untag(repository, tag).await),
            Self::GitLab(gitlab) => Some(gitlab.untag(repository, tag).await),
            Self::Jfrog(jfrog) => Some(jfrog.untag(repository, tag).await),
            Self::Harbor(harbor) => Some(harbor.untag(repository, tag).await),
            Self::Quay(quay) => Some(quay.untag(repository, tag).await),
            Self::Gitea(gitea) => Some(gitea.untag(repository, tag).await),
            Self::Ghcr(_) => None,
        }
    }

    /// Deletes a manifest with all its tags; `None` where the specification's way is the way.
    pub(super) async fn delete(&self, repository: &Repository, digest: &Digest) -> Option<Result<(), RegistryError>> {
        match self {
            Self::DockerHub(hub) => Some(hub.delete(repository, digest).await),
            Self::Ghcr(ghcr) => Some(ghcr.delete(repository, digest).await),
            Self::Harbor(harbor) => Some(harbor.delete(repository, digest).await),
            Self::GitLab(_) | Self::Jfrog(_) | Self::Quay(_) | Self::Gitea(_) => None,
        }
    }

    /// The registry itself takes no deletes: without the API there is no way.
    pub(super) fn is_only_way(&self) -> bool {
        matches!(self, Self::DockerHub(_) | Self::Ghcr(_))
    }
}

/// The first part of a path and the rest: namespace and repository, project and repository, owner and package.
pub(super) fn split(repository: &Repository) -> (&str, &str) {
    repository.path().split_once('/').unwrap_or((repository.path(), ""))
}

/// Each tag once, the first that was listed: a list that is read page by page while tags move may repeat one.
pub(super) fn distinct(mut listed: Vec<Listed>) -> Vec<Listed> {
    let mut seen = std::collections::HashSet::new();
    listed.retain(|entry| seen.insert(entry.tag.clone()));
    listed
}
