//! Failed runs: the state, the check run and its remarks, within GitHub's limits, whatever the build's output holds.

use std::time::Duration;

use rustix::process::Signal;

use crate::fake::{Face, Token};
use crate::support::LongStep;
use crate::world::World;

fn with_dockerfile(face: Face, text: &str) -> World {
    World::with(face, Token::Full, |sandbox| sandbox.file("Dockerfile", text))
}

#[test]
fn a_failed_build_is_pinned_to_its_lines() {
    let world = with_dockerfile(
        Face::GitHub,
        "FROM busybox\nRUN true\nRUN echo main.go:7:2: undefined: frobnicate >&2 && exit 17\n",
    );
    let run = world.run(1);
    let writes = world.fake.writes();
    let [first, last, check] = writes.as_slice() else { panic!("{writes:#?}") };
    assert_eq!((&first.body["state"], &last.body["state"]), (&"pending".into(), &"failure".into()));
    let text = last.body["description"].as_str().unwrap();
    assert!(
        text.starts_with("build failed: app · Dockerfile:3 · ") || text.starts_with("build failed: app · main.go:7 · "),
        "{text}"
    );
    assert_eq!(check.body["conclusion"], "failure");
    assert_eq!(check.body["name"], "stagefreight");
    assert!(check.body["output"]["summary"].as_str().unwrap().contains("frobnicate"));
    let remarks = world.fake.state().remarks.clone();
    assert!(
        remarks.iter().any(|r| r["path"] == "Dockerfile" && r["start_line"] == 3 && r["annotation_level"] == "failure"),
        "{remarks:#?}"
    );
    assert_eq!(world.warnings(&run), [""; 0]);
}

#[test]
fn many_remarks_follow_in_fifties() {
    let lines: String = (0..120).map(|n| format!("ENV KEY{n} value\n")).collect();
    let world = with_dockerfile(Face::GitHub, &format!("FROM scratch\n{lines}COPY hello.txt /\n"));
    let run = world.run(0);
    let warnings = world.sandbox.result()["builds"][0]["warnings"].as_array().unwrap().len();
    assert_eq!(warnings, 100, "BuildKit warns of each, and a hundred are kept");
    let writes = world.fake.writes();
    let methods: Vec<_> = writes.iter().map(|write| write.method.as_str()).collect();
    let state = world.fake.state();
    assert_eq!(methods, ["POST", "POST", "POST", "PATCH"], "{:?} {:?}", world.warnings(&run), state.journal.violations);
    drop(state);
    assert_eq!(world.fake.state().remarks.len(), 100);
    assert_eq!(world.warnings(&run), [""; 0]);
}

/// Names that the contract, a markdown renderer or a terminal would stumble on; the forge checks every text it is sent.
#[test]
fn hostile_output_stays_text() {
    let hostile = "ERROR: \\u202e::error::x\\r\\n</details><script>alert(1)</script> @everyone ![x](http://evil)";
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let dockerfile = format!(
            "FROM busybox\nRUN printf '{hostile}\\n' >&2; i=0; while [ $i -lt 300 ]; do echo \"../../etc/passwd:$i:1: error: {}\"; i=$((i+1)); done; exit 1\n",
            "ü".repeat(400)
        );
        let world = with_dockerfile(face, &dockerfile);
        let run = world.run(1);
        let writes = world.fake.writes();
        assert_eq!(writes[1].body["state"], if face == Face::GitLab { "failed" } else { "failure" });
        if face == Face::GitHub {
            let summary = writes[2].body["output"]["summary"].as_str().unwrap();
            assert!(!summary.contains("<script>") || summary.contains("```"), "{summary}");
        }
        assert_eq!(world.warnings(&run), [""; 0]);
    }
}

#[test]
fn a_registry_that_is_not_there_is_an_error_and_no_failure() {
    let world = World::with(Face::GitHub, Token::Full, |sandbox| {
        let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
        let host = sandbox.testbed.registry.clone();
        sandbox.file(".stagefreight.yml", &text.replace(&host, "localhost:1"))
    });
    let run = world.sandbox.run(&["run"]);
    assert_ne!(run.code, Some(0));
    let writes = world.fake.writes();
    assert_eq!(
        (&writes[1].body["state"], &writes[2].body["conclusion"]),
        (&"error".into(), &"failure".into()),
        "{writes:#?}"
    );
}

/// The last word gets through in the two seconds there are, also to a forge that is far away.
#[test]
fn a_cancelled_run_says_so() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let step = LongStep::new();
        let world = with_dockerfile(face, &step.dockerfile());
        world.fake.state().delay = Duration::from_millis(150);
        let running = world.sandbox.start(&["run"]);
        step.runs();
        let run = running.stop(Signal::TERM).exits(143);
        let states = world.fake.only_statuses();
        match face {
            Face::GitLab => assert_eq!(states, ["running", "canceled"]),
            _ => assert_eq!(states, ["pending", "error"]),
        }
        assert_eq!(world.warnings(&run), [""; 0]);
        assert_eq!(world.sandbox.result()["status"], "cancelled");
    }
}
