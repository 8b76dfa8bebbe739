//! Build args: the config's, the inputs' over them, and what every Dockerfile that asks for it is told.

use std::collections::BTreeMap;

use super::dockerfile::Dockerfile;
use super::facts::{Facts, Findings};
use crate::config::model::Build;
use crate::problem::Problem;

/// The build args of a step.
pub(crate) fn build_args(
    build: &Build,
    dockerfile: Option<&Dockerfile>,
    facts: &Facts<'_>,
    found: &mut Findings,
) -> BTreeMap<String, String> {
    let mut args = BTreeMap::new();
    for (name, template) in &build.build_args {
        let what = format!("builds.{}.build_args.{name}", build.id);
        if let Some(value) = found.keep(facts.render(template, &what)) {
            args.insert(name.clone(), value);
        }
    }
    for given in &facts.request.inputs.build_args {
        match found.keep(from_input(given, facts)) {
            Some(Some((name, value))) => drop(args.insert(name, value)),
            Some(None) => found.note(format!("build arg `{given}` is left out: it has no value in this run")),
            None => {}
        }
    }
    for (name, value) in told(facts) {
        if let Some(value) = value
            && dockerfile.is_some_and(|file| file.declares(name))
        {
            args.entry(name.to_owned()).or_insert(value);
        }
    }
    args
}

/// `NAME=value`, or `NAME` alone for the variable of that name, which an untrusted run does not get.
fn from_input(given: &str, facts: &Facts<'_>) -> Result<Option<(String, String)>, Problem> {
    let (name, value) = given.split_once('=').map_or((given, None), |(name, value)| (name, Some(value)));
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Problem::new(format!("input `build-args`: `{}` is not `NAME=value`", given.escape_debug()))
            .hint("write one argument on each line, `VERSION=1.2.3`"));
    }
    let inherited = || facts.request.vars.raw(name).filter(|_| facts.untrusted().is_none());
    Ok(value.or_else(inherited).map(|value| (name.to_owned(), value.to_owned())))
}

/// What a Dockerfile is told when it declares the ARG and nobody sets it. The date is the commit's, so that the same
/// commit gives the same image; `STAGEFREIGHT_BUILD_DATE` overrides it.
fn told(facts: &Facts<'_>) -> [(&'static str, Option<String>); 3] {
    let date = facts.request.vars.get("STAGEFREIGHT_BUILD_DATE").map(str::to_owned);
    [
        ("VERSION", Some(facts.version.full.clone())),
        ("COMMIT", facts.commit.map(str::to_owned)),
        ("BUILD_DATE", date.or_else(|| facts.commit_time.map(rfc3339))),
    ]
}

/// `2026-01-02T03:04:05Z`.
pub(crate) fn rfc3339(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
