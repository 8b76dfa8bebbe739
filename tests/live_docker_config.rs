//! Docker itself takes the private configuration we write: our login wins over a store that is named in it.
//! Needs the testbed: `eval "$(ci/testbed env)"`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::{Command, Output};

use serde_json::{Value, json};
use stagefreight::credentials::{DockerConfig, Login, Lookup, private_config, write_private};
use stagefreight::secret::Secret;
use support::testbed;

#[allow(clippy::disallowed_methods, reason = "the program under test")]
fn docker_pull(config: &Value, reference: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("docker");
    write_private(&dir, config).unwrap();
    let mut command = Command::new("docker");
    command.env_remove("DOCKER_AUTH_CONFIG").arg("-H").arg(testbed("DOCKER_HOST"));
    command.arg("--config").arg(&dir).args(["pull", "-q", reference]).output().unwrap()
}

#[test]
fn our_login_wins_over_a_credential_store() {
    let host = testbed("TESTBED_REGISTRY_AUTH");
    let login = |secret: &str| Login {
        host: host.clone(),
        user: testbed("TESTBED_REGISTRY_USER"),
        secret: Secret::new(secret),
        source: "test".into(),
    };
    let reference = format!("{host}/registry-tests/no-such-image:v1");
    let right = login(&testbed("TESTBED_REGISTRY_PASS"));
    // A store that is not installed: docker fails if it asks it.
    let existing = json!({"credsStore": "not-installed", "credHelpers": {host.clone(): "not-installed-either"}});

    let said = |config: &Value| String::from_utf8_lossy(&docker_pull(config, &reference).stderr).into_owned();
    // Let in, and then there is nothing: that is what a login looks like without an image.
    let config = private_config(Some(&existing), std::slice::from_ref(&right));
    let answer = said(&config);
    assert!(answer.contains("not found") || answer.contains("manifest unknown"), "{answer}");
    for refused in [private_config(Some(&existing), &[login("wrong")]), json!({})] {
        let answer = said(&refused);
        assert!(answer.contains("unauthorized") || answer.contains("no basic auth"), "{answer}");
    }
    // We read our own hand as docker does.
    let read = DockerConfig::parse(&config.to_string(), "test").unwrap();
    assert_eq!(read.lookup(&host).unwrap(), Lookup::Login(right));
}
