//! Gitea and Forgejo: every tag and every manifest pushed by digest is a version of a package.

use serde_json::{Value, json};
use stagefreight::registry::{Catalog, Fault, Provider};

use crate::fake::{Deletes, Fake, Reply, Seen, State, answer, linked, status, tag};

fn api(state: &mut State, seen: &Seen) -> Option<Reply> {
    if seen.header("authorization") != state.basic() {
        return None;
    }
    if seen.is("GET", "/api/v1/packages/team") {
        assert!(seen.query.contains(&("type".into(), "container".into())));
        assert!(seen.number("limit", &["type", "q", "page", "limit"])? <= 50);
        let package = |name: &str, version: &str| {
            json!({"id": 1, "owner": {}, "name": name, "type": "container", "version": version,
                   "created_at": "2026-05-06T07:08:09+02:00"})
        };
        // The search finds parts of names.
        let mut all: Vec<Value> = vec![package("app-tools", "v9")];
        all.extend(state.manifests.iter().map(|(digest, _)| package("app", digest)));
        all.extend(state.tags.keys().map(|name| package("app", name)));
        return linked(seen, &all, 3);
    }
    let version = seen.path.strip_prefix("/api/v1/packages/team/container/app/")?;
    match seen.method.as_str() {
        "DELETE" => status(if state.tags.remove(version).is_some() { 204 } else { 404 }),
        _ => None,
    }
}

fn gitea() -> (Fake, Catalog) {
    let fake = Fake::start("ada", api);
    fake.state().deletes = Deletes::Both;
    let catalog = fake.catalog(Provider::Gitea);
    (fake, catalog)
}

#[tokio::test]
async fn tags_are_the_versions_that_are_no_digests() {
    let (fake, catalog) = gitea();
    let one = fake.image(&["1.0", "latest"]);
    fake.image(&["2.0"]);
    let listed = catalog.tags(&fake.repository()).await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.tag.as_str()).collect::<Vec<_>>(), ["1.0", "2.0", "latest"]);
    assert_eq!(listed[0].pushed, Some("2026-05-06T05:08:09Z".parse().unwrap()));
    let resolved = catalog.resolve(&fake.repository(), listed, 16).await.unwrap();
    assert_eq!(resolved[2].digest, Some(one));
}

#[tokio::test]
async fn a_tag_goes_by_the_api_or_else_by_the_specification() {
    let (fake, catalog) = gitea();
    let one = fake.image(&["1", "1.0", "latest"]);
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.writes(), ["DELETE /api/v1/packages/team/container/app/1"]);
    // A token for packages alone may not be one for the API.
    fake.instead(answer(401, &json!({"message": "token does not have at least one of required scope(s)"})));
    catalog.untag(&fake.repository(), &tag("1.0")).await.unwrap();
    assert_eq!(fake.writes(), ["DELETE /v2/team/app/manifests/1.0"]);
    // What is refused on purpose is not tried another way.
    fake.instead(answer(403, &json!({"message": "forbidden"})));
    let error = catalog.untag(&fake.repository(), &tag("latest")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Denied(_)), "{error}");
    assert!(error.problem().hint.unwrap().contains("write:package"));
    catalog.delete(&fake.repository(), &one).await.unwrap();
    assert_eq!(fake.writes(), [format!("DELETE /v2/team/app/manifests/{one}")]);
}
