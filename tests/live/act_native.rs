//! The native action: the binary itself on a runner that has no Docker actions. act runs its jobs as its own processes here.

use sha2::{Digest as _, Sha256};

use crate::support::act::{Jobs, ours, workflow};
use crate::support::{Sandbox, Testbed, Web};

const CONFIG: &str = "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'native/{id}', tags: ['1.0', latest]}
";

/// A project with the action in it, as it is in a checkout, and a step that gives it these inputs.
fn project(with: &str) -> Sandbox {
    project_in(Sandbox::new(), with, CONFIG)
}

fn project_in(sandbox: Sandbox, with: &str, config: &str) -> Sandbox {
    let id = sandbox.id.clone();
    let with = sandbox.fill(with);
    let sandbox = sandbox
        .file("hello.txt", &id)
        .file("Dockerfile", "FROM scratch\nCOPY hello.txt /hello.txt\n")
        .config(config)
        .file(".github/workflows/image.yml", &workflow(&id, &format!("        uses: ./native\n{with}")))
        .file("native/action.yml", &ours("native/action.yml"))
        .file("native/run", &ours("native/run"))
        .buildkitd();
    let script = sandbox.workspace().join("native/run");
    Testbed::tool("chmod", &["+x", script.to_str().unwrap()]);
    sandbox.commit("Let the script run");
    sandbox
}

fn binary() -> String {
    assert_cmd::cargo::cargo_bin!("stagefreight").to_str().unwrap().to_owned()
}

/// The line of `native/release` that a release writes for this machine.
fn released(sum: &str) -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => panic!("no release for {other}"),
    };
    format!("from http://nobody.invalid\n{arch} {sum}\n")
}

fn published(sandbox: &Sandbox, workflow: &crate::support::act::Workflow) {
    let repository = format!("native/{}", sandbox.id);
    let digest = sandbox.registry().digest(&repository, "latest");
    assert_eq!(sandbox.registry().tags(&repository), ["1.0", "latest"]);
    let (outputs, outcome) = workflow.seen();
    assert_eq!((outcome.as_str(), &outputs["digest"]), ("success", &digest));
    let host = &sandbox.testbed.registry;
    assert_eq!(outputs["tags"], format!("{host}/{repository}:1.0\n{host}/{repository}:latest"));
    assert!(workflow.summary().contains(&digest), "{}", workflow.summary());
}

#[test]
fn a_binary_of_the_runner_does_what_the_action_does() {
    let sandbox = project(&format!("        with: {{binary: '{}'}}\n", binary()));
    let workflow = sandbox.act(Jobs::Native, &[]).exits(0);
    published(&sandbox, &workflow);
}

/// What the release wrote is downloaded once, and only what it wrote is run.
#[test]
fn the_released_binary_is_downloaded_once_and_checked() {
    let program = std::fs::read(binary()).unwrap();
    let sum = hex::encode(Sha256::digest(&program));
    // Text is all this server serves: a script that starts the real program stands for the binary.
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", binary());
    let good = hex::encode(Sha256::digest(&script));
    assert_ne!(good, sum);
    let served = script.clone();
    let web = Web::start(move |_| Some(served.clone()));
    let at = |sandbox: Sandbox| {
        let url = web.url();
        let tools = sandbox.path().join("tools");
        std::fs::create_dir_all(&tools).unwrap();
        let more = format!("STAGEFREIGHT_DOWNLOADS={url}");
        let cache = format!("RUNNER_TOOL_CACHE={}", tools.display());
        (sandbox, more, cache)
    };

    // Another sum: nothing runs, nothing is kept.
    let (sandbox, mirror, cache) = at(project("").file("native/release", &released(&sum)));
    let workflow = sandbox.act(Jobs::Native, &["--env", &mirror, "--env", &cache]).exits(1);
    assert!(workflow.annotations().iter().any(|a| a.text.contains("its SHA-256 is not")), "{}", workflow.text());
    assert_eq!(sandbox.registry().tags(&format!("native/{}", sandbox.id)), [""; 0]);
    assert_eq!(web.calls(), 1);

    let (sandbox, mirror, cache) = at(project("").file("native/release", &released(&good)));
    let workflow = sandbox.act(Jobs::Native, &["--env", &mirror, "--env", &cache]).exits(0);
    published(&sandbox, &workflow);
    assert_eq!(web.calls(), 2);
    sandbox.act(Jobs::Native, &["--env", &mirror, "--env", &cache]).exits(0);
    assert_eq!(web.calls(), 2, "the second run takes what the first has kept");
}

/// Names with dashes, values with line ends, quotes and dollars: by the environment, as they were written.
#[test]
fn inputs_arrive_as_they_were_written() {
    let inputs = format!(
        "        with:
          binary: '{}'
          dry-run: false
          tags: |
            {{registry}}/native/{{id}}:a
            {{registry}}/native/{{id}}:b
          labels: |
            org.example.quoted=it's \"so\", $HOME `id` %0A
",
        binary()
    );
    let sandbox = Sandbox::new();
    let sandbox = project_in(sandbox, &inputs, CONFIG.split("targets:").next().unwrap());
    sandbox.act(Jobs::Native, &[]).exits(0);
    let repository = format!("native/{}", sandbox.id);
    assert_eq!(sandbox.registry().tags(&repository), ["a", "b"]);
    let config = sandbox.registry().config(&repository, "a");
    assert_eq!(config["config"]["Labels"]["org.example.quoted"], "it's \"so\", $HOME `id` %0A");

    let sandbox = project(&format!("        with: {{binary: '{}', dry-run: true, command: run}}\n", binary()));
    let workflow = sandbox.act(Jobs::Native, &[]).exits(0);
    assert_eq!(sandbox.registry().tags(&format!("native/{}", sandbox.id)), [""; 0], "{}", workflow.text());
}

#[test]
fn a_checkout_without_a_binary_says_what_to_do() {
    let sandbox = project("");
    let workflow = sandbox.act(Jobs::Native, &[]).exits(1);
    let said = workflow.annotations();
    assert!(said.iter().any(|a| a.text.contains("this is a checkout, not a release")), "{said:?}\n{}", workflow.text());
}
