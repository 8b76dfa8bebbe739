//! Where a run happens, as a value. Filled by the sibling modules, one for each kind of runner.

use std::path::PathBuf;

use serde::Serialize;

use crate::secret::Secret;

/// The forge whose runner started us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgeKind {
    /// GitHub Actions, github.com or GHES.
    GitHub,
    /// Gitea Actions.
    Gitea,
    /// Forgejo Actions.
    Forgejo,
    /// GitLab CI.
    GitLab,
    /// No CI: a laptop, or an unknown CI system.
    Local,
}

/// Why the run was started, in the words of the config's `when.events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A branch was pushed.
    Push,
    /// A tag was pushed.
    Tag,
    /// A release was published.
    Release,
    /// A timer.
    Schedule,
    /// A person or an API call, by hand.
    Manual,
    /// A pull request (GitHub, Gitea, Forgejo).
    PullRequest,
    /// A merge request (GitLab).
    MergeRequest,
}

/// Whether the code being built may see credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Trust {
    /// Code of the repository itself.
    Trusted,
    /// Code somebody else proposes; credentials are withheld.
    Untrusted {
        /// One sentence for people, for example `pull request from the fork mallory/app`.
        reason: String,
    },
}

/// A pull or merge request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PullRequest {
    /// Its number (`iid` on GitLab).
    pub number: u64,
    /// Branch it comes from.
    pub head_ref: String,
    /// Branch it goes to.
    pub base_ref: String,
    /// Tip of the branch it comes from: where statuses belong.
    pub head_sha: Option<String>,
    /// `owner/name` (or project id) it comes from.
    pub head_repository: Option<String>,
}

/// The forge's own registry, with the job's own credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeRegistry {
    /// `host[:port]`.
    pub host: String,
    /// User name the token goes with.
    pub user: String,
    /// The token.
    pub secret: Secret,
    /// Variable it was read from, for people.
    pub variable: String,
}

/// Files and settings of the runner that we write to or obey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunnerFiles {
    /// `GITHUB_OUTPUT` file.
    pub output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY` file.
    pub summary: Option<PathBuf>,
    /// Directory for temporary files (`RUNNER_TEMP`, else the system's). It may not exist yet.
    pub temp: PathBuf,
    /// The GitLab dotenv report to write, relative to the workspace unless absolute.
    pub dotenv: Option<PathBuf>,
}

/// Everything known about where a run happens. Secrets in it are `Secret`s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiContext {
    /// Which forge.
    pub forge: ForgeKind,
    /// The event, normalised.
    pub event: EventKind,
    /// The event as the runner calls it (`pull_request_target`, `web`, …).
    pub event_name: String,
    /// May credentials be used?
    pub trust: Trust,
    /// `owner/name` or `group/sub/project`.
    pub repository: Option<String>,
    /// Web address of the repository, without credentials and `.git`.
    pub repository_url: Option<String>,
    /// Web address of the forge.
    pub server_url: Option<String>,
    /// Base of its API.
    pub api_url: Option<String>,
    /// The commit the workspace holds, as the runner says (a merge commit for pull requests on GitHub).
    pub commit: Option<String>,
    /// The branch built, or the head branch of the request.
    pub branch: Option<String>,
    /// The tag, when the run is for a tag.
    pub tag: Option<String>,
    /// The repository's default branch, if the runner tells.
    pub default_branch: Option<String>,
    /// The pull or merge request, if the run is for one.
    pub pull_request: Option<PullRequest>,
    /// Pipeline or workflow run id.
    pub pipeline: Option<String>,
    /// Attempt of that pipeline, from 1.
    pub attempt: Option<u32>,
    /// Job name or id.
    pub job: Option<String>,
    /// Web address of the job or run.
    pub job_url: Option<String>,
    /// Name of the runner.
    pub runner: Option<String>,
    /// Who started it.
    pub actor: Option<String>,
    /// Absolute path of the checkout.
    pub workspace: PathBuf,
    /// The runner's files.
    pub files: RunnerFiles,
    /// The forge's own registry, where the job token serves. Known for untrusted runs too, so that the report can say
    /// what was withheld: who uses it asks `trust` first.
    pub registry: Option<ForgeRegistry>,
    /// The runner was asked for debug logs (`RUNNER_DEBUG`, `CI_DEBUG_TRACE`).
    pub debug: bool,
}
