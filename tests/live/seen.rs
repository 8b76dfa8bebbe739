//! What a person sees of whole runs, pinned: the log on a laptop, the log and the summary on GitHub. What differs from run
//! to run is replaced by a word for it.

use regex::Regex;

use crate::support::Sandbox;

use super::publish::to_one_registry;

/// A text without what differs from run to run and from machine to machine.
fn steady(sandbox: &Sandbox, text: &str) -> String {
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    let mut text = text.replace(&sandbox.id, "ID").replace(&head, "COMMIT").replace(&head[..7], "SHORT");
    text =
        text.replace(&sandbox.testbed.registry, "REGISTRY").replace(&sandbox.testbed.buildkit_host, "tcp://BUILDKITD");
    for (pattern, word) in [
        ("\u{1b}\\[[0-9;]*m", ""),
        ("sha256:[0-9a-f]{64}", "sha256:DIGEST"),
        ("stagefreight_[0-9a-f]{32}", "TOKEN"),
        ("(?s)```mermaid\n.*?\n```", "```mermaid\nTIMELINE\n```"),
        ("(None|All|(&#)?[0-9;]+) of [0-9]+ steps? came from the cache", "N of M steps came from the cache"),
        ("\\b[0-9a-f]{64}\\b", "HASH"),
        ("`[0-9a-f]{12}`", "`HASH`"),
        ("\\bsf-[0-9a-f]{8}\\b", "sf-REPO"),
        ("linux/(amd64|arm64)", "linux/HERE"),
        ("\\b[0-9]+(\\.[0-9]+)?(ms|s)\\b", "TIME"),
        ("… cached|… TIME", "… DONE"),
        // A daemon names a step as the first build had it that it shared the step with.
        ("\\[(stage-[0-9] )?[0-9]/[0-9]\\] FROM", "[N] FROM"),
        ("` \\| (cached)? *\\| (TIME)? *\\|", "` | CACHE | TIME |"),
        ("\\b[0-9]+ cached, ", ""),
        ("`v?[0-9]+\\.[0-9]+\\.[0-9]+[0-9A-Za-z.+-]*`", "`VERSION`"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
    }
    // Steps that make no layer are told only where they were slow.
    let slow = Regex::new(r"(?m)^  (?:[^\[\n]|\[[^\]N0-9]).* … DONE\n").unwrap();
    text = slow.replace_all(&text, "").into_owned();
    // Tags are put side by side; which is first is chance.
    let mut lines: Vec<&str> = text.lines().collect();
    for run in lines.chunk_by_mut(|a, b| a.starts_with("  published ") && b.starts_with("  published ")) {
        run.sort_unstable();
    }
    lines.join("\n")
}

#[test]
fn a_published_image_on_a_laptop() {
    let sandbox = to_one_registry().buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    insta::assert_snapshot!(steady(&sandbox, &run.text()));
}

#[test]
fn a_published_image_on_github() {
    let sandbox = to_one_registry().on("github-push").buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    insta::assert_snapshot!("a_published_image_on_github_log", steady(&sandbox, &run.text()));
    insta::assert_snapshot!("a_published_image_on_github_summary", steady(&sandbox, &sandbox.summary()));
}

#[test]
fn a_failed_build_on_github() {
    let sandbox = to_one_registry()
        .file("main.go", "package main\n")
        .file("Dockerfile", "FROM busybox\nCOPY main.go /src/\nRUN cat /src/main.go >&2 && echo 'src/main.go:1:1: undefined: frobnicate' >&2 && exit 17\n")
        .on("github-push")
        .buildkitd();
    let run = sandbox.run(&["run"]).exits(1);
    insta::assert_snapshot!("a_failed_build_on_github_log", steady(&sandbox, &run.text()));
    insta::assert_snapshot!("a_failed_build_on_github_summary", steady(&sandbox, &sandbox.summary()));
}

#[test]
fn missing_credentials_on_gitlab() {
    let sandbox = to_one_registry();
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let config = config.replace("build: app,", "build: app, credentials: HUB,");
    let sandbox = sandbox.file(".stagefreight.yml", &config).on("gitlab-branch").buildkitd();
    let run = sandbox.run(&["run"]).exits(1);
    let text = super::runners::without_section_markers(&run.text());
    insta::assert_snapshot!(steady(&sandbox, &text));
}
