use std::io::Write as _;
use std::sync::atomic::Ordering;

use rstest::rstest;

use super::*;
use crate::image::fixture::{Entry, Maker, dir, file, gzip, hardlink, layer, symlink, zstd};
use crate::image::{Descriptor, Layout};

/// Reads a blob to its end.
fn read(blob: &[u8]) -> Result<Vec<Record>, Unreadable> {
    read_until(blob, &CancellationToken::new()).0
}

fn read_until(blob: &[u8], cancel: &CancellationToken) -> (Result<Vec<Record>, Unreadable>, u64) {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(dir.path());
    let descriptor: Descriptor = serde_json::from_value(maker.blob("layer", blob)).unwrap();
    let (layout, _) = maker.finish(&maker.blob("x", b"x"));
    let (stop, bytes_read) = (AtomicBool::new(false), AtomicU64::new(0));
    let entries = entries(&layout, &descriptor, Watch { cancel, stop: &stop, bytes_read: &bytes_read });
    (entries, bytes_read.load(Ordering::Relaxed))
}

fn entries(layout: &Layout, blob: &Descriptor, watch: Watch<'_>) -> Result<Vec<Record>, Unreadable> {
    let mut layer = Layer::open(layout, blob, watch)?;
    let mut found = Vec::new();
    while let Some(mut record) = layer.next_entry()? {
        layer.read_into(&mut record, 8)?;
        found.push(*record);
    }
    layer.finish()?;
    Ok(found)
}

/// What is read of one entry.
fn one(entry: &Entry) -> Record {
    let mut all = read(&layer(std::slice::from_ref(entry))).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn entries_are_read_from_every_compression() {
    let tar = layer(&[dir("etc/"), file("./etc/motd", "hello, world"), file("empty", "")]);
    let (head, tail) = tar.split_at(700);
    let members = [gzip(head, 6), gzip(tail, 9)].concat();
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(head, 0), &zstd(tail, 0)].concat();
    for blob in [&tar, &gzip(&tar, 1), &members, &zstd(&tar, 0), &skipped] {
        let (found, bytes) = read_until(blob, &CancellationToken::new());
        let found = found.unwrap();
        assert_eq!(found.iter().map(|r| shown(&r.path)).collect::<Vec<_>>(), ["etc", "etc/motd", "empty"]);
        assert_eq!((found[1].size, found[1].sample.as_slice()), (12, &b"hello, w"[..]));
        let want = crate::image::Digest::of(b"hello, world");
        assert_eq!(hex::encode(found[1].sha256), want.hex());
        assert_eq!(bytes, blob.len() as u64);
    }
}

#[test]
fn what_headers_say_is_read() {
    let entry = Entry { mode: 0o104_755, uid: 1000, ..file("a", "") };
    let read = one(&entry);
    assert_eq!((read.mode, read.uid, read.gid, read.mtime), (0o4755, 1000, 1000, 1_700_000_000));
    let read = one(&symlink("a", "../b"));
    assert_eq!((read.kind, &*read.link), (Kind::Symlink, &b"../b"[..]));
    let read = one(&hardlink("a", "./x//b"));
    assert_eq!((read.kind, &*read.link), (Kind::Hardlink, &b"x/b"[..]));
}

#[test]
fn extended_headers_go_before_headers() {
    let long = "d/".repeat(200) + "file";
    let read = one(&file("short", "x")
        .pax("path", long.as_bytes())
        .pax("mtime", b"-1.25")
        .pax("uid", b"4294967296")
        .pax("uname", b"ada")
        .pax("SCHILY.xattr.user.b", &[7; 300])
        .pax("SCHILY.xattr.security.capability", b"\x01\xff"));
    assert_eq!(shown(&read.path), long);
    assert_eq!((read.mtime, read.nanos, read.uid), (-2, 750_000_000, 1 << 32));
    assert_eq!(&*read.owner_names, b"ada\0");
    let [capability, long] = &read.attributes[..] else { panic!("{:?}", read.attributes) };
    assert_eq!((shown(&capability.name), &*capability.value), ("security.capability".to_owned(), "01ff"));
    assert_eq!((shown(&long.name), &long.value[..7]), ("user.b".to_owned(), "sha256:"));
}

#[test]
fn gnu_long_names_are_read() {
    let name = "x".repeat(300);
    let long = |kind, text: &str| Entry { kind, ..file("././@LongLink", &format!("{text}\0")) };
    let found = read(&layer(&[long(b'L', &name), long(b'K', "target"), symlink("short", "t")])).unwrap();
    assert_eq!((shown(&found[0].path), &*found[0].link), (name, &b"target"[..]));
}

#[rstest]
#[case("a/.wh.b", Kind::Whiteout, "a/b")]
#[case(".wh.b", Kind::Whiteout, "b")]
#[case("a/.wh..wh..opq", Kind::Opaque, "a")]
#[case(".wh..wh..opq", Kind::Opaque, "")]
#[case("/a//./b/", Kind::Directory, "a/b")]
#[case("a/../../b", Kind::File, "a/../../b")]
#[case("./", Kind::Directory, "")]
fn names_mean_what_images_mean_by_them(#[case] name: &str, #[case] kind: Kind, #[case] path: &str) {
    let read = one(&file(name, ""));
    assert_eq!((read.kind, shown(&read.path)), (kind, path.to_owned()));
}

#[test]
fn bytes_that_are_no_text_are_shown() {
    let read = one(&Entry { path: b"caf\xe9\\x\n".to_vec(), ..file("", "") });
    assert_eq!(shown(&read.path), "caf\\xe9\\\\x\n");
}

/// A GNU sparse file that says it is exabytes large.
#[test]
fn holes_are_not_filled() {
    let sparse = |size: u64, offset: u8| {
        let mut bytes = Entry { kind: b'S', ..file("hole", "data") }.bytes();
        bytes[386..397].copy_from_slice(b"00000000000");
        bytes[395] = offset;
        bytes[483] = 0x80;
        bytes[487..495].copy_from_slice(&size.to_be_bytes());
        checksum(&mut bytes);
        bytes.extend_from_slice(&[0; 1024]);
        bytes
    };
    let found = read(&sparse(1 << 62, b'1')).unwrap();
    assert_eq!((found[0].kind, found[0].size, found[0].sample.as_slice()), (Kind::Sparse, 1 << 62, &b"data"[..]));
    let other = read(&sparse(1 << 62, b'2')).unwrap();
    assert_ne!(found[0].sha256, other[0].sha256, "other holes are another content");

    let pax = file("GNUSparseFile.0/hole", "data").pax("GNU.sparse.name", b"hole").pax("GNU.sparse.realsize", b"99");
    let read = one(&pax.pax("GNU.sparse.major", b"1"));
    assert_eq!((shown(&read.path), read.kind, read.size), ("hole".to_owned(), Kind::Sparse, 99));
}

fn checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header[..512].iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn hostile_layers_end_in_a_sentence() {
    let good = layer(&[file("a", &"x".repeat(5000))]);
    let header = |entry: Entry| [entry.bytes(), vec![0; 1024]].concat();
    let flipped = {
        let mut bytes = good.clone();
        bytes[3] ^= 1;
        bytes
    };
    let huge = header(Entry { size: Some((1 << 33) - 1), ..file("a", "x") });
    let long = "y".repeat(5000);
    for (blob, says) in [
        (good[..3000].to_vec(), "ends early"),
        (good[..100].to_vec(), "ends early"),
        (gzip(&good, 6)[..40].to_vec(), "damaged"),
        (flipped, "checksum"),
        (huge, "ends early"),
        (b"neither tar nor anything".repeat(100), "checksum"),
        (header(Entry { kind: b'?', ..file("a", "") }), "unknown type"),
        (header(file("a", "").pax("path", long.as_bytes())), "more than 4096 bytes"),
        (header(file("a", "").pax("SCHILY.xattr.user.a", &[0; 2 << 20])), "headers of more than 1 MiB"),
        (header(file("a", "").pax("size", b"-1")), "number"),
        (header(file("a", "").pax("mtime", b"soon")), "time"),
        (header(Entry { kind: b'x', ..file("pax", "99 short=1\n") }), "extended header"),
        (std::iter::repeat_n(Entry { kind: b'x', ..file("p", "") }.bytes(), 3000).flatten().collect(), "1 MiB"),
        (zstd(&good, 0xa0), "zstd window of 1024 MiB"),
        (zstd(&good, 0)[..200].to_vec(), "damaged"),
        ([0x28, 0xb5, 0x2f, 0xfd].to_vec(), "damaged"),
    ] {
        let error = read(&blob).unwrap_err().to_string();
        assert!(error.contains(says), "{error} instead of {says}");
    }
    let attributes = (0..40).fold(file("a", ""), |entry, n| entry.pax(&format!("SCHILY.xattr.user.{n}"), b"1"));
    assert!(read(&layer(&[attributes])).unwrap_err().to_string().contains("extended attributes"));
}

#[test]
fn an_archive_may_end_without_its_mark() {
    let entries = layer(&[file("a", "x")]);
    for end in [entries.len() - 1024, entries.len() - 512, 513] {
        assert_eq!(read(&entries[..end]).unwrap().len(), 1, "{end}");
    }
    assert!(read(&[]).unwrap().is_empty());
    // Bytes after the mark are part of the blob, and of no entry.
    assert_eq!(read(&[&entries[..], &[1; 5000]].concat()).unwrap().len(), 1);
}

#[test]
fn a_blob_that_is_another_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(dir.path());
    let blob: Descriptor = serde_json::from_value(maker.blob("layer", &layer(&[file("a", "1")]))).unwrap();
    let (layout, _) = maker.finish(&maker.blob("x", b"x"));
    let (cancel, stop, bytes_read) = (CancellationToken::new(), AtomicBool::new(false), AtomicU64::new(0));
    let watch = Watch { cancel: &cancel, stop: &stop, bytes_read: &bytes_read };
    std::fs::write(layout.blob_path(&blob.digest), layer(&[file("a", "2")])).unwrap();
    assert!(entries(&layout, &blob, watch).unwrap_err().to_string().contains("its bytes are sha256:"));
    std::fs::remove_file(layout.blob_path(&blob.digest)).unwrap();
    assert!(matches!(entries(&layout, &blob, watch), Err(Unreadable::Io { .. })));
    std::os::unix::fs::symlink("/dev/zero", layout.blob_path(&blob.digest)).unwrap();
    assert!(entries(&layout, &blob, watch).unwrap_err().to_string().contains("not a regular file"));
    stop.store(true, Ordering::Relaxed);
    std::fs::remove_file(layout.blob_path(&blob.digest)).unwrap();
    std::fs::write(layout.blob_path(&blob.digest), b"").unwrap();
    assert!(matches!(entries(&layout, &blob, watch), Err(Unreadable::Stopped)));
}

/// A gigabyte of zeros is a megabyte of gzip: it ends when a signal comes, and is never in memory.
#[test]
fn a_bomb_is_defused_by_a_signal() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&Entry { size: Some((1 << 33) - 1), ..file("bomb", "") }.bytes()).unwrap();
    for _ in 0..256 {
        gzip.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let blob = gzip.finish().unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let (result, bytes) = read_until(&blob, &cancel);
    assert!(matches!(result, Err(Unreadable::Stopped)));
    assert!(bytes <= 64 << 10, "{bytes} bytes were read");
}

proptest::proptest! {
    /// Whatever one byte becomes, reading ends, and never in a panic.
    #[test]
    fn any_damage_is_survived(at in 0_usize..5000, with: u8, form in 0_usize..3) {
        let tar = layer(&[
            file("a", "content").pax("SCHILY.xattr.user.a", b"1"), symlink("b", "a"), Entry { kind: b'S', ..file("c", "x") },
        ]);
        let mut blob = match form {
            0 => tar,
            1 => gzip(&tar, 6),
            _ => zstd(&tar, 0),
        };
        let at = at % blob.len();
        blob[at] = with;
        let _ = read(&blob);
    }
}
