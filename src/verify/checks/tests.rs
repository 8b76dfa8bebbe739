use rstest::rstest;
use serde_json::json;

use super::super::facts::{About, Attached};
use super::*;
use crate::cli::Format;
use crate::image::Digest;

fn digest() -> Digest {
    Digest::of(b"image")
}

fn proof(of: &Digest, level: &str) -> Value {
    json!({
        "subject": [{"name": "app", "digest": {"sha256": of.hex()}}],
        "predicateType": provenance::PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {"buildType": provenance::BUILD_TYPE, "internalParameters": {"trust": level}},
            "runDetails": {"builder": {"id": "https://forge/acme/app#build"}},
        },
    })
}

fn foreign() -> Value {
    let mut said = proof(&digest(), "reproducible");
    said["predicate"]["buildDefinition"]["buildType"] = json!("https://mobyproject.org/buildkit@v1");
    said
}

fn attached(about: About) -> Attached {
    Attached { on: "linux/arm64".into(), about, statement: proof(&digest(), "reproducible") }
}

fn facts(signature: Said, statements: Result<Vec<Value>, Said>, attached: Vec<Attached>) -> Facts {
    let generation = Generation::Three { trusted_root: true };
    let asked = Asked::Cosign { program: "cosign 3.1.1".into(), generation, signature, statements };
    Facts { digest: digest(), asked, attested: Ok(Vec::new()), attached: Ok(attached) }
}

fn call(min_trust: Option<TrustLevel>) -> Call {
    let believe = Some(Believe::Key("cosign.pub".into()));
    Call { image: "reg/app:1".into(), believe, min_trust, format: Format::Text }
}

/// Digest, signature, provenance, trust.
fn states(facts: &Facts, min: Option<TrustLevel>) -> ([State; 4], Option<TrustLevel>) {
    let (checks, level) = all(Check::new(What::Digest, State::Verified, "read"), facts, &call(min));
    assert!(checks.iter().all(|check| !check.why.is_empty()));
    (std::array::from_fn(|i| checks[i].state), level)
}

use State::{Failed, NotAsked, NotChecked, Verified};
use TrustLevel::{Consistent, Reproducible, Viable};

fn bad() -> Said {
    Said::Bad("no signatures found".into())
}

fn unknown() -> Said {
    Said::Unknown("dial tcp: no such host".into())
}

#[rstest]
#[case::proven(Said::Good, Ok(vec![proof(&digest(), "reproducible")]), Some(Reproducible), [Verified, Verified, Verified])]
#[case::proven_less_than_asked(Said::Good, Ok(vec![proof(&digest(), "viable")]), Some(Consistent), [Verified, Verified, Failed])]
#[case::the_best_proof_counts(Said::Good, Ok(vec![proof(&digest(), "viable"), proof(&digest(), "consistent")]), Some(Consistent), [Verified, Verified, Verified])]
#[case::no_level_that_we_know(Said::Good, Ok(vec![proof(&digest(), "perfect")]), Some(Viable), [Verified, Verified, Failed])]
#[case::of_another_image(Said::Good, Ok(vec![proof(&Digest::of(b"other"), "reproducible")]), Some(Viable), [Verified, Failed, Failed])]
#[case::of_another_image_and_not_asked(Said::Good, Ok(vec![proof(&Digest::of(b"other"), "reproducible")]), None, [Verified, Failed, NotAsked])]
#[case::of_another_kind(Said::Good, Ok(vec![foreign()]), Some(Viable), [Verified, Failed, Failed])]
#[case::no_proof(Said::Good, Err(bad()), Some(Viable), [Verified, Failed, Failed])]
#[case::no_proof_and_none_asked_for(Said::Good, Err(bad()), None, [Verified, NotAsked, NotAsked])]
#[case::another_key(bad(), Err(bad()), Some(Viable), [Failed, Failed, Failed])]
#[case::no_network(unknown(), Err(unknown()), Some(Viable), [NotChecked, NotChecked, NotChecked])]
#[case::half_a_network(Said::Good, Err(unknown()), Some(Viable), [Verified, NotChecked, NotChecked])]
fn what_is_believed(
    #[case] signature: Said,
    #[case] statements: Result<Vec<Value>, Said>,
    #[case] min: Option<TrustLevel>,
    #[case] expected: [State; 3],
) {
    let ([_, rest @ ..], _) = states(&facts(signature, statements, Vec::new()), min);
    assert_eq!(rest, expected);
}

#[test]
fn what_merely_hangs_on_the_image_raises_nothing() {
    let facts = facts(Said::Good, Err(bad()), vec![attached(About::This)]);
    assert_eq!(states(&facts, Some(Viable)), ([Verified, Verified, Failed, Failed], None));
    let (checks, _) = all(Check::new(What::Digest, Verified, "read"), &facts, &call(Some(Viable)));
    assert_eq!(checks[2].why, "a proof hangs on the image, and the key cosign.pub did not sign it");
}

#[test]
fn a_statement_that_hangs_on_the_wrong_image_is_wrong_whoever_signed_the_right_one() {
    let facts = facts(
        Said::Good,
        Ok(vec![proof(&digest(), "reproducible")]),
        vec![attached(About::This), attached(About::Another)],
    );
    assert_eq!(states(&facts, Some(Viable)), ([Verified, Verified, Failed, Failed], None));
}

#[test]
fn what_cannot_be_read_is_not_taken_for_good() {
    let mut facts = facts(Said::Good, Ok(vec![proof(&digest(), "reproducible")]), Vec::new());
    facts.attached = Err("the registry failed".into());
    assert_eq!(states(&facts, Some(Viable)).0, [Verified, Verified, NotChecked, NotChecked]);
}

#[rstest]
#[case(Asked::Nobody)]
#[case(Asked::NoCosign)]
fn without_cosign_or_anybody_to_believe_nothing_is_known(#[case] asked: Asked) {
    let facts = Facts { asked, ..facts(Said::Good, Ok(Vec::new()), vec![attached(About::This)]) };
    assert_eq!(states(&facts, Some(Viable)), ([Verified, NotChecked, NotChecked, NotChecked], None));
    assert_eq!(states(&facts, None).0, [Verified, NotChecked, NotChecked, NotAsked]);
}

#[test]
fn a_statement_that_names_nothing_is_counted_and_proves_nothing() {
    let hanging = vec![attached(About::This), attached(About::Nothing)];
    let facts = facts(Said::Good, Ok(vec![proof(&digest(), "viable")]), hanging);
    let (checks, _) = all(Check::new(What::Digest, Verified, "read"), &facts, &call(Some(Viable)));
    assert_eq!(checks[2].state, Verified);
    assert!(
        checks[2].why.ends_with("and its platforms, 1 name what they hang on; 1 name nothing"),
        "{}",
        checks[2].why
    );
}
