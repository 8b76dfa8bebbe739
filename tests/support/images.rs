//! Images on disk for tests from outside the process: layouts and archives, of layers written entry by entry.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The header of an entry: a file unless `kind` says otherwise.
pub fn header(path: &str, kind: tar::EntryType, size: u64, mtime: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(size);
    header.set_cksum();
    header
}

/// A layer of small files.
pub fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, content) in entries {
        entry(&mut out, path, content.as_bytes(), 1_700_000_000);
    }
    out.extend_from_slice(&[0; 1024]);
    out
}

/// One file of a layer, with its padding.
pub fn entry(out: &mut impl Write, path: &str, content: &[u8], mtime: u64) {
    let size = content.len() as u64;
    out.write_all(header(path, tar::EntryType::Regular, size, mtime).as_bytes()).unwrap();
    out.write_all(content).unwrap();
    out.write_all(&vec![0; content.len().next_multiple_of(512) - content.len()]).unwrap();
}

pub fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(level));
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A frame of zstd with a window of 8 MiB, which whoever reads it has to keep. Nothing is compressed in it.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68];
    let mut blocks = bytes.chunks(100 << 10).peekable();
    while let Some(block) = blocks.next() {
        let head = (u32::try_from(block.len()).unwrap() << 3) | u32::from(blocks.peek().is_none());
        out.extend_from_slice(&head.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out
}

/// A layer that is on disk and was never in memory: its diff_id and its blob.
pub struct Stored {
    pub diff_id: String,
    pub blob: Value,
}

/// Writes a gzip layer of any size into a layout: what `write` writes is hashed on both sides of the compression.
pub fn stream(dir: &Path, write: impl FnOnce(&mut dyn Write)) -> Stored {
    std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    let path = dir.join("layer");
    let blob = Hashing { inner: BufWriter::new(File::create(&path).unwrap()), hash: Sha256::new(), size: 0 };
    let mut tar = Hashing { inner: GzEncoder::new(blob, Compression::fast()), hash: Sha256::new(), size: 0 };
    write(&mut tar);
    let diff_id = format!("sha256:{}", hex::encode(tar.hash.finalize()));
    let mut blob = tar.inner.finish().unwrap();
    blob.flush().unwrap();
    let hex = hex::encode(blob.hash.finalize());
    std::fs::rename(path, dir.join("blobs/sha256").join(&hex)).unwrap();
    Stored { diff_id, blob: json!({"mediaType": LAYER, "digest": format!("sha256:{hex}"), "size": blob.size}) }
}

/// Stores bytes as a blob.
pub fn blob(dir: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let hex = hex::encode(Sha256::digest(bytes));
    std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    std::fs::write(dir.join("blobs/sha256").join(&hex), bytes).unwrap();
    json!({"mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len()})
}

/// Stores an image of uncompressed layers, compressed at a level; returns its descriptor.
pub fn image(dir: &Path, layers: &[Vec<u8>], level: u32) -> Value {
    let stored = layers.iter().map(|tar| Stored {
        diff_id: format!("sha256:{}", hex::encode(Sha256::digest(tar))),
        blob: blob(dir, LAYER, &gzip(tar, level)),
    });
    image_of(dir, &stored.collect::<Vec<_>>())
}

/// Stores an image of layers that are stored already.
pub fn image_of(dir: &Path, layers: &[Stored]) -> Value {
    let ids: Vec<_> = layers.iter().map(|layer| &layer.diff_id).collect();
    let history: Vec<_> = (1..=layers.len()).map(|n| json!({"created_by": format!("RUN step {n}")})).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ids}, "history": history});
    let config = blob(dir, CONFIG, config.to_string().as_bytes());
    let blobs: Vec<_> = layers.iter().map(|layer| &layer.blob).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": blobs});
    blob(dir, MANIFEST, manifest.to_string().as_bytes())
}

/// Makes a directory a layout of these images, by name.
pub fn layout(dir: &Path, images: &[(&str, Value)]) {
    let entries = images.iter().map(|(name, image)| {
        let mut entry = image.clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        entry
    });
    let index = json!({"schemaVersion": 2, "manifests": entries.collect::<Vec<_>>()});
    std::fs::write(dir.join("index.json"), index.to_string()).unwrap();
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// What `docker save` of an older engine writes: uncompressed layers, and a list of them.
pub fn archive(path: &Path, layers: &[Vec<u8>]) {
    let ids: Vec<_> = layers.iter().map(|tar| format!("sha256:{}", hex::encode(Sha256::digest(tar)))).collect();
    let history: Vec<_> = (1..=layers.len()).map(|n| json!({"created_by": format!("RUN step {n}")})).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ids}, "history": history});
    let names: Vec<_> = (0..layers.len()).map(|n| format!("{n}/layer.tar")).collect();
    let mut out = File::create(path).unwrap();
    for (name, layer) in names.iter().zip(layers) {
        entry(&mut out, name, layer, 0);
    }
    entry(&mut out, "config.json", config.to_string().as_bytes(), 0);
    entry(&mut out, "manifest.json", json!([{"Config": "config.json", "Layers": names}]).to_string().as_bytes(), 0);
    out.write_all(&[0; 1024]).unwrap();
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
