use super::*;
use crate::problem::{Failure as Reason, Problem as Trouble};
use crate::report::fixtures;
use crate::secret::Secret;

const GOLDEN: &str = include_str!("../../../tests/fixtures/report/result-v1.json");

#[test]
fn documents_of_version_1_are_read_for_ever() {
    // This file is never changed: whoever wrote a reader against it must be able to rely on it.
    let golden: Document = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(golden.schema_version, 1);
    assert_eq!(golden.builds[0].published.len(), 6);
    // What a minor version adds later is ignored by an older reader.
    let newer = GOLDEN.replacen('{', "{\"added_later\": {\"x\": 1},", 1);
    assert_eq!(serde_json::from_str::<Document>(&newer).unwrap(), golden);
}

#[test]
fn every_field_of_the_golden_document_is_still_written() {
    let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let again = serde_json::to_value(serde_json::from_value::<Document>(golden.clone()).unwrap()).unwrap();
    assert_eq!(again, golden);
}

#[test]
fn the_document_of_a_success() {
    insta::assert_snapshot!(written(&fixtures::success()));
}

#[test]
fn the_document_of_a_failure() {
    insta::assert_snapshot!(written(&fixtures::failing_run()));
}

#[test]
fn the_document_of_a_proof() {
    insta::assert_snapshot!(written(&fixtures::proofs::deterministic()));
}

#[test]
fn a_document_without_proof_says_nothing_of_one() {
    let text = written(&fixtures::success());
    assert!(!text.contains("\"proof\"") && !text.contains("\"trust\""), "{text}");
    let mut document = Document::new(&fixtures::proofs::deterministic());
    assert_eq!(document.trust, Some(TrustLevel::Deterministic));
    // The login of a source that the builder names.
    document.builds.iter_mut().for_each(|build| build.metadata = None);
    assert!(!document.to_json().contains("bot:hunter2"), "{}", document.to_json());
}

/// The text of the document, without what changes with every release of ours.
fn written(outcome: &Outcome) -> String {
    fixtures::document(outcome).to_json()
}

#[test]
fn every_document_fits_its_schema_and_reads_back() {
    let schema = serde_json::to_value(result_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, outcome) in fixtures::all() {
        let document = Document::new(&outcome);
        let json: serde_json::Value = serde_json::from_str(&document.to_json()).unwrap();
        assert!(validator.is_valid(&json), "{name}: {:?}", validator.iter_errors(&json).next());
        assert_eq!(serde_json::from_value::<Document>(json).unwrap(), document, "{name}");
    }
}

#[test]
fn every_field_is_documented_in_the_schema() {
    let schema = serde_json::to_value(result_schema()).unwrap();
    let definitions = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for definition in definitions {
        for (field, about) in definition["properties"].as_object().into_iter().flatten() {
            assert!(about["description"].is_string() || about.get("$ref").is_some(), "{field}: {about}");
        }
    }
}

#[test]
fn exit_codes_follow_from_what_happened() {
    for (name, expected) in [
        ("success", 0),
        ("failing_run", 1),
        ("failing_config", 2),
        ("failing_publish", 1),
        ("cancelled", 143),
        ("dry_run", 0),
        ("fork", 0),
        ("optional_failed", 0),
        ("local_layout", 0),
        ("reproducible", 0),
        ("deterministic", 0),
        ("min_trust_unmet", 1),
        ("no_second_image", 1),
    ] {
        let (_, outcome) = fixtures::all().into_iter().find(|(n, _)| *n == name).unwrap();
        assert_eq!(exit_code(&outcome), expected, "{name}");
        assert_eq!(Document::new(&outcome).exit_code, expected, "{name}");
    }
}

#[test]
fn a_run_that_forgot_to_say_it_failed_is_red_all_the_same() {
    let mut outcome = fixtures::failing_run();
    (outcome.status, outcome.failure) = (End::Success, None);
    assert_eq!((exit_code(&outcome), Document::new(&outcome).status), (1, Status::Failure));

    let mut outcome = fixtures::success();
    outcome.failure = Some(Reason::new(FailureKind::Report, Trouble::new("disk full")));
    assert_eq!((exit_code(&outcome), Document::new(&outcome).status), (1, Status::Failure));

    let mut outcome = fixtures::success();
    outcome.status = End::Failure;
    assert_eq!(exit_code(&outcome), 1);
    outcome.status = End::Cancelled;
    assert_eq!(exit_code(&outcome), 130);
}

#[test]
fn builds_the_run_never_came_to_are_listed() {
    let document = Document::new(&fixtures::cancelled());
    let worker = document.builds.iter().find(|b| b.id == "worker").unwrap();
    assert_eq!((worker.state, worker.why.as_deref()), (BuildState::NotRun, Some("the run ended before it")));
}

#[test]
fn secrets_vanish_from_texts_and_names_stay() {
    let secret = Secret::new("docker.io/acme/app");
    let redactor = Redactor::new([&secret]);
    let document = Document::new(&fixtures::failing_publish()).redacted(&redactor);
    assert!(document.failure.unwrap().problems[0].what.starts_with("***: the registry"));
    let build = &document.builds[0];
    assert!(build.failure.as_ref().unwrap().problems[0].what.starts_with("***: the registry"));
    assert!(build.plan.as_ref().unwrap().names.iter().any(|n| n == "docker.io/acme/app:latest"));
    assert_eq!(build.metadata.as_ref().unwrap()["image.name"], "ghcr.io/acme/app,docker.io/acme/app");
}

#[test]
fn no_free_text_escapes_redaction() {
    let secret = Secret::new("s3cr3t-v4lue");
    let redactor = Redactor::new([&secret]);
    let document = Document::new(&fixtures::hostile("x s3cr3t-v4lue y")).redacted(&redactor);
    // Ids, paths and addresses must stay usable; nothing else may show it.
    let json = serde_json::to_value(&document).unwrap();
    let mut shown = std::collections::BTreeSet::new();
    where_is(&json, "s3cr3t", "", &mut shown);
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    let names = [
        ".builds.id",
        ".builds.layers.instruction",
        ".builds.layers.stage",
        ".builds.layout",
        ".builds.loaded",
        ".builds.build_failure.dockerfile.file",
        ".builds.build_failure.errors.tool",
        ".builds.failure.problems.location.file",
        ".builds.plan.dockerfile",
        ".builds.proof.culprits.layers.location.file",
        ".builds.targets.id",
        ".context.branch",
        ".context.job_url",
        ".failure.problems.location.file",
        ".left_out.id",
        ".notes.location.file",
        ".phases.build",
        ".version.full",
    ];
    for place in shown {
        assert!(names.contains(&place), "{place}");
    }
}

fn where_is(json: &serde_json::Value, needle: &str, path: &str, found: &mut std::collections::BTreeSet<String>) {
    match json {
        serde_json::Value::String(text) if text.contains(needle) => {
            found.insert(path.to_owned());
        }
        serde_json::Value::Array(items) => items.iter().for_each(|v| where_is(v, needle, path, found)),
        serde_json::Value::Object(map) => {
            map.iter().for_each(|(k, v)| where_is(v, needle, &format!("{path}.{k}"), found))
        }
        _ => {}
    }
}
