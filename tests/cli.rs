//! The command line from outside, where nothing is built: what it prints, how it ends, and how long hostile files hold it up.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "tests start processes")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Runs the program with no environment at all.
fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("stagefreight"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .output()
        .unwrap()
}

fn stdout(args: &[&str]) -> String {
    let output = run(Path::new("/"), args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn version() {
    assert_eq!(stdout(&["version"]), concat!("stagefreight ", env!("CARGO_PKG_VERSION"), "\n"));
    let json: serde_json::Value = serde_json::from_str(&stdout(&["version", "--format", "json"])).unwrap();
    assert_eq!(json, serde_json::json!({"name": "stagefreight", "version": env!("CARGO_PKG_VERSION")}));
    assert!(stdout(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_is_worth_reading() {
    insta::assert_snapshot!("help", stdout(&["--help"]));
    insta::assert_snapshot!("help_run", stdout(&["run", "--help"]));
    insta::assert_snapshot!("help_plan_usage", stdout(&["plan", "-h"]).lines().take(3).collect::<Vec<_>>().join("\n"));
}

#[test]
fn nothing_said_is_answered_with_help() {
    let output = run(Path::new("/"), &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Usage"), "{text}");
}

#[test]
fn a_mistyped_flag_names_the_right_one() {
    let output = run(Path::new("/"), &["run", "--platfroms", "linux/amd64"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--platforms"), "{text}");
}

#[test]
fn schemas_are_json_schemas_and_judge_documents() {
    let schema: serde_json::Value = serde_json::from_str(&stdout(&["schema"])).unwrap();
    let config = jsonschema::validator_for(&schema).unwrap();
    let good = serde_json::json!({"version": 1, "builds": [{"id": "app", "kind": "docker"}],
        "targets": [{"id": "hub", "kind": "registry", "build": "app", "url": "localhost", "path": "a/b", "tags": ["latest"]}]});
    assert!(config.is_valid(&good));
    assert!(!config.is_valid(&serde_json::json!({"version": 1, "buidls": []})));
    assert!(!config.is_valid(&serde_json::json!({"version": 2})));

    let schema: serde_json::Value = serde_json::from_str(&stdout(&["schema", "--of", "result"])).unwrap();
    let result = jsonschema::validator_for(&schema).unwrap();
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report/result-v1.json"));
    assert!(result.is_valid(&serde_json::from_str(&text.unwrap()).unwrap()));
    assert!(stdout(&["schema", "--format", "markdown"]).contains("# `.stagefreight.yml`"));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("stagefreight") && script.contains("dry-run"), "{shell}");
    }
}

/// A configuration that must be refused soon, with little said, by a process that stays small.
fn refused(yaml: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".stagefreight.yml"), yaml).unwrap();
    std::fs::write(dir.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let started = Instant::now();
    let output = Command::new("prlimit")
        .args(["--as=1500000000", "--"])
        .arg(assert_cmd::cargo::cargo_bin!("stagefreight"))
        .args(["plan"])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text:.2000}");
    assert!(text.len() < 20_000, "{} bytes", text.len());
    assert!(text.contains(".stagefreight.yml"), "{text}");
    text
}

#[test]
fn ten_megabytes_of_yaml() {
    let mut yaml = "version: 1\nvars:\n".to_owned();
    for n in 0..300_000 {
        yaml += &format!("  variable_{n}: some value that is long\n");
    }
    assert!(yaml.len() > 10_000_000);
    refused(&yaml);
}

#[test]
fn a_yaml_bomb() {
    let mut yaml = "version: 1\nvars:\n  a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..12 {
        let before = format!("*a{}", n - 1);
        yaml += &format!("  a{n}: &a{n} [{}]\n", vec![before; 9].join(","));
    }
    refused(&yaml);
}

#[test]
fn yaml_of_every_bad_kind() {
    for yaml in [
        &format!("version: 1\nvars: {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
        &format!("version: 1\nvars: {}\n", "{a: ".repeat(50_000)),
        "version: 1\nversion: 1\n",
        "version: 1\nvars:\n\ta: 1\n",
        "version: 1\nvars: {a: \"\u{0}\"}\n",
        "- just\n- a list\n",
        "version: 1\nbuilds: !!python/object:os.system [x]\n",
        "version: 1\nvars: *nobody\n",
        "",
        "version: 3\n",
    ] {
        refused(yaml);
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".stagefreight.yml"), b"version: 1\nvars: {a: \xff\xfe}\n").unwrap();
    let output = run(dir.path(), &["plan"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_plan_needs_no_environment() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("Dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
    let output = run(dir.path(), &["plan", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(plan.to_string().contains("Dockerfile"), "{plan}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
