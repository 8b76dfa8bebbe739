//! Tag retention on a registry of its own, whose storage is looked into: what stays is whole, and nothing else does.
//! Needs the testbed's tools: `eval "$(ci/testbed env)"`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "modules of a test program")]

#[path = "retention/histories.rs"]
mod histories;
mod support;
#[path = "retention/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::json;
use stagefreight::config::model::{Retention, Target};
use stagefreight::image::manifest::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use stagefreight::image::{Repository, Tag};
use stagefreight::registry::Catalog;
use stagefreight::registry::referrers::fallback_tag;
use stagefreight::retention::{self, Claims, Owner, Question, RetentionPlan, Swept};
use support::fault_proxy::{Fault as Make, FaultProxy, Rule};
use tokio_util::sync::CancellationToken;
use world::{Private, Snapshot, World, catalog, digest, name};

/// The rules of one target that makes versions and `latest`.
struct Rules {
    claims: Claims,
    none: BTreeMap<String, String>,
    caches: Vec<String>,
    nobody: BTreeSet<Tag>,
    ours: BTreeSet<Tag>,
}

fn rules(retention: Retention, tags: &[&str]) -> Rules {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let target = Target { id: "hub".into(), tags, retention: Some(retention), ..Target::default() };
    let owner = Owner::new(&target, target.retention.as_ref(), &BTreeMap::new()).unwrap();
    let caches = vec!["cache".to_owned()];
    let (nobody, ours) = (BTreeSet::new(), BTreeSet::new());
    Rules { claims: Claims::new(vec![owner]), none: BTreeMap::new(), caches, nobody, ours }
}

fn last(n: u32) -> Rules {
    rules(Retention { keep_last: Some(n), ..Retention::default() }, &["{version}", "latest"])
}

impl Rules {
    fn question<'a>(&'a self, repository: &'a Repository) -> Question<'a> {
        Question {
            repository,
            claims: &self.claims,
            policies: &self.none,
            cache_prefixes: &self.caches,
            ours: &self.ours,
            busy: &self.nobody,
        }
    }

    async fn plan(&self, catalog: &Catalog, repository: &Repository) -> RetentionPlan {
        retention::plan(catalog, &self.question(repository), &CancellationToken::new()).await
    }

    async fn apply(&self, catalog: &Catalog, repository: &Repository, plan: RetentionPlan) -> Swept {
        retention::apply(catalog, &self.question(repository), plan, &CancellationToken::new()).await
    }
}

fn going(plan: &RetentionPlan) -> Vec<&str> {
    let mut tags: Vec<_> = plan.going.iter().filter(|tag| !tag.attached).map(|tag| tag.tag.as_str()).collect();
    tags.sort_unstable();
    tags
}

fn day(n: usize) -> String {
    format!("2026-11-{:02}T10:00:00Z", n + 1)
}

/// `1.0.0`, `1.0.1` … with attestations within, one image a day.
async fn versions(world: &World, count: usize) {
    for n in 0..count {
        let image = world.attested(&format!("version {n}"), &day(n)).await;
        world.tag(&format!("1.0.{n}"), &image).await;
    }
}

#[tokio::test]
async fn old_versions_go_with_all_they_brought() {
    let mut private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 4).await;
    let newest = world.attested("version 3", &day(3)).await;
    world.tag("latest", &newest).await;
    world.tag("by-hand", &world.attested("version 0", &day(0)).await).await;
    let before = private.storage().snapshot(&world.repository);

    let (catalog, rules) = (catalog(&private.host), last(2));
    let plan = rules.plan(&catalog, &world.repository).await;
    // `1.0.3` and `latest` are of one moment and take both places; `1.0.0` is needed by a tag that nobody here made.
    assert_eq!(going(&plan), ["1.0.0", "1.0.1", "1.0.2"], "{plan:#?}");
    assert_eq!((plan.manifests, plan.obstacle.as_ref()), (2 * 5, None));
    insta::assert_snapshot!(retention::render::plan(&plan).replace(&private.host, "REGISTRY"), @r"
    REGISTRY/acme/app (target hub)
      3 tags stay
            2  among the newest 2
            1  no template of the configuration makes it
      3 tags and 10 manifests go
        1.0.0  a66d3710ed00  2026-11-01 10:00  (the tag alone: its image is needed)
        1.0.1  6d55af06cd1f  2026-11-02 10:00
        1.0.2  bcc2a44bd109  2026-11-03 10:00
    ");

    let swept = rules.apply(&catalog, &world.repository, plan).await;
    assert!(swept.is_whole(), "{swept:#?}");
    assert_eq!((swept.deleted.len(), swept.manifests), (3, 10));
    assert_eq!(world.tags().await, ["1.0.3", "by-hand", "latest"].map(str::to_owned).into());
    let after = private.storage().snapshot(&world.repository);
    assert_eq!(before.manifests.len() - after.manifests.len(), 10);
    for root in after.tags.values() {
        world.pull(&root.parse().unwrap()).await;
    }
    private.collect_garbage();
    for gone in before.manifests.keys().filter(|digest| !after.manifests.contains_key(*digest)) {
        assert!(!private.storage().blob(gone).exists());
        for blob in before.blobs_of(gone) {
            let needed = after.manifests.keys().any(|kept| after.blobs_of(kept).contains(&blob));
            assert_eq!(private.storage().blob(&blob).exists(), needed, "{blob}");
        }
    }
}

#[tokio::test]
async fn where_all_fit_nothing_is_asked_and_where_none_is_asked_all_stay() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    let (catalog, rules) = (catalog(&private.host), last(4));
    let plan = rules.plan(&catalog, &world.repository).await;
    assert_eq!((plan.obstacle, plan.staying.len()), (None, 0), "no repository is nothing to do");
    versions(&world, 4).await;
    let plan = rules.plan(&catalog, &world.repository).await;
    assert_eq!((plan.requests, plan.staying.len(), plan.going.len()), (0, 4, 0));
    let rules = self::rules(Retention { keep_last: Some(0), ..Retention::default() }, &["{version}"]);
    let plan = rules.plan(&catalog, &world.repository).await;
    assert_eq!((plan.requests, plan.staying.len(), plan.going.len()), (0, 4, 0));
    assert!(plan.notes[0].contains("a rule of 0 is no rule"), "{:?}", plan.notes);
}

#[tokio::test]
async fn an_image_that_tells_no_time_stays() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 2).await;
    for (tag, created) in [("2.0.0", ""), ("2.0.1", "1970-01-01T00:00:00Z"), ("2.0.2", "0001-01-01T00:00:00Z")] {
        world.tag(tag, &world.image("amd64", tag, created).await).await;
    }
    let empty = world.blob("application/vnd.oci.empty.v1+json", b"{}").await;
    let artifact = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "text/x", "config": empty, "layers": [empty]});
    world.tag("3.0.0", &world.put(&artifact).await).await;
    let plan = last(1).plan(&catalog(&private.host), &world.repository).await;
    assert_eq!(going(&plan), ["1.0.0"]);
    let untold = plan.staying.iter().filter(|tag| tag.why == "nothing says how old it is").count();
    assert_eq!(untold, 4, "{:#?}", plan.staying);
}

#[tokio::test]
async fn tags_of_this_run_stay_whatever_the_rules_say() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 3).await;
    let mut rules = last(1);
    rules.ours.insert(name("1.0.0"));
    let plan = rules.plan(&catalog(&private.host), &world.repository).await;
    assert_eq!(going(&plan), ["1.0.1"]);
    let own = plan.staying.iter().find(|tag| tag.tag == name("1.0.0")).unwrap();
    assert_eq!(own.why, "put by this run");
}

#[tokio::test]
async fn a_tag_that_another_run_moves_or_makes_meanwhile_is_left() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 5).await;
    let (catalog, rules) = (catalog(&private.host), last(1));
    let plan = rules.plan(&catalog, &world.repository).await;
    assert_eq!(going(&plan), ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]);
    // One is moved to something older still, and a new tag needs a platform of an image that was to go.
    world.tag("1.0.0", &world.attested("another run", &day(0)).await).await;
    let part = world.image("arm64", "version 1 arm64", &day(1)).await;
    world.tag("9.9.9", &world.index(&[part]).await).await;

    let swept = rules.apply(&catalog, &world.repository, plan).await;
    assert!(swept.is_whole(), "{swept:#?}");
    assert_eq!(world.tags().await, ["1.0.0", "1.0.4", "9.9.9"].map(str::to_owned).into());
    assert!(swept.plan.notes.iter().any(|note| note.contains("came or moved")), "{:?}", swept.plan.notes);
    for root in private.storage().snapshot(&world.repository).tags.values() {
        world.pull(&root.parse().unwrap()).await;
    }
}

#[tokio::test]
async fn a_tag_that_moves_at_the_last_moment_is_left_with_its_image() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 3).await;
    let other = world.attested("another run", &day(0)).await;
    // What the registry says of the tag from the third look on: planning, looking again, and then.
    let proxy = FaultProxy::start(&private.host, []);
    let path = "/manifests/1.0.0";
    let moved = Make::Answer(200, vec![("docker-content-digest", digest(&other).to_string())], String::new());
    proxy.rule(Rule::new(moved).on("HEAD").at(path).after(1));
    let repository = Repository::new(proxy.host(), world.repository.path()).unwrap();
    let (catalog, rules) = (catalog(proxy.host()), last(1));
    let plan = rules.plan(&catalog, &repository).await;
    let swept = rules.apply(&catalog, &repository, plan).await;
    assert_eq!(swept.left.iter().map(|left| left.tag.as_str()).collect::<Vec<_>>(), ["1.0.0"], "{swept:#?}");
    assert_eq!(swept.deleted, [name("1.0.1")]);
    let snapshot = private.storage().snapshot(&world.repository);
    world.pull(&snapshot.tags["1.0.0"].parse().unwrap()).await;
}

#[tokio::test]
async fn without_deletes_nothing_is_deleted_and_said() {
    let private = Private::start(false);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 6).await;
    let before = private.storage().snapshot(&world.repository);
    let proxy = FaultProxy::start(&private.host, []);
    let repository = Repository::new(proxy.host(), world.repository.path()).unwrap();
    let (catalog, rules) = (catalog(proxy.host()), last(1));
    let swept = rules.apply(&catalog, &repository, rules.plan(&catalog, &repository).await).await;
    assert_eq!((swept.deleted.len(), swept.manifests, swept.left.len()), (0, 0, 5), "{swept:#?}");
    let said = swept.problems[0].what.clone() + swept.problems[0].hint.as_deref().unwrap_or_default();
    assert!(said.contains("deletes often are disabled"), "{said}");
    assert_eq!(
        proxy.seen().iter().filter(|seen| seen.method == "DELETE").count(),
        1,
        "it is not tried again and again"
    );
    let after = private.storage().snapshot(&world.repository);
    assert_eq!((before.tags, before.manifests.len()), (after.tags, after.manifests.len()));
}

/// One trouble while the plan is made: nothing goes, and the plan says why.
async fn nothing_goes(rule: Rule, why: &str) {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 3).await;
    let newest = world.attested("version 2", &day(2)).await;
    // An index in an index: what is below it has to be read.
    let outer = world.index(&[newest]).await;
    world.tag("by-hand", &outer).await;
    let proxy = FaultProxy::start(&private.host, [rule]);
    let repository = Repository::new(proxy.host(), world.repository.path()).unwrap();
    let (catalog, rules) = (catalog(proxy.host()), last(1));
    let plan = rules.plan(&catalog, &repository).await;
    let obstacle = plan.obstacle.clone().unwrap_or_else(|| panic!("{plan:#?}"));
    assert!(obstacle.what.contains(why), "{obstacle:?}");
    let swept = rules.apply(&catalog, &repository, plan).await;
    assert!(swept.deleted.is_empty() && !swept.is_whole());
    assert_eq!(proxy.count("DELETE", "") + proxy.count("PUT", ""), 0);
}

#[tokio::test]
async fn what_cannot_be_read_keeps_everything() {
    let refused = || Make::Answer(403, vec![], String::new());
    tokio::join!(
        nothing_goes(Rule::new(refused()).at("/referrers/"), "what refers to an image cannot be told"),
        nothing_goes(Rule::new(Make::Answer(200, vec![], "<html>".into())).at("/referrers/"), "no listing"),
        nothing_goes(Rule::new(refused()).at("/tags/list"), "listing the tags"),
        nothing_goes(Rule::new(refused()).at("/manifests/by-hand"), "reading manifest by-hand"),
        nothing_goes(Rule::new(refused()).on("GET").at("/blobs/"), "reading blob"),
        nothing_goes(Rule::new(Make::Answer(200, vec![], "{}".into())).at("/manifests/by-hand"), "answered wrongly"),
    );
}

#[tokio::test]
async fn a_part_of_what_stays_that_is_missing_keeps_everything() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 3).await;
    let inner = world.attested("inner", &day(1)).await;
    world.tag("by-hand", &world.index(std::slice::from_ref(&inner)).await).await;
    world.registry.delete_manifest(&world.repository, &digest(&inner)).await.unwrap();
    let plan = last(1).plan(&catalog(&private.host), &world.repository).await;
    assert!(plan.obstacle.unwrap().what.contains("needed by a tag that stays, and is not there"));
}

/// A registry with listings of its own: what it says refers to an image goes and stays with it, fallback tag or not.
#[tokio::test]
async fn the_registrys_own_listings_count() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 3).await;
    let proxy = FaultProxy::start(&private.host, []);
    let snapshot = private.storage().snapshot(&world.repository);
    let listing = |entries: &[&serde_json::Value]| {
        Make::Answer(200, vec![], json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string())
    };
    // Said about 1.0.0, which goes, and 1.0.2, which stays; the latter is an index over a part of 1.0.1.
    let gone = World::new(&private.host, "acme/app");
    let about = |of: &str| json!({"mediaType": OCI_INDEX, "digest": snapshot.tags[of], "size": 1});
    let config = world.blob(OCI_CONFIG, b"{}").await;
    let said = gone
        .put(&json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [], "subject": about("1.0.0")}))
        .await;
    let part = world.image("arm64", "version 1 arm64", &day(1)).await;
    let kept = world
        .put(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [part], "subject": about("1.0.2")}))
        .await;
    proxy.rule(Rule::new(listing(&[&said])).at(format!("/referrers/{}", snapshot.tags["1.0.0"])));
    proxy.rule(Rule::new(listing(&[&kept])).at(format!("/referrers/{}", snapshot.tags["1.0.2"])));
    proxy.rule(Rule::new(listing(&[])).at("/referrers/"));

    let repository = Repository::new(proxy.host(), world.repository.path()).unwrap();
    let (catalog, rules) = (catalog(proxy.host()), last(1));
    let plan = rules.plan(&catalog, &repository).await;
    assert_eq!((going(&plan), plan.manifests), (vec!["1.0.0", "1.0.1"], 5 + 1 + 4), "{plan:#?}");
    let swept = rules.apply(&catalog, &repository, plan).await;
    assert!(swept.is_whole(), "{swept:#?}");
    let after = private.storage().snapshot(&world.repository);
    assert!(!after.manifests.contains_key(digest(&said).as_str()));
    world.pull(&digest(&kept)).await;
}

/// Every tag that was to stay is whole, and whatever still has a tag, too.
async fn everything_left_is_whole(world: &World, private: &Private) -> Snapshot {
    let snapshot = private.storage().snapshot(&world.repository);
    for root in snapshot.tags.values() {
        world.pull(&root.parse().unwrap()).await;
    }
    snapshot
}

#[tokio::test]
async fn a_registry_that_fails_in_the_middle_leaves_whole_what_it_leaves() {
    for after in [0, 1, 4, 9] {
        let private = Private::start(true);
        let world = World::new(&private.host, "acme/app");
        versions(&world, 8).await;
        // The newest shares a platform with one that goes.
        let parts =
            [world.image("amd64", "newest", &day(9)).await, world.image("arm64", "version 3 arm64", &day(3)).await];
        world.tag("1.0.7", &world.index(&parts).await).await;
        let fault = || Make::Answer(503, vec![("retry-after", "120".into())], String::new());
        let proxy = FaultProxy::start(&private.host, [Rule::new(fault()).on("DELETE").after(after)]);
        let repository = Repository::new(proxy.host(), world.repository.path()).unwrap();
        let (catalog, rules) = (catalog(proxy.host()), last(2));
        let swept = rules.apply(&catalog, &repository, rules.plan(&catalog, &repository).await).await;
        assert!(!swept.problems.is_empty(), "{swept:#?}");
        assert_eq!(swept.manifests, after, "{swept:#?}");
        let tags = everything_left_is_whole(&world, &private).await.tags;
        assert!(tags.contains_key("1.0.6") && tags.contains_key("1.0.7"));
        assert_eq!(tags.len() + swept.deleted.len(), 8, "each tag is there or told as deleted");
        // The next run goes on.
        let plan = rules.plan(&self::catalog(&private.host), &world.repository).await;
        let swept = rules.apply(&self::catalog(&private.host), &world.repository, plan).await;
        assert!(swept.is_whole(), "{swept:#?}");
        assert_eq!(everything_left_is_whole(&world, &private).await.tags.len(), 2);
    }
}

#[tokio::test]
async fn a_signal_in_the_middle_leaves_whole_what_is_left() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 12).await;
    let slow = Rule::new(Make::Slow(Duration::from_millis(30))).on("DELETE");
    let proxy = FaultProxy::start(&private.host, [slow]);
    let repository = Repository::new(proxy.host(), world.repository.path()).unwrap();
    let (catalog, rules) = (catalog(proxy.host()), last(1));
    let plan = rules.plan(&catalog, &repository).await;
    let cancel = CancellationToken::new();
    let question = rules.question(&repository);
    let stop = async {
        while proxy.count("DELETE", "") < 7 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
        Instant::now()
    };
    let (swept, stopped) = tokio::join!(retention::apply(&catalog, &question, plan, &cancel), stop);
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
    assert!(swept.problems.iter().any(|problem| problem.what.contains("stopped by a signal")), "{swept:#?}");
    let tags = everything_left_is_whole(&world, &private).await.tags;
    assert!((2..12).contains(&tags.len()), "{tags:?}");
}

#[tokio::test]
async fn what_hangs_on_an_image_by_its_name_goes_and_stays_with_it() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 2).await;
    let snapshot = private.storage().snapshot(&world.repository);
    let signature = world.image("amd64", "a signature of cosign 2", "").await;
    let hang = |of: &str, suffix: &str| {
        let digest = of.parse().unwrap();
        format!("{}{suffix}", fallback_tag(&digest))
    };
    for version in ["1.0.0", "1.0.1"] {
        // On the index and on one of its platforms.
        world.tag(&hang(&snapshot.tags[version], ".sig"), &signature).await;
        world
            .tag(&hang(&snapshot.children(&snapshot.tags[version])[0], ".att"), &world.image("x", version, "").await)
            .await;
    }
    let unknown = format!("sha256-{}.sig", "0".repeat(64));
    world.tag(&unknown, &signature).await;
    let (catalog, rules) = (catalog(&private.host), last(1));
    let swept = rules.apply(&catalog, &world.repository, rules.plan(&catalog, &world.repository).await).await;
    assert!(swept.is_whole(), "{swept:#?}");
    // The same signature hangs on both, and on something unknown: of the old image only the tag goes.
    let mut expected: BTreeSet<String> = ["1.0.1".to_owned(), unknown].into();
    expected.insert(hang(&snapshot.tags["1.0.1"], ".sig"));
    expected.insert(hang(&snapshot.children(&snapshot.tags["1.0.1"])[0], ".att"));
    assert_eq!(world.tags().await, expected);
    everything_left_is_whole(&world, &private).await;
}

/// A checkout with a configuration, and the program in it.
fn program(config: &str) -> (tempfile::TempDir, assert_cmd::Command) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".stagefreight.yml"), config).unwrap();
    std::fs::write(dir.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("stagefreight"));
    command.current_dir(dir.path()).env_clear().env("HOME", dir.path()).env("TMPDIR", dir.path());
    (dir, command)
}

#[tokio::test]
async fn by_hand_the_plan_is_shown_and_carried_out() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    versions(&world, 4).await;
    world.tag("edge", &world.attested("edge", &day(5)).await).await;
    let config = format!(
        "version: 1\nbuilds: [{{id: app, kind: docker}}]\ntargets:\n  - {{id: ours, kind: registry, build: app, url: '{}', path: acme/app, \
         tags: ['{{version}}'], retention: 2, when: {{events: [tag]}}}}\n  - {{id: edge, kind: registry, build: app, url: '{}', path: acme/app, tags: [edge]}}\n",
        private.host, private.host
    );
    let host = private.host.clone();
    let run = |args: &[&str]| {
        let (_dir, mut command) = program(&config);
        let output = command.arg("retention").args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&host, "REGISTRY");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, _) = run(&["plan"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(out, @r"
    REGISTRY/acme/app (target ours)
      3 tags stay
            2  among the newest 2
            1  target edge may have made it, whose rules are not asked
      2 tags and 10 manifests go
        1.0.0  a66d3710ed00  2026-11-01 10:00
        1.0.1  6d55af06cd1f  2026-11-02 10:00
    ");
    let (code, out, _) = run(&["plan", "--format", "json", "--target", "ours"]);
    let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &plan["applied"], plan["repositories"][0]["plan"]["manifests"].as_u64()),
        (Some(0), &json!(false), Some(10))
    );
    assert_eq!(world.tags().await.len(), 5, "a plan deletes nothing");
    let (_dir, mut command) = program(&config);
    // As GitLab's components hand a boolean over.
    let output = command.args(["retention", "apply"]).env("STAGEFREIGHT_DRY_RUN", "true ").output().unwrap();
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("dry-run: nothing was deleted")
    );
    assert_eq!(world.tags().await.len(), 5, "nor does a run that is to touch nothing");

    for (args, said) in [
        (&["apply", "--target", "edge"][..], "target `edge` has no retention"),
        (&["apply", "--target", "nobody"], "there is no registry target `nobody`"),
    ] {
        let (code, _, err) = run(args);
        assert!(code == Some(2) && err.contains(said), "{code:?} {err}");
    }
    let (code, out, err) = run(&["apply"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.ends_with("REGISTRY/acme/app: 2 tags and 10 manifests deleted, 3 tags stay\n"), "{out}");
    assert_eq!(world.tags().await, ["1.0.2", "1.0.3", "edge"].map(str::to_owned).into());

    drop(private);
    let (code, out, _) = run(&["apply"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("nothing is deleted: listing the tags of"), "{out}");
}

/// Decides over ten thousand tags, and tells what that took. `ci/bench` runs it; by itself it takes a minute to prepare.
#[tokio::test]
#[ignore = "a measurement"]
async fn ten_thousand_tags_are_planned() {
    let private = Private::start(true);
    let world = World::new(&private.host, "acme/app");
    let count: usize = 10_000;
    // The layers, before anything is done side by side.
    for words in ["a", "ab", "abc"] {
        world.image("amd64", words, "").await;
    }
    let began = Instant::now();
    let made = (0..count).map(|n| {
        let world = &world;
        async move {
            let created = jiff::Timestamp::from_second(1_700_000_000 + 600 * n as i64).unwrap().to_string();
            let image = world.image("amd64", &format!("number {n}"), &created).await;
            world.tag(&format!("1.{}.{}", n / 100, n % 100), &image).await;
        }
    });
    futures::stream::iter(made).buffer_unordered(16).collect::<()>().await;
    println!("prepared in {:.1} s", began.elapsed().as_secs_f64());
    // A round trip as it is between a runner and a registry elsewhere.
    let proxy = FaultProxy::start(&private.host, [Rule::new(Make::Slow(Duration::from_millis(20)))]);
    let repository = Repository::new(proxy.host(), world.repository.path()).unwrap();
    let (far, near) = (catalog(proxy.host()), catalog(&private.host));
    let rules = last(100);
    let one = Instant::now();
    for n in 0..200 {
        let tag = name(&format!("1.{}.{}", n / 100, n % 100));
        far.registry().get_manifest(&repository, &tag).await.unwrap();
    }
    let alone = one.elapsed().as_secs_f64() / 200.0;
    let began = Instant::now();
    let plan = rules.plan(&far, &repository).await;
    let took = began.elapsed().as_secs_f64();
    assert_eq!((plan.going.len(), plan.obstacle.as_ref()), (count - 100, None));
    let began = Instant::now();
    let local = rules.plan(&near, &world.repository).await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().trim_start_matches("VmHWM:").trim();
    // One request at a time needs as many as we do.
    let requests = plan.requests as f64;
    println!(
        "retention of {count} tags: {took:.1} s, one request at a time {:.1} s ({:.1} times); {:.1} s without the distance; {:.2} requests a tag; peak {peak} of the whole test",
        alone * requests,
        alone * requests / took,
        began.elapsed().as_secs_f64(),
        requests / count as f64,
    );
    assert_eq!(local.requests, plan.requests);
}
