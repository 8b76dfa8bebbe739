//! GitHub, github.com and Enterprise Server: octocrab's requests on our own road.
//!
//! Only that an answer is a success counts for a write. octocrab reads the whole of it into types that name dozens of fields; one
//! that an Enterprise Server leaves out would make a failure of a write that stands.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use octocrab::models::StatusState;
use octocrab::params::checks::{
    CheckRunConclusion, CheckRunOutput, CheckRunOutputAnnotation, CheckRunOutputAnnotationLevel, CheckRunStatus,
};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use serde::Deserialize;
use serde_json::json;

use super::author::{Me, Standing};
use super::place::{Place, Token};
use super::trouble::Trouble;
use super::wire::Wire;
use super::word::{Level, Remark, State, Word, clip_bytes, clip_chars, clip_markdown};

/// Characters of a description; GitHub refuses more, which its own API description does not say.
const DESCRIPTION: usize = 140;
/// Bytes of a check's summary.
const SUMMARY: usize = 65_535;
/// Remarks in one request; more of them follow by PATCH.
const REMARKS: usize = 50;
/// Remarks of one run. More are noise, and each fifty are one more request at the end of the job.
const ALL_REMARKS: usize = 150;
/// Bytes of a remark.
const MESSAGE: usize = 64 << 10;
/// Characters of a remark's title.
const TITLE: usize = 255;
/// Characters of a note, a margin below GitHub's 65536.
const NOTE: usize = 65_000;
/// Comments on a request that are looked through, a hundred at a time.
const PAGES: u32 = 10;

/// GitHub's API for one place.
#[derive(Debug)]
pub(super) struct GitHub {
    crab: Octocrab,
    place: Place,
    token: Token,
    context: String,
}

impl GitHub {
    pub(super) fn new(wire: Wire, place: Place, token: Token, context: String) -> Result<Self, Trouble> {
        place.owner_and_name()?;
        let builder = OctocrabBuilder::new_empty().with_service(Carrier(wire)).with_auth(AuthState::None);
        let crab = match builder.build() {
            Ok(crab) => crab,
            Err(never) => match never {},
        };
        Ok(Self { crab, place, token, context })
    }

    pub(super) async fn status(&self, state: State, description: &str) -> Result<(), Trouble> {
        let (owner, name) = self.place.owner_and_name()?;
        let state = match state {
            State::Pending => StatusState::Pending,
            State::Success => StatusState::Success,
            State::Failure => StatusState::Failure,
            State::Error | State::Cancelled => StatusState::Error,
        };
        let repository = self.crab.repos(owner, name);
        let mut status = repository
            .create_status(self.place.commit.clone(), state)
            .context(self.context.clone())
            .description(clip_chars(description, DESCRIPTION));
        if let Some(link) = &self.place.link {
            status = status.target(link.clone());
        }
        written(status.send().await)
    }

    /// One completed check run, with as many remarks as fit into the request; the others are added to it.
    pub(super) async fn check(&self, word: &Word) -> Result<(), Trouble> {
        if self.token.is_personal() {
            return Err(Trouble::Personal);
        }
        let (owner, name) = self.place.owner_and_name()?;
        let conclusion = match word.state {
            State::Success => CheckRunConclusion::Success,
            State::Failure | State::Error => CheckRunConclusion::Failure,
            State::Cancelled => CheckRunConclusion::Cancelled,
            State::Pending => CheckRunConclusion::Neutral,
        };
        let mut remarks = word.remarks.iter().take(ALL_REMARKS).map(remark);
        let output = |annotations| CheckRunOutput {
            title: clip_chars(&word.title, TITLE),
            summary: clip_markdown(&word.summary, SUMMARY),
            text: None,
            annotations,
            images: Vec::new(),
        };
        // octocrab's own request reads the whole answer. All that is needed is the id, and without it no remark could follow.
        let mut body = json!({
            "name": self.context,
            "head_sha": self.place.commit,
            "status": CheckRunStatus::Completed,
            "conclusion": conclusion,
            "output": output(remarks.by_ref().take(REMARKS).collect()),
        });
        if let Some(link) = &self.place.link {
            body["details_url"] = json!(link);
        }
        let made: Made = read(self.crab.post(format!("/repos/{owner}/{name}/check-runs"), Some(&body)).await)?;
        loop {
            let more: Vec<_> = remarks.by_ref().take(REMARKS).collect();
            if more.is_empty() {
                return Ok(());
            }
            // Its own update puts a `check_run_id` into the body, which the API does not know.
            let route = format!("/repos/{owner}/{name}/check-runs/{}", made.id);
            let body = json!({ "output": output(more) });
            written(self.crab.patch::<serde_json::Value, _, _>(route, Some(&body)).await)?;
        }
    }

    pub(super) async fn me(&self) -> Result<Me, Trouble> {
        if self.token.is_of_an_app() {
            return Ok(Me::App);
        }
        match read(self.crab.get::<User, _, ()>("/user", None).await) {
            Ok(user) => Ok(Me::Login(user.login)),
            // Only people may ask.
            Err(Trouble::Forbidden(_)) => Ok(Me::App),
            Err(trouble) => Err(trouble),
        }
    }

    pub(super) async fn notes(&self, request: u64) -> Result<Vec<Standing>, Trouble> {
        let (owner, name) = self.place.owner_and_name()?;
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let route = format!("/repos/{owner}/{name}/issues/{request}/comments");
            let query = [("per_page", 100), ("page", page)];
            let notes = read(self.crab.get::<Vec<Note>, _, _>(route, Some(&query)).await)?;
            let last = notes.len() < 100;
            all.extend(notes.into_iter().filter_map(Note::standing));
            if last {
                return Ok(all);
            }
        }
        Err(Trouble::Crowded)
    }

    pub(super) async fn add_note(&self, request: u64, body: &str) -> Result<(), Trouble> {
        let (owner, name) = self.place.owner_and_name()?;
        written(self.crab.issues(owner, name).create_comment(request, clip_markdown(body, NOTE)).await)
    }

    pub(super) async fn edit_note(&self, id: u64, body: &str) -> Result<(), Trouble> {
        let (owner, name) = self.place.owner_and_name()?;
        // octocrab's own update sends a POST, which the API does not know.
        let route = format!("/repos/{owner}/{name}/issues/comments/{id}");
        let body = json!({ "body": clip_markdown(body, NOTE) });
        written(self.crab.patch::<serde_json::Value, _, _>(route, Some(&body)).await)
    }
}

#[derive(Deserialize)]
struct Made {
    id: u64,
}

#[derive(Deserialize)]
struct User {
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Note {
    id: u64,
    /// Of an account that is gone there is none.
    user: Option<User>,
    #[serde(default)]
    body: Option<String>,
}

impl Note {
    fn standing(self) -> Option<Standing> {
        let user = self.user?;
        let robot = user.kind == "Bot";
        Some(Standing { id: self.id, author: user.login, robot, body: self.body.unwrap_or_default() })
    }
}

fn remark(remark: &Remark) -> CheckRunOutputAnnotation {
    CheckRunOutputAnnotation {
        path: remark.path.clone(),
        start_line: remark.line,
        end_line: remark.line,
        start_column: remark.column,
        end_column: remark.column,
        annotation_level: match remark.level {
            Level::Failure => CheckRunOutputAnnotationLevel::Failure,
            Level::Warning => CheckRunOutputAnnotationLevel::Warning,
        },
        message: clip_bytes(&remark.message, MESSAGE),
        title: Some(clip_chars(&remark.title, TITLE)),
        raw_details: None,
    }
}

/// A write: trouble on the road is trouble; an answer that octocrab cannot read is none.
fn written<T>(result: octocrab::Result<T>) -> Result<(), Trouble> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => on_the_road(&error).map_or(Ok(()), Err),
    }
}

/// A question: its answer must be read.
fn read<T>(result: octocrab::Result<T>) -> Result<T, Trouble> {
    result.map_err(|error| {
        let unread = || Trouble::Unusable("it answered something else than its API should".to_owned());
        on_the_road(&error).unwrap_or_else(unread)
    })
}

fn on_the_road(error: &octocrab::Error) -> Option<Trouble> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(trouble) = error.downcast_ref::<Trouble>() {
            return Some(trouble.clone());
        }
        cause = error.source();
    }
    None
}

/// Carries octocrab's requests over our road.
#[derive(Debug, Clone)]
struct Carrier(Wire);

impl tower_service::Service<Request<OctoBody>> for Carrier {
    type Response = Response<Full<Bytes>>;
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Trouble>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<OctoBody>) -> Self::Future {
        let wire = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let unusable = |what: String| Trouble::Unusable(what);
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            let url = wire.below(path).map_err(|error| unusable(error.to_string()))?;
            let body = body.collect().await.map_err(|error| unusable(error.to_string()))?.to_bytes();
            let kind = (!body.is_empty()).then(|| {
                parts.headers.get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static("application/json"))
            });
            Ok(wire.call(parts.method, url, kind, body).await?.map(Full::new))
        })
    }
}
