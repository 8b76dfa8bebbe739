//! `ci/lint-forges`: it passes what is here, and each of its validators refuses what it is there for.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Testbed, act::ours};

fn lint(dir: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/lint-forges");
    Command::new(script).arg(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What the script reads, copied.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for part in [".github", "action.yml", "native", "examples", "templates", ".gitlab-ci.yml"] {
        if root.join(part).exists() {
            let from = root.join(part);
            Testbed::tool("cp", &["-r", from.to_str().unwrap(), dir.path().to_str().unwrap()]);
        }
    }
    // actionlint reads actions of the repository it is in.
    Testbed::tool("git", &["init", "--quiet", dir.path().to_str().unwrap()]);
    dir
}

#[test]
fn what_runners_and_forges_read_is_in_order() {
    let output = lint(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("are in order"), "{}", said(&output));
}

#[test]
fn every_validator_refuses_what_it_is_there_for() {
    let dir = copy();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let action = ours("action.yml");
    write("action.yml", &action.replace("  color: blue\n", "  color: mauve\n"));
    let job = "permissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n";
    write("examples/workflows/schema.yml", &format!("name: a\non: push\n{job}      - uses: 5\n"));
    write(
        "examples/workflows/rules.yml",
        &format!("name: a\non: push\n{job}      - uses: ./\n        with: {{tagz: a}}\n"),
    );
    let injection = "      - run: echo ${{ github.event.issue.title }}\n";
    write("examples/workflows/attack.yml", &format!("name: a\non: issues\n{job}{injection}"));
    write("templates/broken.yml", "spec:\n  inputs:\n    a: {type: word}\n---\nbuild:\n  script: true\n");
    write("examples/gitlab/broken.yml", "build:\n  script: [make]\n  when: sometimes\n");
    let output = lint(dir.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let last = text.lines().last().unwrap();
    let names = [
        "schema of actions",
        "schema of workflows",
        "schema of GitLab templates",
        "schema of GitLab pipelines",
        "actionlint",
        "zizmor",
    ];
    for name in names {
        assert!(last.contains(name), "{name} is content:\n{text}");
    }
    for finding in ["mauve", "tagz", "template-injection", "sometimes", "broken.body.json"] {
        assert!(text.contains(finding), "nobody says {finding}:\n{text}");
    }
}

#[test]
fn a_missing_validator_is_no_pass() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/lint-forges");
    let output = Command::new(script).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("is missing: ci/runners up"), "{}", said(&output));
}
