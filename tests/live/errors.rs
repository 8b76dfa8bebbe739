//! Projects of the corpus, built and failed for real: what a runner is told is what `expected.json` says, on its line.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scenery::runner_model::{Command, actions_log};
use crate::support::Sandbox;

use super::publish::to_one_registry;

/// Those whose bases every testbed has.
const CASES: [&str; 6] = [
    "go/build",
    "go/test-failure",
    "go/bind-mount",
    "packages/apt-no-package",
    "buildkit/script-fails",
    "buildkit/copy-from-nowhere",
];

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/errors").join(name)
}

/// A checkout that holds the project.
fn checkout(name: &str) -> Sandbox {
    let (root, mut sandbox) = (case(name), to_one_registry());
    let mut todo = vec![root.clone()];
    while let Some(directory) = todo.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                todo.push(path);
            } else if !["build.rawjson", "expected.json", "arguments"].contains(&relative.as_str()) {
                sandbox = sandbox.file(&relative, &fs::read_to_string(&path).unwrap());
            }
        }
    }
    sandbox.buildkitd()
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(case(name).join("expected.json")).unwrap()).unwrap()
}

fn written(at: &Value) -> Option<String> {
    let number = |key: &str| at[key].as_u64().map(|n| format!(":{n}")).unwrap_or_default();
    Some(format!("{}{}{}", at["file"].as_str()?, number("line"), number("column")))
}

#[test]
fn projects_that_fail_are_annotated_where_their_authors_look() {
    for name in CASES {
        let (sandbox, expected) = (checkout(name).on("github-push"), expected(name));
        let run = sandbox.run(&["run"]).exits(1);
        let failure = sandbox.result()["builds"][0]["build_failure"].clone();
        assert_eq!(written(&failure["dockerfile"]).as_deref(), expected["dockerfile"].as_str(), "{name}");
        let (seen, wanted) = (failure["errors"].as_array().unwrap(), expected["errors"].as_array().unwrap());
        assert_eq!(seen.len(), wanted.len(), "{name}: {seen:?}");
        let mut annotations = actions_log(run.stdout.as_bytes(), true).commands;
        annotations.retain(|command| command.name == "error");
        assert!(!annotations.is_empty(), "{name}");
        for (seen, wanted) in seen.iter().zip(wanted) {
            assert_eq!(seen["tool"], wanted["tool"], "{name}");
            assert_eq!(written(&seen["location"]).as_deref(), wanted["at"].as_str(), "{name}");
            let begins = seen["message"].as_str().unwrap().starts_with(wanted["message"].as_str().unwrap());
            assert!(begins, "{name}: {seen} is not {wanted}");
            if let (Some(file), Some(line)) = (seen["location"]["file"].as_str(), seen["location"]["line"].as_u64()) {
                let there = |c: &Command| c.properties["file"] == file && c.properties["line"] == line.to_string();
                assert!(annotations.iter().any(there), "{name}: {file}:{line} not in {annotations:?}");
            }
        }
    }
}

#[test]
fn gitlab_reads_the_same_places_in_its_code_quality_report() {
    let sandbox = checkout("go/build").on("gitlab-branch");
    sandbox.run(&["run"]).exits(1);
    let report = fs::read_to_string(sandbox.workspace().join(".stagefreight/codequality.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&report).unwrap();
    let places: Vec<(&str, u64)> = entries
        .iter()
        .map(|e| (e["location"]["path"].as_str().unwrap(), e["location"]["lines"]["begin"].as_u64().unwrap()))
        .collect();
    let main = "cmd/app/main.go";
    assert_eq!(places, [(main, 5), (main, 9), (main, 10), (main, 10), ("Dockerfile", 5)]);
    assert!(entries.iter().all(|e| e["severity"] == "critical" && e["fingerprint"].as_str().unwrap().len() == 64));
}

#[test]
fn warnings_of_the_build_checks_stand_on_their_lines_under_their_rules() {
    let sandbox = to_one_registry()
        .file("deploy/Dockerfile", "FROM busybox as base\nMAINTAINER nobody\n")
        .config("version: 1\nbuilds:\n  - {id: app, kind: docker, dockerfile: deploy/Dockerfile}\n")
        .on("github-push")
        .buildkitd();
    let run = sandbox.run(&["run"]).exits(0);
    run.says(&[
        "::warning file=deploy/Dockerfile,line=1,title=FromAsCasing in the build app::",
        "::warning file=deploy/Dockerfile,line=2,title=MaintainerDeprecated in the build app::",
        "dockerfile/rule/from-as-casing/",
    ]);
}

#[test]
fn doctor_tells_what_the_checks_find_before_anything_is_built() {
    let sandbox = to_one_registry().file("Dockerfile", "FROM busybox as base\nMAINTAINER nobody\n").buildkitd();
    let run = sandbox.run(&["doctor"]).exits(0);
    run.says(&["Dockerfile of app: Dockerfile", "line 1: FromAsCasing", "dockerfile/rule/from-as-casing/", "line 2: "]);
    let broken = to_one_registry().file("Dockerfile", "FROM busybox\nCOPPY . .\n").buildkitd();
    broken.run(&["doctor"]).exits(1).says(&["line 2", "unknown instruction: COPPY"]);
}
