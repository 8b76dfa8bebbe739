//! What an engine hands out when asked for an image (`docker save`, `GET /images/NAME/get`), made into an OCI layout.
//!
//! Three shapes exist: engines before 25 (`ID/layer.tar`, links between equal layers), engines from 25 on (`blobs/sha256/…`
//! with uncompressed layers), and the containerd image store (a true OCI layout, layers as they were pulled or built).
//! Uncompressed layers are compressed while they are read; the config, whose digest is the image id, stays as it is.
//! Nothing but regular files with names made from digests is ever created. Blocking.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::rc::Rc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::Digest;
use super::layout::{Layout, LayoutError, blob_path};
use super::manifest::{Descriptor, MAX_MANIFEST, OCI_CONFIG, OCI_MANIFEST};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MAX_ENTRIES: usize = 20_000;
const MAX_LINKS: usize = 8;
/// What may stand between two files: padding, and headers that carry long names.
const MAX_HEADERS: u64 = 1 << 20;

/// A file of the archive, as it was kept.
#[derive(Debug, Clone)]
struct Stored {
    /// Digest of the bytes in the archive.
    original: Digest,
    /// Digest and size of the blob kept: the same, or those of its compressed form.
    blob: Digest,
    size: u64,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Was a tar, and was compressed here.
    Compressed,
    /// Already gzip.
    Gzip,
    /// Already zstd.
    Zstd,
    /// Anything else, an empty layer included.
    Other,
}

/// Everything read from an archive.
#[derive(Debug, Default)]
struct Archive {
    files: HashMap<String, Stored>,
    links: HashMap<String, String>,
    documents: BTreeMap<&'static str, Vec<u8>>,
}

/// Reads an archive into the empty directory `dir` and opens the result: a layout with exactly one image.
///
/// # Errors
/// When the archive is damaged, hostile, holds no image or more than one, or the disk is full.
pub fn import_archive(reader: impl Read, dir: &Path) -> Result<Layout, LayoutError> {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(LayoutError::io(&blobs))?;
    let archive = read(reader, dir)?;
    match as_it_is(&archive, dir) {
        Ok(Some(layout)) => Ok(layout),
        // Not all of it is here in the form its manifest names: platforms that were not exported, layers we compressed.
        _ if archive.documents.contains_key("manifest.json") => from_docker(&archive, dir),
        Ok(None) => Err(LayoutError::Archive("neither `manifest.json` nor a complete `index.json` in it".into())),
        Err(error) => Err(error),
    }
}

fn read(reader: impl Read, dir: &Path) -> Result<Archive, LayoutError> {
    let budget = Rc::new(Cell::new(Some(MAX_HEADERS)));
    let mut tar = tar::Archive::new(Metered { inner: reader, budget: Rc::clone(&budget) });
    let mut archive = Archive::default();
    let mut entries = tar.entries().map_err(broken)?;
    for count in 0.. {
        budget.set(Some(MAX_HEADERS));
        let Some(entry) = entries.next() else { break };
        budget.set(None);
        if count >= MAX_ENTRIES {
            return Err(LayoutError::Archive(format!("more than {MAX_ENTRIES} entries")));
        }
        take(entry.map_err(broken)?, dir, &mut archive)?;
    }
    Ok(archive)
}

fn take<R: Read>(mut entry: tar::Entry<'_, R>, dir: &Path, archive: &mut Archive) -> Result<(), LayoutError> {
    let name = inside("", &String::from_utf8_lossy(&entry.path_bytes()))?;
    let kind = entry.header().entry_type();
    if kind.is_symlink() || kind.is_hard_link() {
        let target = entry.link_name_bytes().unwrap_or_default();
        let target = String::from_utf8_lossy(&target);
        // A symlink is relative to where it stands, a hard link to the root of the archive.
        let base = if kind.is_symlink() { name.rsplit_once('/').map_or("", |(parent, _)| parent) } else { "" };
        let target = inside(base, &target)?;
        archive.links.insert(name, target);
    } else if kind.is_file() {
        if let Some(document) = ["manifest.json", "index.json"].into_iter().find(|d| *d == name) {
            archive.documents.insert(document, small(&mut entry, &name)?);
        } else {
            let length = entry.size();
            let stored = store(&mut entry, length, dir)?;
            if let Some(hex) = name.strip_prefix("blobs/sha256/")
                && stored.original.hex() != hex
            {
                let why = format!("`{name}` holds other content ({})", stored.original);
                return Err(LayoutError::Archive(why));
            }
            archive.files.insert(name, stored);
        }
    } else if !kind.is_dir() && !kind.is_pax_global_extensions() {
        return Err(LayoutError::Archive(format!("`{name}` is neither file nor directory")));
    }
    // Whatever was not read counts against the headers otherwise.
    io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
    Ok(())
}

/// A name resolved from a directory of the archive, refused if it leads out of it.
fn inside(base: &str, name: &str) -> Result<String, LayoutError> {
    let mut parts: Vec<&str> = base.split('/').filter(|p| !p.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." if !parts.is_empty() => drop(parts.pop()),
            ".." => return Err(LayoutError::Archive(format!("`{}` leads out of the archive", clip(name)))),
            part => parts.push(part),
        }
    }
    if name.starts_with('/') || name.contains('\0') {
        return Err(LayoutError::Archive(format!("`{}` leads out of the archive", clip(name))));
    }
    Ok(parts.join("/"))
}

fn small(entry: &mut impl Read, name: &str) -> Result<Vec<u8>, LayoutError> {
    let mut bytes = Vec::new();
    entry.take(MAX_MANIFEST as u64 + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() > MAX_MANIFEST {
        return Err(LayoutError::Archive(format!("`{name}` has more than 4 MiB")));
    }
    Ok(bytes)
}

/// Keeps a file under the digest of what is kept: tars compressed, everything else as it is.
fn store(entry: &mut impl Read, length: u64, dir: &Path) -> Result<Stored, LayoutError> {
    let mut head = Vec::with_capacity(512);
    entry.by_ref().take(512).read_to_end(&mut head).map_err(broken)?;
    let form = form_of(&head);
    let mut source = Hashing::new(head.as_slice().chain(entry));
    let (blob, size) = keep(&mut source, form == Form::Compressed, dir)?;
    if source.count != length {
        return Err(broken(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Stored { original: source.digest(), blob, size, form })
}

fn form_of(head: &[u8]) -> Form {
    if head.get(257..262) == Some(b"ustar") {
        Form::Compressed
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Form::Gzip
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Form::Zstd
    } else {
        Form::Other
    }
}

/// Writes a blob, compressed or not, and gives it its name. The gzip header holds no time and no name: equal layers
/// become equal blobs.
fn keep(source: &mut impl Read, compress: bool, dir: &Path) -> Result<(Digest, u64), LayoutError> {
    let blobs = dir.join("blobs/sha256");
    let file = NamedTempFile::new_in(&blobs).map_err(LayoutError::io(&blobs))?;
    let mut sink = Hashing::new(BufWriter::with_capacity(64 << 10, file));
    if compress {
        let mut gzip = GzEncoder::new(&mut sink, Compression::default());
        transfer(source, &mut gzip, &blobs)?;
        gzip.finish().map_err(LayoutError::io(&blobs))?;
    } else {
        transfer(source, &mut sink, &blobs)?;
    }
    let (digest, size) = (sink.digest(), sink.count);
    let file = sink.inner.into_inner().map_err(|e| LayoutError::io(&blobs)(e.into_error()))?;
    let path = blob_path(dir, &digest);
    file.persist(&path).map_err(|e| LayoutError::io(&path)(e.error))?;
    Ok((digest, size))
}

/// As `io::copy`, but telling a broken archive from a full disk.
fn transfer(source: &mut impl Read, sink: &mut impl Write, path: &Path) -> Result<(), LayoutError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => sink.write_all(&buffer[..n]).map_err(LayoutError::io(path))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
}

/// The archive as the OCI layout it already is; `None` where it is none, or would publish uncompressed layers.
fn as_it_is(archive: &Archive, dir: &Path) -> Result<Option<Layout>, LayoutError> {
    let Some(index) = archive.documents.get("index.json") else { return Ok(None) };
    write_entry_point(dir, index)?;
    let layout = Layout::open(dir)?;
    let content = layout.walk(layout.root()?)?;
    Ok(content.blobs.iter().all(|blob| !blob.media_type.ends_with(".tar")).then_some(layout))
}

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
fn from_docker(archive: &Archive, dir: &Path) -> Result<Layout, LayoutError> {
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
    let (digest, size) = keep(&mut manifest.as_slice(), false, dir)?;
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
            let (digest, size) = keep(&mut file, true, dir)?;
            descriptor(&format!("{LAYER}+gzip"), digest, size)
        }
    })
}

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    let media_type = media_type.to_owned();
    Descriptor { media_type, digest, size, urls: Vec::new(), annotations: BTreeMap::new(), platform: None }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, LayoutError> {
    serde_json::to_vec(value).map_err(|e| LayoutError::Archive(e.to_string()))
}

fn write_entry_point(dir: &Path, index: &[u8]) -> Result<(), LayoutError> {
    let files = [("index.json", index), ("oci-layout", &br#"{"imageLayoutVersion":"1.0.0"}"#[..])];
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::write(&path, bytes).map_err(LayoutError::io(&path))?;
    }
    Ok(())
}

impl Archive {
    /// A file by name, through the archive's own links.
    fn find(&self, name: &str) -> Result<&Stored, LayoutError> {
        let mut at = inside("", name)?;
        for _ in 0..MAX_LINKS {
            match (self.files.get(&at), self.links.get(&at)) {
                (Some(stored), _) => return Ok(stored),
                (None, Some(target)) => at.clone_from(target),
                (None, None) => break,
            }
        }
        Err(LayoutError::Archive(format!("`{}` is missing in it", clip(name))))
    }
}

/// Counts and hashes what passes through, in either direction.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
    count: u64,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new(), count: 0 }
    }

    fn digest(&self) -> Digest {
        Digest::from_sha256(&self.hash.clone().finalize())
    }

    fn note(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.count += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.note(&buffer[..n]);
        Ok(n)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.note(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Ends reading when the headers between two files are longer than any name: the tar reader keeps those in memory.
struct Metered<R> {
    inner: R,
    /// Bytes left; `None` while a file's content is read.
    budget: Rc<Cell<Option<u64>>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if let Some(left) = self.budget.get() {
            let left = left.checked_sub(n as u64).ok_or_else(|| io::Error::other("headers of more than 1 MiB"))?;
            self.budget.set(Some(left));
        }
        Ok(n)
    }
}

fn broken(error: io::Error) -> LayoutError {
    LayoutError::Archive(format!("it ends early or is no tar: {error}"))
}

fn clip(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
