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

/// What is said of a log, `tool | place | message`.
fn said(log: &str) -> Vec<String> {
    let errors = explain(&evidence(log)).errors;
    errors.iter().map(|e| format!("{} | {} | {}", e.tool, place(e.location.as_ref()), e.message)).collect()
}

#[rstest]
// Go: a passing test's lines are no errors, whatever the order of lines and results.
#[case(
    "=== RUN   TestA\n    a_test.go:1: step 1\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n    b_test.go:2: got 3\n--- FAIL: TestB (0.00s)\nFAIL",
    &["go | b_test.go:2 | got 3", "go | - | test TestB failed"]
)]
#[case(
    "--- FAIL: TestB (0.00s)\n    b_test.go:2: got 3\nFAIL\nFAIL\texample.com/x\t0.003s",
    &["go | example.com/x/./b_test.go:2 | got 3", "go | - | test TestB failed"]
)]
// Which package failed, and what a program logs while it is tested.
#[case(
    "ok  \texample.com/app\t0.002s\n--- FAIL: TestMul (0.00s)\n    main_test.go:7: Mul = 5, want 6\nFAIL\nFAIL\texample.com/app/pkg/x\t0.003s\nFAIL",
    &["go | example.com/app/pkg/x/./main_test.go:7 | Mul = 5, want 6", "go | - | test TestMul failed"]
)]
#[case(
    "# example.com/app/y\ny/y.go:3: no column\nvet: z/z.go:4: no column\ngo test\napp.go:8: adding 1 and 2\n--- FAIL: TestAdd (0.00s)\n    app_test.go:7: bad sum",
    &[
        "go | y/y.go:3 | no column", "go | z/z.go:4 | no column",
        "go | app_test.go:7 | bad sum", "go | - | test TestAdd failed"
    ]
)]
#[case(
    "app.go:8: adding 1 and 2\n--- FAIL: TestAdd (0.00s)\n    app_test.go:7: bad sum\nFAIL\nFAIL\texample.com/app\t0.005s\nFAIL",
    &["go | example.com/app/./app_test.go:7 | bad sum", "go | - | test TestAdd failed"]
)]
#[case(
    "=== RUN   TestA\n=== PAUSE TestA\n=== RUN   TestB\n    b_test.go:1: one\n=== NAME  TestA\n    a_test.go:2: two\n=== NAME  TestB\n    b_test.go:3: three\n--- PASS: TestB (0.00s)\n--- FAIL: TestA (0.00s)",
    &["go | a_test.go:2 | two", "go | - | test TestA failed"]
)]
// The beginning is lost; and one name in two packages.
#[case(
    "    a_test.go:1: step 9\n--- PASS: TestA (0.00s)\nok  \ta\t0.1s\n=== RUN   TestA\n    b_test.go:2: bad\n--- FAIL: TestA (0.00s)",
    &["go | b_test.go:2 | bad", "go | - | test TestA failed"]
)]
#[case(
    "--- FAIL: TestT (0.00s)\n    a_test.go:9: \n        \tError Trace:\t/app/a_test.go:9\n        \tError:      \tNot equal: \n        \t            \texpected: 6\n        \t            \tactual  : 5\n        \tTest:       \tTestT",
    &["go | a_test.go:9 | Not equal: expected: 6 actual : 5", "go | - | test TestT failed"]
)]
#[case(
    "# x/db\ndb/db.go:12:10: warning: unused\ndb/db.go:13:10: note: here\ndb/db.go:4:10: fatal error: a.h: No such file\n./b.go:3:6: F redeclared in this block\n\t./a.go:3:6: other declaration of F",
    &["go | db/db.go:4:10 | a.h: No such file", "go | b.go:3:6 | F redeclared in this block"]
)]
#[case(
    "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/app/main.go:5 +0x2d",
    &["go | /app/main.go:5 | fatal error: all goroutines are asleep - deadlock!"]
)]
// Rust: what a panic says, wherever it stands.
#[case("thread 'main' panicked at src/a.rs:1:2:\n\n\n  no OpenSSL\n  found here\n  note: run", &["rust | src/a.rs:1:2 | no OpenSSL found here"])]
#[case("thread 'main' panicked at 'called `unwrap()` on `None`', build.rs:3:10\nnote: run", &["rust | build.rs:3:10 | called `unwrap()` on `None`"])]
#[case(
    "thread 't' panicked at 'assertion failed: `(left == right)`\n  left: `1`,\n right: `2`', src/a.rs:3:5",
    &["rust | src/a.rs:3:5 | assertion failed: `(left == right)` left: `1`, right: `2`"]
)]
#[case("thread 'main' panicked at src/a.rs:1:2:\n\n", &["rust | src/a.rs:1:2 | thread 'main' panicked at src/a.rs:1:2:"])]
// A test in a comment, and one that should panic and did.
#[case(
    "---- src/lib.rs - doc (line 10) stdout ----\nTest executable failed (exit status: 101).\n\nstderr:\n\nthread 'main' (11622) panicked at src/lib.rs:5:1:\nassertion failed: a\n\nfailures:\n    src/lib.rs - doc (line 10)\n",
    &["rust | src/lib.rs:10 | assertion failed: a"]
)]
#[case(
    "---- src/lib.rs - double (line 13) stdout ----\nTest executable failed (exit status: 101).\n\nstderr:\n\nthread 'main' (24630) panicked at /tmp/rustdoctest01Fgoj/doctest_bundle_2024.rs:7:1:\nassertion failed: a\n",
    &["rust | src/lib.rs:13 | assertion failed: a"]
)]
#[case(
    "thread 'tests::a_large_one_panics' (11237) panicked at src/lib.rs:3:9:\ntoo large: 11\n\nthread '<unnamed>' (2) panicked at src/lib.rs:4:9:\nhelper\n\nthread 'tests::small' (11250) panicked at src/lib.rs:27:9:\nassertion failed: a\n\nfailures:\n\nfailures:\n    tests::small\n",
    &["rust | src/lib.rs:4:9 | helper", "rust | src/lib.rs:27:9 | assertion failed: a"]
)]
// C.
#[case(
    "/usr/bin/ld: src/main.o: in function `main':\nmain.c:(.text+0x5): undefined reference to `helper'\n/usr/bin/ld: main.c:(.text+0x9): undefined reference to `other'",
    &["ld | src/main.c | undefined reference to `helper'", "ld | src/main.c | undefined reference to `other'"]
)]
#[case(
    "make[1]: *** [CMakeFiles/Makefile2:83: CMakeFiles/app.dir/all] Error 2\ngmake: *** [Makefile:91: all] Error 2",
    &["make | CMakeFiles/Makefile2:83 | [CMakeFiles/Makefile2:83: CMakeFiles/app.dir/all] Error 2", "make | - | [Makefile:91: all] Error 2"]
)]
#[case("Diff in /app/src/a.rs:3:\n fn\nDiff in /app/src/b.rs at line 4:", &["rustfmt | /app/src/a.rs:3 | not formatted as rustfmt does", "rustfmt | /app/src/b.rs:4 | not formatted as rustfmt does"])]
#[case("CMake Error at CMakeLists.txt:3 (add_library):\n-- Configuring incomplete", &["cmake | CMakeLists.txt:3 | CMake Error at CMakeLists.txt:3 (add_library):"])]
#[case("CMake Error in lib/CMakeLists.txt:\n  Target \"a\" has none.\n", &["cmake | lib/CMakeLists.txt | Target \"a\" has none."])]
// JavaScript.
#[case("Error: src/a.ts:12:5 - error TS2304: no foo", &["tsc | src/a.ts:12:5 | TS2304: no foo"])]
#[case("src/a.html:3:5 - error NG8002: no binding", &["tsc | src/a.html:3:5 | NG8002: no binding"])]
#[case("web:build: src/(a)/b.ts(1,2): error TS2304: no foo", &["tsc | src/(a)/b.ts:1:2 | TS2304: no foo"])]
#[case("[!] RollupError: Expected ';'\nsrc/main.js (3:7)", &["rollup | src/main.js:3:7 | RollupError: Expected ';'"])]
#[case("src/App.js\n  Line 5:9:  'x' is not defined  no-undef", &["eslint | src/App.js:5:9 | 'x' is not defined (no-undef)"])]
#[case(
    "  1) adds:\n     TypeError: no x\n      at Context.<anonymous> (test/a.js:8:14)\n      at run (node_modules/mocha/lib/runner.js:1:1)",
    &["node | test/a.js:8:14 | TypeError: no x"]
)]
#[case("➤ YN0000: ┌ Resolution\n➤ YN0028: │ The lockfile is frozen.", &["yarn | - | The lockfile is frozen."])]
// Java and Kotlin.
#[case("e: /app/A.kt: (3, 9): Unresolved reference: foo", &["kotlinc | /app/A.kt:3:9 | Unresolved reference: foo"])]
#[case(
    "[ERROR] shop.ATest.loads -- Time elapsed: 0.1 s <<< ERROR!\njava.lang.IllegalStateException: no context\n\tat org.springframework.T.a(T.java:1)\n\t... 3 more\nCaused by: org.springframework.NoBean: no bean\n\tat org.springframework.X.y(X.java:10)",
    &["java | shop/ATest.java | org.springframework.NoBean: no bean"]
)]
#[case(
    "java.lang.RuntimeException: no rates\n\tat shop.Rates.load(Rates.java:4)\nCaused by: java.io.IOException: gone\n\tat java.base/java.io.X.y(X.java:1)",
    &["java | shop/Rates.java:4 | java.lang.RuntimeException: no rates, caused by java.io.IOException: gone"]
)]
// Python: pip's own words are no exception, and what it ran stands farther in.
#[case(
    "Collecting foo==1.0 (from -r requirements.txt (line 2))\n  error: subprocess-exited-with-error\n  ╰─> [3 lines of output]\n      Traceback (most recent call last):\n        File \"/tmp/x/setup.py\", line 5, in <module>\n      ModuleNotFoundError: No module named 'Cython'\n      [end of output]\n  ERROR: Failed building wheel for foo\nERROR: Could not build wheels for foo",
    &["python | /tmp/x/setup.py:5 | ModuleNotFoundError: No module named 'Cython'", "pip | requirements.txt:2 | subprocess-exited-with-error"]
)]
// Runners of JavaScript's tests: what a test printed is no error, and every test of a file has a place of its own.
#[case(
    "FAIL src/sum.test.js\n  ● Console\n\n    console.log\n      adding 1\n\n      at log (src/log.js:2:11)\n\n  ● adds\n\n    expect(received).toBe(expected)\n\n      at Object.toBe (src/sum.test.js:4:21)\n\n  ● adds more\n\n    expect(received).toEqual(expected)\n\n      at Object.toEqual (src/sum.test.js:8:21)\n\nPASS src/ok.test.js",
    &["test | src/sum.test.js:4:21 | expect(received).toBe(expected)", "test | src/sum.test.js:8:21 | expect(received).toEqual(expected)"]
)]
#[case(
    "PASS src/h.test.js\n  ● Console\n\n    console.error\n      Error: no such user\n          at exports (/app/src/h.js:3:11)\n\n      at error (src/h.js:5:13)\n\nFAIL src/s.test.js\n  ● adds\n\n    expect(received).toBe(expected)\n\n      at Object.toBe (src/s.test.js:2:3)",
    &["test | src/s.test.js:2:3 | expect(received).toBe(expected)"]
)]
#[case(
    "stderr | src/h.test.js > gives null\nError: no such user\n    at __vite_ssr_export_default__ (/app/src/h.js:3:11)\n\n FAIL  |unit| src/s.test.js > adds\nAssertionError: expected 2 to be 3\n\n ❯ src/s.test.js:2:36",
    &["test | src/s.test.js:2:36 | AssertionError: expected 2 to be 3"]
)]
#[case(
    "error during build:\nBuild failed with 1 error:\n\n[PARSE_ERROR] Unexpected token\n   ╭─[ src/a.js:2:11 ]\n   │",
    &["vite | src/a.js:2:11 | [PARSE_ERROR] Unexpected token"]
)]
// npm says below what failed whose it was.
#[case(
    "> b@1.0.0 build\n> tsc\nsrc/index.ts(2,14): error TS2322: no\nnpm error Lifecycle script `build` failed with error:\nnpm error code 1\nnpm error path /app/packages/b\nnpm error workspace b@1.0.0",
    &["tsc | /app/packages/b/./src/index.ts:2:14 | TS2322: no"]
)]
#[case("    ✔ reports ENOSPC: the disk is full\n    ✔ retries on ECONNREFUSED\ntest no_space_left_on_device ... ok\n  Error: x.js broke", &["generic | - | Error: x.js broke"])]
// A summary alone does not say what: a line with a place does.
#[case("start.s:3: Error: no such instruction\nmake: *** [Makefile:3: start.o] Error 1", &["generic | start.s:3 | Error: no such instruction", "make | Makefile:3 | [Makefile:3: start.o] Error 1"])]
#[case(
    "src/main.rs:2:18: error[E0308]: mismatched types\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error",
    &["generic | src/main.rs:2:18 | error[E0308]: mismatched types", "cargo | - | could not compile `demo` (bin \"demo\") due to 1 previous error"]
)]
#[case(
    "test_add: test_add.c:4: main: Assertion `add(1, 2) == 3' failed.\nmake: *** [Makefile:2: test] Aborted",
    &["generic | test_add.c:4 | main: Assertion `add(1, 2) == 3' failed.", "make | Makefile:2 | [Makefile:2: test] Aborted"]
)]
#[case("A.java:2: エラー: ';'がありません", &["javac | A.java:2 | ';'がありません"])]
// pytest: long names, what a test printed, what stood before any test.
#[case(
    "___ test_short ___\n\n>       assert 1 == 2\n\ntests/test_a.py:5: AssertionError\n_ test_fetch[https://example.org/a/very/long/path] _\n\n>  assert 3\n_ _ _ _ _ _\ntests/test_a.py:12: AssertionError\n=== short test summary info ===\nFAILED tests/test_a.py::test_short - assert 1 == 2\nFAILED tests/test_a.py::test_fetch[https://example.org/a/very/long/path]",
    &["pytest | tests/test_a.py:5 | test_short - assert 1 == 2", "pytest | tests/test_a.py:12 | test_fetch[https://example.org/a/very/long/path]"]
)]
#[case(
    "____ test_run ____\nE       AssertionError: no\n\ntests/test_w.py:8: AssertionError\n------- Captured stderr call -------\n/app/tool.py:4: UserWarning: old way\n=== short test summary info ===\nFAILED tests/test_w.py::test_run - AssertionError: no",
    &["pytest | tests/test_w.py:8 | test_run - AssertionError: no"]
)]
#[case(
    "____ ERROR collecting tests/test_a.py ____\ntests/test_a.py:3: in <module>\n    import thing\nsrc/thing.py:2: in <module>\nE   ModuleNotFoundError: No module named 'x'\n=== short test summary info ===\nERROR tests/test_a.py",
    &["pytest | src/thing.py:2 | ModuleNotFoundError: No module named 'x'"]
)]
#[case(
    "____ ERROR at setup of test_b ____\nE       RuntimeError: no database\n\ntests/test_b.py:5: RuntimeError\n=== short test summary info ===\nERROR tests/test_b.py::test_b - RuntimeError: no database",
    &["pytest | tests/test_b.py:5 | test_b - RuntimeError: no database"]
)]
#[case(
    "ImportError while loading conftest '/app/tests/conftest.py'.\ntests/conftest.py:2: in <module>\n    import nope\nE   ModuleNotFoundError: No module named 'nope'",
    &["pytest | tests/conftest.py:2 | ModuleNotFoundError: No module named 'nope'"]
)]
#[case("/app/a.py\n  /app/a.py:2:12 - error: Type \"int\" is not \"str\"\n1 error", &["pyright | /app/a.py:2:12 | Type \"int\" is not \"str\""])]
fn lines_of_many_tools(#[case] log: &str, #[case] expected: &[&str]) {
    assert_eq!(said(log), expected);
}

#[test]
fn of_a_test_that_talks_its_last_words_are_kept() {
    let log: String = (1..=40).map(|n| format!("    a_test.go:{n}: step {n}\n")).collect();
    let said = said(&format!("=== RUN   TestA\n{log}--- FAIL: TestA (0.00s)\n"));
    assert_eq!(said.len(), 6, "{said:?}");
    assert_eq!(said[4], "go | a_test.go:40 | step 40");
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

    /// Of every reader, on its own: an error says something, and is on a line that is there.
    #[test]
    fn no_reader_says_nothing(
        lines in prop::collection::vec(
            "(error(\\[E1\\])?: |E: |npm ERR! |\\[ERROR\\] |\\[tsl\\] ERROR in |ERROR in |\\[!\\] |make: \\*\\*\\* |  File \"|CMake Error( at | in )?|ld: |thread 'a' panicked at |FAILED |panic: |go: |    |e: |Caused by: |a\\.Bad: |not ok 1 - |\\./|✘ \\[ERROR\\] |error during build:| FAIL |ERROR: |➤ YN0028: )?(a/b\\.(go|rs|ts|py|c|js))?(:[0-9]{1,3}){0,2}(\\([0-9]{1,3},[0-9]{1,3}\\))?(: )?(error: |error TS1: |\\*\\*\\* )?[ a-z'\"(]{0,6}",
            0..12,
        ),
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for found in READERS.iter().flat_map(|read| read(&lines)).chain(generic::read(&lines)) {
            prop_assert!(!found.error.message.trim().is_empty(), "{:?} of {:?}", found, lines);
            prop_assert!(found.line < lines.len());
        }
    }
}
