//! What an entry of a layer says, small enough to wait for its twin.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A file stored with holes (GNU sparse): its `sha256` is that of the stored bytes and the map of holes, which are never
    /// filled.
    Sparse,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of a file.
    Hardlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
    /// The path is removed from the layers below (`.wh.NAME`, opencontainers/image-spec layer.md).
    Whiteout,
    /// Everything in the directory is removed from the layers below (`.wh..wh..opq`).
    Opaque,
}

/// An extended attribute; a long value is replaced by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    /// `security.capability`.
    pub name: Box<[u8]>,
    /// Hex of the value, or `sha256:` and hex of its hash.
    pub value: Box<str>,
}

/// An entry, its content read and hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Path in the image, normalised: no `/` at either end, no `.` and no empty part. `..` stays as it is. The root is empty.
    pub path: Box<[u8]>,
    /// What it is.
    pub kind: Kind,
    /// Size of a file.
    pub size: u64,
    /// sha256 of a file's content; of no meaning until it is read, and zero for anything but files.
    pub sha256: [u8; 32],
    /// Permission bits.
    pub mode: u32,
    /// User id.
    pub uid: u64,
    /// Group id.
    pub gid: u64,
    /// User and group name, where the archive has them.
    pub owner_names: Box<[u8]>,
    /// Seconds since 1970.
    pub mtime: i64,
    /// And nanoseconds.
    pub nanos: u32,
    /// Target of a link as written (normalised for a hard link), or `major:minor` of a device.
    pub link: Box<[u8]>,
    /// Extended attributes, sorted by name.
    pub attributes: Vec<Attribute>,
    /// The first bytes of a file, as many as were asked for.
    pub sample: Vec<u8>,
}

impl Kind {
    /// As results name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::File | Self::Sparse => "file",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Hardlink => "hardlink",
            Self::Char => "char",
            Self::Block => "block",
            Self::Fifo => "fifo",
            Self::Whiteout => "whiteout",
            Self::Opaque => "opaque",
        }
    }
}

impl Record {
    /// What it takes in memory, about, allocator and tree nodes included.
    pub fn cost(&self) -> usize {
        let attributes: usize = self.attributes.iter().map(|a| 64 + a.name.len() + a.value.len()).sum();
        let text = 2 * self.path.len() + self.link.len() + self.owner_names.len();
        size_of::<Self>() + 160 + text + attributes + self.sample.capacity()
    }
}

/// A path as an archive writes it, without `/` at either end, `.` and empty parts.
pub(super) fn normalise(path: &[u8]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(path.len());
    for part in path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    out.into_boxed_slice()
}

/// Bytes as text: what is no UTF-8 becomes `\xNN`, a `\` becomes `\\`. Control characters stay: whoever prints it escapes them.
pub fn shown(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        out.push_str(&if valid.contains('\\') { Cow::Owned(valid.replace('\\', r"\\")) } else { Cow::Borrowed(valid) });
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}
