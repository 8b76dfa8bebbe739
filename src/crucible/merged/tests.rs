use super::*;
use crate::crucible::proof::{CheckKind, CheckState};
use crate::image::Digest;
use crate::plan::BuildMode;

fn step(min_trust: TrustLevel) -> Step {
    let crucible = CruciblePlan { min_trust, ..CruciblePlan::default() };
    Step {
        build_mode: BuildMode::Crucible,
        crucible: Some(crucible),
        plan_hash: "plan".into(),
        ..crate::buildx::argv::tests::step()
    }
}

/// Every check matches, but these.
fn checks(differing: &[CheckKind]) -> Vec<Check> {
    use CheckKind::{Binary, ConfigDigest, DiffIds, Environment, ImageDigest, LayerBytes, PlanHash, Version};
    [ImageDigest, ConfigDigest, DiffIds, LayerBytes, Binary, Version, PlanHash, Environment]
        .map(|kind| Check {
            kind,
            subject: String::new(),
            state: match differing.contains(&kind) {
                true => CheckState::Differs,
                false => CheckState::Match,
            },
            detail: String::new(),
        })
        .into()
}

fn pass(digest: &Digest) -> document::Pass {
    document::Pass {
        digest: digest.clone(),
        seconds: 1.5,
        plan_hash: Some("plan".into()),
        environment: Vec::new(),
        by: "stagefreight 1".into(),
    }
}

fn proof(digest: &Digest, second: &Digest, trust: TrustLevel, differing: &[CheckKind]) -> document::Proof {
    document::Proof {
        run_id: "0123456789ab".into(),
        runner: CrucibleRunner::Rebuild,
        min_trust: TrustLevel::Consistent,
        trust,
        checks: checks(differing),
        passes: vec![pass(digest), pass(second)],
        materials: Vec::new(),
    }
}

const DIFFERS: [CheckKind; 4] =
    [CheckKind::ImageDigest, CheckKind::ConfigDigest, CheckKind::DiffIds, CheckKind::LayerBytes];

fn told<'a>(platform: &'a str, digest: &'a Digest, proof: Option<&'a document::Proof>) -> Told<'a> {
    Told { platform, digest, job_url: Some("https://forge.example/job/1"), proof }
}

#[test]
fn the_lowest_leg_is_the_level_of_the_whole() {
    let (a, b, c) = (Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c"));
    let whole = proof(&a, &a, TrustLevel::Reproducible, &[]);
    let part = proof(&b, &c, TrustLevel::Deterministic, &DIFFERS);
    let legs = [told("linux/amd64", &a, Some(&whole)), told("linux/arm64", &b, Some(&part))];
    let found = judge(&legs, &step(TrustLevel::Deterministic), &step(TrustLevel::Deterministic).crucible.unwrap());
    assert_eq!((found.trust, found.passed), (Some(TrustLevel::Deterministic), true), "{found:?}");
    assert_eq!(
        found.legs.iter().map(|leg| leg.trust).collect::<Vec<_>>(),
        [TrustLevel::Reproducible, TrustLevel::Deterministic]
    );
    assert!(found.obstacles.iter().all(|why| why.starts_with("linux/arm64: ")), "{:?}", found.obstacles);
    assert!(found.checks.iter().any(|check| check.subject == "linux/amd64" && check.kind == CheckKind::PlanHash));
    let asked = step(TrustLevel::Reproducible);
    let found = judge(&legs, &asked, asked.crucible.as_ref().unwrap());
    assert_eq!((found.trust, found.passed), (Some(TrustLevel::Deterministic), false));
    assert!(found.refusal("app").is_some());
}

#[test]
fn no_leg_is_believed_more_than_it_shows() {
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    let good = proof(&a, &a, TrustLevel::Reproducible, &[]);
    let step = step(TrustLevel::Viable);
    let wanted = step.crucible.clone().unwrap();
    let judged = |proof: Option<&document::Proof>| {
        let found = judge(&[told("linux/amd64", &a, proof)], &step, &wanted);
        (found.trust, found.passed, found.obstacles.join("; "))
    };
    assert_eq!(judged(Some(&good)).0, Some(TrustLevel::Reproducible));
    // It claims more than its checks show, or its checks show more than it claims.
    let boast = proof(&a, &a, TrustLevel::Reproducible, &[CheckKind::Binary]);
    let (trust, passed, why) = judged(Some(&boast));
    assert_eq!((trust, passed), (Some(TrustLevel::Consistent), false), "a document that boasts is not to be trusted");
    assert!(why.contains("claims reproducible, and its checks show consistent"), "{why}");
    let modest = proof(&a, &a, TrustLevel::Viable, &[]);
    assert_eq!(judged(Some(&modest)).0, Some(TrustLevel::Viable));
    let two = proof(&a, &b, TrustLevel::Reproducible, &[]);
    assert_eq!(judged(Some(&two)).0, Some(TrustLevel::Deterministic), "two digests are not one");
    let none = proof(&a, &a, TrustLevel::Reproducible, &[]);
    let none = document::Proof { checks: Vec::new(), ..none };
    assert_eq!(judged(Some(&none)).0, Some(TrustLevel::Viable), "what was not compared raises nothing");
    // Not proven, or not this image.
    let (trust, passed, why) = judged(None);
    assert_eq!((trust, passed, why.as_str()), (None, false, "linux/amd64: the leg was not proven"));
    let other = proof(&b, &b, TrustLevel::Reproducible, &[]);
    let (trust, passed, why) = judged(Some(&other));
    assert_eq!((trust, passed, why.as_str()), (None, false, "linux/amd64: its proof is of another image"));
    let half = document::Proof { passes: vec![pass(&a)], ..proof(&a, &a, TrustLevel::Reproducible, &[]) };
    assert!(!judged(Some(&half)).1);
    let mut elsewhere = proof(&a, &a, TrustLevel::Reproducible, &[]);
    elsewhere.passes[1].plan_hash = Some("another".into());
    assert!(!judged(Some(&elsewhere)).1);
}

#[test]
fn one_leg_without_proof_fails_the_whole() {
    let a = Digest::of(b"a");
    let good = proof(&a, &a, TrustLevel::Reproducible, &[]);
    let step = step(TrustLevel::Viable);
    let legs = [told("linux/amd64", &a, Some(&good)), told("linux/arm64", &a, None)];
    let found = judge(&legs, &step, step.crucible.as_ref().unwrap());
    assert_eq!((found.trust, found.passed), (None, false));
    assert!(!judge(&[], &step, step.crucible.as_ref().unwrap()).passed, "no legs are no proof");
}

#[test]
fn another_plan_is_another_image_whatever_was_asked_for() {
    let a = Digest::of(b"a");
    let bad = proof(&a, &a, TrustLevel::Viable, &[CheckKind::PlanHash]);
    let step = step(TrustLevel::Viable);
    let found = judge(&[told("linux/amd64", &a, Some(&bad))], &step, step.crucible.as_ref().unwrap());
    assert_eq!((found.trust, found.passed), (Some(TrustLevel::Viable), false));
}
