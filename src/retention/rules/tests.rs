use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn candidate(tag: &str, time: &str) -> Candidate {
    Candidate { tag: tag.parse().unwrap(), time: (!time.is_empty()).then(|| time.parse().unwrap()) }
}

fn kept(candidates: &[Candidate], rules: &Retention) -> BTreeMap<String, String> {
    let protect = NameList::new(&rules.protect, &BTreeMap::new()).unwrap();
    let rulings = decide(candidates, rules, &protect);
    let kept = candidates.iter().zip(rulings).filter_map(|(candidate, ruling)| match ruling {
        Ruling::Keep(why) => Some((candidate.tag.to_string(), why)),
        Ruling::Drop => None,
    });
    kept.collect()
}

fn table() -> Vec<Candidate> {
    [
        ("1.0.0", "2024-12-30T10:00:00Z"),
        ("1.1.0", "2025-01-02T10:00:00Z"),
        ("1.2.0", "2026-11-18T23:59:59Z"),
        ("1.2.1", "2026-11-19T00:00:00Z"),
        ("1.2.2", "2026-11-19T08:00:00Z"),
        ("1.3.0", "2026-11-20T08:00:00Z"),
        ("1.3.1", "2026-11-20T09:00:00Z"),
    ]
    .map(|(tag, time)| candidate(tag, time))
    .into()
}

#[test]
fn each_rule_keeps_what_it_says() {
    let rules = |text: &str| serde_json::from_str::<Retention>(text).unwrap();
    for (written, expected) in [
        (r#"{"keep_last": 2}"#, &["1.3.0 among the newest 2", "1.3.1 among the newest 2"][..]),
        (r#"{"keep_daily": 2}"#, &["1.2.2 newest of 2026-11-19", "1.3.1 newest of 2026-11-20"]),
        (r#"{"keep_weekly": 2}"#, &["1.1.0 newest of week 2025-W01", "1.3.1 newest of week 2026-W47"]),
        (r#"{"keep_monthly": 2}"#, &["1.1.0 newest of 2025-01", "1.3.1 newest of 2026-11"]),
        (r#"{"keep_yearly": 9}"#, &["1.0.0 newest of 2024", "1.1.0 newest of 2025", "1.3.1 newest of 2026"]),
        (
            r#"{"keep_last": 1, "keep_daily": 3}"#,
            &["1.2.0 newest of 2026-11-18", "1.2.2 newest of 2026-11-19", "1.3.1 among the newest 1"],
        ),
        (
            // What is protected takes no slot: neither that of the last nor that of its day.
            r#"{"keep_last": 1, "keep_daily": 1, "protect": ["1.3.1"]}"#,
            &["1.3.0 among the newest 1", "1.3.1 protected by `1.3.1`"],
        ),
        (
            r#"{"keep_last": 1, "protect": ["!re:^1\\.[12]"]}"#,
            &[
                "1.0.0 protected by `!re:^1\\.[12]`",
                "1.2.2 among the newest 1",
                "1.3.0 protected by `!re:^1\\.[12]`",
                "1.3.1 protected by `!re:^1\\.[12]`",
            ],
        ),
    ] {
        let found: Vec<_> =
            kept(&table(), &rules(written)).into_iter().map(|(tag, why)| format!("{tag} {why}")).collect();
        assert_eq!(found, expected, "{written}");
    }
}

#[test]
fn no_rule_and_a_rule_of_nothing_delete_nothing() {
    for written in ["{}", r#"{"keep_last": 0}"#, r#"{"keep_daily": 0, "keep_last": 0}"#, r#"{"protect": ["x"]}"#] {
        let rules: Retention = serde_json::from_str(written).unwrap();
        assert!(!has_rules(&rules));
        assert_eq!(kept(&table(), &rules).len(), table().len(), "{written}");
    }
}

#[test]
fn what_has_no_time_stays_and_takes_no_slot() {
    let candidates =
        [candidate("a", ""), candidate("b", "2026-01-01T00:00:00Z"), candidate("c", "2026-01-02T00:00:00Z")];
    let found = kept(&candidates, &Retention { keep_last: Some(1), ..Retention::default() });
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(found["a"], "nothing says how old it is");
}

fn some_candidates() -> impl Strategy<Value = Vec<Candidate>> {
    // Few moments over a few years, so that days, weeks and moments are shared.
    let time = prop_oneof![8 => (0..900i64, 0..3i64).prop_map(|(day, hour)| Some(day * 86_400 * 3 / 2 + hour * 40_000)), 1 => Just(None)];
    prop::collection::vec(time, 0..40).prop_map(|times| {
        let candidate = |(n, time): (usize, Option<i64>)| Candidate {
            tag: format!("t{n}").parse().unwrap(),
            time: time.map(|second| Timestamp::from_second(1_700_000_000 + second).unwrap()),
        };
        times.into_iter().enumerate().map(candidate).collect()
    })
}

fn some_rules() -> impl Strategy<Value = Retention> {
    let rule = || prop::option::of(0..6u32);
    let protect = prop::collection::vec((0..40u8).prop_map(|n| format!("t{n}")), 0..4);
    (rule(), rule(), rule(), rule(), rule(), protect).prop_map(
        |(keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly, protect)| Retention {
            keep_last,
            keep_daily,
            keep_weekly,
            keep_monthly,
            keep_yearly,
            protect,
        },
    )
}

/// Each rule the larger of two: what asks for at least as much as either.
fn both(a: &Retention, b: &Retention) -> Retention {
    Retention {
        keep_last: a.keep_last.max(b.keep_last),
        keep_daily: a.keep_daily.max(b.keep_daily),
        keep_weekly: a.keep_weekly.max(b.keep_weekly),
        keep_monthly: a.keep_monthly.max(b.keep_monthly),
        keep_yearly: a.keep_yearly.max(b.keep_yearly),
        protect: [a.protect.clone(), b.protect.clone()].concat(),
    }
}

fn names(candidates: &[Candidate], rules: &Retention) -> BTreeSet<String> {
    kept(candidates, rules).into_keys().collect()
}

proptest! {
    #[test]
    fn more_rules_never_keep_less(candidates in some_candidates(), a in some_rules(), b in some_rules()) {
        // Without any rule everything stays; from there on rules only add.
        prop_assume!(has_rules(&a));
        prop_assert!(names(&candidates, &a).is_subset(&names(&candidates, &both(&a, &b))));
    }

    #[test]
    fn what_is_protected_stays(candidates in some_candidates(), rules in some_rules()) {
        let found = names(&candidates, &rules);
        for candidate in &candidates {
            prop_assert!(!rules.protect.contains(&candidate.tag.to_string()) || found.contains(candidate.tag.as_str()));
        }
    }

    #[test]
    fn the_order_does_not_matter(candidates in some_candidates(), rules in some_rules(), seed in any::<u64>()) {
        let mut shuffled = candidates.clone();
        shuffled.sort_by_key(|candidate| crate::image::Digest::of(format!("{seed}{}", candidate.tag).as_bytes()));
        prop_assert_eq!(kept(&candidates, &rules), kept(&shuffled, &rules));
    }

    #[test]
    fn the_newest_stays_by_any_rule(candidates in some_candidates(), rules in some_rules()) {
        let free = candidates.iter().filter(|c| c.time.is_some() && !rules.protect.contains(&c.tag.to_string()));
        if let Some(newest) = free.max_by_key(|c| (c.time, Reverse(c.tag.clone()))) {
            prop_assert!(names(&candidates, &rules).contains(newest.tag.as_str()));
        }
    }

    #[test]
    fn a_rule_keeps_as_many_as_it_says(candidates in some_candidates(), n in 1..9u32) {
        let aged = candidates.iter().filter(|c| c.time.is_some()).count();
        let unaged = candidates.len() - aged;
        let found = names(&candidates, &Retention { keep_last: Some(n), ..Retention::default() });
        prop_assert_eq!(found.len(), unaged + aged.min(n as usize));
    }
}
