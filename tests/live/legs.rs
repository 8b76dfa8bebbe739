//! Native legs: each platform built by a run of its own, merged into one image.

use serde_json::Value;

use crate::support::{Attached, Cosign, Sandbox};

use super::crucible;
use super::publish::small;
use super::sign::{image, repository, with};

pub(crate) const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// For two platforms, in two registries; `more` are further settings of the build, each with a comma before it.
pub(crate) fn split(sandbox: Sandbox, more: &str) -> Sandbox {
    sandbox.config(&format!(
        "version: 1
builds:
  - {{id: app, kind: docker, platforms: [linux/amd64, linux/arm64]{more}}}
targets:
  - {{id: one, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: ['1', latest]}}
  - {{id: two, kind: registry, build: app, url: '{{registry2}}', path: 'live/{{id}}', tags: [latest]}}
"
    ))
}

/// An image that tells its platform.
pub(crate) fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    let dockerfile = format!("FROM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH {} > /made\n", sandbox.id);
    sandbox.file(".dockerignore", ".git\n.stagefreight\n").file("Dockerfile", &dockerfile)
}

pub(crate) fn build_legs(sandbox: &Sandbox) {
    for platform in PLATFORMS {
        sandbox.run(&["run", "--platform-leg", platform]).succeeds();
    }
}

pub(crate) fn document(sandbox: &Sandbox, platform: &str) -> Value {
    sandbox.document(&format!("legs/app.{}.json", platform.replace('/', "-")))
}

#[track_caller]
pub(crate) fn assert_no_tags(sandbox: &Sandbox) {
    for registry in [sandbox.registry(), sandbox.registry2()] {
        assert_eq!(registry.tags(&repository(sandbox)), [""; 0], "{}", registry.host);
    }
}

/// Digests of the manifests in what `latest` names, the same in both registries; and the digest of that.
#[track_caller]
fn merged(sandbox: &Sandbox) -> (Vec<String>, String) {
    let index = sandbox.registry().manifest(&repository(sandbox), "latest").expect("latest");
    for (registry, tag) in [(sandbox.registry(), "1"), (sandbox.registry2(), "latest")] {
        assert_eq!(registry.digest(&repository(sandbox), tag), index.digest, "{} {tag}", registry.host);
        assert_eq!(registry.manifest(&repository(sandbox), &index.digest).as_ref(), Some(&index), "by digest");
    }
    let children = index.body["manifests"].as_array().expect("an index");
    let digests: Vec<_> = children.iter().map(|child| child["digest"].as_str().unwrap().to_owned()).collect();
    for digest in &digests {
        for registry in [sandbox.registry(), sandbox.registry2()] {
            assert!(registry.manifest(&repository(sandbox), digest).is_some(), "{digest} is not in {}", registry.host);
        }
    }
    (digests, index.digest)
}

#[test]
fn legs_put_no_tag_and_merge_makes_the_image_an_ordinary_run_makes() {
    let sandbox = split(project(), "").on("github-push").buildkitd();
    for platform in PLATFORMS {
        let run = sandbox.run(&["run", "--platform-leg", platform]).succeeds();
        run.says(&["Hand over the leg", platform, "puts no tag"]);
        assert_no_tags(&sandbox);
        let leg = document(&sandbox, platform);
        let digest = leg["staged"]["manifest"]["digest"].as_str().unwrap();
        assert_eq!(leg["digest"], digest, "one manifest and no index");
        for registry in [sandbox.registry(), sandbox.registry2()] {
            let manifest = registry.manifest(&repository(&sandbox), digest).expect("it is staged");
            assert_eq!(manifest.body["config"]["digest"], leg["staged"]["config"]);
            let arch = registry.config(&repository(&sandbox), digest)["architecture"].clone();
            assert_eq!(format!("linux/{}", arch.as_str().unwrap()), platform);
        }
        let result = sandbox.result();
        assert_eq!(result["builds"][0]["leg"]["platform"], platform);
        assert_eq!(result["builds"][0]["published"].as_array().map(Vec::len), Some(0));
        assert!(!sandbox.workspace().join(".stagefreight/publish.json").exists());
        sandbox.assert_tidy(&run);
    }
    let legs = PLATFORMS.map(|platform| document(&sandbox, platform)["digest"].as_str().unwrap().to_owned());
    // Whoever merges has no builder.
    let sandbox = sandbox.without("BUILDKIT_HOST").without("BUILDKIT_CERT_PATH");
    // A job of its own has outputs of its own.
    std::fs::write(&sandbox.vars["GITHUB_OUTPUT"], "").unwrap();
    let run = sandbox.run(&["merge"]).succeeds();
    let (children, digest) = merged(&sandbox);
    assert_eq!(children, legs, "the platforms in the plan's order, and nothing else");
    run.says(&["Merge legs", "merged from 2 legs", &digest, "linux/arm64"]);
    let result = sandbox.result();
    let build = &result["builds"][0];
    assert_eq!((&build["digest"], &build["state"]), (&digest.as_str().into(), &"done".into()));
    assert_eq!(build["legs"][1]["platform"], "linux/arm64");
    assert_eq!(build["legs"][1]["digest"], legs[1].as_str());
    assert_eq!(build["published"].as_array().unwrap().len(), 3);
    assert_eq!(sandbox.outputs()["digest"], digest);
    assert!(sandbox.summary().contains("### Legs"), "{}", sandbox.summary());
    assert_eq!(sandbox.document("publish.json")["published"].as_array().unwrap().len(), 3);
    sandbox.assert_tidy(&run);
    // The same commit at once, on one builder: every byte is the same.
    let sandbox = sandbox.buildkitd();
    sandbox.run(&["run", "--tags", "whole"]).succeeds();
    assert_eq!(sandbox.registry().digest(&repository(&sandbox), "whole"), digest);
}

#[test]
fn annotations_and_attestations_survive_the_merge() {
    let sandbox = split(project(), "").buildkitd();
    let more = [
        "--provenance=mode=min",
        "--annotation=index:whole=a & <b>",
        "--annotation=manifest:each=x",
        "--annotation=manifest-descriptor[linux/arm64]:pointer=y",
    ];
    for platform in PLATFORMS {
        sandbox.run(&[&["run", "--platform-leg", platform], &more[..]].concat()).succeeds();
    }
    sandbox.run(&[&["merge"], &more[..]].concat()).succeeds();
    let (children, digest) = merged(&sandbox);
    let registry = sandbox.registry();
    let index = registry.manifest(&repository(&sandbox), &digest).unwrap().body;
    assert_eq!(index["annotations"]["whole"], "a & <b>");
    assert!(index["annotations"]["org.opencontainers.image.revision"].is_string(), "{index}");
    assert_eq!(index["manifests"][1]["annotations"]["pointer"], "y");
    assert_eq!(children.len(), 4, "{index}");
    for (i, platform) in PLATFORMS.iter().enumerate() {
        let leg = document(&sandbox, platform);
        assert_eq!(children[i], leg["staged"]["manifest"]["digest"].as_str().unwrap());
        assert_eq!(children[i + 2], leg["staged"]["attestations"][0]["digest"].as_str().unwrap());
        let about = &index["manifests"][i + 2]["annotations"];
        assert_eq!(about["vnd.docker.reference.digest"], children[i].as_str());
        let manifest = registry.manifest(&repository(&sandbox), &children[i]).unwrap().body;
        assert_eq!(manifest["annotations"]["each"], "x");
    }
}

#[test]
fn legs_of_different_builders_are_merged() {
    // A builder in a container knows no mirror for busybox.
    let sandbox = split(small(Sandbox::new()), "").docker();
    sandbox.run(&["run", "--platform-leg", "linux/arm64"]).succeeds();
    assert_eq!(document(&sandbox, "linux/arm64")["builder"]["driver"], "docker-container");
    let sandbox = sandbox.buildkitd();
    sandbox.run(&["run", "--platform-leg", "linux/amd64"]).succeeds();
    assert_eq!(document(&sandbox, "linux/amd64")["builder"]["driver"], "remote");
    // A leg that is run again replaces its document.
    sandbox.run(&["run", "--platform-leg", "linux/amd64"]).succeeds();
    let run = sandbox.run(&["merge"]).succeeds();
    let legs = PLATFORMS.map(|platform| document(&sandbox, platform)["digest"].as_str().unwrap().to_owned());
    assert_eq!(merged(&sandbox).0, legs);
    sandbox.assert_tidy(&run);
}

#[test]
fn what_one_registry_lost_is_copied_from_the_other() {
    let sandbox = split(project(), "").buildkitd();
    build_legs(&sandbox);
    let digest = document(&sandbox, "linux/arm64")["digest"].as_str().unwrap().to_owned();
    sandbox.registry().delete(&repository(&sandbox), &digest);
    sandbox.run(&["merge"]).succeeds();
    assert!(merged(&sandbox).0.contains(&digest));
}

#[test]
fn proofs_of_legs_are_merged_and_the_lowest_counts() {
    let cosign = Cosign::new(3, "");
    let step = "RUN if [ $(uname -m) = aarch64 ]; then head -c 64 /dev/urandom > /random; fi";
    let sandbox = with(split(crucible::project(step), ", build_mode: crucible"), &cosign).buildkitd();
    build_legs(&sandbox);
    assert_no_tags(&sandbox);
    let legs = PLATFORMS.map(|platform| document(&sandbox, platform));
    assert_eq!(legs[0]["proof"]["trust"], "reproducible");
    assert_eq!(legs[1]["proof"]["trust"], "deterministic");
    let run = sandbox.run(&["merge"]).succeeds();
    let (children, digest) = merged(&sandbox);
    assert_eq!(children, [&legs[0], &legs[1]].map(|leg| leg["digest"].as_str().unwrap().to_owned()));
    let result = sandbox.result();
    assert_eq!(result["trust"], "deterministic", "{result}");
    let build = &result["builds"][0];
    assert_eq!(build["legs"][0]["trust"], "reproducible");
    assert!(build["proof"]["obstacles"].to_string().contains("linux/arm64: "), "{build}");
    run.says(&["deterministic"]);
    let file = build["proof"]["provenance"].as_str().unwrap().strip_prefix(".stagefreight/").unwrap().to_owned();
    let statement = sandbox.document(&file);
    let ours = &statement["predicate"]["buildDefinition"]["internalParameters"];
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.strip_prefix("sha256:").unwrap());
    assert_eq!(ours["trust"], "deterministic");
    for (i, leg) in legs.iter().enumerate() {
        assert_eq!(ours["legs"][i]["runId"], leg["proof"]["run_id"]);
        assert_eq!(ours["legs"][i]["trust"], leg["proof"]["trust"]);
    }
    for registry in [sandbox.registry(), sandbox.registry2()] {
        for digest in children.iter().chain([&digest]) {
            assert!(cosign.verifies(&image(&registry, &sandbox, digest)), "{}\n{}", registry.host, run.text());
        }
        assert_eq!(
            Attached::count(&registry, &repository(&sandbox), &digest),
            Attached { signatures: 1, attestations: 1 }
        );
    }
    let named = format!("{}/{}:latest", sandbox.testbed.registry, repository(&sandbox));
    sandbox.run(&["verify", &named, "--key", &cosign.public(), "--min-trust", "deterministic"]).succeeds();
    sandbox.run(&["verify", &named, "--key", &cosign.public(), "--min-trust", "reproducible"]).exits(1);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_build_of_one_platform_is_its_only_leg() {
    let one = "version: 1
builds: [{id: app, kind: docker}]
targets: [{id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}]
";
    let sandbox = project().config(one).buildkitd();
    sandbox.run(&["run", "--platform-leg", "linux/amd64"]).succeeds();
    sandbox.run(&["merge"]).succeeds();
    let merged = sandbox.registry().digest(&repository(&sandbox), "latest");
    assert_eq!(merged, document(&sandbox, "linux/amd64")["digest"].as_str().unwrap());
    sandbox.run(&["run", "--tags", "whole"]).succeeds();
    assert_eq!(sandbox.registry().digest(&repository(&sandbox), "whole"), merged);
}

#[test]
fn every_leg_builds_what_it_depends_on() {
    let sandbox = Sandbox::new()
        .file("base/Dockerfile", "FROM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH > /base\n")
        .file("Dockerfile", "FROM base\nRUN cat /base > /app\n")
        .config(
            "version: 1
builds:
  - {id: base, kind: docker, context: base, dockerfile: base/Dockerfile, platforms: [linux/amd64, linux/arm64]}
  - {id: app, kind: docker, depends_on: base, platforms: [linux/amd64, linux/arm64]}
targets:
  - {id: low, kind: registry, build: base, url: '{registry}', path: 'live/{id}-base', tags: [latest]}
  - {id: high, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}
",
        )
        .buildkitd();
    build_legs(&sandbox);
    sandbox.run(&["merge", ".stagefreight/legs"]).succeeds();
    for name in [repository(&sandbox), format!("{}-base", repository(&sandbox))] {
        let index = sandbox.registry().manifest(&name, "latest").unwrap();
        assert_eq!(index.body["manifests"].as_array().unwrap().len(), 2, "{name}");
    }
    // One of them alone; legs of the other are no trouble.
    let run = sandbox.run(&["merge", "--build-id", "base", "--tags", "again"]).succeeds();
    run.says(&["build app is left out"]);
}

#[test]
fn legs_of_strangers_are_built_and_published_nowhere() {
    let sandbox = split(project(), "").on("github-fork-pr").buildkitd();
    build_legs(&sandbox);
    assert!(document(&sandbox, "linux/arm64")["staged"].is_null());
    let run = sandbox.run(&["merge"]).succeeds();
    assert_no_tags(&sandbox);
    assert_eq!(sandbox.result()["builds"][0]["legs"].as_array().unwrap().len(), 2);
    sandbox.assert_tidy(&run);
}

#[test]
fn an_optional_build_without_all_its_legs_is_left_out_and_merging_again_changes_nothing() {
    let sandbox = small(Sandbox::new()).config(
        "version: 1
builds:
  - {id: app, kind: docker, platforms: [linux/amd64, linux/arm64]}
  - {id: extra, kind: docker, platforms: [linux/amd64, linux/arm64], required: false}
targets:
  - {id: one, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}
  - {id: two, kind: registry, build: extra, url: '{registry}', path: 'live/{id}-extra', tags: [latest]}
",
    );
    let sandbox = sandbox.buildkitd();
    sandbox.run(&["run", "--platform-leg", "linux/amd64"]).succeeds();
    sandbox.run(&["run", "--platform-leg", "linux/arm64", "--build-id", "app"]).succeeds();
    let digest = || sandbox.registry().digest(&repository(&sandbox), "latest");
    let run = sandbox.run(&["merge"]).succeeds();
    run.says(&["build extra failed and is not required", "the leg linux/arm64 is missing"]);
    assert_eq!(sandbox.registry().tags(&format!("{}-extra", repository(&sandbox))), [""; 0]);
    let first = digest();
    sandbox.run(&["merge"]).succeeds();
    assert_eq!(digest(), first);
    assert_eq!(sandbox.result()["builds"][0]["published"][0]["was"], Value::Null, "it named this image already");
    sandbox.assert_tidy(&run);
}
