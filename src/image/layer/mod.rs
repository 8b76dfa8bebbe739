//! A layer's blob, read as what it says: one entry of its tar after the other, from gzip, zstd or plain.
//!
//! Streaming, in bounded memory and time, whatever the bytes say: they come from anywhere. Nothing is unpacked, nothing is
//! written. What an entry means for an image is `diff`'s and `files`' business.

mod decode;
mod header;
mod pax;
mod reader;
mod record;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio_util::sync::CancellationToken;

pub use reader::{Layer, Sums};
pub use record::{Attribute, Kind, Record, shown};

/// Uncompressed bytes a layer may have: the end of bombs.
pub const MAX_LAYER: u64 = 64 << 30;
/// What may stand between two files: padding, and headers that carry long names and attributes.
const MAX_HEADERS: u64 = 1 << 20;
/// The longest name and link: no system opens a longer one (`PATH_MAX`).
const MAX_NAME: usize = 4096;

/// What ends reading early, and where read bytes are counted.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// A signal came.
    pub cancel: &'a CancellationToken,
    /// Nobody wants the rest.
    pub stop: &'a AtomicBool,
    /// Bytes read from blobs so far.
    pub bytes_read: &'a AtomicU64,
}

/// Why a layer cannot be read to its end. A sentence without a full stop.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The blob cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Io {
        /// Where it is.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no layer, ends early, or is not what its digest says.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is more than is believable, or in a form that is not known here.
    #[error("{0}")]
    Refused(String),
    /// Stopped from outside.
    #[error("reading was stopped")]
    Stopped,
}

#[cfg(test)]
mod tests;
