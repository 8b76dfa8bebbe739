use rstest::rstest;

use super::*;

fn artifact(annotations: &[(&str, &str)]) -> Artifact {
    Artifact {
        artifact_type: "application/vnd.in-toto+json".into(),
        media_type: "application/vnd.in-toto+json".into(),
        payload: Bytes::from_static(b"{\"_type\":\"x\"}"),
        annotations: annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn subject() -> Descriptor {
    Descriptor {
        // What an index says of it is not part of what it is.
        annotations: [("org.example".to_owned(), "x".to_owned())].into(),
        ..descriptor(OCI_MANIFEST, b"an image")
    }
}

#[test]
fn an_artifact_is_a_manifest_that_names_its_subject() {
    let made = manifest(&subject(), &artifact(&[("org.example.trust", "reproducible")]));
    let text: Value = serde_json::from_slice(&made.bytes).unwrap();
    insta::assert_snapshot!(format!("{text:#}"));
    assert_eq!(made.digest, Digest::of(&made.bytes));
    // It reads as any other manifest: copies and retention follow its blobs.
    assert!(made.children().is_ok());
}

#[test]
fn the_same_artifact_is_the_same_manifest() {
    let (one, other) = (artifact(&[("b", "2"), ("a", "1")]), artifact(&[("a", "1"), ("b", "2")]));
    assert_eq!(manifest(&subject(), &one), manifest(&subject(), &other));
    assert_ne!(manifest(&subject(), &one), manifest(&subject(), &artifact(&[])));
    assert!(!String::from_utf8_lossy(&manifest(&subject(), &artifact(&[])).bytes).contains("annotations"));
}

#[test]
fn entries_of_others_stay_to_the_letter() {
    let foreign = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "annotations": {"kept": "yes"},
        "manifests": [
            {"mediaType": OCI_MANIFEST, "digest": "sha512:abc", "size": 7, "x-unknown": [1, {"y": null}]},
            "not even an object",
        ],
    });
    let (artifact, subject) = (artifact(&[("a", "1")]), subject());
    let ours = entry(&manifest(&subject, &artifact), &artifact);
    let index = with_entry(Some(foreign.clone()), ours.clone()).unwrap();
    assert_eq!(entries(&index)[..2], entries(&foreign)[..]);
    assert_eq!((index["annotations"].clone(), entries(&index).len()), (foreign["annotations"].clone(), 3));
    assert_eq!((&ours["artifactType"], &ours["annotations"]["a"]), (&json!(artifact.artifact_type), &json!("1")));
    // And once is enough.
    assert_eq!(with_entry(Some(index), ours.clone()), None);
    assert_eq!(entries(&with_entry(None, ours).unwrap()).len(), 1);
}

#[rstest]
#[case::nothing(json!({}), false)]
#[case::no_digest(json!({"mediaType": OCI_MANIFEST, "size": 1}), false)]
#[case::bad_digest(json!({"mediaType": OCI_MANIFEST, "digest": "sha256:../../x", "size": 1}), false)]
#[case::negative(json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(b"x"), "size": -1}), false)]
#[case::text(json!("sha256:"), false)]
#[case::without_type(json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(b"x"), "size": 1}), true)]
#[case::whole(json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(b"x"), "size": 1, "artifactType": "a/b"}), true)]
fn entries_that_cannot_be_read_are_left_out(#[case] entry: Value, #[case] taken: bool) {
    assert_eq!(referrer(&entry).is_some(), taken);
}

#[test]
fn the_tag_is_the_digest_with_a_dash() {
    let digest = Digest::of(b"");
    assert_eq!(fallback_tag(&digest), "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert!(fallback_tag(&digest).parse::<Tag>().is_ok());
}
