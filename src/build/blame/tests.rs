//! Places as people read them, also from logs that lie.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::buildx::argv::tests::step;
use crate::buildx::errors::{Evidence, Explained, trace};

const DOCKERFILE: &str = "FROM image\nWORKDIR /src\nCOPY . .\nCOPY <<run.sh /bin/\nset -e\nfalse\nrun.sh\nRUN build\n";

fn checkout() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in ["main.go", "lib/core.c", "deploy/setup.sh"] {
        fs::create_dir_all(root.path().join(name).parent().unwrap()).unwrap();
        fs::write(root.path().join(name), "#!/bin/sh\r\n\n\n").unwrap();
    }
    fs::write(root.path().join("Dockerfile"), DOCKERFILE).unwrap();
    root
}

/// A RUN in line 8 that failed with this output.
fn failed(log: &[&str]) -> Explained {
    let trailer = [
        "Dockerfile:8",
        "--------------------",
        "ERROR: failed to solve: process \"build\" did not complete successfully: exit code: 1",
    ];
    let lines = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
    trace(&Evidence {
        step: "[5/5] RUN build".into(),
        log: lines(log),
        trailer: lines(&trailer),
        ..Evidence::default()
    })
}

fn placed(log: &[&str]) -> Vec<String> {
    placed_in(&checkout(), log)
}

fn placed_in(root: &tempfile::TempDir, log: &[&str]) -> Vec<String> {
    let failure =
        place(failed(log), &[], &Step { dockerfile: "Dockerfile".into(), context: ".".into(), ..step() }, root.path());
    assert_eq!(failure.dockerfile.as_ref().map(written).as_deref(), Some("Dockerfile:8"));
    let said = |e: &BuildError| format!("{} | {}", e.location.as_ref().map_or_else(|| "-".into(), written), e.message);
    failure.errors.iter().map(said).collect()
}

#[rstest]
#[case(&["main.go:1:2: undefined: x"], "main.go:1:2 | undefined: x")]
#[case(&["/src/main.go:1:2: undefined: x"], "main.go:1:2 | undefined: x")]
// Not of the checkout: on the Dockerfile's line, with its path.
#[case(&["/usr/local/go/src/fmt/print.go:9:2: undefined: x"], "Dockerfile:8 | /usr/local/go/src/fmt/print.go:9:2: undefined: x")]
#[case(&["../../etc/passwd.c:1:1: error: x"], "Dockerfile:8 | ../../etc/passwd.c:1:1: x")]
#[case(&["nowhere.go:1:2: undefined: x"], "Dockerfile:8 | nowhere.go:1:2: undefined: x")]
// Through make's directories, and where a recipe went elsewhere on its own.
#[case(&["make: Entering directory '/src/lib'", "core.c:2:1: error: x"], "lib/core.c:2:1 | x")]
#[case(&["make: Entering directory '/src/other'", "lib/core.c:2:1: error: x"], "lib/core.c:2:1 | x")]
#[case(&["make: Entering directory '/src/lib'", "make: Leaving directory '/src/lib'", "main.go:1:1: x"], "main.go:1:1 | x")]
// Scripts: of the checkout, of the Dockerfile.
#[case(&["deploy/setup.sh: line 3: x: unbound variable"], "deploy/setup.sh:3 | x: unbound variable")]
#[case(&["/bin/run.sh: line 2: y: unbound variable"], "Dockerfile:6 | y: unbound variable")]
#[case(
    &["/bin/sh: 1: ./deploy/setup.sh: not found"],
    "deploy/setup.sh:1 | /bin/sh: 1: ./deploy/setup.sh: not found (its first line ends with \\r, as on Windows, so there is no such interpreter)"
)]
#[case(&["/bin/sh: 1: make: not found"], "- | /bin/sh: 1: make: not found")]
// Of a stack the first frame that is a file of the checkout, whoever's the ones above are.
#[case(
    &["panic: boom", "", "goroutine 1 [running]:", "lib.Do()", "\t/go/pkg/mod/lib@v1/do.go:3 +0x1d", "main.main()", "\t/src/main.go:2 +0x1d"],
    "main.go:2 | panic: boom"
)]
#[case(
    &[
        "org.unheardof.Wrapped: no", "\tat org.unheardof.Engine.run(Engine.java:9)",
        "\tat app//deploy.Job.run(setup.sh:2)",
    ],
    "deploy/setup.sh:2 | org.unheardof.Wrapped: no"
)]
// Text that wants to be obeyed is text.
#[case(&["main.go:1:2: ::error file=x::evil"], "main.go:1:2 | error file=x::evil")]
fn errors_stand_where_people_look(#[case] log: &[&str], #[case] expected: &str) {
    assert_eq!(placed(log)[0], expected);
}

#[rstest]
// The file of the package that failed, whatever stands at the root; and nothing where it is not there.
#[case("example.com/app/pkg/x", "pkg/x/main_test.go:7 | Mul = 5")]
#[case("example.com/app", "main_test.go:7 | Mul = 5")]
#[case("example.com/app/tool", "tool/main_test.go:7 | Mul = 5")]
#[case("example.com/app/pkg/y", "Dockerfile:8 | example.com/app/pkg/y/main_test.go:7: Mul = 5")]
#[case("example.com/other", "Dockerfile:8 | example.com/other/main_test.go:7: Mul = 5")]
fn a_test_is_put_into_its_package(#[case] package: &str, #[case] expected: &str) {
    let root = checkout();
    for (name, text) in [
        ("go.mod", "// ours\nmodule example.com/app // here\n\ngo 1.22\n"),
        ("tool/go.mod", "module \"example.com/app/tool\"\n"),
        ("main_test.go", ""),
        ("app/main_test.go", ""),
        ("tool/main_test.go", ""),
        ("pkg/x/main_test.go", ""),
    ] {
        fs::create_dir_all(root.path().join(name).parent().unwrap()).unwrap();
        fs::write(root.path().join(name), text).unwrap();
    }
    let end = format!("FAIL\t{package}\t0.003s");
    let log =
        ["ok  \texample.com/app/z\t0.1s", "--- FAIL: TestMul (0.00s)", "    main_test.go:7: Mul = 5", "FAIL", &end];
    assert_eq!(placed_in(&root, &log)[0], expected);
}

#[test]
fn a_command_that_only_one_instruction_runs_is_found_without_an_excerpt() {
    let line = |text: &str, told: &str| command(&dockerfile::read(text), told);
    let told = r#"process "/bin/sh -c go build -o \"/out/app\" ." did not complete successfully: exit code: 1"#;
    let one = "FROM a\nRUN go vet\nRUN --mount=type=cache,target=/c go build \\\n  -o \"/out/app\" .\n";
    assert_eq!(line(one, told), Some(3));
    assert_eq!(line(&format!("{one}FROM b\nRUN go build -o \"/out/app\" .\n"), told), None, "either may be meant");
    assert_eq!(line(one, "failed to compute cache key"), None);
}

#[test]
fn a_dockerfile_elsewhere_and_a_failure_without_a_line_still_have_a_place() {
    let root = checkout();
    let step = Step { dockerfile: "deploy/app.Dockerfile".into(), context: ".".into(), ..step() };
    let trailer = vec!["ERROR: failed to solve: target stage \"x\" could not be found".to_owned()];
    let failure = place(trace(&Evidence { trailer, ..Evidence::default() }), &[], &step, root.path());
    assert_eq!(failure.dockerfile.as_ref().map(written).as_deref(), Some("deploy/app.Dockerfile"));
}

#[test]
fn another_repository_is_not_looked_for_here() {
    let step = Step { context: "https://example.com/x.git".into(), ..step() };
    let failure = failed(&["main.go:1:2: undefined: x"]);
    assert_eq!(place(failure.clone(), &[], &step, checkout().path()), failure.failure);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_log_says_every_place_is_a_file_of_the_checkout(
        log in prop::collection::vec("(/src/|\\.\\./|/etc/|\\./|)(main|lib/core|passwd|x)\\.(go|c|py|ts|java|rs)(:[0-9]{1,10}){0,3}:? (error: |undefined: |)[^\n]{0,20}", 0..12),
    ) {
        let root = checkout();
        let lines: Vec<&str> = log.iter().map(String::as_str).collect();
        let step = Step { dockerfile: "Dockerfile".into(), context: ".".into(), ..step() };
        let failure = place(failed(&lines), &[], &step, root.path());
        prop_assert!(!failure.errors.is_empty() && !failure.tail.is_empty());
        for at in failure.errors.iter().filter_map(|e| e.location.as_ref()) {
            prop_assert!(!at.file.starts_with('/') && !at.file.contains("..") && root.path().join(&at.file).is_file());
        }
    }
}
