use super::*;
use rstest::rstest;

fn vars(pairs: &[(&str, &str)]) -> Vars {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn context(forge: ForgeKind, server: &str) -> CiContext {
    let mut context = crate::report::fixtures::context(forge);
    context.server_url = Some(server.to_owned());
    context.repository = Some("acme/app".to_owned());
    context
}

fn look(key: Option<&str>, pairs: &[(&str, &str)]) -> (tempfile::TempDir, Result<Option<Source>, Problem>) {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join(".stagefreight")).unwrap();
    for name in [FILE, "team.key"] {
        std::fs::write(root.path().join(name), "key").unwrap();
    }
    let sign = Sign { key: key.map(str::to_owned), ..Sign::default() };
    let found = find(&sign, &vars(pairs), root.path(), &context(ForgeKind::Local, ""));
    (root, found)
}

const PEM: &str = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJr\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----";

#[test]
fn keys_are_looked_for_in_one_order() {
    let file = |found: Result<Option<Source>, Problem>| match found.unwrap() {
        Some(Source::File { path, named }) => (path.file_name().unwrap().to_str().unwrap().to_owned(), named),
        other => panic!("{other:?}"),
    };
    let (_root, found) = look(Some("team.key"), &[(VARIABLE, ".stagefreight/cosign.key")]);
    assert_eq!(file(found), ("team.key".into(), "the key in sign.key".into()));
    let (_root, found) = look(None, &[(VARIABLE, "team.key")]);
    assert_eq!(file(found), ("team.key".into(), "the key in COSIGN_KEY".into()));
    let (_root, found) = look(None, &[(VARIABLE, "")]);
    assert_eq!(file(found), ("cosign.key".into(), "the key in .stagefreight/cosign.key".into()));
    let empty = tempfile::tempdir().unwrap();
    let none = find(&Sign::default(), &vars(&[]), empty.path(), &context(ForgeKind::Local, ""));
    assert_eq!(none.unwrap(), None);
}

#[rstest]
#[case("awskms:///alias/x", "the key in awskms that COSIGN_KEY names")]
#[case("hashivault://signing", "the key in hashivault that COSIGN_KEY names")]
#[case("pkcs11:token=x;object=y", "the key in pkcs11 that COSIGN_KEY names")]
#[case("env://SIGNING", "the key in the variable SIGNING")]
fn addresses_are_handed_on(#[case] uri: &str, #[case] named: &str) {
    let (_root, found) = look(None, &[(VARIABLE, uri), ("SIGNING", PEM)]);
    assert_eq!(found.unwrap(), Some(Source::Address { uri: uri.into(), named: named.into() }));
}

#[test]
fn the_text_of_a_key_is_a_secret() {
    let (_root, found) = look(None, &[(VARIABLE, &format!("  {PEM}\n\n"))]);
    let found = found.unwrap().unwrap();
    assert_eq!(found, Source::Text { pem: Secret::new(format!("{PEM}\n")), named: "the key in COSIGN_KEY".into() });
    assert!(!format!("{found:?}").contains("eyJr"));
}

#[rstest]
#[case("env://NO_SUCH", "names the variable NO_SUCH, and it is not set")]
#[case("no/such.key", "no/such.key is not a file")]
#[case("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "no private key")]
#[case("eyJrZGYi\nsecretline", "a value that is no path is not a file")]
fn a_key_that_is_named_and_not_there_is_a_mistake(#[case] key: &str, #[case] what: &str) {
    let (_root, found) = look(Some(key), &[]);
    let problem = found.unwrap_err();
    assert!(problem.what.contains(what), "{problem:?}");
    assert!(!problem.what.contains("secretline") && problem.hint.is_some());
}

#[test]
fn jobs_are_known_by_their_tokens() {
    let github = [("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x"), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")];
    let found = identity(&vars(&github), &context(ForgeKind::GitHub, "https://github.com"));
    let ours = Identity::GitHub { repository: "acme/app".into() };
    assert_eq!(found.as_ref(), Some(&ours));
    insta::assert_debug_snapshot!(ours.args(), @r#"
    [
        "--certificate-identity-regexp=.*",
        "--certificate-oidc-issuer=https://token.actions.githubusercontent.com",
        "--certificate-github-workflow-repository=acme/app",
    ]
    "#);
    // Without `id-token: write`, on an enterprise server, on another forge: nothing the public authority takes.
    assert_eq!(identity(&vars(&github[..1]), &context(ForgeKind::GitHub, "https://github.com")), None);
    assert_eq!(identity(&vars(&github), &context(ForgeKind::GitHub, "https://ghes.example.org")), None);
    assert_eq!(identity(&vars(&github), &context(ForgeKind::Forgejo, "https://codeberg.org")), None);

    let claims =
        r#"{"iss":"https://gitlab.com","ci_config_ref_uri":"gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main"}"#;
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    let found =
        identity(&vars(&[("SIGSTORE_ID_TOKEN", &token)]), &context(ForgeKind::GitLab, "https://gitlab.com")).unwrap();
    insta::assert_debug_snapshot!(found.args(), @r#"
    [
        "--certificate-identity=https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main",
        "--certificate-oidc-issuer=https://gitlab.com",
    ]
    "#);
    for broken in ["", "x", "a.b.c", "a.e30.c", &format!("a.{}.c", URL_SAFE_NO_PAD.encode("{\"iss\":1}"))] {
        assert_eq!(gitlab(broken), None, "{broken}");
    }
}
