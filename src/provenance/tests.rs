use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::crucible::proof::CheckState;
use crate::outcome::Outcome;
use crate::plan::TrustLevel;
use crate::report::fixtures::{self, proofs};
use crate::runner::ForgeKind;
use crate::secret::Secret;

const SCHEMA: &str = include_str!("../../tests/fixtures/provenance/statement-v1.schema.json");

fn refused(statement: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(statement).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn of(outcome: &Outcome, repositories: &[Repository]) -> Option<Statement> {
    let plan = outcome.plan.as_ref().unwrap();
    let digest = outcome.builds[0].proof.as_ref()?.passes.first().map(|pass| pass.digest.clone());
    statement(&Facts {
        context: &outcome.context,
        commit: plan.commit.as_deref(),
        step: &plan.steps[0],
        digest: &digest.unwrap_or_else(|| Digest::of(b"nothing")),
        proof: outcome.builds[0].proof.as_ref().unwrap(),
        repositories,
        builder: outcome.builder.as_ref(),
        started: outcome.started,
        finished: outcome.started + outcome.took,
    })
}

fn repositories(names: &[&str]) -> Vec<Repository> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn json_of(statement: &Statement) -> Value {
    serde_json::from_str(&statement.to_json()).unwrap()
}

#[test]
fn an_attestation() {
    let mut outcome = proofs::deterministic();
    let step = &mut outcome.plan.as_mut().unwrap().steps[0];
    step.build_args = [("TOKEN".to_owned(), "hunter2secret".to_owned())].into();
    step.build_contexts = [("base".to_owned(), "docker-image://x?token=hunter2secret".to_owned())].into();
    step.secrets = vec!["type=file,id=npm,src=/home/me/.npmrc".into()];
    step.secret_values = vec![("api".into(), Secret::new("hunter2secret"))];
    step.context = "https://bot:hunter2secret@forge.example/acme/app.git?sig=hunter2secret#main:sub".into();
    let all = repositories(&["ghcr.io/acme/app", "docker.io/acme/app", "ghcr.io/acme/app"]);
    let text = of(&outcome, &all).unwrap().to_json();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(refused(&serde_json::from_str(&text).unwrap()), [""; 0]);
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "1.2.3"));
}

#[test]
fn a_merged_image_names_the_proofs_of_its_legs() {
    let outcome = fixtures::legs::merged();
    let plan = outcome.plan.as_ref().unwrap();
    let digest = Digest::of(b"index");
    let statement = statement(&Facts {
        context: &outcome.context,
        commit: plan.commit.as_deref(),
        step: &plan.steps[0],
        digest: &digest,
        proof: outcome.builds[0].proof.as_ref().unwrap(),
        repositories: &repositories(&["ghcr.io/acme/app"]),
        builder: None,
        started: outcome.started,
        finished: outcome.started + outcome.took,
    });
    let found = json_of(&statement.unwrap());
    assert_eq!(refused(&found), [""; 0]);
    assert_eq!(found["subject"][0]["digest"]["sha256"], digest.hex());
    let ours = &found["predicate"]["buildDefinition"]["internalParameters"];
    assert_eq!(ours["passes"], json!([]));
    assert_eq!(ours["legs"][0]["platform"], "linux/amd64");
    assert_eq!(ours["legs"][1]["trust"], "deterministic");
    assert_eq!(ours["legs"][1]["passes"].as_array().unwrap().len(), 2);
    assert!(ours["legs"][0]["invocationId"].as_str().unwrap().contains("/job/8#crucible-"));
}

#[test]
fn every_way_a_proof_can_pass_fits_the_published_schema() {
    for base in [proofs::reproducible(), proofs::deterministic()] {
        for forge in [ForgeKind::GitHub, ForgeKind::GitLab, ForgeKind::Local] {
            for names in [&[][..], &["localhost:5000/a/b"], &["ghcr.io/acme/app", "quay.io/acme/app"]] {
                let mut outcome = base.clone();
                outcome.context = fixtures::context(forge);
                let statement = of(&outcome, &repositories(names)).unwrap();
                assert_eq!(refused(&json_of(&statement)), [""; 0], "{forge:?} {names:?}");
            }
        }
    }
    // A checkout without a remote, a build without a checkout, and hostile texts everywhere.
    let mut bare = proofs::reproducible();
    (bare.context.repository_url, bare.context.job) = (None, None);
    assert_eq!(refused(&json_of(&of(&bare, &[]).unwrap())), [""; 0]);
    bare.plan.as_mut().unwrap().commit = None;
    assert_eq!(refused(&json_of(&of(&bare, &[]).unwrap())), [""; 0]);
    for text in ["", "a b\n\u{202e}\"}{", "https://x y/z", "UPPER/case", "../..", "a@sha256:b", "://"] {
        let mut outcome = proofs::reproducible();
        outcome.builds[0].proof = Some(proofs::hostile(text));
        outcome.context.job = Some(text.into());
        outcome.context.branch = Some(text.into());
        outcome.context.job_url = Some(text.into());
        assert_eq!(refused(&json_of(&of(&outcome, &[]).unwrap())), [""; 0], "{text:?}");
    }
}

#[test]
fn what_is_not_proven_is_not_attested() {
    for outcome in [proofs::min_trust_unmet(), proofs::no_second_image()] {
        assert_eq!(of(&outcome, &repositories(&["ghcr.io/acme/app"])), None);
    }
    let mut odd = proofs::reproducible();
    odd.builds[0].proof.as_mut().unwrap().trust = None;
    assert_eq!(of(&odd, &[]), None);
    let mut odd = proofs::reproducible();
    odd.builds[0].proof.as_mut().unwrap().passes.clear();
    assert_eq!(of(&odd, &[]), None);
}

#[rstest]
#[case::another_type("/_type", Some(json!("https://in-toto.io/Statement/v0.1")))]
#[case::another_predicate("/predicateType", Some(json!("https://slsa.dev/provenance/v0.2")))]
#[case::no_subject("/subject", Some(json!([])))]
#[case::subject_without_digest("/subject/0/digest", None)]
#[case::digest_with_its_algorithm("/subject/0/digest/sha256", Some(json!(format!("sha256:{}", "0".repeat(64)))))]
#[case::upper_case_digest("/subject/0/digest/sha256", Some(json!("A".repeat(64))))]
#[case::short_commit("/predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit", Some(json!("5f0c1a7")))]
#[case::no_build_type("/predicate/buildDefinition/buildType", None)]
#[case::build_type_is_no_address("/predicate/buildDefinition/buildType", Some(json!("crucible")))]
#[case::no_parameters("/predicate/buildDefinition/externalParameters", None)]
#[case::snake_case("/predicate/buildDefinition/external_parameters", Some(json!({})))]
#[case::dependency_without_anything("/predicate/buildDefinition/resolvedDependencies/0", Some(json!({"name": "x"})))]
#[case::dependency_is_a_name("/predicate/buildDefinition/resolvedDependencies/0", Some(json!("busybox")))]
#[case::no_builder("/predicate/runDetails/builder", None)]
#[case::builder_without_id("/predicate/runDetails/builder/id", None)]
#[case::builder_is_a_name("/predicate/runDetails/builder/id", Some(json!("stagefreight")))]
#[case::version_is_a_number("/predicate/runDetails/builder/version/buildx", Some(json!(1)))]
#[case::local_time("/predicate/runDetails/metadata/startedOn", Some(json!("2026-03-14T10:26:53+01:00")))]
#[case::seconds("/predicate/runDetails/metadata/finishedOn", Some(json!(1_773_480_413)))]
#[case::trust_beside_the_predicate("/trust", Some(json!("reproducible")))]
fn the_schema_refuses(#[case] at: &str, #[case] instead: Option<Value>) {
    let mut statement = json_of(&of(&proofs::reproducible(), &repositories(&["ghcr.io/acme/app"])).unwrap());
    assert_eq!(refused(&statement), [""; 0]);
    let (parent, last) = at.rsplit_once('/').unwrap();
    let parent = statement.pointer_mut(parent).unwrap();
    match (parent, instead) {
        (Value::Array(items), Some(instead)) => items[last.parse::<usize>().unwrap()] = instead,
        (Value::Object(map), Some(instead)) => drop(map.insert(last.to_owned(), instead)),
        (Value::Object(map), None) => assert!(map.remove(last).is_some(), "{at}"),
        other => panic!("{other:?}"),
    }
    assert_ne!(refused(&statement), [""; 0]);
}

#[test]
fn the_subject_is_what_was_proven() {
    let statement = of(&proofs::deterministic(), &repositories(&["ghcr.io/acme/app", "docker.io/acme/app"])).unwrap();
    let names: Vec<_> = statement.subject.iter().map(|subject| subject.name.as_str()).collect();
    assert_eq!(names, ["docker.io/acme/app", "ghcr.io/acme/app"]);
    // The first build's digest: it is the one that is published, whatever the second gave.
    assert!(statement.subject.iter().all(|s| s.digest["sha256"] == fixtures::digest("app").hex()));
    assert_eq!(of(&proofs::deterministic(), &[]).unwrap().subject[0].name, "app");
}

#[test]
fn dependencies_are_named_as_buildkit_names_them() {
    let dependencies = |statement: Statement| statement.predicate.build_definition.resolved_dependencies;
    let found = dependencies(of(&proofs::reproducible(), &[]).unwrap());
    let uris: Vec<_> = found.iter().map(|it| it.uri.as_deref().unwrap_or_default()).collect();
    assert_eq!(
        uris,
        [
            "git+https://forge.example/acme/app@refs/heads/main",
            "pkg:docker/rust@1.95?platform=linux%2Famd64",
            "pkg:docker/localhost%3A5000/team/base@3.22?platform=linux%2Farm64%2Fv8",
            "https://forge.example/acme/lib.git#main",
        ]
    );
    // Read back by the reader of BuildKit's own attestations.
    let materials: Vec<Value> = found[1..3].iter().map(|it| json!({"uri": it.uri, "digest": it.digest})).collect();
    let metadata = json!({"buildx.build.provenance": {"materials": materials}});
    let read = crate::buildx::metadata::parse(metadata.to_string().as_bytes()).unwrap();
    let mut written = proofs::reproducible().builds[0].proof.as_ref().unwrap().materials[..2].to_vec();
    written.sort();
    assert_eq!(read.materials, written);
}

#[test]
fn the_source_is_named_as_far_as_it_is_known() {
    let uri = |change: fn(&mut CiContext)| {
        let mut outcome = proofs::reproducible();
        change(&mut outcome.context);
        of(&outcome, &[]).unwrap().predicate.build_definition.resolved_dependencies[0].uri.clone()
    };
    assert_eq!(uri(|c| c.tag = Some("v1".into())).unwrap(), "git+https://forge.example/acme/app@refs/tags/v1");
    assert_eq!(uri(|c| c.branch = None).unwrap(), "git+https://forge.example/acme/app");
    assert_eq!(uri(|c| c.repository_url = Some("https://u:p@h/r".into())).unwrap(), "git+https://h/r@refs/heads/main");
    assert_eq!(
        uri(|c| c.pull_request = fixtures::fork().context.pull_request).unwrap(),
        "git+https://forge.example/acme/app"
    );
    assert_eq!(uri(|c| c.repository_url = None), None);
}

#[test]
fn the_builder_is_the_job_where_it_has_a_name() {
    let details = |forge| {
        let mut outcome = proofs::reproducible();
        outcome.context = fixtures::context(forge);
        outcome.context.job = outcome.context.job.map(|_| "build (amd64)".into());
        of(&outcome, &[]).unwrap().predicate.run_details
    };
    let on_github = details(ForgeKind::GitHub);
    assert_eq!(on_github.builder.id, "https://forge.example/acme/app#build%20%28amd64%29");
    assert_eq!(on_github.metadata.invocation_id, "https://forge.example/acme/app/jobs/4711#crucible-0123456789ab");
    assert_eq!(on_github.builder.version["buildkit"], "v0.32.2");
    let here = details(ForgeKind::Local);
    assert_eq!((here.builder.id.as_str(), here.metadata.invocation_id.as_str()), (BUILDER_ID, "crucible-0123456789ab"));
}

#[test]
fn trust_and_checks_are_told_and_details_are_not() {
    let mut outcome = proofs::reproducible();
    outcome.builds[0].proof.as_mut().unwrap().checks[5].detail = "app 1.2 built with TOKEN=abc".into();
    let statement = of(&outcome, &[]).unwrap();
    assert!(!statement.to_json().contains("TOKEN"));
    let internal = statement.predicate.build_definition.internal_parameters;
    assert_eq!((internal.trust, internal.min_trust), (TrustLevel::Reproducible, TrustLevel::Deterministic));
    assert_eq!(internal.checks.len(), 8);
    assert!(internal.checks.iter().all(|check| check.state == CheckState::Match));
    assert_eq!(internal.passes.len(), 2);
}

#[test]
fn a_secret_in_a_name_is_masked() {
    let mut outcome = proofs::reproducible();
    outcome.builds[0].proof = Some(proofs::hostile("/x/s3cr3t-v4lue/y"));
    let step = &mut outcome.plan.as_mut().unwrap().steps[0];
    (step.dockerfile, step.context) = ("s3cr3t-v4lue".into(), "a/s3cr3t-v4lue".into());
    step.build_args = [("s3cr3t-v4lue".to_owned(), String::new())].into();
    outcome.builds[0].proof.as_mut().unwrap().passes.iter_mut().for_each(|pass| pass.by = "s3cr3t-v4lue".into());
    let secret = Secret::new("s3cr3t-v4lue");
    let text = of(&outcome, &[]).unwrap().redacted(&Redactor::new([&secret])).to_json();
    assert!(!text.contains("s3cr3t"), "{text}");
    assert_eq!(refused(&serde_json::from_str(&text).unwrap()), [""; 0]);
}

#[test]
fn the_path_lies_in_our_directory() {
    assert_eq!(path("0123456789ab"), ".stagefreight/provenance/crucible-0123456789ab.json");
}

#[test]
fn the_build_type_leads_to_a_page_that_explains_every_parameter() {
    let page = include_str!("../../docs/provenance.md");
    let (address, anchor) = BUILD_TYPE.split_once('#').unwrap();
    assert!(address.ends_with("/docs/provenance.md") && page.contains(&format!("<a id=\"{anchor}\">")));
    let mut outcome = proofs::deterministic();
    outcome.plan.as_mut().unwrap().steps[0].target = Some("final".into());
    let statement = json_of(&of(&outcome, &[]).unwrap());
    let definition = &statement["predicate"]["buildDefinition"];
    let fields = |of: &str| definition[of].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for field in fields("externalParameters").into_iter().chain(fields("internalParameters")) {
        assert!(page.contains(&format!("`{field}`")) || page.contains(&format!("`{field}[]`")), "{field}");
    }
}
