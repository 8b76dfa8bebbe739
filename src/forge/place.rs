//! Where the forge is told: repository, commit, pipeline, request. Pure: from what the runner said.

use url::Url;

use super::trouble::Trouble;
use crate::environment::Vars;
use crate::runner::{self, CiContext, ForgeKind};
use crate::secret::Secret;

/// Where it is written, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The API's base, with a slash at its end.
    pub(super) api: Url,
    /// `owner/name`, or the project's path.
    pub(super) repository: String,
    /// The commit that is told of.
    pub(super) commit: String,
    /// Number of the pull or merge request.
    pub(super) request: Option<u64>,
    /// Id or path of the project that the merge request is in: a fork's pipeline runs in another.
    pub(super) request_project: String,
    /// GitLab's id of the pipeline.
    pub(super) pipeline: Option<u64>,
    /// Address of the run or job.
    pub(super) link: Option<String>,
}

/// A token, and the variable it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) variable: String,
}

impl Place {
    /// Where this run is told of. `built` is the commit that is checked out.
    pub(super) fn of(context: &CiContext, built: Option<&str>, vars: &Vars) -> Result<Self, Trouble> {
        let missing = |what: &str| Trouble::Unusable(format!("the runner does not say {what}"));
        let api = context.api_url.as_deref().ok_or_else(|| missing("where its API is"))?;
        let api = Url::parse(&format!("{api}/")).map_err(|_| missing("where its API is"))?;
        let repository = context.repository.clone().filter(|name| is_path(name));
        let repository = repository.ok_or_else(|| missing("which repository this is"))?;
        let gitlab = context.forge == ForgeKind::GitLab;
        let commit = match &context.pull_request {
            // A status of GitLab is a job of this pipeline, which it finds by the pipeline's own commit. By the tip of a branch
            // whose merge result is built it finds none, and makes another pipeline (GitLab lib/api/commit_statuses.rb).
            Some(request) if !gitlab => request.head_sha.clone(),
            // Such a run is given the tip of the default branch, and may have checked out what it is really about.
            None if runner::is_privileged(&context.event_name) && !gitlab => {
                built.map(str::to_owned).or_else(|| context.commit.clone())
            }
            _ => context.commit.clone(),
        };
        Ok(Self {
            request_project: vars
                .get("CI_MERGE_REQUEST_PROJECT_PATH")
                .filter(|path| is_path(path))
                .unwrap_or(&repository)
                .to_owned(),
            api,
            repository,
            commit: commit.ok_or_else(|| missing("which commit this is about"))?,
            request: context.pull_request.as_ref().map(|request| request.number),
            pipeline: context.pipeline.as_deref().filter(|_| gitlab).and_then(|id| id.parse().ok()),
            link: context.job_url.clone(),
        })
    }

    /// Owner and name, where there are just these two.
    pub(super) fn owner_and_name(&self) -> Result<(&str, &str), Trouble> {
        let parts = self.repository.split_once('/').filter(|(_, name)| !name.contains('/'));
        parts.ok_or_else(|| Trouble::Unusable("the repository has no owner and name".to_owned()))
    }
}

impl Token {
    /// The token that may write. A GitLab job's own may not (GitLab doc/ci/jobs/ci_job_token.md).
    pub(super) fn of(context: &CiContext, vars: &Vars) -> Option<Self> {
        match context.forge {
            ForgeKind::Local => None,
            ForgeKind::GitLab => {
                let secret = Secret::new(vars.get("GITLAB_TOKEN")?);
                Some(Self { secret, variable: "GITLAB_TOKEN".to_owned() })
            }
            ForgeKind::GitHub | ForgeKind::Gitea | ForgeKind::Forgejo => {
                let registry = context.registry.as_ref()?;
                Some(Self { secret: registry.secret.clone(), variable: registry.variable.clone() })
            }
        }
    }

    /// It stands for a person: GitHub's tokens say so in their first letters.
    pub(super) fn is_personal(&self) -> bool {
        ["ghp_", "github_pat_", "gho_"].iter().any(|prefix| self.secret.reveal().starts_with(prefix))
    }

    /// It stands for a GitHub App, as a job's own does.
    pub(super) fn is_of_an_app(&self) -> bool {
        self.secret.reveal().starts_with("ghs_")
    }
}

/// Names of owners, groups and repositories, as all forges restrict them: nothing that changes an address it stands in.
fn is_path(name: &str) -> bool {
    let part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
    };
    name.contains('/') && name.split('/').all(part)
}

#[cfg(test)]
mod tests;
