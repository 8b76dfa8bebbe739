//! An image put together anew from docker's own `manifest.json`: the config as it is, the layers compressed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use flate2::Compression;
use serde::{Deserialize, Serialize};

use super::keep::{Form, Stored, keep};
use super::{Archive, write_entry_point};
use crate::image::Digest;
use crate::image::layout::{Layout, LayoutError, blob_path};
use crate::image::manifest::{Descriptor, MAX_MANIFEST, OCI_CONFIG, OCI_MANIFEST};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    #[serde(default)]
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewManifest<'a> {
    schema_version: u8,
    media_type: &'a str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// An image put together from `manifest.json`.
pub(super) fn from_docker(archive: &Archive, dir: &Path) -> Result<Layout, LayoutError> {
    let document = archive.documents.get("manifest.json").map_or(&[][..], Vec::as_slice);
    let mut listed: Vec<Listed> = serde_json::from_slice(document)
        .map_err(|e| LayoutError::Archive(format!("`manifest.json` cannot be read: {e}")))?;
    // The same image under two names is listed twice.
    listed.dedup_by(|a, b| a.config == b.config);
    let [image] = listed.as_slice() else {
        return Err(LayoutError::NotOne { path: "manifest.json".into(), count: listed.len() });
    };
    let config = archive.find(&image.config)?;
    let diff_ids = read_config(config, dir)?.rootfs.diff_ids;
    if diff_ids.len() != image.layers.len() {
        let why = format!("the config names {} layers, `manifest.json` {}", diff_ids.len(), image.layers.len());
        return Err(LayoutError::Archive(why));
    }
    let layers = image.layers.iter().zip(&diff_ids);
    let layers = layers.map(|(name, id)| layer(archive.find(name)?, id, dir)).collect::<Result<_, _>>()?;
    let config = descriptor(OCI_CONFIG, config.blob.clone(), config.size);
    let manifest = json(&NewManifest { schema_version: 2, media_type: OCI_MANIFEST, config, layers })?;
    let (digest, size) = keep(&mut manifest.as_slice(), None, dir)?;
    let manifests = [descriptor(OCI_MANIFEST, digest, size)];
    write_entry_point(dir, &json(&serde_json::json!({ "schemaVersion": 2, "manifests": manifests }))?)?;
    Layout::open(dir)
}

fn read_config(config: &Stored, dir: &Path) -> Result<Config, LayoutError> {
    if config.size > MAX_MANIFEST as u64 {
        return Err(LayoutError::Archive("the image config has more than 4 MiB".into()));
    }
    let path = blob_path(dir, &config.blob);
    let bytes = fs::read(&path).map_err(LayoutError::io(&path))?;
    serde_json::from_slice(&bytes).map_err(|e| LayoutError::Archive(format!("the image config cannot be read: {e}")))
}

/// A layer as a manifest names it. Where its uncompressed bytes have been seen, they are those the config names.
fn layer(stored: &Stored, diff_id: &Digest, dir: &Path) -> Result<Descriptor, LayoutError> {
    if matches!(stored.form, Form::Compressed | Form::Other) && stored.original != *diff_id {
        let why = format!("a layer has digest {}, the config names {diff_id}", stored.original);
        return Err(LayoutError::Archive(why));
    }
    Ok(match stored.form {
        Form::Compressed | Form::Gzip => descriptor(&format!("{LAYER}+gzip"), stored.blob.clone(), stored.size),
        Form::Zstd => descriptor(&format!("{LAYER}+zstd"), stored.blob.clone(), stored.size),
        Form::Other => {
            let path = blob_path(dir, &stored.blob);
            let mut file = fs::File::open(&path).map_err(LayoutError::io(&path))?;
            let (digest, size) = keep(&mut file, Some(Compression::default()), dir)?;
            descriptor(&format!("{LAYER}+gzip"), digest, size)
        }
    })
}

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    let media_type = media_type.to_owned();
    Descriptor { media_type, digest, size, urls: Vec::new(), annotations: BTreeMap::new(), platform: None }
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, LayoutError> {
    serde_json::to_vec(value).map_err(|e| LayoutError::Archive(e.to_string()))
}
