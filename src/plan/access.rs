//! What a build may read beside its context: secrets, ssh agents, named contexts. Names and paths go into specs, values
//! never.
//!
//! An untrusted run keeps what its workflow hands over by value or by file, because the runner already decides what an
//! untrusted workflow gets; it loses what would be taken from the process around it: environment variables and ssh agents.

use std::collections::BTreeMap;

use super::facts::{Facts, Findings};
use super::paths;
use super::spec::spec;
use crate::problem::Problem;
use crate::secret::Secret;

/// What a build may read.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) secrets: Vec<String>,
    pub(crate) values: Vec<(String, Secret)>,
    pub(crate) ssh: Vec<String>,
    pub(crate) contexts: BTreeMap<String, String>,
}

/// The same for all builds of a run.
pub(crate) fn access(facts: &Facts<'_>, found: &mut Findings) -> Access {
    let inputs = &facts.request.inputs;
    let mut access = Access::default();
    for given in &inputs.secrets {
        // The text around a bad value may be part of the secret: it is never shown.
        match given.reveal().split_once('=') {
            Some((id, value)) if is_id(id) => access.values.push((id.to_owned(), Secret::new(value))),
            _ => found.problems.push(
                Problem::new("input `secrets`: an entry is not `id=value`")
                    .hint("write one secret on each line, `npm=…`"),
            ),
        }
    }
    for given in &inputs.secret_envs {
        access.secrets.extend(found.keep(secret_env(given, facts)).flatten());
    }
    for given in &inputs.secret_files {
        access.secrets.extend(found.keep(secret_file(given)));
    }
    for given in &inputs.ssh {
        let id = given.split_once('=').map_or(given.as_str(), |(id, _)| id);
        if !is_id(id) || given.chars().any(char::is_control) {
            found.problems.push(malformed("ssh", given, "`default`, or `id=socket` or `id=key`"));
        } else if facts.untrusted().is_none() {
            access.ssh.push(given.clone());
        }
    }
    for given in &inputs.build_contexts {
        match given.split_once('=') {
            Some((name, value)) if is_id(name) && !value.is_empty() => {
                if let Some(value) = found.keep(named_context(value, facts)) {
                    access.contexts.insert(name.to_owned(), value);
                }
            }
            _ => found.problems.push(malformed("build-contexts", given, "`name=directory` or `name=address`")),
        }
    }
    if facts.untrusted().is_some() && !(inputs.secret_envs.is_empty() && inputs.ssh.is_empty()) {
        found.note("secrets from environment variables and ssh agents are withheld from the builds of this run");
    }
    access
}

/// `id=NAME`: the variable has to be set, or the build would fail late and darkly.
fn secret_env(given: &str, facts: &Facts<'_>) -> Result<Option<String>, Problem> {
    let Some((id, name)) = given.split_once('=').filter(|(id, name)| is_id(id) && is_id(name)) else {
        return Err(malformed("secret-envs", given, "`id=VARIABLE`"));
    };
    if facts.untrusted().is_some() {
        return Ok(None);
    }
    if facts.request.vars.raw(name).is_none() {
        return Err(Problem::new(format!(
            "input `secret-envs`: the environment variable `{name}` of the secret `{id}` is not set"
        ))
        .hint(format!("set {name} in the job's environment")));
    }
    Ok(Some(spec(&[("id", id), ("env", name)])))
}

fn secret_file(given: &str) -> Result<String, Problem> {
    match given.split_once('=') {
        Some((id, path)) if is_id(id) && !path.is_empty() && !path.chars().any(char::is_control) => {
            Ok(spec(&[("id", id), ("src", path)]))
        }
        _ => Err(malformed("secret-files", given, "`id=path`")),
    }
}

/// A directory has to lie in the workspace; addresses (`docker-image://`, `oci-layout://`, `target:`, git) are BuildKit's.
fn named_context(value: &str, facts: &Facts<'_>) -> Result<String, Problem> {
    let address = ["docker-image://", "oci-layout://", "target:"].iter().any(|scheme| value.starts_with(scheme));
    if address || paths::is_url(value) {
        return Ok(value.to_owned());
    }
    paths::inside(value, &facts.request.source.root, "input `build-contexts`")
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && !id.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | '"' | '='))
}

fn malformed(input: &str, given: &str, wanted: &str) -> Problem {
    Problem::new(format!("input `{input}`: `{}` is not {wanted}", given.escape_debug()))
        .hint("write one entry on each line")
}
