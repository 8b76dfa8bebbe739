use rstest::rstest;

use super::*;

fn fault(status: u16, body: &str) -> Fault {
    Fault::from_answer(StatusCode::from_u16(status).unwrap(), Some(Duration::from_secs(7)), body.as_bytes())
}

fn spec(code: &str, message: &str) -> String {
    serde_json::json!({"errors": [{"code": code, "message": message}, {"code": "SECOND"}]}).to_string()
}

#[rstest]
#[case(
    401,
    spec("UNAUTHORIZED", "authentication required"),
    "the registry wants a login (UNAUTHORIZED: authentication required)",
    false
)]
#[case(
    403,
    spec("DENIED", "requested access is denied"),
    "the registry does not allow it (DENIED: requested access is denied)",
    false
)]
#[case(403, "<html>blocked</html>".into(), "the registry does not allow it (Forbidden)", false)]
#[case(404, spec("NAME_UNKNOWN", "x"), "no such repository", false)]
#[case(404, spec("MANIFEST_UNKNOWN", "x"), "not found", false)]
#[case(404, String::new(), "not found", false)]
#[case(405, spec("UNSUPPORTED", ""), "the registry does not support it (UNSUPPORTED)", false)]
#[case(400, spec("UNSUPPORTED", "no"), "the registry does not support it (UNSUPPORTED: no)", false)]
#[case(
    400,
    spec("DIGEST_INVALID", "no match"),
    "the registry refused with status 400 (DIGEST_INVALID: no match)",
    false
)]
#[case(400, r#"{"errors":[{"code":"DIGEST_INVALID"},{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown","detail":{"digest":"x"}}]}"#.into(), "the registry does not find a part of it (MANIFEST_BLOB_UNKNOWN: blob unknown {\"digest\":\"x\"})", true)]
#[case(404, spec("MANIFEST_BLOB_UNKNOWN", ""), "the registry does not find a part of it (MANIFEST_BLOB_UNKNOWN)", true)]
#[case(400, r#"{"details":"incorrect username or password"}"#.into(), "the registry refused with status 400 (incorrect username or password)", false)]
#[case(
    403,
    spec("DENIED", "Quota has been exceeded on namespace"),
    "the quota is used up (DENIED: Quota has been exceeded on namespace)",
    false
)]
#[case(
    412,
    spec("PRECONDITION", "it will exceed the configured upper limit of 1.0 GiB"),
    "the quota is used up (PRECONDITION: it will exceed the configured upper limit of 1.0 GiB)",
    false
)]
#[case(507, String::new(), "the quota is used up (Insufficient Storage)", false)]
#[case(
    429,
    spec("TOOMANYREQUESTS", "quota exceeded for requests per minute"),
    "the registry is refusing requests for now: too many came from here",
    true
)]
#[case(
    500,
    spec("UNKNOWN", "quota service down"),
    "the registry failed with status 500 (UNKNOWN: quota service down)",
    true
)]
#[case(413, "<html>".into(), "too large: Payload Too Large", false)]
#[case(429, String::new(), "the registry is refusing requests for now: too many came from here", true)]
#[case(403, spec("TOOMANYREQUESTS", ""), "the registry is refusing requests for now: too many came from here", true)]
#[case(408, String::new(), "the connection broke (the registry gave up waiting, status 408)", true)]
#[case(500, "boom".into(), "the registry failed with status 500 (boom)", true)]
#[case(501, String::new(), "the registry failed with status 501 (Not Implemented)", false)]
#[case(503, String::new(), "the registry failed with status 503 (Service Unavailable)", true)]
#[case(307, String::new(), "the registry answered wrongly: unexpected status 307", false)]
fn answers_are_told_apart(#[case] status: u16, #[case] body: String, #[case] says: &str, #[case] transient: bool) {
    let fault = fault(status, &body);
    assert_eq!((fault.to_string().as_str(), fault.is_transient()), (says, transient));
}

#[test]
fn a_registrys_words_cannot_steer_a_terminal_or_fill_it() {
    let body = spec("\u{1b}[2J\r\n::error::", &format!("a\u{7}\nb\t{}", "c".repeat(5000)));
    let text = fault(400, &body).to_string();
    assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
    assert!(text.len() < 320, "{}", text.len());
}

#[test]
fn only_faults_that_may_pass_are_transient() {
    for fault in [
        Fault::NotFound,
        Fault::NameUnknown,
        Fault::Refused,
        Fault::Dns(String::new()),
        Fault::Tls(String::new()),
        Fault::Unreachable(String::new()),
        Fault::Protocol(String::new()),
        Fault::Local(String::new()),
    ] {
        assert!(!fault.is_transient(), "{fault:?}");
    }
    assert!(Fault::Timeout(Duration::ZERO).is_transient() && Fault::Broken(String::new()).is_transient());
}

#[test]
fn a_person_reads_what_where_and_the_cure() {
    let problem = |fault: Fault, login: Option<&str>| {
        let attempt = Attempt {
            registry: "reg.example.com".into(),
            repository: "team/app".into(),
            doing: "writing manifest v1 to".into(),
            login: login.map(str::to_owned),
            needs: None,
        };
        let problem = RegistryError { attempt: Box::new(attempt), fault }.problem();
        format!("{}\n→ {}", problem.what, problem.hint.unwrap())
    };
    insta::assert_snapshot!(problem(Fault::Unauthorized("UNAUTHORIZED: authentication required".into()), Some("REG_USER and REG_TOKEN")), @"
    writing manifest v1 to reg.example.com/team/app: the registry wants a login (UNAUTHORIZED: authentication required)
    → Check that the login from REG_USER and REG_TOKEN is valid, has not expired, and has access to team/app.
    ");
    insta::assert_snapshot!(problem(Fault::Unauthorized("Unauthorized".into()), None), @"
    writing manifest v1 to reg.example.com/team/app: the registry wants a login (Unauthorized)
    → Give a login for reg.example.com: set `credentials:` of the target, or log in before.
    ");
    insta::assert_snapshot!(problem(Fault::Quota("DENIED: quota exceeded".into()), None), @"
    writing manifest v1 to reg.example.com/team/app: the quota is used up (DENIED: quota exceeded)
    → Delete what is no longer needed (`retention` of the target does that in every run), or raise the quota at reg.example.com.
    ");
    insta::assert_snapshot!(problem(Fault::Refused, None), @"
    writing manifest v1 to reg.example.com/team/app: connection refused
    → Check host and port, and that reg.example.com is running.
    ");
    insta::assert_snapshot!(problem(Fault::Tls("invalid peer certificate: UnknownIssuer".into()), None), @"
    writing manifest v1 to reg.example.com/team/app: no trusted TLS connection (invalid peer certificate: UnknownIssuer)
    → For a private CA give its certificate in `registries: reg.example.com: ca:`; for plain http say `http: true` there.
    ");
}
