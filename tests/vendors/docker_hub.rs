//! Docker Hub: a session for the login, pages by `next`, tags deleted one by one.

use serde_json::{Value, json};
use stagefreight::registry::{Catalog, Fault, Provider};

use crate::fake::{Fake, Reply, SECRET, Seen, State, answer, status, tag};

fn api(state: &mut State, seen: &Seen) -> Option<Reply> {
    if seen.is("POST", "/hub/v2/auth/token") {
        assert_eq!(seen.header("authorization"), "");
        let right = json!({"identifier": "ada", "secret": SECRET});
        return match seen.json() == right {
            true => answer(200, &json!({"access_token": "session"})),
            false => answer(401, &json!({"detail": "Incorrect authentication credentials"})),
        };
    }
    if seen.header("authorization") != "Bearer session" {
        return None;
    }
    if seen.is("GET", "/hub/v2/namespaces/team/repositories/app/tags") {
        let known = ["page", "page_size"];
        assert_eq!(seen.number("page_size", &known), Some(100));
        let page = seen.number("page", &known).unwrap_or(1);
        // Pages of two, whatever was asked for: a server may give fewer.
        let entry = |(name, digest): (&String, &String)| json!({"name": name, "digest": digest, "last_updated": "2026-01-02T03:04:05.678901Z", "images": [{"os": "linux"}]});
        let all: Vec<Value> = state.tags.iter().map(entry).collect();
        let next = format!("http://{}{}?page={}&page_size=100", state.host, seen.path, page + 1);
        let next = (page * 2 < all.len()).then_some(next);
        let results: Vec<_> = all.iter().skip((page - 1) * 2).take(2).collect();
        return answer(200, &json!({"count": all.len(), "next": next, "previous": null, "results": results}));
    }
    let tag = seen.path.strip_prefix("/hub/v2/repositories/team/app/tags/")?.strip_suffix('/')?;
    match seen.method.as_str() {
        "DELETE" => status(if state.tags.remove(tag).is_some() { 204 } else { 404 }),
        _ => None,
    }
}

fn hub() -> (Fake, Catalog) {
    let fake = Fake::start("ada", api);
    let catalog = fake.catalog(Provider::DockerHub).with_api(&format!("http://{}/hub/", fake.host));
    (fake, catalog)
}

#[tokio::test]
async fn tags_come_with_digest_and_time_over_many_pages() {
    let (fake, catalog) = hub();
    let one = fake.image(&["1.0", "1", "latest"]);
    let two = fake.image(&["2.0", "edge"]);
    let listed = catalog.tags(&fake.repository()).await.unwrap();
    let read: Vec<_> = listed.iter().map(|entry| (entry.tag.as_str(), entry.digest.clone().unwrap())).collect();
    assert_eq!(read, [("1", one.clone()), ("1.0", one.clone()), ("2.0", two.clone()), ("edge", two), ("latest", one)]);
    assert!(listed.iter().all(|entry| entry.pushed == Some("2026-01-02T03:04:05.678901Z".parse().unwrap())));
}

#[tokio::test]
async fn one_tag_goes_or_all_of_an_image() {
    let (fake, catalog) = hub();
    let one = fake.image(&["1.0", "1", "latest"]);
    let other = fake.image(&["2.0"]);
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.writes(), ["DELETE /hub/v2/repositories/team/app/tags/1/"]);
    assert_eq!(fake.tags(), ["1.0", "2.0", "latest"]);
    assert_eq!(catalog.untag(&fake.repository(), &tag("1")).await.unwrap_err().fault, Fault::NotFound);

    catalog.delete(&fake.repository(), &one).await.unwrap();
    assert_eq!(fake.writes().len(), 2);
    assert_eq!(fake.tags(), ["2.0"]);
    let left = catalog.delete(&fake.repository(), &one).await.unwrap_err();
    assert!(matches!(left.fault, Fault::Unsupported(_)), "{left}");
    assert!(catalog.registry().head_manifest(&fake.repository(), &other).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_that_ends_is_renewed_and_a_right_that_lacks_is_named() {
    let (fake, catalog) = hub();
    fake.image(&["1.0", "1"]);
    catalog.tags(&fake.repository()).await.unwrap();
    fake.instead(answer(401, &json!({"detail": "token expired"})));
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.writes().len(), 1);

    fake.instead(answer(403, &json!({"detail": "access denied"})));
    let error = catalog.untag(&fake.repository(), &tag("1.0")).await.unwrap_err();
    let problem = error.problem();
    assert!(problem.what.ends_with("the registry does not allow it (access denied)"), "{}", problem.what);
    insta::assert_snapshot!(problem.hint.unwrap(), @"Docker Hub wants a personal access token with the rights Read, Write and Delete, of an account that may write to the repository. The login used is that from T_USER and T_TOKEN.");
    assert_eq!(fake.tags(), ["1.0"]);
}
