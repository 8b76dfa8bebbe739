//! Artifacts attached to images on real registries: without a listing of their own (distribution), and, through a proxy that
//! answers in their place, with one. Needs the testbed: `eval "$(ci/testbed env)"`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use stagefreight::credentials::Login;
use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::manifest::{Children, OCI_INDEX, OCI_MANIFEST};
use stagefreight::image::{Descriptor, Digest, Manifest, Repository, Tag};
use stagefreight::registry::referrers::{Artifact, attach, fallback_tag, list};
use stagefreight::registry::{Fault, HostSettings, Registry};
use stagefreight::secret::Secret;
use support::fault_proxy::{Fault as Make, FaultProxy, Rule};
use support::testbed;

const KIND: &str = "application/vnd.in-toto+json";

fn registry(host: &str, login: Option<Login>) -> Registry {
    Registry::new(host, login, &HostSettings::default(), Clients::new(HttpSettings::default())).unwrap()
}

fn plain() -> Registry {
    registry(&testbed("TESTBED_REGISTRY"), None)
}

fn fresh(host: &str) -> Repository {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let path = format!("referrer-tests/{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Repository::new(host, &path).unwrap()
}

/// An image nobody has yet: the specification lets artifacts come first.
fn subject() -> Descriptor {
    let mut content = [0_u8; 32];
    rand::fill(&mut content);
    serde_json::from_value(json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(&content), "size": 32})).unwrap()
}

fn artifact(payload: &str) -> Artifact {
    Artifact {
        artifact_type: KIND.into(),
        media_type: KIND.into(),
        payload: Bytes::from(payload.to_owned()),
        annotations: BTreeMap::from([("org.example.of".to_owned(), payload.to_owned())]),
    }
}

fn tag(subject: &Descriptor) -> Tag {
    fallback_tag(&subject.digest).parse().unwrap()
}

fn manifest(value: &Value, media_type: &str) -> Manifest {
    Manifest::new(Bytes::from(value.to_string()), media_type).unwrap()
}

async fn index(registry: &Registry, repository: &Repository, subject: &Descriptor) -> Option<Manifest> {
    match registry.get_manifest(repository, &tag(subject)).await {
        Ok(found) => Some(found),
        Err(error) => {
            assert!(matches!(error.fault, Fault::NotFound | Fault::NameUnknown), "{error}");
            None
        }
    }
}

#[tokio::test]
async fn where_the_registry_lists_nothing_an_index_under_a_tag_does() {
    for registry in [plain(), private()] {
        let (repository, subject) = (fresh(registry.host()), subject());
        assert_eq!(list(&registry, &repository, &subject.digest, None).await.unwrap(), []);

        let attached = attach(&registry, &repository, &subject, &artifact("one")).await.unwrap();
        let listed = list(&registry, &repository, &subject.digest, Some(KIND)).await.unwrap();
        assert_eq!((listed.len(), listed[0].artifact_type.as_str()), (1, KIND));
        assert_eq!((&listed[0].descriptor.digest, listed[0].descriptor.size), (&attached.digest, attached.size));
        assert_eq!(listed[0].descriptor.annotations["org.example.of"], "one");
        assert_eq!(list(&registry, &repository, &subject.digest, Some("text/x-other")).await.unwrap(), []);

        // The registry has the payload, byte for byte, and knows whose it is.
        let stored = registry.get_manifest(&repository, &attached.digest).await.unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&stored.bytes).unwrap()["subject"]["digest"],
            subject.digest.as_str()
        );
        let Children::Image { layers, .. } = stored.children().unwrap() else { panic!("{stored:?}") };
        let payload: Vec<Bytes> =
            registry.get_blob(&repository, &layers[0]).await.unwrap().try_collect().await.unwrap();
        assert_eq!(payload.concat(), b"one");
    }
}

/// The registry with a password.
fn private() -> Registry {
    let host = testbed("TESTBED_REGISTRY_AUTH");
    let (user, secret) = (testbed("TESTBED_REGISTRY_USER"), Secret::new(testbed("TESTBED_REGISTRY_PASS")));
    registry(&host, Some(Login { host: host.clone(), user, secret, source: "T_USER and T_TOKEN".into() }))
}

#[tokio::test]
async fn attaching_the_same_twice_adds_nothing() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let registry = registry(proxy.host(), None);
    let (repository, subject) = (fresh(registry.host()), subject());
    let first = attach(&registry, &repository, &subject, &artifact("one")).await.unwrap();
    let before = index(&registry, &repository, &subject).await;
    let sent = proxy.bytes_up("PUT", "/blobs/");
    let tag_writes =
        || proxy.seen().iter().filter(|s| s.method == "PUT" && s.path.contains("/manifests/sha256-")).count();
    assert_eq!((sent, tag_writes()), (2 + 3, 1));

    assert_eq!(attach(&registry, &repository, &subject, &artifact("one")).await.unwrap(), first);
    assert_eq!(index(&registry, &repository, &subject).await, before);
    assert_eq!((proxy.bytes_up("PUT", "/blobs/"), tag_writes()), (sent, 1));
}

#[tokio::test]
async fn what_others_attached_stays() {
    let registry = plain();
    let (repository, subject) = (fresh(registry.host()), subject());
    // As another program left it: an artifact that is there, and fields nobody here knows.
    let theirs = attach(&registry, &repository, &subject, &artifact("theirs")).await.unwrap();
    let foreign = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": theirs.digest, "size": theirs.size, "x-theirs": {"z": 1}}],
        "annotations": {"by": "them"},
    });
    registry.put_manifest(&repository, &tag(&subject), &manifest(&foreign, OCI_INDEX)).await.unwrap();

    attach(&registry, &repository, &subject, &artifact("ours")).await.unwrap();
    let found = index(&registry, &repository, &subject).await.unwrap();
    let found: Value = serde_json::from_slice(&found.bytes).unwrap();
    assert_eq!(found["manifests"][0], foreign["manifests"][0]);
    assert_eq!((found["manifests"].as_array().unwrap().len(), &found["annotations"]), (2, &foreign["annotations"]));
}

#[tokio::test]
async fn a_tag_that_holds_an_image_is_not_overwritten() {
    let registry = plain();
    let (repository, subject) = (fresh(registry.host()), subject());
    let other = attach(&registry, &repository, &self::subject(), &artifact("x")).await.unwrap();
    let image = registry.get_manifest(&repository, &other.digest).await.unwrap();
    registry.put_manifest(&repository, &tag(&subject), &image).await.unwrap();

    let error = attach(&registry, &repository, &subject, &artifact("ours")).await.unwrap_err();
    assert!(error.to_string().contains("holds a application/vnd.oci.image.manifest.v1+json, and no index"), "{error}");
    assert_eq!(index(&registry, &repository, &subject).await.unwrap(), image);
}

#[tokio::test]
async fn many_at_once_are_all_listed() {
    let registry = plain();
    let (repository, subject) = (fresh(registry.host()), subject());
    let artifacts: Vec<_> = (0..8).map(|n| artifact(&format!("number {n}"))).collect();
    let all = artifacts.iter().map(|artifact| attach(&registry, &repository, &subject, artifact));
    let mut attached: Vec<_> =
        futures::future::try_join_all(all).await.unwrap().into_iter().map(|found| found.digest).collect();
    let listed = list(&registry, &repository, &subject.digest, None).await.unwrap();
    let mut listed: Vec<_> = listed.into_iter().map(|found| found.descriptor.digest).collect();
    attached.sort();
    listed.sort();
    assert_eq!(listed, attached);
}

/// Distribution has no listing, so one is put in its place: what a registry of version 1.1 of the specification answers.
#[tokio::test]
async fn where_the_registry_lists_no_tag_is_written() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let registry = registry(proxy.host(), None);
    let (repository, subject) = (fresh(registry.host()), subject());
    // What it will be is known beforehand: the same artifact is the same manifest.
    let elsewhere = fresh(registry.host());
    let attached = attach(&registry, &elsewhere, &subject, &artifact("one")).await.unwrap();
    let entry =
        json!({"mediaType": OCI_MANIFEST, "digest": attached.digest, "size": attached.size, "artifactType": KIND});
    let other =
        json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(b"x"), "size": 1, "artifactType": "text/x-other"});
    let page =
        |entries: &[&Value]| json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string();
    let at = format!("/v2/{}/referrers/", repository.path());
    // Over two pages, and unfiltered.
    for _ in 0..2 {
        let next = format!("<{at}{}?page=2>; rel=\"next\"", subject.digest);
        proxy.rule(Rule::new(Make::Answer(200, vec![("link", next)], page(&[&other]))).at(&at).times(1));
        proxy.rule(Rule::new(Make::Answer(200, vec![], page(&[&entry]))).at(&at).times(1));
    }

    assert_eq!(attach(&registry, &repository, &subject, &artifact("one")).await.unwrap(), attached);
    assert_eq!(index(&registry, &repository, &subject).await, None);
    let listed = list(&registry, &repository, &subject.digest, Some(KIND)).await.unwrap();
    assert_eq!(listed.iter().map(|found| &found.descriptor.digest).collect::<Vec<_>>(), [&attached.digest]);
    let asked: Vec<_> =
        proxy.seen().into_iter().filter(|seen| seen.path.starts_with(&at)).map(|seen| seen.query).collect();
    assert_eq!(
        asked,
        [
            "artifactType=application%2Fvnd.in-toto%2Bjson",
            "page=2",
            "artifactType=application%2Fvnd.in-toto%2Bjson",
            "page=2"
        ]
    );
}

#[tokio::test]
async fn a_listing_that_does_not_list_is_none() {
    let empty = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).to_string();
    for (status, body) in [
        (200, empty.as_str()),
        (200, "<html>not found</html>"),
        (200, "[]"),
        (400, ""),
        (403, ""),
        (405, ""),
        (501, ""),
    ] {
        let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
        // Some registries claim to have understood the subject, and do not list it.
        proxy.rule(Rule::new(Make::Header("oci-subject", "sha256:00".into())).on("PUT").at("/manifests/"));
        proxy.rule(Rule::new(Make::Answer(status, vec![], body.into())).at("/referrers/"));
        let registry = registry(proxy.host(), None);
        let (repository, subject) = (fresh(registry.host()), subject());
        attach(&registry, &repository, &subject, &artifact("one")).await.unwrap();
        assert!(index(&registry, &repository, &subject).await.is_some(), "{status} {body}");
    }
}
