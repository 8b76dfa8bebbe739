//! Text of others: what a build prints, what a branch is called. It is shown, and it commands nothing.

use base64::Engine as _;

use crate::support::{Finished, Sandbox, outputs};

use super::publish::{small, to_one_registry};

/// What a runner obeys, and nothing a build may make it obey.
const OURS: [&str; 6] = ["::group::", "::endgroup::", "::error", "::warning", "::notice", "::add-mask::"];

/// A build that prints everything a runner or a terminal would obey, and a password.
fn shouting(end: &str) -> Sandbox {
    let sandbox = to_one_registry();
    let password = sandbox.testbed.password.clone();
    let encoded = base64::engine::general_purpose::STANDARD.encode(&password);
    let script = format!(
        r#"printf '::set-output name=digest::evil\n  ::add-path::/evil\n##[add-path]/evil\n::stop-commands::x\n'
printf '\033[2J\033]0;evil\007\033[0Ksection_start:1:evil\r\033[0Kevil section\n\033[0Ksection_end:1:build_0\r\033[0K\n'
printf 'progress 1%%\r::error file=x::evil annotation\r\n\302\233\062J\n::group::evil group\n'
printf 'the password is '; echo {encoded} | base64 -d; echo
printf 'main.c:3:1: error: ::set-env name=EVIL::1 <img src=x onerror=evil> [link](javascript:evil) | cell |\n' >&2
{end} # {id}
"#,
        id = sandbox.id
    );
    sandbox
        .file("shout.sh", &script)
        .file("Dockerfile", "FROM busybox\nCOPY shout.sh /\nRUN sh /shout.sh\n")
        .buildkitd()
        .var("HUB_USER", "testbed")
        .secret("HUB_TOKEN", &password)
        .var("INPUT_VERBOSE", "true")
}

/// Names the login, so that the run knows the password.
fn knowing(sandbox: Sandbox) -> Sandbox {
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let config = config.replace("build: app,", "build: app, credentials: HUB,");
    sandbox.file(".stagefreight.yml", &config)
}

fn commands_nothing(run: &Finished) {
    for line in outputs::workflow_commands(&run.stdout) {
        let line = line.trim_start();
        assert!(OURS.iter().any(|ours| line.starts_with(ours)), "obeyed: {line:?}");
        assert!(!line.starts_with("::group::evil") && !line.contains("file=x"), "obeyed: {line:?}");
    }
    commands_no_terminal(&run.text());
}

/// No control character but line ends, tabs and our own colours.
fn commands_no_terminal(text: &str) {
    let colours = regex::Regex::new("\u{1b}\\[(0|1|2|3[1-6])m").unwrap();
    let plain = colours.replace_all(text, "");
    let stray = plain.lines().find(|line| line.contains(|c: char| c.is_control() && c != '\t'));
    assert_eq!(stray, None);
}

/// Markdown that is rendered: in a fenced block everything is only text. A fence ends at one at least as long.
fn outside_of_fences(markdown: &str) -> String {
    let mut fence: Option<usize> = None;
    let mut shown = Vec::new();
    for line in markdown.lines() {
        let ticks = line.bytes().take_while(|b| *b == b'`').count();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(length) if ticks >= length => fence = None,
            None => shown.push(line),
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "a fence never closed");
    shown.join("\n")
}

#[test]
fn a_shouting_build_commands_no_actions_runner() {
    for end in ["exit 0", "exit 9"] {
        let sandbox = knowing(shouting(end)).on("github-push");
        let run = sandbox.run(&["run"]).exits(i32::from(end == "exit 9"));
        run.says(&["the password is"]);
        commands_nothing(&run);
        let outputs = sandbox.outputs();
        assert_ne!(outputs["digest"], "evil");
        assert_eq!(sandbox.runner_file("GITHUB_ENV"), "");
        assert_eq!(sandbox.runner_file("GITHUB_PATH"), "");
        let summary = outside_of_fences(&sandbox.summary());
        assert!(!summary.contains("<img") && !summary.contains("](javascript"), "{summary}");
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_shouting_build_opens_no_gitlab_section() {
    let sandbox = knowing(shouting("exit 9")).on("gitlab-branch").hidden("fixture-job-token-64_aBcDeFgHiJ");
    let run = sandbox.run(&["run"]).exits(1);
    let sections = super::runners::gitlab_sections(&run.stdout);
    assert!(!sections.is_empty() && sections.iter().all(|s| !s.contains("evil")), "{sections:?}");
    let rest = super::runners::without_section_markers(&run.text());
    commands_no_terminal(&rest);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_hostile_branch_name_is_only_a_name() {
    let branch = "evil/$(touch-pwned);`id`|&<img-src=x>'\"%0A,::error::x";
    let sandbox = small(Sandbox::new());
    // git takes no colon in a branch name, a runner's variable might hold one all the same.
    let branch = branch.replace("::", "__");
    sandbox.git(&["checkout", "--quiet", "-b", &branch]);
    let sandbox = sandbox
        .config(
            "version: 1
builds:
  - {id: app, kind: docker, build_args: {BRANCH: '{branch}'}}
targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: ['{branch}', 'x-{branch}-{sha:8}']}
",
        )
        .file("Dockerfile", "FROM scratch\nARG BRANCH\nCOPY hello.txt /\n")
        .on("github-push")
        .buildkitd()
        .var("GITHUB_REF", &format!("refs/heads/{branch}"))
        .var("GITHUB_REF_NAME", &branch);
    let run = sandbox.run(&["run"]).succeeds();
    let tags = sandbox.registry().tags(&format!("live/{}", sandbox.id));
    assert_eq!(tags.len(), 2, "{tags:?}");
    commands_nothing(&run);
    assert!(!sandbox.summary().contains("<img"), "{}", sandbox.summary());
    assert_eq!(sandbox.result()["context"]["branch"], branch);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_hostile_commit_and_hostile_labels_are_only_text() {
    let sandbox = to_one_registry();
    sandbox.commit("::error::evil\n\n\u{1b}[2J ##[add-path]/evil <img src=x>");
    let sandbox = sandbox
        .on("github-push")
        .buildkitd()
        .var("INPUT_LABELS", "org.example.x=::set-output name=digest::evil\norg.example.y=</details><img src=x>");
    let run = sandbox.run(&["run"]).succeeds();
    commands_nothing(&run);
    assert!(!sandbox.summary().contains("<img"), "{}", sandbox.summary());
    sandbox.assert_tidy(&run);
}
