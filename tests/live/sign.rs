//! Signatures and attestations, by both generations of cosign. Whether one is good, cosign itself says.

use serde_json::Value;

use crate::support::extras::PrivateRegistry;
use crate::support::{Attached, Cosign, Registry, Sandbox};

use super::crucible;
use super::publish::{small, to_one_registry};

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// The sandbox with this cosign and its key.
pub(crate) fn with(sandbox: Sandbox, cosign: &Cosign) -> Sandbox {
    let sandbox = sandbox.var("PATH", &cosign.path()).var("COSIGN_KEY", &cosign.key());
    match cosign.password.as_str() {
        "" => sandbox,
        password => sandbox.secret("COSIGN_PASSWORD", password),
    }
}

pub(crate) fn repository(sandbox: &Sandbox) -> String {
    format!("live/{}", sandbox.id)
}

/// Digest of what a tag of the sandbox's repository names.
pub(crate) fn digest(registry: &Registry, sandbox: &Sandbox, tag: &str) -> String {
    registry.digest(&repository(sandbox), tag)
}

/// `host/repository@digest`.
pub(crate) fn image(registry: &Registry, sandbox: &Sandbox, digest: &str) -> String {
    format!("{}/{}@{digest}", registry.host, repository(sandbox))
}

#[test]
fn every_way_to_give_a_key_signs_with_either_generation() {
    for generation in [2, 3] {
        for (way, password) in [
            ("path", "of the path"),
            ("text", "of-the-text"),
            ("env", "of:the:env"),
            ("file", ""),
            ("config", "öf the config"),
        ] {
            let cosign = Cosign::new(generation, password);
            let pem = std::fs::read_to_string(cosign.key()).unwrap();
            let sandbox = with(to_one_registry().buildkitd(), &cosign);
            let (sandbox, said) = match way {
                "path" => (sandbox, "the key in COSIGN_KEY"),
                "text" => (sandbox.var("COSIGN_KEY", &pem), "the key in COSIGN_KEY"),
                "env" => {
                    (sandbox.var("COSIGN_KEY", "env://MY_KEY").var("MY_KEY", &pem), "the key in the variable MY_KEY")
                }
                "file" => {
                    let sandbox = sandbox.without("COSIGN_KEY");
                    sandbox.write(".stagefreight/cosign.key", &pem);
                    (sandbox, "the key in .stagefreight/cosign.key")
                }
                _ => {
                    let sandbox = sandbox.without("COSIGN_KEY");
                    sandbox.write("team.key", &pem);
                    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
                    (
                        sandbox
                            .file(".stagefreight.yml", &format!("{config}sign: {{mode: required, key: team.key}}\n")),
                        "the key in sign.key",
                    )
                }
            };
            let run = sandbox.run(&["run"]).succeeds();
            let registry = sandbox.registry();
            let digest = digest(&registry, &sandbox, "latest");
            assert!(cosign.verifies(&image(&registry, &sandbox, &digest)), "{generation} {way}\n{}", run.text());
            let found = Attached::count(&registry, &repository(&sandbox), &digest);
            assert_eq!(found, Attached { signatures: 1, attestations: 0 }, "{generation} {way}");
            run.says(&["signed ", said]);
            let result = sandbox.result();
            assert_eq!(result["signing"]["state"], "signed", "{result}");
            assert!(result["signing"]["how"].as_str().unwrap().contains(said), "{result}");
            assert_eq!(result["builds"][0]["signatures"][0]["digest"], digest.as_str());
            assert!(!Cosign::new(generation, "").verifies(&image(&registry, &sandbox, &digest)), "another key");
            sandbox.assert_tidy(&run);
        }
    }
}

/// One build for two platforms, in a registry that is open and one with a password.
fn two_platforms() -> Sandbox {
    let sandbox = Sandbox::new();
    let dockerfile = format!("FROM busybox\nCOPY hello.txt /hello.txt\nLABEL id={}\n", sandbox.id);
    let sandbox = small(sandbox).file("Dockerfile", &dockerfile).config(
        "version: 1
builds:
  - {id: app, kind: docker, platforms: [linux/amd64, linux/arm64]}
targets:
  - {id: open, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [one, latest]}
  - {id: locked, kind: registry, build: app, url: '{registry_auth}', path: 'live/{id}', tags: [latest], credentials: AUTH}
",
    );
    let (user, password) = (sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
    sandbox.var("AUTH_USER", &user).secret("AUTH_TOKEN", &password).buildkitd()
}

#[test]
fn every_platform_is_signed_in_every_registry() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "secret of the key");
        let sandbox = with(two_platforms(), &cosign);
        let run = sandbox.run(&["run"]).succeeds();
        let testbed = &sandbox.testbed;
        cosign.login(&[(&testbed.registry_auth, &testbed.user, &testbed.password)]);
        for registry in [sandbox.registry(), sandbox.registry_auth()] {
            let index = registry.manifest(&repository(&sandbox), "latest").unwrap();
            let children = index.body["manifests"].as_array().unwrap();
            assert_eq!(children.len(), 2);
            let digests = children.iter().map(|child| child["digest"].as_str().unwrap()).chain([index.digest.as_str()]);
            for digest in digests {
                assert!(cosign.verifies(&image(&registry, &sandbox, digest)), "{generation}\n{}", run.text());
                assert_eq!(Attached::count(&registry, &repository(&sandbox), digest).signatures, 1);
            }
        }
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_second_run_adds_no_signature_and_mends_what_is_missing() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "of-the-first-key");
        let sandbox = with(two_platforms(), &cosign);
        let first = sandbox.run(&["run"]).succeeds();
        first.is_silent_about(&["signed with this key already"]);
        let registry = sandbox.registry();
        let index = registry.manifest(&repository(&sandbox), "latest").unwrap();
        let child = index.body["manifests"][1]["digest"].as_str().unwrap().to_owned();
        let count = || {
            [&index.digest, &child].map(|digest| Attached::count(&registry, &repository(&sandbox), digest).signatures)
        };
        assert_eq!(count(), [1, 1]);
        sandbox.run(&["run"]).succeeds().says(&["is signed with this key already"]);
        assert_eq!(count(), [1, 1], "{generation}");
        assert_eq!(sandbox.result()["builds"][0]["signatures"][0]["state"], "stood");
        // A run that died between two platforms.
        let tag = format!("{}{}", child.replace(':', "-"), if generation == 2 { ".sig" } else { "" });
        registry.delete(&repository(&sandbox), &registry.digest(&repository(&sandbox), &tag));
        assert!(!cosign.verifies(&image(&registry, &sandbox, &child)));
        sandbox.run(&["run"]).succeeds();
        assert!(cosign.verifies(&image(&registry, &sandbox, &child)));
        assert_eq!(count(), [1, 1], "{generation}");
        // Another key is another signature, beside the first.
        let other = Cosign::new(generation, "of-the-second-key");
        let sandbox = with(sandbox, &other);
        sandbox.run(&["run"]).succeeds();
        for key in [&cosign, &other] {
            assert!(key.verifies(&image(&registry, &sandbox, &child)));
        }
    }
}

#[test]
fn what_was_proven_is_attested_as_what_it_is() {
    for generation in [2, 3] {
        let cosign = Cosign::new(generation, "of-the-proof-key");
        let sandbox = with(crucible::published(crucible::sound(), "").buildkitd(), &cosign);
        let run = sandbox.run(&["run"]).succeeds();
        let file = sandbox.result()["builds"][0]["proof"]["provenance"].as_str().unwrap().to_owned();
        let written: Value = serde_json::from_slice(&std::fs::read(sandbox.workspace().join(file)).unwrap()).unwrap();
        for registry in [sandbox.registry(), sandbox.registry2()] {
            let digest = digest(&registry, &sandbox, "latest");
            let image = image(&registry, &sandbox, &digest);
            assert!(cosign.verifies(&image), "{}", run.text());
            let statements = cosign.attestations(&image, PROVENANCE);
            assert_eq!(statements.len(), 1, "{generation}: {statements:?}");
            assert_eq!(
                statements[0]["predicate"], written["predicate"],
                "the predicate, whole, and not a statement in it"
            );
            assert_eq!(statements[0]["predicateType"], PROVENANCE);
            assert_eq!(format!("sha256:{}", statements[0]["subject"][0]["digest"]["sha256"].as_str().unwrap()), digest);
            assert_eq!(cosign.attestations(&image, "https://spdx.dev/Document").len(), 0);
        }
        let recorded = sandbox.document("publish.json");
        for entry in recorded["published"].as_array().unwrap() {
            let attestation = entry["attestation"].as_str().expect("an attestation is recorded");
            let registry = Registry::new(entry["host"].as_str().unwrap());
            assert!(registry.manifest(&repository(&sandbox), attestation).is_some(), "{recorded}");
        }
        sandbox.assert_tidy(&run);
        // The next run proves the same again, and has nothing to add.
        let run = sandbox.run(&["run"]).succeeds();
        let digest = digest(&sandbox.registry(), &sandbox, "latest");
        let found = Attached::count(&sandbox.registry(), &repository(&sandbox), &digest);
        assert_eq!(found, Attached { signatures: 1, attestations: 1 }, "{generation}\n{}", run.text());
    }
}

#[test]
fn the_newer_cosign_reads_what_the_older_one_signed_and_not_the_other_way() {
    let two = Cosign::new(2, "of-both-generations");
    let three = two.again(3);
    let of_two = with(to_one_registry().buildkitd(), &two);
    let of_three = with(to_one_registry().buildkitd(), &three);
    let images = [&of_two, &of_three].map(|sandbox| {
        sandbox.run(&["run"]).succeeds();
        image(&sandbox.registry(), sandbox, &digest(&sandbox.registry(), sandbox, "latest"))
    });
    assert_eq!(images.each_ref().map(|image| three.verifies(image)), [true, true]);
    assert_eq!(images.each_ref().map(|image| two.verifies(image)), [true, false]);
    // So a job that moves from 2 to 3 signs nothing twice.
    let moved = of_two.var("PATH", &three.path());
    moved.run(&["run"]).succeeds().says(&["is signed with this key already"]);
}

#[test]
fn two_logins_on_one_host_each_push_their_own_signature() {
    let registry = PrivateRegistry::start(&[("ada", "pw-of-ada"), ("bob", "pw-of-bob")]);
    let cosign = Cosign::new(3, "");
    let sandbox = small(Sandbox::new());
    let config = format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: one, kind: registry, build: app, url: '{host}', path: 'ada/{{id}}', tags: [latest], credentials: ADA}}
  - {{id: two, kind: registry, build: app, url: '{host}', path: 'bob/{{id}}', tags: [latest], credentials: BOB}}
",
        host = registry.host
    );
    let sandbox = with(sandbox.config(&config).buildkitd(), &cosign)
        .var("ADA_USER", "ada")
        .secret("ADA_TOKEN", "pw-of-ada")
        .var("BOB_USER", "bob")
        .secret("BOB_TOKEN", "pw-of-bob");
    let run = sandbox.run(&["run"]).succeeds();
    // Nobody but us was there yet: each repository has seen its own login, and no other.
    for (name, other) in [("ada", "bob"), ("bob", "ada")] {
        let repository = format!("{name}/{}", sandbox.id);
        assert!(registry.has_seen(name, &repository) && !registry.has_seen(other, &repository));
    }
    cosign.login(&[(&registry.host, "ada", "pw-of-ada")]);
    for name in ["ada", "bob"] {
        let repository = format!("{name}/{}", sandbox.id);
        let digest = registry.as_user("ada", "pw-of-ada").digest(&repository, "latest");
        assert!(cosign.verifies(&format!("{}/{repository}@{digest}", registry.host)), "{}", run.text());
    }
    sandbox.assert_tidy(&run);
}

#[test]
fn nothing_to_sign_with_is_said() {
    let sandbox = to_one_registry().buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&["not signed: no key"]);
    let result = sandbox.result();
    assert_eq!(result["signing"]["state"], "not_signed", "{result}");
    assert!(result["signing"]["why"].as_str().unwrap().contains("no key"));
    sandbox.assert_tidy(&run);

    let off = to_one_registry().buildkitd();
    let config = std::fs::read_to_string(off.workspace().join(".stagefreight.yml")).unwrap();
    let cosign = Cosign::new(3, "");
    let off = with(off.file(".stagefreight.yml", &format!("{config}sign: {{mode: off}}\n")), &cosign);
    off.run(&["run"]).succeeds().says(&["sign.mode is `off`"]);
    let digest = digest(&off.registry(), &off, "latest");
    assert_eq!(Attached::count(&off.registry(), &repository(&off), &digest), Attached::default());
}
