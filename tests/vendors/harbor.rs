//! Harbor: artifacts with their tags, missing projects, scans.

use serde_json::{Value, json};
use stagefreight::image::Repository;
use stagefreight::registry::{Attempt, Catalog, Fault, Provider, RegistryError};

use crate::fake::{Fake, Reply, Seen, State, answer, linked, status, tag};

const USER: &str = "robot$team+ci";

fn api(state: &mut State, seen: &Seen) -> Option<Reply> {
    if seen.header("authorization") != state.basic() {
        return answer(401, &json!({"errors": [{"code": "UNAUTHORIZED", "message": "unauthorized"}]}));
    }
    match (seen.method.as_str(), seen.path.as_str()) {
        ("HEAD", "/api/v2.0/projects") => {
            let name = &seen.query.iter().find(|(key, _)| key == "project_name")?.1;
            return status(if state.notes.contains_key(name) { 200 } else { 404 });
        }
        ("POST", "/api/v2.0/projects") => {
            let body = seen.json();
            assert_eq!(body, json!({"project_name": body["project_name"], "metadata": {"public": "false"}}));
            let name = body["project_name"].as_str()?.to_owned();
            return match state.notes.insert(name, String::new()) {
                None => status(201),
                Some(_) => answer(
                    409,
                    &json!({"errors": [{"code": "CONFLICT", "message": "The project named x already exists"}]}),
                ),
            };
        }
        _ => {}
    }
    let rest = seen.path.strip_prefix("/api/v2.0/projects/team/repositories/app/artifacts")?;
    if rest.is_empty() {
        let known = ["with_tag", "page", "page_size"];
        assert_eq!((seen.method.as_str(), seen.number("page_size", &known)), ("GET", Some(100)));
        let artifact = |(digest, _): &(String, Vec<u8>)| {
            let tags: Vec<_> = state
                .tags_of(digest)
                .iter()
                .map(|t| json!({"name": t, "push_time": "2026-03-04T05:06:07.000Z"}))
                .collect();
            let tags = if tags.is_empty() { Value::Null } else { json!(tags) };
            json!({"digest": digest, "type": "IMAGE", "push_time": "2026-01-01T00:00:00.000Z", "tags": tags})
        };
        let all: Vec<_> = state.manifests.iter().map(artifact).collect();
        return linked(seen, &all, 2);
    }
    let parts: Vec<_> = rest.trim_start_matches('/').split('/').collect();
    let resolve = |reference: &str| state.tags.get(reference).cloned().unwrap_or_else(|| reference.to_owned());
    let digest = resolve(parts[0]);
    if !state.manifests.iter().any(|(held, _)| *held == digest) {
        return answer(404, &json!({"errors": [{"code": "NOT_FOUND", "message": "artifact not found"}]}));
    }
    match (seen.method.as_str(), parts.as_slice()) {
        ("DELETE", [_, "tags", name]) if state.notes.get("immutable").is_some_and(|kept| kept == name) => {
            let message = format!("configured as immutable, cannot be deleted: {name}");
            answer(412, &json!({"errors": [{"code": "PRECONDITION", "message": message}]}))
        }
        ("DELETE", [_, "tags", name]) => status(if state.tags.remove(*name).is_some() { 200 } else { 404 }),
        ("DELETE", [_]) => status(if state.remove(&digest) { 200 } else { 404 }),
        ("POST", [_, "scan"]) => status(202),
        _ => None,
    }
}

fn harbor() -> (Fake, Catalog) {
    let fake = Fake::start(USER, api);
    let catalog = fake.catalog(Provider::Harbor);
    (fake, catalog)
}

#[tokio::test]
async fn tags_of_all_artifacts_are_listed() {
    let (fake, catalog) = harbor();
    let one = fake.image(&["1.0", "latest"]);
    for _ in 0..3 {
        fake.image(&[]);
    }
    let two = fake.image(&["2.0"]);
    let listed = catalog.tags(&fake.repository()).await.unwrap();
    let read: Vec<_> = listed.iter().map(|entry| (entry.tag.as_str(), entry.digest.clone().unwrap())).collect();
    assert_eq!(read, [("1.0", one.clone()), ("latest", one), ("2.0", two)]);
    assert_eq!(listed[0].pushed, Some("2026-03-04T05:06:07Z".parse().unwrap()));
}

#[tokio::test]
async fn a_tag_an_artifact_and_what_is_kept_on_purpose() {
    let (fake, catalog) = harbor();
    let one = fake.image(&["1.0", "1", "latest"]);
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.writes(), ["DELETE /api/v2.0/projects/team/repositories/app/artifacts/1/tags/1"]);
    fake.state().notes.insert("immutable".into(), "1.0".into());
    let error = catalog.untag(&fake.repository(), &tag("1.0")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Rejected { status: 412, .. }), "{error}");
    assert_eq!(fake.tags(), ["1.0", "latest"]);
    catalog.delete(&fake.repository(), &one).await.unwrap();
    assert_eq!(fake.writes(), [format!("DELETE /api/v2.0/projects/team/repositories/app/artifacts/{one}")]);
}

#[tokio::test]
async fn names_with_slashes_are_encoded_twice() {
    fn nested(state: &mut State, seen: &Seen) -> Option<Reply> {
        let wanted = "/api/v2.0/projects/team/repositories/a%252Fb/artifacts";
        (seen.is("GET", wanted) && seen.header("authorization") == state.basic()).then(|| answer(200, &json!([])))?
    }
    let fake = Fake::start(USER, nested);
    let repository = Repository::new(&fake.host, "team/a/b").unwrap();
    assert_eq!(fake.catalog(Provider::Harbor).tags(&repository).await.unwrap(), []);
}

#[tokio::test]
async fn a_missing_project_is_created_once() {
    let (fake, catalog) = harbor();
    let failed = |fault| RegistryError {
        attempt: Box::new(Attempt {
            registry: fake.host.clone(),
            repository: "team/app".into(),
            doing: "uploading to".into(),
            login: None,
            needs: None,
        }),
        fault,
    };
    let (repository, missing) = (fake.repository(), failed(Fault::NotFound));
    assert!(catalog.create_project(&repository, &missing).await.unwrap());
    assert_eq!(fake.writes(), ["POST /api/v2.0/projects"]);
    assert!(!catalog.create_project(&repository, &missing).await.unwrap());
    // Trouble that no project mends.
    assert!(!catalog.create_project(&repository, &failed(Fault::Quota(String::new()))).await.unwrap());
    let generic = fake.catalog(Provider::Generic);
    assert!(!generic.create_project(&repository, &missing).await.unwrap());

    fake.instead(status(404));
    fake.instead(answer(403, &json!({"errors": [{"code": "FORBIDDEN", "message": "forbidden"}]})));
    let error = catalog.create_project(&repository, &missing).await.unwrap_err();
    assert!(error.problem().hint.unwrap().starts_with("Create the project in Harbor first"));
    // Another run was quicker.
    fake.instead(status(404));
    assert!(catalog.create_project(&repository, &missing).await.unwrap());
}

#[tokio::test]
async fn a_scan_is_asked_for() {
    let (fake, catalog) = harbor();
    let one = fake.image(&["1.0"]);
    assert!(catalog.scan(&fake.repository(), &one).await.unwrap());
    assert_eq!(fake.writes(), [format!("POST /api/v2.0/projects/team/repositories/app/artifacts/{one}/scan")]);
    assert!(!fake.catalog(Provider::Generic).scan(&fake.repository(), &one).await.unwrap());
}
