//! Legs that must not be merged: each is refused with the file's name and a cure, and nothing is published.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::Sandbox;

use super::legs::{PLATFORMS, assert_no_tags, build_legs, document, project, split};
use super::sign::repository;

/// Two legs in a checkout, ready to be merged.
fn built(more: &str) -> Sandbox {
    let sandbox = split(project(), more).on("github-push").buildkitd();
    build_legs(&sandbox);
    sandbox
}

fn file(platform: &str) -> String {
    format!(".stagefreight/legs/app.{}.json", platform.replace('/', "-"))
}

/// Writes a document anew, with the checksum it then has.
fn rewrite(sandbox: &Sandbox, platform: &str, change: impl FnOnce(&mut Value)) {
    let mut leg = document(sandbox, platform);
    change(&mut leg);
    leg["checksum"] = json!("");
    leg["checksum"] = json!(format!("sha256:{}", hex::encode(Sha256::digest(leg.to_string()))));
    sandbox.write(&file(platform), &leg.to_string());
}

#[track_caller]
fn refused(sandbox: &Sandbox, code: i32, texts: &[&str]) {
    let run = sandbox.run(&["merge"]).exits(code);
    run.says(texts);
    run.says(&["→"]);
    assert_no_tags(sandbox);
    assert!(!sandbox.workspace().join(".stagefreight/publish.json").exists());
    assert_eq!(sandbox.result()["status"], "failure");
    sandbox.assert_tidy(&run);
}

#[test]
fn documents_that_do_not_fit() {
    let sandbox = built("");
    let [amd, arm] = PLATFORMS;
    let good = std::fs::read_to_string(sandbox.workspace().join(file(arm))).unwrap();
    // Missing.
    std::fs::remove_file(sandbox.workspace().join(file(arm))).unwrap();
    refused(&sandbox, 2, &["the leg linux/arm64 is missing", &file(arm)]);
    // Twice.
    sandbox.write(&file(arm), &good);
    sandbox.write(".stagefreight/legs/again/app.json", &good);
    refused(&sandbox, 2, &["there are two legs linux/arm64", &file(arm), "again/app.json"]);
    std::fs::remove_dir_all(sandbox.workspace().join(".stagefreight/legs/again")).unwrap();
    // Changed, cut off, too large, of another kind.
    sandbox.write(&file(arm), &good.replace("\"build\":\"app\"", "\"build\":\"ape\""));
    refused(&sandbox, 2, &[&file(arm), "its checksum is not that of its content"]);
    sandbox.write(&file(arm), &good[..good.len() / 2]);
    refused(&sandbox, 2, &[&file(arm), "it is no leg document"]);
    sandbox.write(&file(arm), &" ".repeat((32 << 20) + 1));
    refused(&sandbox, 2, &[&file(arm), "it has more than 32 MiB"]);
    sandbox.write(&file(arm), "::error::all is lost\n");
    refused(&sandbox, 2, &[&file(arm), "it is no leg document"]);
    sandbox.write(&file(arm), &good);
    rewrite(&sandbox, arm, |leg| leg["schema_version"] = json!(7));
    refused(&sandbox, 2, &[&file(arm), "schema version 7"]);
    // Of something else.
    for (field, value, said) in [
        ("/run/repository", json!("mallory/app"), "is of another repository: mallory/app"),
        ("/run/pipeline", json!("1"), "is of another pipeline run: 1"),
        ("/commit", json!("f".repeat(40)), "is of another commit"),
        ("/plan_hash", json!("0".repeat(64)), "is of another plan of build app"),
        ("/version", json!("9.9.9"), "is of another version"),
        ("/build", json!("ape"), "is of build `ape`"),
        ("/platform", json!("linux/../x"), "it is no leg document"),
    ] {
        sandbox.write(&file(arm), &good);
        rewrite(&sandbox, arm, |leg| *leg.pointer_mut(field).unwrap() = value);
        refused(&sandbox, 2, &[&file(arm), said]);
    }
    // Other inputs for the job that merges.
    sandbox.write(&file(arm), &good);
    let run = sandbox.run(&["merge", "--build-arg", "X=1"]).exits(2);
    run.says(&["is of another plan of build app", &file(amd), &file(arm)]);
    sandbox.run(&["merge", "nowhere"]).exits(2).says(&["there are no legs in nowhere"]);
    assert_no_tags(&sandbox);
    // And a commit later.
    sandbox.commit("Another");
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    let sandbox = sandbox.var("GITHUB_SHA", &head);
    refused(&sandbox, 2, &["is of another commit", &head]);
}

#[test]
fn images_that_are_not_what_their_document_says() {
    let sandbox = built("");
    let [amd, arm] = PLATFORMS;
    let (good, other) = (document(&sandbox, arm), document(&sandbox, amd));
    let restore = || sandbox.write(&file(arm), &good.to_string());
    let nowhere = format!("sha256:{}", "0".repeat(64));
    // A digest that nobody holds.
    rewrite(&sandbox, arm, |leg| {
        leg["digest"] = json!(nowhere);
        leg["staged"]["manifest"]["digest"] = json!(nowhere);
    });
    refused(&sandbox, 1, &[&file(arm), "is in no registry of this run any more", &nowhere]);
    // The image of the other platform under this one's name.
    rewrite(&sandbox, arm, |leg| {
        leg["digest"] = other["digest"].clone();
        leg["staged"] = other["staged"].clone();
    });
    refused(&sandbox, 1, &[&file(arm), "is for linux/amd64"]);
    for (field, value, said) in [
        ("/staged/manifest/size", json!(7), "what the document says is not what the registry holds"),
        ("/staged/config", json!(nowhere), "the config of"),
        ("/digest", other["digest"].clone(), "is no index"),
    ] {
        restore();
        rewrite(&sandbox, arm, |leg| *leg.pointer_mut(field).unwrap() = value);
        refused(&sandbox, 1, &[&file(arm), said]);
    }
    // A registry that is no target is not asked, whatever the document says.
    restore();
    rewrite(&sandbox, arm, |leg| leg["staged"]["repositories"] = json!(["127.0.0.1:1/evil/app"]));
    sandbox.run(&["merge", "--dry-run"]).succeeds();
    // Gone.
    let digest = good["digest"].as_str().unwrap();
    for registry in [sandbox.registry(), sandbox.registry2()] {
        registry.delete(&repository(&sandbox), digest);
    }
    refused(&sandbox, 1, &[&file(arm), "is in no registry of this run any more", digest]);
    sandbox.run(&["run", "--platform-leg", arm]).succeeds();
    sandbox.run(&["merge"]).succeeds();
}

#[test]
fn a_leg_without_the_proof_it_needs_fails_the_gate() {
    let sandbox = split(super::crucible::sound(), ", build_mode: crucible").on("github-push").buildkitd();
    build_legs(&sandbox);
    let arm = PLATFORMS[1];
    let good = document(&sandbox, arm);
    for (change, said) in [
        ((|leg: &mut Value| drop(leg.as_object_mut().unwrap().remove("proof"))) as fn(&mut Value), "was not proven"),
        (|leg| leg["proof"]["passes"] = json!([]), "has 0 builds"),
        (
            |leg| leg["proof"]["passes"][0]["digest"] = json!(format!("sha256:{}", "1".repeat(64))),
            "its proof is of another image",
        ),
        (|leg| leg["proof"]["checks"] = json!([]), "is only viable"),
    ] {
        sandbox.write(&file(arm), &good.to_string());
        rewrite(&sandbox, arm, change);
        refused(&sandbox, 1, &[said, "min_trust"]);
    }
    // What a leg says of another image is not attached to this one.
    sandbox.write(&file(arm), &good.to_string());
    rewrite(&sandbox, arm, |leg| leg["statements"] = document(&sandbox, PLATFORMS[0])["statements"].clone());
    refused(&sandbox, 1, &[&file(arm), "is not about the image of this leg"]);
    sandbox.write(&file(arm), &good.to_string());
    sandbox.run(&["merge"]).succeeds();
    assert_eq!(sandbox.result()["trust"], "reproducible");
}

#[test]
fn a_leg_that_fails_leaves_no_document() {
    let more = ", build_mode: crucible, crucible: {min_trust: reproducible}";
    let sandbox = split(super::crucible::random(), more).buildkitd();
    sandbox.write(&file("linux/amd64"), "of an earlier run");
    let run = sandbox.run(&["run", "--platform-leg", "linux/amd64"]).exits(1);
    assert!(!sandbox.workspace().join(file("linux/amd64")).exists());
    assert_no_tags(&sandbox);
    sandbox.assert_tidy(&run);
    sandbox.run(&["merge"]).exits(2).says(&["there are no legs in .stagefreight/legs"]);
    sandbox.run(&["run", "--platform-leg", "linux/s390x"]).exits(2).says(&["is no platform of any build"]);
    sandbox.run(&["merge", "--platform-leg", "linux/amd64"]).exits(2);
    let sandbox = sandbox.var("STAGEFREIGHT_PLATFORM_LEG", "linux/amd64");
    sandbox.run(&["merge"]).exits(2).says(&["`platform-leg` is set, and merging takes all legs"]);
}
