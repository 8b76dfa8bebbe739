//! GitLab: the repository's number is found by its path, the API by the token server or the job.

use serde_json::{Value, json};
use stagefreight::registry::{Catalog, Fault, Provider};

use crate::fake::{Deletes, Fake, Reply, SECRET, Seen, State, answer, linked, status, tag};

const JOB: &str = "gitlab-ci-token";

fn api(state: &mut State, seen: &Seen) -> Option<Reply> {
    // The job's token is only known by its own header, all others as Bearer.
    let right = match state.user.as_str() {
        JOB => seen.header("job-token") == SECRET && seen.header("authorization").is_empty(),
        _ => seen.header("authorization") == format!("Bearer {SECRET}") && seen.header("job-token").is_empty(),
    };
    if !right {
        return None;
    }
    // The image team/app is an image of the project `team/app`, or of a project above it: here the former is none.
    if seen.is("GET", "/api/v4/projects/team%2Fapp/registry/repositories") {
        assert_eq!(seen.number("per_page", &["per_page", "page"]), Some(100));
        if state.notes.contains_key("no project") {
            return answer(404, &json!({"message": "404 Project Not Found"}));
        }
        let place = |id: u64, path: &str| json!({"id": id, "name": "", "path": path, "project_id": 9, "location": "x"});
        let mut all: Vec<Value> = (0..5).map(|n| place(n, &format!("team/app/other{n}"))).collect();
        all.push(place(77, "team/app"));
        return linked(seen, &all, 3);
    }
    let name = seen.path.strip_prefix("/api/v4/projects/9/registry/repositories/77/tags/")?;
    match seen.method.as_str() {
        "DELETE" if state.notes.get("protected").is_some_and(|kept| kept == name) => {
            answer(403, &json!({"message": "403 Forbidden - Unable to delete tag due to tag protection rules."}))
        }
        "DELETE" => status(if state.tags.remove(name).is_some() { 200 } else { 404 }),
        _ => None,
    }
}

fn gitlab(user: &str) -> (Fake, Catalog) {
    let fake = Fake::start(user, api);
    fake.state().realm = Some("/jwt/auth");
    fake.state().deletes = Deletes::Both;
    let catalog = fake.catalog(Provider::GitLab);
    (fake, catalog)
}

#[tokio::test]
async fn one_tag_goes_with_a_job_token_or_another() {
    for user in [JOB, "ada"] {
        let (fake, catalog) = gitlab(user);
        fake.image(&["1.0", "1", "latest"]);
        assert_eq!(catalog.tags(&fake.repository()).await.unwrap().len(), 3);
        catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
        assert_eq!(fake.writes(), ["DELETE /api/v4/projects/9/registry/repositories/77/tags/1"]);
        assert_eq!(fake.tags(), ["1.0", "latest"]);
    }
}

#[tokio::test]
async fn where_the_job_says_the_api_is_it_is_asked() {
    let (fake, catalog) = gitlab(JOB);
    let catalog = catalog.with_api(&format!("http://{}/api/v4", fake.host));
    fake.image(&["1", "latest"]);
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.writes().len(), 1);
}

#[tokio::test]
async fn a_protected_tag_stays_and_another_projects_goes_by_the_specification() {
    let (fake, catalog) = gitlab("ada");
    fake.image(&["1", "latest"]);
    fake.state().notes.insert("protected".into(), "latest".into());
    let error = catalog.untag(&fake.repository(), &tag("latest")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Denied(_)), "{error}");
    assert!(error.problem().hint.unwrap().contains("scope `api`"));
    assert_eq!(fake.tags(), ["1", "latest"]);

    let (fake, catalog) = gitlab(JOB);
    fake.image(&["1", "latest"]);
    fake.state().notes.insert("no project".into(), String::new());
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.writes(), ["DELETE /v2/team/app/manifests/1"]);
}
