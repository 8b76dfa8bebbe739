//! One 512-byte header of a tar (POSIX.1-1988 ustar, and what GNU tar makes of it), and the entry it and the extended headers
//! before it describe.

use sha2::{Digest as _, Sha256};

use super::pax::{Extended, name};
use super::record::{Kind, Record, normalise};
use super::{MAX_NAME, Unreadable};

/// A header and everything in a tar is made of blocks of this size.
pub(super) const BLOCK: usize = 512;

/// What follows a header.
pub(super) enum Means {
    /// An entry, and this many bytes of content.
    Entry(Box<Record>, u64),
    /// Bytes for the next entry: records of pax, a long name, a long link.
    Pax(u64),
    LongName(u64),
    LongLink(u64),
    /// Bytes for nobody here.
    Skip(u64),
    /// The end of the archive, or half of it.
    Zeros,
}

/// Reads a header; takes what was said before it.
pub(super) fn read(block: &[u8; BLOCK], extended: &mut Extended) -> Result<Means, Unreadable> {
    if block.iter().all(|&b| b == 0) {
        return Ok(Means::Zeros);
    }
    if checksum(block) != number(&block[148..156]) {
        return Err(damaged("a header's checksum is wrong"));
    }
    let stored = u64::try_from(field(block, 124..136)?).map_err(|_| damaged("a size in it is negative"))?;
    match block[156] {
        b'x' | b'X' => Ok(Means::Pax(stored)),
        b'L' => Ok(Means::LongName(stored)),
        b'K' => Ok(Means::LongLink(stored)),
        b'g' => Ok(Means::Skip(stored)),
        _ => entry(block, std::mem::take(extended), stored),
    }
}

fn entry(block: &[u8; BLOCK], extended: Extended, stored: u64) -> Result<Means, Unreadable> {
    let written = match extended.path {
        Some(path) => path,
        None => written_path(block)?,
    };
    let stored = extended.size.unwrap_or(stored);
    let holes = extended.sparse.is_some() || block[156] == b'S';
    let kind = match block[156] {
        b'0' | 0 if written.ends_with(b"/") => Kind::Directory,
        b'0' | 0 | b'7' | b'S' if holes => Kind::Sparse,
        b'0' | 0 | b'7' => Kind::File,
        b'1' => Kind::Hardlink,
        b'2' => Kind::Symlink,
        b'3' => Kind::Char,
        b'4' => Kind::Block,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => return Err(damaged(&format!("an entry of unknown type {:?}", char::from(other)))),
    };
    let link = match (kind, extended.link) {
        (Kind::Symlink, Some(link)) => link.into_boxed_slice(),
        (Kind::Symlink, None) => name(&block[157..257])?.into_boxed_slice(),
        (Kind::Hardlink, Some(link)) => normalise(&link),
        (Kind::Hardlink, None) => normalise(&name(&block[157..257])?),
        (Kind::Char | Kind::Block, _) => {
            let device = format!("{}:{}", field(block, 329..337)?, field(block, 337..345)?);
            device.into_bytes().into_boxed_slice()
        }
        _ => Box::default(),
    };
    // What is only a header has no content, whatever it says: so read those who unpack layers (Go's archive/tar).
    let content = if matches!(kind, Kind::File | Kind::Sparse) { stored } else { 0 };
    let size = match (kind, extended.sparse) {
        (Kind::Sparse, Some(real)) => real,
        (Kind::Sparse, None) => u64::try_from(field(block, 483..495)?).unwrap_or_default(),
        _ => content,
    };
    let (mtime, nanos) = match extended.mtime {
        Some(time) => time,
        None => (i64::try_from(field(block, 136..148)?).map_err(|_| damaged("a time in it is none"))?, 0),
    };
    let sha256 = match kind {
        Kind::Sparse => Sha256::new().chain_update(&extended.map).chain_update(&block[386..483]).finalize().into(),
        _ => [0; 32],
    };
    let (path, kind) = whiteout(normalise(&written), kind);
    let record = Record {
        path,
        kind,
        size,
        sha256,
        mode: u32::try_from(field(block, 100..108)?).unwrap_or(u32::MAX) & 0o7777,
        uid: id(extended.uid, field(block, 108..116)?),
        gid: id(extended.gid, field(block, 116..124)?),
        owner_names: owner_names(block, extended.user, extended.group)?,
        mtime,
        nanos,
        link,
        attributes: extended.attributes,
        sample: Vec::new(),
    };
    Ok(Means::Entry(Box::new(record), content))
}

/// The name in the header itself; POSIX headers have a second half of it.
fn written_path(block: &[u8; BLOCK]) -> Result<Vec<u8>, Unreadable> {
    let last = name(&block[..100])?;
    let first = if &block[257..263] == b"ustar\0" { name(&block[345..500])? } else { Vec::new() };
    Ok(if first.is_empty() { last } else { [first.as_slice(), b"/", &last].concat() })
}

/// A whiteout is about the path it removes, an opaque directory about itself.
fn whiteout(path: Box<[u8]>, kind: Kind) -> (Box<[u8]>, Kind) {
    let start = path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    let (parent, base) = path.split_at(start);
    let parent = parent.strip_suffix(b"/").unwrap_or(parent);
    if base == b".wh..wh..opq" {
        (parent.into(), Kind::Opaque)
    } else if let Some(removed) = base.strip_prefix(b".wh.") {
        let separator: &[u8] = if parent.is_empty() { b"" } else { b"/" };
        ([parent, separator, removed].concat().into_boxed_slice(), Kind::Whiteout)
    } else {
        (path, kind)
    }
}

/// Names of the owner, joined by a NUL; empty where there are none. Images mean ids, but the bytes differ all the same.
fn owner_names(block: &[u8; BLOCK], user: Option<Vec<u8>>, group: Option<Vec<u8>>) -> Result<Box<[u8]>, Unreadable> {
    let or_header = |given: Option<Vec<u8>>, range: std::ops::Range<usize>| match given {
        Some(given) => Ok(given),
        None => name(&block[range]),
    };
    let (user, group) = (or_header(user, 265..297)?, or_header(group, 297..329)?);
    if user.len() + group.len() > MAX_NAME {
        return Err(Unreadable::Refused("the names of an owner in it are too long".to_owned()));
    }
    if user.is_empty() && group.is_empty() {
        Ok(Box::default())
    } else {
        Ok([&user[..], b"\0", &group].concat().into())
    }
}

fn id(extended: Option<u64>, field: i128) -> u64 {
    extended.unwrap_or_else(|| u64::try_from(field).unwrap_or(u64::MAX))
}

fn field(block: &[u8; BLOCK], range: std::ops::Range<usize>) -> Result<i128, Unreadable> {
    number(&block[range]).ok_or_else(|| damaged("a number in a header is none"))
}

/// Octal digits between blanks, nothing at all (zero), or GNU's base 256.
fn number(field: &[u8]) -> Option<i128> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        // The second bit is the sign.
        let start = if first & 0x40 != 0 { -1 } else { 0 };
        let head = (start << 6) | i128::from(first & 0x3f);
        return Some(rest.iter().fold(head, |value, &byte| (value << 8) | i128::from(byte)));
    }
    let blank = |b: &u8| matches!(b, b' ' | 0);
    let start = field.iter().position(|b| !blank(b)).unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(blank).unwrap_or(digits.len());
    digits[..end].iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'7' => Some((value << 3) | i128::from(digit - b'0')),
        _ => None,
    })
}

/// The sum of all bytes, those of the sum itself taken for blanks.
fn checksum(block: &[u8; BLOCK]) -> Option<i128> {
    let sum = |bytes: &[u8]| bytes.iter().map(|&b| u32::from(b)).sum::<u32>();
    Some((sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])).into())
}

fn damaged(why: &str) -> Unreadable {
    Unreadable::Damaged(why.to_owned())
}
