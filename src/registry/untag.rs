//! Taking a tag from a registry that deletes manifests only: the tag is put on an empty image of its own, and that is deleted.
//! Siblings of the tag never notice.
//!
//! No tag may stay on the empty image: that deletes work is proven before the tag is touched, what follows is not cut off with
//! the caller, and a tag that cannot be taken away after all is put back.

use bytes::Bytes;
use rand::RngExt as _;
use serde_json::json;

use super::blobs::Source;
use super::catalog::Catalog;
use super::client::Registry;
use super::error::{Fault, RegistryError};
use super::referrers::descriptor;
use crate::image::manifest::{Manifest, OCI_CONFIG, OCI_MANIFEST};
use crate::image::{Digest, Repository, Tag};

/// The layer with no files in it that every engine knows: 1024 zero bytes, compressed.
const LAYER: [u8; 32] = [
    31, 139, 8, 0, 0, 9, 110, 136, 0, 255, 98, 24, 5, 163, 96, 20, 140, 88, 0, 8, 0, 0, 255, 255, 46, 175, 181, 239, 0,
    4, 0, 0,
];
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// So often a deletion that was done by half is done again.
const TRIES: usize = 3;
/// What [`LAYER`] unpacks to.
const DIFF_ID: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// See [`Catalog::untag`].
///
/// # Errors
/// `Unsupported` where deletes are off, `Moved` where the tag no longer holds `original`, both with the tag as it was; `Unsafe`
/// where the tag stands on the empty image and could not be put back.
pub(super) async fn by_dummy(
    catalog: &Catalog,
    repository: &Repository,
    tag: &Tag,
    original: Manifest,
) -> Result<(), RegistryError> {
    let alone = catalog.alone().await;
    let mut attempt = catalog.deleting(repository, tag);
    if !catalog.is_proven(repository) {
        prove(catalog, repository, tag).await?;
        catalog.set_proven(repository);
    }
    let (catalog, repository, tag) = (catalog.clone(), repository.clone(), tag.clone());
    let work = tokio::spawn(async move {
        let _alone = alone;
        replace_and_delete(&catalog, &repository, &tag, &original).await
    });
    match work.await {
        Ok(Ok(())) => Ok(()),
        // Said of the tag, not of the empty image that nobody knows.
        Ok(Err(error)) => {
            attempt.needs = error.attempt.needs;
            Err(RegistryError { attempt, fault: error.fault })
        }
        Err(error) => Err(RegistryError { attempt, fault: Fault::Local(error.to_string()) }),
    }
}

/// Puts a manifest back that a registry deleted with its tag (ECR does so with the last one, `BatchDeleteImage`).
pub(super) async fn put_back(
    registry: &Registry,
    repository: &Repository,
    manifest: &Manifest,
) -> Result<(), RegistryError> {
    if registry.head_manifest(repository, &manifest.digest).await?.is_none() {
        registry.put_manifest(repository, &manifest.digest, manifest).await?;
    }
    Ok(())
}

/// Shows that this registry deletes by digest, without a tag being involved.
async fn prove(catalog: &Catalog, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
    let registry = catalog.registry();
    let off =
        |words: String| RegistryError { attempt: catalog.deleting(repository, tag), fault: Fault::Unsupported(words) };
    if catalog.is_plain() {
        // Where deletes are off, it says so of what is not there, too, and nothing needs to be written to find out.
        match registry.delete_manifest(repository, &dummy().digest).await {
            Err(error) if is_off(&error.fault) => return Err(off(words(error.fault))),
            Err(error) if error.is_refusal() || error.is_transient() => return Err(error),
            _ => {}
        }
    }
    for (bytes, media_type) in [(config(), OCI_CONFIG), (Bytes::from_static(&LAYER), LAYER_TYPE)] {
        let blob = descriptor(media_type, &bytes);
        if registry.head_blob(repository, &blob.digest).await?.is_none() {
            registry.upload(repository, &blob, &Source::Bytes(bytes), None).await?;
        }
    }
    let dummy = dummy();
    registry.put_manifest(repository, &dummy.digest, &dummy).await?;
    match catalog.delete_now(repository, &dummy.digest).await {
        Err(error) if is_off(&error.fault) => return Err(off(words(error.fault))),
        other => other?,
    }
    match registry.head_manifest(repository, &dummy.digest).await? {
        Some(_) if catalog.is_plain() => Err(off("it accepts deletes and does not carry them out".into())),
        _ => Ok(()),
    }
}

/// From the first write to the tag to the last look at it. Runs to its end.
async fn replace_and_delete(
    catalog: &Catalog,
    repository: &Repository,
    tag: &Tag,
    original: &Manifest,
) -> Result<(), RegistryError> {
    let registry = catalog.registry();
    let mut dummy = dummy();
    if catalog.held(repository, tag).await?.as_ref() != Some(&original.digest) {
        return Err(RegistryError { attempt: catalog.deleting(repository, tag), fault: Fault::Moved });
    }
    let mut done = replace(catalog, repository, tag, &dummy).await;
    for _ in 0..TRIES {
        // Deleted by half: the manifest went in a try that failed, and the tag may be listed still, pointing to nothing.
        match &done {
            Err(error) if error.fault == Fault::NotFound && catalog.held(repository, tag).await?.is_none() => {
                dummy = self::dummy();
                done = replace(catalog, repository, tag, &dummy).await;
            }
            _ => break,
        }
    }
    let held = catalog.held(repository, tag).await;
    match (held, done) {
        // Not there, or somebody else's by now.
        (Ok(held), Ok(())) if held.as_ref() != Some(&dummy.digest) => put_back(registry, repository, original).await,
        // It never came to stand on the empty image, or does not any more.
        (Ok(held), Err(error)) if held.as_ref() != Some(&dummy.digest) => Err(error),
        (_, done) => {
            let fault = Fault::Protocol("it deleted the manifest, and serves the tag still".into());
            let error = RegistryError { attempt: catalog.deleting(repository, tag), fault };
            let error = done.err().unwrap_or(error);
            restore(catalog, repository, tag, original).await.map_or_else(Err, |()| Err(error))
        }
    }
}

async fn replace(catalog: &Catalog, repository: &Repository, tag: &Tag, dummy: &Manifest) -> Result<(), RegistryError> {
    catalog.registry().put_manifest(repository, tag, dummy).await?;
    catalog.delete_now(repository, &dummy.digest).await
}

/// Puts the tag back to what it held.
async fn restore(
    catalog: &Catalog,
    repository: &Repository,
    tag: &Tag,
    original: &Manifest,
) -> Result<(), RegistryError> {
    let put = catalog.registry().put_manifest(repository, tag, original).await;
    let why = match (put, catalog.held(repository, tag).await) {
        (_, Ok(Some(held))) if held == original.digest => return Ok(()),
        (Err(error), _) | (Ok(_), Err(error)) => error.fault.to_string(),
        (Ok(_), Ok(_)) => "the registry serves something else".to_owned(),
    };
    let what =
        format!("{tag} may point to an empty image now, and could not be put back to {} ({why})", original.digest);
    Err(RegistryError { attempt: catalog.deleting(repository, tag), fault: Fault::Unsafe(what) })
}

/// Deletes are disabled: 405, and 400 in the specification's words for it.
fn is_off(fault: &Fault) -> bool {
    matches!(fault, Fault::Unsupported(_) | Fault::Rejected { status: 400, .. })
}

fn words(fault: Fault) -> String {
    match fault {
        Fault::Unsupported(words) | Fault::Rejected { message: words, .. } => words,
        other => other.to_string(),
    }
}

fn config() -> Bytes {
    let text = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]},
    });
    Bytes::from(text.to_string())
}

/// An image without content that nobody else has: deleting it can hurt no one.
fn dummy() -> Manifest {
    let nonce: u128 = rand::rng().random();
    let text = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, &config()),
        "layers": [descriptor(LAYER_TYPE, &LAYER)],
        "annotations": {"dev.stagefreight.deleting": format!("{nonce:032x}")},
    });
    let bytes = Bytes::from(text.to_string());
    Manifest { digest: Digest::of(&bytes), media_type: OCI_MANIFEST.to_owned(), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_image_is_one_and_never_the_same() {
        let layer = Digest::of(&LAYER);
        assert_eq!(layer.hex(), "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4");
        let mut tar = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&LAYER[..]), &mut tar).unwrap();
        assert_eq!(Digest::of(&tar).as_str(), DIFF_ID);
        assert_ne!(dummy().digest, dummy().digest);
    }
}
