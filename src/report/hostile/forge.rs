//! What a forge is sent of such a run, taken from the requests themselves: statuses, check runs with their remarks, notes.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request as Asked;
use axum::http::{Method, Response as Reply};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::reader::{catchy, loose, shape};
use super::{document, model, run, texts};
use crate::forge::{self, Word};
use crate::outcome::Outcome;
use crate::report::document::Document;
use crate::report::fixtures;
use crate::report::word::{BEGUN, word};
use crate::request::Request;
use crate::runner::{ForgeKind, ForgeRegistry, PullRequest};
use crate::secret::Secret;

/// A write: where to, and its fields.
struct Sent {
    path: String,
    fields: Value,
}

impl Sent {
    fn text(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or_else(|| panic!("{} has no {name}: {}", self.path, self.fields))
    }
}

/// A forge that takes everything.
struct Forge {
    kind: ForgeKind,
    address: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Forge {
    async fn start(kind: ForgeKind) -> Self {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let kept = sent.clone();
        let app = axum::Router::new().fallback(move |request: Asked| {
            let kept = kept.clone();
            async move { answer(&kept, request).await }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { kind, address, sent }
    }

    /// Everything that is written of a run, from its first word to its last.
    async fn told(&self, word: &Word) -> Vec<Sent> {
        let mut session = forge::start(&self.request(), BEGUN).expect("a forge that is told");
        let warning = session.finish(word, &CancellationToken::new(), None).await;
        assert_eq!(warning, None);
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    fn request(&self) -> Request {
        let mut request = crate::plan::tests::request("version: 1\nreport: {comment: true}\n");
        request.context = fixtures::context(self.kind);
        request.context.api_url = Some(self.address.clone());
        request.context.pull_request = Some(PullRequest {
            number: 7,
            head_ref: "topic".into(),
            base_ref: "main".into(),
            head_sha: request.context.commit.clone(),
            head_repository: request.context.repository.clone(),
        });
        request.context.registry = Some(ForgeRegistry {
            host: "forge.example".into(),
            user: "bot".into(),
            secret: Secret::new("hush"),
            variable: "GITHUB_TOKEN".into(),
        });
        request.vars = [("GITLAB_TOKEN".to_owned(), "hush".to_owned())].into_iter().collect();
        request
    }
}

async fn answer(kept: &Mutex<Vec<Sent>>, request: Asked) -> Reply<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let (status, answer) = match parts.method {
        Method::GET if path.ends_with("/user") => (200, json!({"login": "bot", "username": "bot", "type": "Bot"})),
        Method::GET => (200, json!([])),
        _ => {
            let form = || url::form_urlencoded::parse(&body).map(|(k, v)| (k.into_owned(), json!(v))).collect();
            let fields = serde_json::from_slice(&body).unwrap_or_else(|_| Value::Object(form()));
            kept.lock().unwrap().push(Sent { path, fields });
            (201, json!({"id": 1}))
        }
    };
    let reply = Reply::builder().status(status).header("content-type", "application/json");
    reply.body(Body::from(answer.to_string())).unwrap()
}

/// The status that tells how it ended: after the first one, of a run that begins.
fn last_status(sent: &[Sent]) -> &Sent {
    let statuses: Vec<&Sent> = sent.iter().filter(|write| write.path.contains("/statuses/")).collect();
    assert_eq!(statuses.len(), 2);
    assert_eq!(statuses[0].text("description"), BEGUN);
    statuses[1]
}

fn note(sent: &[Sent]) -> &str {
    let mut notes = sent.iter().filter(|write| write.path.ends_with("/comments") || write.path.ends_with("/notes"));
    let (note, none) = (notes.next().expect("a note"), notes.next());
    assert!(none.is_none(), "one note");
    note.text("body")
}

/// One line that nobody interprets.
#[track_caller]
fn judge_line(case: &str, line: &str) {
    assert!(!line.trim().is_empty() && !line.chars().any(char::is_control), "{case}: {line:?}");
    assert_eq!(model::terminal_commands(line), [""; 0], "{case}: {line:?}");
}

/// The shapes of calm runs, whose text names a file of the repository, and one that does not.
fn calm_shapes(of: impl Fn(Word) -> String) -> [Vec<String>; 2] {
    ["calm", "/calm"].map(|text| shape(&of(word(&document(text)))))
}

#[track_caller]
fn judge_markdown(case: &str, markdown: &str, calm: &[Vec<String>]) {
    assert!(calm.contains(&shape(markdown)), "{case}\n{markdown}");
    assert_eq!(catchy(markdown), [""; 0], "{case}\n{markdown}");
}

/// A summary as it was sent: whole, or cut where nothing is open, which is told outside of any code. Says whether it was cut.
#[track_caller]
fn judge_cut(case: &str, summary: &str, whole: &str) -> bool {
    assert!(summary.len() <= 65_535, "{case}: {}", summary.len());
    assert_eq!(catchy(summary), [""; 0], "{case}");
    let cut = summary != whole;
    let last = loose(summary).pop().unwrap_or_default();
    assert_eq!(last.starts_with("The rest did not fit here"), cut, "{case}: {last}");
    cut
}

#[tokio::test]
async fn no_status_says_more_than_words_and_none_is_too_long() {
    for kind in [ForgeKind::GitHub, ForgeKind::GitLab, ForgeKind::Gitea, ForgeKind::Forgejo] {
        let forge = Forge::start(kind).await;
        for (name, text) in texts() {
            let case = format!("{name} on {kind:?}");
            let word = word(&Document::new(&run(&text, kind)));
            let sent = forge.told(&word).await;
            let line = last_status(&sent).text("description");
            judge_line(&case, line);
            let fits = match kind {
                ForgeKind::GitHub => line.chars().count() <= 140,
                ForgeKind::GitLab => line.len() <= 255,
                _ => line.chars().count() <= 255,
            };
            assert!(fits, "{case}: {line}");
            let kept = line.strip_suffix('…').filter(|kept| word.description.starts_with(kept));
            assert!(line == word.description || kept.is_some(), "{case}: {line}");
        }
    }
}

#[tokio::test]
async fn no_note_names_anybody_or_anything_and_each_keeps_its_own_mark() {
    let marked = |note: &str| format!("<!-- stagefreight:note:x -->\n{note}");
    let calm = calm_shapes(|word| marked(&word.note));
    for kind in [ForgeKind::GitHub, ForgeKind::GitLab, ForgeKind::Gitea, ForgeKind::Forgejo] {
        let forge = Forge::start(kind).await;
        for (name, text) in texts() {
            let case = format!("{name} on {kind:?}");
            let sent = forge.told(&word(&Document::new(&run(&text, kind)))).await;
            let (mark, body) = note(&sent).split_once('\n').unwrap();
            assert!(mark.starts_with("<!-- stagefreight:note:") && mark.ends_with(" -->"), "{case}: {mark}");
            assert!(body.starts_with("### ❌ "), "{case}: {body}");
            judge_markdown(&case, &marked(body), &calm);
        }
    }
}

/// A run whose remarks have lines to stand on, which an attack is none of.
fn placed(text: &str) -> Document {
    let mut document = document(text);
    for build in &mut document.builds {
        let failed = build.build_failure.iter_mut();
        let errors = failed.flat_map(|failure| {
            failure.errors.iter_mut().filter_map(|error| error.location.as_mut()).chain(&mut failure.dockerfile)
        });
        errors.for_each(|at| at.file = "Dockerfile".to_owned());
        let problems = build.failure.iter_mut().flat_map(|failure| &mut failure.problems);
        problems.filter_map(|problem| problem.location.as_mut()).for_each(|at| at.file = "src/main.rs".to_owned());
    }
    document
}

#[tokio::test]
async fn no_check_run_holds_a_line_that_is_not_ours() {
    let calm = calm_shapes(|word| word.summary);
    let forge = Forge::start(ForgeKind::GitHub).await;
    for (name, text) in texts() {
        let word = word(&placed(&text));
        judge_markdown(&name, &word.summary, &calm);
        let sent = forge.told(&word).await;
        let checks: Vec<&Value> = sent
            .iter()
            .filter(|write| write.path.contains("/check-runs"))
            .map(|write| &write.fields["output"])
            .collect();
        assert!(!checks.is_empty(), "{name}");
        for output in checks {
            let title = output["title"].as_str().unwrap();
            judge_line(&name, title);
            assert!(title.chars().count() <= 255, "{name}: {title}");
            judge_cut(&name, output["summary"].as_str().unwrap(), &word.summary);
            let remarks = output["annotations"].as_array().unwrap_or_else(|| panic!("{name}: {output}"));
            assert!((1..=50).contains(&remarks.len()), "{name}");
            for remark in remarks {
                let path = remark["path"].as_str().unwrap();
                judge_line(&name, path);
                assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{name}: {path}");
                assert!(remark["start_line"].as_u64() >= Some(1), "{name}");
                let (title, message) = (remark["title"].as_str().unwrap(), remark["message"].as_str().unwrap());
                judge_line(&name, title);
                assert!(title.chars().count() <= 255 && message.len() <= 64 << 10, "{name}");
                message.lines().filter(|line| !line.is_empty()).for_each(|line| judge_line(&name, line));
            }
        }
    }
}

/// So many builds that the summary does not fit.
fn crowd(text: &str) -> Outcome {
    let mut outcome = run(text, ForgeKind::GitHub);
    outcome.builds = (0..40).map(|n| outcome.builds[n % 3].clone()).collect();
    outcome
}

#[tokio::test]
async fn a_summary_that_is_cut_opens_nothing_either() {
    let forge = Forge::start(ForgeKind::GitHub).await;
    let mut cut = 0;
    for (name, text) in texts() {
        let word = word(&Document::new(&crowd(&text)));
        let sent = forge.told(&word).await;
        let check = sent.iter().find(|write| write.path.ends_with("/check-runs")).unwrap();
        cut += usize::from(judge_cut(&name, check.fields["output"]["summary"].as_str().unwrap(), &word.summary));
    }
    assert!(cut >= 20, "{cut} were cut");
}
