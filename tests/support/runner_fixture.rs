//! Complete runner environments as data: `tests/fixtures/runner/<name>/env` (`KEY=value` lines, `#` comments) and, where
//! the runner writes one, `event.json`. Used by the unit tests of `runner` and by tests of the whole process.

#![allow(dead_code, reason = "each test that includes this file uses its own part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A runner's environment.
pub(crate) struct Fixture {
    /// All variables, exactly as that runner sets them.
    pub(crate) vars: BTreeMap<String, String>,
    /// The event file, where the runner writes one.
    pub(crate) event: Option<PathBuf>,
}

/// Variables that name files the runner made for the step.
const FILES: [&str; 5] = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"];

impl Fixture {
    /// Names of all fixtures.
    pub(crate) fn names() -> Vec<String> {
        let entries = std::fs::read_dir(directory()).expect("fixtures");
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Reads one. Only the path of the event file is changed: to where it is here.
    pub(crate) fn load(name: &str) -> Self {
        let directory = directory().join(name);
        let text = std::fs::read_to_string(directory.join("env")).expect(name);
        let mut vars = parse(&text);
        let event = Some(directory.join("event.json")).filter(|path| path.exists());
        if let Some(path) = &event {
            for variable in ["GITHUB_EVENT_PATH", "FORGEJO_EVENT_PATH"] {
                if let Some(value) = vars.get_mut(variable) {
                    *value = path.to_str().unwrap().to_owned();
                }
            }
        }
        Self { vars, event }
    }

    /// The same environment for a real run: workspace, home, temporary directory and the step's files are under `sandbox`
    /// (`workspace`, `home`, `temp`, `file_commands`) and exist.
    pub(crate) fn placed(mut self, sandbox: &Path) -> Self {
        let dir = |name: &str| {
            let path = sandbox.join(name);
            std::fs::create_dir_all(&path).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (workspace, home, temp, files) = (dir("workspace"), dir("home"), dir("temp"), dir("file_commands"));
        for (name, value) in &mut self.vars {
            match name.strip_prefix("FORGEJO_").map_or(name.clone(), |rest| format!("GITHUB_{rest}")).as_str() {
                "GITHUB_WORKSPACE" | "CI_PROJECT_DIR" | "PWD" => value.clone_from(&workspace),
                "HOME" => value.clone_from(&home),
                "RUNNER_TEMP" | "TMPDIR" => value.clone_from(&temp),
                file if FILES.contains(&file) => {
                    *value = format!("{files}/{}", file.trim_start_matches("GITHUB_").to_lowercase());
                    std::fs::write(&*value, "").unwrap();
                }
                _ => {}
            }
        }
        self
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/runner")
}

fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').expect("KEY=value"))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
