//! Real metadata files, and ones that must not pass for a publication.

use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn fixture(name: &str) -> Metadata {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/metadata").join(name);
    parse(&std::fs::read(path).unwrap()).unwrap()
}

fn planned(names: &[&str]) -> Vec<(Repository, Option<Tag>)> {
    names.iter().map(|n| parse_tagged(n).unwrap()).collect()
}

fn of(value: &Value) -> Metadata {
    parse(value.to_string().as_bytes()).unwrap()
}

const DIGEST: &str = "sha256:aabee8fbdaa82dce95b466ccfb98a1d4eb852898942df046fe3d938d45f80523";

#[test]
fn a_push_by_tag_is_read() {
    let m = fixture("cached.json");
    assert_eq!(m.digest.as_ref().map(Digest::as_str), Some(DIGEST));
    assert_eq!(m.config_digest, None);
    let descriptor = m.descriptor.as_ref().unwrap();
    assert_eq!((descriptor.media_type.as_str(), descriptor.size), ("application/vnd.oci.image.index.v1+json", 856));
    assert!(m.build_ref.contains('/'));
    let names: Vec<&str> = m.materials.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["docker.io/library/busybox:latest", "docker.io/library/debian:bookworm-slim"]);
    assert_eq!(m.materials[0].platform.as_deref(), Some("linux/amd64"));
    assert!(m.materials.iter().all(|m| m.digest.is_some()));

    let plan = planned(&["localhost:5000/progress/multi:2", "localhost:5000/progress/multi:1"]);
    let published = parse_buildx_published(&m, &plan).unwrap();
    let refs: Vec<String> = published.iter().map(|p| full(&p.repository, p.tag.as_ref())).collect();
    assert_eq!(refs, ["localhost:5000/progress/multi:1", "localhost:5000/progress/multi:2"]);
    assert!(published.iter().all(|p| p.digest.as_str() == DIGEST));
}

#[test]
fn a_push_by_digest_is_read() {
    let published =
        parse_buildx_published(&fixture("multi.json"), &planned(&["localhost:5000/progress/multi"])).unwrap();
    assert_eq!(published[0].tag, None);
}

#[test]
fn a_load_gives_the_config_digest() {
    let m = fixture("docker.json");
    assert_eq!(m.digest, m.config_digest);
    assert_eq!(m.descriptor, None);
    assert_eq!(m.image_names, ["docker.io/library/progress:dev"]);
}

#[test]
fn a_build_without_output_has_no_digest_and_materials_of_each_platform() {
    let m = fixture("platforms.json");
    assert!(matches!(parse_buildx_published(&m, &[]), Err(MetadataError::NoDigest)));
    assert_eq!(m.materials.len(), 2);
}

#[rstest]
#[case::one_missing(&["a.example/x:1"], "a.example/x:1,a.example/x:2", "the build pushed other names than planned; not planned: a.example/x:2")]
#[case::one_more(&["a.example/x:1", "a.example/x:2"], "a.example/x:1", "the build pushed other names than planned; missing: a.example/x:2")]
#[case::another(&["a.example/x:1"], "a.example/y:1", "the build pushed other names than planned; missing: a.example/x:1; not planned: a.example/y:1")]
#[case::tag_for_no_tag(&["a.example/x"], "a.example/x:1", "the build pushed other names than planned; missing: a.example/x; not planned: a.example/x:1")]
#[case::other_digest(&["a.example/x"], "a.example/x@sha256:00", "the build pushed other names than planned; missing: a.example/x; not planned: a.example/x@sha256:00")]
#[case::illegal(&["a.example/x"], "a.example/x,//", "the build pushed other names than planned; not planned: //")]
#[case::none(&["a.example/x"], "", "buildx's metadata file names no image: nothing was pushed under a name")]
fn what_was_pushed_must_be_what_was_planned(#[case] plan: &[&str], #[case] names: &str, #[case] error: &str) {
    let m = of(&json!({"containerimage.digest": DIGEST, "image.name": names}));
    assert_eq!(parse_buildx_published(&m, &planned(plan)).unwrap_err().to_string(), error);
}

#[test]
fn canonical_and_repeated_names_are_understood() {
    let names = format!("a.example/x@{DIGEST}, a.example/x,app:1");
    let m = of(&json!({"containerimage.digest": DIGEST, "image.name": names}));
    assert_eq!(parse_buildx_published(&m, &planned(&["a.example/x", "docker.io/library/app:1"])).unwrap().len(), 2);
}

#[rstest]
#[case(b"", "is not a JSON object")]
#[case(b"[]", "is not a JSON object: []")]
#[case(
    b"{\"containerimage.digest\": 7}",
    "`containerimage.digest` in buildx's metadata file is not what it should be: 7"
)]
#[case(b"{\"containerimage.digest\": \"sha256:zz\"}", "is not what it should be: \"sha256:zz\"")]
#[case(b"{\"containerimage.descriptor\": {}}", "`containerimage.descriptor`")]
#[case(b"{\"image.name\": [\"a\"]}", "`image.name`")]
fn what_is_no_metadata_is_refused(#[case] bytes: &[u8], #[case] error: &str) {
    let got = parse(bytes).unwrap_err().to_string();
    assert!(got.contains(error), "{got}");
}

#[test]
fn a_file_too_large_is_refused_unread() {
    assert!(matches!(parse(&vec![b' '; MAX_BYTES + 1]), Err(MetadataError::TooLarge { .. })));
    assert!(matches!(parse_metadata_digest(b"{}"), Err(MetadataError::NoDigest)));
}

#[test]
fn odd_materials_are_left_out_or_kept_as_they_are() {
    let m = of(&json!({"buildx.build.provenance/linux/arm/v7": {"materials": [
        {"uri": "pkg:docker/localhost%3A5000/team/app@1.2?platform=linux%2Farm%2Fv7", "digest": {"sha256": "zz"}},
        {"uri": "https://example.test/x.git#main", "digest": {"sha1": "00"}},
        {"uri": "pkg:docker/UPPER@1"}, {"uri": 7}, {}, 7
    ]}, "buildx.build.provenance": {"materials": {}}}));
    let names: Vec<&str> = m.materials.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["https://example.test/x.git#main", "localhost:5000/team/app:1.2"]);
    assert_eq!(m.materials[1].platform.as_deref(), Some("linux/arm/v7"));
}

proptest! {
    #[test]
    fn any_json_text_is_survived(text in "\\{?(\"(image.name|containerimage.digest|buildx.build.provenance)\":[\\[\\]{}\",:0-9a-z@]{0,40}){0,3}\\}?") {
        if let Ok(m) = parse(text.as_bytes()) {
            let _ = parse_buildx_published(&m, &[]);
        }
    }
}
