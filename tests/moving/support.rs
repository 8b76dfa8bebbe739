//! What both commands' tests need: a repository, a runner's environment, a plan, a validator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::git::git;
use crate::runner_fixture::Fixture;

/// A temporary directory, its workspace in `workspace`.
pub(crate) struct Repository {
    directory: tempfile::TempDir,
}

impl Repository {
    /// A repository with these files and one commit.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let made = Self { directory };
        std::fs::create_dir(made.root()).unwrap();
        git(&made.root(), &["init", "--quiet", "--initial-branch=main"]);
        for (path, text) in files {
            made.write(path, text);
        }
        git(&made.root(), &["add", "."]);
        git(&made.root(), &["commit", "--quiet", "--allow-empty", "--message", "change"]);
        made
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.root(), args)
    }

    /// Runs the program as on a laptop.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        told(program(&self.root(), args, &BTreeMap::new()))
    }

    /// The plan on a laptop that has these variables: exit code, and all that was said.
    pub(crate) fn plan(&self, vars: &[(&str, &str)]) -> (i32, String) {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (code, out, err) = told(program(&self.root(), &["plan"], &vars));
        (code, out + &err)
    }

    /// Every reference that a run would publish, sorted, in the environment of a fixture.
    pub(crate) fn published(&self, fixture: &str, extra: &[(&str, &str)]) -> Vec<String> {
        let mut vars = Fixture::load(fixture).placed(self.directory.path()).vars;
        vars.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (code, out, err) = told(program(&self.root(), &["plan", "--format", "json"], &vars));
        assert_eq!(code, 0, "{fixture}: {err}");
        let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
        let mut found = Vec::new();
        references(&plan["steps"], &mut found);
        found.sort();
        found
    }
}

/// Registry targets, wherever they stand in a plan.
fn references(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            if let (Some(repository), Some(tags)) =
                (map.get("repository"), map.get("tags").and_then(|tags| tags.as_array()))
            {
                let name = match repository {
                    serde_json::Value::String(name) => name.clone(),
                    other => format!("{}/{}", other["host"].as_str().unwrap(), other["path"].as_str().unwrap()),
                };
                found.extend(tags.iter().map(|tag| format!("{name}:{}", tag.as_str().unwrap())));
                return;
            }
            map.values().for_each(|value| references(value, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

pub(crate) fn program(directory: &Path, args: &[&str], vars: &BTreeMap<String, String>) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("stagefreight"))
        .args(args)
        .current_dir(directory)
        .env_clear()
        .envs(vars)
        .output()
        .unwrap()
}

pub(crate) fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A validator of the forges. Without it the test fails: it is never skipped.
pub(crate) fn validate(directory: &Path, command: &str, args: &[&str]) {
    let output = Command::new(command).args(args).current_dir(directory).output().unwrap_or_else(|error| {
        panic!(
            "{command}: {error}: run `ci/runners up actionlint check-jsonschema` and `eval \"$(ci/runners env)\"` first"
        )
    });
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command} {args:?}\n{text}");
}
