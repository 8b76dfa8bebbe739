use reqwest::header::{HeaderName, HeaderValue};
use rstest::rstest;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn bytes_decide_what_was_got() {
    let bytes = b"{}";
    let (right, wrong) = (Digest::of(bytes), Digest::of(b"[]"));
    let tag: Tag = "v1".parse().unwrap();
    let claim = |digest: &Digest| headers(&[("docker-content-digest", digest.as_str())]);
    assert!(check_digest(&claim(&right), (&right).into(), bytes).is_ok());
    assert!(check_digest(&headers(&[]), (&tag).into(), bytes).is_ok());
    assert!(check_digest(&headers(&[]), (&wrong).into(), bytes).is_err());
    assert!(check_digest(&claim(&wrong), (&tag).into(), bytes).is_err());
    // Nothing here can recompute it, so it says nothing.
    assert!(check_digest(&headers(&[("docker-content-digest", "sha512:00")]), (&tag).into(), bytes).is_ok());
}

#[rstest]
#[case("application/vnd.oci.image.index.v1+json; charset=utf-8", "application/vnd.oci.image.index.v1+json")]
#[case("application/json", "")]
#[case("text/plain; charset=utf-8", "")]
fn generic_types_say_nothing(#[case] given: &str, #[case] read: &str) {
    assert_eq!(media_type(&headers(&[("content-type", given)])), read);
}

#[test]
fn a_login_is_for_its_own_host() {
    let clients = Clients::new(crate::http::HttpSettings::default());
    let registry = Registry::new("r.example.com", None, &HostSettings::default(), clients).unwrap();
    let other: Repository = "evil.example.com/a".parse().unwrap();
    let attempt = registry.attempt(&other, "reading".into());
    assert!(matches!(registry.url(&attempt, &other, "x").unwrap_err().fault, Fault::Local(_)));
}
