//! Gitea and Forgejo Actions: GitHub's words, with some missing and some meaning something else.

use super::context::{CiContext, ForgeKind};
use super::{github, names};
use crate::environment::Environment;

/// As on GitHub, and the names both forges give the same token.
const TOKENS: [&str; 6] = [
    "INPUT_GITHUB-TOKEN",
    "INPUT_GITHUB_TOKEN",
    "STAGEFREIGHT_GITHUB_TOKEN",
    "GITHUB_TOKEN",
    "GITEA_TOKEN",
    "FORGEJO_TOKEN",
];

/// The context on a runner of Gitea or Forgejo.
pub(super) fn context(env: &Environment, forge: ForgeKind) -> CiContext {
    let mut context = github::base(env, forge);
    // Forgejo counts runs for each repository in its addresses, Gitea has used its global id there since 1.26. The wrong
    // one of the two leads to another run, or nowhere.
    let run = if forge == ForgeKind::Forgejo { "GITHUB_RUN_NUMBER" } else { "GITHUB_RUN_ID" };
    context.job_url = github::run_url(&context, names::text_var(&env.vars, run).as_deref());
    // The package registry lives on the forge's own host.
    let host = context.server_url.as_deref().and_then(names::host).map(str::to_owned);
    context.registry = host.and_then(|host| github::registry_login(&env.vars, host, &context, &TOKENS));
    context
}
