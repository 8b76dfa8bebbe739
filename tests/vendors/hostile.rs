//! Answers no honest API gives: a list is whole or is made by the specification, and nothing is deleted on a guess.

use serde_json::json;
use stagefreight::registry::{Fault, Provider};

use crate::fake::{Fake, Reply, Seen, State, answer, status, tag};

/// Lists that must not be believed: the specification's is taken instead.
#[tokio::test]
async fn a_list_that_cannot_be_read_is_not_used() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let html = || Some(Reply(200, vec![("content-type", "text/html".into())], b"<!doctype html><p>Sign in".to_vec()));
    let bodies = [
        html(),
        answer(200, &json!({"tags": []})),
        answer(200, &json!([{"digest": 7, "tags": []}])),
        answer(200, &json!([{"digest": digest, "tags": [{"name": "../../x"}]}])),
        answer(200, &json!([{"digest": digest, "tags": [{"name": "1.0"}, {"name": "not a tag"}]}])),
        answer(200, &json!([{"digest": digest, "tags": "1.0"}])),
        Some(Reply(200, vec![], b"[{\"digest\":".to_vec())),
        // The rest is on a page that nothing points to.
        Some(Reply(
            200,
            vec![("x-total-count", "2".into())],
            json!([{"digest": digest, "tags": []}]).to_string().into(),
        )),
        Some(Reply(200, vec![], vec![b' '; 9 << 20])),
        Some(Reply(302, vec![("location", "http://127.0.0.1:1/elsewhere".into())], vec![])),
        status(404),
        status(401),
        status(403),
    ];
    for body in bodies {
        let fake = Fake::start("ada", |_, _| None);
        let one = fake.image(&["1.0", "latest"]);
        fake.instead(body);
        let catalog = fake.catalog(Provider::Harbor);
        let listed = catalog.tags(&fake.repository()).await.unwrap();
        assert_eq!(listed.iter().map(|entry| entry.tag.as_str()).collect::<Vec<_>>(), ["1.0", "latest"]);
        assert!(listed.iter().all(|entry| entry.digest.is_none()));
        assert!(catalog.registry().head_manifest(&fake.repository(), &one).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    // Always another page, always the same; and always another page, always empty.
    fn same(_: &mut State, seen: &Seen) -> Option<Reply> {
        let body = json!({"tags": [{"name": "1.0"}], "page": 1, "has_additional": true});
        (seen.method == "GET").then(|| answer(200, &body))?
    }
    fn empty(_: &mut State, seen: &Seen) -> Option<Reply> {
        let page = seen.number("page", &["onlyActiveTags", "limit", "page"]);
        (seen.method == "GET").then(|| answer(200, &json!({"tags": [], "page": page, "has_additional": true})))?
    }
    for api in [same as crate::fake::Api, empty] {
        let fake = Fake::start("$oauthtoken", api);
        fake.image(&["1.0", "latest"]);
        let listed = fake.catalog(Provider::Quay).tags(&fake.repository()).await.unwrap();
        assert_eq!(listed.len(), 2, "the specification's list");
    }
}

#[tokio::test]
async fn no_login_goes_where_a_list_points() {
    let trap = Fake::start("ada", |_, _| None);
    let fake = Fake::start("ada", |_, _| None);
    fake.image(&["1.0", "2.0"]);
    let catalog = fake.catalog(Provider::DockerHub).with_api(&format!("http://{}/hub/", fake.host));
    fake.instead(answer(200, &json!({"access_token": "session"})));
    let next = format!("http://{}/steal", trap.host);
    fake.instead(answer(200, &json!({"next": next, "results": [{"name": "1.0"}]})));
    assert_eq!(catalog.tags(&fake.repository()).await.unwrap().len(), 2, "the specification's list");

    // A redirect neither: it would carry the login along.
    let catalog = fake.catalog(Provider::Harbor);
    let steal = || Some(Reply(307, vec![("location", format!("http://{}/steal", trap.host))], vec![]));
    fake.instead(steal());
    assert_eq!(catalog.tags(&fake.repository()).await.unwrap().len(), 2);
    // `trap` fails this test if it was asked for anything.
}

#[tokio::test]
async fn who_says_yes_and_does_nothing_is_found_out() {
    let fake = Fake::start("ada", |_, _| None);
    fake.image(&["1.0", "latest"]);
    fake.instead(status(200));
    let error = fake.catalog(Provider::Harbor).untag(&fake.repository(), &tag("1.0")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Protocol(_)), "{error}");
    assert!(error.to_string().ends_with("it says the tag is deleted, and serves it still"), "{error}");
    // The API's answer counts as a write.
    assert_eq!(fake.writes().len(), 1);
}

#[tokio::test]
async fn a_quota_is_told_with_its_cure_and_not_tried_again() {
    let fake = Fake::start("ada", |_, _| None);
    fake.image(&["1.0"]);
    let message = "adding 10.0 MiB of storage resource, which when updated to current usage of 95.0 MiB will exceed the configured upper limit of 100.0 MiB.";
    // Answered once: asking again would be a violation.
    fake.instead(answer(403, &json!({"errors": [{"code": "DENIED", "message": message}]})));
    let digest = stagefreight::image::Digest::of(b"x");
    let error = fake.catalog(Provider::Harbor).scan(&fake.repository(), &digest).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Quota(_)) && !error.is_transient(), "{error}");
    assert!(error.problem().hint.unwrap().starts_with("Delete what is no longer needed"));
}

#[tokio::test]
async fn no_secret_stands_in_an_error() {
    let fake = Fake::start("ada", |_, _| None);
    fake.image(&["1.0"]);
    let catalog = fake.catalog(Provider::DockerHub).with_api(&format!("http://{}/hub/", fake.host));
    fake.instead(answer(200, &json!({"access_token": {"nested": crate::fake::SECRET}})));
    let error = catalog.untag(&fake.repository(), &tag("1.0")).await.unwrap_err();
    let all = format!("{error} {error:?} {:?} {catalog:?}", error.problem());
    assert!(!all.contains(crate::fake::SECRET), "{all}");
}
