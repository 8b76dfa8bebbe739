//! Asking what many tags point to: a bounded number of requests at a time over shared connections.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::catalog::{Catalog, Listed};
use super::error::RegistryError;
use crate::image::Repository;

/// Requests at a time, whatever is asked for: registries limit what comes from one address.
const MOST: usize = 64;

impl Catalog {
    /// Fills in the digests that a listing did not say, with at most `limit` requests at a time, in the order given. A tag that
    /// is gone meanwhile is left out.
    ///
    /// # Errors
    /// The first thing that is not to be had, other than a tag that is gone; what is under way is dropped then.
    pub async fn resolve(
        &self,
        repository: &Repository,
        mut listed: Vec<Listed>,
        limit: usize,
    ) -> Result<Vec<Listed>, RegistryError> {
        let unknown: Vec<_> = (0..listed.len()).filter(|at| listed[*at].digest.is_none()).collect();
        let mut found = Vec::with_capacity(unknown.len());
        {
            let (listed, mut waiting, mut under_way) = (&listed, unknown.iter(), FuturesUnordered::new());
            loop {
                while under_way.len() < limit.clamp(1, MOST)
                    && let Some(&at) = waiting.next()
                {
                    under_way.push(async move { (at, self.held(repository, &listed[at].tag).await) });
                }
                match under_way.next().await {
                    Some((at, digest)) => found.push((at, digest?)),
                    None => break,
                }
            }
        }
        for (at, digest) in found {
            listed[at].digest = digest;
        }
        listed.retain(|entry| entry.digest.is_some());
        Ok(listed)
    }
}
