//! Gitea and Forgejo: the few requests there are. Contract: Gitea routers/api/v1/repo/{status,issue_comment}.go, and the same in
//! Forgejo.

use http::header::HeaderValue;
use http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::author::{Me, Standing};
use super::place::Place;
use super::trouble::Trouble;
use super::wire::Wire;
use super::word::{State, clip_chars, clip_markdown};

/// Characters of a description. The servers take more; nobody reads it.
const DESCRIPTION: usize = 255;
/// Bytes of a note, what a TEXT column of MySQL holds.
const NOTE: usize = 65_000;

/// The API for one place.
#[derive(Debug)]
pub(super) struct Gitea {
    wire: Wire,
    place: Place,
    context: String,
}

impl Gitea {
    pub(super) fn new(wire: Wire, place: Place, context: String) -> Result<Self, Trouble> {
        place.owner_and_name()?;
        Ok(Self { wire, place, context })
    }

    pub(super) async fn status(&self, state: State, description: &str) -> Result<(), Trouble> {
        let state = match state {
            State::Pending => "pending",
            State::Success => "success",
            State::Failure => "failure",
            State::Error | State::Cancelled => "error",
        };
        let mut body = json!({
            "state": state,
            "context": self.context,
            "description": clip_chars(description, DESCRIPTION),
        });
        if let Some(link) = &self.place.link {
            body["target_url"] = json!(link);
        }
        self.send(Method::POST, &self.path(&format!("statuses/{}", self.place.commit)), &body).await
    }

    /// The users that the automatic tokens of jobs write as may not ask who they are.
    pub(super) async fn me(&self) -> Result<Me, Trouble> {
        match self.get::<User>("user").await {
            Ok(user) => Ok(Me::Login(user.login)),
            Err(Trouble::Forbidden(_) | Trouble::NotFound(_)) => Ok(Me::App),
            Err(trouble) => Err(trouble),
        }
    }

    /// All of them: this list has no pages.
    pub(super) async fn notes(&self, request: u64) -> Result<Vec<Standing>, Trouble> {
        let notes: Vec<Note> = self.get(&self.path(&format!("issues/{request}/comments"))).await?;
        Ok(notes.into_iter().filter_map(Note::standing).collect())
    }

    pub(super) async fn add_note(&self, request: u64, body: &str) -> Result<(), Trouble> {
        let path = self.path(&format!("issues/{request}/comments"));
        self.send(Method::POST, &path, &json!({ "body": clip_markdown(body, NOTE) })).await
    }

    pub(super) async fn edit_note(&self, id: u64, body: &str) -> Result<(), Trouble> {
        let path = self.path(&format!("issues/comments/{id}"));
        self.send(Method::PATCH, &path, &json!({ "body": clip_markdown(body, NOTE) })).await
    }

    fn path(&self, rest: &str) -> String {
        format!("repos/{}/{rest}", self.place.repository)
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<(), Trouble> {
        self.ask(method, path, Some(body)).await.map(drop)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let answer = self.ask(Method::GET, path, None).await?;
        serde_json::from_slice(answer.body())
            .map_err(|_| Trouble::Unusable("it answered something else than its API should".to_owned()))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<bytes::Bytes>, Trouble> {
        let url = self.wire.below(path).map_err(|error| Trouble::Unusable(error.to_string()))?;
        let kind = body.map(|_| HeaderValue::from_static("application/json"));
        self.wire.call(method, url, kind, body.map(Value::to_string).unwrap_or_default().into()).await
    }
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Note {
    id: u64,
    user: Option<User>,
    #[serde(default)]
    body: String,
}

impl Note {
    fn standing(self) -> Option<Standing> {
        let author = self.user?.login;
        // Names that nobody can register (Gitea models/user/user_system.go; Forgejo the same under its own name).
        let robot = matches!(author.as_str(), "gitea-actions" | "forgejo-actions");
        Some(Standing { id: self.id, author, robot, body: self.body })
    }
}
