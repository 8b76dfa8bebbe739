//! What can be proven: several platforms, builds upon builds, layouts, checkouts without git.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::Sandbox;

use super::crucible::{assert_published, project, proof, proven, published, sound};

#[test]
fn two_platforms_are_proven_with_what_is_attested_beside_them() {
    let settings = ", platforms: [linux/amd64, linux/arm64], crucible: {min_trust: reproducible}";
    let sandbox = published(project("RUN uname -m > /machine"), settings).buildkitd();
    let run = sandbox.run(&["run", "--provenance", "mode=max"]).succeeds();
    assert_eq!(proof(&sandbox)["trust"], "reproducible");
    assert_published(&sandbox);
    let repository = format!("live/{}", sandbox.id);
    let index = sandbox.registry().manifest(&repository, "latest").unwrap();
    let images = index.body["manifests"].as_array().unwrap();
    assert_eq!(images.len(), 2, "platforms only: what is attested differs with every build: {}", index.body);
    for image in images {
        let referrers = image["digest"].as_str().unwrap().replace(':', "-");
        let attested = sandbox.registry().manifest(&repository, &referrers).expect("provenance of each platform");
        assert!(!attested.body["manifests"].as_array().unwrap().is_empty(), "{}", attested.body);
    }
    sandbox.assert_tidy(&run);
}

#[test]
fn one_platform_of_two_differs() {
    let step = "RUN if [ $(uname -m) = aarch64 ]; then head -c 64 /dev/urandom > /random; else echo > /random; fi";
    let sandbox = proven(project(step), ", platforms: [linux/amd64, linux/arm64]").buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let proof = proof(&sandbox);
    assert_eq!(proof["trust"], "deterministic", "{proof:#}");
    let layers = proof["culprits"]["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[0]["platform"]), (1, &"linux/arm64".into()), "{proof:#}");
    assert_eq!(layers[0]["files"][0]["path"], "/random");
    assert!(proof["checks"].to_string().contains("linux/arm64 /program"), "{proof:#}");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_proven_image_upon_one_that_differs() {
    let sandbox = project("");
    let base = sandbox.fill("{registry}/live/{id}/base:stable");
    let sandbox = sandbox
        .file("base/Dockerfile", "FROM busybox\nRUN head -c 64 /dev/urandom > /random\n")
        .file("Dockerfile", &format!("FROM {base}\nCOPY program /program\nENTRYPOINT [\"/program\"]\n"))
        .config(
            "version: 1
builds:
  - {id: app, kind: docker, build_mode: crucible, depends_on: base}
  - {id: base, kind: docker, build_mode: crucible, dockerfile: base/Dockerfile, crucible: {binaries: [/bin/busybox]}}
targets:
  - {id: base, kind: registry, build: base, url: '{registry}', path: 'live/{id}/base', tags: [stable]}
  - {id: app, kind: registry, build: app, url: '{registry}', path: 'live/{id}/app', tags: [stable]}
",
        )
        .buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let result = sandbox.result();
    let digest = |id: &str| sandbox.registry().digest(&format!("live/{}/{id}", sandbox.id), "stable");
    for (id, trust) in [("base", "deterministic"), ("app", "reproducible")] {
        let build = result["builds"].as_array().unwrap().iter().find(|build| build["id"] == id).unwrap();
        assert_eq!(build["proof"]["trust"], trust, "{build:#}");
        assert_eq!(build["proof"]["passes"][0]["digest"], digest(id));
    }
    let layers = |id: &str| {
        let manifest = sandbox.registry().manifest(&format!("live/{}/{id}", sandbox.id), "stable").unwrap();
        manifest.body["layers"].as_array().unwrap().iter().map(|l| l["digest"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(layers("app")[..2], layers("base"), "it stands on the very image that is published");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_layout_of_a_proven_image_holds_just_that() {
    let sandbox = proven(sound(), "").buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let build = sandbox.result()["builds"][0].clone();
    let proven = build["proof"]["passes"][1]["digest"].as_str().unwrap();
    assert_eq!((build["proof"]["trust"].as_str(), build["digest"].as_str()), (Some("reproducible"), Some(proven)));
    let dir = sandbox.workspace().join(build["layout"].as_str().unwrap());
    let read = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(dir.join(path)).unwrap()).unwrap() };
    let index = read("index.json");
    let images = index["manifests"].as_array().unwrap();
    assert_eq!((images.len(), images[0]["digest"].as_str()), (1, Some(proven)));
    let manifest = read(&proven.replace("sha256:", "blobs/sha256/"));
    let mut wanted = vec![proven.to_owned(), manifest["config"]["digest"].as_str().unwrap().to_owned()];
    wanted.extend(manifest["layers"].as_array().unwrap().iter().map(|l| l["digest"].as_str().unwrap().to_owned()));
    let mut held = Vec::new();
    for blob in std::fs::read_dir(dir.join("blobs/sha256")).unwrap().map(Result::unwrap) {
        let hash = hex::encode(Sha256::digest(std::fs::read(blob.path()).unwrap()));
        assert_eq!(blob.file_name().to_str(), Some(&*hash));
        held.push(format!("sha256:{hash}"));
    }
    wanted.sort();
    held.sort();
    assert_eq!(held, wanted, "no attestation, and nothing of the second pass");
    sandbox.assert_tidy(&run);
}

#[test]
fn without_a_commit_the_image_is_proven_all_the_same() {
    let sandbox: Sandbox = proven(sound(), "").buildkitd();
    std::fs::remove_dir_all(sandbox.workspace().join(".git")).unwrap();
    let run = sandbox.run(&["run"]).succeeds();
    let proof = proof(&sandbox);
    assert_eq!(proof["trust"], "reproducible", "{proof:#}");
    run.says(&["no commit"]);
    sandbox.assert_tidy(&run);
}
