//! One file of an archive becomes one blob: compressed where it is a tar, hashed before and after, named by its digest.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::broken;
use crate::image::Digest;
use crate::image::layout::{LayoutError, blob_path};

/// A file of the archive, as it was kept.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// Digest of the bytes in the archive.
    pub(super) original: Digest,
    /// Digest and size of the blob kept: the same, or those of its compressed form.
    pub(super) blob: Digest,
    pub(super) size: u64,
    pub(super) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Was a tar, and was compressed here.
    Compressed,
    /// Already gzip.
    Gzip,
    /// Already zstd.
    Zstd,
    /// Anything else, an empty layer included.
    Other,
}

/// Keeps a file under the digest of what is kept: tars compressed, everything else as it is.
pub(super) fn store(
    entry: &mut impl Read,
    length: u64,
    (dir, level): (&Path, Compression),
) -> Result<Stored, LayoutError> {
    let mut head = Vec::with_capacity(512);
    entry.by_ref().take(512).read_to_end(&mut head).map_err(broken)?;
    let form = form_of(&head);
    let mut source = Hashing::new(head.as_slice().chain(entry));
    let (blob, size) = keep(&mut source, (form == Form::Compressed).then_some(level), dir)?;
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
pub(super) fn keep(
    source: &mut impl Read,
    compress: Option<Compression>,
    dir: &Path,
) -> Result<(Digest, u64), LayoutError> {
    let blobs = dir.join("blobs/sha256");
    let file = NamedTempFile::new_in(&blobs).map_err(LayoutError::io(&blobs))?;
    let mut sink = Hashing::new(BufWriter::with_capacity(64 << 10, file));
    if let Some(level) = compress {
        let mut gzip = GzEncoder::new(&mut sink, level);
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
