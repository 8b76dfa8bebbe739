//! From differences to what a person reads, with a real Dockerfile and its image's real history.

mod render;

use proptest::prelude::*;

use super::*;
use crate::image::Digest;
use crate::image::diff::{ConfigChange, Entry};

/// `tests/fixtures/culprit/multi`: what BuildKit made of it stands in `history.json` beside it.
const MULTI: &str = include_str!("../../../tests/fixtures/culprit/multi/Dockerfile");
static ARGS: BTreeMap<String, String> = BTreeMap::new();

fn source(text: &str) -> DockerfileSource<'_> {
    DockerfileSource { path: "app/Dockerfile", text, target: None, build_args: &ARGS }
}

fn entry(content: &str) -> Option<Entry> {
    let size = content.len() as u64;
    let sha256 = Digest::of(content.as_bytes()).hex().to_owned();
    Some(Entry {
        kind: "file".into(),
        size,
        sha256,
        mode: 0o644,
        sample: content.as_bytes().to_vec(),
        ..Entry::default()
    })
}

fn change(path: &str, how: How, a: Option<Entry>, b: Option<Entry>) -> FileChange {
    FileChange { path: path.into(), how: vec![how], a, b }
}

fn content(path: &str, a: &str, b: &str) -> FileChange {
    change(path, How::Content, entry(a), entry(b))
}

fn only_a(path: &str, content: &str) -> FileChange {
    change(path, How::OnlyInA, entry(content), None)
}

fn only_b(path: &str, content: &str) -> FileChange {
    change(path, How::OnlyInB, None, entry(content))
}

fn directory(path: &str) -> FileChange {
    let entry = |mtime| Some(Entry { kind: "directory".into(), mtime, ..Entry::default() });
    change(path, How::Mtime, entry(1), entry(2))
}

fn layer(at: usize, created_by: &str, changes: Vec<FileChange>) -> LayerDiff {
    LayerDiff {
        index: (Some(at), Some(at)),
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

fn image(layers: usize, differing: Vec<LayerDiff>) -> ImageDiff {
    let digest = Digest::of(b"");
    let both = || (digest.clone(), digest.clone());
    let platform = PlatformDiff {
        platform: "linux/amd64".into(),
        manifests: both(),
        configs: both(),
        config: Vec::new(),
        layers: differing,
        layer_counts: (layers, layers),
    };
    ImageDiff { platforms: vec![platform], ..ImageDiff::default() }
}

fn one(changes: Vec<FileChange>) -> CulpritLayer {
    let diff = image(1, vec![layer(0, "RUN /bin/sh -c make # buildkit", changes)]);
    let mut culprits = explain(&diff, None, &[]);
    assert_eq!(culprits.layers.len(), 1);
    culprits.layers.remove(0)
}

fn paths(layer: &CulpritLayer) -> Vec<&str> {
    layer.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn a_whole_report() {
    let mut diff = image(
        5,
        vec![
            layer(
                1,
                "RUN |1 VERSION=1.2.3 /bin/sh -c echo \"$VERSION\" > /version # buildkit",
                vec![
                    directory("tmp"),
                    only_a("tmp/tmp.aB3dE9", "x"),
                    only_b("tmp/tmp.Zq81Lm", "x"),
                    change("version", How::Mode, entry("1.2.3"), entry("1.2.3")),
                ],
            ),
            layer(
                2,
                "COPY /src/out /out # buildkit",
                vec![content("out", "Sun Nov 22 15:34:22 UTC 2026\n", "Sun Nov 22 15:34:25 UTC 2026\n")],
            ),
            LayerDiff { order: true, ..layer(3, "COPY --chown=1:1 /tool /usr/bin/ # buildkit", vec![]) },
        ],
    );
    diff.platforms[0].config =
        vec![ConfigChange { field: "config.Labels.built".into(), a: Some("\"10:00\"".into()), b: None }];
    let mut culprits = explain(&diff, Some(source(MULTI)), &[]);
    culprits.listing = Some(".stagefreight/crucible/diff.json".into());
    assert_eq!(culprits.layers[1].location.as_ref().unwrap().line, Some(17));
    insta::assert_snapshot!(render::text(&culprits).join("\n"), @r#"
    layer 2 of linux/amd64: app/Dockerfile:16: RUN echo "$VERSION" > /version
      /tmp/tmp.aB3dE9 (another name) random file name: tmp.aB3dE9 / tmp.Zq81Lm
      /version (mode) file mode: 0644 / 0644
      /tmp (mtime) modification time: 1970-01-01T00:00:01Z / 1970-01-01T00:00:02Z
    layer 3 of linux/amd64: app/Dockerfile:17: COPY --from=build /src/out /out
      from stage build, lines 2 to 9; most likely line 5: RUN date > out && cat a.txt >> out
      /out (content) wall clock: Sun Nov 22 15:34:22 UTC 2026 / Sun Nov 22 15:34:25 UTC 2026
    layer 4 of linux/amd64: app/Dockerfile:18: COPY --from=tools --chown=1:1 /tool /usr/bin/
      from stage tools, lines 11 to 12
      The same entries stand in another order in the layer.
    image config
      config.Labels.built: "10:00" / missing
    cure for wall clock: use $SOURCE_DATE_EPOCH instead of the clock: declare `ARG SOURCE_DATE_EPOCH` in the stage, then `date -u -d @$SOURCE_DATE_EPOCH`; many tools obey the variable once it is declared
    cure for random file name: delete temporary files in the same RUN, or make them in `RUN --mount=type=tmpfs,target=/tmp`; give files that stay a fixed name
    cure for file mode: begin the RUN with `umask 022`, or `chmod` to fixed modes; for copied files `COPY --chmod=…`
    full listing: .stagefreight/crucible/diff.json
    "#);
}

#[test]
fn the_context_and_images_are_origins_too() {
    let text =
        "FROM base\nCOPY . /app\nCOPY --from=tool:1 /t /t\nADD https://example.org/x /x\nCOPY <<EOF /h\nh\nEOF\n";
    let notes = [
        "COPY . /app # buildkit",
        "COPY /t /t # buildkit",
        "ADD https://example.org/x /x # buildkit",
        "COPY <<EOF /h # buildkit",
    ];
    let changed = |path| vec![content(path, "count 1", "count 2")];
    let layers = notes.iter().enumerate().map(|(at, note)| layer(at + 3, note, changed("x"))).collect();
    let mut diff = image(7, layers);
    diff.platforms[0].layers.insert(0, layer(0, "COPY rootfs / # buildkit", changed("x")));
    let culprits = explain(&diff, Some(source(text)), &[]);
    let told: Vec<_> = culprits
        .layers
        .iter()
        .map(|layer| {
            let line = layer.location.as_ref().and_then(|at| at.line);
            (line, layer.origin.as_deref().unwrap_or("-"), layer.files[0].cause.name())
        })
        .collect();
    assert_eq!(
        told,
        [
            (None, "base image base (FROM in line 1), or an ONBUILD instruction in it", "process id or counter"),
            (Some(2), "the build context: it was not the same in both builds", "process id or counter"),
            (Some(3), "image or named context tool:1", "process id or counter"),
            (Some(4), "what the address gave, twice", "network"),
            (Some(5), "-", "process id or counter"),
        ]
    );
}

#[test]
fn causes_of_copied_files_are_sought_where_they_were_made() {
    let text =
        "FROM a AS build\nRUN wget -O page http://x\nRUN cc -o app x.c\nFROM scratch\nCOPY --from=build /page /app /\n";
    let changes = vec![content("page", "count 1", "count 2"), content("app", "\x7fELF a", "\x7fELF b")];
    let culprits = explain(&image(1, vec![layer(0, "COPY /page /app / # buildkit", changes)]), Some(source(text)), &[]);
    let causes: Vec<_> = culprits.layers[0].files.iter().map(|file| file.cause).collect();
    assert_eq!(causes, [Cause::Network, Cause::Compiler]);
    assert_eq!(culprits.layers[0].origin.as_deref(), Some("stage build, lines 1 to 3"), "two lines made them");
}

#[test]
fn without_a_dockerfile_the_history_speaks() {
    let told = one(vec![content("t", "10:00:01", "10:00:02")]);
    assert_eq!((told.instruction.as_str(), told.location, told.origin), ("RUN make", None, None));
}

#[test]
fn ignored_files_are_counted() {
    let changes = || vec![content("var/log/a/b.log", "1", "2"), content("etc/x", "1", "2")];
    let diff = image(2, vec![layer(0, "RUN a", changes()), layer(1, "RUN b", vec![content("var/log/c", "1", "2")])]);
    let culprits = explain(&diff, None, &["var/log/**".into(), "[".into()]);
    assert_eq!(culprits.ignored, 2);
    assert_eq!(culprits.layers.iter().map(paths).collect::<Vec<_>>(), [["/etc/x"]], "nothing is left of the other");
    assert_eq!(explain(&diff, None, &["/var/log/**".into()]).ignored, 2, "a leading slash is forgiven");
    // More differs than is listed: the layer stays.
    let mut more = diff;
    more.platforms[0].layers[1].total = 300;
    let culprits = explain(&more, None, &["var/log/**".into()]);
    assert_eq!((culprits.layers.len(), culprits.layers[1].more), (2, 299));
}

#[test]
fn the_most_telling_files_come_first() {
    let mut changes = vec![directory("app"), change("app/mode", How::Mode, entry(""), entry(""))];
    changes.extend((0..30).map(|i| content(&format!("app/__pycache__/{i:02}.pyc"), "a", "b")));
    changes.push(content("app/time", "10:00:01", "10:00:02"));
    let told = one(changes);
    let paths = paths(&told);
    assert_eq!(paths[0], "/app/__pycache__/00.pyc");
    let place = |path| paths.iter().position(|p| *p == path);
    assert!(place("/app/time") < Some(8) && place("/app/mode") < Some(9), "{paths:?}");
    assert_eq!(place("/app"), Some(8), "its time follows from the others, but more of the same is less: {paths:?}");
    assert_eq!((told.files.len(), told.more), (MAX_FILES, 13));
}

#[test]
fn names_made_up_anew_are_one_file() {
    let told = one(vec![
        only_a("tmp/build.aB3dE9", ""),
        only_a("tmp/build.aB3dE9/x.o", "object"),
        only_b("tmp/build.Zq81Lm", ""),
        only_b("tmp/build.Zq81Lm/x.o", "object"),
        only_a("log-20260101-100001", "1"),
        only_b("log-20260101-100007", "1"),
        only_a("alone", "very different"),
        only_b("other/alone", "very different"),
    ]);
    let lines: Vec<_> = told.files.iter().map(|f| format!("{} {}: {}", f.path, f.cause.name(), f.evidence)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    /tmp/build.aB3dE9 random file name: build.aB3dE9 / build.Zq81Lm
    /log-20260101-100001 wall clock: log-20260101-100001 / log-20260101-100007
    /alone unknown: only in the first image
    /other/alone unknown: only in the second image
    /tmp/build.aB3dE9/x.o random file name: in a directory with another name
    ");
    assert_eq!(told.files[0].how, [How::OnlyInA, How::OnlyInB]);
    assert_eq!(told.more, 0);
}

#[test]
fn layers_as_a_whole() {
    let note = |layer: LayerDiff| explain(&image(1, vec![layer]), None, &[]).layers[0].note.clone().unwrap();
    let empty = || layer(0, "RUN x", vec![]);
    for (layer, want) in [
        (LayerDiff { only_compression: true, ..empty() }, "only the compressed bytes differ"),
        (LayerDiff { order: true, ..empty() }, "in another order"),
        (LayerDiff { index: (Some(0), None), ..empty() }, "Only the first image"),
        (LayerDiff { index: (None, Some(0)), ..empty() }, "Only the second image"),
        (
            LayerDiff { incomplete: Some("it is too large".into()), total: 9, ..empty() },
            "Not everything was compared: it is too large.",
        ),
        (empty(), "the archive around them differs"),
    ] {
        assert!(note(layer.clone()).contains(want), "{layer:?}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let mut diff = image(1, vec![LayerDiff { incomplete: Some("x".into()), ..layer(0, "RUN x", vec![]) }]);
    diff.only_in_a = vec!["linux/arm64".into(), "linux/arm/v7".into()];
    let want = "only the first image has linux/arm64 and 1 more; 1 of the layers could not be compared to their end";
    assert_eq!(explain(&diff, None, &[]).incomplete.as_deref(), Some(want));
    assert_eq!(explain(&ImageDiff::default(), None, &[]), Culprits::default());
    assert_eq!(render::text(&Culprits::default()), Vec::<String>::new());
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let evil = "a\u{1b}[2J\r\n::error::b\u{202e}";
    let mut diff = image(1, vec![layer(0, evil, vec![content(evil, "10:00:01\u{9b}x", "10:00:02\u{7}y")])]);
    diff.platforms[0].platform = evil.into();
    diff.platforms[0].config = vec![ConfigChange { field: evil.into(), a: Some(evil.into()), b: None }];
    let lines = render::text(&explain(&diff, None, &[]));
    assert!(lines.len() > 3);
    for line in lines {
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert!(!line.starts_with("::"), "{line:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_the_report_is_bounded(
        changes in prop::collection::vec(("(\\PC|/|a){0,30}", 0usize..4, prop::collection::vec(any::<u8>(), 0..60)), 0..200),
        created_by in "(RUN |COPY )?\\PC{0,400}",
        text in "(FROM a\n|RUN \\PC{0,9}\n|COPY --from=0 a b\n){0,9}",
        more in any::<u32>(), at in prop::option::of(0usize..9), count in 0usize..9,
    ) {
        let file = |bytes: &[u8]| Some(Entry { kind: "file".into(), size: bytes.len() as u64, sample: bytes.to_vec(), ..Entry::default() });
        let changes: Vec<_> = changes.iter().map(|(path, how, bytes)| match how {
            0 => change(path, How::OnlyInA, file(bytes), None),
            1 => change(path, How::OnlyInB, None, file(bytes)),
            2 => change(path, How::Mtime, file(bytes), file(bytes)),
            _ => change(path, How::Content, file(bytes), file(&bytes.iter().rev().copied().collect::<Vec<_>>())),
        }).collect();
        let total = changes.len() as u64 + u64::from(more);
        let mut differing = layer(0, &created_by, changes);
        (differing.index, differing.total) = ((at, at), total);
        let culprits = explain(&image(count, vec![differing]), Some(source(&text)), &["*.log".into()]);
        for layer in &culprits.layers {
            prop_assert!(layer.files.len() <= MAX_FILES);
            prop_assert!(layer.instruction.chars().count() <= clip::INSTRUCTION + 1);
            let pairs = layer.files.iter().filter(|file| file.how.len() == 2).count() as u64;
            prop_assert_eq!(layer.files.len() as u64 + pairs + layer.more + culprits.ignored, total);
            for file in &layer.files {
                prop_assert!(file.path.chars().count() <= clip::PATH + 1 && file.evidence.chars().count() <= clip::EVIDENCE + 1);
            }
        }
        let lines = render::text(&culprits);
        prop_assert!(lines.len() < 60 && lines.iter().all(|line| line.chars().count() < 800));
    }
}
