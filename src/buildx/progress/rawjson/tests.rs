//! Real captures (buildx 0.29, BuildKit 0.32) under `tests/fixtures/progress`, and hostile ones made here.

use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::buildx::event::Layer;
use crate::buildx::progress::MAX_LOG_PIECE;
use crate::buildx::progress::plain;

pub(in crate::buildx) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/progress").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn events(chunks: &[&[u8]]) -> Vec<Progress> {
    let mut all = Vec::new();
    let mut parser = Parser::default();
    for chunk in chunks {
        parser.push(chunk, &mut |p| all.push(p));
    }
    parser.finish(&mut |p| all.push(p));
    all
}

/// Neighbouring logs of one stream as one: how they are cut depends on how the bytes came.
pub(in crate::buildx) fn joined(events: Vec<Progress>) -> Vec<Progress> {
    let mut all: Vec<Progress> = Vec::new();
    for event in events {
        if let Progress::Log { vertex, stderr, data } = &event
            && let Some(Progress::Log { vertex: v, stderr: s, data: before }) = all.last_mut()
            && (v, s) == (&mut vertex.clone(), &mut stderr.clone())
        {
            before.extend_from_slice(data);
            continue;
        }
        all.push(event);
    }
    all
}

/// One short line an event.
fn told(events: &[Progress]) -> Vec<String> {
    let mut names = HashMap::new();
    let short = |name: &str| name.chars().take(44).collect::<String>();
    let line = |event: &Progress| match event {
        Progress::Vertex(v) => {
            names.insert(v.digest.clone(), short(&v.name));
            let phase = match v {
                v if !v.error.is_empty() => format!("FAILED {}", short(&v.error)),
                v if v.cached => "cached".to_owned(),
                v if v.completed.is_some() => "done".to_owned(),
                _ => "begins".to_owned(),
            };
            format!("{} | {phase}", short(&v.name))
        }
        Progress::Log { vertex, stderr, data } => {
            format!("{} | {} {:?}", names[vertex], if *stderr { "err" } else { "out" }, String::from_utf8_lossy(data))
        }
        Progress::Transfer { name, current, total, done, .. } => {
            format!("  {} {current}/{total}{}", short(name), if *done { " done" } else { "" })
        }
        Progress::Warning(w) => format!("warning {}: {}", w.location.as_ref().unwrap().line.unwrap(), w.message),
        Progress::Trailer(line) => format!("> {}", line.chars().take(100).collect::<String>()),
    };
    events.iter().map(line).collect()
}

#[test]
fn a_failing_build_is_told_as_it_was() {
    let events = told(&events(&[&fixture("run.rawjson")]));
    let layers: Vec<&str> =
        events.iter().map(String::as_str).filter(|l| !l.starts_with("[internal]") && !l.starts_with("  ")).collect();
    assert_eq!(
        layers,
        [
            "[1/3] FROM docker.io/library/busybox:latest@ | begins",
            "[1/3] FROM docker.io/library/busybox:latest@ | done",
            "[1/3] FROM docker.io/library/busybox:latest@ | cached",
            "[2/3] RUN echo fine | begins",
            "[2/3] RUN echo fine | out \"fine\\n\"",
            "[2/3] RUN echo fine | done",
            "[3/3] RUN echo \"compiling\"; echo \"src/main.c | begins",
            "[3/3] RUN echo \"compiling\"; echo \"src/main.c | err \"src/main.c:3:5: error: unknown type name 'foo'\\n\"",
            "[3/3] RUN echo \"compiling\"; echo \"src/main.c | out \"compiling\\n\"",
            "[3/3] RUN echo \"compiling\"; echo \"src/main.c | FAILED process \"/bin/sh -c echo \\\"compiling\\\"; echo",
            "> WARNING: No output specified with remote driver. Build result will only remain in the build cache. T",
            "> Dockerfile:3",
            "> --------------------",
            ">    1 |     FROM busybox:latest AS build",
            ">    2 |     RUN echo fine",
            ">    3 | >>> RUN echo \"compiling\"; echo \"src/main.c:3:5: error: unknown type name 'foo'\" >&2; exit 2",
            ">    4 |     ",
            "> --------------------",
            "> ERROR: failed to build: failed to solve: process \"/bin/sh -c echo \\\"compiling\\\"; echo \\\"src/main.c:3",
        ]
    );
}

#[test]
fn the_parts_of_a_linked_copy_are_one_step() {
    let events = events(&[&fixture("multi.rawjson")]);
    let mut digests: Vec<&str> = events
        .iter()
        .filter_map(|e| match e {
            Progress::Vertex(v) if v.name.contains("--link") => {
                assert!(!v.name.contains("LINK"), "{}", v.name);
                Some(v.digest.as_str())
            }
            _ => None,
        })
        .collect();
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[test]
fn warnings_are_decoded_and_placed() {
    let events = told(&events(&[&fixture("warn.rawjson")]));
    let warnings: Vec<&String> = events.iter().filter(|e| e.starts_with("warning")).collect();
    assert_eq!(warnings.len(), 5);
    assert_eq!(
        *warnings[0],
        "warning 3: MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 3)"
    );
}

#[test]
fn a_cache_that_is_not_there_is_told_with_the_reason() {
    let mut timeline = crate::buildx::progress::layers::Timeline::default();
    events(&[&fixture("cachefrom.rawjson")]).iter().for_each(|event| timeline.push(event));
    let caches = timeline.caches();
    assert_eq!((caches.len(), caches[0].name.as_str()), (1, "localhost:5000/none/none:cache"));
    assert!(caches[0].error.ends_with("localhost:5000/none/none:cache: not found"), "{caches:?}");
}

#[test]
fn steps_are_dated_from_the_first_of_their_build() {
    let mut timeline = crate::buildx::progress::layers::Timeline::default();
    events(&[&fixture("run.rawjson")]).iter().for_each(|event| timeline.push(event));
    let starts: Vec<f64> = timeline.layers().iter().map(|layer| layer.start.expect("a time")).collect();
    assert!(!starts.is_empty() && starts.iter().all(|start| (0.0..60.0).contains(start)), "{starts:?}");
    assert!(starts.is_sorted(), "{starts:?}");
}

#[rstest]
#[case("multi")]
#[case("cached")]
#[case("platforms")]
#[case("run")]
#[case("copy")]
#[case("parallel")]
fn both_formats_of_one_build_give_the_same_layers(#[case] name: &str) {
    let mut timeline = crate::buildx::progress::layers::Timeline::default();
    for event in events(&[&fixture(&format!("{name}.history.rawjson"))]) {
        timeline.push(&event);
    }
    let text = String::from_utf8(fixture(&format!("{name}.history.plain"))).unwrap();
    let (mut raw, mut plain) = (timeline.layers(), plain::parse_buildx_output(&text));
    // Plain numbers its steps in the order in which it comes to print them, which is not that of their beginnings.
    for layers in [&mut raw, &mut plain] {
        layers.sort_by_key(|l| (l.platform.clone(), l.stage.clone(), l.index, !l.cached));
        assert!(!layers.is_empty());
    }
    assert_eq!(raw.len(), plain.len(), "{raw:#?}\n{plain:#?}");
    for (r, p) in raw.into_iter().zip(plain) {
        // Plain rounds to tenths, and forgets goes of a step that were over before it could print them.
        assert!((r.seconds - p.seconds).abs() < 0.1, "{r:?} {p:?}");
        assert_eq!(r, Layer { seconds: r.seconds, start: r.start, ..p });
    }
}

fn log_line(vertex: &str, stream: u8, data: &[u8]) -> String {
    format!(
        "{{\"logs\":[{{\"vertex\":\"{vertex}\",\"stream\":{stream},\"data\":\"{}\"}}]}}\n",
        BASE64_STANDARD.encode(data)
    )
}

#[test]
fn long_output_comes_in_pieces_cut_at_line_ends() {
    let line = [&[b'x'; 99][..], b"\n"].concat();
    let output = line.repeat(3000);
    for messages in [vec![output.as_slice()], output.chunks(32 * 1024).collect(), output.chunks(7).collect()] {
        let stream: String = messages.iter().map(|m| log_line("v", 1, m)).collect();
        let pieces: Vec<Vec<u8>> = events(&[stream.as_bytes()])
            .into_iter()
            .map(|e| match e {
                Progress::Log { data, .. } => data,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(pieces.len() <= 7, "{}", pieces.len());
        assert!(pieces.iter().all(|p| p.len() <= MAX_LOG_PIECE && p.ends_with(b"\n")));
        assert_eq!(pieces.concat(), output);
    }
    let endless = events(&[log_line("v", 1, &vec![b'x'; 200_000]).as_bytes()]);
    assert!(endless.iter().all(|e| matches!(e, Progress::Log { data, .. } if data.len() <= MAX_LOG_PIECE)));
}

#[test]
fn streams_and_steps_are_not_mixed() {
    let stream =
        [log_line("a", 1, b"1"), log_line("a", 1, b"2"), log_line("a", 2, b"3"), log_line("b", 2, b"4")].concat();
    let seen: Vec<_> = events(&[stream.as_bytes()])
        .into_iter()
        .map(|e| match e {
            Progress::Log { vertex, stderr, data } => (vertex, stderr, String::from_utf8(data).unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        seen,
        [("a".into(), false, "12".into()), ("a".into(), true, "3".into()), ("b".into(), true, "4".into())]
    );
}

#[test]
fn output_is_told_before_the_end_that_came_with_it() {
    let line = br#"{"vertexes":[{"digest":"v","name":"[1/1] RUN x","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z"}],"logs":[{"vertex":"v","stream":1,"data":"aGk="}]}"#;
    assert_eq!(told(&events(&[line])), ["[1/1] RUN x | begins", "[1/1] RUN x | out \"hi\"", "[1/1] RUN x | done"]);
}

#[test]
fn a_transfer_is_told_once_a_second_and_when_done() {
    let status = |second: f64, current: i64, done: bool| {
        let time = format!("2026-01-01T00:00:{second:06.3}Z");
        let completed = if done { format!(",\"completed\":\"{time}\"") } else { String::new() };
        format!(
            "{{\"statuses\":[{{\"id\":\"sha256:ab\",\"vertex\":\"v\",\"current\":{current},\"total\":1000,\"timestamp\":\"{time}\"{completed}}}]}}\n"
        )
    };
    let mut stream: String = (0..250).map(|i| status(f64::from(i) / 100.0, i64::from(i), false)).collect();
    stream += &status(2.5, 1000, true);
    stream += &status(2.6, 1000, true);
    stream += &status(9.0, -1, false);
    assert_eq!(
        told(&events(&[stream.as_bytes()])),
        ["  sha256:ab 100/1000", "  sha256:ab 200/1000", "  sha256:ab 1000/1000 done"]
    );
}

#[rstest]
#[case::empty_status(b"{}\n", &[])]
#[case::blank_lines(b"\n  \n\r\n", &[])]
#[case::not_json(b"{ not json\n", &["> { not json"])]
#[case::another_object(b"{\"a\":1}\n", &["> {\"a\":1}"])]
#[case::wrong_type(b"{\"logs\":7}\n", &["> {\"logs\":7}"])]
#[case::an_array(b"[1]\n", &["> [1]"])]
#[case::null_lists(b"{\"logs\":null,\"vertexes\":[]}\n", &[])]
#[case::text(b"ERROR: no\n", &["> ERROR: no"])]
#[case::no_text(b"\xff\xfe\n", &["> \u{fffd}\u{fffd}"])]
#[case::invalid_utf8_in_a_name(
    b"{\"vertexes\":[{\"digest\":\"v\",\"name\":\"a\xffb\",\"started\":\"2026-01-01T00:00:00Z\"}]}",
    &["a\u{fffd}b | begins"]
)]
#[case::bad_times(
    b"{\"vertexes\":[{\"digest\":\"v\",\"name\":\"a\",\"started\":\"soon\",\"completed\":\"99999-01-01\"}]}",
    &["a | done"]
)]
fn odd_lines(#[case] line: &[u8], #[case] want: &[&str]) {
    assert_eq!(told(&events(&[line])), want);
}

#[test]
fn data_that_is_no_base64_is_shown_as_it_is() {
    let line = br#"{"logs":[{"vertex":"v","stream":1,"data":"!!"}]}"#;
    assert!(matches!(&events(&[line])[..], [Progress::Log { data, .. }] if data == b"!!"));
}

#[test]
fn memory_of_vertexes_is_bounded() {
    let vertex = |i: usize, more: &str| {
        format!(
            "{{\"vertexes\":[{{\"digest\":\"v{i}\",\"name\":\"n\",\"started\":\"2026-01-01T00:00:00Z\"{more}}}]}}\n"
        )
    };
    let count = MAX_VERTEXES + 500;
    let begins: String = (0..count).map(|i| vertex(i, "")).collect();
    let ends: String = (0..count).map(|i| vertex(i, ",\"completed\":\"2026-01-01T00:00:01Z\"")).collect();
    let mut parser = Parser::default();
    let mut told = 0;
    parser.push(begins.as_bytes(), &mut |_| told += 1);
    parser.push(ends.as_bytes(), &mut |_| told += 1);
    assert_eq!(parser.state.vertexes.len(), MAX_VERTEXES);
    assert_eq!(told, 2 * MAX_VERTEXES + 500, "what is not remembered is told when done");
}

#[test]
fn a_message_too_long_to_read_is_a_note() {
    let giant = [b"{\"logs\":[".as_slice(), &vec![b' '; super::super::MAX_LINE], b"]}\nERROR: x\n"].concat();
    let told = told(&events(&[&giant]));
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("too long to read"), "{told:?}");
    assert_eq!(told[1], "> ERROR: x");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_do_not_matter(cuts in prop::collection::vec(0usize..40_000, 0..60), which in 0usize..5) {
        let name = ["multi", "run", "platforms", "warn", "docker"][which];
        let bytes = fixture(&format!("{name}.rawjson"));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c % bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(joined(events(&chunks)), joined(events(&[&bytes])));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        events(&[&bytes]);
    }

    #[test]
    fn a_damaged_capture_is_survived(at in 0usize..30_000, with in prop::collection::vec(any::<u8>(), 1..8)) {
        let mut bytes = fixture("warn.rawjson");
        let at = at % bytes.len();
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        events(&[&bytes]);
    }
}
