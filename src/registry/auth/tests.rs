use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn bearer(realm: &str, service: &str, scope: &str) -> Option<Challenge> {
    Some(Challenge::Bearer { realm: realm.into(), service: service.into(), scope: scope.into() })
}

fn login(user: &str) -> Login {
    Login { host: "r".into(), user: user.into(), secret: Secret::new("s:e c"), source: "test".into() }
}

#[rstest]
#[case::none(&[], None)]
#[case::basic(&["Basic realm=\"Registry\""], Some(Challenge::Basic))]
#[case::bare(&["basic"], Some(Challenge::Basic))]
#[case::hub(
    &["Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\""],
    bearer("https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push")
)]
#[case::unquoted(&["bearer REALM=https://a/t , Service=x"], bearer("https://a/t", "x", ""))]
#[case::escaped(&["Bearer realm=\"https://a/\\\"t\", error=\"insufficient_scope\""], bearer("https://a/\"t", "", ""))]
#[case::both_in_one(&["Basic realm=\"x\", Bearer realm=\"https://a/t\""], bearer("https://a/t", "", ""))]
#[case::both_in_two(&["Basic realm=\"x\"", "Bearer realm=\"https://a/t\""], bearer("https://a/t", "", ""))]
#[case::no_realm(&["Bearer service=\"x\""], None)]
#[case::other(&["Negotiate", "Digest realm=\"x\""], None)]
#[case::open_quote(&["Bearer realm=\"https://a/t"], bearer("https://a/t", "", ""))]
fn challenges_are_read(#[case] headers: &[&str], #[case] expected: Option<Challenge>) {
    assert_eq!(Challenge::read(headers.iter().copied()), expected);
}

proptest! {
    #[test]
    fn any_header_is_borne(header in "[ -~\\t]{0,300}") {
        let _ = Challenge::read([header.as_str()].into_iter());
    }

    #[test]
    fn a_written_challenge_is_read_back(realm in "[!-~]{1,60}", scope in "[ -~]{0,60}") {
        let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let header = format!("Bearer realm=\"{}\",scope=\"{}\"", quote(&realm), quote(&scope));
        prop_assert_eq!(Challenge::read([header.as_str()].into_iter()), bearer(&realm, "", &scope));
    }
}

#[test]
fn a_token_is_asked_for_once_per_scope_with_the_login_in_a_header() {
    let user = login("bot");
    let scopes = ["repository:a/b:pull,push", "repository:a/b:pull,push repository:c:pull"];
    let request = token_request("https://auth.example.com/token?x=1", "reg", &scopes, Some(&user), false).unwrap();
    assert_eq!(
        request.url.as_str(),
        "https://auth.example.com/token?x=1&service=reg&scope=repository%3Aa%2Fb%3Apull%2Cpush\
         &scope=repository%3Ac%3Apull&account=bot"
    );
    assert_eq!(request.authorization.unwrap().reveal(), "Basic Ym90OnM6ZSBj");
    assert!(request.form.is_none());
}

#[test]
fn an_identity_token_goes_into_a_form_and_into_no_address() {
    let request = token_request("https://a/t", "reg", &["s"], Some(&login("<token>")), false).unwrap();
    assert_eq!(request.url.as_str(), "https://a/t");
    assert!(request.authorization.is_none());
    let form = request.form.unwrap();
    assert!(form.reveal().contains("grant_type=refresh_token&service=reg&client_id=stagefreight&scope=s"));
    assert!(form.reveal().ends_with("refresh_token=s%3Ae+c"));
}

#[test]
fn a_login_never_goes_out_in_the_clear() {
    for realm in ["http://auth.example.com/token", "ftp://a/", "file:///etc/passwd", "/token", ""] {
        assert!(token_request(realm, "", &[], Some(&login("bot")), false).is_err(), "{realm}");
    }
    assert!(token_request("http://localhost:5001/token", "", &[], None, true).is_ok());
}

#[rstest]
#[case(r#"{"token":"a","access_token":"b","expires_in":300}"#, Some(("a", 290)))]
#[case(r#"{"access_token":"b"}"#, Some(("b", 50)))]
#[case(r#"{"token":"a","expires_in":1}"#, Some(("a", 5)))]
#[case(r#"{"token":"a","expires_in":99999999}"#, Some(("a", 3590)))]
#[case(r#"{"token":""}"#, None)]
#[case(r#"{"token":"a\nb"}"#, None)]
#[case("not json", None)]
fn a_token_is_kept_a_little_shorter_than_it_lives(#[case] body: &str, #[case] expected: Option<(&str, u64)>) {
    let found = token_answer(body.as_bytes()).ok();
    assert_eq!(found.as_ref().map(|(token, life)| (token.reveal(), life.as_secs())), expected);
}

#[test]
fn tokens_are_kept_by_scope_until_they_expire() {
    let mut known = Known::default();
    assert_eq!(known.header(Some(&login("bot")), "a"), None);
    known.keep("a", Secret::new("t"), Duration::from_secs(50));
    known.keep("old", Secret::new("t"), Duration::ZERO);
    assert_eq!(known.header(None, "a").unwrap().reveal(), "Bearer t");
    assert_eq!(known.header(None, "b"), None);
    assert_eq!(known.header(None, "old"), None);
    known.use_basic();
    assert_eq!(known.header(Some(&login("bot")), "b").unwrap().reveal(), "Basic Ym90OnM6ZSBj");
    assert_eq!(known.header(None, "b"), None);
}
