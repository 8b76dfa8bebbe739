//! Files of an image, looked up through its layers: what a container would find at a path.
//!
//! Layers are read from the top down, whiteouts and opaque directories hide what is below, links are followed inside the image
//! and never out of it. Streaming; nothing is unpacked but the one file that is asked for. Blocking. A layer whose entries lie
//! below a path that another layer makes a link is read as written: no builder we know makes such.

mod entrypoint;
mod pass;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

pub use entrypoint::entrypoint_candidates;

use self::pass::{Known, Pass, Place, Want};
use super::layer::{Kind, Layer, Record, Unreadable, Watch, shown};
use super::layout::{Layout, LayoutError};
use super::manifest::Children;
use super::{Descriptor, Digest};

/// Links followed for one path (Linux follows 40).
const MAX_HOPS: usize = 40;
/// Times the layers are read: once, and again for each link into the unknown.
const MAX_PASSES: usize = 8;

/// A regular file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is, links resolved: absolute, `\` escapes for bytes that are not UTF-8. Hostile text.
    pub path: String,
    /// Digest of its content.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Which layer holds it, from 0, the lowest.
    pub layer: usize,
    /// Its first bytes, at most [`super::diff::SAMPLE`]. Hostile.
    pub sample: Vec<u8>,
    /// Path in that layer's archive.
    stored: Box<[u8]>,
}

/// Why files cannot be looked up. A path where nothing is is none of these.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The manifest cannot be read.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A layer cannot be read.
    #[error("layer {index} cannot be read: {why}")]
    Layer {
        /// From 0, the lowest.
        index: usize,
        /// Why.
        why: Unreadable,
    },
    /// Links that lead nowhere near an end.
    #[error("`{0}` is a maze of links")]
    Links(String),
    /// There is no regular file.
    #[error("`{0}` is not a file of the image")]
    Missing(String),
    /// A file larger than it may be.
    #[error("`{path}` has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Which.
        path: String,
        /// What it has.
        size: u64,
        /// What it may have.
        limit: u64,
    },
    /// The file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The regular file at an absolute path, links followed; `None` where there is none.
///
/// # Errors
/// When the image cannot be read, or links lead in circles.
pub fn find(
    layout: &Layout,
    manifest: &Descriptor,
    path: &str,
    cancel: &CancellationToken,
) -> Result<Option<Found>, FilesError> {
    Ok(find_all(layout, manifest, &[path], cancel)?.pop().flatten())
}

/// The same for several paths, in the order they were given, reading the layers once where links allow it.
///
/// # Errors
/// As [`find`].
pub fn find_all(
    layout: &Layout,
    manifest: &Descriptor,
    paths: &[&str],
    cancel: &CancellationToken,
) -> Result<Vec<Option<Found>>, FilesError> {
    let layers = layers(layout, manifest)?;
    let mut known = Known::new(layers.len());
    let mut questions = Vec::new();
    for path in paths {
        known.ask(path.as_bytes());
        questions.push(path.as_bytes());
    }
    for _ in 0..MAX_PASSES {
        read(layout, &layers, &mut known, cancel)?;
        let answers: Result<Vec<_>, _> = questions.iter().map(|path| resolve(path, &mut known)).collect();
        let answers = answers?;
        if !known.asks() {
            return Ok(answers.into_iter().map(Option::flatten).collect());
        }
    }
    Err(FilesError::Links(paths.join("`, `")))
}

/// Writes a file of an image to `to`, which must not exist: executable by us alone, its content checked.
///
/// # Errors
/// When there is no such file, it has more than `limit` bytes, or it cannot be read or written.
pub fn extract(
    layout: &Layout,
    manifest: &Descriptor,
    path: &str,
    to: &Path,
    limit: u64,
    cancel: &CancellationToken,
) -> Result<Found, FilesError> {
    let missing = || FilesError::Missing(path.to_owned());
    let found = find(layout, manifest, path, cancel)?.ok_or_else(missing)?;
    if found.size > limit {
        return Err(FilesError::TooLarge { path: path.to_owned(), size: found.size, limit });
    }
    let layers = layers(layout, manifest)?;
    let blob = layers.get(found.layer).ok_or_else(missing)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(to);
    let file = file.as_mut().map_err(|error| FilesError::Write { path: to.to_owned(), error: error.kind().into() })?;
    let written = write(layout, blob, &found, (file, to), cancel);
    if written.is_err() {
        // Half a file helps nobody. If it cannot be removed, the error at hand says more.
        let _ = std::fs::remove_file(to);
    }
    written.map(|()| found)
}

fn write(
    layout: &Layout,
    blob: &Descriptor,
    found: &Found,
    (file, to): (&mut File, &Path),
    cancel: &CancellationToken,
) -> Result<(), FilesError> {
    let at_layer = |why| FilesError::Layer { index: found.layer, why };
    let at_file = |error| FilesError::Write { path: to.to_owned(), error };
    let (stop, bytes_read) = (AtomicBool::new(false), AtomicU64::new(0));
    let watch = Watch { cancel, stop: &stop, bytes_read: &bytes_read };
    let mut layer = Layer::open(layout, blob, watch).map_err(at_layer)?;
    while let Some(record) = layer.next_entry().map_err(at_layer)? {
        if record.path != found.stored || record.kind != Kind::File || record.size != found.size {
            continue;
        }
        if copy(&mut layer, file, to, found.layer)? == found.sha256 {
            return file.flush().map_err(at_file);
        }
        // The same path twice: the one that was found is another one.
        file.set_len(0).and_then(|()| io::Seek::rewind(file)).map_err(at_file)?;
    }
    Err(at_layer(Unreadable::Damaged("it was changed while it was read".to_owned())))
}

fn copy(layer: &mut Layer<'_>, file: &mut File, to: &Path, index: usize) -> Result<Digest, FilesError> {
    let (mut hash, mut trouble) = (Sha256::new(), None);
    let read = layer.content(|bytes| {
        hash.update(bytes);
        file.write_all(bytes).map_err(|error| {
            trouble = Some(error);
            Unreadable::Stopped
        })
    });
    match (read, trouble) {
        (_, Some(error)) => Err(FilesError::Write { path: to.to_owned(), error }),
        (Err(why), None) => Err(FilesError::Layer { index, why }),
        (Ok(()), None) => Ok(Digest::from_sha256(&hash.finalize())),
    }
}

fn layers(layout: &Layout, manifest: &Descriptor) -> Result<Vec<Descriptor>, FilesError> {
    match layout.manifest(manifest)?.children().map_err(LayoutError::from)? {
        Children::Image { layers, .. } => Ok(layers),
        Children::Index(_) => {
            let why = "is an index: files are looked up in the image of one platform".to_owned();
            Err(LayoutError::Invalid { path: layout.blob_path(&manifest.digest), why }.into())
        }
    }
}

/// Answers what is asked for from the layers, highest first, and stops where all is answered.
fn read(
    layout: &Layout,
    layers: &[Descriptor],
    known: &mut Known,
    cancel: &CancellationToken,
) -> Result<(), FilesError> {
    let (stop, bytes_read) = (AtomicBool::new(false), AtomicU64::new(0));
    let watch = Watch { cancel, stop: &stop, bytes_read: &bytes_read };
    for (index, blob) in layers.iter().enumerate().rev() {
        if !known.asks() {
            return Ok(());
        }
        let mut pass = Pass::new(known, index);
        let mut read = || {
            let mut layer = Layer::open(layout, blob, watch)?;
            while let Some(mut record) = layer.next_entry()? {
                if pass.is_wanted(&record) {
                    layer.read_into(&mut record, super::diff::SAMPLE)?;
                }
                pass.note(*record);
            }
            layer.finish().map(drop)
        };
        read().map_err(|why| FilesError::Layer { index, why })?;
        let entries = pass.entries;
        known.settle(index, &entries);
    }
    known.give_up();
    Ok(())
}

/// Follows a path through what is known. What is missing is asked for, and the answer is `None` for now.
fn resolve(path: &[u8], known: &mut Known) -> Result<Option<Option<Found>>, FilesError> {
    let top = known.top();
    let (mut at, mut rest): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), reversed(path));
    let mut hops = 0;
    while let Some(part) = rest.pop() {
        if part == b".." {
            at.pop();
            continue;
        }
        at.push(part);
        let here = at.join(&b'/');
        let place = match known.get(&Want { path: here.clone(), top }) {
            None => {
                known.ask(&here);
                known.ask(
                    &[here.as_slice(), b"/", &rest.iter().rev().cloned().collect::<Vec<_>>().join(&b'/')].concat(),
                );
                return Ok(None);
            }
            Some(place) => place,
        };
        match place {
            Place::Entry(_, record) if record.kind == Kind::Symlink => {
                hops += 1;
                if hops > MAX_HOPS {
                    return Err(FilesError::Links(shown(path)));
                }
                if record.link.starts_with(b"/") {
                    at.clear();
                } else {
                    at.pop();
                }
                rest.extend(reversed(&record.link));
            }
            Place::Entry(layer, record) if rest.is_empty() => {
                let (layer, record) = (*layer, record.clone());
                return file(&here, layer, &record, known);
            }
            Place::Entry(_, record) if record.kind != Kind::Directory => return Ok(Some(None)),
            // A directory need not be written down to hold something.
            Place::Entry(..) | Place::Nothing => {}
        }
    }
    Ok(Some(None))
}

/// What is found at the end of a path, hard links resolved in the layer that made them.
fn file(path: &[u8], layer: usize, record: &Record, known: &mut Known) -> Result<Option<Option<Found>>, FilesError> {
    let (mut layer, mut record) = (layer, record.clone());
    for _ in 0..MAX_HOPS {
        match record.kind {
            Kind::File => {
                return Ok(Some(Some(Found {
                    path: format!("/{}", shown(path)),
                    sha256: Digest::from_sha256(&record.sha256),
                    size: record.size,
                    mode: record.mode,
                    layer,
                    sample: record.sample,
                    stored: record.path,
                })));
            }
            Kind::Hardlink => {
                let want = Want { path: record.link.to_vec(), top: layer };
                match known.get(&want) {
                    Some(Place::Entry(below, target)) => (layer, record) = (*below, target.clone()),
                    Some(Place::Nothing) => return Ok(Some(None)),
                    None => {
                        known.ask_below(want);
                        return Ok(None);
                    }
                }
            }
            _ => return Ok(Some(None)),
        }
    }
    Err(FilesError::Links(shown(path)))
}

/// Parts of a path, last first.
fn reversed(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
