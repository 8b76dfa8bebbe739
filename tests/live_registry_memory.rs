//! Layers are streamed: a large image passes through a small process. Alone in its program, so that what is measured is
//! its own. Needs the testbed: `eval "$(ci/testbed env)"`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod support;

use std::io::Write as _;

use serde_json::json;
use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::manifest::OCI_MANIFEST;
use stagefreight::image::{Digest, Layout, Repository};
use stagefreight::registry::{HostSettings, Registry, copy, upload_layout};
use support::testbed;

const LAYER: usize = 32 << 20;
const LAYERS: usize = 3;

/// The most memory this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Layers that nobody has seen before, written piece by piece.
fn layout(dir: &std::path::Path) -> Layout {
    use sha2::Digest as _;
    std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    let place = |digest: &Digest| dir.join("blobs/sha256").join(digest.hex());
    let descriptor = |digest: &Digest, size: usize| json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": size});
    let mut layers = Vec::new();
    for _ in 0..LAYERS {
        let (path, mut hash) = (dir.join("layer"), sha2::Sha256::new());
        let mut file = std::fs::File::create(&path).unwrap();
        let mut piece = vec![0; 1 << 20];
        for _ in 0..LAYER >> 20 {
            rand::fill(&mut piece[..4096]);
            hash.update(&piece);
            file.write_all(&piece).unwrap();
        }
        let digest = Digest::from_sha256(&hash.finalize());
        std::fs::rename(path, place(&digest)).unwrap();
        layers.push(descriptor(&digest, LAYER));
    }
    let put = |text: String| {
        let digest = Digest::of(text.as_bytes());
        std::fs::write(place(&digest), &text).unwrap();
        descriptor(&digest, text.len())
    };
    let config = put("{}".into());
    let root =
        put(json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}).to_string());
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    std::fs::write(dir.join("index.json"), json!({"schemaVersion": 2, "manifests": [root]}).to_string()).unwrap();
    Layout::open(dir).unwrap()
}

#[tokio::test]
async fn a_large_image_passes_through_a_small_process() {
    let dir = tempfile::tempdir().unwrap();
    let layout = layout(dir.path());
    let clients = Clients::new(HttpSettings::default());
    let place = |name: &str| {
        let host = testbed(name);
        let repository = Repository::new(&host, &format!("registry-tests/memory-{}", std::process::id())).unwrap();
        (Registry::new(&host, None, &HostSettings::default(), clients.clone()).unwrap(), repository)
    };
    let ((first, repository), (second, target)) = (place("TESTBED_REGISTRY"), place("TESTBED_REGISTRY2"));

    let before = peak();
    let root = layout.root().unwrap().clone();
    let copied = upload_layout(&layout, &root, (&first, &repository)).await.unwrap();
    assert!(copied.bytes > (LAYER * LAYERS) as u64);
    let uploaded = peak();
    copy((&first, &repository), (&second, &target), &root.digest).await.unwrap();
    let both = peak();
    println!("peak: {before} KiB before, {uploaded} KiB after the upload, {both} KiB after the copy");
    assert!(uploaded - before < 12 << 10, "the upload took {} KiB", uploaded - before);
    assert!(both - before < 16 << 10, "upload and copy took {} KiB", both - before);

    first.delete_manifest(&repository, &root.digest).await.unwrap();
    second.delete_manifest(&target, &root.digest).await.unwrap();
}
