//! Forges that cannot run here, built from their published contracts: they know commits and their parents, check every request,
//! and keep what was wrong with it. None of them can be written to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::http::Response as Reply;
use rstest::rstest;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::http::HttpSettings;

const TOKEN: &str = "ghs_distinctive0123456789";
const ROOT: &str = "1111111111111111111111111111111111111111";
const MAIN: &str = "2222222222222222222222222222222222222222";
const SIDE: &str = "3333333333333333333333333333333333333333";
const MERGED: &str = "4444444444444444444444444444444444444444";
const ISLAND: &str = "5555555555555555555555555555555555555555";
const GONE: &str = "6666666666666666666666666666666666666666";

/// How the forge feels.
#[derive(Clone, Default)]
enum Mood {
    #[default]
    Well,
    Says(u16, &'static [(&'static str, &'static str)], &'static str),
    Hangs,
    HangsMidway,
    SendsTo(String),
}

#[derive(Default)]
struct Fake {
    kind: Option<ForgeKind>,
    private: bool,
    mood: Mood,
    wrong: Mutex<Vec<String>>,
    seen: Mutex<Vec<String>>,
}

fn parents(commit: &str) -> Option<&'static [&'static str]> {
    Some(match commit {
        ROOT | ISLAND => &[],
        MAIN | SIDE => &[ROOT],
        MERGED => &[MAIN, SIDE],
        _ => return None,
    })
}

fn history(commit: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::from([commit.to_owned()]);
    all.extend(parents(commit).into_iter().flatten().flat_map(|parent| history(parent)));
    all
}

type Query = BTreeMap<String, Vec<String>>;

impl Fake {
    fn wrong(&self, what: String) -> Reply<Body> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        reply(400, "{}")
    }

    async fn answer(&self, request: Request) -> Reply<Body> {
        let token = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
        self.seen.lock().unwrap().push(format!("{} {}", request.uri().path(), token.clone().unwrap_or_default()));
        if request.method() != "GET" {
            return self.wrong(format!("a write: {} {}", request.method(), request.uri()));
        }
        match &self.mood {
            Mood::Well => {}
            Mood::Says(status, headers, body) => {
                let mut reply = reply(*status, body);
                for (name, value) in *headers {
                    reply.headers_mut().insert(*name, value.parse().unwrap());
                }
                return reply;
            }
            Mood::Hangs => return std::future::pending().await,
            Mood::HangsMidway => {
                let first = futures::stream::iter([Ok::<_, std::io::Error>("{\"status\":")]);
                return Reply::new(Body::from_stream(futures::StreamExt::chain(first, futures::stream::pending())));
            }
            Mood::SendsTo(url) => {
                let mut reply = reply(302, "");
                reply.headers_mut().insert("location", url.parse().unwrap());
                return reply;
            }
        }
        let scheme = if matches!(self.kind, Some(ForgeKind::Gitea)) { "token" } else { "Bearer" };
        match &token {
            Some(given) if *given != format!("{scheme} {TOKEN}") => {
                return reply(401, r#"{"message":"Bad credentials"}"#);
            }
            None if self.private => return reply(404, r#"{"message":"404 Project Not Found"}"#),
            _ => {}
        }
        let url = Url::parse(&format!("http://forge{}", request.uri())).unwrap();
        let mut query = Query::new();
        for (name, value) in url.query_pairs() {
            query.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        match self.kind {
            Some(ForgeKind::GitHub) => self.github(url.path(), &query),
            Some(ForgeKind::GitLab) => self.gitlab(url.path(), &query),
            _ => self.gitea(url.path(), &query),
        }
    }

    fn only(&self, query: &Query, known: &[&str]) -> Option<Reply<Body>> {
        let strange = query.keys().find(|name| !known.contains(&name.as_str()))?;
        Some(self.wrong(format!("a query parameter that is not in the contract: {strange}")))
    }

    fn github(&self, path: &str, query: &Query) -> Reply<Body> {
        if let Some(wrong) = self.only(query, &["page", "per_page"]) {
            return wrong;
        }
        let Some((base, head)) = path.strip_prefix("/api/repos/acme/app/compare/").and_then(|r| r.split_once("..."))
        else {
            return self.wrong(format!("an unknown path: {path}"));
        };
        if parents(base).is_none() || parents(head).is_none() {
            return reply(
                404,
                r#"{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}"#,
            );
        }
        let (old, new) = (history(base), history(head));
        let (ahead, behind) = (new.difference(&old).count(), old.difference(&new).count());
        if old.is_disjoint(&new) {
            return reply(
                404,
                &json!({"message": format!("No common ancestor between {base} and {head}.")}).to_string(),
            );
        }
        let status = match (ahead, behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        };
        let body = json!({
            "base_commit": {"sha": base}, "status": status, "ahead_by": ahead, "behind_by": behind,
            "total_commits": ahead, "commits": [{"sha": head}], "files": [{"filename": "a", "patch": "x".repeat(100_000)}],
        });
        reply(200, &body.to_string())
    }

    fn gitlab(&self, path: &str, query: &Query) -> Reply<Body> {
        if let Some(wrong) = self.only(query, &["refs[]"]) {
            return wrong;
        }
        if path != "/api/projects/acme%2Fapp/repository/merge_base" {
            return self.wrong(format!("an unknown path: {path}"));
        }
        let [one, other] = query["refs[]"].as_slice() else {
            return reply(400, r#"{"message":"Provide at least 2 refs"}"#);
        };
        let unknown: Vec<_> = [one, other].into_iter().filter(|c| parents(c).is_none()).cloned().collect();
        if !unknown.is_empty() {
            let message = format!("Could not find ref: {}", unknown.join(", "));
            return reply(400, &json!({ "message": message }).to_string());
        }
        let shared: Vec<_> = history(one).intersection(&history(other)).cloned().collect();
        match shared.iter().max_by_key(|commit| history(commit).len()) {
            Some(best) => reply(200, &json!({"id": best, "short_id": &best[..8], "title": "change"}).to_string()),
            None => reply(404, r#"{"message":"404 Merge Base Not Found"}"#),
        }
    }

    fn gitea(&self, path: &str, query: &Query) -> Reply<Body> {
        let known = ["sha", "path", "since", "until", "stat", "verification", "files", "page", "limit", "not"];
        if let Some(wrong) = self.only(query, &known) {
            return wrong;
        }
        if path != "/api/repos/acme/app/commits" {
            return self.wrong(format!("an unknown path: {path}"));
        }
        let one = |name: &str| query.get(name).map(|values| values[0].clone()).unwrap_or_default();
        let (sha, not) = (one("sha"), one("not"));
        if parents(&sha).is_none() {
            return reply(404, r#"{"message":"object does not exist"}"#);
        }
        if parents(&not).is_none() {
            return reply(500, r#"{"message":""}"#);
        }
        let total = history(&sha).difference(&history(&not)).count();
        let mut reply = reply(200, &json!(if total > 0 { vec![json!({"sha": sha})] } else { vec![] }).to_string());
        reply.headers_mut().insert("x-total", total.to_string().parse().unwrap());
        reply
    }
}

fn reply(status: u16, body: &str) -> Reply<Body> {
    Reply::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// Serves until the test's runtime ends. Gives the address of its API.
async fn serve(fake: Arc<Fake>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(move |request: Request| {
        let fake = Arc::clone(&fake);
        async move { fake.answer(request).await }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url.parse().unwrap()
}

async fn forge(kind: ForgeKind, fake: Fake, token: Option<&str>) -> (Forge, Arc<Fake>) {
    let fake = Arc::new(Fake { kind: Some(kind), ..fake });
    let api = serve(Arc::clone(&fake)).await;
    let clients = Clients::new(HttpSettings::default());
    (Forge { kind, api, repository: "acme/app".to_owned(), token: token.map(Secret::new), clients }, fake)
}

const ALL: [ForgeKind; 3] = [ForgeKind::GitHub, ForgeKind::GitLab, ForgeKind::Gitea];

#[rstest]
#[case(ROOT, MERGED, Relation::Earlier)]
#[case(SIDE, MERGED, Relation::Earlier)]
#[case(MERGED, MAIN, Relation::Later)]
#[case(SIDE, MAIN, Relation::Apart)]
#[case(MERGED, ISLAND, Relation::Apart)]
#[case(ISLAND, MERGED, Relation::Apart)]
#[tokio::test]
async fn every_forge_tells(#[case] older: &str, #[case] newer: &str, #[case] expected: Relation) {
    for kind in ALL {
        for (private, token) in [(true, Some(TOKEN)), (false, None)] {
            let (forge, fake) = forge(kind, Fake { private, ..Fake::default() }, token).await;
            assert_eq!(forge.relation(older, newer).await, Ok(expected), "{kind:?}");
            assert_eq!(*fake.wrong.lock().unwrap(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn commits_and_repositories_that_are_not_shown() {
    for kind in ALL {
        let (open, fake) = forge(kind, Fake::default(), Some(TOKEN)).await;
        assert_eq!(open.relation(GONE, MAIN).await, Err(Silence::UnknownCommit("")), "{kind:?}");
        assert!(open.relation(MAIN, GONE).await.is_err(), "{kind:?}");
        let (stranger, _) = forge(kind, Fake { private: true, ..Fake::default() }, None).await;
        let said = stranger.relation(ROOT, MAIN).await.unwrap_err().to_string();
        assert_eq!(said, "does not know one of the commits, or does not show them without a token", "{kind:?}");
        let (wrong, _) = forge(kind, Fake::default(), Some("stale")).await;
        let said = wrong.relation(ROOT, MAIN).await.unwrap_err().to_string();
        assert_eq!(said, "refused: its token may not read this repository (HTTP 401)", "{kind:?}");
        assert_eq!(*fake.wrong.lock().unwrap(), Vec::<String>::new());
    }
}

#[rstest]
#[case(Mood::Says(403, &[], r#"{"message":"Resource not accessible by integration"}"#), "refused: its token may not read this repository (HTTP 403)")]
#[case(Mood::Says(403, &[("x-ratelimit-remaining", "0")], "{}"), "answers no more of these questions for now (HTTP 403)")]
#[case(Mood::Says(429, &[("retry-after", "60")], ""), "answers no more of these questions for now (HTTP 429)")]
#[case(Mood::Says(500, &[], r#"{"message":"oops\u001b[31m"}"#), "answered with HTTP 500: oops[31m")]
#[case(Mood::Says(502, &[], "<html>bad gateway</html>"), "answered with HTTP 502")]
#[tokio::test]
async fn trouble_is_told_and_not_retried(#[case] mood: Mood, #[case] expected: &str) {
    for kind in ALL {
        let (forge, fake) = forge(kind, Fake { mood: mood.clone(), ..Fake::default() }, Some(TOKEN)).await;
        assert_eq!(forge.relation(ROOT, MAIN).await.unwrap_err().to_string(), expected, "{kind:?}");
        assert_eq!(fake.seen.lock().unwrap().len(), 1);
    }
}

#[rstest]
#[case("<!doctype html><title>Sign in</title>")]
#[case("")]
#[case("[]")]
#[case(r#"{"status":7,"id":{}}"#)]
#[case(r#"{"status":"sideways"}"#)]
#[tokio::test]
async fn an_answer_that_is_none_tells_nothing(#[case] body: &'static str) {
    for kind in ALL {
        let (forge, _) = forge(kind, Fake { mood: Mood::Says(200, &[], body), ..Fake::default() }, None).await;
        assert!(matches!(forge.relation(ROOT, MAIN).await, Err(Silence::Failed(_))), "{kind:?}");
    }
}

#[rstest]
#[case(Mood::Hangs)]
#[case(Mood::HangsMidway)]
#[tokio::test]
async fn a_forge_that_hangs_is_left_after_a_few_seconds(#[case] mood: Mood) {
    let (forge, _) = forge(ForgeKind::GitHub, Fake { mood, ..Fake::default() }, None).await;
    let began = std::time::Instant::now();
    let said = forge.relation(ROOT, MAIN).await.unwrap_err().to_string();
    assert_eq!(said, "gave no answer within 5 s");
    assert!(began.elapsed() < PATIENCE + Duration::from_secs(2));
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let body: &'static str = Box::leak("x".repeat(MAX_ANSWER + 1).into_boxed_str());
    let (forge, _) = forge(ForgeKind::GitHub, Fake { mood: Mood::Says(200, &[], body), ..Fake::default() }, None).await;
    assert_eq!(forge.relation(ROOT, MAIN).await, Err(Silence::Failed(format!("sent more than {MAX_ANSWER} bytes"))));
}

#[tokio::test]
async fn the_token_stays_with_its_host() {
    for kind in ALL {
        let stranger = Arc::new(Fake { kind: Some(kind), ..Fake::default() });
        // `localhost` is another host than `127.0.0.1`, where both fakes are.
        let elsewhere = serve(Arc::clone(&stranger)).await.to_string().replace("127.0.0.1", "localhost");
        let mood = Mood::SendsTo(format!("{elsewhere}stolen"));
        let (forge, fake) = forge(kind, Fake { mood, ..Fake::default() }, Some(TOKEN)).await;
        let _ = forge.relation(ROOT, MAIN).await;
        assert!(fake.seen.lock().unwrap()[0].contains(TOKEN), "{kind:?}");
        let got = stranger.seen.lock().unwrap().clone();
        assert!(got.len() == 1 && !got[0].contains(TOKEN), "{kind:?}: {got:?}");
    }
}

#[tokio::test]
async fn nobody_there() {
    let clients = Clients::new(HttpSettings::default());
    // Held, and nobody listens.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let api = format!("http://{}/", held.local_addr().unwrap()).parse().unwrap();
    let forge = Forge { kind: ForgeKind::GitHub, api, repository: "acme/app".into(), token: None, clients };
    assert_eq!(forge.relation(ROOT, MAIN).await, Err(Silence::Failed("cannot be reached".into())));
}
