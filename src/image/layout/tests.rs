use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A layout with one image of one layer; gives back the directory and the three digests: layer, config, manifest.
fn sample() -> (TempDir, [Digest; 3]) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
    let layer = put(&dir, b"layer");
    let config = put(&dir, b"{}");
    let manifest = json!({"schemaVersion": 2, "config": entry(&config, 2), "layers": [entry(&layer, 5)]}).to_string();
    let digest = put(&dir, manifest.as_bytes());
    write(&dir, "oci-layout", &json!({"imageLayoutVersion": "1.0.0"}));
    write(&dir, "index.json", &json!({"schemaVersion": 2, "manifests": [entry(&digest, manifest.len())]}));
    (dir, [layer, config, digest])
}

fn entry(digest: &Digest, size: usize) -> Value {
    json!({"mediaType": "x", "digest": digest, "size": size})
}

fn put(dir: &TempDir, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    fs::write(blob_path(dir.path(), &digest), bytes).unwrap();
    digest
}

fn write(dir: &TempDir, name: &str, value: &Value) {
    fs::write(dir.path().join(name), value.to_string()).unwrap();
}

fn walk(dir: &TempDir) -> Result<Content, LayoutError> {
    let layout = Layout::open(dir.path())?;
    layout.walk(layout.root()?)
}

#[test]
fn a_layout_is_walked_from_its_root() {
    let (dir, [layer, config, manifest]) = sample();
    let content = walk(&dir).unwrap();
    assert_eq!(content.manifests.iter().map(|m| &m.digest).collect::<Vec<_>>(), [&manifest]);
    assert_eq!(content.blobs.iter().map(|b| &b.digest).collect::<Vec<_>>(), [&config, &layer]);
    let layout = Layout::open(dir.path()).unwrap();
    content.blobs.iter().for_each(|blob| layout.verify(blob).unwrap());
}

#[test]
fn one_image_under_two_names_is_one_image() {
    let (dir, [_, _, manifest]) = sample();
    let one = entry(&manifest, 1);
    write(&dir, "index.json", &json!({"schemaVersion": 2, "manifests": [one, one]}));
    assert!(Layout::open(dir.path()).unwrap().root().is_ok());
    let other = entry(&Digest::of(b"other"), 1);
    write(&dir, "index.json", &json!({"schemaVersion": 2, "manifests": [one, other]}));
    let error = Layout::open(dir.path()).unwrap().root().unwrap_err();
    assert!(matches!(error, LayoutError::NotOne { count: 2, .. }));
    write(&dir, "index.json", &json!({"schemaVersion": 2}));
    assert!(matches!(walk(&dir), Err(LayoutError::NotOne { count: 0, .. })));
}

#[test]
fn damage_is_found() {
    let (dir, [layer, config, manifest]) = sample();
    let layout = Layout::open(dir.path()).unwrap();
    let descriptor = layout.walk(layout.root().unwrap()).unwrap().blobs.pop().unwrap();

    // Same size, other bytes: only reading it all tells.
    fs::write(blob_path(dir.path(), &layer), b"loser").unwrap();
    assert!(matches!(layout.verify(&descriptor), Err(LayoutError::Damaged { .. })));
    fs::write(blob_path(dir.path(), &layer), b"short").unwrap();
    fs::write(blob_path(dir.path(), &layer), b"longer").unwrap();
    assert!(walk(&dir).unwrap_err().to_string().contains("has 6 bytes, its descriptor says 5"));
    fs::remove_file(blob_path(dir.path(), &config)).unwrap();
    assert!(matches!(walk(&dir), Err(LayoutError::Io { .. })));
    fs::write(blob_path(dir.path(), &manifest), b"{}").unwrap();
    assert!(matches!(walk(&dir), Err(LayoutError::Damaged { .. })));
}

#[test]
fn links_and_devices_are_no_blobs() {
    let (dir, [layer, ..]) = sample();
    let path = blob_path(dir.path(), &layer);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(walk(&dir).unwrap_err().to_string().contains("is not a regular file"));
    fs::remove_file(dir.path().join("index.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("index.json")).unwrap();
    assert!(Layout::open(dir.path()).is_err());
}

#[test]
fn what_is_no_layout_is_said_to_be_none() {
    let (dir, _) = sample();
    for (name, text, says) in [
        ("oci-layout", "{}", "missing field `imageLayoutVersion`"),
        ("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#, "is not supported: only 1.x is"),
        ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#, ""),
        ("index.json", "[", "EOF while parsing"),
        ("index.json", r#"{"schemaVersion":1}"#, "schema version 1"),
        ("index.json", r#"{"schemaVersion":2,"manifests":[{"digest":"../../etc/passwd","size":1}]}"#, "not a digest"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
        match Layout::open(dir.path()) {
            Ok(_) => assert_eq!(says, "", "{text}"),
            Err(error) => assert!(!says.is_empty() && error.to_string().contains(says), "{text}: {error}"),
        }
    }
}
