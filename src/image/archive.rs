//! What an engine hands out when asked for an image (`docker save`, `GET /images/NAME/get`), made into an OCI layout.
//!
//! Three shapes exist: engines before 25 (`ID/layer.tar`, links between equal layers), engines from 25 on (`blobs/sha256/…`
//! with uncompressed layers), and the containerd image store (a true OCI layout, layers as they were pulled or built).
//! Uncompressed layers are compressed while they are read; the config, whose digest is the image id, stays as it is.
//! Nothing but regular files with names made from digests is ever created. Blocking.

mod docker;
mod keep;
mod save;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::Compression;

use self::keep::{Stored, store};
pub use self::save::save_archive;
use super::layout::{Layout, LayoutError};
use super::manifest::MAX_MANIFEST;

const MAX_ENTRIES: usize = 20_000;
const MAX_LINKS: usize = 8;
/// What may stand between two files: padding, and headers that carry long names.
const MAX_HEADERS: u64 = 1 << 20;

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
    import(reader, dir, Compression::default())
}

/// The same for a layout that is only looked at: layers get the form of compressed ones, and no time is spent on making them
/// small.
///
/// # Errors
/// As [`import_archive`].
pub fn import_for_reading(reader: impl Read, dir: &Path) -> Result<Layout, LayoutError> {
    import(reader, dir, Compression::none())
}

fn import(reader: impl Read, dir: &Path, level: Compression) -> Result<Layout, LayoutError> {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(LayoutError::io(&blobs))?;
    let archive = read(reader, (dir, level))?;
    match as_it_is(&archive, dir) {
        Ok(Some(layout)) => Ok(layout),
        // Not all of it is here in the form its manifest names: platforms that were not exported, layers we compressed.
        _ if archive.documents.contains_key("manifest.json") => docker::from_docker(&archive, dir),
        Ok(None) => Err(LayoutError::Archive("neither `manifest.json` nor a complete `index.json` in it".into())),
        Err(error) => Err(error),
    }
}

fn read(reader: impl Read, to: (&Path, Compression)) -> Result<Archive, LayoutError> {
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
        take(entry.map_err(broken)?, to, &mut archive)?;
    }
    Ok(archive)
}

fn take<R: Read>(
    mut entry: tar::Entry<'_, R>,
    to: (&Path, Compression),
    archive: &mut Archive,
) -> Result<(), LayoutError> {
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
            let stored = store(&mut entry, length, to)?;
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

/// The archive as the OCI layout it already is; `None` where it is none, or would publish uncompressed layers.
fn as_it_is(archive: &Archive, dir: &Path) -> Result<Option<Layout>, LayoutError> {
    let Some(index) = archive.documents.get("index.json") else { return Ok(None) };
    write_entry_point(dir, index)?;
    let layout = Layout::open(dir)?;
    let content = layout.walk(layout.root()?)?;
    Ok(content.blobs.iter().all(|blob| !blob.media_type.ends_with(".tar")).then_some(layout))
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
