//! A layout made into what an engine takes in (`docker load`): readable as an OCI layout and by engines that only know
//! `manifest.json`. The blobs go in as they are.

use std::io::Write;

use super::LayoutError;
use super::docker::json;
use crate::image::layout::Layout;
use crate::image::manifest::{Children, Descriptor};

/// What containerd's image store names an image by.
const NAME: &str = "io.containerd.image.name";

/// Writes an image of one platform as an archive, under full names (`docker.io/library/app:1`).
///
/// # Errors
/// When the layout is damaged, holds an index, or the sink takes no more.
pub fn save_archive(layout: &Layout, names: &[String], sink: impl Write) -> Result<(), LayoutError> {
    let root = layout.root()?.clone();
    let manifest = layout.manifest(&root)?;
    let Children::Image { config, layers } = manifest.children()? else {
        return Err(LayoutError::Archive("an engine takes an image of one platform, and this one has several".into()));
    };
    let path = |blob: &Descriptor| format!("blobs/sha256/{}", blob.digest.hex());
    let legacy = serde_json::json!([{
        "Config": path(&config),
        "RepoTags": names,
        "Layers": layers.iter().map(path).collect::<Vec<_>>(),
    }]);
    let named = |name: &String| {
        let mut entry = root.clone();
        entry.annotations.insert(NAME.to_owned(), name.clone());
        entry
    };
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": names.iter().map(named).collect::<Vec<_>>() });
    let mut tar = tar::Builder::new(sink);
    add(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    add(&mut tar, "index.json", &json(&index)?)?;
    add(&mut tar, "manifest.json", &json(&legacy)?)?;
    let mut written = std::collections::BTreeSet::new();
    for blob in [&root, &config].into_iter().chain(&layers).filter(|blob| written.insert(blob.digest.clone())) {
        let from = layout.blob_path(&blob.digest);
        let mut file = std::fs::File::open(&from).map_err(LayoutError::io(&from))?;
        let mut header = header(blob.size);
        tar.append_data(&mut header, path(blob), &mut file).map_err(LayoutError::io(&from))?;
    }
    tar.finish().map_err(|e| LayoutError::Archive(e.to_string()))
}

fn add(tar: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
    let mut header = header(bytes.len() as u64);
    tar.append_data(&mut header, name, bytes).map_err(|e| LayoutError::Archive(e.to_string()))
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

#[cfg(test)]
mod tests {
    use super::super::import_archive;
    use super::*;

    #[test]
    fn what_is_saved_is_read_back_with_the_same_digest() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let keep = |bytes: &[u8]| {
            let digest = crate::image::Digest::of(bytes);
            std::fs::write(blobs.join(digest.hex()), bytes).unwrap();
            serde_json::json!({ "digest": digest, "size": bytes.len(), "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip" })
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&[0; 1024]).unwrap();
        let layer = keep(&gzip.finish().unwrap());
        let diff_id = crate::image::Digest::of(&[0; 1024]);
        let config = keep(serde_json::json!({ "rootfs": { "diff_ids": [diff_id] } }).to_string().as_bytes());
        let manifest = keep(
            serde_json::json!({ "schemaVersion": 2, "config": config, "layers": [layer, layer] })
                .to_string()
                .as_bytes(),
        );
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": [manifest] });
        std::fs::write(dir.path().join("index.json"), index.to_string()).unwrap();
        std::fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let layout = Layout::open(dir.path()).unwrap();
        let mut archive = Vec::new();
        save_archive(&layout, &["docker.io/acme/app:1".to_owned(), "docker.io/acme/app:2".to_owned()], &mut archive)
            .unwrap();
        let back = tempfile::tempdir().unwrap();
        let read = import_archive(archive.as_slice(), back.path()).unwrap();
        assert_eq!(read.root().unwrap().digest, layout.root().unwrap().digest);
    }
}
