use super::*;
use serde_json::json;

fn envelope(statement: &Value) -> Value {
    json!({"payloadType": "application/vnd.in-toto+json", "payload": STANDARD.encode(statement.to_string()), "signatures": [{"sig": "x"}]})
}

fn proof(run: &str, trust: &str) -> Value {
    json!({
        "subject": [{"name": "a", "digest": {"sha256": "a".repeat(64)}}],
        "predicateType": provenance::PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {"buildType": provenance::BUILD_TYPE, "internalParameters": {"runId": run, "trust": trust}},
            "runDetails": {"metadata": {"startedOn": run}},
        },
    })
}

#[test]
fn both_generations_keep_a_statement_in_an_envelope() {
    let said = json!({"_type": "x", "subject": []});
    assert_eq!(statement(envelope(&said).to_string().as_bytes()), Some(said.clone()));
    let bundle = json!({"mediaType": BUNDLE, "verificationMaterial": {}, "dsseEnvelope": envelope(&said)});
    assert_eq!(statement(bundle.to_string().as_bytes()), Some(said));
}

#[test]
fn what_is_no_statement_is_none() {
    let hostile = [
        json!({}),
        json!([]),
        json!({"payload": 7}),
        json!({"payload": "%%%"}),
        json!({"payload": STANDARD.encode("no json")}),
        json!({"payload": STANDARD.encode("[]")}),
        json!({"dsseEnvelope": {}}),
        json!({"dsseEnvelope": null, "messageSignature": {}}),
    ];
    for text in hostile {
        assert_eq!(statement(text.to_string().as_bytes()), None, "{text}");
    }
    assert_eq!(statement(b"\xff\xfe"), None);
}

#[test]
fn a_statement_speaks_of_its_subjects_only() {
    let said = proof("1", "viable");
    let digest = |c: &str| format!("sha256:{}", c.repeat(64)).parse::<Digest>().unwrap();
    assert!(speaks_of(&said, &digest("a")));
    assert!(!speaks_of(&said, &digest("b")));
    assert!(!speaks_of(&json!({"subject": "a"}), &digest("a")));
    assert!(!speaks_of(&json!({"subject": [{"digest": null}]}), &digest("a")));
}

#[test]
fn a_proof_made_again_is_the_same_proof_unless_it_reached_another_level() {
    assert!(same_proof(&proof("1", "viable"), &proof("2", "viable")));
    assert!(!same_proof(&proof("1", "viable"), &proof("1", "reproducible")));
    let mut foreign = proof("1", "viable");
    foreign["predicate"]["buildDefinition"]["buildType"] = json!("https://example.org/other");
    assert!(!same_proof(&foreign, &foreign), "what is not ours is never taken for ours");
}
