//! One realistic pair for each cause, looked at from both sides.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn file(content: &[u8]) -> Entry {
    Entry {
        kind: "file".into(),
        size: content.len() as u64,
        sha256: crate::image::Digest::of(content).hex().to_owned(),
        mode: 0o644,
        sample: content[..content.len().min(4096)].to_vec(),
        ..Entry::default()
    }
}

fn content(path: &str, a: &[u8], b: &[u8]) -> FileChange {
    FileChange { path: path.into(), how: vec![How::Content], a: Some(file(a)), b: Some(file(b)) }
}

/// The finding, the same one with the images exchanged.
fn both_ways(change: &FileChange, hints: &Hints) -> Finding {
    let turned = FileChange { a: change.b.clone(), b: change.a.clone(), ..change.clone() };
    let found = classify(change, hints);
    assert_eq!(classify(&turned, hints).cause, found.cause, "turned round");
    found
}

fn told(path: &str, a: &[u8], b: &[u8], run: &str) -> String {
    let found = both_ways(&content(path, a, b), &Hints::of(run));
    format!("{} ({})", found.cause.name(), found.evidence)
}

#[rstest]
#[case::clock(
    "built",
    b"Sun Nov 22 15:34:22 UTC 2026\n",
    b"Sun Nov 22 15:34:25 UTC 2026\n",
    "date > /built",
    "wall clock (Sun Nov 22 15:34:22 UTC 2026 / Sun Nov 22 15:34:25 UTC 2026)"
)]
#[case::clock_without_a_hint(
    "t",
    b"1767261601\n",
    b"1767261609\n",
    "./configure",
    "wall clock (1767261601 / 1767261609)"
)]
#[case::clock_in_binary(
    "t",
    b"\x01\0\0\0\x21\x49\x56\x69\0\0",
    b"\x01\0\0\0\x29\x49\x56\x69\0\0",
    "",
    "wall clock (2026-01-01T10:14:57Z / 2026-01-01T10:15:05Z)"
)]
#[case::order("list", b"b\na\nc\n", b"c\na\nb\n", "ls -f > list", "order (place 1: b / c)")]
#[case::locale("list", b"B\na\n", b"a\nB\n", "ls | sort", "locale (place 1: B / a)")]
#[case::random_text("id", b"8c6f1e2d9b\n", b"07a1b2c3d4\n", "", "random bytes (8c6f1e2d9b / 07a1b2c3d4)")]
#[case::random_bytes(
    "id",
    b"\x8c\x01\xfe\x77\x90\x03\xaa\x10",
    b"\x11\xb2\x9c\x04\x61\xf0\x0b\xe5",
    "",
    r"random bytes (\x8c\x01\xfew\x90\x03\xaa\x10 / \x11\xb2\x9c\x04a\xf0\x0b\xe5)"
)]
#[case::random_bytes_that_begin_like_a_known_file(
    "key",
    b"MZ\x8c\x01\xfe\x77\x90\x03",
    b"\x11\xb2\x9c\x04\x61\xf0\x0b\xe5",
    "",
    r"random bytes (MZ\x8c\x01\xfew\x90\x03 / \x11\xb2\x9c\x04a\xf0\x0b\xe5)"
)]
#[case::random_number("n", b"17233\n", b"901\n", "echo $RANDOM > n", "random bytes (17233 / 901)")]
#[case::pid("pid", b"17\n", b"21\n", "echo $$ > pid", "process id or counter (17 / 21)")]
#[case::host("h", b"buildkitsandbox\n", b"sf-1f2e\n", "hostname > h", "build host (buildkitsandbox / sf-1f2e)")]
#[case::kernel(
    "v",
    b"Linux version 6.1.0-1 (a)\n",
    b"Linux version 6.1.0-2 (a)\n",
    "cp /proc/version v",
    "build host (Linux version 6.1.0-1 (a) / Linux version 6.1.0-2 (a))"
)]
#[case::gzip(
    "a.gz",
    b"\x1f\x8b\x08\0\x21\x49\x56\x69\0\x03x",
    b"\x1f\x8b\x08\0\x29\x49\x56\x69\0\x03x",
    "gzip a",
    "archive (gzip file: the first time in it is 2026-01-01T10:14:57Z / 2026-01-01T10:15:05Z)"
)]
#[case::zip(
    "a.jar",
    b"PK\x03\x04\x14\0\0\0\x08\0\x20\x52\x21\x5c123",
    b"PK\x03\x04\x14\0\0\0\x08\0\x21\x52\x21\x5c123",
    "jar cf a.jar .",
    "archive (zip archive: the first time in it is 2026-01-01 10:17:00 / 2026-01-01 10:17:02)"
)]
#[case::debian(
    "a.deb",
    b"!<arch>\ndebian-binary   1767261601 \xff",
    b"!<arch>\ndebian-binary   1767261602 \xff",
    "dpkg-deb -b x",
    "archive (a Debian package)"
)]
#[case::pyc(
    "app/__pycache__/m.cpython-312.pyc",
    b"\xcb\r\r\n\0\0\0\0a",
    b"\xcb\r\r\n\0\0\0\0b",
    "pip install x",
    "python cache (compiled Python: a / b)"
)]
#[case::dpkg_log(
    "var/log/dpkg.log",
    b"2026-01-01 10:00:01 startup\n",
    b"2026-01-01 10:00:02 startup\n",
    "apt-get install x",
    "package manager (kept by dpkg: 2026-01-01 10:00:01 startup / 2026-01-01 10:00:02 startup)"
)]
#[case::ldconfig(
    "var/cache/ldconfig/aux-cache",
    b"glibc\x01\xff",
    b"glibc\x02\xff",
    "apt-get install x",
    r"package manager (kept by ldconfig: \x01\xff / \x02\xff)"
)]
#[case::npm("root/.npm/_logs/x.log", b"1 a\n", b"2 b\n", "npm ci", "package manager (kept by npm: 1 a / 2 b)")]
#[case::library(
    "usr/lib/x.a",
    b"!<arch>\nx.o/  1767261601 \x01",
    b"!<arch>\nx.o/  1767261602 \x01",
    "make",
    "compiler (static library with x.o/  1767261601  / x.o/  1767261602 )"
)]
#[case::wasm("x.wasm", b"\0asm\x01\0\0\0\x01", b"\0asm\x01\0\0\0\x02", "", "compiler (a WebAssembly module)")]
#[case::go(
    "app",
    b"\x7fELF\x02 Go build ID: \"aaa/bbb\"\0",
    b"\x7fELF\x02 Go build ID: \"ccc/ddd\"\0",
    "go build",
    "compiler (Go build id aaa/bbb / ccc/ddd)"
)]
#[case::path(
    "app",
    b"\x7fELF\x02\0/tmp/build.1/x.c\0",
    b"\x7fELF\x02\0/tmp/build.2/x.c\0",
    "cc -g x.c",
    "compiler (ELF file with /tmp/build.1/x.c / /tmp/build.2/x.c)"
)]
#[case::environment(
    "env",
    b"LC_ALL=C\n",
    b"LC_ALL=de_DE.UTF-8\n",
    "env > env",
    "locale (LC_ALL=C / LC_ALL=de_DE.UTF-8)"
)]
#[case::fetched("page", b"count 1\n", b"count 2\n", "wget -O page http://x", "network (count 1 / count 2)")]
#[case::fetched_program(
    "tool",
    b"\x7fELF\x02\x01",
    b"\x7fELF\x02\x02",
    "curl -o tool https://x",
    "network (an ELF file)"
)]
#[case::built_after_a_clone(
    "app",
    b"\x7fELF\x02\x01",
    b"\x7fELF\x02\x02",
    "git clone https://x && make",
    "compiler (an ELF file)"
)]
#[case::dated_beside_a_fetch(
    "t",
    b"10:00:01\n",
    b"10:00:02\n",
    "curl https://x; date > t",
    "wall clock (10:00:01 / 10:00:02)"
)]
#[case::unknown("x", b"alpha\n", b"beta\n", "make", "unknown (alpha / beta)")]
fn one_for_each_cause(#[case] path: &str, #[case] a: &[u8], #[case] b: &[u8], #[case] run: &str, #[case] want: &str) {
    assert_eq!(told(path, a, b, run), want);
}

#[test]
fn an_elf_build_id_is_read() {
    let elf =
        |id: u8| [b"\x7fELF\x02\x01\0\0\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0".as_slice(), &[id; 20], b"\0\0"].concat();
    assert_eq!(told("app", &elf(0xab), &elf(0xcd), ""), "compiler (build id abababababababab… / cdcdcdcdcdcdcdcd…)");
}

#[test]
fn what_lies_behind_the_samples_is_left_to_the_instruction() {
    let long = |last: u8| [vec![b'x'; 5000], vec![last]].concat();
    let want = "wall clock (the first 4096 bytes are the same; 5001 bytes / 5001 bytes; the instruction uses `date`)";
    assert_eq!(told("x", &long(b'a'), &long(b'b'), "gen; date >> x"), want);
    let want = "unknown (the first 4096 bytes are the same; 5001 bytes / 5001 bytes)";
    assert_eq!(told("x", &long(b'a'), &long(b'b'), "gen > x"), want);
}

#[rstest]
#[case::mode(How::Mode, Cause::Mode, "0644 / 0600")]
#[case::owner(How::Owner, Cause::Owner, "0:0 / 1000:1000")]
#[case::mtime(How::Mtime, Cause::Mtime, "1970-01-01T00:00:00Z / 1970-01-01T00:00:09Z")]
#[case::xattr(How::Xattr, Cause::Xattr, "user.a: 01 / none")]
#[case::link(How::Link, Cause::Link, "x / y")]
#[case::order(How::Order, Cause::Order, "its place in the layer")]
fn how_alone(#[case] how: How, #[case] cause: Cause, #[case] evidence: &str) {
    let a = Entry { mode: 0o644, link: "x".into(), xattrs: vec![("user.a".into(), "01".into())], ..file(b"") };
    let b = Entry { mode: 0o600, link: "y".into(), uid: 1000, gid: 1000, mtime: 9, ..file(b"") };
    let change = FileChange { path: "x".into(), how: vec![how], a: Some(a), b: Some(b) };
    let found = both_ways(&change, &Hints::default());
    assert_eq!((found.cause, found.evidence.as_str()), (cause, evidence));
}

#[rstest]
#[case::random("tmp/tmp.aB3dE9zK", "", Cause::RandomName)]
#[case::by_the_instruction("tmp/x", "mktemp -d /tmp/x", Cause::RandomName)]
#[case::python("a/__pycache__/b.pyc", "", Cause::PythonCache)]
#[case::apt("var/lib/apt/lists/x", "", Cause::PackageManager)]
#[case::fetched("x", "curl -O https://x", Cause::Network)]
#[case::nothing("etc/motd", "", Cause::Unknown)]
fn on_one_side_only(#[case] path: &str, #[case] run: &str, #[case] cause: Cause) {
    let change = |how, a, b| FileChange { path: path.into(), how: vec![how], a, b };
    let first = classify(&change(How::OnlyInA, Some(file(b"")), None), &Hints::of(run));
    let second = classify(&change(How::OnlyInB, None, Some(file(b""))), &Hints::of(run));
    assert_eq!((first.cause, second.cause), (cause, cause));
    assert!(first.evidence.contains("first") && second.evidence.contains("second"));
}

#[rstest]
#[case("var/log/apt/history.log", Some("apt"))]
#[case("usr/lib/apk/db/installed", Some("apk"))]
#[case("lib/apk/db/scripts.tar", Some("apk"))]
#[case("home/me/.cache/pip/http/x", Some("pip"))]
#[case("srv/node_modules/.package-lock.json", Some("npm"))]
#[case("root/go/pkg/mod/cache/x", Some("go"))]
#[case("usr/local/cargo/registry/x", Some("cargo"))]
#[case("root/.m2/repository/x", Some("maven"))]
#[case("srv/var/lib/apt/x", None)]
#[case("var/log/app.log", None)]
#[case("var/library/dpkg", None)]
fn places_of_package_managers(#[case] path: &str, #[case] who: Option<&str>) {
    assert_eq!(packages::owner(path), who);
}

#[test]
fn commands_are_told_from_words() {
    let suggests = |text: &str, cause| Hints::of(text).suggests(cause);
    for text in [
        "date > x",
        "a && date",
        "(date)",
        "echo $(date)",
        "x; /bin/date",
        "TZ=UTC date",
        "if date; then :; fi",
        "[\"/bin/sh\", \"-c\", \"date > x\"]",
        "a\ndate",
    ] {
        assert_eq!(suggests(text, Cause::WallClock), Some("date"), "{text}");
    }
    for text in ["apt-get install date", "echo date", "update", "cp date x"] {
        assert_eq!(suggests(text, Cause::WallClock), None, "{text}");
    }
    assert_eq!(suggests("apt-get install -y curl && rm x", Cause::Network), None);
    assert_eq!(suggests(r#"sh -c "echo \$\$ > /pid""#, Cause::ProcessId), Some("$$"));
    assert_eq!(suggests("head -c 9 /dev/urandom > x", Cause::Random), Some("/dev/urandom"));
}

fn entry() -> impl Strategy<Value = Entry> {
    let heads = prop::sample::select(vec![
        b"".to_vec(),
        b"\x7fELF\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0".to_vec(),
        b"PK\x03\x04".to_vec(),
        b"\x1f\x8b".to_vec(),
        b"!<arch>\n".to_vec(),
        b"Go build ID: \"".to_vec(),
        b"HTTP/1.1".to_vec(),
        vec![b'0'; 300],
    ]);
    (heads, prop::collection::vec(any::<u8>(), 0..200), any::<(u64, i64, u32)>(), "\\PC{0,9}").prop_map(
        |(head, tail, n, text)| {
            let sample = [head, tail].concat();
            Entry {
                kind: text.clone(),
                size: n.0,
                mtime: n.1,
                mode: n.2,
                link: text.clone(),
                xattrs: vec![(text, "00".into())],
                sample,
                ..Entry::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn nothing_panics(
        a in prop::option::of(entry()), b in prop::option::of(entry()), path in "(\\PC|/){0,40}", run in "\\PC{0,40}", how in 0usize..10,
    ) {
        let hows = [How::OnlyInA, How::OnlyInB, How::Kind, How::Content, How::Mode, How::Owner, How::Mtime, How::Xattr, How::Link, How::Order];
        let change = FileChange { path, how: vec![hows[how]], a, b };
        let found = classify(&change, &Hints::of(&run));
        prop_assert!(found.evidence.chars().count() < 600, "{}", found.evidence);
    }
}
