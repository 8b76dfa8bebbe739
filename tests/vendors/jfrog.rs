//! Artifactory: a tag is a folder, and a folder may hold more than that.

use serde_json::json;
use stagefreight::registry::{Catalog, Fault, Provider};

use crate::fake::{Deletes, Fake, Reply, Seen, State, answer, status, tag};

fn api(state: &mut State, seen: &Seen) -> Option<Reply> {
    if seen.header("authorization") != state.basic() {
        return None;
    }
    if let Some(name) = seen.path.strip_prefix("/artifactory/api/storage/team/app/").filter(|_| seen.method == "GET") {
        if !state.tags.contains_key(name) || state.notes.contains_key("subdomain") {
            return answer(404, &json!({"errors": [{"status": 404, "message": "Unable to find item"}]}));
        }
        let mut children = vec![json!({"uri": "/manifest.json", "folder": false})];
        if state.notes.get("nested").is_some_and(|nested| nested == name) {
            children.push(json!({"uri": "/edge", "folder": true}));
        }
        return answer(200, &json!({"repo": "team", "path": format!("/app/{name}"), "children": children, "uri": "x"}));
    }
    let name = seen.path.strip_prefix("/artifactory/team/app/")?;
    match seen.method.as_str() {
        "DELETE" => status(if state.tags.remove(name).is_some() { 204 } else { 404 }),
        _ => None,
    }
}

fn jfrog() -> (Fake, Catalog) {
    let fake = Fake::start("ada", api);
    fake.state().deletes = Deletes::ByDigest;
    let catalog = fake.catalog(Provider::Jfrog);
    (fake, catalog)
}

#[tokio::test]
async fn a_tags_folder_goes() {
    let (fake, catalog) = jfrog();
    fake.image(&["1", "latest"]);
    assert_eq!(catalog.tags(&fake.repository()).await.unwrap().len(), 2);
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.writes(), ["DELETE /artifactory/team/app/1"]);
    assert_eq!(fake.tags(), ["latest"]);
}

#[tokio::test]
async fn a_folder_that_holds_another_image_stays() {
    let (fake, catalog) = jfrog();
    fake.image(&["1", "latest"]);
    fake.state().notes.insert("nested".into(), "1".into());
    let error = catalog.untag(&fake.repository(), &tag("1")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unsafe(_)), "{error}");
    assert_eq!(fake.tags(), ["1", "latest"]);
}

#[tokio::test]
async fn where_the_repository_is_in_the_host_the_specification_serves() {
    let (fake, catalog) = jfrog();
    fake.image(&["1", "latest"]);
    fake.state().notes.insert("subdomain".into(), String::new());
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.tags(), ["latest"]);
    assert!(fake.writes().iter().all(|write| write.contains(" /v2/")));
}
