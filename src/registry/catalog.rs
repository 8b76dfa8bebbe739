//! What a repository holds, and how it is taken away again: by the distribution specification, or by the vendor's own API
//! where the specification is not enough or not followed.

use jiff::Timestamp;

use super::client::Registry;
use super::error::RegistryError;
use super::provider::Provider;
use crate::image::{Digest, Repository, Tag};

/// A registry with what is known about its kind. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    registry: Registry,
    provider: Provider,
}

/// A tag as listed. What the listing does not say is `None`: it has to be asked of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The tag.
    pub tag: Tag,
    /// What it points to.
    pub digest: Option<Digest>,
    /// When it was put there, or its image pushed.
    pub pushed: Option<Timestamp>,
}

impl Catalog {
    /// Nothing is sent yet.
    pub fn new(registry: Registry, provider: Provider) -> Self {
        Self { registry, provider }
    }

    /// The registry itself.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its kind.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Every tag of a repository. All or an error.
    ///
    /// # Errors
    /// As [`Registry::tags`].
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Listed>, RegistryError> {
        let tags = self.registry.tags(repository).await?;
        Ok(tags.into_iter().map(|tag| Listed { tag, digest: None, pushed: None }).collect())
    }

    /// Takes one tag away. What it pointed to stays, and so does every other tag of it.
    ///
    /// # Errors
    /// When the registry cannot do that without touching others (`Unsupported`), or does not do it.
    pub async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        self.registry.delete_tag(repository, tag).await
    }

    /// Deletes a manifest, and with it every tag that points to it.
    ///
    /// # Errors
    /// When the registry does not; `Unsupported` where deletes are disabled, `NotFound` where there is nothing.
    pub async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        self.registry.delete_manifest(repository, digest).await
    }
}
