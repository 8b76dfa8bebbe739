//! What `buildx inspect` and `buildx version` really print, by driver and age.

use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn fixture(name: &str) -> BuilderFacts {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/inspect").join(name);
    parse_inspect(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn a_remote_builder() {
    let f = fixture("remote.txt");
    assert_eq!((f.name.as_str(), f.driver.as_str(), f.status.as_str()), ("sf-0bb1f1aa", "remote", "running"));
    assert_eq!((f.endpoint.as_str(), f.buildkit.as_str()), ("tcp://127.0.0.1:1234", "v0.32.2"));
    assert_eq!(f.platforms.first().map(String::as_str), Some("linux/amd64"));
    assert_eq!(f.platforms.len(), 6);
    assert_eq!(f.gc_rules.len(), 4);
    assert_eq!(
        f.gc_rules[0],
        GcRule {
            scope: "source.local, exec.cachemount, source.git.checkout".into(),
            all: false,
            keep_duration: "48h0m0s".into(),
            max_used: "488.3MiB".into(),
            ..GcRule::default()
        }
    );
    assert_eq!(f.gc_rules[1].scope, "general cache");
    assert_eq!(
        f.gc_rules[3],
        GcRule {
            scope: "everything".into(),
            all: true,
            reserved: "9.313GiB".into(),
            max_used: "93.13GiB".into(),
            min_free: "47.5GiB".into(),
            ..GcRule::default()
        }
    );
    assert_eq!(f.raw, None);
}

#[test]
fn the_docker_driver_separates_filters_by_commas() {
    let f = fixture("docker.txt");
    assert_eq!((f.name.as_str(), f.driver.as_str(), f.endpoint.as_str()), ("default", "docker", "default"));
    assert_eq!(f.gc_rules[0].scope, "source.local, exec.cachemount, source.git.checkout");
}

#[test]
fn a_container_builder_prints_its_configuration_too() {
    let f = fixture("container.txt");
    assert_eq!((f.driver.as_str(), f.status.as_str()), ("docker-container", "running"));
    assert_eq!(f.gc_rules.len(), 4);
}

#[test]
fn a_dead_builder_is_inactive() {
    let f = fixture("dead.txt");
    assert_eq!((f.status.as_str(), f.buildkit.as_str()), ("inactive", ""));
    assert!(f.platforms.is_empty() && f.gc_rules.is_empty() && f.raw.is_none());
}

#[test]
fn older_words_and_several_nodes() {
    let f = parse_inspect(
        "Name: b\nDriver: remote\n\nNodes:\nName: b0\nEndpoint: tcp://u:p@h:1/x\nStatus: running\nBuildkit: v0.12.5\n\
         Platforms: linux/amd64*, linux/arm64\nGC Policy rule#0:\n All: true\n Keep Bytes: 9.3GiB\n\
         Name: b1\nEndpoint: tcp://h:2\nStatus: inactive\n",
    );
    assert_eq!((f.endpoint.as_str(), f.status.as_str(), f.buildkit.as_str()), ("tcp://h:1/x", "running", "v0.12.5"));
    assert_eq!(f.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(f.gc_rules[0].reserved, "9.3GiB");
}

#[test]
fn what_is_not_understood_is_kept() {
    let f = parse_inspect("ERROR: no builder \"x\" found\n");
    assert_eq!(f.raw.as_deref(), Some("ERROR: no builder \"x\" found"));
    assert!(parse_inspect(&"x".repeat(1 << 20)).raw.unwrap().len() <= MAX_RAW);
}

#[rstest]
#[case("github.com/docker/buildx v0.13.1 788433953af10f2a698f5c07611dddce2e08c7a0\n", Some("0.13.1"))]
#[case("github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4\n", Some("0.29.1+ds1"))]
#[case("github.com/docker/buildx v0.13.0-rc2 ab\n", Some("0.13.0-rc2"))]
#[case("github.com/docker/buildx 1.0.0~rc1 ab\n", Some("1.0.0-rc1"))]
#[case("github.com/docker/buildx v0.12.1 30feaa1\n", None)]
#[case("", None)]
#[case("docker: 'buildx' is not a docker command.\n", None)]
fn versions(#[case] text: &str, #[case] want: Option<&str>) {
    assert_eq!(parse_version(text).ok().map(|v| v.to_string()).as_deref(), want, "{text}");
}

#[test]
fn a_buildx_too_old_says_what_is_needed() {
    let error = parse_version("github.com/docker/buildx v0.12.1 30feaa1").unwrap_err();
    assert_eq!(error.to_string(), "buildx 0.12.1 is too old: 0.13.0 or newer is needed");
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "([A-Za-z #]{0,12}:? ?[^\n]{0,30}\n?){0,12}") {
        parse_inspect(&text);
        let _ = parse_version(&text);
    }
}
