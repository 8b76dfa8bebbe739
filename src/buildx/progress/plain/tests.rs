//! Plain text as buildx prints it, and what a hostile build may print.

use proptest::prelude::*;

use super::*;
use crate::buildx::progress::rawjson::tests::{fixture, joined};

fn events(text: &str) -> Vec<Progress> {
    let mut all = Vec::new();
    let mut parser = Parser::default();
    parser.push(text.as_bytes(), &mut |p| all.push(p));
    parser.finish(&mut |p| all.push(p));
    all
}

/// `stage M/N INSTRUCTION detail [cached|seconds]`.
fn layers(text: &str) -> Vec<String> {
    let line = |l: Layer| {
        let platform = l.platform.map(|p| format!("{p} ")).unwrap_or_default();
        let took = if l.cached { "cached".to_owned() } else { format!("{:.1}", l.seconds) };
        format!("{platform}{} {}/{} {} {} [{took}]", l.stage, l.index, l.total, l.instruction, l.detail)
    };
    parse_buildx_output(text).into_iter().map(line).collect()
}

#[test]
fn finished_layers_in_order() {
    let text = r#"#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 97B done
#1 DONE 0.0s

#2 [auth] library/golang:pull token for example
#2 DONE 0.0s

#4 [build 1/4] FROM docker.io/library/golang:1.22@sha256:0123
#4 sha256:0123 1.05MB / 2.30MB 0.1s
#4 ...

#5 [internal] load build context
#5 DONE 0.1s

#4 [build 1/4] FROM docker.io/library/golang:1.22@sha256:0123
#4 extracting sha256:0123 1.1s done
#4 DONE 12.3s

#6 [build 2/4] WORKDIR /src
#6 CACHED

#7 [build 3/4] COPY --link . .
#7 DONE 0.2s

#8 [build 4/4] RUN go build -ldflags "-s -w -X main.version=1.2.3 -X main.commit=0123456789" ./...
#8 0.512 # app
#8 0.530 DONE 9.9s
#8 0.531 CACHED
#8 ... (resume)
#8 [build 4/4] RUN go build -ldflags "-s -w -X main.version=1.2.3 -X main.commit=0123456789" ./... (resume)
#8 DONE 61.0s

#9 [stage-1 2/2] COPY --from=build /out /app
#9 DONE 0.1s

#10 exporting to image
#10 exporting layers 0.1s done
#10 DONE 0.2s
"#;
    assert_eq!(
        layers(text),
        [
            "build 1/4 FROM docker.io/library/golang:1.22 [12.3]",
            "build 2/4 WORKDIR /src [cached]",
            "build 3/4 COPY --link . . [0.2]",
            "build 4/4 RUN go build -ldflags \"-s -w -X main.version=1.2.3 -X main.comm… [61.0]",
            "stage-1 2/2 COPY --from=build /out /app [0.1]",
        ]
    );
    let base = parse_buildx_output(text).swap_remove(0).base_image;
    assert_eq!(base.as_deref(), Some("docker.io/library/golang:1.22@sha256:0123"));
}

#[test]
fn unfinished_failed_and_cancelled_steps_are_no_layers() {
    let text = "#5 [2/4] RUN a\n#5 ERROR: process \"x\" did not complete successfully: exit code: 1\n\
                #6 [3/4] RUN b\n#6 CANCELED\n#7 [4/4] RUN c\n#7 0.1 still running\n#8 [1/4] FROM x:1\n#8 DONE 1.0s\n";
    assert_eq!(layers(text), [" 1/4 FROM x:1 [1.0]"]);
}

#[test]
fn two_platforms() {
    let text = String::from_utf8(fixture("platforms.plain")).unwrap();
    let got = layers(&text);
    assert_eq!(
        got[..2],
        [
            "linux/amd64 base 1/1 FROM docker.io/library/busybox:latest [cached]",
            "linux/arm64 base 1/1 FROM docker.io/library/busybox:latest [cached]",
        ]
    );
    assert_eq!(events(&text).iter().filter(|e| matches!(e, Progress::Warning(_))).count(), 5);
}

#[test]
fn cached_steps_of_a_stage_stand_in_dockerfile_order() {
    let text = String::from_utf8(fixture("cached.history.plain")).unwrap();
    let build: Vec<String> = layers(&text).into_iter().filter(|l| l.starts_with("build ")).collect();
    let order: Vec<&str> = build.iter().map(|l| &l[..9]).collect();
    assert_eq!(order, ["build 1/4", "build 2/4", "build 3/4", "build 4/4"]);
}

#[test]
fn output_cannot_pretend_to_be_progress() {
    let all = events("#5 [2/2] RUN x\n#5 0.1 #5 DONE 0.0s\n#5 0.2 ERROR: no\n#5 DONE 1.5s\n");
    let ends = all.iter().filter(|e| matches!(e, Progress::Vertex(v) if v.completed.is_some())).count();
    assert_eq!(ends, 1);
    let logs: Vec<u8> = all
        .iter()
        .filter_map(|e| if let Progress::Log { data, .. } = e { Some(data.clone()) } else { None })
        .flatten()
        .collect();
    assert_eq!(String::from_utf8(logs).unwrap(), "#5 DONE 0.0s\nERROR: no\n");
}

#[test]
fn transfers_are_told_when_done() {
    let all = events(
        "#5 [1/2] FROM x\n#5 sha256:ab 1.05MB / 2.30MB 0.1s\n#5 sha256:ab 2.30MB / 2.30MB 0.3s done\n#5 transferring context: 30B done\n#5 exporting layers 0.1s done\n",
    );
    let transfers: Vec<_> = all
        .into_iter()
        .filter_map(|e| match e {
            Progress::Transfer { name, current, total, done: true, .. } => Some((name, current, total)),
            _ => None,
        })
        .collect();
    assert_eq!(
        transfers,
        [
            ("sha256:ab".into(), 2_300_000, 2_300_000),
            ("transferring context:".into(), 30, 0),
            ("exporting layers".into(), 0, 0),
        ]
    );
}

proptest! {
    #[test]
    fn chunks_do_not_matter(cut in 0usize..2000, cut2 in 0usize..2000) {
        let bytes = fixture("run.plain");
        let mut cuts = [0, cut % bytes.len(), cut2 % bytes.len(), bytes.len()];
        cuts.sort_unstable();
        let mut all = Vec::new();
        let mut parser = Parser::default();
        for w in cuts.windows(2) {
            parser.push(&bytes[w[0]..w[1]], &mut |p| all.push(p));
        }
        parser.finish(&mut |p| all.push(p));
        prop_assert_eq!(joined(all), joined(events(std::str::from_utf8(&bytes).unwrap())));
    }

    #[test]
    fn any_text_is_survived(lines in prop::collection::vec("(#[0-9]{1,12} )?(\\[[a-z/ 0-9]{0,12}\\] |DONE |ERROR: |[0-9]{1,4}\\.[0-9]{1,9} )?[^\n]{0,40}", 0..40)) {
        for layer in parse_buildx_output(&lines.join("\n")) {
            prop_assert!(layer.detail.chars().count() <= 60);
            prop_assert!(layer.seconds >= 0.0);
        }
    }
}
