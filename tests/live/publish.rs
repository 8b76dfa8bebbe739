//! From a checkout to tags in registries, and to everything else an image can become.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::Sandbox;
use crate::support::sandbox::COMMIT_TIME;

/// An image of one file, different in every sandbox.
pub(crate) fn small(sandbox: Sandbox) -> Sandbox {
    let text = sandbox.id.clone();
    sandbox.file("hello.txt", &text).file("Dockerfile", "FROM scratch\nCOPY hello.txt /hello.txt\n")
}

/// The checkout of [`small`] with a target in the first registry.
pub(crate) fn to_one_registry() -> Sandbox {
    small(Sandbox::new()).config(
        "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: ['1.0', latest]}
",
    )
}

#[test]
fn one_platform_to_one_registry() {
    let sandbox = to_one_registry().buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let repository = format!("live/{}", sandbox.id);
    let registry = sandbox.registry();
    assert_eq!(registry.tags(&repository), ["1.0", "latest"]);
    let digest = registry.digest(&repository, "latest");
    assert_eq!(registry.digest(&repository, "1.0"), digest);
    run.says(&[
        &digest,
        &format!("{}/{repository}:latest", registry.host),
        &format!("{}/{repository}:1.0", registry.host),
    ]);

    let result = sandbox.result();
    assert_eq!(result["schema_version"], 1);
    assert_eq!(result["status"], "success");
    assert_eq!(result["exit_code"], 0);
    let build = &result["builds"][0];
    assert_eq!(build["digest"], digest);
    assert_eq!(build["state"], "done");
    assert_eq!(build["plan"]["platforms"].as_array().unwrap().len(), 1);
    assert!(build["verified"].as_str().unwrap().starts_with("not proven"), "{build}");
    assert_eq!(build["published"].as_array().unwrap().len(), 2);
    let manifest = registry.manifest(&repository, "latest").unwrap();
    assert_eq!(build["image_id"], manifest.body["config"]["digest"]);
    assert_eq!(result["builder"]["driver"], "remote");
    assert_eq!(result["builder"]["backend"], "buildkitd");
    assert!(!result["builder"]["buildkit"].as_str().unwrap().is_empty(), "{result}");
    sandbox.assert_tidy(&run);
}

#[test]
fn two_platforms_become_one_index() {
    let sandbox = Sandbox::new()
        .file("Dockerfile", "FROM busybox\nRUN uname -m > /arch\n")
        .config(
            "version: 1
builds:
  - {id: app, kind: docker, platforms: [linux/amd64, linux/arm64]}
targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [multi]}
",
        )
        .buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let index = sandbox.registry().manifest(&format!("live/{}", sandbox.id), "multi").unwrap();
    let platforms: Vec<_> = index.body["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            format!("{}/{}", m["platform"]["os"].as_str().unwrap(), m["platform"]["architecture"].as_str().unwrap())
        })
        .collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"], "two images and no attestation nobody asked for");
    let build = &sandbox.result()["builds"][0];
    assert_eq!(build["digest"], index.digest);
    assert!(build["image_id"].is_null(), "several platforms have no one image id");
    run.says(&[&index.digest, "linux/amd64", "linux/arm64"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn two_registries_hold_three_tags_each_of_the_same_digest() {
    let sandbox = small(Sandbox::new()).config(
        "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: one, kind: registry, build: app, url: '{registry}', path: 'live/{id}/app', tags: ['{version}', '{major}.{minor}', latest]}
  - {id: two, kind: registry, build: app, url: '{registry2}', path: 'mirror/{id}', tags: ['{version}', '{major}.{minor}', latest]}
",
    );
    sandbox.git(&["tag", "v1.4.2"]);
    let sandbox = sandbox.buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let places = [
        (sandbox.registry(), format!("live/{}/app", sandbox.id)),
        (sandbox.registry2(), format!("mirror/{}", sandbox.id)),
    ];
    let digest = places[0].0.digest(&places[0].1, "latest");
    for (registry, repository) in &places {
        assert_eq!(registry.tags(repository), ["1.4", "1.4.2", "latest"]);
        for tag in ["1.4", "1.4.2", "latest"] {
            assert_eq!(registry.digest(repository, tag), digest);
            run.says(&[&format!("{}/{repository}:{tag}", registry.host)]);
        }
    }
    assert_eq!(sandbox.result()["version"]["full"], "1.4.2");
    assert_eq!(sandbox.result()["builds"][0]["published"].as_array().unwrap().len(), 6);

    let record = sandbox.document("publish.json");
    let mut unsigned = record.clone();
    unsigned["checksum"] = json!("");
    // The keys of a JSON object of serde's are sorted, and it writes no white space: that is the canonical form.
    let canonical = serde_json::to_vec(&unsigned).unwrap();
    assert_eq!(record["checksum"], format!("sha256:{}", hex::encode(Sha256::digest(&canonical))));
    let entries = record["published"].as_array().unwrap();
    assert_eq!(entries.len(), 6);
    for entry in entries {
        assert_eq!(entry["digest"], digest);
        assert_eq!(entry["observed"], json!({"builder": digest, "registry": digest}), "two observers");
    }
    sandbox.assert_tidy(&run);
}

#[test]
fn the_image_says_what_it_is() {
    let sandbox = Sandbox::new()
        .file(
            "Dockerfile",
            "FROM busybox\nARG VERSION\nARG COMMIT\nARG BUILD_DATE\nARG GREETING\nRUN echo \"$VERSION|$COMMIT|$BUILD_DATE|$GREETING\" > /args\nCMD [\"cat\", \"/args\"]\n",
        )
        .config(
            "version: 1
project: {name: rocket, license: MIT, url: 'https://example.org/rocket', description: Goes up}
builds:
  - id: app
    kind: docker
    build_args: {GREETING: 'hello {version}'}
    labels: {org.example.team: 'team {branch}'}
targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}
",
        );
    sandbox.git(&["tag", "v2.0.1"]);
    let sandbox = sandbox.buildkitd();
    let run = sandbox.run(&["run", "--label", "org.example.by=input"]).succeeds();
    let repository = format!("live/{}", sandbox.id);
    let config = sandbox.registry().config(&repository, "latest");
    let labels = &config["config"]["Labels"];
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    assert_eq!(labels["org.opencontainers.image.version"], "2.0.1");
    assert_eq!(labels["org.opencontainers.image.revision"], head);
    assert_eq!(labels["org.opencontainers.image.created"], "2024-05-17T10:11:12Z");
    assert_eq!(labels["org.opencontainers.image.title"], "rocket");
    assert_eq!(labels["org.opencontainers.image.licenses"], "MIT");
    assert_eq!(labels["org.opencontainers.image.description"], "Goes up");
    assert_eq!(labels["org.opencontainers.image.url"], "https://example.org/rocket");
    assert_eq!(labels["org.example.team"], "team main");
    assert_eq!(labels["org.example.by"], "input");
    assert_eq!(config["created"], "2024-05-17T10:11:12Z", "the commit's time, not the clock's");
    let docker = crate::support::Engine::new(&sandbox.testbed.docker_host);
    let name = format!("{}/{repository}:latest", sandbox.testbed.registry);
    let said = docker.run(&name, &[]);
    docker.remove_image(&name);
    assert_eq!(said.trim(), format!("2.0.1|{head}|2024-05-17T10:11:12Z|hello 2.0.1"), "{COMMIT_TIME}");
    sandbox.assert_tidy(&run);
}

#[test]
fn without_target_or_engine_an_oci_layout_is_written() {
    let sandbox = small(Sandbox::new()).buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let build = &sandbox.result()["builds"][0];
    let dir = sandbox.workspace().join(build["layout"].as_str().unwrap());
    assert!(dir.starts_with(sandbox.workspace().join("dist")), "{build}");
    let index: Value = serde_json::from_slice(&std::fs::read(dir.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], build["digest"]);
    let hex = build["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let blob = std::fs::read(dir.join("blobs/sha256").join(hex)).unwrap();
    assert_eq!(hex::encode(Sha256::digest(&blob)), hex);
    run.says(&["dist", build["digest"].as_str().unwrap()]);
    sandbox.assert_tidy(&run);
    // The next run replaces it.
    sandbox.run(&["run"]).succeeds();
    sandbox.assert_clean();
}

#[test]
fn inputs_alone_are_enough() {
    let sandbox = small(Sandbox::new());
    let tags = sandbox.fill("{registry}/live/{id}:one\n{registry2}/live/{id}:two,{registry2}/live/{id}:three");
    let sandbox = sandbox
        .file("images/other/Dockerfile", "FROM scratch AS first\nCOPY hello.txt /first\nFROM scratch\nCOPY nothing /\n")
        .on("github-push")
        .buildkitd()
        .var("INPUT_FILE", "images/other/Dockerfile")
        .var("INPUT_TARGET", "first")
        .var("INPUT_TAGS", &tags)
        .var("INPUT_BUILD-ARGS", "A=1\nB=a,b")
        .var("INPUT_LABELS", "org.example.a=1\norg.example.b=a,b")
        .var("INPUT_NO-CACHE", "true")
        .var("INPUT_PUSH", "");
    let run = sandbox.run(&["run"]).succeeds();
    let repository = format!("live/{}", sandbox.id);
    assert_eq!(sandbox.registry().tags(&repository), ["one"]);
    assert_eq!(sandbox.registry2().tags(&repository), ["three", "two"]);
    let labels = sandbox.registry().config(&repository, "one")["config"]["Labels"].clone();
    assert_eq!(labels["org.example.b"], "a,b");
    let outputs = sandbox.outputs();
    assert_eq!(outputs["digest"], sandbox.registry2().digest(&repository, "two"));
    assert_eq!(outputs["tags"].lines().count(), 3);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_registry_that_is_down_keeps_every_tag_away() {
    let dead = crate::scenery::dead_address();
    let sandbox = small(Sandbox::new());
    let config = format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: alive, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: [latest, '1']}}
  - {{id: dead, kind: registry, build: app, url: '{dead}', path: 'live/{{id}}', tags: [latest]}}
"
    );
    let sandbox = sandbox.config(&config).buildkitd();
    let run = sandbox.run(&["run"]).exits(1);
    assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0], "no tag moves before all hold it");
    run.says(&[&dead]);
    let result = sandbox.result();
    assert_eq!(result["status"], "failure");
    assert_eq!(result["exit_code"], 1);
    assert_eq!(result["builds"][0]["published"], json!([]));
    sandbox.assert_tidy(&run);
}

#[test]
fn tags_move_to_the_next_image_and_the_same_source_is_the_same_image() {
    let sandbox = to_one_registry().buildkitd();
    let repository = format!("live/{}", sandbox.id);
    let publish = |args: &[&str]| {
        sandbox.run(args).succeeds();
        sandbox.registry().digest(&repository, "latest")
    };
    let first = publish(&["run"]);
    assert_eq!(publish(&["run", "--no-cache"]), first, "SOURCE_DATE_EPOCH holds everything still but file times");
    sandbox.write("hello.txt", "something else");
    sandbox.commit("Say something else");
    let second = publish(&["run"]);
    assert_ne!(second, first);
    assert!(sandbox.registry().manifest(&repository, &first).is_some(), "the old image stays, by digest");
    sandbox.assert_clean();
}

#[test]
fn nothing_is_written_through_links_out_of_the_checkout() {
    let outside = tempfile::tempdir().unwrap();
    for link in [".stagefreight", "dist"] {
        let sandbox = small(Sandbox::new()).buildkitd();
        std::os::unix::fs::symlink(outside.path(), sandbox.workspace().join(link)).unwrap();
        sandbox.run(&["run"]);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{link}");
        sandbox.assert_clean();
    }
}

#[test]
fn two_runs_at_once_in_one_checkout_and_in_another() {
    let sandbox = to_one_registry().buildkitd();
    let other = to_one_registry().buildkitd();
    let running = [sandbox.start(&["run"]), sandbox.start(&["run"]), other.start(&["run"])];
    let runs = running.map(|run| run.wait(std::time::Duration::from_secs(120)).succeeds());
    for sandbox in [&sandbox, &other] {
        let digest = sandbox.registry().digest(&format!("live/{}", sandbox.id), "latest");
        assert_eq!(sandbox.result()["builds"][0]["digest"], digest, "whole, whoever wrote it last");
    }
    for (sandbox, run) in [(&sandbox, &runs[0]), (&sandbox, &runs[1]), (&other, &runs[2])] {
        sandbox.assert_tidy(run);
    }
}
