//! Tags as one transaction: what is never moved, what is put back, what another run may do meanwhile, and running again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::support::{Registry, Sandbox, within};

use super::publish::small;

/// A checkout that publishes `tags` to the first registry, and to the second through a proxy.
fn publishing(tags: &str, more: &str, rules: impl IntoIterator<Item = Rule>) -> (Sandbox, FaultProxy) {
    let sandbox = small(Sandbox::new());
    let proxy = FaultProxy::start(&sandbox.testbed.registry2, rules);
    let config = format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: plain, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: {tags}}}
  - {{id: proxied, kind: registry, build: app, url: '{}', path: 'live/{{id}}', tags: {tags}}}
{more}
",
        proxy.host()
    );
    (sandbox.config(&config).buildkitd(), proxy)
}

fn repository(sandbox: &Sandbox) -> String {
    format!("live/{}", sandbox.id)
}

fn both(sandbox: &Sandbox) -> [Registry; 2] {
    [sandbox.registry(), sandbox.registry2()]
}

/// Somebody else's image under a tag, of the commit it names, if any.
fn put(registry: &Registry, sandbox: &Sandbox, tag: &str, revision: Option<&str>) -> String {
    let labels = revision.map_or(json!({}), |sha| json!({"org.opencontainers.image.revision": sha}));
    registry.put_image(&repository(sandbox), tag, &labels)
}

fn others(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.result()["builds"][0]["others"].as_array().cloned().unwrap_or_default()
}

fn denied() -> Fault {
    Fault::Answer(403, vec![], r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#.to_owned())
}

#[test]
fn a_fixed_tag_of_another_image_fails_the_run_before_anything_moves() {
    let (sandbox, _proxy) = publishing("['1.0.0', latest]", "", []);
    let theirs = put(&sandbox.registry2(), &sandbox, "1.0.0", None);
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["1.0.0 exists and names another image", "fixed_tags"]);
    assert!(sandbox.registry().tags(&repository(&sandbox)).is_empty(), "nothing moved in the other registry either");
    assert_eq!(sandbox.registry2().tags(&repository(&sandbox)), ["1.0.0"]);
    assert_eq!(sandbox.registry2().digest(&repository(&sandbox), "1.0.0"), theirs);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_fixed_tag_of_another_image_is_left_or_replaced_where_the_config_says_so() {
    let (sandbox, _proxy) = publishing("['1.0.0', latest]", "publish: {fixed_tags: skip}", []);
    let theirs = put(&sandbox.registry2(), &sandbox, "1.0.0", None);
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(sandbox.registry2().digest(&repository(&sandbox), "1.0.0"), theirs);
    assert_eq!(others(&sandbox).len(), 1);
    assert_eq!(others(&sandbox)[0]["fate"], "left");
    assert_eq!(others(&sandbox)[0]["holds"], theirs);
    run.says(&["1.0.0 exists and names another image", "the registries do not agree on `1.0.0`"]);
    assert!(sandbox.registry2().tags(&repository(&sandbox)).contains(&"latest".to_owned()));

    let (sandbox, _proxy) = publishing("['1.0.0', latest]", "publish: {fixed_tags: replace}", []);
    let theirs = put(&sandbox.registry2(), &sandbox, "1.0.0", None);
    sandbox.run(&["run"]).succeeds();
    let digest = sandbox.result()["builds"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(sandbox.registry2().digest(&repository(&sandbox), "1.0.0"), digest);
    let published = sandbox.result()["builds"][0]["published"].clone();
    let replaced = published.as_array().unwrap().iter().find(|tag| tag["was"] == theirs);
    assert!(replaced.is_some(), "what it named before is recorded: {published}");
}

#[test]
fn a_finished_job_run_again_puts_nothing() {
    let (sandbox, proxy) = publishing("['1.0.0', latest]", "", []);
    sandbox.run(&["run"]).succeeds();
    let put_before = proxy.count("PUT", "/manifests/");
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(proxy.count("PUT", "/manifests/latest"), 1, "only the first run put it");
    assert_eq!(proxy.count("PUT", "/manifests/1.0.0"), 1);
    run.says(&["unchanged"]);
    assert_eq!(
        sandbox.result()["builds"][0]["published"].as_array().unwrap().len(),
        4,
        "all are published: {put_before}"
    );
    sandbox.assert_tidy(&run);
}

#[test]
fn a_failed_job_run_again_completes_the_publication() {
    let (sandbox, proxy) =
        publishing("['1.0.0', latest]", "", [Rule::new(denied()).on("PUT").at("/manifests/latest").times(1)]);
    sandbox.run(&["run"]).exits(1);
    for registry in both(&sandbox) {
        assert!(registry.tags(&repository(&sandbox)).is_empty());
    }
    let run = sandbox.run(&["run"]).succeeds();
    for registry in both(&sandbox) {
        assert_eq!(registry.tags(&repository(&sandbox)), ["1.0.0", "latest"]);
    }
    assert!(proxy.count("PUT", "/manifests/latest") >= 2);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_tag_that_another_run_takes_at_the_same_moment_is_theirs_and_said() {
    // Looked at, looked at again, and then read back: late enough for somebody else.
    let slow = Rule::new(Fault::Slow(Duration::from_secs(8))).on("GET").at("/manifests/latest").after(2);
    let (sandbox, proxy) = publishing("['1.0.0', latest]", "", [slow]);
    let running = sandbox.start(&["run"]);
    within(Duration::from_secs(60), "the tag is put", || (proxy.count("PUT", "/manifests/latest") > 0).then_some(()));
    within(Duration::from_secs(60), "the tag is read back", || {
        (proxy.count("GET", "/manifests/latest") > 2).then_some(())
    });
    let theirs = put(&sandbox.registry2(), &sandbox, "latest", None);
    let run = running.wait(Duration::from_secs(60)).exits(1);
    run.says(&["latest was published as", "reads back as", &theirs]);
    let digest = sandbox.result()["builds"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(
        sandbox.registry2().digest(&repository(&sandbox), "latest"),
        theirs,
        "each tag is one of the two, whole"
    );
    assert_eq!(sandbox.registry2().digest(&repository(&sandbox), "1.0.0"), digest);
    assert_eq!(sandbox.registry().digest(&repository(&sandbox), "latest"), digest);
    assert_eq!(others(&sandbox).len(), 1);
    assert_eq!(others(&sandbox)[0]["fate"], "taken");
    sandbox.assert_tidy(&run);
}

#[test]
fn what_another_run_took_is_not_put_back() {
    // The last tag is refused, but late: meanwhile somebody takes the first.
    let body = r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#.to_owned();
    let late = Rule::new(Fault::AnswerLate(Duration::from_secs(8), 403, body)).on("PUT").at("/manifests/latest");
    let (sandbox, proxy) = publishing("['1.0.0', latest]", "", [late]);
    let running = sandbox.start(&["run"]);
    within(Duration::from_secs(60), "the last tag is being put", || {
        (proxy.count("PUT", "/manifests/latest") > 0).then_some(())
    });
    let theirs = put(&sandbox.registry(), &sandbox, "1.0.0", None);
    let run = running.wait(Duration::from_secs(60)).exits(1);
    assert_eq!(sandbox.registry().digest(&repository(&sandbox), "1.0.0"), theirs);
    run.says(&["1.0.0 was taken by another run"]);
    let taken = others(&sandbox).into_iter().find(|other| other["fate"] == "taken").expect("what was taken is told");
    assert_eq!(taken["holds"], theirs);
    assert!(
        !sandbox.registry2().tags(&repository(&sandbox)).contains(&"1.0.0".to_owned()),
        "what was ours is taken back"
    );
    sandbox.assert_tidy(&run);
}

#[test]
fn taking_a_new_tag_back_leaves_its_siblings() {
    let rule = Rule::new(denied()).on("PUT").at("/manifests/latest").after(1);
    let (sandbox, _proxy) = publishing("['1.0.0', latest]", "", [rule]);
    let config = sandbox.workspace().join(".stagefreight.yml");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, written.replace("'1.0.0'", "'0.9.0'")).unwrap();
    sandbox.run(&["run"]).succeeds();
    let digest = sandbox.registry().digest(&repository(&sandbox), "0.9.0");
    // The same image under another fixed tag, beside one that cannot be put.
    std::fs::write(&config, written.replace("latest", "latest-2")).unwrap();
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["every tag that was put was taken back"]);
    for registry in both(&sandbox) {
        assert_eq!(registry.tags(&repository(&sandbox)), ["0.9.0", "latest"]);
        for tag in ["0.9.0", "latest"] {
            assert_eq!(registry.digest(&repository(&sandbox), tag), digest, "the sibling of a removed tag stays");
        }
    }
}

#[test]
fn registries_that_disagree_are_told_of_and_a_conflict_can_fail_the_run() {
    let unknown = "f".repeat(40);
    let (sandbox, _proxy) = publishing("['1.0.0', latest]", "", []);
    let theirs = put(&sandbox.registry2(), &sandbox, "latest", Some(&unknown));
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&["latest is left", "the registries do not agree on `latest`"]);
    assert_eq!(sandbox.registry2().digest(&repository(&sandbox), "latest"), theirs);
    assert!(sandbox.registry().tags(&repository(&sandbox)).contains(&"latest".to_owned()));
    assert!(sandbox.registry2().tags(&repository(&sandbox)).contains(&"1.0.0".to_owned()));

    let (sandbox, _proxy) = publishing("['1.0.0', latest]", "publish: {on_conflict: fail}", []);
    put(&sandbox.registry2(), &sandbox, "latest", Some(&unknown));
    sandbox.run(&["run"]).exits(1).says(&["latest may not be taken"]);
    assert!(sandbox.registry().tags(&repository(&sandbox)).is_empty(), "before any tag is put");
    assert_eq!(sandbox.registry2().tags(&repository(&sandbox)), ["latest"]);

    let (sandbox, _proxy) = publishing("['1.0.0', latest]", "publish: {moving_tags: always, on_conflict: fail}", []);
    let was = put(&sandbox.registry2(), &sandbox, "latest", Some(&unknown));
    sandbox.run(&["run"]).succeeds();
    assert_ne!(sandbox.registry2().digest(&repository(&sandbox), "latest"), was);
}

#[test]
fn two_runs_that_race_leave_each_tag_whole() {
    for _ in 0..3 {
        let (one, _proxy) = publishing("[a, b, c]", "publish: {moving_tags: always}", []);
        let repository = repository(&one);
        let config = std::fs::read_to_string(one.workspace().join(".stagefreight.yml")).unwrap();
        let two = small(Sandbox::new()).config(&config).buildkitd();
        let (first, second) = (one.start(&["run"]), two.start(&["run"]));
        let ended =
            [(first, &one), (second, &two)].map(|(running, sandbox)| (running.wait(Duration::from_secs(120)), sandbox));
        let digests = [&one, &two].map(|sandbox| sandbox.result()["builds"][0]["digest"].as_str().unwrap().to_owned());
        for registry in both(&one) {
            for tag in ["a", "b", "c"] {
                assert!(digests.contains(&registry.digest(&repository, tag)), "{tag} is one of the two");
            }
        }
        for (run, sandbox) in ended {
            // Whoever read back another's image failed and says so; whoever did not, did not.
            match sandbox.result()["exit_code"].as_i64() {
                Some(0) => drop(run.succeeds()),
                _ => drop(run.exits(1).says(&["reads back as"])),
            }
        }
    }
}
