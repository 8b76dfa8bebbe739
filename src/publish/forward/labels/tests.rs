use rstest::rstest;

use super::*;
use crate::image::manifest::Platform;

const COMMIT: &str = "abc1234def5678abc1234def5678abc1234def56";

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn of(sources: &[&[(&str, &str)]]) -> (Option<String>, Option<String>, Vec<&'static str>) {
    let sources: Vec<_> = sources.iter().map(|pairs| labels(pairs)).collect();
    let found = read(&Digest::of(b"x"), &sources);
    (found.revision, found.version, found.unusable)
}

#[rstest]
#[case::lower(COMMIT, true)]
#[case::upper("ABC1234DEF5678ABC1234DEF5678ABC1234DEF56", true)]
#[case::long("abc1234def5678abc1234def5678abc1234def56abc1234def5678abc1234def", true)]
#[case::short("abc1234", false)]
#[case::zeros("0000000000000000000000000000000000000000", false)]
#[case::word("main", false)]
#[case::option("--upload-pack=touch /tmp/x;aaaaaaaaaaaaaa", false)]
#[case::lines("abc1234def5678abc1234def5678abc1234de\n::", false)]
#[case::other_digits("ａbc1234def5678abc1234def5678abc1234de", false)]
fn a_revision_is_a_whole_commit_or_unusable(#[case] text: &str, #[case] usable: bool) {
    let (revision, _, unusable) = of(&[&[(REVISION, text)]]);
    assert_eq!(revision, usable.then(|| text.to_ascii_lowercase()));
    assert_eq!(unusable.is_empty(), usable);
}

#[rstest]
#[case("1.2.3", Some("1.2.3"))]
#[case("v1.2.3-rc.1", Some("1.2.3-rc.1"))]
#[case("1.2.3-dev+abc1234", Some("1.2.3-dev+abc1234"))]
#[case("24.04", None)]
#[case("main", None)]
#[case("1.2.3\n::error::", None)]
#[case("99999999999999999999.0.0", None)]
fn a_version_is_a_semantic_one_or_unusable(#[case] text: &str, #[case] expected: Option<&str>) {
    let (_, version, unusable) = of(&[&[(VERSION, text)]]);
    assert_eq!(version.as_deref(), expected);
    assert_eq!(unusable.is_empty(), expected.is_some());
    assert_eq!(super::version(&format!("1.0.0-{}", "a".repeat(300))), None);
}

#[test]
fn the_first_source_with_a_word_speaks_alone() {
    let other = "1".repeat(40);
    let config: &[(&str, &str)] = &[(VERSION, "1.0.0")];
    let index: &[(&str, &str)] = &[(REVISION, &other), (VERSION, "2.0.0")];
    assert_eq!(
        of(&[config, &[], index]),
        (None, Some("1.0.0".into()), vec![]),
        "never half of one and half of another"
    );
    assert_eq!(of(&[&[("maintainer", "Ada")], index]), (Some(other.clone()), Some("2.0.0".into()), vec![]));
    // A build argument that was not given.
    assert_eq!(of(&[&[(REVISION, ""), (VERSION, " ")], index]).0, Some(other.clone()));
    assert_eq!(of(&[&[], &[]]), (None, None, vec![]));
}

#[test]
fn the_first_platform_is_no_attestation_and_no_index() {
    let child = |media_type: &str, os: &str, annotation: Option<(&str, &str)>| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(os.as_bytes()),
        size: 1,
        urls: Vec::new(),
        annotations: annotation.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        platform: Some(Platform { os: os.to_owned(), architecture: "amd64".to_owned(), variant: None }),
    };
    use crate::image::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
    assert!(is_platform(&child(OCI_MANIFEST, "linux", None)));
    assert!(is_platform(&child(DOCKER_MANIFEST, "windows", None)));
    assert!(is_platform(&Descriptor { platform: None, ..child("", "linux", None) }));
    assert!(!is_platform(&child(OCI_MANIFEST, "unknown", None)));
    assert!(!is_platform(&child(OCI_MANIFEST, "linux", Some(("vnd.docker.reference.type", "attestation-manifest")))));
    assert!(!is_platform(&child(OCI_INDEX, "linux", None)));
    assert!(!is_platform(&child(DOCKER_INDEX, "linux", None)));
}

#[rstest]
#[case(r#"{"config":{"Labels":{"org.opencontainers.image.revision":"x"}}}"#, Some(1))]
#[case(r#"{"config":{"Labels":{"a":7,"b":null,"c":["d"]}}}"#, Some(3))]
#[case(r#"{"config":{"Labels":null}}"#, Some(0))]
#[case(r#"{"config":null}"#, Some(0))]
#[case("{}", Some(0))]
#[case(r#"{"config":{"Labels":[]}}"#, None)]
#[case("<html>", None)]
fn configs_of_all_kinds(#[case] json: &str, #[case] count: Option<usize>) {
    assert_eq!(labels_in(json.as_bytes()).map(|labels| labels.len()), count);
}
