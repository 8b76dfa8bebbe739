use proptest::prelude::*;

use super::*;

const STATES: [CheckState; 4] = [CheckState::Match, CheckState::NotAsked, CheckState::Unavailable, CheckState::Differs];
const LEVELS: [TrustLevel; 4] =
    [TrustLevel::Viable, TrustLevel::Consistent, TrustLevel::Deterministic, TrustLevel::Reproducible];

fn check(kind: CheckKind, state: CheckState) -> Check {
    Check { kind, subject: String::new(), state, detail: String::new() }
}

/// Every check a proof has: the image's four at once, binary, version, plan.
fn proof(image: CheckState, binary: CheckState, version: CheckState, plan: CheckState) -> Vec<Check> {
    let mut checks: Vec<_> = WHOLE.iter().map(|kind| check(*kind, image)).collect();
    checks.extend([
        check(CheckKind::Binary, binary),
        check(CheckKind::Version, version),
        check(CheckKind::PlanHash, plan),
    ]);
    checks
}

#[rstest::rstest]
// image, binary, version, plan => level, and which gates open: viable, consistent, deterministic, reproducible
#[case("match   match   match   match   => reproducible  yes yes yes yes")]
#[case("match   match   not     match   => reproducible  yes yes yes yes")]
#[case("match   match   unavail match   => viable        yes no  no  no")]
#[case("match   match   differs match   => viable        no  no  no  no")]
#[case("match   match   match   unavail => viable        yes no  no  no")]
#[case("match   match   match   differs => viable        no  no  no  no")]
#[case("match   match   match   not     => viable        yes no  no  no")]
#[case("differs match   match   match   => deterministic yes yes yes no")]
#[case("unavail match   match   match   => deterministic yes yes yes no")]
#[case("not     match   match   match   => deterministic yes yes yes no")]
#[case("differs match   not     match   => deterministic yes yes yes no")]
#[case("differs match   differs match   => viable        no  no  no  no")]
#[case("differs differs match   match   => consistent    yes yes no  no")]
#[case("differs unavail match   match   => consistent    yes yes no  no")]
#[case("differs not     match   match   => consistent    yes yes no  no")]
#[case("match   differs match   match   => consistent    yes yes no  no")]
#[case("match   unavail match   match   => consistent    yes yes no  no")]
#[case("differs differs differs match   => viable        no  no  no  no")]
#[case("differs differs match   differs => viable        no  no  no  no")]
#[case("differs unavail unavail unavail => viable        yes no  no  no")]
#[case("unavail unavail unavail unavail => viable        yes no  no  no")]
fn the_truth_table(#[case] row: &str) {
    let (states, results) = row.split_once("=>").unwrap();
    let state = |word: &str| match word {
        "match" => CheckState::Match,
        "not" => CheckState::NotAsked,
        "unavail" => CheckState::Unavailable,
        "differs" => CheckState::Differs,
        other => panic!("{other}"),
    };
    let [image, binary, version, plan] = states.split_whitespace().map(state).collect::<Vec<_>>()[..] else {
        panic!("{row}");
    };
    let results: Vec<&str> = results.split_whitespace().collect();
    for (level, open) in LEVELS.iter().zip(&results[1..]) {
        let verdict = judge(&proof(image, binary, version, plan), *level);
        assert_eq!(verdict.trust.name(), results[0], "{row}");
        assert_eq!(verdict.passed, *open == "yes", "{row}: {level}");
    }
}

#[test]
fn what_was_never_compared_proves_nothing() {
    let verdict = judge(&[], TrustLevel::Consistent);
    assert_eq!((verdict.trust, verdict.passed), (TrustLevel::Viable, false));
    assert_eq!(verdict.obstacles, ["the plan was not compared", "the version was not compared"]);
    for (n, left_out) in
        proof(CheckState::Match, CheckState::Match, CheckState::Match, CheckState::Match).iter().enumerate()
    {
        let mut checks = proof(CheckState::Match, CheckState::Match, CheckState::Match, CheckState::Match);
        checks.remove(n);
        assert!(!judge(&checks, TrustLevel::Reproducible).passed, "{left_out:?}");
    }
}

#[test]
fn one_bad_check_among_many_good_ones_decides() {
    for bad in [CheckState::Differs, CheckState::Unavailable] {
        let mut checks = proof(CheckState::Match, CheckState::Match, CheckState::Match, CheckState::Match);
        checks.push(Check {
            subject: "linux/arm64 /app".into(),
            detail: "a / b".into(),
            ..check(CheckKind::Binary, bad)
        });
        let verdict = judge(&checks, TrustLevel::Deterministic);
        assert_eq!((verdict.trust, verdict.passed), (TrustLevel::Consistent, false));
        assert_eq!(verdict.obstacles.len(), 1, "{verdict:?}");
        assert!(verdict.obstacles[0].contains("linux/arm64 /app"), "{verdict:?}");
    }
}

/// How good a state is; a version nobody asked for is as good as one that matches.
fn worse(state: CheckState) -> usize {
    STATES.iter().position(|s| *s == state).unwrap()
}

fn any_check() -> impl Strategy<Value = Check> {
    let kinds = [
        CheckKind::ImageDigest,
        CheckKind::ConfigDigest,
        CheckKind::DiffIds,
        CheckKind::LayerBytes,
        CheckKind::Binary,
        CheckKind::Version,
        CheckKind::PlanHash,
        CheckKind::Environment,
    ];
    (proptest::sample::select(kinds.to_vec()), proptest::sample::select(STATES.to_vec()))
        .prop_map(|(kind, state)| check(kind, state))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_gate_opens_for_what_it_should_not(
        checks in proptest::collection::vec(any_check(), 0..20),
        level in proptest::sample::select(LEVELS.to_vec()),
    ) {
        let verdict = judge(&checks, level);
        let all = |kind, good: &[CheckState]| {
            let of_kind: Vec<_> = checks.iter().filter(|c| c.kind == kind).collect();
            !of_kind.is_empty() && of_kind.iter().all(|c| good.contains(&c.state))
        };
        let same = [CheckState::Match];
        if verdict.passed {
            prop_assert!(verdict.trust >= level);
            for kind in [CheckKind::PlanHash, CheckKind::Version] {
                prop_assert!(checks.iter().all(|c| c.kind != kind || c.state != CheckState::Differs));
            }
        }
        if verdict.trust >= TrustLevel::Consistent {
            prop_assert!(all(CheckKind::PlanHash, &same));
            prop_assert!(all(CheckKind::Version, &[CheckState::Match, CheckState::NotAsked]));
        }
        if verdict.trust >= TrustLevel::Deterministic {
            prop_assert!(all(CheckKind::Binary, &same));
        }
        if verdict.trust >= TrustLevel::Reproducible {
            prop_assert!(WHOLE.iter().all(|kind| all(*kind, &same)));
        } else {
            prop_assert!(!verdict.obstacles.is_empty(), "what stands in the way is named");
        }
    }

    #[test]
    fn nothing_that_gets_worse_earns_more_trust(
        mut checks in proptest::collection::vec(any_check(), 1..20),
        at in any::<proptest::sample::Index>(),
        level in proptest::sample::select(LEVELS.to_vec()),
    ) {
        let before = judge(&checks, level);
        let at = at.index(checks.len());
        let check = &mut checks[at];
        let Some(bad) = STATES.get(worse(check.state) + 1) else { return Ok(()) };
        check.state = *bad;
        let after = judge(&checks, level);
        prop_assert!(after.trust <= before.trust && (before.passed || !after.passed));
    }
}
