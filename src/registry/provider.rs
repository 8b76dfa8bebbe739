//! Kinds of registries: where vendors leave the distribution specification, or leave it open.

use serde::Serialize;

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
