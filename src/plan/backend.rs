//! Which kind of BuildKit is wanted: the input's word before the config's. Whether it is there is not known here.

use super::facts::Facts;
use crate::config::model::Backend;
use crate::problem::Problem;

/// What is to run the builds.
///
/// # Errors
/// When the input is no word of `build_cache.builder.backend`.
pub(super) fn wanted(facts: &Facts<'_>) -> Result<Backend, Problem> {
    let Some(word) = facts.request.inputs.backend.as_deref() else {
        return Ok(facts.request.config.build_cache.builder.backend);
    };
    serde_json::from_value(word.into()).map_err(|_| {
        Problem::new(format!("input `backend`: `{}` is no backend", word.escape_debug()))
            .hint("write `buildkitd`, `docker` or `rootless`, or leave it out to take what is there")
    })
}
