//! Quay: an OAuth token calls the API, a robot account has the specification.

use serde_json::{Value, json};
use stagefreight::registry::Provider;

use crate::fake::{Deletes, Fake, Reply, SECRET, Seen, State, answer, status, tag};

fn api(state: &mut State, seen: &Seen) -> Option<Reply> {
    if seen.header("authorization") != format!("Bearer {SECRET}") {
        return None;
    }
    let rest = seen.path.strip_prefix("/api/v1/repository/team/app/tag/")?;
    if seen.method == "GET" && rest.is_empty() {
        let known = ["onlyActiveTags", "limit", "page"];
        assert_eq!(seen.number("limit", &known), Some(100));
        assert!(seen.query.contains(&("onlyActiveTags".into(), "true".into())));
        let page = seen.number("page", &known).unwrap_or(1);
        let entry = |(name, digest): (&String, &String)| {
            json!({"name": name, "reversion": false, "start_ts": 1_767_225_600, "manifest_digest": digest,
                   "is_manifest_list": false, "size": 1, "last_modified": "Thu, 01 Jan 2026 00:00:00 -0000"})
        };
        let all: Vec<Value> = state.tags.iter().map(entry).collect();
        let tags: Vec<_> = all.iter().skip((page - 1) * 2).take(2).collect();
        return answer(200, &json!({"tags": tags, "page": page, "has_additional": page * 2 < all.len()}));
    }
    match seen.method.as_str() {
        "DELETE" => status(if state.tags.remove(rest).is_some() { 204 } else { 404 }),
        _ => None,
    }
}

#[tokio::test]
async fn an_oauth_token_lists_and_deletes() {
    let fake = Fake::start("$oauthtoken", api);
    let catalog = fake.catalog(Provider::Quay);
    let one = fake.image(&["1", "1.0", "edge", "latest", "x"]);
    let listed = catalog.tags(&fake.repository()).await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.tag.as_str()).collect::<Vec<_>>(), ["1", "1.0", "edge", "latest", "x"]);
    assert!(listed.iter().all(|entry| entry.digest.as_ref() == Some(&one)));
    assert_eq!(listed[0].pushed, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    catalog.untag(&fake.repository(), &tag("edge")).await.unwrap();
    assert_eq!(fake.writes(), ["DELETE /api/v1/repository/team/app/tag/edge"]);
    assert_eq!(fake.tags(), ["1", "1.0", "latest", "x"]);
}

#[tokio::test]
async fn a_robot_account_never_calls_the_api() {
    for deletes in [Deletes::Both, Deletes::ByDigest] {
        let fake = Fake::start("team+robot", |_, _| None);
        fake.state().deletes = deletes;
        let catalog = fake.catalog(Provider::Quay);
        let one = fake.image(&["1", "latest"]);
        assert_eq!(catalog.tags(&fake.repository()).await.unwrap().len(), 2);
        catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
        assert_eq!(fake.tags(), ["latest"]);
        let writes = fake.writes();
        assert!(writes.iter().all(|write| write.contains(" /v2/team/app/")), "{writes:?}");
        catalog.delete(&fake.repository(), &one).await.unwrap();
        assert_eq!(fake.writes(), [format!("DELETE /v2/team/app/manifests/{one}")]);
    }
}
