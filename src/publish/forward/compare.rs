//! Asks the forge which of two commits came first: one or two small reads, five seconds at most, no retry.
//!
//! Plain HTTP, and only questions: what is written to the forge has a room of its own, `forge`. The token goes to the API's own
//! host only, and no run that is not trusted gets here.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use url::Url;

use super::history::Relation;
use crate::environment::Vars;
use crate::http::{Clients, Trust};
use crate::runner::{CiContext, ForgeKind};
use crate::secret::Secret;

/// How long the forge may take for all of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer read. GitHub's first page lists up to 300 changed files with their patches.
const MAX_ANSWER: usize = 8 << 20;
/// How much of an error is read.
const MAX_ERROR: usize = 16 << 10;

/// The forge's API, as the runner names it.
#[derive(Debug)]
pub(super) struct Forge {
    kind: ForgeKind,
    api: Url,
    repository: String,
    token: Option<Secret>,
    clients: Arc<Clients>,
}

/// Why the forge did not tell: the end of a sentence that begins with its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Silence {
    /// It does not have one of the commits, or does not show the repository without a token that may read it.
    #[error("does not know one of the commits{0}")]
    UnknownCommit(&'static str),
    /// It refused, failed or took too long.
    #[error("{0}")]
    Failed(String),
}

impl Forge {
    /// The forge of a run; none on a laptop. The caller has asked whether the run is trusted.
    pub(super) fn of(context: &CiContext, vars: &Vars, clients: Arc<Clients>) -> Option<Self> {
        let job = context.registry.as_ref().map(|registry| registry.secret.clone());
        let token = match context.forge {
            ForgeKind::Local => return None,
            ForgeKind::GitHub | ForgeKind::Gitea | ForgeKind::Forgejo => job,
            // A job's token may not ask for merge bases (GitLab doc/ci/jobs/ci_job_token.md); one that a person made may.
            ForgeKind::GitLab => vars.get("GITLAB_TOKEN").map(Secret::new),
        };
        let mut api = Url::parse(context.api_url.as_deref()?).ok()?;
        api.set_path(&format!("{}/", api.path().trim_end_matches('/')));
        Some(Self { kind: context.forge, api, repository: context.repository.clone()?, token, clients })
    }

    /// Its name, for people.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            ForgeKind::GitHub => "GitHub",
            ForgeKind::Gitea => "Gitea",
            ForgeKind::Forgejo => "Forgejo",
            ForgeKind::GitLab => "GitLab",
            ForgeKind::Local => "the forge",
        }
    }

    /// How an older commit, as one supposes, stands to a newer one.
    ///
    /// # Errors
    /// Why it does not tell.
    pub(super) async fn relation(&self, older: &str, newer: &str) -> Result<Relation, Silence> {
        let asking = async {
            match self.kind {
                ForgeKind::GitLab => self.gitlab(older, newer).await,
                ForgeKind::Gitea | ForgeKind::Forgejo => self.gitea(older, newer).await,
                ForgeKind::GitHub | ForgeKind::Local => self.github(older, newer).await,
            }
        };
        let late = || Silence::Failed(format!("gave no answer within {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(late()))
    }

    /// `GET /repos/{owner}/{repo}/compare/{base}...{head}` (docs.github.com/en/rest/commits/commits#compare-two-commits): the
    /// head is `ahead` of the base, `behind` it, `identical` or `diverged`; 404 for unrelated histories too, in words.
    async fn github(&self, older: &str, newer: &str) -> Result<Relation, Silence> {
        #[derive(Deserialize)]
        struct Comparison {
            status: String,
        }
        let mut url = self.below(&["repos"])?;
        push(&mut url, self.repository.split('/'))?;
        push(&mut url, ["compare", &format!("{older}...{newer}")].into_iter())?;
        // One commit is enough: the state of the whole is told on every page.
        url.query_pairs_mut().append_pair("per_page", "1");
        match self.get(url).await? {
            Answer::Ok(_, body) => match json::<Comparison>(&body)?.status.as_str() {
                "ahead" | "identical" => Ok(Relation::Earlier),
                "behind" => Ok(Relation::Later),
                "diverged" => Ok(Relation::Apart),
                other => Err(Silence::Failed(format!("answered with a status nobody knows: {}", clip(other)))),
            },
            Answer::Refused(StatusCode::NOT_FOUND, words) if words.starts_with("No common ancestor") => {
                Ok(Relation::Apart)
            }
            Answer::Refused(status, words) => Err(self.refusal(status, &words)),
        }
    }

    /// `GET /projects/:id/repository/merge_base?refs[]=…` (GitLab lib/api/repositories.rb): the best common ancestor; 400 names
    /// commits it does not have, 404 `Merge Base Not Found` is unrelated histories.
    async fn gitlab(&self, older: &str, newer: &str) -> Result<Relation, Silence> {
        #[derive(Deserialize)]
        struct Commit {
            id: String,
        }
        let mut url = self.below(&["projects", &self.repository, "repository", "merge_base"])?;
        url.query_pairs_mut().append_pair("refs[]", older).append_pair("refs[]", newer);
        match self.get(url).await? {
            Answer::Ok(_, body) => match json::<Commit>(&body)?.id {
                id if id == older => Ok(Relation::Earlier),
                id if id == newer => Ok(Relation::Later),
                _ => Ok(Relation::Apart),
            },
            Answer::Refused(StatusCode::NOT_FOUND, words) if words.contains("Merge Base") => Ok(Relation::Apart),
            Answer::Refused(StatusCode::BAD_REQUEST, words) if words.contains("Could not find ref") => {
                Err(Silence::UnknownCommit(""))
            }
            Answer::Refused(status, words) => Err(self.refusal(status, &words)),
        }
    }

    /// `GET /repos/{owner}/{repo}/commits?sha=A&not=B` (Gitea and Forgejo routers/api/v1/repo/commits.go): `X-Total` counts the
    /// commits of A's history that B's lacks. None: A is in B's history. Its compare API lists whole histories, and calls
    /// unrelated ones equal.
    async fn gitea(&self, older: &str, newer: &str) -> Result<Relation, Silence> {
        if self.gitea_lacking(older, newer).await? == 0 {
            return Ok(Relation::Earlier);
        }
        Ok(if self.gitea_lacking(newer, older).await? == 0 { Relation::Later } else { Relation::Apart })
    }

    async fn gitea_lacking(&self, of: &str, behind: &str) -> Result<u64, Silence> {
        let mut url = self.below(&["repos"])?;
        push(&mut url, self.repository.split('/'))?;
        push(&mut url, ["commits"].into_iter())?;
        url.query_pairs_mut().append_pair("sha", of).append_pair("not", behind).append_pair("limit", "1");
        for detail in ["stat", "verification", "files"] {
            url.query_pairs_mut().append_pair(detail, "false");
        }
        match self.get(url).await? {
            Answer::Ok(headers, _) => {
                let total = headers.get("x-total").and_then(|value| value.to_str().ok()?.parse().ok());
                total.ok_or_else(|| Silence::Failed("answered without a count of commits".to_owned()))
            }
            Answer::Refused(status, words) => Err(self.refusal(status, &words)),
        }
    }

    fn below(&self, path: &[&str]) -> Result<Url, Silence> {
        let mut url = self.api.clone();
        push(&mut url, path.iter().copied())?;
        Ok(url)
    }

    async fn get(&self, url: Url) -> Result<Answer, Silence> {
        let plain = url.scheme() == "http";
        let client = self.clients.get(&Trust { plain, ..Trust::default() });
        let client = client.map_err(|error| Silence::Failed(format!("cannot be asked: {error}")))?;
        let accept = if self.kind == ForgeKind::GitHub { "application/vnd.github+json" } else { "application/json" };
        let mut request = client.get(url).header(ACCEPT, accept);
        if self.kind == ForgeKind::GitHub {
            request = request.header("X-GitHub-Api-Version", "2022-11-28");
        }
        if let Some(token) = &self.token {
            // The client drops this header, and no other with a secret in it, where a redirect leads to another host.
            // GitLab takes its tokens here as well as in its own (GitLab doc/api/rest/authentication.md).
            let scheme = if matches!(self.kind, ForgeKind::Gitea | ForgeKind::Forgejo) { "token" } else { "Bearer" };
            let mut value = HeaderValue::from_str(&format!("{scheme} {}", token.reveal())).map_err(|_| {
                Silence::Failed("cannot be asked: its token is none that a header can carry".to_owned())
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return Ok(Answer::Ok(headers, read(response, MAX_ANSWER).await?));
        }
        if is_limit(status, &headers) {
            return Err(Silence::Failed(format!(
                "answers no more of these questions for now (HTTP {})",
                status.as_u16()
            )));
        }
        let body = read(response, MAX_ERROR).await.unwrap_or_default();
        Ok(Answer::Refused(status, message(&body)))
    }

    fn refusal(&self, status: StatusCode, words: &str) -> Silence {
        let token = self.token.is_some();
        match status {
            StatusCode::NOT_FOUND if token => Silence::UnknownCommit(""),
            StatusCode::NOT_FOUND => Silence::UnknownCommit(", or does not show them without a token"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if token => {
                Silence::Failed(format!("refused: its token may not read this repository (HTTP {})", status.as_u16()))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Silence::Failed(format!("refused to answer without a token (HTTP {})", status.as_u16()))
            }
            _ if words.is_empty() => Silence::Failed(format!("answered with HTTP {}", status.as_u16())),
            _ => Silence::Failed(format!("answered with HTTP {}: {}", status.as_u16(), clip(words))),
        }
    }
}

enum Answer {
    Ok(HeaderMap, Vec<u8>),
    /// With its words.
    Refused(StatusCode, String),
}

fn push<'a>(url: &mut Url, parts: impl Iterator<Item = &'a str>) -> Result<(), Silence> {
    let bad = || Silence::Failed("cannot be asked: its address is none".to_owned());
    url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().extend(parts);
    Ok(())
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Silence> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limit {
            return Err(Silence::Failed(format!("sent more than {limit} bytes")));
        }
    }
    Ok(bytes)
}

fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Silence> {
    serde_json::from_slice(body).map_err(|_| Silence::Failed("sent something else than its API should".to_owned()))
}

/// GitHub says 403 or 429 for both of its limits; the others say 429.
fn is_limit(status: StatusCode, headers: &HeaderMap) -> bool {
    let spent = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::FORBIDDEN && (spent || headers.contains_key("retry-after")))
}

/// All three put their words in `message`.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Words {
        message: serde_json::Value,
    }
    let words = serde_json::from_slice::<Words>(body).map(|words| words.message);
    words.ok().and_then(|message| message.as_str().map(str::to_owned)).unwrap_or_default()
}

fn unreachable(error: &reqwest::Error) -> Silence {
    let why = if error.is_timeout() {
        "gave no answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off its answer"
    };
    Silence::Failed(why.to_owned())
}

fn clip(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
