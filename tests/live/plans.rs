//! `plan` and `--dry-run`: everything is told, nothing is touched.

use serde_json::Value;

use crate::support::Sandbox;

use super::publish::small;

fn planned() -> Sandbox {
    let dead = crate::scenery::dead_address();
    small(Sandbox::new())
        .config(&format!(
            "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: hub, kind: registry, build: app, url: '{dead}', path: 'live/app', tags: ['{{version}}', latest]}}
  - {{id: releases, kind: registry, build: app, url: '{dead}', path: 'live/app', tags: [stable], when: {{git_tags: ['^v']}}}}
"
        ))
        .buildkitd()
        .docker()
        .var("BUILDKIT_HOST", &format!("tcp://{dead}"))
        .var("DOCKER_HOST", &format!("tcp://{dead}"))
}

fn touches_nothing(args: &[&str]) -> crate::support::Finished {
    let sandbox = planned();
    sandbox.git(&["tag", "v3.0.0"]);
    sandbox.git(&["checkout", "--quiet", "-b", "feature/next"]);
    sandbox.commit("one more");
    let before = sandbox.tree();
    let run = sandbox.run(args).succeeds();
    assert_eq!(sandbox.tree(), before, "a plan touches nothing");
    run
}

#[test]
fn a_dry_run_touches_nothing_and_needs_nothing() {
    let run = touches_nothing(&["run", "--dry-run"]);
    run.says(&["app", "hub", "releases", "latest", "3.0.0-dev", "git tag"]);
}

#[test]
fn plan_says_the_same() {
    let plan = touches_nothing(&["plan"]);
    plan.says(&["app", "hub", "releases", "latest", "Dockerfile"]);
}

#[test]
fn plan_for_programs_is_json_alone() {
    let run = touches_nothing(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&run.stdout).unwrap();
    let text = plan.to_string();
    assert!(text.contains("\"app\"") && text.contains("releases"), "{text}");
}

#[test]
fn a_plan_is_the_same_every_time() {
    let sandbox = planned();
    let plan = |_| sandbox.run(&["plan", "--format", "json"]).succeeds().stdout;
    let plans: Vec<String> = (0..2).map(plan).collect();
    assert_eq!(plans[0], plans[1]);
}

#[test]
fn a_plan_shows_no_secret() {
    let sandbox = planned().hidden("hunter-two-hunter");
    let run = sandbox.run(&["plan", "--secret", "token=hunter-two-hunter", "--format", "json"]).succeeds();
    sandbox.assert_silent(&run);
    let run = sandbox.run(&["plan", "--secret", "token=hunter-two-hunter"]).succeeds();
    sandbox.assert_silent(&run);
}
