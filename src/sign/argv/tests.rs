use super::*;
use rstest::rstest;

const THREE: Generation = Generation::Three { trusted_root: true };
const IMAGE: &str = "reg.lan/app@sha256:abc";

fn manner(generation: Generation, key: Option<&str>, log: bool) -> Manner {
    let key = key.map_or(Key::Job, |key| Key::Named(key.into()));
    Manner { generation, key, log, no_services: "/run/no-services.json".into(), no_root: "/run/no-root.json".into() }
}

#[rstest]
#[case::two(Generation::Two, Some("k"), false, "sign --yes --key=k --tlog-upload=false")]
#[case::two_logged(Generation::Two, Some("k"), true, "sign --yes --key=k")]
#[case::two_job(Generation::Two, None, true, "sign --yes")]
#[case::three(
    THREE,
    Some("awskms:///x"),
    false,
    "sign --yes --key=awskms:///x --signing-config=/run/no-services.json --trusted-root=/run/no-root.json"
)]
#[case::three_old(Generation::Three { trusted_root: false }, Some("k"), false, "sign --yes --key=k --signing-config=/run/no-services.json")]
#[case::three_logged(THREE, Some("k"), true, "sign --yes --key=k")]
#[case::three_job(THREE, None, true, "sign --yes")]
fn each_generation_signs_in_its_own_words(
    #[case] generation: Generation,
    #[case] key: Option<&str>,
    #[case] log: bool,
    #[case] words: &str,
) {
    let manner = manner(generation, key, log);
    assert_eq!(sign(&manner, Reach::default(), IMAGE, false).join(" "), format!("{words} {IMAGE}"));
    assert_eq!(sign(&manner, Reach::default(), IMAGE, true).join(" "), format!("{words} --recursive {IMAGE}"));
    let attest = attest(&manner, Reach::default(), IMAGE, "https://slsa.dev/provenance/v1", "/p.json").join(" ");
    let words = words.replacen("sign", "attest", 1);
    assert_eq!(attest, format!("{words} --type=https://slsa.dev/provenance/v1 --predicate=/p.json {IMAGE}"));
}

#[rstest]
#[case(Reach { http: true, insecure: false }, "--allow-http-registry")]
#[case(Reach { http: false, insecure: true }, "--allow-insecure-registry")]
fn registries_without_tls_are_named(#[case] reach: Reach, #[case] flag: &str) {
    let believed = Believed::Key { public: "p".into(), log: false };
    let calls = [
        sign(&manner(THREE, Some("k"), false), reach, IMAGE, false),
        attest(&manner(Generation::Two, Some("k"), false), reach, IMAGE, "t", "p"),
        verify(&believed, reach, IMAGE),
        verify_attestation(&believed, reach, IMAGE, "t"),
    ];
    for call in calls {
        assert_eq!(call.iter().filter(|arg| *arg == flag).count(), 1, "{call:?}");
        assert_eq!(call.last().unwrap(), IMAGE);
    }
}

#[rstest]
#[case::key(Believed::Key { public: "p".into(), log: false }, "verify --key=p --insecure-ignore-tlog=true")]
#[case::logged(Believed::Key { public: "p".into(), log: true }, "verify --key=p")]
#[case::flags(Believed::Flags(vec!["--certificate-identity=me".into()]), "verify --certificate-identity=me")]
#[case::job(Believed::Job(Identity::Exact { subject: "s".into(), issuer: "i".into() }), "verify --certificate-identity=s --certificate-oidc-issuer=i")]
fn belief_has_its_own_words(#[case] believed: Believed, #[case] words: &str) {
    assert_eq!(verify(&believed, Reach::default(), IMAGE).join(" "), format!("{words} {IMAGE}"));
}

#[test]
fn the_public_half_is_asked_for() {
    assert_eq!(public_key("env://K").join(" "), "public-key --key=env://K");
}
