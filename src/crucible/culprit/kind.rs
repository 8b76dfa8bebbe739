//! What kind of file it is, by its first bytes, and what the heads of archives and programs show of their making.

use jiff::Timestamp;

use super::clip::escaped;

/// Kinds that tell something about where differences come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Compiled code, and its name for people.
    Compiled(&'static str),
    /// Archives and compressed files.
    Archive(&'static str),
    /// Readable as text.
    Text,
    /// Anything else.
    Binary,
}

const MAGIC: [(&[u8], Kind); 22] = [
    (b"\x7fELF", Kind::Compiled("ELF file")),
    (b"\0asm", Kind::Compiled("WebAssembly module")),
    (b"\xfe\xed\xfa\xce", Kind::Compiled("Mach-O file")),
    (b"\xfe\xed\xfa\xcf", Kind::Compiled("Mach-O file")),
    (b"\xce\xfa\xed\xfe", Kind::Compiled("Mach-O file")),
    (b"\xcf\xfa\xed\xfe", Kind::Compiled("Mach-O file")),
    (b"\xca\xfe\xba\xbe", Kind::Compiled("Java class or Mach-O file")),
    (b"BC\xc0\xde", Kind::Compiled("LLVM bitcode")),
    (b"MZ", Kind::Compiled("Windows program")),
    (b"!<arch>\ndebian-binary", Kind::Archive("Debian package")),
    (b"!<arch>\n", Kind::Compiled("static library")),
    (b"!<thin>\n", Kind::Compiled("static library")),
    (b"PK\x03\x04", Kind::Archive("zip archive")),
    (b"PK\x05\x06", Kind::Archive("zip archive")),
    (b"\x1f\x8b", Kind::Archive("gzip file")),
    (b"BZh", Kind::Archive("bzip2 file")),
    (b"\xfd7zXZ\0", Kind::Archive("xz file")),
    (b"\x28\xb5\x2f\xfd", Kind::Archive("zstd file")),
    (b"7z\xbc\xaf\x27\x1c", Kind::Archive("7z archive")),
    (b"\xed\xab\xee\xdb", Kind::Archive("RPM package")),
    (b"hsqs", Kind::Archive("squashfs image")),
    (b"SQLite format 3\0", Kind::Binary),
];

/// Where a tar archive says that it is one.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

pub(super) fn of(sample: &[u8]) -> Kind {
    if sample.get(TAR_MAGIC) == Some(b"ustar") {
        return Kind::Archive("tar archive");
    }
    let known = MAGIC.iter().find(|(magic, _)| sample.starts_with(magic)).map(|(_, kind)| *kind);
    match known {
        // Two letters are no proof: text may begin with them.
        Some(Kind::Compiled(_)) if sample.starts_with(b"MZ") && text(sample).is_some() => Kind::Text,
        Some(kind) => kind,
        None if text(sample).is_some() => Kind::Text,
        None => Kind::Binary,
    }
}

/// The sample as text, if it is: UTF-8 without control characters. A character cut at the end is left out.
pub(super) fn text(sample: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&sample[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}');
    (!text.contains(odd)).then_some(text)
}

/// What the heads of two archives show: times, where they differ.
pub(super) fn archive_evidence(name: &str, a: &[u8], b: &[u8]) -> String {
    let times = match name {
        "gzip file" => (gzip_time(a), gzip_time(b)),
        "zip archive" => (zip_time(a), zip_time(b)),
        "tar archive" => (tar_time(a), tar_time(b)),
        _ => (None, None),
    };
    match times {
        (Some(a), Some(b)) if a != b => format!("{name}: the first time in it is {a} / {b}"),
        _ => with_article(name),
    }
}

fn gzip_time(sample: &[u8]) -> Option<String> {
    let seconds = u32::from_le_bytes(sample.get(4..8)?.try_into().ok()?);
    Some(if seconds == 0 { "none".to_owned() } else { moment(seconds.into()) })
}

/// DOS time and date of the first entry.
fn zip_time(sample: &[u8]) -> Option<String> {
    let at = |at: usize| Some(u16::from_le_bytes(sample.get(at..at + 2)?.try_into().ok()?));
    let (time, date) = (at(10)?, at(12)?);
    let (year, month, day) = (1980 + (date >> 9), date >> 5 & 15, date & 31);
    let (hour, minute, second) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
    Some(format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
}

fn tar_time(sample: &[u8]) -> Option<String> {
    let octal = std::str::from_utf8(sample.get(136..147)?).ok()?;
    Some(moment(i64::from_str_radix(octal.trim_matches([' ', '\0']), 8).ok()?))
}

/// What two compiled files show: build ids, or a text in them that differs.
pub(super) fn compiled_evidence(name: &str, a: &[u8], b: &[u8]) -> String {
    if let (Some(a), Some(b)) = (build_id(a), build_id(b))
        && a != b
    {
        return format!("build id {a} / {b}");
    }
    if let (Some(a), Some(b)) = (go_build_id(a), go_build_id(b))
        && a != b
    {
        return format!("Go build id {a} / {b}");
    }
    let texts = strings(a).zip(strings(b)).find(|(a, b)| a != b);
    match texts {
        Some((a, b)) => format!("{name} with {} / {}", escaped(a, 40), escaped(b, 40)),
        None => with_article(name),
    }
}

/// The note that linkers write: name size 4, hash size, type 3, `GNU`.
fn build_id(sample: &[u8]) -> Option<String> {
    const NOTE: &[u8] = b"\x03\0\0\0GNU\0";
    let at = memchr::memmem::find(sample, NOTE)?;
    let size = u32::from_le_bytes(sample.get(at.checked_sub(4)?..at)?.try_into().ok()?);
    let size = usize::try_from(size).ok().filter(|size| (8..=32).contains(size))?;
    let start = at + NOTE.len();
    Some(hex::encode(sample.get(start..start + size)?.get(..8)?) + "…")
}

fn go_build_id(sample: &[u8]) -> Option<String> {
    let start = memchr::memmem::find(sample, b"Go build ID: \"")? + 14;
    let end = memchr::memchr(b'"', sample.get(start..)?)?;
    Some(escaped(&sample[start..start + end], 24))
}

/// Runs of readable characters, as `strings` finds them.
fn strings(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    sample.split(|b| !(b' '..=b'~').contains(b)).filter(|run| run.len() >= 6)
}

/// `an ELF file`
pub(super) fn with_article(name: &str) -> String {
    let vowel = name.starts_with(['E', 'R', 'x', 'a', 'e', 'i', 'o']) || name.starts_with("LL");
    format!("{} {name}", if vowel { "an" } else { "a" })
}

/// A time in seconds since 1970 for people.
pub(super) fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
