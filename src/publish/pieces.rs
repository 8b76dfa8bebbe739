//! An image whose platforms other jobs put into registries: what a target lacks is copied from one that has it, then the root is
//! stored above it, by its digest.

use super::Place;
use crate::build::{Piece, Pieces};
use crate::image::{Digest, Manifest, Repository};
use crate::registry::{self, Copied, Registry, TransferError};

/// The root, and where each piece below it may be had.
pub(super) struct Assembly {
    root: Manifest,
    pieces: Vec<(Digest, Vec<Holder>)>,
}

struct Holder {
    target: String,
    registry: Registry,
    repository: Repository,
}

impl Assembly {
    pub(super) fn new(whole: &Pieces, places: &[Place]) -> Self {
        let holders = |piece: &Piece| {
            let holders = places.iter().filter(|place| piece.targets.contains(&place.target.id)).map(|place| Holder {
                target: place.target.id.clone(),
                registry: place.registry().clone(),
                repository: place.target.repository.clone(),
            });
            (piece.descriptor.digest.clone(), holders.collect())
        };
        Self { root: whole.root.clone(), pieces: whole.pieces.iter().map(holders).collect() }
    }

    pub(super) async fn put_together(&self, place: &Place) -> Result<Copied, TransferError> {
        let to = (place.registry(), &place.target.repository);
        let mut copied = Copied::default();
        for (digest, holders) in &self.pieces {
            // Whoever checked the legs found at least one.
            if let Some(from) =
                holders.first().filter(|_| holders.iter().all(|holder| holder.target != place.target.id))
            {
                copied += registry::copy((&from.registry, &from.repository), to, digest).await?;
            }
        }
        let head = to.0.head_manifest(to.1, &self.root.digest).await?;
        if head.is_none_or(|head| head.digest.as_ref() != Some(&self.root.digest)) {
            to.0.put_manifest(to.1, &self.root.digest, &self.root).await?;
            copied.manifests.push(self.root.digest.clone());
        }
        Ok(copied)
    }
}
