use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::image::fixture::{self, Entry as Written, Maker, dir, file, gzip, gzipped, hardlink, layer, symlink, zstd};

type Stored = Vec<(Vec<u8>, Vec<u8>)>;

/// Two images in two layouts, compared.
fn compared(a: (&Stored, Value), b: (&Stored, Value)) -> (ImageDiff, Value) {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let made = |dir: &TempDir, (layers, config): (&Stored, Value)| {
        let maker = Maker::new(dir.path());
        maker.finish(&maker.image(layers, &config))
    };
    let ((left, root), (right, other)) = (made(&dirs[0], a), made(&dirs[1], b));
    run(Image { layout: &left, root: &root }, Image { layout: &right, root: &other })
}

fn run(a: Image<'_>, b: Image<'_>) -> (ImageDiff, Value) {
    let mut listing = Vec::new();
    let diff = diff(a, b, Some(&mut listing), &CancellationToken::new()).unwrap();
    (diff, serde_json::from_slice(&listing).unwrap())
}

/// The one layer in which two layers of entries differ.
fn layers(a: &[Written], b: &[Written]) -> LayerDiff {
    let (diff, listing) = compared((&gzipped(&[a]), json!({})), (&gzipped(&[b]), json!({})));
    let mut layers = diff.platforms.into_iter().flat_map(|p| p.layers).collect::<Vec<_>>();
    let layer = layers.pop().expect("they do not differ");
    assert_eq!(listing["changes"].as_array().unwrap().len() as u64, layer.total);
    layer
}

/// `path: how how`, one for each change.
fn told(layer: &LayerDiff) -> Vec<String> {
    let how = |change: &FileChange| change.how.iter().map(|how| format!(" {how:?}")).collect::<String>();
    layer.changes.iter().map(|change| format!("{}:{}", change.path, how(change))).collect()
}

#[rstest]
#[case(file("a", "x"), file("a", "y"), "a: Content")]
#[case(file("a", "x"), file("a", "xy"), "a: Content")]
#[case(file("a", "x"), Written { mode: 0o600, ..file("a", "x") }, "a: Mode")]
#[case(file("a", "x"), Written { uid: 1, ..file("a", "x") }, "a: Owner")]
#[case(file("a", "x"), file("a", "x").pax("uname", b"ada"), "a: Owner")]
#[case(file("a", "x"), Written { mtime: 1, ..file("a", "x") }, "a: Mtime")]
#[case(file("a", "x").pax("mtime", b"1.5"), file("a", "x").pax("mtime", b"1.6"), "a: Mtime")]
#[case(file("a", "x"), file("a", "x").pax("SCHILY.xattr.user.a", b"1"), "a: Xattr")]
#[case(symlink("a", "x"), symlink("a", "y"), "a: Link")]
#[case(hardlink("a", "x"), hardlink("a", "y"), "a: Link")]
#[case(file("a", "x"), Written { mode: 0o644, ..dir("a") }, "a: Kind")]
#[case(file("a", "x"), symlink("a", "b"), "a: Kind")]
#[case(file("a", "x"), file(".wh.a", "x"), "a: Kind")]
#[case(file("a", ""), file("b", ""), "a: OnlyInA|b: OnlyInB")]
#[case(file("d/.wh..wh..opq", ""), file("e", ""), "d: OnlyInA|e: OnlyInB")]
#[case(dir("./"), Written { mtime: 1, ..dir("./") }, ".: Mtime")]
#[case(file("../../etc/passwd", "x"), file("../../etc/passwd", "y"), "../../etc/passwd: Content")]
#[case(file("a", "x"), Written { mode: 0o600, uid: 7, mtime: 1, ..file("a", "y") }, "a: Content Mode Owner Mtime")]
fn entries_differ_in_what_they_differ(#[case] a: Written, #[case] b: Written, #[case] want: &str) {
    let layer = layers(&[file("same", "1"), a, file("too", "2")], &[file("same", "1"), b, file("too", "2")]);
    let mut told = told(&layer);
    told.sort();
    assert_eq!(told.join("|"), want);
    assert_eq!((layer.order, layer.incomplete), (false, None));
}

#[test]
fn both_sides_of_a_change_are_told() {
    let layer = layers(&[file("a", "old").pax("SCHILY.xattr.user.x", b"\x01")], &[symlink("a", "new")]);
    let [change] = &layer.changes[..] else { panic!("{layer:?}") };
    let (a, b) = (change.a.as_ref().unwrap(), change.b.as_ref().unwrap());
    assert_eq!((a.kind.as_str(), a.size, a.sample.as_slice()), ("file", 3, &b"old"[..]));
    assert_eq!(a.sha256, Digest::of(b"old").hex());
    assert_eq!(a.xattrs, [("user.x".to_owned(), "01".to_owned())]);
    assert_eq!((b.kind.as_str(), b.link.as_str(), b.sha256.as_str()), ("symlink", "new", ""));
}

#[test]
fn another_order_is_told_once_and_names_the_first_out_of_place() {
    let (a, b, c) = (file("a", "1"), file("b", "2"), file("c", "3"));
    let layer = layers(&[a.clone(), b.clone(), c.clone()], &[c, a, b]);
    assert!(layer.order);
    assert_eq!((told(&layer), layer.total), (vec!["a: Order".to_owned()], 1));
}

#[test]
fn more_or_fewer_entries_are_no_other_order() {
    let all: Vec<_> = (0..300).map(|n| file(&format!("f{n:03}"), "x")).collect();
    let some: Vec<_> = all.iter().skip(150).cloned().collect();
    for (a, b, how) in [(&all, &some, How::OnlyInA), (&some, &all, How::OnlyInB)] {
        let layer = layers(a, b);
        assert!(!layer.order && layer.changes.iter().all(|c| c.how == [how]));
        assert_eq!(layer.total, 150);
    }
}

#[test]
fn a_path_written_twice_is_compared_in_turn() {
    let twice = [file("a", "1"), file("a", "2")];
    assert_eq!(told(&layers(&twice, &[file("a", "1"), file("a", "3")])), ["a: Content"]);
    assert_eq!(told(&layers(&twice, &[file("a", "1")])), ["a: OnlyInA"]);
    assert_eq!(told(&layers(&[file("a", "2")], &twice)), ["a: Content", "a: OnlyInB"]);
}

#[test]
fn only_so_many_changes_are_kept_and_all_are_listed() {
    let many: Vec<_> = (0..1000).map(|n| file(&format!("f{n}"), "x")).collect();
    let layer = layers(&many, &[]);
    assert_eq!((layer.changes.len(), layer.total), (MAX_CHANGES, 1000));
}

#[test]
fn what_no_entry_shows_is_said() {
    let entries = [file("a", "1")];
    let padded = [layer(&entries), vec![0; 512]].concat();
    let (a, b) = (gzipped(&[&entries]), vec![(padded.clone(), gzip(&padded, 6))]);
    let (diff, _) = compared((&a, json!({})), (&b, json!({})));
    let layer = &diff.platforms[0].layers[0];
    assert!(layer.incomplete.as_ref().unwrap().starts_with("Every file agrees"), "{layer:?}");
    assert!(!diff.same_content());
}

#[test]
fn equal_roots_are_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(dir.path());
    let (layout, root) = maker.finish(&maker.image(&gzipped(&[&[file("a", "1")]]), &json!({})));
    std::fs::remove_dir_all(dir.path().join("blobs")).unwrap();
    let image = Image { layout: &layout, root: &root };
    let (diff, _) = run(image, image);
    assert!(diff.identical && diff.same_content() && diff.bytes_read == 0);
    assert_eq!(needs(image, image).unwrap(), Needs::default());
}

/// Blobs that need not be read are taken away: nobody misses them.
#[test]
fn equal_layers_are_not_opened_whatever_their_compression() {
    let (base, top, other) = (layer(&[file("a", "1")]), layer(&[file("b", "2")]), layer(&[file("b", "3")]));
    let a = vec![(base.clone(), gzip(&base, 1)), (base.clone(), gzip(&base, 6)), (top.clone(), gzip(&top, 6))];
    let b = vec![(base.clone(), gzip(&base, 9)), (base.clone(), gzip(&base, 6)), (other.clone(), zstd(&other, 0))];
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let made = |dir: &TempDir, layers: &Stored| {
        let maker = Maker::new(dir.path());
        maker.finish(&maker.image(layers, &json!({})))
    };
    let ((left, root), (right, second)) = (made(&dirs[0], &a), made(&dirs[1], &b));
    for blob in [&a[0].1, &a[1].1, &b[0].1] {
        let digest = Digest::of(blob);
        let removed = [&left, &right].iter().filter(|l| std::fs::remove_file(l.blob_path(&digest)).is_ok()).count();
        assert!(removed > 0);
    }
    let (a_image, b_image) = (Image { layout: &left, root: &root }, Image { layout: &right, root: &second });
    let (diff, _) = run(a_image, b_image);
    let [compression, changed] = &diff.platforms[0].layers[..] else { panic!("{diff:?}") };
    assert!(compression.only_compression && compression.changes.is_empty() && compression.index == (Some(0), Some(0)));
    assert_eq!((changed.index, told(changed)), ((Some(2), Some(2)), vec!["b: Content".to_owned()]));
    assert_eq!(diff.bytes_read, (a[2].1.len() + b[2].1.len()) as u64);
    let needs = needs(a_image, b_image).unwrap();
    let digests = |list: &[Descriptor]| list.iter().map(|d| d.digest.clone()).collect::<Vec<_>>();
    assert_eq!((digests(&needs.a), digests(&needs.b)), (vec![Digest::of(&a[2].1)], vec![Digest::of(&b[2].1)]));
}

#[test]
fn the_same_content_in_another_compression_is_the_same_content() {
    let tar = layer(&[file("a", "1")]);
    let (diff, _) =
        compared((&vec![(tar.clone(), gzip(&tar, 1))], json!({})), (&vec![(tar.clone(), tar.clone())], json!({})));
    assert!(!diff.identical && diff.same_content() && diff.platforms[0].layers[0].only_compression);
    let (diff, _) = compared((&Vec::new(), json!({})), (&Vec::new(), json!({"created": "x"})));
    assert!(!diff.same_content());
}

#[test]
fn layers_are_named_by_the_instruction_that_made_them() {
    let history = |last: &str| json!({"history": [{"created_by": "FROM"}, {"created_by": "ENV X", "empty_layer": true}, {"created_by": last}]});
    let (base, a, b) = ([file("base", "")], [file("x", "1")], [file("x", "2")]);
    let (diff, listing) = compared((&gzipped(&[&base, &a]), history("RUN make")), (&gzipped(&[&base, &b]), json!({})));
    let layer = &diff.platforms[0].layers[0];
    assert_eq!((layer.created_by.as_str(), layer.history, layer.index), ("RUN make", Some(2), (Some(1), Some(1))));
    assert_eq!(listing["changes"][0]["layers"], json!([1, 1]));
    assert_eq!(listing["changes"][0]["platform"], "linux/amd64");
    assert_eq!(diff.platforms[0].layer_counts, (2, 2));
}

#[test]
fn a_layer_without_a_counterpart_is_listed_whole() {
    let (base, more) = ([file("base", "")], [file("x", "1"), file("y", "1")]);
    let (diff, _) = compared((&gzipped(&[&base]), json!({})), (&gzipped(&[&base, &more]), json!({})));
    let layer = &diff.platforms[0].layers[0];
    assert_eq!((layer.index, layer.total, &layer.blobs.0), ((None, Some(1)), 2, &None));
    assert_eq!(told(layer), ["x: OnlyInB", "y: OnlyInB"]);
}

#[test]
fn indexes_are_matched_by_platform() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let made = |dir: &TempDir, arm: &str, extra: &str, attestation: &str| {
        let maker = Maker::new(dir.path());
        let image = |content: &str, architecture: &str| {
            maker.image(&gzipped(&[&[file("f", content)]]), &json!({"architecture": architecture}))
        };
        let images = [
            ("linux/amd64", image("same", "amd64")),
            ("linux/arm64", image(arm, "arm64")),
            (extra, image("extra", "x")),
            ("unknown/unknown", image(attestation, "unknown")),
        ];
        maker.finish(&maker.index(&images))
    };
    let (left, root) = made(&dirs[0], "1", "linux/riscv64", "x");
    let (right, other) = made(&dirs[1], "2", "linux/s390x", "y");
    let (diff, _) = run(Image { layout: &left, root: &root }, Image { layout: &right, root: &other });
    assert_eq!((diff.only_in_a, diff.only_in_b), (vec!["linux/riscv64".to_owned()], vec!["linux/s390x".to_owned()]));
    let [arm] = &diff.platforms[..] else { panic!("{:?}", diff.platforms) };
    assert_eq!((arm.platform.as_str(), told(&arm.layers[0])), ("linux/arm64", vec!["f: Content".to_owned()]));

    // A plain image is compared with the image of its platform.
    let single = tempfile::tempdir().unwrap();
    let maker = Maker::new(single.path());
    let (plain, image) = maker.finish(&maker.image(&gzipped(&[&[file("f", "same")]]), &json!({})));
    let (diff, _) = run(Image { layout: &left, root: &root }, Image { layout: &plain, root: &image });
    assert!(diff.platforms.is_empty() && diff.only_in_a == ["linux/arm64", "linux/riscv64"]);
}

#[test]
fn a_layer_that_cannot_be_read_is_not_equal() {
    let tar = layer(&[file("a", "1"), file("b", &"x".repeat(9000))]);
    let good = vec![(tar.clone(), gzip(&tar, 6))];
    let cut = vec![(layer(&[]), tar[..4000].to_vec())];
    let (diff, listing) = compared((&good, json!({})), (&cut, json!({})));
    let layer = &diff.platforms[0].layers[0];
    assert!(layer.incomplete.as_ref().unwrap().contains("second image could not be read to its end: it is damaged"));
    assert!(!diff.same_content() && listing["changes"].is_array());

    // The config promises another content than the layer has.
    let lying = vec![(fixture::layer(&[file("z", "")]), gzip(&tar, 1))];
    let (diff, _) = compared((&good, json!({})), (&lying, json!({})));
    assert!(diff.platforms[0].layers[0].incomplete.as_ref().unwrap().contains("the config says that it holds"));
}

#[test]
fn a_signal_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(dir.path());
    let (layout, a) = maker.finish(&maker.image(&gzipped(&[&[file("a", "1")]]), &json!({})));
    let (_, b) = maker.finish(&maker.image(&gzipped(&[&[file("a", "2")]]), &json!({})));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let stopped = diff(Image { layout: &layout, root: &a }, Image { layout: &layout, root: &b }, None, &cancel);
    assert!(matches!(stopped, Err(DiffError::Cancelled)));
}

#[test]
fn a_config_that_is_none_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(dir.path());
    let root = |config: &[u8]| {
        let config = maker.blob("x", config);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": []});
        maker.finish(&maker.blob("", manifest.to_string().as_bytes()))
    };
    let ((layout, a), (_, b)) = (root(b"no json"), root(b"{}"));
    let error =
        diff(Image { layout: &layout, root: &a }, Image { layout: &layout, root: &b }, None, &CancellationToken::new());
    assert!(matches!(error, Err(DiffError::Config(..))));
}

fn entries() -> impl Strategy<Value = Vec<Written>> {
    let entry = ("[a-d]{1,2}(/[a-c])?", "[xyz]{0,3}", 0_u8..4, prop::sample::select(vec![0o644_u32, 0o755]), 0_u64..2);
    let entry = entry.prop_map(|(path, content, kind, mode, mtime)| {
        let entry = match kind {
            0 => dir(&path),
            1 => symlink(&path, &content),
            _ => file(&path, &content),
        };
        Written { mode, mtime, ..entry }
    });
    prop::collection::vec(entry, 0..40).prop_map(|mut entries| {
        let mut seen = std::collections::HashSet::new();
        entries.retain(|e| seen.insert(e.path.clone()));
        entries
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What differs is found, exactly, whatever the order the entries stand in.
    #[test]
    fn exactly_the_changed_entries_are_found(a in entries(), b in entries(), keep in any::<u64>(), turn in 0_usize..40) {
        // Half of the second's entries are the first's own.
        let mut b: Vec<_> = b.into_iter().enumerate().map(|(i, entry)| {
            let own = a.iter().find(|e| e.path == entry.path).filter(|_| keep >> i & 1 == 1);
            own.cloned().unwrap_or(entry)
        }).collect();
        if !b.is_empty() {
            let at = turn % b.len();
            b.rotate_left(at);
        }
        let find = |list: &[Written], path: &[u8]| list.iter().find(|e| e.path == path).cloned();
        let paths: std::collections::BTreeSet<_> = a.iter().chain(&b).map(|e| e.path.clone()).collect();
        let want: Vec<_> = paths.into_iter().filter(|path| find(&a, path) != find(&b, path)).collect();
        let common = |list: &[Written], other: &[Written]| {
            list.iter().filter(|e| find(other, &e.path).is_some()).map(|e| e.path.clone()).collect::<Vec<_>>()
        };
        let order = common(&a, &b) != common(&b, &a);

        let (diff, _) = compared((&gzipped(&[&a]), json!({})), (&gzipped(&[&b]), json!({})));
        let found: Vec<_> = diff.platforms.iter().flat_map(|p| &p.layers).collect();
        let mut got: Vec<_> = found.iter().flat_map(|l| &l.changes).filter(|c| c.how != [How::Order])
            .map(|c| c.path.clone().into_bytes()).collect();
        got.sort();
        prop_assert_eq!(got, want);
        prop_assert_eq!(found.iter().any(|l| l.order), order);
        prop_assert!(found.iter().all(|l| l.incomplete.is_none()));
    }
}
