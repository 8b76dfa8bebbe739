//! Every layer of real images is traced back to its line, and then again in images where something does not fit.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::plan::dockerfile::read;

#[derive(Deserialize)]
struct Entry {
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

fn fixture(name: &str) -> (Dockerfile, Vec<String>) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/culprit").join(name);
    let history: Vec<Entry> =
        serde_json::from_str(&std::fs::read_to_string(dir.join("history.json")).unwrap()).unwrap();
    let layers = history.into_iter().filter(|entry| !entry.empty_layer).map(|entry| entry.created_by).collect();
    (read(&std::fs::read_to_string(dir.join("Dockerfile")).unwrap()), layers)
}

fn told(dockerfile: &Dockerfile, layers: &[String], target: Option<&str>) -> String {
    let mut out = String::new();
    for (at, created_by) in layers.iter().enumerate() {
        let layer = LayerAt { above: layers.len() - at - 1, created_by };
        let made = dockerfile.made(layer, target, &BTreeMap::new(), "linux/amd64");
        let made = match made {
            None => "?".to_owned(),
            Some(Made::Base { image, .. }) => format!("base {image}"),
            Some(Made::Instruction { stage, instruction: i }) => {
                format!("{}-{} stage {stage} {} {}", i.line, i.end_line, i.keyword.as_str(), collapse(&i.arguments))
            }
        };
        out.push_str(&format!("{} => {made}\n", collapse(created_by)));
    }
    out
}

fn trace(name: &str, target: Option<&str>) -> String {
    let (dockerfile, layers) = fixture(name);
    assert!(dockerfile.certain, "{name}");
    told(&dockerfile, &layers, target)
}

#[test]
fn lines_of_args() {
    insta::assert_snapshot!(trace("args", None), @r#"
    COPY amd64/ / # buildkit => base busybox
    RUN |1 A=1 /bin/sh -c echo $A > /a # buildkit => 3-3 stage 0 RUN echo $A > /a
    RUN |3 A=1 B=B_given C= /bin/sh -c echo $A $B $C > /b # buildkit => 5-5 stage 0 RUN echo $A $B $C > /b
    RUN |3 A=1 B=B_given C= /bin/sh -c echo $D > /d # buildkit => 7-7 stage 0 RUN echo $D > /d
    RUN |3 A=override B=B_given C= /bin/sh -c echo $A > /e # buildkit => 9-9 stage 0 RUN echo $A > /e
    RUN |5 A=override B=B_given C= UNUSED=/bin/sh SOURCE_DATE_EPOCH= /bin/sh -c echo $SOURCE_DATE_EPOCH > /f # buildkit => 12-12 stage 0 RUN echo $SOURCE_DATE_EPOCH > /f
    RUN |6 A=override B=B_given C= UNUSED=/bin/sh SOURCE_DATE_EPOCH= TARGETARCH=amd64 /bin/sh -c echo json $A > /g # buildkit => 14-14 stage 0 RUN ["/bin/sh", "-c", "echo json $A > /g"]
    RUN |6 A=override B=B_given C= UNUSED=/bin/sh SOURCE_DATE_EPOCH= TARGETARCH=amd64 /bin/sh -c echo m > /h # buildkit => 15-15 stage 0 RUN --mount=type=cache,target=/c --network=none echo m > /h
    RUN |6 A=override B=B_given C= UNUSED=/bin/sh SOURCE_DATE_EPOCH= TARGETARCH=amd64 /bin/sh -c echo mounted > /i # buildkit => 16-17 stage 0 RUN --mount=type=bind,from=busybox,target=/m --mount=type=tmpfs,target=/t echo mounted > /i
    COPY a.txt /override/B_given/ # buildkit => 18-18 stage 0 COPY a.txt /$A/${B}/
    WORKDIR /w/override => 19-19 stage 0 WORKDIR /w/$A
    WORKDIR /w/override/sub => 20-20 stage 0 WORKDIR sub
    "#);
}

#[test]
fn lines_of_chained() {
    insta::assert_snapshot!(trace("chained", Some("last")), @r"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c echo one > /one # buildkit => 2-2 stage 0 RUN echo one > /one
    COPY a.txt / # buildkit => 6-6 stage 1 COPY a.txt /
    RUN /bin/sh -c echo two > /two # buildkit => 7-7 stage 1 RUN echo two > /two
    RUN /bin/sh -c echo three > /three # buildkit => 13-13 stage 3 RUN echo three > /three
    COPY /other / # buildkit => 14-14 stage 3 COPY --from=other /other /
    ");
}

#[test]
fn lines_of_copy() {
    insta::assert_snapshot!(trace("copy", None), @r#"
    COPY /x /x # buildkit => 4-4 stage 1 COPY --from=0 /x /x
    COPY /x /y # buildkit => 5-7 stage 1 COPY --from=first /x /y
    ADD a.txt b.txt /add/ # buildkit => 8-8 stage 1 ADD a.txt b.txt /add/
    COPY a.txt b.txt /json dir/ # buildkit => 9-9 stage 1 COPY ["a.txt", "b.txt", "/json dir/"]
    COPY a.txt /lower # buildkit => 10-10 stage 1 COPY a.txt /lower
    COPY *.txt /glob/ # buildkit => 11-11 stage 1 COPY *.txt /glob/
    COPY . /all/ # buildkit => 12-12 stage 1 COPY . /all/
    "#);
}

#[test]
fn lines_of_escape() {
    insta::assert_snapshot!(trace("escape", None), @r#"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c echo one && echo two > /two # buildkit => 3-4 stage 0 RUN echo one && echo two > /two
    RUN |1 X=a /bin/sh -c b /bin/ash -o pipefail -c echo $X | tee /x # buildkit => 9-10 stage 0 RUN echo $X | tee /x
    RUN |1 X=a /bin/sh -c b /bin/ash -o pipefail -c echo "C:\dir" > /y # buildkit => 11-11 stage 0 RUN echo "C:\dir" > /y
    "#);
}

#[test]
fn lines_of_heredoc() {
    insta::assert_snapshot!(trace("heredoc", None), @r#"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c set -e date > /one RUN=not-an-instruction # buildkit => 2-6 stage 0 RUN <<EOF
    RUN /bin/sh -c <<-"END" cat > /two line of $HOME END # buildkit => 7-9 stage 0 RUN <<-"END" cat > /two
    COPY <<one.txt <<two.txt /texts/ # buildkit => 10-14 stage 0 COPY <<one.txt <<two.txt /texts/
    RUN /bin/sh -c <<A cat > /x && cat <<B > /y a A b B # buildkit => 15-19 stage 0 RUN <<A cat > /x && cat <<B > /y
    RUN /bin/sh -c <<EOF sh #!/bin/sh echo x > /x2 EOF # buildkit => 20-23 stage 0 RUN <<EOF sh
    RUN /bin/sh -c cat <<EOF > /z #!/bin/sh echo x EOF # buildkit => 24-27 stage 0 RUN cat <<EOF > /z
    RUN /bin/sh -c /dev/pipes/EOF # buildkit => 28-31 stage 0 RUN <<EOF
    COPY --chmod=600 <<FILE /secret.conf # buildkit => 32-34 stage 0 COPY --chmod=600 <<"FILE" /secret.conf
    RUN /bin/sh -c echo last > /last # buildkit => 35-35 stage 0 RUN echo last > /last
    "#);
}

#[test]
fn lines_of_link() {
    insta::assert_snapshot!(trace("link", None), @r#"
    COPY amd64/ / # buildkit => base busybox
    COPY a.txt /one/ # buildkit => 4-4 stage 1 COPY --link a.txt /one/
    COPY --chmod=755 /x /two/ # buildkit => 5-5 stage 1 COPY --link --chmod=755 --from=build /x /two/
    RUN /bin/sh -c echo y > /y # buildkit => 6-6 stage 1 RUN echo y > /y
    COPY b.txt /three/ # buildkit => 7-7 stage 1 COPY --link ["b.txt", "/three/"]
    ADD --chown=5:5 a.txt /four/ # buildkit => 8-8 stage 1 ADD --link --chown=5:5 a.txt /four/
    "#);
}

#[test]
fn lines_of_lower() {
    insta::assert_snapshot!(trace("lower", None), @r"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c echo several spaces > /s # buildkit => 5-5 stage 1 RUN echo several spaces > /s
    ADD a.txt /x/ # buildkit => 7-7 stage 1 ADD a.txt /x/
    COPY /b /b # buildkit => 8-8 stage 1 COPY --from=build /b /b
    ");
}

#[test]
fn lines_of_multi() {
    insta::assert_snapshot!(trace("multi", None), @r#"
    COPY amd64/ / # buildkit => base busybox
    RUN |1 VERSION=1.2.3 /bin/sh -c echo "$VERSION" > /version # buildkit => 16-16 stage 2 RUN echo "$VERSION" > /version
    COPY /src/out /out # buildkit => 17-17 stage 2 COPY --from=build /src/out /out
    COPY --chown=1:1 /tool /usr/bin/ # buildkit => 18-18 stage 2 COPY --from=tools --chown=1:1 /tool /usr/bin/
    COPY /bin/true /bin/true2 # buildkit => 19-19 stage 2 COPY --from=busybox /bin/true /bin/true2
    "#);
}

#[test]
fn lines_of_onbuild() {
    insta::assert_snapshot!(trace("onbuild", None), @r"
    COPY amd64/ / # buildkit => base localhost:5000/cul/onbuild-base
    RUN /bin/sh -c echo base > /base # buildkit => base localhost:5000/cul/onbuild-base
    COPY a.txt /onbuild/ # buildkit => base localhost:5000/cul/onbuild-base
    RUN |1 ONB=1 /bin/sh -c date > /onbuild/date # buildkit => base localhost:5000/cul/onbuild-base
    RUN |1 ONB=1 /bin/sh -c echo mine > /mine # buildkit => 2-2 stage 0 RUN echo mine > /mine
    COPY b.txt / # buildkit => 3-3 stage 0 COPY b.txt /
    ");
}

#[test]
fn lines_of_onbuild_base() {
    insta::assert_snapshot!(trace("onbuild-base", None), @r"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c echo base > /base # buildkit => 2-2 stage 0 RUN echo base > /base
    ");
}

#[test]
fn lines_of_onbuild_inner() {
    insta::assert_snapshot!(trace("onbuild-inner", None), @r"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c echo base > /base # buildkit => 3-3 stage 0 RUN echo base > /base
    RUN /bin/sh -c date > /triggered # buildkit => 2-2 stage 0 RUN date > /triggered
    COPY a.txt /triggered.txt # buildkit => 4-4 stage 0 COPY a.txt /triggered.txt
    RUN /bin/sh -c echo middle > /middle # buildkit => 7-7 stage 1 RUN echo middle > /middle
    RUN /bin/sh -c echo last > /last # buildkit => 10-10 stage 2 RUN echo last > /last
    ");
}

#[test]
fn lines_of_plain() {
    insta::assert_snapshot!(trace("plain", None), @r"
    COPY amd64/ / # buildkit => base busybox
    RUN |1 VERSION=1 /bin/sh -c date > /built # buildkit => 7-7 stage 0 RUN date > /built
    WORKDIR /app => 8-8 stage 0 WORKDIR /app
    COPY a.txt b.txt ./ # buildkit => 9-9 stage 0 COPY a.txt b.txt ./
    RUN |1 VERSION=1 /bin/sh -ec date > /tmp/again # buildkit => 16-16 stage 0 RUN date > /tmp/again
    ");
}

#[test]
fn lines_of_platforms() {
    insta::assert_snapshot!(trace("platforms", None), @r"
    COPY /arch /arch # buildkit => 6-6 stage 1 COPY --from=build /arch /arch
    COPY a.txt / # buildkit => 7-7 stage 1 COPY a.txt /
    ");
}

#[test]
fn lines_of_repeated() {
    insta::assert_snapshot!(trace("repeated", None), @r"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c date > /same # buildkit => 2-2 stage 0 RUN date > /same
    COPY a.txt / # buildkit => 3-3 stage 0 COPY a.txt /
    RUN /bin/sh -c date > /same # buildkit => 4-4 stage 0 RUN date > /same
    COPY a.txt / # buildkit => 5-5 stage 0 COPY a.txt /
    RUN /bin/sh -c date > /same # buildkit => 6-6 stage 0 RUN date > /same
    ");
}

#[test]
fn lines_of_stages_by_arg() {
    insta::assert_snapshot!(trace("stages-by-arg", None), @r"
    COPY amd64/ / # buildkit => base busybox
    RUN /bin/sh -c echo two > /two # buildkit => 5-5 stage 1 RUN echo two > /two
    RUN /bin/sh -c echo end > /end # buildkit => 7-7 stage 2 RUN echo end > /end
    RUN /bin/sh -c echo final > /final # buildkit => 9-9 stage 3 RUN echo final > /final
    COPY /two / # buildkit => 10-10 stage 3 COPY --from=two /two /
    ");
}

#[test]
fn lines_of_workdir() {
    insta::assert_snapshot!(trace("workdir", None), @r"
    COPY amd64/ / # buildkit => base busybox
    WORKDIR /new/dir => 2-2 stage 0 WORKDIR /new/dir
    WORKDIR /new/dir => 3-3 stage 0 WORKDIR /new/dir
    WORKDIR /tmp => 4-4 stage 0 WORKDIR /tmp
    RUN /bin/sh -c echo a > a # buildkit => 5-5 stage 0 RUN echo a > a
    WORKDIR /tmp/sub => 6-6 stage 0 WORKDIR sub
    RUN /bin/sh -c true # buildkit => 7-7 stage 0 RUN true
    RUN /bin/sh -c echo b > b # buildkit => 8-8 stage 0 RUN echo b > b
    ");
}

const FIXTURES: [&str; 16] = [
    "args",
    "chained",
    "copy",
    "escape",
    "heredoc",
    "link",
    "lower",
    "multi",
    "onbuild",
    "onbuild-base",
    "onbuild-inner",
    "plain",
    "platforms",
    "repeated",
    "stages-by-arg",
    "workdir",
];

/// Lines of every layer, as far as they are known.
fn lines(dockerfile: &Dockerfile, layers: &[String], target: Option<&str>) -> Vec<Option<u32>> {
    let at = |at: usize| LayerAt { above: layers.len() - at - 1, created_by: &layers[at] };
    let made = (0..layers.len()).map(|i| dockerfile.made(at(i), target, &BTreeMap::new(), ""));
    made.map(|made| match made {
        Some(Made::Instruction { instruction, .. }) => Some(instruction.line),
        _ => None,
    })
    .collect()
}

#[test]
fn an_image_with_a_layer_too_much_gets_no_wrong_line() {
    let mut kept = 0;
    // Where the same instruction stands twice, no one could tell the layers apart.
    for name in FIXTURES.into_iter().filter(|name| !matches!(*name, "repeated" | "workdir")) {
        let target = (name == "chained").then_some("last");
        let (dockerfile, layers) = fixture(name);
        let right = lines(&dockerfile, &layers, target);
        for extra in ["RUN /bin/sh -c surprise # buildkit", "COPY surprise / # buildkit", ""] {
            let more: Vec<_> = layers.iter().cloned().chain([extra.to_owned()]).collect();
            for (got, right) in lines(&dockerfile, &more, target).iter().zip(&right) {
                assert!(got.is_none() || got == right, "{name}: {got:?} for {right:?}");
                kept += usize::from(got.is_some());
            }
        }
    }
    assert!(kept > 60, "a RUN that stands there once is found all the same: {kept}");
}

#[test]
fn the_dockerfile_of_another_image_says_nothing() {
    for name in FIXTURES {
        let (dockerfile, _) = fixture(name);
        for other in FIXTURES.into_iter().filter(|other| *other != name) {
            let (_, layers) = fixture(other);
            for (at, created_by) in layers.iter().enumerate() {
                let layer = LayerAt { above: layers.len() - at - 1, created_by };
                let made = dockerfile.made(layer, None, &BTreeMap::new(), "");
                let Some(Made::Instruction { instruction, .. }) = made else { continue };
                // Equal instructions at the same place may pass for one another.
                let agreement = dockerfile.agreement(&instruction, created_by);
                assert!(agreement > Agreement::No, "{name} for {other}: {instruction:?} for {created_by}");
            }
        }
    }
}

#[test]
fn a_base_that_the_platform_names() {
    let dockerfile = read("FROM busybox AS base-arm64\nRUN echo arm\nFROM base-${TARGETARCH}\nRUN echo last\n");
    let made =
        |platform, above, created_by| dockerfile.made(LayerAt { above, created_by }, None, &BTreeMap::new(), platform);
    let line = |made| match made {
        Some(Made::Instruction { instruction, .. }) => Some(instruction.line),
        _ => None,
    };
    assert_eq!(line(made("linux/arm64", 1, "RUN /bin/sh -c echo arm # buildkit")), Some(2));
    assert_eq!(line(made("linux/arm64", 0, "RUN /bin/sh -c echo last # buildkit")), Some(4));
    assert_eq!(made("", 1, "RUN /bin/sh -c echo arm # buildkit"), None, "nobody knows the base");
    assert_eq!(line(made("", 0, "RUN /bin/sh -c echo last # buildkit")), Some(4));
    let base = made("linux/amd64", 1, "RUN /bin/sh -c echo arm # buildkit");
    assert_eq!(base, Some(Made::Base { stage: 1, image: "base-amd64".into() }));
}

#[test]
fn a_workdir_that_may_be_the_root_makes_repeated_lines_uncertain() {
    let dockerfile = read("FROM scratch\nCOPY a /\nCOPY a /\nWORKDIR $X\n");
    let layer = LayerAt { above: 1, created_by: "COPY a / # buildkit" };
    assert_eq!(dockerfile.made(layer, None, &BTreeMap::new(), ""), None);
}

proptest! {
    #[test]
    fn nothing_panics(text in "(FROM|RUN|COPY|WORKDIR|ONBUILD RUN|[ -~\n<$\\\\]{0,9}|\n){0,30}", note in "(RUN|COPY|\\|1 )?[ -~]{0,30}", above in 0usize..9) {
        let dockerfile = read(&text);
        let lines = u32::try_from(text.lines().count()).unwrap();
        for instruction in dockerfile.stages.iter().flat_map(|stage| &stage.instructions) {
            prop_assert!(instruction.line <= instruction.end_line && instruction.end_line <= lines);
        }
        let _ = dockerfile.made(LayerAt { above, created_by: &note }, None, &BTreeMap::new(), "linux/arm/v7");
    }
}
