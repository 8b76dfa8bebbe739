//! Text of others: what a build prints, what a branch is called. It is shown, and it commands nothing.

use base64::Engine as _;
use pulldown_cmark::{Event, Tag};

use crate::scenery::runner_model as model;
use crate::support::{Finished, Sandbox};

use super::publish::{small, to_one_registry};

/// What a runner may be told in our log.
const OURS: [&str; 7] = ["group", "endgroup", "error", "warning", "notice", "stop-commands", "resume"];

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

/// Neither a runner that heeds `stop-commands` nor one that does not, nor a viewer of its log.
fn commands_nothing(run: &Finished) {
    for heeds in [true, false] {
        let read = model::actions_log(run.stdout.as_bytes(), heeds);
        assert!(!read.still_stopped, "the runner obeys nothing to the end:\n{}", run.stdout);
        for command in &read.commands {
            assert!(OURS.contains(&command.name.as_str()), "obeyed: {command:?}");
            assert!(command.name != "group" || !command.data.contains("evil"), "obeyed: {command:?}");
            assert!(!command.data.contains("evil annotation"), "obeyed: {command:?}");
        }
        let count = |name: &str| read.commands.iter().filter(|command| command.name == name).count();
        assert_eq!(count("group"), count("endgroup"), "{}", run.stdout);
        if heeds {
            assert_eq!(count("stop-commands"), count("resume"), "{}", run.stdout);
            let relayed = read.text.iter().filter(|(line, _)| line.starts_with("  [") && line.contains("] | "));
            relayed.for_each(|(line, stopped)| assert!(stopped, "relayed where it is obeyed: {line:?}"));
        }
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

/// Nothing that a build said became an image or a link of the page. In code, everything is only text.
fn shows_only_text(markdown: &str) {
    let options = pulldown_cmark::Options::all();
    for event in pulldown_cmark::Parser::new_ext(markdown, options) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => assert!(!html.contains("<img"), "{html}\n{markdown}"),
            Event::Start(Tag::Image { dest_url, .. }) => panic!("an image of {dest_url}\n{markdown}"),
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("https://"), "a link to {dest_url}\n{markdown}");
                assert!(!dest_url.contains("evil"), "a link to {dest_url}\n{markdown}");
            }
            _ => {}
        }
    }
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
        // Whatever the other stream was in the middle of.
        assert_eq!(
            sandbox.summary().contains("- `Dockerfile:3` main.c:3:1: "),
            end == "exit 9",
            "{}",
            sandbox.summary()
        );
        shows_only_text(&sandbox.summary());
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
    shows_only_text(&sandbox.summary());
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
    shows_only_text(&sandbox.summary());
    sandbox.assert_tidy(&run);
}

/// A build that prints the whole corpus of attacks, byte for byte, on both of its streams.
fn printing_the_corpus(end: &str) -> Sandbox {
    let sandbox = to_one_registry();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/hostile");
    let target = sandbox.workspace().join("corpus");
    std::fs::create_dir(&target).unwrap();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        std::fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
    let script = format!("for attack in /corpus/*; do cat $attack; echo; cat $attack >&2; echo >&2; done; {end}");
    let dockerfile = format!("FROM busybox\nCOPY corpus /corpus\nRUN {script} # {}\n", sandbox.id);
    sandbox.file("Dockerfile", &dockerfile).buildkitd()
}

#[test]
fn a_build_that_prints_every_attack_is_only_read() {
    for (runner, end) in [("github-push", "exit 9"), ("forgejo-push", "exit 0"), ("gitea-push", "exit 9")] {
        let sandbox = printing_the_corpus(end).on(runner);
        let run = sandbox.run(&["run"]).exits(i32::from(end == "exit 9"));
        // Shown, and some of it broken so that it is only text.
        run.says(&["text after", ": :error::evil", "## [error]evil"]);
        commands_nothing(&run);
        let outputs = model::file_command(&sandbox.runner_file("GITHUB_OUTPUT")).unwrap();
        let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
        let mut known: Vec<&str> = stagefreight::report::OUTPUTS.iter().map(|spec| spec.name).collect();
        known.sort_unstable();
        assert_eq!(names, known);
        assert_eq!(
            (sandbox.runner_file("GITHUB_ENV"), sandbox.runner_file("GITHUB_PATH")),
            (String::new(), String::new())
        );
        shows_only_text(&sandbox.summary());
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_build_that_prints_every_attack_on_gitlab_opens_no_section() {
    let sandbox = printing_the_corpus("exit 9").on("gitlab-branch").hidden("fixture-job-token-64_aBcDeFgHiJ");
    let run = sandbox.run(&["run"]).exits(1);
    let sections = model::gitlab_sections(&run.stdout).unwrap();
    assert!(sections.len() >= 3 && sections.iter().all(|section| !section.contains("evil")), "{sections:?}");
    assert_eq!(model::terminal_commands(&model::without_markers(&run.text())), [""; 0]);
    let page = std::fs::read_to_string(sandbox.workspace().join(".stagefreight/report.html")).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_run_that_is_stopped_while_it_relays_leaves_a_runner_that_obeys() {
    let step = crate::support::LongStep::new();
    let dockerfile = format!("FROM busybox\nRUN echo ::error::evil; {}\n", step.command());
    let sandbox = to_one_registry().file("Dockerfile", &dockerfile).on("github-push").buildkitd();
    let running = sandbox.start(&["run"]);
    step.runs();
    running.signal(rustix::process::Signal::TERM);
    let run = running.wait(std::time::Duration::from_secs(20)).exits(143);
    commands_nothing(&run);
    assert!(
        model::actions_log(run.stdout.as_bytes(), true).commands.iter().any(|c| c.name == "resume"),
        "{}",
        run.stdout
    );
    step.ends();
    sandbox.assert_tidy(&run);
}
