//! The runner we run on: its context in; outputs, summary, sections and annotations out.
//!
//! Inward it is one function, [`detect`]. Outward it knows the formats runners read, as pure functions over text, and the
//! few files they read them from. It never prints, and it never reads the process environment.

pub mod commands;
mod complete;
pub mod context;
pub mod dotenv;
mod gitea;
mod github;
mod gitlab;
mod local;
mod names;
pub mod neutralise;
pub mod outputs;
mod payload;
pub mod summary;

#[cfg(test)]
#[path = "../../tests/support/runner_fixture.rs"]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use commands::Dialect;
pub use context::*;
pub(crate) use github::is_privileged;
pub use neutralise::{neutralise, neutralise_text};

use crate::environment::Environment;

/// Finds out where we run. Total: whatever the environment says, there is a context; what a runner does not tell stays
/// `None`, and where it cannot be told whose code this is, the answer is [`Trust::Untrusted`].
///
/// Forgejo's runner calls itself Gitea and GitHub too, and Gitea's calls itself GitHub, so the order matters. Reads one
/// file: the event that `GITHUB_EVENT_PATH` names. What only git knows is added by [`CiContext::complete`].
pub fn detect(env: &Environment) -> CiContext {
    let vars = &env.vars;
    if vars.flag("FORGEJO_ACTIONS") {
        gitea::context(env, ForgeKind::Forgejo)
    } else if vars.flag("GITEA_ACTIONS") {
        gitea::context(env, ForgeKind::Gitea)
    } else if vars.flag("GITHUB_ACTIONS") {
        github::context(env)
    } else if vars.get("GITLAB_CI").is_some() && vars.get("CI_PROJECT_DIR").is_some() {
        // gitlab-ci-local says `GITLAB_CI=false` and means it only half: everything else is there.
        gitlab::context(env)
    } else {
        local::context(env)
    }
}

/// Variables in which runners hand out secrets of their own: masked wherever we write.
pub const SECRET_VARIABLES: &[&str] = &[
    "INPUT_GITHUB-TOKEN",
    "INPUT_GITHUB_TOKEN",
    "STAGEFREIGHT_GITHUB_TOKEN",
    "GITHUB_TOKEN",
    "GITEA_TOKEN",
    "FORGEJO_TOKEN",
    "GITLAB_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "CI_JOB_TOKEN",
    "CI_JOB_JWT",
    "CI_REGISTRY_PASSWORD",
    "CI_DEPLOY_PASSWORD",
    "CI_DEPENDENCY_PROXY_PASSWORD",
    "CI_REPOSITORY_URL",
    "HARBOR_PASSWORD",
    "DOCKER_AUTH_CONFIG",
    "COSIGN_PASSWORD",
    "SIGSTORE_ID_TOKEN",
];
