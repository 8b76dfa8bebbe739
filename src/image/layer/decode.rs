//! The bytes of a blob, decompressed as they come. What a blob is told by its first bytes, not by its media type.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use sha2::{Digest as _, Sha256};

use super::Unreadable;
use crate::image::Digest;

/// How much is read from the disk at a time.
const CHUNK: usize = 64 << 10;
/// The largest window of zstd, which stays in memory: what its format asks everybody to support.
const ZSTD_WINDOW: u64 = 8 << 20;
/// Frames of zstd that hold nothing, one after the other.
const MAX_SKIPPED: usize = 4096;

/// A decompressing reader that knows the digest of what it has read.
pub(super) enum Decoder<'a> {
    Plain(BufReader<Blob<'a>>),
    Gzip(Box<MultiGzDecoder<BufReader<Blob<'a>>>>),
    Zstd(Box<Zstd<'a>>),
}

/// A blob on disk: counts and hashes what is read of it.
pub(super) struct Blob<'a> {
    file: File,
    path: PathBuf,
    hash: Sha256,
    size: u64,
    bytes_read: &'a AtomicU64,
    trouble: Option<io::Error>,
}

/// Frames of zstd, one after the other.
pub(super) struct Zstd<'a> {
    source: BufReader<Blob<'a>>,
    frames: FrameDecoder,
    open: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(file: File, path: PathBuf, bytes_read: &'a AtomicU64) -> io::Result<Self> {
        let blob = Blob { file, path, hash: Sha256::new(), size: 0, bytes_read, trouble: None };
        let mut source = BufReader::with_capacity(CHUNK, blob);
        let head = source.fill_buf()?;
        Ok(if head.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip(Box::new(MultiGzDecoder::new(source)))
        } else if is_zstd(head) {
            let mut frames = FrameDecoder::new();
            frames.set_max_window_size(ZSTD_WINDOW);
            Self::Zstd(Box::new(Zstd { source, frames, open: false }))
        } else {
            Self::Plain(source)
        })
    }

    /// An error of the disk, or of the compression.
    pub(super) fn trouble(&mut self, error: io::Error) -> Unreadable {
        let blob = self.blob_mut();
        match blob.trouble.take() {
            Some(error) => Unreadable::Io { path: blob.path.clone(), error },
            None => match error.get_ref().and_then(|inner| inner.downcast_ref::<Unreadable>()) {
                Some(Unreadable::Refused(why)) => Unreadable::Refused(why.clone()),
                _ => Unreadable::Damaged(error.to_string()),
            },
        }
    }

    /// Digest and size of the blob, read to its end.
    pub(super) fn finish(self) -> Result<(Digest, u64), Unreadable> {
        let source = match self {
            Self::Plain(source) => source,
            Self::Gzip(gzip) => gzip.into_inner(),
            Self::Zstd(zstd) => zstd.source,
        };
        let mut blob = source.into_inner();
        let mut buffer = vec![0; CHUNK];
        loop {
            match blob.read(&mut buffer) {
                Ok(0) => return Ok((Digest::from_sha256(&blob.hash.finalize()), blob.size)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Unreadable::Io { path: blob.path, error }),
            }
        }
    }

    fn blob_mut(&mut self) -> &mut Blob<'a> {
        match self {
            Self::Plain(source) => source.get_mut(),
            Self::Gzip(gzip) => gzip.get_mut().get_mut(),
            Self::Zstd(zstd) => zstd.source.get_mut(),
        }
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            Self::Zstd(zstd) => zstd.read(buffer),
        }
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.file.read(buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                // Decoders wrap errors in their own words; what the disk said is kept here.
                let kind = error.kind();
                self.trouble = Some(error);
                return Err(kind.into());
            }
        };
        self.hash.update(&buffer[..n]);
        self.size += n as u64;
        self.bytes_read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Read for Zstd<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.open && !self.open_frame()? {
                return Ok(0);
            }
            while self.frames.can_collect() == 0 && !self.frames.is_finished() {
                self.frames.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1)).map_err(refused)?;
            }
            match self.frames.read(buffer)? {
                0 if !buffer.is_empty() => self.open = false,
                n => return Ok(n),
            }
        }
    }
}

impl Zstd<'_> {
    /// Goes to the next frame with content; `false` at the end.
    fn open_frame(&mut self) -> io::Result<bool> {
        for _ in 0..MAX_SKIPPED {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.frames.reset(&mut self.source) {
                Ok(()) => {
                    self.open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(refused(error)),
            }
        }
        Err(io::Error::other(format!("more than {MAX_SKIPPED} frames without content")))
    }
}

fn refused(error: FrameDecoderError) -> io::Error {
    match error {
        FrameDecoderError::WindowSizeTooBig { requested, .. } => io::Error::other(Unreadable::Refused(format!(
            "its zstd window of {} MiB is more than the {} MiB that are read here",
            requested >> 20,
            ZSTD_WINDOW >> 20
        ))),
        other => io::Error::other(other.to_string()),
    }
}

/// A frame, or a frame to skip.
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}
