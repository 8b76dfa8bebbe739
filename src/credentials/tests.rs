use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use serde_json::json;

use super::*;

fn vars(pairs: &[(&str, &str)]) -> Vars {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn login(host: &str, user: &str, secret: &str) -> Login {
    Login { host: host.into(), user: user.into(), secret: Secret::new(secret), source: "test".into() }
}

#[rstest]
#[case::token(&[("R_USER", "bot"), ("R_TOKEN", "t"), ("R_PASS", "p")], "t", "R_USER and R_TOKEN", false)]
#[case::pass(&[("R_USER", "bot"), ("R_PASS", "p"), ("R_PASSWORD", "w")], "p", "R_USER and R_PASS", true)]
#[case::password(&[("R_USER", "bot"), ("R_TOKEN", ""), ("R_PASSWORD", "w")], "w", "R_USER and R_PASSWORD", true)]
fn a_prefix_finds_its_login(
    #[case] set: &[(&str, &str)],
    #[case] secret: &str,
    #[case] source: &str,
    #[case] advised: bool,
) {
    let found = from_prefix(&vars(set), "R", "reg.example.com").unwrap();
    assert_eq!(found.login.secret.reveal(), secret);
    assert_eq!((found.login.user.as_str(), found.login.source.as_str()), ("bot", source));
    assert_eq!(found.note.is_some(), advised);
    assert!(!format!("{found:?}").contains(&format!("\"{secret}\"")));
}

#[test]
fn what_is_missing_is_named() {
    let what = |set: &[(&str, &str)]| from_prefix(&vars(set), "R", "reg.example.com").unwrap_err().what;
    insta::assert_snapshot!(what(&[]), @"the login to reg.example.com needs R_USER and R_TOKEN (or R_PASS, or R_PASSWORD), and none of them is set");
    insta::assert_snapshot!(what(&[("R_USER", "bot"), ("R_TOKEN", "")]), @"R_USER is set, but none of R_TOKEN, R_PASS and R_PASSWORD is: the login to reg.example.com needs one");
    insta::assert_snapshot!(what(&[("R_PASS", "hunter2")]), @"R_PASS is set, but R_USER is not: the login to reg.example.com needs both");
}

#[rstest]
#[case::auth(json!({"auths": {"r.example.com": {"auth": "Ym90OmE6Yg=="}}}), "bot", "a:b")]
#[case::url(json!({"auths": {"https://r.example.com/v2/": {"auth": "Ym90OmE6Yg=="}}}), "bot", "a:b")]
#[case::fields(json!({"auths": {"r.example.com": {"username": "u", "password": "p"}}}), "u", "p")]
#[case::token(json!({"auths": {"r.example.com": {"auth": "Ym90Og==", "identitytoken": "id"}}}), "<token>", "id")]
#[case::no_helper_here(
    json!({"auths": {"r.example.com": {"auth": "Ym90OnA="}}, "credsStore": "desktop", "credHelpers": {"r.example.com": ""}}),
    "bot",
    "p"
)]
fn a_docker_config_gives_its_login(#[case] config: serde_json::Value, #[case] user: &str, #[case] secret: &str) {
    let config = DockerConfig::parse(&config.to_string(), "config.json").unwrap();
    match config.lookup("r.example.com").unwrap() {
        Lookup::Login(login) => assert_eq!((login.user.as_str(), login.secret.reveal()), (user, secret)),
        other => panic!("{other:?}"),
    }
    assert_eq!(config.lookup("r.example.com:5000").unwrap().clone(), lookup_elsewhere(&config));
    assert!(!format!("{config:?}").contains("auth"));
}

/// A host that differs by its port alone is another registry: it gets the store for all, if there is one.
fn lookup_elsewhere(config: &DockerConfig) -> Lookup {
    match config.value().get("credsStore") {
        Some(_) => Lookup::Helper { program: "docker-credential-desktop".into(), key: "r.example.com:5000".into() },
        None => Lookup::None,
    }
}

#[test]
fn docker_hub_goes_by_many_names() {
    for key in ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "https://registry-1.docker.io/v2/"] {
        let config = json!({"auths": {key: {"auth": "Ym90OnA="}}}).to_string();
        let config = DockerConfig::parse(&config, "x").unwrap();
        assert!(matches!(config.lookup("docker.io").unwrap(), Lookup::Login(_)), "{key}");
    }
    let store = DockerConfig::parse(r#"{"credsStore":"pass"}"#, "x").unwrap();
    let expected =
        Lookup::Helper { program: "docker-credential-pass".into(), key: "https://index.docker.io/v1/".into() };
    assert_eq!(store.lookup("docker.io").unwrap(), expected);
}

#[rstest]
#[case::not_json("{", "it is not JSON")]
#[case::a_list("[]", "not a JSON object")]
#[case::a_password("{\"auths\": hunter2}", "line 1")]
fn a_broken_docker_config_is_no_anonymous_push(#[case] text: &str, #[case] says: &str) {
    let problem = DockerConfig::parse(text, "/root/.docker/config.json").unwrap_err();
    assert!(problem.what.contains(says), "{}", problem.what);
    assert!(!format!("{problem:?}").contains("hunter2"));
}

#[test]
fn odd_docker_configs_are_borne() {
    for text in ["", "\u{feff}{}", "{\"auths\":null}", "{\"auths\":[1]}", "{\"credHelpers\":{\"h\":7}}"] {
        assert_eq!(DockerConfig::parse(text, "x").unwrap().lookup("h").unwrap(), Lookup::None, "{text}");
    }
    for text in
        [r#"{"auths":{"h":{"auth":"%%%"}}}"#, r#"{"auths":{"h":{"auth":"YQ=="}}}"#, r#"{"credsStore":"../../bin/sh"}"#]
    {
        assert!(DockerConfig::parse(text, "x").unwrap().lookup("h").is_err(), "{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(DockerConfig::read(dir.path()).unwrap().is_none());
    std::fs::write(dir.path().join("config.json"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(DockerConfig::read(dir.path()).is_err());
}

#[test]
fn helpers_are_understood() {
    let answer = |ok, out: &str| helper_answer("h", "docker-credential-x", ok, out.as_bytes());
    let found = answer(true, r#"{"ServerURL":"h","Username":"u","Secret":"s"}"#).unwrap().unwrap();
    assert_eq!((found.user.as_str(), found.secret.reveal()), ("u", "s"));
    assert!(answer(true, r#"{"Username":"<token>","Secret":"s"}"#).unwrap().unwrap().is_identity_token());
    assert_eq!(answer(false, "credentials not found in native keychain\n").unwrap(), None);
    assert_eq!(answer(true, "{}").unwrap(), None);
    for (ok, out) in [(true, "hunter2"), (false, "hunter2"), (false, "")] {
        assert!(!format!("{:?}", answer(ok, out).unwrap_err()).contains("hunter2"));
    }
}

#[test]
fn our_logins_lie_on_top_of_what_was_there() {
    let existing = json!({
        "auths": {"other.example.com": {"auth": "eDp5"}, "https://r.example.com/v1/": {"auth": "b2xkOm9sZA=="}},
        "credsStore": "desktop",
        "credHelpers": {"gcr.example.com": "gcloud", "r.example.com": "ecr-login"},
        "HttpHeaders": {"X-Meta": "1"},
        "proxies": {"default": {"httpProxy": "http://p:3128"}},
        "currentContext": "remote",
        "plugins": {"x": {}},
    });
    let ours = [login("r.example.com", "bot", "s"), login("docker.io", "hub", "h")];
    let expected = json!({
        "auths": {
            "other.example.com": {"auth": "eDp5"},
            "r.example.com": {"auth": "Ym90OnM="},
            "https://index.docker.io/v1/": {"auth": "aHViOmg="},
        },
        "credsStore": "desktop",
        "credHelpers": {"gcr.example.com": "gcloud", "r.example.com": "", "https://index.docker.io/v1/": ""},
        "HttpHeaders": {"X-Meta": "1"},
        "proxies": {"default": {"httpProxy": "http://p:3128"}},
    });
    assert_eq!(private_config(Some(&existing), &ours), expected);
}

#[test]
fn without_helpers_there_are_none() {
    let config = private_config(None, &[login("localhost:5002", "u", "p:w"), login("acr.example.com", "<token>", "t")]);
    let expected =
        json!({"auths": {"localhost:5002": {"auth": "dTpwOnc="}, "acr.example.com": {"identitytoken": "t"}}});
    assert_eq!(config, expected);
    // What is written is read back as the same logins.
    let read = DockerConfig::parse(&config.to_string(), "test").unwrap();
    assert_eq!(read.lookup("localhost:5002").unwrap(), Lookup::Login(login("localhost:5002", "u", "p:w")));
}

#[test]
fn the_private_file_is_private_and_never_written_through_a_link() {
    let root = tempfile::tempdir().unwrap();
    let (dir, victim) = (root.path().join("docker"), root.path().join("victim"));
    std::fs::write(&victim, "mine").unwrap();
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink(&victim, dir.join("config.json.new")).unwrap();
    std::os::unix::fs::symlink(&victim, dir.join("config.json")).unwrap();

    write_private(&dir, &json!({"auths": {}})).unwrap();
    let mode = |path: &std::path::Path| path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&dir), mode(&dir.join("config.json"))), (0o700, 0o600));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
    write_private(&dir, &json!({"auths": {"a": {}}})).unwrap();
    assert!(std::fs::read_to_string(dir.join("config.json")).unwrap().contains("\"a\""));
}
