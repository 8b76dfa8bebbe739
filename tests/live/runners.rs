//! The same run under each runner: what it reads afterwards, and what it may not be given.

use crate::support::{Sandbox, outputs};

use super::publish::{small, to_one_registry};

/// Names of the sections of a GitLab log, in order; panics where one is not closed or markers are broken.
pub(crate) fn gitlab_sections(log: &str) -> Vec<String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    for part in log.split("\u{1b}[0Ksection_").skip(1) {
        let marker = part.split('\r').next().unwrap();
        let mut fields = marker.splitn(3, ':');
        let (kind, at, name) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        assert!(at.parse::<u64>().unwrap() > 1_700_000_000, "{marker}");
        let name = name.split('[').next().unwrap().to_owned();
        match kind {
            "start" => {
                open.push(name.clone());
                all.push(name);
            }
            "end" => assert_eq!(open.pop(), Some(name), "sections end in the order they began"),
            other => panic!("{other}"),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    all
}

/// The log without the markers GitLab reads.
pub(crate) fn without_section_markers(log: &str) -> String {
    let marker =
        regex::Regex::new("\u{1b}\\[0Ksection_(start|end):[0-9]+:[A-Za-z0-9_.-]+(\\[collapsed=true\\])?\r\u{1b}\\[0K");
    marker.unwrap().replace_all(log, "").into_owned()
}

/// Groups of an Actions log: none inside another, each closed.
fn actions_groups(log: &str) -> Vec<String> {
    let (mut open, mut all) = (false, Vec::new());
    for line in log.lines() {
        if let Some(title) = line.strip_prefix("::group::") {
            assert!(!open, "groups do not nest: {title}");
            open = true;
            all.push(title.to_owned());
        } else if line == "::endgroup::" {
            assert!(open, "nothing to end");
            open = false;
        }
    }
    assert!(!open, "never closed");
    all
}

fn on_actions(fixture: &str) -> Sandbox {
    to_one_registry().on(fixture).buildkitd()
}

fn outputs_are_right(sandbox: &Sandbox) {
    let repository = format!("live/{}", sandbox.id);
    let digest = sandbox.registry().digest(&repository, "latest");
    let outputs = sandbox.outputs();
    let names: Vec<_> = outputs.keys().map(String::as_str).collect();
    let all = [
        "digest",
        "image",
        "imageid",
        "metadata",
        "provenance",
        "published",
        "result",
        "tags",
        "trust-level",
        "version",
    ];
    assert_eq!(names, all);
    assert_eq!((outputs["provenance"].as_str(), outputs["trust-level"].as_str()), ("", ""), "nothing was to be proven");
    let host = &sandbox.testbed.registry;
    assert_eq!(outputs["digest"], digest);
    assert_eq!(outputs["image"], format!("{host}/{repository}@{digest}"));
    assert_eq!(outputs["tags"], format!("{host}/{repository}:1.0\n{host}/{repository}:latest"));
    assert_eq!(outputs["imageid"], sandbox.registry().manifest(&repository, "1.0").unwrap().body["config"]["digest"]);
    assert!(outputs["version"].starts_with("0.0.0-dev+"), "{}", outputs["version"]);
    let metadata: serde_json::Value = serde_json::from_str(&outputs["metadata"]).unwrap();
    assert_eq!(metadata["containerimage.digest"], digest);
    let published: serde_json::Value = serde_json::from_str(&outputs["published"]).unwrap();
    assert_eq!(published.as_array().unwrap().len(), 2);
    assert_eq!(published[0]["digest"], digest);
    assert_eq!(sandbox.workspace().join(&outputs["result"]), sandbox.workspace().join(".stagefreight/result.json"));
}

#[test]
fn github_reads_outputs_and_a_summary() {
    let sandbox = on_actions("github-push").hidden("ghs_fixtureTokenOfThisJob000000000000000");
    let run = sandbox.run(&["run"]).succeeds();
    outputs_are_right(&sandbox);
    let summary = sandbox.summary();
    let digest = sandbox.outputs()["digest"].clone();
    for text in [digest.as_str(), "latest", "COPY", "Published", "not proven"] {
        assert!(summary.contains(text), "{text}:\n{summary}");
    }
    assert!(actions_groups(&run.stdout).iter().any(|g| g.contains("app")), "{}", run.stdout);
    run.is_silent_about(&["::error", "::warning"]);
    assert_eq!(sandbox.result()["context"]["forge"], "github");
    assert_eq!(sandbox.result()["context"]["repository"], "acme/app");
    sandbox.assert_tidy(&run);
}

#[test]
fn forgejo_and_gitea_read_the_same_outputs() {
    for (fixture, forge) in [("forgejo-push", "forgejo"), ("gitea-push", "gitea")] {
        let sandbox = on_actions(fixture);
        let run = sandbox.run(&["run"]).succeeds();
        outputs_are_right(&sandbox);
        assert_eq!(sandbox.result()["context"]["forge"], forge);
        assert!(!actions_groups(&run.stdout).is_empty());
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_summary_of_steps_before_stays() {
    let sandbox = on_actions("github-push");
    std::fs::write(&sandbox.vars["GITHUB_STEP_SUMMARY"], "of a step before").unwrap();
    std::fs::write(&sandbox.vars["GITHUB_OUTPUT"], "mine=1").unwrap();
    sandbox.run(&["run"]).succeeds();
    assert!(sandbox.summary().starts_with("of a step before\n"), "{}", sandbox.summary());
    assert_eq!(sandbox.outputs()["mine"], "1");
}

#[test]
fn gitlab_reads_a_dotenv_report_and_sections() {
    let sandbox = to_one_registry().on("gitlab-branch").buildkitd().hidden("fixture-job-token-64_aBcDeFgHiJ");
    let run = sandbox.run(&["run"]).succeeds();
    let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight/outputs.env")).unwrap();
    let variables = outputs::dotenv(&text);
    let repository = format!("live/{}", sandbox.id);
    let digest = sandbox.registry().digest(&repository, "latest");
    let host = &sandbox.testbed.registry;
    assert_eq!(variables["STAGEFREIGHT_DIGEST"], digest);
    assert_eq!(variables["STAGEFREIGHT_IMAGE_TAGS"], format!("{host}/{repository}:1.0,{host}/{repository}:latest"));
    assert_eq!(variables["STAGEFREIGHT_METADATA"], ".stagefreight/metadata.json");
    assert_eq!(sandbox.document("metadata.json")["containerimage.digest"], digest);
    assert!(gitlab_sections(&run.stdout).len() >= 2, "{:?}", run.stdout);
    run.is_silent_about(&["::group::", "::error"]);
    assert_eq!(sandbox.result()["context"]["forge"], "gitlab");
    sandbox.assert_tidy(&run);
}

#[test]
fn gitlabs_own_registry_needs_no_configuration() {
    let sandbox = small(Sandbox::new());
    let (user, password) = (sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
    let address = sandbox.testbed.registry_auth.clone();
    let sandbox = sandbox
        .config(
            "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: own, kind: registry, build: app, url: '{env:CI_REGISTRY}', path: 'live/{id}', tags: [latest]}
",
        )
        .on("gitlab-branch")
        .buildkitd()
        .var("CI_REGISTRY", &address)
        .var("CI_REGISTRY_USER", &user)
        .secret("CI_REGISTRY_PASSWORD", &password);
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(sandbox.registry_auth().tags(&format!("live/{}", sandbox.id)), ["latest"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_fork_gets_no_credentials_and_publishes_nothing() {
    for fixture in ["github-fork-pr", "forgejo-fork-pr", "gitlab-mr-fork"] {
        let sandbox = small(Sandbox::new()).config(
            "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: locked, kind: registry, build: app, url: '{registry_auth}', path: 'live/{id}', credentials: AUTH, tags: [latest]}
  - {id: open, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}
",
        );
        let password = sandbox.testbed.password.clone();
        let sandbox = sandbox.on(fixture).buildkitd().var("AUTH_USER", "testbed").secret("AUTH_TOKEN", &password);
        let run = sandbox.run(&["run"]).succeeds();
        assert_eq!(sandbox.registry_auth().tags(&format!("live/{}", sandbox.id)), [""; 0], "{fixture}");
        assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0], "{fixture}");
        let result = sandbox.result();
        assert_eq!(result["context"]["trusted"], false);
        assert_eq!(result["builds"][0]["state"], "done", "it is still built");
        run.says(&["fork", "withheld"]);
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_pull_request_leaves_out_targets_for_pushes_and_says_why() {
    let sandbox = small(Sandbox::new())
        .config(
            "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest], when: {events: [push]}}
  - {id: preview, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: ['pr-{sha:8}'], when: {events: [pull_request]}}
",
        )
        .on("github-pull-request")
        .buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let tags = sandbox.registry().tags(&format!("live/{}", sandbox.id));
    assert_eq!(tags.len(), 1);
    assert!(tags[0].starts_with("pr-"), "{tags:?}");
    let targets = sandbox.result()["builds"][0]["targets"].clone();
    let hub = targets.as_array().unwrap().iter().find(|t| t["id"] == "hub").unwrap();
    assert_eq!(hub["included"], false);
    assert!(hub["why"].as_str().unwrap().contains("pull_request"), "{hub}");
    assert!(sandbox.summary().contains("hub"), "{}", sandbox.summary());
    sandbox.assert_tidy(&run);
}

#[test]
fn a_checkout_without_git_or_of_another_owner_builds() {
    let sandbox = to_one_registry().buildkitd();
    std::fs::remove_dir_all(sandbox.workspace().join(".git")).unwrap();
    let run = sandbox.run(&["run"]).succeeds();
    assert!(sandbox.result()["version"]["full"].as_str().unwrap().starts_with("0.0.0"), "{}", sandbox.result());
    sandbox.assert_tidy(&run);

    let sandbox = to_one_registry().buildkitd();
    crate::support::Testbed::tool("chown", &["-R", "12345:12345", sandbox.workspace().to_str().unwrap()]);
    let head = sandbox.git(&["-c", "safe.directory=*", "rev-parse", "HEAD"]);
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(sandbox.result()["context"]["commit"], head, "dubious ownership is no obstacle");
    sandbox.assert_tidy(&run);
}
