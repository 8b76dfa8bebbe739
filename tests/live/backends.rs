//! Docker engines: the BuildKit container on one, the engine's own BuildKit, both image stores.

use crate::support::{Engine, Sandbox};

use super::publish::small;

/// The BuildKit container of the testbed's image, which knows where the testbed's registries are.
pub(crate) const CONTAINER: &str = "build_cache: {builder: {image: '{buildkit_image}'}}
registries: {docker.io: {mirrors: ['{registry}']}, '{registry}': {http: true}, '{registry2}': {http: true}}
";
/// The engine's own BuildKit.
pub(crate) const DOCKER: &str = "build_cache: {builder: {backend: docker, driver: docker}}\n";

fn two_registries(builder: &str) -> Sandbox {
    Sandbox::new().file("Dockerfile", "FROM busybox\nRUN echo hello > /hello\nCMD [\"cat\", \"/hello\"]\n").config(
        &format!(
            "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: one, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: [latest, '1']}}
  - {{id: two, kind: registry, build: app, url: '{{registry2}}', path: 'live/{{id}}', tags: [latest]}}
{builder}"
        ),
    )
}

fn published(sandbox: &Sandbox) -> String {
    let repository = format!("live/{}", sandbox.id);
    let digest = sandbox.registry().digest(&repository, "latest");
    assert_eq!(sandbox.registry().digest(&repository, "1"), digest);
    assert_eq!(sandbox.registry2().digest(&repository, "latest"), digest);
    assert_eq!(sandbox.result()["builds"][0]["digest"], digest);
    digest
}

#[test]
fn a_buildkit_container_is_created_then_reused() {
    let sandbox = two_registries(CONTAINER).docker();
    let first = sandbox.run(&["run"]).succeeds();
    let digest = published(&sandbox);
    let builder = sandbox.document("runtime/docker/builder.json");
    assert_eq!((&builder["driver"], &builder["action"]), (&"docker-container".into(), &"created".into()), "{builder}");
    let container = sandbox.builder_container();
    assert!(container.starts_with("buildx_buildkit_sf-"), "{container}");
    assert!(sandbox.the_engine().containers().contains(&container));
    let second = sandbox.run(&["run"]).succeeds();
    assert_eq!(published(&sandbox), digest);
    assert_eq!(sandbox.document("runtime/docker/builder.json")["action"], "reused");
    assert_eq!(sandbox.builder_container(), container);
    first.says(&["docker-container"]);
    sandbox.assert_silent(&first);
    sandbox.assert_tidy(&second);
}

#[test]
fn a_builder_that_cannot_start_is_removed() {
    let sandbox = two_registries(&CONTAINER.replace("{buildkit_image}", "{registry}/no/such/buildkit:1")).docker();
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["no/such/buildkit:1"]);
    assert_eq!(sandbox.result()["failure"]["kind"], "backend");
    sandbox.assert_tidy(&run);
}

#[test]
fn two_first_runs_share_one_container() {
    let sandbox = two_registries(CONTAINER).docker();
    let running = [sandbox.start(&["run"]), sandbox.start(&["run"])];
    let runs = running.map(|run| run.wait(std::time::Duration::from_secs(120)).succeeds());
    published(&sandbox);
    for run in &runs {
        sandbox.assert_tidy(run);
    }
}

/// The moment in which two runs meet, made long: the container runs, and its daemon does not answer yet.
#[test]
fn a_container_that_another_run_has_just_started_is_waited_for() {
    let named = CONTAINER.replace("{image:", "{name: 'sf-young-{id}', image:");
    let sandbox = small(two_registries(&named)).docker();
    let container = sandbox.fill("buildx_buildkit_sf-young-{id}0");
    let late = "sleep 4; exec buildkitd --allow-insecure-entitlement=network.host";
    sandbox.the_engine().start_builder(&container, &sandbox.fill("{buildkit_image}"), late);
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox);
    assert_eq!(sandbox.builder_container(), container);
    assert_eq!(sandbox.document("runtime/docker/builder.json")["action"], "reused");
    sandbox.assert_tidy(&run);
}

/// `--local`: in the engine, and nowhere else. The usual name is everybody's, so most tests take one of their own.
fn local(sandbox: Sandbox) {
    let tag = sandbox.fill("live/{id}:dev");
    loads(&sandbox, &["run", "--local", "--tags", &tag]);
    assert_eq!(sandbox.result()["builds"][0]["loaded"], serde_json::json!([tag]));
}

fn loads(sandbox: &Sandbox, args: &[&str]) {
    let run = sandbox.run(args).succeeds();
    let loaded: Vec<String> = sandbox.result()["builds"][0]["loaded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_str().unwrap().into())
        .collect();
    assert!(!loaded.is_empty());
    let engine = sandbox.the_engine();
    for name in &loaded {
        assert!(engine.image(name).is_some(), "{name}");
        run.says(&[name]);
    }
    assert_eq!(engine.run(&loaded[0], &[]).trim(), "hello");
    loaded.iter().for_each(|name| engine.remove_image(name));
    assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0]);
    sandbox.assert_tidy(&run);
}

#[test]
fn local_into_overlay2_by_the_engine_itself() {
    local(two_registries(DOCKER).docker());
}

#[test]
fn local_into_the_containerd_store_by_the_engine_itself() {
    let sandbox = two_registries(DOCKER).containerd();
    loads(&sandbox, &["run", "--local"]);
    assert_eq!(sandbox.result()["builds"][0]["loaded"], serde_json::json!(["stagefreight:dev"]));
}

#[test]
fn local_by_a_buildkit_container() {
    local(two_registries(CONTAINER).docker());
}

#[test]
fn local_by_a_daemon_into_an_engine() {
    local(two_registries("").buildkitd().docker());
}

#[test]
fn local_by_a_daemon_into_a_containerd_store() {
    local(two_registries("").buildkitd().containerd());
}

/// The engine's own BuildKit cannot push by digest: the image is exported and uploaded.
fn exported(sandbox: Sandbox) {
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox);
    let config = sandbox.registry().config(&format!("live/{}", sandbox.id), "latest");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], sandbox.git(&["rev-parse", "HEAD"]));
    let name = sandbox.fill("{registry}/live/{id}:latest");
    let other = Engine::new(&sandbox.testbed.docker_host);
    assert_eq!(other.run(&name, &[]).trim(), "hello", "what was uploaded runs elsewhere");
    other.remove_image(&name);
    assert_eq!(sandbox.document("runtime/docker/builder.json")["driver"], "docker");
    sandbox.assert_tidy(&run);
}

#[test]
fn published_from_overlay2_by_export_and_upload() {
    exported(two_registries(DOCKER).docker());
}

#[test]
fn published_from_the_containerd_store_by_export_and_upload() {
    exported(two_registries(DOCKER).containerd());
}

#[test]
fn several_platforms_cannot_be_loaded() {
    let sandbox = two_registries("").buildkitd().docker();
    let run = sandbox.run(&["run", "--local", "--platforms", "linux/amd64,linux/arm64"]).exits(2);
    run.says(&["2 platforms"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn publish_and_load_in_one_run() {
    let sandbox = two_registries("").buildkitd().docker();
    let run = sandbox.run(&["run", "--load"]).succeeds();
    published(&sandbox);
    let loaded = sandbox.result()["builds"][0]["loaded"][0].as_str().unwrap().to_owned();
    assert_eq!(sandbox.the_engine().run(&loaded, &[]).trim(), "hello");
    sandbox.the_engine().remove_image(&loaded);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_daemon_and_an_engine_never_mix() {
    let dead = format!("tcp://{}", crate::scenery::dead_address());
    let forced = small(Sandbox::new())
        .config("version: 1\nbuild_cache: {builder: {backend: buildkitd}}\n")
        .docker()
        .buildkitd()
        .var("BUILDKIT_HOST", &dead);
    let run = forced.run(&["run", "--local"]).exits(1);
    run.says(&[&dead]);
    assert_eq!(forced.result()["failure"]["kind"], "backend");
    forced.assert_tidy(&run);
}
