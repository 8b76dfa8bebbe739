//! Every reader against real output of its tool (`tests/fixtures/errors/*.txt`, the log of a failing step), and whole
//! failed builds as buildx told them (`tests/fixtures/progress`). What a person gets is pinned in `snapshots/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::buildx::progress::clean::clean;
use crate::buildx::progress::layers::tests::timeline;

/// A step that ended with `exit code: 1` and this log.
fn evidence(log: &str) -> Evidence {
    Evidence {
        step: "[build 3/4] RUN build".into(),
        error: "process \"/bin/sh -c build\" did not complete successfully: exit code: 1".into(),
        log: log.lines().map(|l| clean(l.as_bytes())).collect(),
        trailer: [
            "Dockerfile:3",
            "--------------------",
            "   3 | >>> RUN build",
            "--------------------",
            "ERROR: failed to build: failed to solve: process \"/bin/sh -c build\" did not complete successfully: exit code: 1",
        ]
        .map(String::from)
        .to_vec(),
        overall: Vec::new(),
    }
}

fn place(location: Option<&Location>) -> String {
    let Some(at) = location else { return "-".to_owned() };
    let number = |n: Option<u32>| n.map(|n| format!(":{n}")).unwrap_or_default();
    format!("{}{}{}", at.file, number(at.line), number(at.column))
}

fn drawn(failure: &BuildFailure) -> String {
    let mut out = format!("{} @ {}\n", failure.summary, place(failure.dockerfile.as_ref()));
    for e in &failure.errors {
        let _ = writeln!(out, "* {} | {} | {}", e.tool, place(e.location.as_ref()), e.message);
    }
    let _ = writeln!(out, "hint: {}", cure(failure).unwrap_or_else(|| "-".into()));
    out
}

fn fixtures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/errors");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_tool_is_understood() {
    let mut out = String::new();
    for file in fixtures() {
        let failure = explain(&evidence(&std::fs::read_to_string(&file).unwrap()));
        assert!(!failure.tail.is_empty(), "{}", file.display());
        assert!(!failure.errors.is_empty(), "{}", file.display());
        assert!(failure.errors.len() <= MAX_ERRORS, "{}", file.display());
        let _ = writeln!(out, "== {}\n{}", file.file_name().unwrap().to_string_lossy(), drawn(&failure));
    }
    insta::assert_snapshot!("tools", out);
}

#[test]
fn every_kind_of_failed_build_is_understood() {
    let mut out = String::new();
    for name in [
        "run", "copy", "syntax", "base", "fromcopy", "stage", "missing", "empty", "notfound", "perm", "exec", "noexec",
        "oom", "parallel",
    ] {
        let failure = explain(&timeline(&format!("{name}.rawjson")).evidence());
        assert!(!failure.tail.is_empty(), "{name}");
        let tail = failure.tail.join("\n  | ");
        let _ = writeln!(out, "== {name}\n{}  | {tail}\n", drawn(&failure));
    }
    insta::assert_snapshot!("builds", out);
}

#[rstest]
#[case("dockerfile parse error line 2: unknown instruction: RUNN", "Dockerfile:2", "unknown instruction: RUNN")]
#[case(
    "failed to solve: rpc error: code = Unknown desc = failed to solve with frontend dockerfile.v0: failed to create LLB definition: target stage \"x\" could not be found",
    "-",
    "the Dockerfile has no stage `x`"
)]
#[case(
    "failed to solve: reg.example/a:1: failed to resolve source metadata for reg.example/a:1: failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
    "-",
    "image `reg.example/a:1` may not be pulled with the credentials given"
)]
#[case(
    "failed to build: failed to solve: failed to push reg.example/a: push access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
    "-",
    "the registry does not let this job push to reg.example/a"
)]
#[case(
    "failed to build: failed to solve: failed to push localhost:1/a: failed to do request: Head \"http://localhost:1/v2/a/blobs/x\": dial tcp [::1]:1: connect: connection refused",
    "-",
    "the builder cannot reach the registry of localhost:1/a"
)]
#[case(
    "failed to build: failed to solve: failed to push reg.corp/a: failed to do request: Head \"https://reg.corp/v2/a/blobs/x\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "-",
    "the builder does not trust the certificate of the registry reg.corp"
)]
#[case(
    "failed to build: failed to solve: busybox: failed to resolve source metadata for docker.io/library/busybox: failed to do request: Head \"https://registry/v2/x\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "-",
    "the builder does not trust the certificate of the registry docker.io"
)]
#[case(
    "failed to build: failed to solve: failed to push reg.corp:5000/a: failed to do request: Head \"https://reg.corp:5000/v2/a/blobs/x\": http: server gave HTTP response to HTTPS client",
    "-",
    "the registry reg.corp:5000 speaks plain http, and the builder expects TLS"
)]
#[case(
    "failed to build: failed to solve: failed to push 127.0.0.1:1/a: failed to do request: Head \"http://127.0.0.1:1/v2/a/blobs/x\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"\\x15\\x03\"",
    "-",
    "the registry 127.0.0.1:1 speaks TLS, and the builder expects plain http"
)]
#[case(
    "failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
    "-",
    "contact with the builder was lost in the middle of the build"
)]
fn older_and_other_verdicts(#[case] verdict: &str, #[case] at: &str, #[case] message: &str) {
    let failure = explain(&Evidence { trailer: vec![format!("ERROR: {verdict}")], ..Evidence::default() });
    assert_eq!(place(failure.dockerfile.as_ref()), at);
    assert_eq!(failure.errors[0].message, message);
    assert!(cure(&failure).is_some());
}

#[rstest]
#[case(
    "failed to push r.example/a: errors:\nunknown: provided digest did not match uploaded content\nunknown: blob unknown to registry - sha256:00",
    true
)]
#[case(
    "failed to push r.example/a: unexpected status from PUT request to https://r.example/v2/a: 503 Service Unavailable",
    true
)]
#[case(
    "failed to push r.example/a: unexpected status from HEAD request to https://r.example/v2/a: 401 Unauthorized",
    false
)]
#[case("failed to push r.example/a: failed to do request: Head: dial tcp [::1]:1: connect: connection refused", false)]
#[case("process \"/bin/sh -c curl\" did not complete successfully: exit code: 22: 503 Service Unavailable", false)]
fn a_push_that_failed_in_passing_is_known(#[case] verdict: &str, #[case] passing: bool) {
    let text = format!("ERROR: failed to build: failed to solve: {verdict}");
    let trailer = text.lines().map(str::to_owned).collect();
    let failure = explain(&Evidence { trailer, ..Evidence::default() });
    assert_eq!(failure.summary, verdict.replacen('\n', " ", 1).replace('\n', "; "));
    assert_eq!(may_pass(&failure), passing);
}

#[test]
fn digits_of_a_digest_are_no_status() {
    let trailer = vec!["ERROR: failed to solve: failed to push localhost:1/a: failed to do request: Head \"http://localhost:1/v2/a/blobs/sha256:4014030401\": dial tcp: connect: connection refused".to_owned()];
    let failure = explain(&Evidence { trailer, ..Evidence::default() });
    assert_eq!(failure.errors[0].message, "the builder cannot reach the registry of localhost:1/a");
}

#[test]
fn without_any_evidence_something_is_still_said() {
    let failure = explain(&Evidence::default());
    assert_eq!(failure.summary, "the build failed, and BuildKit said nothing about why");
    assert_eq!(failure.tail, [failure.summary.as_str()]);
    assert!(failure.errors.is_empty());
}

#[test]
fn what_buildx_says_of_itself_is_the_summary() {
    let trailer = [
        "ERROR: failed to build: Multi-platform build is not supported for the docker driver.",
        "Switch to a different driver.",
    ];
    let failure = explain(&Evidence { trailer: trailer.map(String::from).to_vec(), ..Evidence::default() });
    assert_eq!(failure.summary, "Multi-platform build is not supported for the docker driver.");
    assert!(cure(&failure).unwrap().contains("docker-container"));
    assert_eq!(failure.tail.len(), 2);
}

#[test]
fn plain_logs_are_explained_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/progress/run.plain");
    let (errors, tail) = parse_build_errors(&std::fs::read_to_string(path).unwrap());
    assert_eq!(place(errors[0].location.as_ref()), "src/main.c:3:5");
    assert_eq!(tail.len(), 2);
    let (errors, tail) = parse_build_errors("Killed\n");
    assert_eq!((errors[0].tool.as_str(), tail.as_slice()), ("memory", &["Killed".to_owned()][..]));
}

#[test]
fn a_problem_has_place_lines_and_cure() {
    let problem = problem(&explain(&timeline("notfound.rawjson").evidence()));
    assert_eq!(place(problem.location.as_ref()), "Dockerfile:2");
    assert_eq!(problem.snippet, None, "the tail is told once, by the failure");
    assert!(problem.hint.is_some());
}

#[test]
fn what_was_got_over_is_not_the_cause() {
    let early = format!(
        "configure: line 3: x: command not found\nsh: x: not found\n{}src/a.c:3:1: error: bad\n",
        "ok\n".repeat(40)
    );
    let failure = explain(&evidence(&early));
    assert_eq!(failure.errors.iter().map(|e| e.tool.as_str()).collect::<Vec<_>>(), ["gcc"]);
    // A full disk is never got over.
    let early = format!("cp: No space left on device\n{}src/a.c:3:1: error: bad\n", "ok\n".repeat(40));
    assert_eq!(explain(&evidence(&early)).errors[0].tool, "disk");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_log_is_survived(
        lines in prop::collection::vec(
            "(error|E: |npm ERR! |\\[ERROR\\] |make: \\*\\*\\* |  File \"|CMake Error|/bin/sh: |ld: |a/b.[a-z]{1,2}|  1:2|FAILED |panic: )?[^\n]{0,30}(:[0-9]{0,12}){0,3}(\\([0-9]{0,11},[0-9]*\\))?(: error: |\\[|\\]|::|\")?[^\n]{0,20}",
            0..30,
        ),
    ) {
        let failure = explain(&Evidence { log: lines.clone(), trailer: lines.clone(), overall: lines, ..Evidence::default() });
        prop_assert!(!failure.tail.is_empty() && failure.tail.len() <= MAX_TAIL);
        prop_assert!(failure.errors.len() <= MAX_ERRORS);
        let _ = cure(&failure);
    }
}
