//! Entries of a layer, in the order of its archive.

use std::io::{self, Read as _};
use std::sync::atomic::Ordering;

use sha2::{Digest as _, Sha256};

use super::decode::Decoder;
use super::header::{self, BLOCK, Means};
use super::pax::{Extended, name};
use super::record::{Kind, Record};
use super::{MAX_HEADERS, MAX_LAYER, Unreadable, Watch};
use crate::image::{Descriptor, Digest, Layout};

/// How much is decompressed at a time.
const BUFFER: usize = 128 << 10;

/// A layer being read.
pub struct Layer<'a> {
    decoder: Decoder<'a>,
    watch: Watch<'a>,
    blob: &'a Descriptor,
    /// Decompressed bytes not looked at yet: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Decompressed bytes so far, and their hash.
    total: u64,
    hash: Sha256,
    /// Content of the entry at hand that was not read yet, and the padding after it.
    content: u64,
    padding: usize,
    /// Bytes of headers since the last entry.
    headers: u64,
}

/// What a layer turned out to be, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Digest of the uncompressed bytes.
    pub diff_id: Digest,
}

impl<'a> Layer<'a> {
    /// Opens a layer of a layout.
    ///
    /// # Errors
    /// When its blob cannot be opened.
    pub fn open(layout: &Layout, blob: &'a Descriptor, watch: Watch<'a>) -> Result<Self, Unreadable> {
        let path = layout.blob_path(&blob.digest);
        let open = || {
            if !path.symlink_metadata()?.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            Decoder::new(std::fs::File::open(&path)?, path.clone(), watch.bytes_read)
        };
        let decoder = open().map_err(|error| Unreadable::Io { path: path.clone(), error })?;
        let buffer = vec![0; BUFFER];
        let (start, end, total, content, padding, headers) = (0, 0, 0, 0, 0, 0);
        Ok(Self { decoder, watch, blob, buffer, start, end, total, hash: Sha256::new(), content, padding, headers })
    }

    /// The next entry, its content not read; `None` at the end of the archive. What was not read of the entry before is skipped.
    ///
    /// # Errors
    /// When the layer is damaged, hostile, or reading was stopped.
    pub fn next_entry(&mut self) -> Result<Option<Box<Record>>, Unreadable> {
        self.content(|_| Ok(()))?;
        self.headers = 0;
        let mut extended = Extended::default();
        loop {
            let Some(block) = self.block()? else { return Ok(None) };
            match header::read(&block, &mut extended)? {
                Means::Zeros => return Ok(None),
                Means::Pax(size) => extended.take(&self.extra(size)?)?,
                Means::LongName(size) => extended.path = Some(name(&self.extra(size)?)?),
                Means::LongLink(size) => extended.link = Some(name(&self.extra(size)?)?),
                Means::Skip(size) => drop(self.extra(size)?),
                Means::Entry(mut record, content) => {
                    if record.kind == Kind::Sparse && block[156] == b'S' {
                        self.read_map(&block, &mut record)?;
                    }
                    self.content = content;
                    self.padding = pad(content);
                    return Ok(Some(record));
                }
            }
        }
    }

    /// Hands over what is left of the content of the entry at hand, piece by piece.
    ///
    /// # Errors
    /// As [`Layer::next_entry`], and what `take` returns.
    pub fn content(&mut self, mut take: impl FnMut(&[u8]) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
        while self.content > 0 {
            if !self.fill()? {
                return Err(ends_early());
            }
            let n = usize::try_from(self.content).unwrap_or(usize::MAX).min(self.end - self.start);
            take(&self.buffer[self.start..self.start + n])?;
            self.start += n;
            self.content -= n as u64;
        }
        // Some writers leave out the padding of the last file.
        while self.padding > 0 && self.fill()? {
            let n = self.padding.min(self.end - self.start);
            self.start += n;
            self.padding -= n;
        }
        Ok(())
    }

    /// Reads the content of the entry at hand into its record: hash, and a sample of at most so many bytes.
    ///
    /// # Errors
    /// As [`Layer::next_entry`].
    pub fn read_into(&mut self, record: &mut Record, sample: usize) -> Result<(), Unreadable> {
        if !matches!(record.kind, Kind::File | Kind::Sparse) {
            return Ok(());
        }
        let mut hash = Sha256::new();
        if record.kind == Kind::Sparse {
            hash.update(record.sha256);
        }
        let kept = &mut record.sample;
        kept.reserve_exact(usize::try_from(self.content).unwrap_or(usize::MAX).min(sample));
        self.content(|bytes| {
            hash.update(bytes);
            let room = sample - kept.len().min(sample);
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            Ok(())
        })?;
        record.sha256 = hash.finalize().into();
        Ok(())
    }

    /// Reads what is left and checks that the blob was the one its descriptor names.
    ///
    /// # Errors
    /// As [`Layer::next_entry`]; when the blob's bytes are others.
    pub fn finish(mut self) -> Result<Sums, Unreadable> {
        while self.fill()? {
            self.start = self.end;
        }
        let (digest, size) = self.decoder.finish()?;
        if digest != self.blob.digest || size != self.blob.size {
            return Err(Unreadable::Damaged(format!("its bytes are {digest}, and {size} of them")));
        }
        Ok(Sums { diff_id: Digest::from_sha256(&self.hash.finalize()) })
    }

    /// A header; `None` where the archive ends without its mark.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Unreadable> {
        self.meter(BLOCK as u64)?;
        let mut block = [0; BLOCK];
        let mut have = 0;
        while have < BLOCK {
            if !self.fill()? {
                return if have == 0 { Ok(None) } else { Err(ends_early()) };
            }
            let n = (BLOCK - have).min(self.end - self.start);
            block[have..have + n].copy_from_slice(&self.buffer[self.start..self.start + n]);
            self.start += n;
            have += n;
        }
        Ok(Some(block))
    }

    /// What stands between two entries: kept in memory, so metered.
    fn extra(&mut self, size: u64) -> Result<Vec<u8>, Unreadable> {
        self.meter(size)?;
        let mut bytes = Vec::new();
        self.content = size;
        self.padding = pad(size);
        self.content(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Old GNU sparse files have the rest of their map before their content.
    fn read_map(&mut self, first: &[u8; BLOCK], record: &mut Record) -> Result<(), Unreadable> {
        let mut more = first[482] != 0;
        while more {
            let Some(block) = self.block()? else { return Err(ends_early()) };
            record.sha256 = Sha256::new().chain_update(record.sha256).chain_update(block).finalize().into();
            more = block[504] != 0;
        }
        Ok(())
    }

    fn meter(&mut self, size: u64) -> Result<(), Unreadable> {
        self.headers = self.headers.saturating_add(size);
        if self.headers > MAX_HEADERS {
            return Err(Unreadable::Refused("a file in it has headers of more than 1 MiB".to_owned()));
        }
        Ok(())
    }

    /// Makes sure that there are bytes to look at; `false` at the end.
    fn fill(&mut self) -> Result<bool, Unreadable> {
        if self.start < self.end {
            return Ok(true);
        }
        if self.watch.stop.load(Ordering::Relaxed) || self.watch.cancel.is_cancelled() {
            return Err(Unreadable::Stopped);
        }
        let n = loop {
            match self.decoder.read(&mut self.buffer) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.decoder.trouble(error)),
            }
        };
        self.hash.update(&self.buffer[..n]);
        self.total += n as u64;
        if self.total > MAX_LAYER {
            return Err(Unreadable::Refused(format!("it has more than {} GiB uncompressed", MAX_LAYER >> 30)));
        }
        (self.start, self.end) = (0, n);
        Ok(n > 0)
    }
}

fn pad(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    (BLOCK - over) % BLOCK
}

fn ends_early() -> Unreadable {
    Unreadable::Damaged("it ends early".to_owned())
}
