//! GitLab: the gitlab crate's requests on our own road. Its own client asks the server before the first request, never asks
//! again, and knows neither our CA nor our proxies.

use async_trait::async_trait;
use bytes::Bytes;
use gitlab::api::common::SortOrder;
use gitlab::api::projects::merge_requests::notes::{
    CreateMergeRequestNote, EditMergeRequestNote, MergeRequestNotes, NoteOrderBy,
};
use gitlab::api::projects::repository::commits::{CommitStatusState, CreateCommitStatus};
use gitlab::api::users::CurrentUser;
use gitlab::api::{ApiError, AsyncClient, AsyncQuery, Endpoint, Pagination, RestClient, ignore, paged};
use http::Response;
use http::header::CONTENT_TYPE;
use http::request::Builder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::author::{Me, Standing};
use super::place::Place;
use super::trouble::{Said, Trouble};
use super::wire::Wire;
use super::word::{State, clip_bytes, clip_markdown};

/// GitLab counts characters, the crate counts bytes and refuses to send more.
const TEXT: usize = 255;
/// Bytes of a note; GitLab takes a million characters.
const NOTE: usize = 500_000;
/// Notes on a request that are looked through, those of the system included.
const NOTES: usize = 1000;

/// GitLab's API for one place.
#[derive(Debug)]
pub(super) struct GitLab {
    wire: Wire,
    place: Place,
    context: String,
}

impl GitLab {
    pub(super) fn new(wire: Wire, place: Place, context: String) -> Self {
        Self { wire, place, context }
    }

    /// The status is a job of this pipeline.
    pub(super) async fn status(&self, state: State, description: &str) -> Result<(), Trouble> {
        let state = match state {
            State::Pending => CommitStatusState::Running,
            State::Success => CommitStatusState::Success,
            State::Failure | State::Error => CommitStatusState::Failed,
            State::Cancelled => CommitStatusState::Canceled,
        };
        let mut status = CreateCommitStatus::builder();
        status
            .project(self.place.repository.as_str())
            .commit(self.place.commit.as_str())
            .state(state)
            .name(self.context.as_str())
            .description(clip_bytes(description, TEXT));
        if let Some(link) = self.place.link.as_ref().filter(|link| link.len() <= TEXT) {
            status.target_url(link.as_str());
        }
        if let Some(pipeline) = self.place.pipeline {
            status.pipeline_id(pipeline);
        }
        match self.send(status.build().map_err(unusable)?).await {
            // It is in that state already.
            Err(Trouble::Refused(Said { status: 400, words })) if words.contains("Cannot transition status") => Ok(()),
            other => other,
        }
    }

    pub(super) async fn me(&self) -> Result<Me, Trouble> {
        let user: User = self.ask(CurrentUser::builder().build().map_err(unusable)?).await?;
        Ok(Me::Login(user.username))
    }

    pub(super) async fn notes(&self, request: u64) -> Result<Vec<Standing>, Trouble> {
        let notes = MergeRequestNotes::builder()
            .project(self.place.request_project.as_str())
            .merge_request(request)
            .order_by(NoteOrderBy::CreatedAt)
            .sort(SortOrder::Ascending)
            .build()
            .map_err(unusable)?;
        let notes: Vec<Note> = self.ask(paged(notes, Pagination::Limit(NOTES))).await?;
        if notes.len() >= NOTES {
            return Err(Trouble::Crowded);
        }
        Ok(notes.into_iter().filter(|note| !note.system).map(Note::standing).collect())
    }

    pub(super) async fn add_note(&self, request: u64, body: &str) -> Result<(), Trouble> {
        let note = CreateMergeRequestNote::builder()
            .project(self.place.request_project.as_str())
            .merge_request(request)
            .body(clip_markdown(body, NOTE))
            .build();
        self.send(note.map_err(unusable)?).await
    }

    pub(super) async fn edit_note(&self, request: u64, id: u64, body: &str) -> Result<(), Trouble> {
        let note = EditMergeRequestNote::builder()
            .project(self.place.request_project.as_str())
            .merge_request(request)
            .note(id)
            .body(clip_markdown(body, NOTE))
            .build();
        self.send(note.map_err(unusable)?).await
    }

    async fn send(&self, endpoint: impl Endpoint + Sync) -> Result<(), Trouble> {
        ignore(endpoint).query_async(&self.wire).await.map_err(trouble)
    }

    async fn ask<T: DeserializeOwned>(&self, question: impl AsyncQuery<T, Wire>) -> Result<T, Trouble> {
        question.query_async(&self.wire).await.map_err(trouble)
    }
}

#[derive(Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Debug, Deserialize)]
struct Note {
    id: u64,
    author: User,
    body: String,
    #[serde(default)]
    system: bool,
}

impl Note {
    fn standing(self) -> Standing {
        Standing { id: self.id, author: self.author.username, robot: false, body: self.body }
    }
}

impl RestClient for Wire {
    type Error = Trouble;

    fn rest_endpoint(&self, endpoint: &str) -> Result<Url, ApiError<Trouble>> {
        Ok(self.below(endpoint)?)
    }
}

#[async_trait]
impl AsyncClient for Wire {
    async fn rest_async(&self, request: Builder, body: Vec<u8>) -> Result<Response<Bytes>, ApiError<Trouble>> {
        let unsendable = |what: String| ApiError::client(Trouble::Unusable(what));
        let (parts, ()) = request.body(()).map_err(|error| unsendable(error.to_string()))?.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| unsendable(error.to_string()))?;
        let kind = parts.headers.get(CONTENT_TYPE).cloned();
        self.call(parts.method, url, kind, body.into()).await.map_err(ApiError::client)
    }
}

fn trouble(error: ApiError<Trouble>) -> Trouble {
    match error {
        ApiError::Client { source } => source,
        other => Trouble::Unusable(super::word::clip_chars(&other.to_string(), 200)),
    }
}

fn unusable(error: impl std::fmt::Display) -> Trouble {
    Trouble::Unusable(error.to_string())
}
