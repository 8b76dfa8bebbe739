use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::image::Digest;
use crate::image::manifest::{Children, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An archive being written.
struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        self.0.append_data(&mut header, name, bytes).unwrap();
        self
    }

    fn json(self, name: &str, value: &Value) -> Self {
        self.file(name, value.to_string().as_bytes())
    }

    fn blob(self, bytes: &[u8]) -> Self {
        self.file(&format!("blobs/sha256/{}", Digest::of(bytes).hex()), bytes)
    }

    /// An entry whose name and link are written as they are: the builder would refuse the hostile ones.
    fn raw(mut self, kind: tar::EntryType, name: &str, link: &str, bytes: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A layer: a tar with one file.
fn layer(content: &str) -> Vec<u8> {
    Tar::new().file("etc/motd", content.as_bytes()).finish()
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}})
        .to_string()
        .into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn import(tar: &[u8]) -> (TempDir, Result<Layout, LayoutError>) {
    let dir = tempfile::tempdir().unwrap();
    let layout = import_archive(tar, dir.path());
    (dir, layout)
}

/// Config digest and uncompressed layers of the one image in a layout, everything verified.
fn contents(layout: &Layout) -> (Digest, Vec<Vec<u8>>) {
    let root = layout.root().unwrap();
    let content = layout.walk(root).unwrap();
    content.blobs.iter().for_each(|blob| layout.verify(blob).unwrap());
    match layout.manifest(root).unwrap().children().unwrap() {
        Children::Image { config, layers } => {
            let unpacked = layers.iter().map(|layer| {
                assert_eq!(layer.media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
                let mut bytes = Vec::new();
                let file = fs::File::open(layout.blob_path(&layer.digest)).unwrap();
                flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
                bytes
            });
            (config.digest, unpacked.collect())
        }
        Children::Index(_) => panic!("an index"),
    }
}

const EMPTY: [u8; 1024] = [0; 1024];

#[test]
fn an_engine_before_25_links_equal_layers() {
    let (base, top) = (layer("base"), layer("top"));
    let config = config(&[&base, &EMPTY, &top, &base]);
    let config_name = format!("{}.json", Digest::of(&config).hex());
    let tar = Tar::new()
        .raw(tar::EntryType::Directory, "aaa/", "", b"")
        .file("aaa/VERSION", b"1.0")
        .file("aaa/layer.tar", &base)
        .file("bbb/layer.tar", &EMPTY)
        .file("ccc/layer.tar", &top)
        .raw(tar::EntryType::Symlink, "ddd/layer.tar", "../aaa/layer.tar", b"")
        .file(&config_name, &config)
        .json("repositories", &json!({}))
        .json(
            "manifest.json",
            &json!([{"Config": config_name, "RepoTags": null,
                     "Layers": ["aaa/layer.tar", "bbb/layer.tar", "ccc/layer.tar", "ddd/layer.tar"]}]),
        );
    let (dir, layout) = import(&tar.finish());
    let expected = (Digest::of(&config), vec![base.clone(), EMPTY.to_vec(), top, base]);
    assert_eq!(contents(&layout.unwrap()), expected);
    assert!(!dir.path().join("aaa").exists());
}

/// As an engine of 25 or later writes it: a layout with uncompressed layers, and docker's own manifest.
fn modern(layers: &[&[u8]]) -> Tar {
    let config = config(layers);
    let descriptors: Vec<_> =
        layers.iter().map(|l| json!({"mediaType": LAYER, "digest": Digest::of(l), "size": l.len()})).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": descriptors,
        "config": {"mediaType": OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
    });
    let manifest = manifest.to_string().into_bytes();
    let name = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::of(bytes).hex());
    let root = json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(&manifest), "size": manifest.len()});
    let listed = json!([{"Config": name(&config), "Layers": layers.iter().map(|l| name(l)).collect::<Vec<_>>()}]);
    let tar = layers.iter().fold(Tar::new(), |tar, layer| tar.blob(layer));
    tar.blob(&config)
        .blob(&manifest)
        .json("index.json", &json!({"schemaVersion": 2, "manifests": [root]}))
        .json("manifest.json", &listed)
        .json("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))
}

#[test]
fn an_engine_from_25_on_gets_its_layers_compressed_and_keeps_its_image_id() {
    let layers = [layer("base"), EMPTY.to_vec(), layer("top")];
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let tar = modern(&layers).finish();
    let (_dir, layout) = import(&tar);
    let layout = layout.unwrap();
    let (id, unpacked) = contents(&layout);
    assert_eq!(id, Digest::of(&config(&layers)));
    assert_eq!(unpacked, layers);
    // The same image exported again is the same manifest: no time and no name in a gzip header.
    let (_again, second) = import(&tar);
    assert_eq!(second.unwrap().root().unwrap().digest, layout.root().unwrap().digest);
}

#[test]
fn the_empty_layer_alone_is_compressed_too() {
    let (_dir, layout) = import(&modern(&[&EMPTY]).finish());
    assert_eq!(contents(&layout.unwrap()).1, [EMPTY.to_vec()]);
}

#[test]
fn the_containerd_store_is_taken_as_it_is() {
    let top = gzip(&layer("top"));
    let config = config(&[&layer("top")]);
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
        "layers": [{"mediaType": format!("{LAYER}+gzip"), "digest": Digest::of(&top), "size": top.len()}],
    });
    let manifest = manifest.to_string().into_bytes();
    let child = json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(&manifest), "size": manifest.len()});
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).to_string().into_bytes();
    let entry = json!({"mediaType": OCI_INDEX, "digest": Digest::of(&index), "size": index.len()});
    let listed = json!([{"Config": format!("blobs/sha256/{}", Digest::of(&config).hex()),
                         "Layers": [format!("blobs/sha256/{}", Digest::of(&top).hex())]}]);
    let tar = |with_index: bool| {
        let tar = Tar::new().blob(&top).blob(&config).blob(&manifest);
        let tar = if with_index { tar.blob(&index) } else { tar };
        tar.json("index.json", &json!({"schemaVersion": 2, "manifests": [entry]}))
            .json("manifest.json", &listed)
            .finish()
    };
    let (_dir, layout) = import(&tar(true));
    let layout = layout.unwrap();
    assert_eq!(layout.root().unwrap().digest, Digest::of(&index));
    assert_eq!(layout.walk(layout.root().unwrap()).unwrap().blobs.len(), 2);

    // Only part of what the index names was exported: the image of this platform is put together again.
    let (_dir, layout) = import(&tar(false));
    assert_eq!(contents(&layout.unwrap()).0, Digest::of(&config));
}

#[test]
fn hostile_archives_leave_nothing_outside() {
    use tar::EntryType;
    let deep = Tar::new().raw(EntryType::Regular, "a/../../escaped", "", b"x").finish();
    let absolute = Tar::new().raw(EntryType::Regular, "/tmp/escaped-by-archive", "", b"x").finish();
    let link = Tar::new().raw(EntryType::Symlink, "a", "../../etc/passwd", b"").finish();
    let device = Tar::new().raw(EntryType::Char, "dev", "", b"").finish();
    let lying = Tar::new().file(&format!("blobs/sha256/{}", Digest::of(b"a").hex()), b"b").finish();
    let long = Tar::new().raw(EntryType::GNULongName, "././@LongLink", "", &vec![b'a'; 3 << 20]).finish();
    let huge_document = Tar::new().file("manifest.json", &vec![b' '; MAX_MANIFEST + 1]).finish();
    let cut = modern(&[&layer("x")]).finish();
    for (tar, says) in [
        (&deep[..], "leads out of the archive"),
        (&absolute, "leads out of the archive"),
        (&link, "leads out of the archive"),
        (&device, "neither file nor directory"),
        (&lying, "holds other content"),
        (&long, "headers of more than 1 MiB"),
        (&huge_document, "has more than 4 MiB"),
        (&cut[..700], "ends early or is no tar"),
        (b"", "neither `manifest.json` nor"),
        (&[b'x'; 4096], "no tar"),
    ] {
        let (dir, layout) = import(tar);
        let error = layout.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!dir.path().parent().unwrap().join("escaped").exists());
    }
    assert!(!Path::new("/tmp/escaped-by-archive").exists());
}

#[test]
fn images_that_are_not_what_they_say_are_refused() {
    let (good, other) = (layer("good"), layer("other"));
    let right = config(&[&good]);
    let short = config(&[]);
    let archive = |config: &[u8], listed: Value| {
        Tar::new()
            .file("c.json", config)
            .file("l.tar", &good)
            .file("o.tar", &other)
            .json("manifest.json", &listed)
            .finish()
    };
    let one = |layer: &str| json!([{"Config": "c.json", "Layers": [layer]}]);
    let looping = Tar::new()
        .file("c.json", &right)
        .raw(tar::EntryType::Symlink, "a", "b", b"")
        .raw(tar::EntryType::Symlink, "b", "a", b"")
        .json("manifest.json", &one("a"))
        .finish();
    for (tar, says) in [
        (archive(&right, one("l.tar")), ""),
        (archive(&right, one("o.tar")), "the config names"),
        (archive(&short, one("l.tar")), "the config names 0 layers, `manifest.json` 1"),
        (archive(b"[]", one("l.tar")), "the image config cannot be read"),
        (archive(&right, one("missing.tar")), "`missing.tar` is missing"),
        (archive(&right, one("../l.tar")), "leads out of the archive"),
        (archive(&right, json!([])), "expected one image"),
        (archive(&right, json!([{"Config": "c.json"}, {"Config": "o.tar"}])), "expected one image"),
        (archive(&right, json!({})), "`manifest.json` cannot be read"),
        (looping, "`a` is missing"),
    ] {
        match import(&tar).1 {
            Ok(_) => assert_eq!(says, ""),
            Err(error) => assert!(!says.is_empty() && error.to_string().contains(says), "{error}"),
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_damage_ends_in_an_error_or_the_same_image(at in 0_usize..6000, with: u8) {
        let good = layer("x");
        let mut tar = modern(&[&good]).finish();
        let at = at % tar.len();
        tar[at] = with;
        let (_dir, layout) = import(&tar);
        if let Ok(layout) = layout {
            let _ = layout.walk(layout.root().unwrap());
        }
    }
}
