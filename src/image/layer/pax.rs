//! Extended headers: `LENGTH KEY=VALUE\n` records before an entry (POSIX.1-2001 pax).

use sha2::{Digest as _, Sha256};

use super::record::Attribute;
use super::{MAX_NAME, Unreadable};

/// Longer values of attributes are kept as their hash.
const LONG_VALUE: usize = 256;
/// More attributes than these are kept as one hash.
const MAX_ATTRIBUTES: usize = 32;
/// The longest name of an attribute (Linux: `XATTR_NAME_MAX`).
const MAX_ATTRIBUTE_NAME: usize = 255;

/// What headers before an entry say about it.
#[derive(Debug, Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) user: Option<Vec<u8>>,
    pub(super) group: Option<Vec<u8>>,
    pub(super) mtime: Option<(i64, u32)>,
    pub(super) attributes: Vec<Attribute>,
    /// `GNU.sparse.*`: the content has holes, and this is its real size.
    pub(super) sparse: Option<u64>,
    /// Everything said about the holes.
    pub(super) map: Vec<u8>,
}

impl Extended {
    /// Takes the records of one header. A later one overrides an earlier one.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (key, value, after) = record(rest).ok_or_else(|| damaged("an extended header cannot be read"))?;
            self.set(key, value)?;
            rest = after;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        if key.starts_with(b"GNU.sparse.") && key != b"GNU.sparse.name" {
            self.map.extend_from_slice(value);
            self.map.push(b'\n');
        }
        match key {
            b"path" if self.sparse.is_none() || self.path.is_none() => self.path = Some(name(value)?),
            b"path" => {}
            b"GNU.sparse.name" => {
                self.path = Some(name(value)?);
                self.sparse.get_or_insert(0);
            }
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse = Some(number(value)?),
            b"GNU.sparse.major" | b"GNU.sparse.map" | b"GNU.sparse.numblocks" => {
                self.sparse.get_or_insert(0);
            }
            b"linkpath" => self.link = Some(name(value)?),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"uname" => self.user = Some(name(value)?),
            b"gname" => self.group = Some(name(value)?),
            b"mtime" => self.mtime = Some(time(value).ok_or_else(|| damaged("a time in it is none"))?),
            _ => {
                if let Some(attribute) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.attribute(attribute, value)?;
                }
            }
        }
        Ok(())
    }

    fn attribute(&mut self, key: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        if key.len() > MAX_ATTRIBUTE_NAME {
            return Err(Unreadable::Refused(format!("an attribute's name has {} bytes", key.len())));
        }
        if self.attributes.len() == MAX_ATTRIBUTES {
            return Err(Unreadable::Refused(format!(
                "a file in it has more than {MAX_ATTRIBUTES} extended attributes"
            )));
        }
        let value = match value.len() {
            0..=LONG_VALUE => hex::encode(value),
            _ => format!("sha256:{}", hex::encode(Sha256::digest(value))),
        };
        self.attributes.retain(|known| *known.name != *key);
        self.attributes.push(Attribute { name: key.into(), value: value.into() });
        self.attributes.sort();
        Ok(())
    }
}

/// Splits off the first record: key, value, and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(12).position(|&b| b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&b| b == b'=')?;
    Some((&body[..equals], &body[equals + 1..], &bytes[length..]))
}

/// A name of any kind, without the NUL that GNU puts at its end.
pub(super) fn name(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    if end > MAX_NAME {
        return Err(Unreadable::Refused(format!("a name in it has more than {MAX_NAME} bytes")));
    }
    Ok(bytes[..end].to_vec())
}

fn number(value: &[u8]) -> Result<u64, Unreadable> {
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| damaged("a number in an extended header is none"))
}

/// `1700000000.123456789`, maybe negative: whole seconds towards the past, and nanoseconds.
fn time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{:0<9.9}", fraction).parse().ok()?;
    match (whole.starts_with('-'), nanos) {
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
        _ => Some((seconds, nanos)),
    }
}

fn damaged(why: &str) -> Unreadable {
    Unreadable::Damaged(why.to_owned())
}
