use rstest::rstest;

use super::super::checks::What;
use super::*;
use State::{Failed, NotAsked, NotChecked, Verified};

#[rstest]
#[case(&[Verified, Verified, NotAsked], 0)]
#[case(&[Verified, Verified, Failed, NotChecked], 1)]
#[case(&[Verified, NotChecked, NotAsked], 2)]
#[case(&[NotAsked], 2)]
#[case(&[], 2)]
fn what_could_not_be_checked_is_never_passed(#[case] states: &[State], #[case] code: u8) {
    let checks: Vec<_> = states.iter().map(|state| Check::new(What::Signature, *state, "why")).collect();
    assert_eq!(Verdict::of(&checks).exit_code(), code);
}

#[test]
fn the_form_is_pinned() {
    let checks = vec![Check::new(What::Digest, NotChecked, "no answer within 10 s")];
    let text = Document::new("reg.lan/app:1", None, checks, None).to_json();
    insta::assert_snapshot!(text, @r#"
    {
      "schema_version": 1,
      "reference": "reg.lan/app:1",
      "image": null,
      "digest": null,
      "platforms": [],
      "checks": [
        {
          "check": "digest",
          "state": "not_checked",
          "why": "no answer within 10 s"
        }
      ],
      "trust": null,
      "verdict": "not_checked"
    }
    "#);
}
