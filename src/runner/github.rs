//! GitHub Actions, github.com and Enterprise Server; the base for the runners that imitate it.

use super::context::{CiContext, EventKind, ForgeKind, ForgeRegistry, PullRequest, RunnerFiles, Trust};
use super::names;
use super::payload::{self, Payload};
use crate::environment::{Environment, Vars};
use crate::secret::Secret;

/// Where a token for the forge may be: the action's input first, under both spellings of its dash, then the environment.
const TOKENS: [&str; 4] = ["INPUT_GITHUB-TOKEN", "INPUT_GITHUB_TOKEN", "STAGEFREIGHT_GITHUB_TOKEN", "GITHUB_TOKEN"];

/// The context on a GitHub runner.
pub(super) fn context(env: &Environment) -> CiContext {
    let mut context = base(env, ForgeKind::GitHub);
    context.job_url = run_url(&context, context.pipeline.as_deref()).map(|url| match context.attempt {
        Some(attempt) if attempt > 1 => format!("{url}/attempts/{attempt}"),
        _ => url,
    });
    let host = context.server_url.as_deref().and_then(names::host).unwrap_or("github.com");
    // On Enterprise Server and *.ghe.com the container registry is a subdomain of its own.
    let registry = if host == "github.com" { "ghcr.io".to_owned() } else { format!("containers.{host}") };
    context.registry = registry_login(&env.vars, registry, &context, &TOKENS);
    if context.dependabot() && caused_by_change(&context.event_name) {
        context.trust =
            untrusted("Dependabot started this run, and GitHub gives those no secrets and a read-only token");
    }
    context
}

/// Everything the three runners say in the same words. Job link and registry are left to each.
pub(super) fn base(env: &Environment, forge: ForgeKind) -> CiContext {
    let vars = &env.vars;
    let payload = payload::read(names::path_var(env, "GITHUB_EVENT_PATH").as_deref());
    let event_name = names::text_var(vars, "GITHUB_EVENT_NAME").unwrap_or_else(|| "unknown".to_owned());
    let git_ref = vars.get("GITHUB_REF").unwrap_or_default();
    let trust = trust(&event_name, git_ref, &payload);
    let payload = payload.unwrap_or_default();

    let pull_request = pull_request(vars, git_ref, &payload);
    let tag = git_ref.strip_prefix("refs/tags/").map(str::to_owned).or_else(|| {
        let release = payload.release.as_ref().filter(|_| event_name == "release")?;
        release.tag_name.clone()
    });
    let tag = tag.as_deref().and_then(names::reference);
    let branch = match &pull_request {
        Some(request) => names::reference(&request.head_ref),
        None => git_ref.strip_prefix("refs/heads/").and_then(names::reference),
    };
    let server_url = names::url_var(vars, "GITHUB_SERVER_URL");
    let repository = names::text_var(vars, "GITHUB_REPOSITORY");
    CiContext {
        forge,
        event: event_kind(&event_name, tag.is_some(), &payload),
        trust,
        repository_url: server_url.as_ref().zip(repository.as_ref()).map(|(server, name)| format!("{server}/{name}")),
        repository,
        server_url,
        api_url: names::url_var(vars, "GITHUB_API_URL"),
        commit: vars.get("GITHUB_SHA").and_then(names::commit),
        branch,
        tag,
        default_branch: payload.repository.and_then(|r| r.default_branch).as_deref().and_then(names::reference),
        pull_request,
        pipeline: names::text_var(vars, "GITHUB_RUN_ID"),
        attempt: vars.get("GITHUB_RUN_ATTEMPT").and_then(|n| n.parse().ok()),
        job: names::text_var(vars, "GITHUB_JOB"),
        job_url: None,
        runner: names::text_var(vars, "RUNNER_NAME"),
        actor: names::text_var(vars, "GITHUB_ACTOR"),
        workspace: names::path_var(env, "GITHUB_WORKSPACE").unwrap_or_else(|| env.cwd.clone()),
        files: RunnerFiles {
            output: names::path_var(env, "GITHUB_OUTPUT"),
            summary: names::path_var(env, "GITHUB_STEP_SUMMARY"),
            temp: names::temp_dir(env),
            dotenv: None,
        },
        registry: None,
        debug: vars.flag("RUNNER_DEBUG"),
        event_name,
    }
}

/// The web page of a run.
pub(super) fn run_url(context: &CiContext, run: Option<&str>) -> Option<String> {
    Some(format!("{}/actions/runs/{}", context.repository_url.as_ref()?, run?))
}

/// The forge's registry with the first token found; nothing without one.
pub(super) fn registry_login(vars: &Vars, host: String, context: &CiContext, tokens: &[&str]) -> Option<ForgeRegistry> {
    let (variable, token) = tokens.iter().find_map(|name| Some((*name, vars.get(name)?)))?;
    Some(ForgeRegistry {
        host,
        // The token alone is what counts; the registries only want the name not to be empty.
        user: context.actor.clone().unwrap_or_else(|| "token".to_owned()),
        secret: Secret::new(token),
        variable: variable.to_owned(),
    })
}

fn event_kind(name: &str, on_tag: bool, payload: &Payload) -> EventKind {
    match name {
        "push" | "create" if on_tag => EventKind::Tag,
        "push" | "create" => EventKind::Push,
        "release" => EventKind::Release,
        "schedule" => EventKind::Schedule,
        // A merge queue tries out what will be merged: nothing has been pushed to a branch people use.
        "merge_group" => EventKind::PullRequest,
        name if name.starts_with("pull_request") => EventKind::PullRequest,
        // A run after a run happens for the reason the first one did.
        "workflow_run" => match payload.workflow_run.as_ref().and_then(|run| run.event.as_deref()) {
            Some("workflow_run") | None => EventKind::Manual,
            Some(first) => event_kind(first, false, payload),
        },
        _ => EventKind::Manual,
    }
}

/// Runs that hold the repository's own credentials although a stranger can bring them about. They start on a commit of
/// the repository itself; [`CiContext::complete`] trusts them when that is what was checked out.
pub(crate) fn is_privileged(event_name: &str) -> bool {
    matches!(event_name, "pull_request_target" | "workflow_run" | "issue_comment")
}

/// Events for which GitHub treats Dependabot like a fork.
fn caused_by_change(event_name: &str) -> bool {
    event_name.starts_with("pull_request")
        || matches!(event_name, "push" | "create" | "deployment" | "deployment_status")
}

fn trust(event_name: &str, git_ref: &str, payload: &Result<Payload, String>) -> Trust {
    let about_request = event_name.starts_with("pull_request") || git_ref.starts_with("refs/pull/");
    let payload = match payload {
        Ok(payload) => payload,
        Err(why) if about_request || is_privileged(event_name) => {
            return untrusted(format!("nobody can say whose code this is: the event could not be read ({why})"));
        }
        Err(_) => return Trust::Trusted,
    };
    if let Some(request) = &payload.pull_request {
        return request_trust(request);
    }
    match event_name {
        "workflow_run" => {
            let name = |repository: Option<&payload::Repository>| repository.and_then(|r| r.full_name.clone());
            let ours = name(payload.repository.as_ref());
            let theirs = name(payload.workflow_run.as_ref().and_then(|run| run.head_repository.as_ref()));
            same_repository("a run for", ours.as_deref(), theirs.as_deref())
        }
        "issue_comment" if payload.issue.as_ref().is_some_and(|issue| issue.pull_request.is_some()) => {
            untrusted("anyone can start this run by a comment on a pull request")
        }
        _ if about_request => untrusted("nobody can say whose code this is: the event names no pull request"),
        _ => Trust::Trusted,
    }
}

fn request_trust(request: &payload::PullRequest) -> Trust {
    let name = |side: &payload::Side| side.repo.as_ref().and_then(|repo| repo.full_name.clone());
    same_repository("pull request from", name(&request.base).as_deref(), name(&request.head).as_deref())
}

fn same_repository(what: &str, ours: Option<&str>, theirs: Option<&str>) -> Trust {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours.eq_ignore_ascii_case(theirs) => Trust::Trusted,
        (_, Some(theirs)) => match names::text(theirs) {
            Some(name) => untrusted(format!("{what} the fork {name}")),
            None => untrusted(format!("{what} a fork")),
        },
        (_, None) => untrusted(format!("{what} a repository that is gone")),
    }
}

fn untrusted(reason: impl Into<String>) -> Trust {
    Trust::Untrusted { reason: reason.into() }
}

/// The request the run is for. The event file knows it best; without it the environment knows most.
fn pull_request(vars: &Vars, git_ref: &str, payload: &Payload) -> Option<PullRequest> {
    let told = payload.pull_request.as_ref();
    let from_ref = || git_ref.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok();
    let number = told.and_then(|request| request.number).or(payload.number).or_else(from_ref)?;
    if told.is_none() && !git_ref.starts_with("refs/pull/") && vars.get("GITHUB_HEAD_REF").is_none() {
        return None;
    }
    let branch = |side: Option<&payload::Side>, variable: &str| {
        let told = side.and_then(|side| side.reference.as_deref()).and_then(names::reference);
        told.or_else(|| vars.get(variable).and_then(names::reference)).unwrap_or_default()
    };
    let head = told.map(|request| &request.head);
    Some(PullRequest {
        number,
        head_ref: branch(head, "GITHUB_HEAD_REF"),
        base_ref: branch(told.map(|request| &request.base), "GITHUB_BASE_REF"),
        head_sha: head.and_then(|side| side.sha.as_deref()).and_then(names::commit),
        head_repository: head
            .and_then(|side| side.repo.as_ref())
            .and_then(|repo| repo.full_name.as_deref())
            .and_then(names::text),
    })
}
