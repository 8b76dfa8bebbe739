//! Tags that move, and only forward: whole runs of older and newer commits, of releases, and of what cannot be told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::support::{Finished, Sandbox, within};

use super::publish::small;

const REVISION: &str = "org.opencontainers.image.revision";
const VERSION: &str = "org.opencontainers.image.version";

/// Targets of one registry, with tags and more of the config.
fn config(registry: &str, tags: &str, more: &str) -> String {
    format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{{id}}', tags: {tags}}}
{more}
"
    )
}

/// A checkout that publishes a tag that stays and one that moves.
fn on_a_branch(more: &str) -> Sandbox {
    small(Sandbox::new()).config(&config("{registry}", "['sha-{sha:8}', latest]", more)).buildkitd()
}

/// A checkout whose runs are those of git tags.
fn of_releases() -> Sandbox {
    let tags = "['{version}', '{major}.{minor}', '{major}', latest]";
    small(Sandbox::new()).config(&config("{registry}", tags, "")).on("github-tag").buildkitd()
}

/// Another checkout of the same repository: all that `branch` has, or only so many commits of it, at the commit `at`.
fn clone_of(origin: &Sandbox, branch: &str, depth: Option<u32>) -> Sandbox {
    let sandbox = Sandbox::new().buildkitd();
    let url = format!("file://{}", origin.workspace().display());
    let depth = depth.map(|commits| format!("--depth={commits}"));
    let mut args = vec!["fetch", "--quiet"];
    args.extend(depth.as_deref());
    args.extend([url.as_str(), branch]);
    sandbox.git(&args);
    sandbox.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    sandbox.git(&["remote", "set-url", "origin", &url]);
    sandbox
}

fn repository(sandbox: &Sandbox) -> String {
    format!("live/{}", sandbox.id)
}

fn head(sandbox: &Sandbox) -> String {
    sandbox.git(&["rev-parse", "HEAD"])
}

/// The tag that stays, of the commit that is checked out.
fn own_tag(sandbox: &Sandbox) -> String {
    format!("sha-{}", &head(sandbox)[..8])
}

fn next_commit(sandbox: &Sandbox, text: &str) -> String {
    sandbox.write("hello.txt", &format!("{} {text}", sandbox.id));
    sandbox.commit(text);
    head(sandbox)
}

/// The next commit, and the run for its git tag.
fn release(sandbox: &mut Sandbox, version: &str) -> Finished {
    next_commit(sandbox, version);
    release_of_this(sandbox, version)
}

fn release_of_this(sandbox: &mut Sandbox, version: &str) -> Finished {
    let (tag, commit) = (format!("v{version}"), head(sandbox));
    let vars = [("GITHUB_REF", format!("refs/tags/{tag}")), ("GITHUB_REF_NAME", tag), ("GITHUB_SHA", commit)];
    sandbox.vars.extend(vars.map(|(name, value)| (name.to_owned(), value)));
    sandbox.run(&["run"])
}

fn digest(sandbox: &Sandbox) -> String {
    sandbox.result()["builds"][0]["digest"].as_str().unwrap().to_owned()
}

fn others(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.result()["builds"][0]["others"].as_array().cloned().unwrap_or_default()
}

/// The only tag that was not put is this one: left on the image it names, for a reason and with a cure that say this.
#[track_caller]
fn left(sandbox: &Sandbox, tag: &str, holds: &str, why: &str, hint: &str) {
    let others = others(sandbox);
    let [other] = others.as_slice() else { panic!("one tag is left: {others:?}") };
    assert_eq!((&other["tag"], &other["fate"], &other["holds"]), (&json!(tag), &json!("left"), &json!(holds)));
    assert!(other["why"].as_str().unwrap().contains(why), "{why:?}: {other}");
    assert!(other["hint"].as_str().unwrap().contains(hint), "{hint:?}: {other}");
    assert_eq!(sandbox.result()["exit_code"], 0);
}

#[test]
fn a_newer_commit_takes_a_tag_and_an_older_one_does_not_take_it_back() {
    let sandbox = on_a_branch("");
    let (registry, repository) = (sandbox.registry(), repository(&sandbox));
    sandbox.git(&["branch", "old"]);
    let old = head(&sandbox);
    sandbox.run(&["run"]).succeeds();
    let first = digest(&sandbox);
    assert_eq!(registry.digest(&repository, "latest"), first);

    let new = next_commit(&sandbox, "newer");
    let run = sandbox.run(&["run"]).succeeds();
    let second = digest(&sandbox);
    assert_ne!(first, second);
    assert_eq!(registry.digest(&repository, "latest"), second);
    assert!(others(&sandbox).is_empty());
    // Nothing out of the ordinary, so nothing is said of it.
    run.is_silent_about(&["latest is taken", "latest is left"]);
    let published = sandbox.result()["builds"][0]["published"].clone();
    assert!(published.as_array().unwrap().iter().any(|tag| tag["was"] == first), "what it named: {published}");

    // A slow job of the old commit, its image not there yet: in a checkout that has both commits, and in one of its own branch.
    registry.delete(&repository, &first);
    for (branch, why) in [("main", "is older than"), ("old", "is not in the history of")] {
        let late = clone_of(&sandbox, branch, None);
        late.git(&["reset", "--quiet", "--hard", &old]);
        if branch == "old" {
            // Nobody to ask what the other commit is.
            late.git(&["remote", "set-url", "origin", "file:///no/such/repository"]);
        }
        let run = late.run(&["run"]).succeeds();
        run.says(&["latest is left: ", &old[..7], why, &new[..7], "moving_tags: always"]);
        left(&late, "latest", &second, why, "moving_tags: always");
        assert_eq!(registry.digest(&repository, "latest"), second);
        assert_eq!(registry.digest(&repository, &own_tag(&late)), digest(&late), "the tag that stays is published");
        registry.delete(&repository, &digest(&late));
        late.assert_tidy(&run);
    }
}

#[test]
fn releases_go_by_version() {
    let mut sandbox = of_releases();
    let (registry, repository) = (sandbox.registry(), repository(&sandbox));
    let names = |tag: &str| registry.digest(&repository, tag);
    release(&mut sandbox, "1.1.0").succeeds();
    let run = release(&mut sandbox, "1.2.0").succeeds();
    let newest = digest(&sandbox);
    for tag in ["1.2.0", "1.2", "1", "latest"] {
        assert_eq!(names(tag), newest, "{tag}");
    }
    assert_ne!(names("1.1"), newest);
    run.is_silent_about(&["is taken", "is left"]);

    // A backport comes later, of a later commit.
    let run = release(&mut sandbox, "1.1.9").succeeds();
    let backport = digest(&sandbox);
    assert_eq!((names("1.1.9"), names("1.1")), (backport.clone(), backport));
    assert_eq!((names("1"), names("latest")), (newest.clone(), newest.clone()));
    run.says(&[":latest is left: 1.1.9 is lower than 1.2.0, which it names", ":1 is left: "]);
    let all: Vec<_> = others(&sandbox).iter().map(|o| [&o["tag"], &o["fate"], &o["holds"]].map(Value::clone)).collect();
    assert_eq!(json!(all), json!([["1", "left", newest], ["latest", "left", newest]]));
    assert!(sandbox.summary().contains("1.1.9 is lower than 1.2.0"), "{}", sandbox.summary());

    release(&mut sandbox, "1.3.0-rc.1").succeeds();
    assert_eq!(names("1.3.0-rc.1"), digest(&sandbox));
    release(&mut sandbox, "1.3.0").succeeds();
    for tag in ["1.3.0", "1.3", "1", "latest"] {
        assert_eq!(names(tag), digest(&sandbox), "{tag}");
    }
    assert!(others(&sandbox).is_empty());
    // The git tag is put on another commit, and its image was deleted: nobody knows which is meant.
    let third = digest(&sandbox);
    let labels = json!({VERSION: "1.3.0", REVISION: "d".repeat(40)});
    let theirs = registry.put_image(&repository, "latest", &labels);
    registry.delete(&repository, &third);
    release(&mut sandbox, "1.3.0").succeeds();
    left(&sandbox, "latest", &theirs, "another image of commit ddddddd with the version 1.3.0", "moving_tags: always");
    assert_eq!(names("1.3"), digest(&sandbox));
}

#[test]
fn releases_and_branch_builds_do_not_mix() {
    let sandbox = on_a_branch("");
    let (registry, repository) = (sandbox.registry(), repository(&sandbox));
    sandbox.run(&["run"]).succeeds();
    let branch = digest(&sandbox);
    let of_branch = sandbox.git(&["rev-parse", "--short=7", "HEAD"]);
    let text = sandbox.fill(&config("{registry}", "['{version}', latest]", ""));
    let mut sandbox = sandbox.on("github-tag").buildkitd();

    // The branch built this very commit before its git tag came.
    sandbox.write(".stagefreight.yml", &text);
    let run = release_of_this(&mut sandbox, "1.0.0").succeeds();
    assert_eq!(registry.digest(&repository, "latest"), digest(&sandbox));
    assert_ne!(digest(&sandbox), branch);
    assert!(others(&sandbox).is_empty());
    run.says(&[":latest is taken: it names another image of this commit"]);

    // Again the branch, and then a release of another commit.
    let held = {
        let labels = json!({VERSION: format!("1.0.0-dev+{of_branch}"), REVISION: head(&sandbox)});
        registry.put_image(&repository, "latest", &labels)
    };
    let run = release(&mut sandbox, "1.1.0").succeeds();
    left(&sandbox, "latest", &held, "an image built on a branch", "give them different ones");
    assert_eq!(registry.digest(&repository, "latest"), held);
    assert_eq!(registry.digest(&repository, "1.1.0"), digest(&sandbox));
    run.says(&[":latest is left: ", "releases and branch builds cannot share a tag"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn an_image_that_says_nothing_of_itself_is_taken_and_that_is_said() {
    for labels in [json!({}), json!({VERSION: "24.4.0", "maintainer": "of the base image"})] {
        let sandbox = on_a_branch("");
        let was = sandbox.registry().put_image(&repository(&sandbox), "latest", &labels);
        let run = sandbox.run(&["run"]).succeeds();
        run.says(&[":latest is taken: the image it names says nothing of its commit"]);
        assert_eq!(sandbox.registry().digest(&repository(&sandbox), "latest"), digest(&sandbox));
        assert!(others(&sandbox).is_empty());
        let published = sandbox.result()["builds"][0]["published"].clone();
        assert!(published.as_array().unwrap().iter().any(|tag| tag["was"] == was), "{published}");
    }
}

#[test]
fn a_shallow_checkout_asks_its_origin() {
    let sandbox = on_a_branch("");
    let (registry, repository) = (sandbox.registry(), repository(&sandbox));
    sandbox.git(&["branch", "old"]);
    let image_of = |commit: &str| registry.put_image(&repository, "latest", &json!({REVISION: commit}));
    let old = head(&sandbox);
    (1..4).for_each(|n| drop(next_commit(&sandbox, &n.to_string())));
    let new = head(&sandbox);

    image_of(&old);
    let shallow = clone_of(&sandbox, "main", Some(1));
    assert_eq!(shallow.git(&["rev-list", "--all", "--count"]), "1");
    let run = shallow.run(&["run"]).succeeds();
    assert_eq!(registry.digest(&repository, "latest"), digest(&shallow));
    assert!(others(&shallow).is_empty());
    assert_eq!(shallow.git(&["rev-list", "--all", "--count"]), "1", "the checkout is as it was");
    shallow.assert_tidy(&run);

    let held = image_of(&new);
    let shallow = clone_of(&sandbox, "old", Some(1));
    let run = shallow.run(&["run"]).succeeds();
    left(&shallow, "latest", &held, "is older than", "moving_tags: always");
    shallow.assert_tidy(&run);
}

#[test]
fn a_shallow_checkout_that_can_ask_nobody_leaves_the_tag_and_says_how_to_mend_it() {
    let origin = on_a_branch("");
    let old = head(&origin);
    next_commit(&origin, "newer");
    let held = origin.registry().put_image(&repository(&origin), "latest", &json!({REVISION: old}));
    let dead = crate::scenery::dead_address();
    for (fixture, cure) in [
        (None, "git fetch --unshallow"),
        (Some("github-push"), "fetch-depth: 0"),
        (Some("forgejo-push"), "fetch-depth: 0"),
    ] {
        let shallow = clone_of(&origin, "main", Some(1)).hidden("of-the-remote");
        shallow.git(&["remote", "set-url", "origin", &format!("http://ada:of-the-remote@{dead}/app.git")]);
        let api = format!("http://{dead}/api");
        let shallow = match fixture {
            Some(runner) => shallow.on(runner).buildkitd().var("GITHUB_API_URL", &api).var("FORGEJO_API_URL", &api),
            None => shallow,
        };
        let run = shallow.run(&["run"]).succeeds();
        left(&shallow, "latest", &held, "cannot be told: the checkout is shallow", cure);
        run.says(&[":latest is left: ", "cannot be told", cure]);
        assert_eq!(shallow.registry().digest(&repository(&origin), "latest"), held);
        assert_eq!(shallow.registry().digest(&repository(&origin), &own_tag(&shallow)), digest(&shallow));
        // The next runner makes other labels of the same commit.
        shallow.registry().delete(&repository(&origin), &digest(&shallow));
        run.faster_than(Duration::from_secs(60));
        shallow.assert_tidy(&run);
    }
}

#[test]
fn a_history_that_was_rewritten_does_not_take_the_tag_unless_it_is_told_to() {
    let sandbox = on_a_branch("");
    let (registry, repository) = (sandbox.registry(), repository(&sandbox));
    next_commit(&sandbox, "was pushed");
    sandbox.run(&["run"]).succeeds();
    let first = digest(&sandbox);
    sandbox.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    next_commit(&sandbox, "was pushed instead");
    sandbox.run(&["run"]).succeeds().says(&[":latest is left: ", "is not in the history of"]);
    left(&sandbox, "latest", &first, "is not in the history of", "moving_tags: always");
    assert_eq!(registry.digest(&repository, "latest"), first);
    assert_eq!(registry.digest(&repository, &own_tag(&sandbox)), digest(&sandbox));

    let always = config("{registry}", "['sha-{sha:8}', latest]", "publish: {moving_tags: always}");
    let sandbox = sandbox.config(&always);
    sandbox.run(&["run"]).succeeds();
    assert!(others(&sandbox).is_empty());
    assert_eq!(registry.digest(&repository, "latest"), digest(&sandbox));
}

#[test]
fn a_newer_commit_that_comes_while_tags_are_put_keeps_the_tag() {
    let sandbox = small(Sandbox::new());
    // Looked at, and then looked at again just before it is put.
    let again = Rule::new(Fault::Slow(Duration::from_secs(10))).on("GET").at("/manifests/latest").after(1).times(1);
    let proxy = FaultProxy::start(&sandbox.testbed.registry, [again]);
    let tags = "['sha-{sha:8}', latest]";
    let beside = "  - {id: beside, kind: registry, build: app, url: '{registry2}', path: 'live/{id}', tags: ['sha-{sha:8}', latest]}";
    let sandbox = sandbox.config(&config(proxy.host(), tags, beside)).buildkitd();
    let (registry, repository) = (sandbox.registry(), repository(&sandbox));
    let image_of = |commit: &str| registry.put_image(&repository, "latest", &json!({REVISION: commit}));
    image_of(&sandbox.git(&["rev-parse", "HEAD~1"]));
    let newer = next_commit(&sandbox, "newer");
    sandbox.git(&["checkout", "--quiet", "HEAD~1"]);

    let running = sandbox.start(&["run"]);
    within(Duration::from_secs(60), "it is looked at again", || {
        (proxy.count("GET", "/manifests/latest") > 1).then_some(())
    });
    assert_eq!(proxy.count("PUT", "/manifests/latest"), 0);
    let theirs = image_of(&newer);
    let run = running.wait(Duration::from_secs(60)).succeeds();
    assert_eq!(registry.digest(&repository, "latest"), theirs);
    assert_eq!(proxy.count("PUT", "/manifests/latest"), 0, "it was not put and put back");
    left(&sandbox, "latest", &theirs, "is older than", "moving_tags: always");
    assert_eq!(registry.digest(&repository, &own_tag(&sandbox)), digest(&sandbox));
    assert_eq!(sandbox.registry2().digest(&repository, "latest"), digest(&sandbox));
    run.says(&[":latest is left: ", "the registries do not agree on `latest`"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn labels_are_believed_only_if_they_can_be_what_they_claim() {
    let order = "0123456\n::error::boom\r\n\u{1b}[31mboom\u{9b}2J%0A::set-output name=digest::boom";
    let huge = "boom".repeat(2_500_000);
    let zeros = "0".repeat(40);
    let on_branches = [
        (json!({REVISION: order, VERSION: order}), "has a revision label that is no commit"),
        (json!({REVISION: zeros, VERSION: "1.0.0"}), "has a revision label that is no commit"),
        (json!({REVISION: {"boom": [1]}}), "has a revision label that is no commit"),
        (json!({REVISION: "e".repeat(40), "boom": huge}), "cannot be read"),
        (json!("boom"), "cannot be read"),
    ];
    let sandbox = on_a_branch("").on("github-push").buildkitd();
    for (labels, why) in on_branches {
        let held = sandbox.registry().put_image(&repository(&sandbox), "latest", &labels);
        is_left_quietly(&sandbox, &sandbox.run(&["run"]).succeeds(), &held, why);
    }

    let newest = "99999999999999999999.0.0";
    let theirs = json!("e".repeat(40));
    let on_releases = [
        (json!({REVISION: theirs, VERSION: newest}), "no version that could be compared"),
        (json!({REVISION: theirs, VERSION: order}), "no version that could be compared"),
        (
            json!({REVISION: theirs, VERSION: format!("1.0.0-{}", "9".repeat(100_000))}),
            "no version that could be compared",
        ),
        (json!({REVISION: theirs, VERSION: "18446744073709551615.0.0"}), "is lower than 18446744073709551615.0.0"),
    ];
    let tags = "['{version}', latest]";
    let mut sandbox = small(Sandbox::new()).config(&config("{registry}", tags, "")).on("github-tag").buildkitd();
    for (labels, why) in on_releases {
        let held = sandbox.registry().put_image(&repository(&sandbox), "latest", &labels);
        let run = release_of_this(&mut sandbox, "2.0.0").succeeds();
        is_left_quietly(&sandbox, &run, &held, why);
    }
}

/// Left, and what its labels say appears nowhere.
#[track_caller]
fn is_left_quietly(sandbox: &Sandbox, run: &Finished, held: &str, why: &str) {
    assert_eq!(sandbox.registry().digest(&repository(sandbox), "latest"), held);
    left(sandbox, "latest", held, why, "moving_tags: always");
    run.is_silent_about(&["boom", "\u{9b}", "9999999999"]);
    let known = ["group", "endgroup", "warning", "notice", "stop-commands", "resume"];
    let orders = crate::scenery::runner_model::actions_log(run.stdout.as_bytes(), true).commands;
    assert!(orders.iter().all(|order| known.contains(&order.name.as_str())), "{orders:?}");
    assert!(!sandbox.summary().contains("boom"));
    assert!(!sandbox.result().to_string().contains("boom"));
    sandbox.assert_tidy(run);
}
