//! The event file of GitHub, Gitea and Forgejo: the few fields that decide something, read in bounded memory.
//!
//! A pull request's author writes large parts of that file, so nothing in it is believed beyond its type.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use serde::Deserialize;

/// GitHub caps webhook payloads at 25 MB; more than this is no event.
const SIZE_LIMIT: u64 = 32 * 1024 * 1024;

/// What an event tells us. Absent fields are `None`; a field of the wrong type makes the whole file unreadable.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, reason = "the webhook's own names")]
pub(super) struct Payload {
    pub(super) number: Option<u64>,
    pub(super) pull_request: Option<PullRequest>,
    pub(super) issue: Option<Issue>,
    pub(super) release: Option<Release>,
    pub(super) repository: Option<Repository>,
    pub(super) workflow_run: Option<WorkflowRun>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PullRequest {
    pub(super) number: Option<u64>,
    pub(super) head: Side,
    pub(super) base: Side,
}

/// One end of a pull request. `repo` is null once a fork is deleted.
#[derive(Debug, Deserialize)]
pub(super) struct Side {
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) sha: Option<String>,
    pub(super) repo: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: Option<String>,
    pub(super) default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Release {
    pub(super) tag_name: Option<String>,
}

/// Set on comments; `pull_request` is there when the issue is one.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WorkflowRun {
    pub(super) event: Option<String>,
    pub(super) head_repository: Option<Repository>,
}

/// Reads the event file. The error says why not, for people.
pub(super) fn read(path: Option<&Path>) -> Result<Payload, String> {
    let path = path.ok_or("GITHUB_EVENT_PATH is not set")?;
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(told)?;
    let metadata = file.metadata().map_err(told)?;
    if !metadata.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    if metadata.len() > SIZE_LIMIT {
        return Err(format!("{} is larger than any event, {} bytes", path.display(), metadata.len()));
    }
    serde_json::from_reader(BufReader::new(file.take(SIZE_LIMIT)))
        .map_err(|error| format!("{} is not an event: {error}", path.display()))
}
