//! Layers and layouts for tests: written byte by byte where a proper writer would refuse.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::manifest::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use super::{Descriptor, Digest, Layout};

/// An entry of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) content: Vec<u8>,
    pub(crate) link: String,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) mtime: u64,
    /// Extended headers, written before it.
    pub(crate) pax: Vec<(String, Vec<u8>)>,
    /// What the header says the size is, where it lies.
    pub(crate) size: Option<u64>,
}

pub(crate) fn file(path: &str, content: &str) -> Entry {
    Entry {
        path: path.as_bytes().to_vec(),
        kind: b'0',
        content: content.as_bytes().to_vec(),
        link: String::new(),
        mode: 0o644,
        uid: 0,
        mtime: 1_700_000_000,
        pax: Vec::new(),
        size: None,
    }
}

pub(crate) fn dir(path: &str) -> Entry {
    Entry { kind: b'5', mode: 0o755, ..file(path, "") }
}

pub(crate) fn symlink(path: &str, link: &str) -> Entry {
    Entry { kind: b'2', link: link.to_owned(), ..file(path, "") }
}

pub(crate) fn hardlink(path: &str, link: &str) -> Entry {
    Entry { kind: b'1', link: link.to_owned(), ..file(path, "") }
}

impl Entry {
    pub(crate) fn pax(mut self, key: &str, value: &[u8]) -> Self {
        self.pax.push((key.to_owned(), value.to_vec()));
        self
    }

    /// Header and content, with their padding.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.pax.is_empty() {
            let mut records = Vec::new();
            for (key, value) in &self.pax {
                let body = key.len() + value.len() + 3;
                let length =
                    (1..9).map(|digits| body + digits).find(|all| all.to_string().len() + body == *all).unwrap();
                records.extend_from_slice(format!("{length} {key}=").as_bytes());
                records.extend_from_slice(value);
                records.push(b'\n');
            }
            let header = Entry { kind: b'x', pax: Vec::new(), size: None, ..file("pax", "") };
            out.extend(Entry { content: records, ..header }.bytes());
        }
        let mut header = tar::Header::new_ustar();
        header.set_mode(self.mode);
        header.set_uid(self.uid);
        header.set_gid(self.uid);
        header.set_mtime(self.mtime);
        header.set_entry_type(tar::EntryType::new(self.kind));
        header.set_size(self.size.unwrap_or(self.content.len() as u64));
        let old = header.as_old_mut();
        let n = self.path.len().min(100);
        old.name[..n].copy_from_slice(&self.path[..n]);
        old.linkname[..self.link.len()].copy_from_slice(self.link.as_bytes());
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(&self.content);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }
}

/// A tar of entries.
pub(crate) fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut out: Vec<u8> = entries.iter().flat_map(Entry::bytes).collect();
    out.extend_from_slice(&[0; 1024]);
    out
}

pub(crate) fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(level));
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A frame of zstd with nothing compressed in it, as the format has it: magic, header with a window, raw blocks.
pub(crate) fn zstd(bytes: &[u8], window: u8) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window];
    let mut blocks = bytes.chunks(1 << 10).peekable();
    while let Some(block) = blocks.next() {
        let head = (u32::try_from(block.len()).unwrap() << 3) | u32::from(blocks.peek().is_none());
        out.extend_from_slice(&head.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out
}

/// A layout being written.
pub(crate) struct Maker<'a>(pub(crate) &'a Path);

impl<'a> Maker<'a> {
    pub(crate) fn new(dir: &'a Path) -> Self {
        std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        Self(dir)
    }

    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        std::fs::write(self.0.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// An image of layers: uncompressed bytes and what is stored of them. `config` is merged into the config.
    pub(crate) fn image(&self, layers: &[(Vec<u8>, Vec<u8>)], config: &Value) -> Value {
        let ids: Vec<_> = layers.iter().map(|(tar, _)| Digest::of(tar)).collect();
        let mut whole = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ids}});
        whole.as_object_mut().unwrap().extend(config.as_object().cloned().unwrap_or_default());
        let config = self.blob(OCI_CONFIG, whole.to_string().as_bytes());
        let blobs: Vec<_> =
            layers.iter().map(|(_, blob)| self.blob("application/vnd.oci.image.layer.v1.tar+gzip", blob)).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": blobs});
        self.blob(OCI_MANIFEST, manifest.to_string().as_bytes())
    }

    pub(crate) fn index(&self, images: &[(&str, Value)]) -> Value {
        let entries = images.iter().map(|(platform, descriptor)| {
            let (os, architecture) = platform.split_once('/').unwrap();
            let mut entry = descriptor.clone();
            entry["platform"] = json!({"os": os, "architecture": architecture});
            entry
        });
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries.collect::<Vec<_>>()});
        self.blob(OCI_INDEX, index.to_string().as_bytes())
    }

    pub(crate) fn finish(&self, root: &Value) -> (Layout, Descriptor) {
        std::fs::write(self.0.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        std::fs::write(self.0.join("index.json"), json!({"schemaVersion": 2, "manifests": [root]}).to_string())
            .unwrap();
        (Layout::open(self.0).unwrap(), serde_json::from_value(root.clone()).unwrap())
    }
}

/// Layers as most images have them.
pub(crate) fn gzipped(layers: &[&[Entry]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    layers.iter().map(|entries| layer(entries)).map(|tar| (tar.clone(), gzip(&tar, 6))).collect()
}
