//! `stagefreight verify`: why a published image is to be believed, and when it is not.

use serde_json::{Value, json};

use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::support::{Cosign, Finished, Sandbox, Testbed};

use super::crucible;
use super::publish::to_one_registry;
use super::sign::{digest, image, repository, with};

/// `host/repository:tag` of the sandbox in the first registry.
fn tagged(sandbox: &Sandbox, tag: &str) -> String {
    format!("{}/{}:{tag}", sandbox.testbed.registry, repository(sandbox))
}

fn checked(run: &Finished) -> Value {
    let document: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.text()));
    let states = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["check"].as_str().unwrap().to_owned(), c["state"].clone()));
    let mut all: serde_json::Map<_, _> = states.collect();
    all.insert("verdict".into(), document["verdict"].clone());
    Value::Object(all)
}

fn published(cosign: &Cosign) -> Sandbox {
    let sandbox = with(crucible::published(crucible::sound(), "").buildkitd(), cosign);
    sandbox.run(&["run"]).succeeds();
    // Whoever verifies has the public key and nothing else.
    sandbox.without("COSIGN_KEY").without("COSIGN_PASSWORD")
}

#[test]
fn an_image_that_was_proven_and_signed_is_verified() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "of-the-verified");
        let sandbox = published(&cosign);
        let name = tagged(&sandbox, "latest");
        let run = sandbox.run(&["verify", &name, "--key", &cosign.public(), "--min-trust", "reproducible"]).succeeds();
        let digest = digest(&sandbox.registry(), &sandbox, "latest");
        run.says(&[
            &digest,
            "✓ digest",
            "✓ signature",
            "✓ provenance",
            "✓ trust",
            "reproducible; asked for: reproducible",
            "Verified.",
        ]);
        assert!(run.stdout.lines().count() < 24, "one screen:\n{}", run.stdout);
        let by_digest = image(&sandbox.registry(), &sandbox, &digest);
        let run = sandbox.run(&["verify", &by_digest, "--key", &cosign.public(), "--format", "json"]).succeeds();
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(document["image"], by_digest.as_str());
        assert_eq!(document["trust"], "reproducible");

        // Another key, and the right one of somebody who asks for more than there is.
        let stranger = Cosign::new(generation, "");
        let run = sandbox.run(&["verify", &name, "--key", &stranger.public(), "--format", "json"]).exits(1);
        let expected = json!({"digest": "verified", "signature": "failed", "provenance": "failed", "trust": "failed", "verdict": "failed"});
        assert_eq!(checked(&run), expected, "{generation}");
        // Nobody to believe: nothing is wrong, and nothing is known.
        let run = sandbox.run(&["verify", &name]).exits(2);
        run.says(&[
            "? signature",
            "nobody was named to be believed",
            "--key",
            "it was not checked who wrote it",
            "could not be checked",
        ]);
        sandbox.assert_clean();
    }
}

#[test]
fn every_platform_is_read_and_the_proof_is_of_the_whole() {
    let cosign = Cosign::new(3, "of-both-platforms");
    let sandbox = crucible::published(crucible::sound(), ", platforms: [linux/amd64, linux/arm64]");
    let sandbox = with(sandbox.buildkitd(), &cosign);
    sandbox.run(&["run", "--provenance", "mode=min"]).succeeds();
    let name = tagged(&sandbox, "latest");
    let run = sandbox.run(&["verify", &name, "--key", &cosign.public()]).succeeds();
    run.says(&["linux/amd64, linux/arm64", "so are those of its 2 platforms", "3 name what they hang on"]);
    run.is_silent_about(&["name nothing"]);
}

#[test]
fn an_image_that_was_built_once_is_verified_as_that() {
    let cosign = Cosign::new(3, "of-the-plain-one");
    let sandbox = with(to_one_registry().buildkitd(), &cosign);
    sandbox.run(&["run"]).succeeds();
    let name = tagged(&sandbox, "latest");
    let key = cosign.public();
    let run = sandbox.run(&["verify", &name, "--key", &key]).exits(1);
    run.says(&["✗ provenance", "there is no proof of this image", "--min-trust none"]);
    sandbox
        .run(&["verify", &name, "--key", &key, "--min-trust", "none"])
        .succeeds()
        .says(&["✓ signature", "- provenance"]);
}

#[test]
fn an_unsigned_proof_is_no_proof() {
    let cosign = Cosign::new(3, "");
    let sandbox = crucible::published(crucible::sound(), "").buildkitd();
    sandbox.run(&["run"]).succeeds();
    let run = sandbox.run(&["verify", &tagged(&sandbox, "latest"), "--key", &cosign.public()]).exits(1);
    run.says(&["✗ signature", "a proof hangs on the image, and the key", "did not sign it"]);
}

#[test]
fn somebody_elses_statement_about_another_image_is_found_out() {
    // Signed with the right key, of the right kind, attached to the right image: and about another one.
    let cosign = Cosign::new(3, "of-the-forger");
    let (one, two) = (published(&cosign), published(&cosign));
    let digests = [&one, &two].map(|sandbox| digest(&sandbox.registry(), sandbox, "latest"));
    let registry = one.registry();
    let listing = registry.manifest(&repository(&one), &digests[0].replace(':', "-")).unwrap().body;
    assert!(!listing["manifests"].as_array().unwrap().is_empty());
    // The list of what hangs on the first image, under the second one's name.
    let listed = |sandbox: &Sandbox, digest: &str| {
        format!("{}/{}:{}", registry.host, repository(sandbox), digest.replace(':', "-"))
    };
    Testbed::tool("crane", &["copy", &listed(&one, &digests[0]), &listed(&two, &digests[1])]);
    let run = two.run(&["verify", &tagged(&two, "latest"), "--key", &cosign.public()]).exits(1);
    run.says(&["✗ provenance", "speaks of another image"]);
}

#[test]
fn what_is_not_there_is_wrong_and_what_cannot_be_asked_is_not_known() {
    let cosign = Cosign::new(3, "");
    let sandbox = with(to_one_registry().buildkitd(), &cosign);
    sandbox.run(&["run"]).succeeds();
    let key = cosign.public();
    sandbox.run(&["verify", &tagged(&sandbox, "no-such-tag"), "--key", &key]).exits(1).says(&["✗ digest", "not found"]);
    let dead = format!("{}/live/x:1", crate::scenery::dead_address());
    sandbox.run(&["verify", &dead, "--key", &key]).exits(2).says(&["? digest", "connection refused"]);
    sandbox
        .run(&["verify", &tagged(&sandbox, "latest"), "--key", "no/such.pub"])
        .exits(2)
        .says(&["no/such.pub is not a file"]);
    let none = sandbox.without("PATH").var("PATH", "/nowhere");
    let run = none.run(&["verify", &tagged(&none, "latest"), "--key", &key, "--min-trust", "none"]).exits(2);
    run.says(&["there is no cosign on PATH"]);
}

#[test]
fn a_registry_that_changes_its_mind_is_not_believed() {
    let cosign = Cosign::new(3, "");
    let sandbox = with(to_one_registry().buildkitd(), &cosign);
    sandbox.run(&["run"]).succeeds();
    let first = sandbox.registry().manifest(&repository(&sandbox), "1.0").unwrap();
    sandbox.write("hello.txt", "another one");
    sandbox.commit("Another one");
    // `latest` moves between the two reads.
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let sandbox = sandbox.file(".stagefreight.yml", &config.replace("['1.0', latest]", "[latest]"));
    sandbox.run(&["run"]).succeeds();
    let body = first.body.to_string();
    let old = Fault::Answer(200, vec![("content-type", "application/vnd.oci.image.manifest.v1+json".into())], body);
    let proxy =
        FaultProxy::start(&sandbox.testbed.registry, [Rule::new(old).on("GET").at("/manifests/latest").times(1)]);
    let name = format!("{}/{}:latest", proxy.host(), repository(&sandbox));
    let run = sandbox.run(&["verify", &name, "--key", &cosign.public(), "--min-trust", "none"]).exits(1);
    run.says(&["✗ digest", "asked twice, the tag latest named"]);
    // Bytes that are not those of the digest asked for.
    let digest = digest(&sandbox.registry(), &sandbox, "latest");
    let lie = Fault::Answer(
        200,
        vec![("content-type", "application/vnd.oci.image.manifest.v1+json".into())],
        first.body.to_string(),
    );
    proxy.rule(Rule::new(lie).on("GET").at(format!("/manifests/{digest}")));
    let name = format!("{}/{}@{digest}", proxy.host(), repository(&sandbox));
    let run = sandbox.run(&["verify", &name, "--key", &cosign.public(), "--min-trust", "none"]).exits(1);
    run.says(&["✗ digest"]);
}
