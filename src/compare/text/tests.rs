use super::*;
use crate::crucible::culprit;
use crate::image::Digest;
use crate::image::diff::Entry;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn change(path: &str, how: &[How]) -> FileChange {
    let entry = |mtime| Entry { kind: "file".into(), size: 3, mode: 0o644, mtime, ..Entry::default() };
    FileChange { path: path.into(), how: how.to_vec(), a: Some(entry(1_700_000_000)), b: Some(entry(1_700_000_009)) }
}

fn layer(index: (Option<usize>, Option<usize>), created_by: &str, changes: Vec<FileChange>) -> LayerDiff {
    LayerDiff {
        index,
        blobs: (None, None),
        diff_ids: (None, None),
        created_by: created_by.into(),
        history: None,
        only_compression: false,
        order: false,
        total: changes.len() as u64,
        changes,
        incomplete: None,
    }
}

fn platform(config: Vec<ConfigChange>, layers: Vec<LayerDiff>) -> PlatformDiff {
    let configs = (digest("a"), if config.is_empty() { digest("a") } else { digest("b") });
    let (platform, manifests) = ("linux/amd64".to_owned(), (digest("m"), digest("n")));
    PlatformDiff { platform, manifests, configs, config, layers, layer_counts: (4, 5) }
}

fn rendered(diff: &ImageDiff) -> String {
    let (a, b) = (digest("one"), digest("two"));
    let images = [Named { name: "app:1", digest: &a }, Named { name: "oci:out", digest: &b }];
    render(images, diff, &culprit::explain(diff, None, &[])).replace(a.hex(), "…").replace(b.hex(), "…")
}

#[test]
fn a_comparison_is_read_from_top_to_bottom() {
    let field = |field: &str, a: Option<&str>, b: Option<&str>| ConfigChange {
        field: field.into(),
        a: a.map(Into::into),
        b: b.map(Into::into),
    };
    let config = vec![field("config.Env.A", Some("\"1\""), None), field("created", Some("\"x\""), Some("\"y\""))];
    let mut moved =
        layer((Some(2), Some(3)), "RUN make install", vec![change("usr/bin/app", &[How::Content, How::Mtime])]);
    moved.order = true;
    let mut grown = change("var/log/x", &[How::Content]);
    grown.b.as_mut().unwrap().size = 90;
    moved.changes.push(grown);
    moved.total = 300;
    let only = FileChange { b: None, ..change("new", &[How::OnlyInB]) };
    let compressed = LayerDiff { only_compression: true, ..layer((Some(0), Some(0)), "ADD rootfs /", vec![]) };
    let diff = ImageDiff {
        platforms: vec![platform(config, vec![compressed, moved, layer((None, Some(4)), "COPY . /", vec![only])])],
        only_in_b: vec!["linux/arm64".into()],
        ..ImageDiff::default()
    };
    insta::assert_snapshot!(rendered(&diff), @r#"
    a  app:1  sha256:…
    b  oci:out  sha256:…

    linux/arm64: only in b

    linux/amd64: 2 of 4 and 5 layers differ, the config differs
      config
        config.Env.A: "1" → (nothing)
        created: "x" → "y"
      layer 1  ADD rootfs /
        the same files, compressed differently
      layer 3 / 4  RUN make install
        files stand in another order in the archive
        usr/bin/app  content, mtime 2023-11-14T22:13:20Z → 2023-11-14T22:13:29Z
        var/log/x  content (3 → 90 bytes)
        … and 298 files more; --listing FILE has them all
      layer 5, only in b  COPY . /
        new  only in b

    ✗ different: 2 layers, 301 files, 1 config, 1 platform without a counterpart
    "#);
}

#[test]
fn agreement_is_one_line() {
    let same = ImageDiff { identical: true, ..ImageDiff::default() };
    assert!(rendered(&same).ends_with("\n✓ identical: every byte agrees\n"));
    let compressed = LayerDiff { only_compression: true, ..layer((Some(0), Some(0)), "", vec![]) };
    let diff = ImageDiff { platforms: vec![platform(vec![], vec![compressed])], ..ImageDiff::default() };
    assert!(rendered(&diff).contains("✓ the same content"), "{}", rendered(&diff));
}

#[test]
fn hostile_names_stay_on_their_line() {
    let evil = change("\u{1b}[2J\u{1b}]0;x\u{7}::error::\r\nfake\u{202e}txt##[group]", &[How::Mode]);
    let mut link = change("l", &[How::Link]);
    link.a.as_mut().unwrap().link = "\u{9b}31m\n✓ identical".into();
    let diff = ImageDiff {
        platforms: vec![platform(
            vec![],
            vec![layer((Some(0), Some(0)), "RUN echo \u{1b}[0m\n::set-output::", vec![evil, link])],
        )],
        ..ImageDiff::default()
    };
    let text = rendered(&diff);
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_invisible(c)), "{text:?}");
    // Two images, their platform, the layer, two files, two cures and the verdict, with what stands between them.
    assert_eq!(text.lines().count(), 13, "{text}");
    assert!(!text.contains("##[") && text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
    assert!(text.contains(r"\u{1b}[2J"), "{text}");
}

#[test]
fn long_names_are_cut() {
    let many = (0..500).map(|n| change(&format!("{n}{}", "x".repeat(5000)), &[How::Mtime])).collect();
    let diff = ImageDiff {
        platforms: vec![platform(vec![], vec![layer((Some(0), Some(0)), &"y".repeat(9999), many)])],
        ..ImageDiff::default()
    };
    let text = rendered(&diff);
    assert!(text.len() < 8000, "{}", text.len());
    assert!(text.contains("… and 480 files more; --listing"), "{text}");
}
