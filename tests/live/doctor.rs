//! What is found out before a build: `stagefreight doctor`, and the same checks beside the first seconds of a run.

use std::time::Duration;

use serde_json::Value;

use crate::scenery::dead_address;
use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::scenery::forward_proxy::ForwardProxy;
use crate::scenery::tls_front::TlsFront;
use crate::support::extras::PrivateRegistry;
use crate::support::{Finished, LongStep, Registry, Sandbox};

use super::publish::small;

/// A name that only a proxy knows: BuildKit asks no name server for one of this domain (RFC 7686).
const ONLY_HERE: &str = "registry.stagefreight.onion:80";

/// A checkout whose image goes to these registries, as targets `t0`, `t1` …, with more settings each.
fn to(targets: &[(&str, &str)]) -> Sandbox {
    let sandbox = small(Sandbox::new()).buildkitd();
    with_targets(sandbox, targets, "")
}

fn with_targets(sandbox: Sandbox, targets: &[(&str, &str)], build: &str) -> Sandbox {
    let mut config = format!("version: 1\nbuilds:\n  - {{id: app, kind: docker{build}}}\ntargets:\n");
    for (i, (host, more)) in targets.iter().enumerate() {
        config.push_str(&format!(
            "  - {{id: t{i}, kind: registry, build: app, url: '{host}', path: 'live/{{id}}', tags: [latest]{more}}}\n"
        ));
    }
    sandbox.config(&config)
}

/// The checks as programs read them.
fn examine(sandbox: &Sandbox, code: i32) -> Value {
    let run = sandbox.run(&["doctor", "--format", "json"]).exits(code);
    sandbox.assert_tidy(&run);
    let found: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout));
    assert_eq!(found["healthy"], code == 0, "{found:#}");
    found
}

/// State and sentence of a check of a target (or of the builder, with an empty id).
#[track_caller]
fn check(found: &Value, target: &str, aspect: &str) -> (String, String) {
    let checks = found["checks"].as_array().unwrap();
    let ours = |check: &&Value| {
        let subject = &check["subject"];
        let matches = if target.is_empty() { subject["kind"] == "builder" } else { subject["target"] == target };
        matches && check["aspect"] == aspect
    };
    let check = checks.iter().find(ours).unwrap_or_else(|| panic!("no {aspect} of `{target}` in {found:#}"));
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("state"), format!("{} {}", text("says"), text("cure")))
}

#[track_caller]
fn assert_check(found: &Value, target: &str, aspect: &str, state: &str, says: &[&str]) {
    let (is, said) = check(found, target, aspect);
    assert_eq!(is, state, "{aspect} of `{target}`: {said}");
    for part in says {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
}

#[test]
fn healthy_targets_are_examined_in_a_moment() {
    let sandbox =
        to(&[("{registry}", ", retention: 5"), ("{registry2}", ""), ("{registry_auth}", ", credentials: AUTH")]);
    let (user, password) = (sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
    let sandbox = sandbox.var("AUTH_USER", &user).secret("AUTH_TOKEN", &password);
    // Nothing is there yet: nobody knows whether trying would make the repository.
    let found = examine(&sandbox, 0);
    assert_check(&found, "t0", "push", "unknown", &["not there yet"]);
    assert!(sandbox.registry().tags(&format!("live/{}", sandbox.id)).is_empty());
    sandbox.run(&["run"]).succeeds();
    let before = sandbox.tree();
    let found = examine(&sandbox, 0);
    assert_eq!(sandbox.tree(), before, "the checkout is left alone");
    for target in ["t0", "t1", "t2"] {
        assert_check(&found, target, "reachable", "ok", &[]);
        assert_check(&found, target, "push", "ok", &["takes uploads"]);
        assert_check(&found, target, "deletes", "ok", &[]);
        assert_check(&found, target, "referrers", "ok", &["no referrers API"]);
        assert_check(&found, target, "from_builder", "ok", &[]);
    }
    assert_check(&found, "t0", "login", "not_needed", &[]);
    assert_check(&found, "t2", "login", "ok", &["AUTH_"]);
    assert_check(&found, "", "builder", "ok", &["buildkitd"]);
    let seconds = found["seconds"].as_f64().unwrap();
    eprintln!("three healthy targets: {seconds} s");
    assert!(seconds < 10.0, "{seconds} s");
    let run = sandbox.run(&["doctor"]).exits(0);
    run.says(&["Target t2: ", "✓ push", "– login", "nothing failed"]);
    assert!(run.stderr.is_empty(), "{}", run.stderr);
}

#[test]
fn trying_to_push_leaves_nothing() {
    let registry = PrivateRegistry::start(&[("ada", "lovelace-1815")]);
    let sandbox = to(&[(&registry.host, ", credentials: R, provider: generic")]);
    let sandbox = sandbox.var("R_USER", "ada").secret("R_TOKEN", "lovelace-1815");
    sandbox.run(&["run"]).succeeds();
    assert_eq!(registry.open_uploads(), [""; 0].map(std::path::PathBuf::from));
    // Through a proxy, to see that it was tried at all.
    let proxy = FaultProxy::start(&registry.host.replace("localhost", "127.0.0.1"), []);
    let sandbox = with_targets(sandbox, &[(proxy.host(), ", credentials: R")], "");
    let found = examine(&sandbox, 0);
    assert_check(&found, "t0", "push", "ok", &["takes uploads"]);
    assert_eq!((proxy.count("PATCH", "/blobs/uploads/"), proxy.count("POST", "/"), proxy.count("PUT", "/")), (1, 0, 0));
    assert_eq!(registry.open_uploads(), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn a_wrong_password_is_the_only_thing_told_of_its_target() {
    let sandbox = to(&[("{registry_auth}", ", credentials: AUTH"), ("{registry}", "")]);
    let sandbox = sandbox.var("AUTH_USER", "testbed").secret("AUTH_TOKEN", "not-the-password-85");
    let found = examine(&sandbox, 1);
    assert_check(&found, "t0", "reachable", "ok", &[]);
    assert_check(&found, "t0", "login", "failed", &["UNAUTHORIZED", "AUTH_"]);
    assert_check(&found, "t1", "reachable", "ok", &[]);
    let run = sandbox.run(&["doctor"]).exits(1);
    run.says(&["✗ login", "→ Check that the login from AUTH_USER", "checks failed"]);
}

#[test]
fn a_login_that_is_missing_is_told_before_anything_is_asked() {
    let sandbox = to(&[("{registry_auth}", ", credentials: AUTH")]);
    let run = sandbox.run(&["doctor"]).exits(1);
    run.says(&["✗ logins", "AUTH_USER"]);
}

#[test]
fn a_token_that_only_reads_is_seen_by_its_scope_or_by_a_refused_upload() {
    let seed = to(&[("{registry}", "")]);
    seed.run(&["run"]).succeeds();
    for legible in [true, false] {
        let proxy = FaultProxy::start(&seed.testbed.registry.replace("localhost", "127.0.0.1"), [])
            .with_tokens("ada", "lovelace-1815", Duration::from_secs(60))
            .allowing(&["pull"], legible);
        let target = format!(
            "  - {{id: t0, kind: registry, build: app, url: '{}', path: 'live/{}', tags: [latest], credentials: R}}\n",
            proxy.host(),
            seed.id
        );
        let config = format!("version: 1\nbuilds:\n  - {{id: app, kind: docker}}\ntargets:\n{target}");
        let sandbox = small(Sandbox::new()).buildkitd().config(&config);
        let sandbox = sandbox.var("R_USER", "ada").secret("R_TOKEN", "lovelace-1815");
        let found = examine(&sandbox, 1);
        assert_check(&found, "t0", "login", "ok", &[]);
        assert_check(&found, "t0", "push", "failed", &["R_TOKEN", &format!("live/{}", seed.id)]);
        let uploads = proxy.seen().iter().filter(|seen| seen.path.contains("/uploads/") && seen.status < 400).count();
        assert_eq!(uploads, 0, "no upload is taken");
        assert_eq!(proxy.count("PATCH", "/uploads/") == 0, legible, "a scope that says it is enough");
    }
}

#[test]
fn registries_that_are_not_there_or_not_trusted_are_told_apart() {
    let sandbox = small(Sandbox::new()).buildkitd();
    let front = TlsFront::start(&sandbox.testbed.registry.replace("localhost", "127.0.0.1"));
    let dead = dead_address();
    // Who speaks of certificates means TLS on this machine, too.
    let settings = format!("registries: {{'{}': {{ca: other.pem}}}}\n", front.host);
    let other = TlsFront::start("127.0.0.1:9");
    sandbox.write("other.pem", std::str::from_utf8(&other.ca_pem).unwrap());
    let sandbox = with_targets(sandbox, &[(&dead, ""), (&front.host, "")], "");
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let sandbox = sandbox.file(".stagefreight.yml", &(config + &settings));
    let found = examine(&sandbox, 1);
    assert_check(&found, "t0", "reachable", "failed", &["connection refused", &dead]);
    assert_check(&found, "t0", "from_builder", "failed", &["connection refused"]);
    assert_check(&found, "t1", "reachable", "failed", &["no trusted TLS", "ca:"]);
}

#[test]
fn a_registry_that_hangs_is_unknown_in_bounded_time() {
    let sandbox = small(Sandbox::new()).buildkitd();
    let proxy =
        FaultProxy::start(&sandbox.testbed.registry.replace("localhost", "127.0.0.1"), [Rule::new(Fault::Hang)]);
    let sandbox = with_targets(sandbox, &[(proxy.host(), ""), ("{registry2}", "")], "");
    let run = sandbox.run(&["doctor"]).exits(0);
    run.faster_than(Duration::from_secs(40)).says(&["? reachable", "? from builder", "gave no answer"]);
    run.says(&["✓ from builder"]);
    sandbox.assert_tidy(&run);
}

/// A registry that only we reach, through a proxy that the builder does not have.
fn only_ours(sandbox: Sandbox, upstream: &str) -> (Sandbox, ForwardProxy) {
    let proxy = ForwardProxy::start(&[(ONLY_HERE, upstream)], None);
    let host = ONLY_HERE.trim_end_matches(":80");
    let sandbox = with_targets(sandbox, &[(host, "")], "");
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let config = format!("{config}registries: {{'{host}': {{http: true}}}}\n");
    let sandbox = sandbox.file(".stagefreight.yml", &config).var("HTTP_PROXY", &format!("http://{}", proxy.host));
    (sandbox, proxy)
}

#[test]
fn a_registry_that_the_builder_does_not_reach_is_found_out() {
    let sandbox = small(Sandbox::new()).buildkitd();
    let upstream = sandbox.testbed.registry.clone();
    let (sandbox, _proxy) = only_ours(sandbox, &upstream);
    let found = examine(&sandbox, 1);
    assert_check(&found, "t0", "reachable", "ok", &[]);
    assert_check(&found, "t0", "from_builder", "failed", &["does not reach", "buildkitd.toml"]);
}

#[test]
fn deletes_matter_where_tags_are_to_be_retired() {
    let registry = PrivateRegistry::without_deletes();
    let sandbox = to(&[(&registry.host, "")]);
    let found = examine(&sandbox, 0);
    assert_check(&found, "t0", "deletes", "not_needed", &["stays"]);
    let sandbox = with_targets(sandbox, &[(&registry.host, ", retention: 3")], "");
    let found = examine(&sandbox, 1);
    assert_check(&found, "t0", "deletes", "failed", &["retention", &registry.host]);
    // Keeping order never turns a good build red: a run tells it and goes on.
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&["cannot delete"]);
    assert_eq!(Registry::new(&registry.host).tags(&format!("live/{}", sandbox.id)), ["latest"]);
    assert_eq!(registry.open_uploads(), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn emulation_and_foreign_platforms_are_told() {
    let sandbox = small(Sandbox::new()).buildkitd();
    let build = ", platforms: [linux/amd64, linux/arm64, linux/s390x]";
    let sandbox = with_targets(sandbox, &[("{registry}", "")], build);
    let found = examine(&sandbox, 0);
    let platforms: Vec<_> = found["checks"].as_array().unwrap().iter().filter(|c| c["aspect"] == "platforms").collect();
    let states: Vec<_> = platforms.iter().map(|c| c["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ok", "ok", "unknown"], "{platforms:#?}");
    assert!(platforms[1]["says"].as_str().unwrap().contains("linux/arm64 is emulated"));
    assert!(platforms[2]["cure"].as_str().unwrap().contains("binfmt"));
    // A run says so, too, and builds: copying needs no emulation.
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&["linux/arm64 is emulated"]);
}

#[test]
fn what_an_engines_own_builder_cannot_make_is_told() {
    let sandbox = small(Sandbox::new()).docker();
    let sandbox = with_targets(sandbox, &[("{registry}", "")], "");
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let sandbox = sandbox.file(".stagefreight.yml", &format!("{config}build_cache: {{builder: {{driver: docker}}}}\n"));
    let sandbox = sandbox.var("STAGEFREIGHT_SBOM", "true");
    let found = examine(&sandbox, 1);
    assert_check(&found, "", "outputs", "failed", &["SBOM", "app"]);
    assert_check(&found, "t0", "from_builder", "not_needed", &["uploaded from here"]);
}

#[test]
fn without_a_builder_the_registries_are_examined_all_the_same() {
    let sandbox = with_targets(small(Sandbox::new()), &[("{registry}", "")], "");
    let dead = dead_address();
    let sandbox = sandbox.var("DOCKER_HOST", &format!("tcp://{dead}"));
    let found = examine(&sandbox, 1);
    assert_check(&found, "", "builder", "failed", &[]);
    assert_check(&found, "t0", "reachable", "ok", &[]);
}

#[test]
fn wrong_requests_are_told_as_run_tells_them() {
    let sandbox = to(&[("{registry}", "")]);
    sandbox.run(&["doctor", "--dry-run"]).exits(2).says(&["dry run", "stagefreight plan"]);
    let sandbox = sandbox.file(".stagefreight.yml", "version: 1\nbilds: []\n");
    sandbox.run(&["doctor"]).exits(2).says(&["builds"]);
}

#[test]
fn a_dry_run_asks_nobody() {
    let sandbox = small(Sandbox::new()).buildkitd();
    let proxy = FaultProxy::start(&sandbox.testbed.registry.replace("localhost", "127.0.0.1"), []);
    let sandbox = with_targets(sandbox, &[(proxy.host(), "")], "");
    sandbox.run(&["run", "--dry-run"]).succeeds();
    assert_eq!(proxy.seen().len(), 0);
}

/// The build was stopped while it would have gone on for days, and nothing stands anywhere.
fn assert_stopped(sandbox: &Sandbox, run: &Finished, step: &LongStep, kind: &str) {
    step.ends();
    let result = sandbox.result();
    assert_eq!(result["failure"]["kind"], kind, "{result:#}");
    assert_eq!(result["builds"][0]["state"], "not_run", "{result:#}");
    assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0]);
    sandbox.assert_tidy(run);
}

#[test]
fn a_failed_check_stops_the_build() {
    let step = LongStep::new();
    let sandbox = small(Sandbox::new()).file("Dockerfile", &step.dockerfile()).buildkitd();
    let proxy = FaultProxy::start(&sandbox.testbed.registry2.replace("localhost", "127.0.0.1"), [])
        .with_tokens("ada", "lovelace-1815", Duration::from_secs(60))
        .allowing(&["pull"], true);
    // So late that the build is mostly under way by then; it would go on for days.
    proxy.rule(Rule::new(Fault::Slow(Duration::from_secs(5))).at("/token"));
    let sandbox = with_targets(sandbox, &[("{registry}", ""), (proxy.host(), ", credentials: R")], "");
    let sandbox = sandbox.var("R_USER", "ada").secret("R_TOKEN", "lovelace-1815");
    let run = sandbox.start(&["run"]).wait(Duration::from_secs(60)).exits(1);
    run.says(&["is not allowed to push", "give the account of R_USER", "a check before publishing failed"]);
    run.is_silent_about(&["signal"]);
    assert_stopped(&sandbox, &run, &step, "credentials");
    assert_eq!(proxy.count("PUT", "/"), 0, "nothing is written");
}

#[test]
fn a_builder_that_does_not_reach_a_registry_stops_its_build() {
    let step = LongStep::new();
    let sandbox = small(Sandbox::new()).file("Dockerfile", &step.dockerfile()).buildkitd();
    let upstream = sandbox.testbed.registry.clone();
    let (sandbox, _proxy) = only_ours(sandbox, &upstream);
    let run = sandbox.start(&["run"]).wait(Duration::from_secs(60)).exits(1);
    run.says(&["does not reach registry.stagefreight.onion", "a check before publishing failed"]);
    assert_stopped(&sandbox, &run, &step, "backend");
}

#[test]
fn a_registry_that_hangs_does_not_hold_up_a_build_that_is_done() {
    let sandbox = small(Sandbox::new()).buildkitd();
    // Only the door hangs; publishing goes past it.
    let rule = Rule::new(Fault::Hang).on("GET").times(1);
    let proxy = FaultProxy::start(&sandbox.testbed.registry.replace("localhost", "127.0.0.1"), [rule]);
    let sandbox = with_targets(sandbox, &[(proxy.host(), "")], "");
    let run = sandbox.run(&["run"]).succeeds();
    run.faster_than(Duration::from_secs(9));
    sandbox.assert_tidy(&run);
}
