use super::*;
use crate::outcome::{BuildState, Outcome};
use crate::problem::{Failure, FailureKind};
use crate::report::fixtures::{self, proofs};

fn told(outcome: &Outcome) -> String {
    verdicts(&Document::new(outcome)).unwrap_or_default()
}

#[test]
fn verdicts_state_the_level_and_the_fact() {
    use crate::crucible::proof::CheckState::{Differs as D, Match as M, NotAsked as N, Unavailable as U};
    use crate::plan::TrustLevel::{Consistent, Deterministic, Reproducible, Viable};
    let mut all = Vec::new();
    for (trust, passed, binary, plan, version) in [
        (Some(Reproducible), true, M, M, M),
        (Some(Deterministic), true, M, M, N),
        (Some(Consistent), true, D, M, M),
        (Some(Consistent), true, U, M, M),
        (Some(Viable), true, D, U, M),
        (Some(Viable), false, D, U, M),
        (Some(Consistent), false, D, M, M),
        (Some(Viable), false, D, D, M),
        (Some(Viable), false, D, M, D),
        (None, false, U, U, U),
    ] {
        let mut proof = proofs::proof(Deterministic, trust, [M, M, M, M, binary, version, plan, M]);
        proof.passed = passed;
        let mut outcome = proofs::reproducible();
        outcome.builds[0].proof = Some(proof);
        if !passed {
            outcome.builds[0].published.clear();
        }
        all.push(told(&outcome));
    }
    insta::assert_snapshot!(all.join("\n"), @"
    Reproducible: two cold builds of `app` gave the same image, byte for byte
    Deterministic: two cold builds of `app` gave the same binaries; the images differ
    Consistent: two cold builds of `app` followed the same plan; their binaries differ
    Consistent: two cold builds of `app` followed the same plan; their binaries could not be compared
    Viable: `app` could be built twice, cold; nothing more is proven
    Not proven: two cold builds of `app` are only viable, and deterministic was asked for; nothing was published
    Not proven: two cold builds of `app` are only consistent, and deterministic was asked for; nothing was published
    Not proven: two cold builds of `app` did not follow the same plan; nothing was published
    Not proven: two cold builds of `app` do not give the same version; nothing was published
    Not proven: the second build of `app` gave no image; nothing was published
    ");
}

#[test]
fn of_several_builds_the_level_of_each() {
    let mut outcome = proofs::reproducible();
    let mut second = proofs::deterministic().builds.remove(0);
    second.id = "worker".into();
    outcome.builds.push(second);
    assert_eq!(told(&outcome), "Proven: `app` reproducible, `worker` deterministic");
    outcome.builds[1].proof.as_mut().unwrap().passed = false;
    assert_eq!(told(&outcome), "Not everything is proven: `app` reproducible, `worker` not proven");
    assert_eq!(told(&fixtures::success()), "");
}

#[test]
fn nothing_was_published_is_said_only_where_that_is_so() {
    let mut outcome = proofs::min_trust_unmet();
    assert!(told(&outcome).ends_with("; nothing was published"), "{}", told(&outcome));
    outcome.builds.push(fixtures::success().builds.remove(0));
    assert!(told(&outcome).ends_with("; it was not published"), "{}", told(&outcome));
}

#[test]
fn what_a_problem_says_is_not_said_again() {
    let mut outcome = proofs::min_trust_unmet();
    let document = Document::new(&outcome);
    let (build, proof) = proven(&document)[0];
    assert_eq!(untold_obstacles(&document, build, proof), [""; 0]);
    assert_eq!(advice(&document, build, proof), None);

    // The same with a run that says less.
    let terse = Failure::new(FailureKind::Verification, crate::problem::Problem::new("not proven"));
    outcome.failure = Some(terse.clone());
    outcome.builds[0].state = BuildState::Failed(terse);
    let document = Document::new(&outcome);
    let (build, proof) = proven(&document)[0];
    assert_eq!(untold_obstacles(&document, build, proof).len(), 1);
    assert_eq!(
        advice(&document, build, proof).unwrap(),
        "make what could not be compared comparable, or ask for less with `crucible: {min_trust: consistent}`"
    );
}

#[test]
fn remarks_are_the_same_in_the_next_run() {
    let document = Document::new(&proofs::deterministic());
    let (_, proof) = proven(&document)[0];
    let texts: Vec<_> = remarks(proof).into_iter().map(|remark| remark.text).collect();
    assert!(!texts.join("\n").contains("10:00"), "evidence changes: {texts:?}");
    assert!(texts[1].contains("\n/tmp: ") && !texts[1].contains("Xy12aB"), "{texts:?}");
    assert!(texts[1].contains("and 1234 more"), "{texts:?}");

    let mut many = proof.clone();
    let culprits = many.culprits.as_mut().unwrap();
    culprits.layers = vec![culprits.layers[0].clone(); 50];
    assert_eq!(remarks(&many).len(), CULPRITS);
}

#[test]
fn words_of_later_versions_are_shown_as_they_are() {
    assert_eq!((check("image_digest"), check("build_log")), ("image digest".to_owned(), "build log".to_owned()));
    assert_eq!((cause("wall_clock"), cause("solar_flare")), ("wall clock".to_owned(), "solar flare".to_owned()));
    assert_eq!(
        hows(&["only_in_b".into(), "mtime".into(), "smell".into()]),
        "only in the second build, modification time, smell"
    );
}

#[test]
fn elephants_count_the_levels() {
    let levels = [None, Some(TrustLevel::Viable), Some(TrustLevel::Consistent), Some(TrustLevel::Deterministic)];
    let counted = levels.into_iter().chain([Some(TrustLevel::Reproducible)]).map(|l| elephants(l).chars().count());
    assert_eq!(counted.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}
