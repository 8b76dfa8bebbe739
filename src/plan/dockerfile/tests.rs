use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn names(args: &[Arg]) -> Vec<&str> {
    args.iter().map(|a| a.name.as_str()).collect()
}

fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

const SERVICE: &str = r#"# syntax=docker/dockerfile:1
ARG GO=1.24
ARG BASE="alpine:3.20" MIRROR
FROM --platform=$BUILDPLATFORM golang:${GO}-alpine AS Build
ARG VERSION
ARG COMMIT=unknown \
    BUILD_DATE
RUN --mount=type=bind,from=ghcr.io/acme/tools:1,target=/t go build
FROM node:22 AS unused
FROM ${BASE}
ONBUILD RUN echo hi
COPY --from=build /app /app
COPY --from=busybox:1 /bin/sh /bin/sh
"#;

#[test]
fn stages_args_and_bases_are_known() {
    let file = read(SERVICE);
    assert!(file.certain);
    assert_eq!(names(&file.global_args), ["GO", "BASE", "MIRROR"]);
    assert_eq!(file.global_args[1].default.as_deref(), Some("alpine:3.20"));
    assert_eq!(names(&file.stages[0].args), ["VERSION", "COMMIT", "BUILD_DATE"]);
    assert_eq!((file.stages[0].line, file.stages[0].platform.as_deref()), (4, Some("$BUILDPLATFORM")));
    assert_eq!(file.stages[2].onbuild, [11]);
    assert!(file.declares("VERSION") && !file.declares("version") && !file.declares("VERSIO"));
    assert_eq!(file.stage(None), Some(2));
    assert_eq!(file.stage(Some("BUILD")), Some(0));
    assert_eq!((file.stage(Some("1")), file.stage(Some("3")), file.stage(Some("x"))), (Some(1), None, None));
    assert_eq!(
        file.base_images(None, &BTreeMap::new()),
        ["golang:1.24-alpine", "ghcr.io/acme/tools:1", "alpine:3.20", "busybox:1"],
        "the stage nobody uses is not pulled"
    );
    assert_eq!(
        file.base_images(Some("build"), &args(&[("GO", "1.25")])),
        ["golang:1.25-alpine", "ghcr.io/acme/tools:1"]
    );
}

#[rstest]
#[case("FROM scratch", &[])]
#[case("FROM $MISSING", &[])]
#[case("ARG V\nFROM app:$V", &[])]
#[case("ARG V\nFROM app:${V:-9}", &["app:9"])]
#[case("ARG V=\nFROM app:${V:-9}", &["app:9"])]
#[case("ARG V=\nFROM app${V-9}", &["app"])]
#[case("ARG V=2\nFROM app:${V:+7}", &["app:7"])]
#[case("ARG V=2\nARG W=$V.1\nFROM app:${W}", &["app:2.1"])]
#[case("ARG V=2\nFROM app:${V#1}", &[])]
#[case("ARG V=2\nFROM app:${V", &[])]
#[case("FROM a AS b\nFROM b AS b\nFROM b", &["a"])]
#[case("FROM \"alpine\" AS b", &["alpine"])]
fn base_images_are_named_only_when_certain(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(read(text).base_images(None, &BTreeMap::new()), expected);
}

#[rstest]
#[case("FROM a\nRUN <<EOF\nFROM evil\nARG NO\nEOF\nARG YES\n", 1)]
#[case("FROM a\nRUN <<EOF > /log\nARG NO\nEOF\nARG YES\n", 1)]
#[case("FROM a\nRUN <<-\"EOF\" cat\n\tARG NO\n\tEOF\nARG YES\n", 1)]
#[case("FROM a\nRUN <<A <<B\nARG NO\nA\nARG NO\nB\nARG YES\n", 2)]
#[case("FROM a\nRUN echo 1 && \\\n # note\n\n cat <<EOF\nARG NO\nEOF\nARG YES\n", 1)]
#[case("FROM a\nCOPY <<EOF /x\nARG NO\nEOF\nARG YES\n", 1)]
#[case("FROM a\r\nRUN <<EOF\r\nARG NO\r\nEOF\r\nARG YES\r\n", 1)]
#[case("FROM a\nONBUILD RUN <<EOF\nARG NO\nEOF\nARG YES\n", 1)]
#[case("# escape=`\nFROM a\nRUN echo `\n <<EOF\nARG NO\nEOF\nARG YES\n", 1)]
#[case("FROM a\nRUN echo '<<EOF'\nARG YES\n", 0)]
#[case("FROM a\nRUN cat <<<EOF\nARG YES\n", 0)]
#[case("FROM a\nRUN echo $((1<<2))\nARG YES\n", 0)]
#[case("FROM a\nRUN echo 1 <<EOF\nARG YES\n", 0)]
#[case("\u{feff}FROM a\nENV A=<<EOF\nARG YES\n", 0)]
fn heredoc_bodies_are_no_instructions(#[case] text: &str, #[case] documents: usize) {
    let file = read(text);
    assert!(file.certain, "{file:?}");
    assert_eq!(names(&file.stages[0].args), ["YES"], "{file:?}");
    assert_eq!(file.heredocs.len(), documents);
    let line = text.lines().position(|l| l == "ARG YES").unwrap() + 1;
    assert_eq!(file.stages[0].args[0].line as usize, line, "places survive the blanking");
    assert!(file.heredocs.iter().all(|h| h.body.contains("ARG NO")));
}

#[rstest]
#[case::empty("", &[])]
#[case::no_stage("ARG A\n", &["A"])]
#[case::unknown_instruction("ARG A=1\nFROM a\nFOO bar\narg VERSION\n", &["A", "VERSION"])]
#[case::not_a_dockerfile("{\"json\": true}", &[])]
fn what_cannot_be_read_is_less_knowledge_not_an_error(#[case] text: &str, #[case] declared: &[&str]) {
    let file = read(text);
    assert!(!file.certain);
    assert_eq!(names(&file.global_args), declared);
    assert_eq!((file.stage(None), file.stage(Some("x"))), (None, None));
}

#[test]
fn a_huge_file_is_not_looked_into() {
    assert_eq!(read(&"RUN x\n".repeat(300_000)), Dockerfile::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_panics(text in "((FROM|RUN|COPY|ARG|ADD|ONBUILD|ENV|LABEL|HEALTHCHECK|#)?[ \t]?(\\[\"|<<-?|EOF|\\$\\{A|:-|\\\\|`|'|\"|=|--from=|a|é|,|\\]){0,8}(\r?\n)){0,8}") {
        let file = read(&text);
        let _ = file.base_images(None, &BTreeMap::new());
        let (blanked, _) = heredoc::blank(&text);
        prop_assert_eq!(blanked.len(), text.len());
        prop_assert_eq!(blanked.lines().count(), text.lines().count());
    }
}
