//! `stagefreight diff` from outside, with images that need no daemon: what it prints, how it ends, what it leaves behind, and how
//! much memory hostile layers make it take.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "tests start processes")]

#[path = "support/images.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "each test program uses its own part")]
mod images;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use images::{archive, files, image, image_of, layout, stream};
use serde_json::Value;
use sha2::Digest as _;
use tempfile::TempDir;

/// A working directory and one for what is temporary.
struct Place {
    dir: TempDir,
    temp: TempDir,
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    /// Peak of resident memory in bytes.
    peak: u64,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), temp: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// A layout with one image.
    fn layout(&self, name: &str, layers: &[Vec<u8>], level: u32) {
        let image = image(&self.path(name), layers, level);
        layout(&self.path(name), &[("one", image)]);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("stagefreight"));
        command.arg("diff").args(args).current_dir(self.dir.path()).env_clear().env("TMPDIR", self.temp.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn diff(&self, args: &[&str]) -> Ended {
        let output: Output = self.command(args).output().unwrap();
        self.ended(output, 0)
    }

    /// The same, its memory measured by the kernel.
    fn measured(&self, args: &[&str]) -> Ended {
        let mut child = self.command(args).spawn().unwrap();
        let mut peak = 0;
        while let Some(now) = high_water(&child) {
            peak = peak.max(now);
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.ended(child.wait_with_output().unwrap(), peak)
    }

    fn ended(&self, output: Output, peak: u64) -> Ended {
        assert_eq!(std::fs::read_dir(self.temp.path()).unwrap().count(), 0, "something temporary is left");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr), peak }
    }
}

/// The most it held, without the pages of the program's own file: a test's program is many times the size of a released one.
fn high_water(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let kilobytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    Some(kilobytes("VmHWM:")?.saturating_sub(kilobytes("RssFile:")?) << 10)
}

impl Ended {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        assert_eq!(code == 2, !self.stderr.is_empty(), "{}", self.stderr);
        self
    }

    #[track_caller]
    fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stdout.contains(text) || self.stderr.contains(text),
                "no `{text}` in\n{}{}",
                self.stdout,
                self.stderr
            );
        }
        self
    }
}

fn base() -> Vec<u8> {
    files(&[("etc/motd", "hello"), ("bin/sh", "#!")])
}

#[test]
fn images_of_every_kind_are_compared_with_each_other() {
    let place = Place::new();
    let layers = [base(), files(&[("app", "1")])];
    let others = [base(), files(&[("app", "2"), ("log", "x")])];
    place.layout("a", &layers, 6);
    place.layout("again", &layers, 6);
    place.layout("small", &layers, 9);
    place.layout("b", &others, 6);
    archive(&place.path("a.tar"), &layers);
    archive(&place.path("b.tar"), &others);

    place.diff(&["a", "oci:again"]).exits(0).says(&["✓ identical"]);
    place.diff(&["a", "small"]).exits(0).says(&["✓ the same content", "compressed differently"]);
    place.diff(&["oci:a", "docker-archive:a.tar"]).exits(0).says(&["✓ the same content"]);
    for (a, b) in [("a", "b"), ("oci:a", "b.tar"), ("docker-archive:a.tar", "oci:b:one"), ("a.tar", "b.tar")] {
        place.diff(&[a, b]).exits(1).says(&[
            "layer 2  RUN step 2",
            "    app  content",
            "    log  only in b",
            "1 of 2 layers differ",
            "✗ different: 1 layer, 2 files, 1 config",
        ]);
    }
}

#[test]
fn programs_get_json_and_everybody_a_listing() {
    let place = Place::new();
    place.layout("a", &[base(), files(&[("app", "1")])], 6);
    place.layout("b", &[base(), files(&[("app", "2")])], 6);
    std::fs::write(place.path("changes.json"), "older").unwrap();
    let ended = place.diff(&["a", "b", "--format", "json", "--listing", "changes.json"]).exits(1);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&document["schema_version"], &document["identical"]), (&1.into(), &false.into()));
    assert_eq!(document["images"][1]["name"], "b");
    let layer = &document["platforms"][0]["layers"][0];
    assert_eq!((&layer["created_by"], &layer["changes"][0]["path"]), (&"RUN step 2".into(), &"app".into()));
    assert_eq!(layer["changes"][0]["how"], serde_json::json!(["content"]));
    let listing: Value = serde_json::from_slice(&std::fs::read(place.path("changes.json")).unwrap()).unwrap();
    assert_eq!(listing["changes"][0]["path"], "app");
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 3);
}

#[test]
fn several_images_in_a_layout_are_told_apart_by_name() {
    let place = Place::new();
    let dir = place.path("both");
    let (one, two) = (image(&dir, &[base()], 6), image(&dir, &[files(&[("x", "")])], 6));
    layout(&dir, &[("v1", one), ("v2", two)]);
    place.diff(&["oci:both:v1", "oci:both:v1"]).exits(0);
    place.diff(&["oci:both:v1", "oci:both:v2"]).exits(1);
    place.diff(&["oci:both", "oci:both:v2"]).exits(2).says(&["expected one image", "`v1`, `v2`"]);
    place.diff(&["oci:both:v3", "oci:both:v2"]).exits(2).says(&["no image named `v3`", "`v1`, `v2`"]);
}

#[test]
fn trouble_is_neither_equal_nor_different() {
    let place = Place::new();
    place.layout("a", &[base()], 6);
    std::fs::create_dir(place.path("empty")).unwrap();
    std::fs::write(place.path("text"), "no tar at all").unwrap();
    place.diff(&["a", "./none"]).exits(2).says(&["neither a file nor the name of an image", "docker-daemon:"]);
    place.diff(&["a", "empty"]).exits(2).says(&["no `oci-layout` in it"]);
    place.diff(&["a", "text"]).exits(2).says(&["no tar"]);
    place.diff(&["a", "oci:none"]).exits(2).says(&["none/oci-layout"]);
    place.diff(&["a", "docker-daemon:x"]).exits(2);
    place.diff(&["a", "localhost:1/no/registry:x"]).exits(2).says(&["localhost:1"]);
    place.diff(&["a", "a", "--listing", "no/such/dir"]).exits(2).says(&["no/such/dir"]);
    let output = place.command(&["a"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_damaged_layer_is_different_and_says_why() {
    let place = Place::new();
    place.layout("a", &[base()], 6);
    place.layout("b", &[files(&[("bin/sh", "#!")])], 6);
    let mut blobs = std::fs::read_dir(place.path("b/blobs/sha256")).unwrap().map(|e| e.unwrap().path());
    let layer = blobs.find(|path| std::fs::read(path).unwrap().starts_with(&[0x1f, 0x8b])).unwrap();
    let bytes = std::fs::read(&layer).unwrap();
    std::fs::write(&layer, &bytes[..bytes.len() / 2]).unwrap();
    place.diff(&["a", "b"]).exits(1).says(&["second image could not be read to its end", "✗ different"]);
}

// ---- memory ----

/// What the process may take, whatever it is given.
const MEMORY: u64 = 64 << 20;

/// Two layouts with one layer each.
fn pair(a: impl FnOnce(&mut dyn Write), b: impl FnOnce(&mut dyn Write)) -> Place {
    let place = Place::new();
    for (name, write) in [("a", Box::new(a) as Box<dyn FnOnce(&mut dyn Write)>), ("b", Box::new(b))] {
        let dir = place.path(name);
        let layer = stream(&dir, write);
        let image = image_of(&dir, &[layer]);
        layout(&dir, &[("one", image)]);
    }
    place
}

#[track_caller]
fn stays_small(place: &Place, says: &[&str]) {
    let ended = place.measured(&["a", "b", "--listing", "changes.json"]).exits(1).says(says);
    assert!(ended.peak > 1 << 20, "nothing was measured");
    assert!(ended.peak < MEMORY, "{} MB", ended.peak / 1_000_000);
    assert!(ended.stdout.len() < 20_000, "{} bytes", ended.stdout.len());
}

/// Files of hundreds of megabytes, of which one byte differs.
#[test]
fn large_files_are_streamed() {
    let write = |last: u8| {
        move |out: &mut dyn Write| {
            let size: u64 = 256 << 20;
            out.write_all(images::header("large", tar::EntryType::Regular, size, 0).as_bytes()).unwrap();
            let mut piece = vec![0; 1 << 20];
            for n in 0..256 {
                piece[0] = if n == 255 { last } else { 0 };
                out.write_all(&piece).unwrap();
            }
            out.write_all(&[0; 1024]).unwrap();
        }
    };
    stays_small(&pair(write(1), write(2)), &["large  content"]);
}

fn entries(count: usize, mtime: u64, name: impl Fn(usize) -> String) -> impl FnOnce(&mut dyn Write) {
    move |mut out: &mut dyn Write| {
        for n in 0..count {
            images::entry(&mut out, &name(n), b"", mtime);
        }
        out.write_all(&[0; 1024]).unwrap();
    }
}

/// More entries than fit into memory, all different, all in the listing.
#[test]
fn entries_are_streamed() {
    let name = |n: usize| format!("dir/{:03}/file-{n:07}", n % 1000);
    let place = pair(entries(100_000, 1, name), entries(100_000, 2, name));
    stays_small(&place, &["99980 files more"]);
    let listing: Value = serde_json::from_slice(&std::fs::read(place.path("changes.json")).unwrap()).unwrap();
    assert_eq!(listing["changes"].as_array().unwrap().len(), 100_000);
}

/// Entries that never find a twin, or only at the very end.
#[test]
fn what_waits_for_its_twin_is_bounded() {
    let place = pair(
        entries(100_000, 1, |n| format!("some/long/directory/name/to/fill/memory/{n:07}")),
        entries(100_000, 1, |n| format!("some/long/directory/name/to/fill/memory/{:07}", 100_000 - n)),
    );
    stays_small(&place, &["not all of them could be matched"]);
}

/// The same with all that zstd keeps in memory.
#[test]
fn zstd_has_room_beside_what_waits() {
    let place = Place::new();
    for (name, turn) in [("a", false), ("b", true)] {
        let mut tar = Vec::new();
        let at = |n: usize| if turn { 60_000 - n } else { n };
        entries(60_000, 1, |n| format!("some/long/directory/name/to/fill/memory/{:07}", at(n)))(&mut tar);
        let dir = place.path(name);
        let diff_id = format!("sha256:{}", hex::encode(sha2::Sha256::digest(&tar)));
        let blob = images::blob(&dir, "application/vnd.oci.image.layer.v1.tar+zstd", &images::zstd(&tar));
        let image = image_of(&dir, &[images::Stored { diff_id, blob }]);
        layout(&dir, &[("one", image)]);
    }
    stays_small(&place, &["not all of them could be matched"]);
}

/// Headers as large as they may be, a bomb of them, and holes of exabytes.
#[test]
fn hostile_headers_take_no_memory() {
    let name = |n: usize| format!("{n}/{}", "x".repeat(4000));
    let long = |mtime: u64| {
        move |mut out: &mut dyn Write| {
            for n in 0..6_000 {
                let name = name(n);
                let size = name.len() as u64;
                out.write_all(images::header("././@LongLink", tar::EntryType::GNULongName, size, 0).as_bytes())
                    .unwrap();
                out.write_all(name.as_bytes()).unwrap();
                out.write_all(&vec![0; name.len().next_multiple_of(512) - name.len()]).unwrap();
                images::entry(&mut out, "short", b"", mtime);
            }
            out.write_all(&[0; 1024]).unwrap();
        }
    };
    stays_small(&pair(long(1), long(2)), &["5980 files more"]);
    let holes = |mtime: u64| {
        move |out: &mut dyn Write| {
            let mut header = images::header("holes", tar::EntryType::GNUSparse, 0, mtime);
            header.as_gnu_mut().unwrap().realsize = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            header.set_cksum();
            out.write_all(header.as_bytes()).unwrap();
            out.write_all(&[0; 1024]).unwrap();
        }
    };
    stays_small(&pair(holes(1), holes(2)), &["holes  mtime"]);
    let bomb = |out: &mut dyn Write| {
        out.write_all(images::header("././@LongLink", tar::EntryType::GNULongName, 1 << 30, 0).as_bytes()).unwrap();
        (0..64).for_each(|_| out.write_all(&vec![b'x'; 1 << 20]).unwrap());
    };
    stays_small(&pair(bomb, entries(1, 1, |_| "a".to_owned())), &["headers of more than 1 MiB"]);
}

/// A signal ends it soon, and what was temporary is gone.
#[test]
fn a_signal_ends_it() {
    let place = pair(
        |out: &mut dyn Write| {
            out.write_all(images::header("large", tar::EntryType::Regular, 8 << 30, 0).as_bytes()).unwrap();
            (0..1024).for_each(|_| out.write_all(&vec![0; 1 << 20]).unwrap());
        },
        |out: &mut dyn Write| {
            out.write_all(images::header("large", tar::EntryType::Regular, 8 << 30, 1).as_bytes()).unwrap();
            (0..1024).for_each(|_| out.write_all(&vec![0; 1 << 20]).unwrap());
        },
    );
    let child = place.command(&["a", "b", "--listing", "changes.json"]).spawn().unwrap();
    let begun = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().starts_with(".stagefreight-diff-")
    };
    let patience = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_dir(place.dir.path()).unwrap().any(begun) {
        assert!(Instant::now() < patience, "it has begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = Instant::now();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = place.ended(child.wait_with_output().unwrap(), 0);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    assert_eq!(ended.code, Some(143), "{}{}", ended.stdout, ended.stderr);
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(!Path::new(&place.path("changes.json")).exists());
}
