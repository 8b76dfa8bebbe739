//! No CI we know: a laptop, or another CI system, which is then treated like one. git tells the rest.

use super::context::{CiContext, EventKind, ForgeKind, RunnerFiles, Trust};
use super::names;
use crate::environment::Environment;

/// The context of a run by hand in the working directory.
pub(super) fn context(env: &Environment) -> CiContext {
    CiContext {
        forge: ForgeKind::Local,
        event: EventKind::Manual,
        event_name: "local".to_owned(),
        // Whoever runs us here runs their own commands with their own credentials.
        trust: Trust::Trusted,
        repository: None,
        repository_url: None,
        server_url: None,
        api_url: None,
        commit: None,
        branch: None,
        tag: None,
        default_branch: None,
        pull_request: None,
        pipeline: None,
        attempt: None,
        job: None,
        job_url: None,
        runner: None,
        actor: names::text_var(&env.vars, "USER"),
        workspace: env.cwd.clone(),
        files: RunnerFiles { output: None, summary: None, temp: names::temp_dir(env), dotenv: None },
        registry: None,
        debug: false,
    }
}
