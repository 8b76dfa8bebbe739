//! GitLab CI, and gitlab-ci-local on a laptop.

use std::path::PathBuf;

use super::context::{CiContext, EventKind, ForgeKind, ForgeRegistry, PullRequest, RunnerFiles, Trust};
use super::names;
use crate::environment::{Environment, Vars};
use crate::secret::Secret;

/// Where the dotenv report goes unless `STAGEFREIGHT_DOTENV` says otherwise; our templates name the same file.
const DOTENV: &str = ".stagefreight/outputs.env";

/// The context of a GitLab job.
pub(super) fn context(env: &Environment) -> CiContext {
    let vars = &env.vars;
    let pull_request = merge_request(vars);
    let tag = vars.get("CI_COMMIT_TAG").and_then(names::reference);
    let branch = match (&pull_request, &tag) {
        (Some(request), _) => names::reference(&request.head_ref),
        (None, Some(_)) => None,
        // Every name of a ref that is no tag is a branch.
        (None, None) => {
            vars.get("CI_COMMIT_BRANCH").or_else(|| vars.get("CI_COMMIT_REF_NAME")).and_then(names::reference)
        }
    };
    let event_name = names::text_var(vars, "CI_PIPELINE_SOURCE").unwrap_or_else(|| "unknown".to_owned());
    CiContext {
        forge: ForgeKind::GitLab,
        event: event_kind(&event_name, pull_request.is_some(), tag.is_some()),
        event_name,
        trust: trust(vars),
        repository: names::text_var(vars, "CI_PROJECT_PATH"),
        repository_url: names::url_var(vars, "CI_PROJECT_URL"),
        server_url: names::url_var(vars, "CI_SERVER_URL"),
        api_url: names::url_var(vars, "CI_API_V4_URL"),
        commit: vars.get("CI_COMMIT_SHA").and_then(names::commit),
        branch,
        tag,
        default_branch: vars.get("CI_DEFAULT_BRANCH").and_then(names::reference),
        pull_request,
        pipeline: names::text_var(vars, "CI_PIPELINE_ID"),
        attempt: None,
        job: names::text_var(vars, "CI_JOB_NAME").or_else(|| names::text_var(vars, "CI_JOB_ID")),
        job_url: names::url_var(vars, "CI_JOB_URL"),
        runner: names::text_var(vars, "CI_RUNNER_DESCRIPTION"),
        actor: names::text_var(vars, "GITLAB_USER_LOGIN"),
        workspace: workspace(env),
        files: RunnerFiles {
            output: None,
            summary: None,
            temp: names::temp_dir(env),
            dotenv: Some(PathBuf::from(vars.get("STAGEFREIGHT_DOTENV").unwrap_or(DOTENV))),
        },
        registry: registry(vars),
        debug: vars.flag("CI_DEBUG_TRACE"),
    }
}

/// The checkout. A job begins in it; gitlab-ci-local's shell executor names the directory it would have in a container.
fn workspace(env: &Environment) -> PathBuf {
    let laptop = env.vars.get("GITLAB_CI") == Some("false");
    names::path_var(env, "CI_PROJECT_DIR").filter(|_| !laptop).unwrap_or_else(|| env.cwd.clone())
}

fn event_kind(source: &str, request: bool, on_tag: bool) -> EventKind {
    match source {
        _ if request => EventKind::MergeRequest,
        "external_pull_request_event" => EventKind::PullRequest,
        "schedule" => EventKind::Schedule,
        // A child pipeline does not say what started its parent; what it runs for is the next best thing.
        "push" | "webide" | "external" | "parent_pipeline" if on_tag => EventKind::Tag,
        "push" | "webide" | "external" | "parent_pipeline" => EventKind::Push,
        // `web`, `api`, `trigger`, `pipeline` (another project), `chat` and what may come.
        _ => EventKind::Manual,
    }
}

/// Code of another project is somebody else's, also where a member lets its pipeline run here: then this project's
/// variables are in the environment all the same, and they are what must be kept from it.
fn trust(vars: &Vars) -> Trust {
    if vars.get("CI_EXTERNAL_PULL_REQUEST_IID").is_some() {
        let [source, target] = ["SOURCE", "TARGET"]
            .map(|side| names::text_var(vars, &format!("CI_EXTERNAL_PULL_REQUEST_{side}_REPOSITORY")));
        return match source {
            Some(source) if target.as_ref() == Some(&source) => Trust::Trusted,
            Some(source) => untrusted(format!("pull request from the fork {source}")),
            None => untrusted("pull request from a repository that GitLab does not name"),
        };
    }
    if vars.get("CI_MERGE_REQUEST_IID").is_none() {
        return Trust::Trusted;
    }
    let Some(source) = vars.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") else {
        return untrusted("merge request from a project that GitLab does not name");
    };
    let same = |name: &str| vars.get(name).is_none_or(|id| id == source);
    let known = vars.get("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| vars.get("CI_PROJECT_ID")).is_some();
    if known && same("CI_MERGE_REQUEST_PROJECT_ID") && same("CI_PROJECT_ID") {
        return Trust::Trusted;
    }
    let fork = names::text_var(vars, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH")
        .unwrap_or_else(|| format!("with project id {}", names::text(source).unwrap_or_default()));
    untrusted(format!("merge request from the fork {fork}"))
}

fn untrusted(reason: impl Into<String>) -> Trust {
    Trust::Untrusted { reason: reason.into() }
}

fn merge_request(vars: &Vars) -> Option<PullRequest> {
    let number = vars.get("CI_MERGE_REQUEST_IID").and_then(|iid| iid.parse().ok())?;
    let branch = |name: &str| vars.get(name).and_then(names::reference).unwrap_or_default();
    Some(PullRequest {
        number,
        head_ref: branch("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
        base_ref: branch("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        // Set only where CI_COMMIT_SHA is a merge result; elsewhere that is the tip itself.
        head_sha: vars
            .get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")
            .or_else(|| vars.get("CI_COMMIT_SHA"))
            .and_then(names::commit),
        head_repository: names::text_var(vars, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH")
            .or_else(|| names::text_var(vars, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID")),
    })
}

/// The project's registry. Its variables are absent where the registry is switched off.
fn registry(vars: &Vars) -> Option<ForgeRegistry> {
    let host = names::text_var(vars, "CI_REGISTRY")?;
    let (variable, secret) =
        ["CI_REGISTRY_PASSWORD", "CI_JOB_TOKEN"].iter().find_map(|name| Some((*name, vars.get(name)?)))?;
    let user = names::text_var(vars, "CI_REGISTRY_USER").unwrap_or_else(|| "gitlab-ci-token".to_owned());
    Some(ForgeRegistry { host, user, secret: Secret::new(secret), variable: variable.to_owned() })
}
