//! The action as users have it: a workflow, run by act on a real docker engine, that `uses: ./`. What the next step sees,
//! what the summary and the annotations say, and what the registry holds.

use crate::support::act::{self, Jobs, ON_DOCKER, OurImage, released_action, workflow};
use crate::support::{Engine, Sandbox, Testbed};

const TARGETS: &str = "targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'act/{id}', tags: ['1.0', latest]}
";

/// A project that uses the action: a Dockerfile, a configuration, a workflow whose step is this.
fn project(dockerfile: &str, step: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let id = sandbox.id.clone();
    sandbox
        .file("hello.txt", &id)
        .file("Dockerfile", dockerfile)
        .config(&format!("{ON_DOCKER}{TARGETS}"))
        .file(".github/workflows/image.yml", &workflow(&id, step))
        .docker()
}

const GOOD: &str = "FROM scratch\nCOPY hello.txt /hello.txt\n";

/// The registry holds the image under both tags, the outputs say so, and the file in it is ours.
fn published(sandbox: &Sandbox, workflow: &act::Workflow) {
    let repository = format!("act/{}", sandbox.id);
    let registry = sandbox.registry();
    assert_eq!(registry.tags(&repository), ["1.0", "latest"], "{}", workflow.text());
    let digest = registry.digest(&repository, "latest");
    let (outputs, outcome) = workflow.seen();
    assert_eq!(outcome, "success");
    let host = &sandbox.testbed.registry;
    assert_eq!(outputs["digest"], digest);
    assert_eq!(outputs["image"], format!("{host}/{repository}@{digest}"));
    assert_eq!(outputs["tags"], format!("{host}/{repository}:1.0\n{host}/{repository}:latest"));
    assert_eq!(outputs["imageid"], registry.manifest(&repository, "1.0").unwrap().body["config"]["digest"]);
    let published: serde_json::Value = serde_json::from_str(&outputs["published"]).unwrap();
    assert_eq!(published.as_array().unwrap().len(), 2);
    let metadata: serde_json::Value = serde_json::from_str(&outputs["metadata"]).unwrap();
    assert_eq!(metadata["containerimage.digest"], digest);
    assert_eq!(sandbox.workspace().join(&outputs["result"]), sandbox.workspace().join(".stagefreight/result.json"));
    assert_eq!(sandbox.result()["status"], "success");

    let engine = Engine::new(&sandbox.testbed.docker_host);
    let name = format!("{host}/{repository}:latest");
    assert!(engine.pull(&name), "what is published can be pulled");
    assert_eq!(engine.file_of(&name, "/hello.txt"), sandbox.id);
    engine.remove_image(&name);
    let summary = workflow.summary();
    for text in [digest.as_str(), "latest", "Published"] {
        assert!(summary.contains(text), "{text}:\n{summary}");
    }
    assert_eq!(workflow.annotations(), []);
}

#[test]
fn a_released_action_publishes_and_the_next_step_sees_its_outputs() {
    let sandbox = project(GOOD, "        uses: ./\n").file("action.yml", &released_action());
    let workflow = sandbox.act(Jobs::Here, &[]).exits(0);
    published(&sandbox, &workflow);
    assert_eq!(sandbox.result()["context"]["forge"], "github");
    assert_eq!(sandbox.result()["builder"]["driver"], "docker-container");
    sandbox.assert_no_secret();
}

#[test]
fn a_failing_build_is_told_on_its_line_and_publishes_nothing() {
    let dockerfile = "FROM busybox\nCOPY hello.txt /\nRUN echo ::error::forged && exit 7\n";
    let sandbox = project(dockerfile, "        uses: ./\n").file("action.yml", &released_action());
    let workflow = sandbox.act(Jobs::Here, &[]).exits(1);
    assert_eq!(sandbox.registry().tags(&format!("act/{}", sandbox.id)), [""; 0]);
    let (outputs, outcome) = workflow.seen();
    assert_eq!(outcome, "failure");
    assert_eq!(outputs["digest"], "");
    assert_eq!(sandbox.result()["status"], "failure");
    let annotations = workflow.annotations();
    let on_line = annotations.iter().filter(|a| a.file.as_deref() == Some("Dockerfile"));
    let on_line: Vec<_> = on_line.map(|a| (a.level.as_str(), a.line)).collect();
    assert!(!on_line.is_empty() && on_line.iter().all(|found| *found == ("error", Some(3))), "{annotations:?}");
    assert!(
        annotations.iter().all(|a| a.text.trim() != "forged"),
        "a build log gave the runner a command: {annotations:?}"
    );
    let summary = workflow.summary();
    assert!(summary.contains("exit code: 7") || summary.contains("exit code 7"), "{summary}");
}

/// As a checkout has it: the runner builds the image from our Dockerfile, then runs it.
#[test]
fn a_checkout_of_the_action_runs_from_its_own_dockerfile() {
    let sandbox = Sandbox::new();
    let id = sandbox.id.clone();
    // act looks for the image under this name before it builds one; GitHub's command has built it.
    let engine = Engine::new(&sandbox.testbed.docker_host);
    let name = format!("act-action-{id}-dockeraction:latest");
    OurImage::build(&name);
    let sandbox = sandbox
        .file("hello.txt", &id)
        .file("Dockerfile", GOOD)
        .config(&format!("{ON_DOCKER}{TARGETS}"))
        .file(&format!("action-{id}/action.yml"), &act::ours("action.yml"))
        .file(&format!("action-{id}/Dockerfile"), &act::ours("Dockerfile"))
        .file(".github/workflows/image.yml", &workflow(&id, "        uses: ./action-{id}\n"))
        .docker();
    let workflow = sandbox.act(Jobs::Here, &["--rebuild=false"]).exits(0);
    engine.remove_image(&name);
    published(&sandbox, &workflow);
}

/// Forgejo's default: jobs see no engine. A BuildKit daemon does instead, and the same action tells whose runner it is on.
#[test]
fn gitea_and_forgejo_build_on_a_daemon_without_an_engine() {
    for (variable, forge) in [("GITEA_ACTIONS", "gitea"), ("FORGEJO_ACTIONS", "forgejo")] {
        let sandbox = project(GOOD, "        uses: ./\n").file("action.yml", &released_action());
        let certs = sandbox.workspace().join(".certs");
        sandbox.write(".git/info/exclude", "/.certs/\n");
        Testbed::tool("cp", &["-rL", sandbox.testbed.buildkit_certs.to_str().unwrap(), certs.to_str().unwrap()]);
        let vars = [
            format!("{variable}=true"),
            "GITEA_ACTIONS=true".to_owned(),
            format!("BUILDKIT_HOST={}", sandbox.testbed.buildkit_host),
            format!("BUILDKIT_CERT_PATH={}", certs.display()),
        ];
        let mut more = vec!["--container-daemon-socket", "-"];
        more.extend(vars.iter().flat_map(|var| ["--env", var.as_str()]));
        let workflow = sandbox.act(Jobs::Here, &more).exits(0);
        published(&sandbox, &workflow);
        assert_eq!(sandbox.result()["context"]["forge"], forge);
        assert_eq!(sandbox.result()["builder"]["driver"], "remote");
    }
}

/// Every kind of input, with the characters that trouble shells and lists.
#[test]
fn inputs_arrive_as_they_were_written() {
    let step = "        uses: ./
        with:
          dry-run: false
          tags: |
            {registry}/act/{id}:a
            {registry}/act/{id}:b
          labels: |
            org.example.quoted=it's \"so\", $HOME `id` %0A
          build-args: |
            GREETING=hello, world
          secrets: |
            token=not-in-the-log-{id}
";
    let dockerfile = "FROM busybox\nARG GREETING\nRUN --mount=type=secret,id=token \\
    echo \"$GREETING\" > /greeting && sha256sum < /run/secrets/token > /sum\n";
    let sandbox = Sandbox::new();
    let id = sandbox.id.clone();
    let step = sandbox.fill(step);
    let secret = format!("not-in-the-log-{}", sandbox.id);
    let sandbox = sandbox
        .file("Dockerfile", dockerfile)
        .config(ON_DOCKER)
        .file(".github/workflows/image.yml", &workflow(&id, &step))
        .file("action.yml", &released_action())
        .docker();
    let workflow = sandbox.act(Jobs::Here, &[]).exits(0);
    let repository = format!("act/{}", sandbox.id);
    assert_eq!(sandbox.registry().tags(&repository), ["a", "b"]);
    let config = sandbox.registry().config(&repository, "a");
    assert_eq!(config["config"]["Labels"]["org.example.quoted"], "it's \"so\", $HOME `id` %0A");
    let engine = Engine::new(&sandbox.testbed.docker_host);
    let name = format!("{}/{repository}:a", sandbox.testbed.registry);
    assert!(engine.pull(&name));
    assert_eq!(engine.file_of(&name, "/greeting"), "hello, world\n");
    engine.remove_image(&name);
    // act itself prints what `with` says; our own lines do not.
    assert!(workflow.raw().all(|line| !line.contains(&secret)), "{}", workflow.text());
    assert!(!workflow.summary().contains(&secret));
}

/// `command` chooses what is done, and a word that is none is an error of the step.
#[test]
fn the_action_plans_and_refuses_what_it_does_not_know() {
    let sandbox =
        project(GOOD, "        uses: ./\n        with: {command: plan}\n").file("action.yml", &released_action());
    let workflow = sandbox.act(Jobs::Here, &[]).exits(0);
    assert!(workflow.raw().any(|line| line.contains(&format!("act/{}", sandbox.id))), "{}", workflow.text());
    assert_eq!(sandbox.registry().tags(&format!("act/{}", sandbox.id)), [""; 0]);

    let sandbox = project(GOOD, "        uses: ./\n        with: {command: 'run --push'}\n")
        .file("action.yml", &released_action());
    let workflow = sandbox.act(Jobs::Here, &[]).exits(1);
    assert!(workflow.text().contains("unrecognized subcommand"), "{}", workflow.text());
}
