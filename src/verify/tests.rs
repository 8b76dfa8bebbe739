use rstest::rstest;

use super::checks::{State, What};
use super::*;

#[test]
fn images_are_named_as_docker_names_them() {
    let hex = "a".repeat(64);
    let name = |text: &str| {
        let (repository, version) = parse(text).unwrap();
        match version {
            Version::Tag(tag) => format!("{repository} {tag}"),
            Version::Digest(digest) => format!("{repository} {digest}"),
        }
    };
    assert_eq!(name("ghcr.io/acme/app:1.2.3"), "ghcr.io/acme/app 1.2.3");
    assert_eq!(name("docker://localhost:5000/app"), "localhost:5000/app latest");
    assert_eq!(name(&format!("reg.lan/app@sha256:{hex}")), format!("reg.lan/app sha256:{hex}"));
    assert_eq!(name(&format!("reg.lan/app:1@sha256:{hex}")), format!("reg.lan/app sha256:{hex}"), "the digest decides");
}

#[rstest]
#[case("")]
#[case("reg.lan/App:1")]
#[case("reg.lan/app@sha256:abc")]
#[case("reg.lan/app@latest")]
#[case("https://reg.lan/app:1")]
fn what_is_no_image_is_named(#[case] text: &str) {
    let problem = parse(text).unwrap_err();
    assert!(problem.what.contains(text) && problem.hint.is_some(), "{problem:?}");
}

#[test]
fn the_answer_fits_one_screen() {
    let check = |what, state, why: &str| Check::new(what, state, why);
    let mut signature =
        check(What::Signature, State::Failed, "cosign 3.1.1 found no valid signature: \u{1b}[31mno\nsignatures");
    signature.hint = Some("cosign 2 does not find what cosign 3 signed.".into());
    let checks = vec![
        check(What::Digest, State::Verified, "computed from the bytes the registry sent"),
        signature,
        check(What::Provenance, State::NotChecked, &"x".repeat(5000)),
        check(What::Trust, State::NotAsked, "none was asked for"),
    ];
    let document = Document::new("reg.lan/app:1", None, checks, None);
    let text = text::render(&document).replace(&"x".repeat(600), "[600]");
    insta::assert_snapshot!(text, @r"
    reg.lan/app:1

    ✓ digest      computed from the bytes the registry sent
    ✗ signature   cosign 3.1.1 found no valid signature:  [31mno signatures
                  cosign 2 does not find what cosign 3 signed.
    ? provenance  [600]
    - trust       none was asked for

    NOT VERIFIED: wrong or missing: signature.
    ");
}
