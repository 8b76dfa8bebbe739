use super::*;
use rstest::rstest;

#[rstest]
#[case::released_2("v2.5.3", "--tlog-upload=true", Generation::Two, "2.5.3")]
#[case::two_that_knows_configurations(
    "v2.6.1",
    "--use-signing-config=false --trusted-root=''",
    Generation::Two,
    "2.6.1"
)]
#[case::released_3("v3.0.2", "--use-signing-config=true", Generation::Three { trusted_root: false }, "3.0.2")]
#[case::later("v4.0.0", "--trusted-root=''", Generation::Three { trusted_root: true }, "4.0.0")]
#[case::debian_2("devel", "--tlog-upload=true:", Generation::Two, "2")]
#[case::debian_3("devel", "--use-signing-config=true:\n --trusted-root='':", Generation::Three { trusted_root: true }, "3")]
fn generations_are_told_apart(
    #[case] version: &str,
    #[case] help: &str,
    #[case] generation: Generation,
    #[case] shown: &str,
) {
    let said = format!(r#"{{"gitVersion": "{version}", "platform": "linux/amd64"}}"#);
    assert_eq!(which(said.as_bytes(), help).unwrap(), (generation, shown.to_owned()));
}

#[test]
fn the_first_generation_is_refused() {
    assert!(which(br#"{"gitVersion":"v1.13.1"}"#, "").unwrap_err().what.contains("1.13.1 is too old"));
    // What says nothing at all is told by what it knows.
    assert_eq!(which(b"no json", "").unwrap().0, Generation::Two);
}

#[test]
fn it_gets_the_password_the_proxies_and_one_login_only() {
    let parent = tempfile::tempdir().unwrap();
    let run = RunDir::create(parent.path()).unwrap();
    let pairs = [
        ("PATH", "/bin"),
        ("HOME", "/home/u"),
        ("AWS_REGION", "r"),
        ("COSIGN_PASSWORD", "pw"),
        ("COSIGN_KEY", "-----BEGIN"),
        ("COSIGN_REPOSITORY", "elsewhere"),
        ("DOCKER_CONFIG", "/home/u/.docker"),
        ("DOCKER_AUTH_CONFIG", "{}"),
        ("INPUT_SECRETS", "x"),
        ("https_proxy", "http://old"),
    ];
    let vars: Vars = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let proxy = ProxySettings { https: Some("http://new".into()), ..ProxySettings::default() };
    let more = [("SSL_CERT_FILE".to_owned(), "/ca.pem".to_owned())];
    let env = environment(Place { vars: &vars, run: &run, cwd: parent.path(), proxy: &proxy, more: &more });
    let names: Vec<_> = env.keys().map(String::as_str).collect();
    let expected =
        ["AWS_REGION", "COSIGN_PASSWORD", "DOCKER_CONFIG", "HOME", "HTTPS_PROXY", "PATH", "SSL_CERT_FILE", "TUF_ROOT"];
    assert_eq!(names, expected);
    assert_eq!(env["COSIGN_PASSWORD"], "pw");
    assert!(env["DOCKER_CONFIG"].starts_with(parent.path().to_str().unwrap()));
    let none = environment(Place { vars: &Vars::default(), run: &run, cwd: parent.path(), proxy: &proxy, more: &[] });
    assert_eq!(none["COSIGN_PASSWORD"], "", "set, or it is asked for on a terminal");
}
