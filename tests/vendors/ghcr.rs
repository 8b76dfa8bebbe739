//! GHCR: versions of a package. A tag goes by way of an image of its own; its siblings and its image stay.

use serde_json::{Value, json};
use stagefreight::registry::{Catalog, Fault, Provider};

use crate::fake::{Fake, Reply, SECRET, Seen, State, answer, linked, status, tag};

fn api(state: &mut State, seen: &Seen) -> Option<Reply> {
    if seen.header("authorization") != format!("Bearer {SECRET}") {
        return None;
    }
    let kind = state.notes.get("owner").cloned().unwrap_or_else(|| "orgs".into());
    let path = seen.path.strip_prefix("/gh/")?;
    let (found, rest) = path.split_once("/team/packages/container/app/versions")?;
    if found != kind {
        return matches!(found, "orgs" | "users")
            .then(|| answer(404, &json!({"message": "Not Found", "status": "404"})))
            .flatten();
    }
    if rest.is_empty() && seen.method == "GET" {
        assert_eq!(seen.number("per_page", &["state", "per_page", "page"]), Some(100));
        let mut all: Vec<Value> = Vec::new();
        for (at, (digest, _)) in state.manifests.iter().enumerate() {
            let tags = state.tags_of(digest);
            all.insert(
                0,
                json!({
                    "id": id(digest), "name": digest, "url": "x", "package_html_url": "x",
                    "created_at": format!("2026-01-01T00:{:02}:00Z", at % 60), "updated_at": "2026-02-01T00:00:00Z",
                    "metadata": {"package_type": "container", "container": {"tags": tags}},
                }),
            );
        }
        return linked(seen, &all, 3);
    }
    let wanted: u64 = rest.strip_prefix('/')?.parse().ok()?;
    let digest = state.manifests.iter().map(|(digest, _)| digest.clone()).find(|digest| id(digest) == wanted);
    match (seen.method.as_str(), digest) {
        ("DELETE", None) => answer(404, &json!({"message": "Package not found."})),
        ("DELETE", Some(digest)) => {
            let tagged = state.tags.values().collect::<std::collections::HashSet<_>>();
            if tagged.len() == 1 && tagged.contains(&digest) {
                let message =
                    "You cannot delete the last tagged version of a package. You must delete the package instead.";
                return answer(400, &json!({"message": message}));
            }
            state.remove(&digest);
            status(204)
        }
        _ => None,
    }
}

fn id(digest: &str) -> u64 {
    u64::from_str_radix(&digest["sha256:".len()..][..8], 16).unwrap()
}

fn ghcr() -> (Fake, Catalog) {
    let fake = Fake::start("ada", api);
    let catalog = fake.catalog(Provider::Ghcr).with_api(&format!("http://{}/gh", fake.host));
    (fake, catalog)
}

#[tokio::test]
async fn versions_of_an_organisation_or_a_user_are_listed() {
    for owner in ["orgs", "users"] {
        let (fake, catalog) = ghcr();
        fake.state().notes.insert("owner".into(), owner.into());
        let one = fake.image(&["1.0", "latest"]);
        for _ in 0..5 {
            fake.image(&[]);
        }
        let two = fake.image(&["2.0"]);
        let listed = catalog.tags(&fake.repository()).await.unwrap();
        let read: Vec<_> = listed.iter().map(|entry| (entry.tag.as_str(), entry.digest.clone().unwrap())).collect();
        assert_eq!(read, [("2.0", two), ("1.0", one.clone()), ("latest", one)]);
        assert_eq!(listed[1].pushed, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    }
}

#[tokio::test]
async fn a_tag_goes_and_its_siblings_and_its_image_stay() {
    let (fake, catalog) = ghcr();
    let one = fake.image(&["1.0", "1", "latest"]);
    catalog.untag(&fake.repository(), &tag("1")).await.unwrap();
    assert_eq!(fake.tags(), ["1.0", "latest"]);
    let held: Vec<_> = fake.state().manifests.iter().map(|(digest, _)| digest.clone()).collect();
    assert_eq!(held, [one.to_string()], "nothing is left of the way it was done");
    let writes = fake.writes();
    let versions =
        writes.iter().filter(|write| write.starts_with("DELETE /gh/orgs/team/packages/container/app/versions/"));
    assert_eq!(versions.count(), 2, "{writes:?}");
    assert!(!writes.iter().any(|write| write.starts_with("DELETE /v2/")), "{writes:?}");
    assert_eq!(writes.iter().filter(|write| *write == "PUT /v2/team/app/manifests/1").count(), 1, "{writes:?}");

    // What was proven once is not proven again.
    catalog.untag(&fake.repository(), &tag("latest")).await.unwrap();
    assert_eq!(fake.writes().len(), 2);
}

#[tokio::test]
async fn the_last_tag_stays_where_github_will_not_have_it() {
    let (fake, catalog) = ghcr();
    let one = fake.image(&["latest"]);
    let error = catalog.untag(&fake.repository(), &tag("latest")).await.unwrap_err();
    assert!(error.to_string().contains("last tagged version"), "{error}");
    assert_eq!(fake.state().tags["latest"], one.to_string());
    fake.writes();
}

#[tokio::test]
async fn a_version_is_deleted_by_its_number() {
    let (fake, catalog) = ghcr();
    let one = fake.image(&["1.0", "1"]);
    let two = fake.image(&["2.0"]);
    catalog.tags(&fake.repository()).await.unwrap();
    catalog.delete(&fake.repository(), &one).await.unwrap();
    assert_eq!(fake.writes(), [format!("DELETE /gh/orgs/team/packages/container/app/versions/{}", id(one.as_str()))]);
    assert_eq!(fake.tags(), ["2.0"]);
    assert_eq!(catalog.delete(&fake.repository(), &one).await.unwrap_err().fault, Fault::NotFound);
    assert!(catalog.registry().head_manifest(&fake.repository(), &two).await.unwrap().is_some());
}

#[tokio::test]
async fn the_lacking_scope_is_named_and_the_tag_is_as_it_was() {
    let (fake, catalog) = ghcr();
    let one = fake.image(&["1.0", "latest"]);
    // The first request to the API, after the empty image was pushed by digest.
    fake.instead(answer(403, &json!({"message": "You need at least read:packages scope to list versions."})));
    let error = catalog.untag(&fake.repository(), &tag("latest")).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    let hint = error.problem().hint.unwrap();
    assert!(hint.contains("delete:packages") && hint.contains("packages: write"), "{hint}");
    assert_eq!(fake.state().tags["latest"], one.to_string());
    assert!(!fake.writes().iter().any(|write| write.contains("latest")));
}

#[tokio::test]
async fn githubs_rate_limit_is_waited_for() {
    let (fake, catalog) = ghcr();
    fake.image(&["1.0"]);
    let soon = (std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 2).to_string();
    let limited = Reply(
        403,
        vec![("x-ratelimit-remaining", "0".into()), ("x-ratelimit-reset", soon)],
        br#"{"message":"API rate limit exceeded"}"#.to_vec(),
    );
    fake.instead(Some(limited));
    let before = std::time::Instant::now();
    assert_eq!(catalog.tags(&fake.repository()).await.unwrap().len(), 1);
    assert!(before.elapsed().as_millis() >= 900, "{:?}", before.elapsed());
}
