//! What a repository holds, and how it is taken away again: by the distribution specification, or by the vendor's own API
//! where the specification is not enough or not followed.
//!
//! What each kind of registry can do and wants stands in `docs/registries.md`. What is asked is read back: a registry that
//! says it deleted a tag and still serves it is an error.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::client::Registry;
use super::error::{Fault, RegistryError};
use super::provider::{Provider, Vendor};
use super::untag;
use crate::image::{Digest, Repository, Tag};

/// Caches in front of large registries need a moment to hear of a deletion.
const HEARD: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

/// A registry with what is known about its kind. Cheap to clone; clones share what they learn.
#[derive(Debug, Clone)]
pub struct Catalog {
    registry: Registry,
    provider: Provider,
    vendor: Option<Arc<Vendor>>,
    /// Repositories in which deleting by digest was seen to work.
    proven: Arc<Mutex<HashSet<String>>>,
    /// Held while something is deleted by digest. Distribution 2 looks through all tags then, and answers 500 with its work half
    /// done when another one goes at that moment.
    deleting: Arc<tokio::sync::Mutex<()>>,
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
    /// Nothing is sent yet. A vendor's API is looked for where it follows from the registry's name.
    pub fn new(registry: Registry, provider: Provider) -> Self {
        let vendor = Vendor::of(provider, &registry, None).map(Arc::new);
        Self { registry, provider, vendor, proven: Arc::default(), deleting: Arc::default() }
    }

    /// The same, with the vendor's API at this address. The registry's login is sent there: give only an address that the
    /// login is for, such as the job's own forge for the job's own token.
    #[must_use]
    pub fn with_api(mut self, base: &str) -> Self {
        self.vendor = Vendor::of(self.provider, &self.registry, Some(base)).map(Arc::new);
        self
    }

    /// The registry itself.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its kind.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Every tag of a repository, each once. All or an error. The vendor's API is asked first, because it says digests and times
    /// in one go; where it does not serve this login, the specification's list is as complete.
    ///
    /// # Errors
    /// As [`Registry::tags`].
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Listed>, RegistryError> {
        self.check_host(repository)?;
        if let Some(vendor) = &self.vendor
            && let Some(listed) = vendor.tags(repository).await
        {
            match listed {
                Err(error) if !error.is_transient() => tracing::debug!(%error, "listed by the specification instead"),
                other => return other,
            }
        }
        let tags = self.registry.tags(repository).await?;
        Ok(tags.into_iter().map(|tag| Listed { tag, digest: None, pushed: None }).collect())
    }

    /// Takes one tag away. What it pointed to stays, and so does every other tag of it.
    ///
    /// A registry that cannot do that by itself (distribution 2, GHCR) is shown first to delete by digest; then the tag is put on
    /// an empty image of its own, and that is deleted. The last two steps go on where this future is dropped.
    ///
    /// # Errors
    /// `NotFound` where there is no such tag; `Unsupported` where the registry cannot do it without touching others, with the
    /// tag as it was; `Moved` where somebody else moved it meanwhile; or why the registry does not do it.
    pub async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        let before = self.registry.get_manifest(repository, tag).await?;
        let vendor = self.vendor.as_deref();
        let refused = match vendor {
            Some(vendor) => match vendor.untag(repository, tag).await {
                Some(Ok(())) => return self.check_gone(repository, tag, &before.digest).await,
                Some(Err(error)) if vendor.is_only_way() || !is_absent(&error.fault) => return Err(error),
                Some(Err(error)) => Some(error),
                None => None,
            },
            None => None,
        };
        // GHCR has no other way than by digest.
        let done = match vendor.is_some_and(Vendor::is_only_way) {
            true => Err(Fault::Unsupported(String::new())),
            false => self.untag_plainly(repository, tag, &before.digest).await.map_err(|error| error.fault),
        };
        let done = match done {
            Err(Fault::Unsupported(_)) => untag::by_dummy(self, repository, tag, before).await,
            Err(fault) => Err(RegistryError { attempt: self.deleting(repository, tag), fault }),
            Ok(()) => untag::put_back(&self.registry, repository, &before).await,
        };
        match (done, refused) {
            // The API's word says more about the cure than that the specification's way is closed too.
            (Err(error), Some(refused)) if matches!(error.fault, Fault::Unsupported(_)) || error.is_refusal() => {
                Err(refused)
            }
            (done, _) => done,
        }
    }

    /// Deletes a manifest, and with it every tag that points to it.
    ///
    /// # Errors
    /// When the registry does not; `Unsupported` where deletes are disabled, `NotFound` where there is nothing.
    pub async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        self.check_host(repository)?;
        let _alone = self.alone().await;
        self.delete_now(repository, digest).await
    }

    /// The same for who is alone already.
    pub(super) async fn delete_now(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        if let Some(vendor) = &self.vendor
            && let Some(done) = vendor.delete(repository, digest).await
        {
            match done {
                Err(error) if !vendor.is_only_way() && is_absent(&error.fault) => {
                    tracing::debug!(%error, "deleted by the specification instead");
                }
                other => return other,
            }
        }
        self.registry.delete_manifest(repository, digest).await
    }

    /// Waits until nobody else deletes here, where that matters: clouds' and vendors' registries need no such care.
    pub(super) async fn alone(&self) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        match self.provider {
            Provider::Generic => Some(Arc::clone(&self.deleting).lock_owned().await),
            _ => None,
        }
    }

    /// Mends a push that failed for want of a project, where a registry has such (Harbor). Whether trying again may help.
    ///
    /// # Errors
    /// When the project is missing and cannot be created: says how to.
    pub async fn create_project(&self, repository: &Repository, failed: &RegistryError) -> Result<bool, RegistryError> {
        // To a login without rights in it, Harbor does not say whether a project is there.
        let may_be = is_absent(&failed.fault) || failed.is_refusal();
        if may_be { self.missing_project(repository).await } else { Ok(false) }
    }

    /// Creates the repository's project, where a registry has such (Harbor) and it is not there. Whether it was not.
    ///
    /// # Errors
    /// When it is missing and cannot be created: says how to.
    pub async fn missing_project(&self, repository: &Repository) -> Result<bool, RegistryError> {
        match self.vendor.as_deref() {
            Some(Vendor::Harbor(harbor)) => {
                self.check_host(repository)?;
                harbor.create_project(repository).await
            }
            _ => Ok(false),
        }
    }

    /// Has the registry scan an image for vulnerabilities, where it does so when asked (Harbor). Whether it was asked: the scan
    /// itself happens later.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn scan(&self, repository: &Repository, digest: &Digest) -> Result<bool, RegistryError> {
        match self.vendor.as_deref() {
            Some(Vendor::Harbor(harbor)) => {
                self.check_host(repository)?;
                harbor.scan(repository, digest).await.map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// The specification's way: DELETE of the tag. Distribution 2 says 400 or 405; whatever is no refusal of this login means
    /// that it cannot be done so.
    async fn untag_plainly(&self, repository: &Repository, tag: &Tag, before: &Digest) -> Result<(), RegistryError> {
        let cannot =
            |words: String| RegistryError { attempt: self.deleting(repository, tag), fault: Fault::Unsupported(words) };
        match self.registry.delete_tag(repository, tag).await {
            // Some say yes and do nothing.
            Ok(()) => self.check_gone(repository, tag, before).await.map_err(|error| cannot(error.fault.to_string())),
            Err(error) => Err(match error.fault {
                Fault::Rejected { message, .. } => cannot(message),
                Fault::NotFound | Fault::NameUnknown => cannot("it does not know the tag by name".into()),
                Fault::Protocol(words) => cannot(words),
                _ => error,
            }),
        }
    }

    /// The tag does not point there any more.
    async fn check_gone(&self, repository: &Repository, tag: &Tag, before: &Digest) -> Result<(), RegistryError> {
        for wait in HEARD {
            tokio::time::sleep(wait).await;
            // Held by somebody else's image by now is gone, too.
            if self.held(repository, tag).await?.as_ref() != Some(before) {
                return Ok(());
            }
        }
        let fault = Fault::Protocol("it says the tag is deleted, and serves it still".into());
        Err(RegistryError { attempt: self.deleting(repository, tag), fault })
    }

    /// What a tag points to.
    pub(super) async fn held(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        match self.registry.head_manifest(repository, tag).await? {
            None => Ok(None),
            Some(head) if head.digest.is_some() => Ok(head.digest),
            // Not every registry says it in an answer to HEAD.
            Some(_) => match self.registry.get_manifest(repository, tag).await {
                Ok(manifest) => Ok(Some(manifest.digest)),
                Err(error) if matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Deleting by digest was seen to work in this repository.
    pub(super) fn is_proven(&self, repository: &Repository) -> bool {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(repository.path())
    }

    pub(super) fn set_proven(&self, repository: &Repository) {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).insert(repository.path().to_owned());
    }

    /// The registry is spoken to by the specification alone, so what it can do may be asked without a list.
    pub(super) fn is_plain(&self) -> bool {
        self.vendor.as_deref().is_none_or(|vendor| !vendor.is_only_way())
    }

    pub(super) fn deleting(&self, repository: &Repository, tag: &Tag) -> Box<super::error::Attempt> {
        self.registry.attempt(repository, format!("deleting {tag} from"))
    }

    /// The login is for this host alone.
    fn check_host(&self, repository: &Repository) -> Result<(), RegistryError> {
        let attempt = self.registry.attempt(repository, "asking for".into());
        self.registry.url(&attempt, repository, "").map(drop)
    }
}

/// The API is not there, or not for this login: the specification may serve. What it refused on purpose stays refused.
fn is_absent(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Unauthorized(_)
            | Fault::NotFound
            | Fault::NameUnknown
            | Fault::Unsupported(_)
            | Fault::Protocol(_)
            | Fault::Dns(_)
            | Fault::Tls(_)
            | Fault::Refused
            | Fault::Unreachable(_)
    )
}
