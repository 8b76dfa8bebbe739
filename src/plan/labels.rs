//! Labels and annotations that describe *the image*: never the tool that built it, nor when and in which mode it did, so
//! that the same commit gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::rfc3339;
use super::facts::{Facts, Findings};
use crate::config::model::Build;
use crate::problem::Problem;

/// Label that holds the plan hash.
pub(crate) const PLAN_HASH: &str = "org.stagefreight.plan.sha256";

/// Kinds of annotations buildx knows.
const KINDS: [&str; 4] = ["index", "index-descriptor", "manifest", "manifest-descriptor"];

/// Labels of a step: ours, the config's over them, the inputs' over both.
pub(crate) fn labels(
    build: &Build,
    plan_hash: &str,
    facts: &Facts<'_>,
    found: &mut Findings,
) -> BTreeMap<String, String> {
    let mut labels = described(facts);
    labels.insert(PLAN_HASH.to_owned(), plan_hash.to_owned());
    for (key, template) in &build.labels {
        let what = format!("builds.{}.labels.{key}", build.id);
        if let Some(value) = found.keep(facts.render(template, &what)) {
            labels.insert(key.clone(), value);
        }
    }
    for given in &facts.request.inputs.labels {
        let (key, value) = given.split_once('=').unwrap_or((given, ""));
        if is_key(key) {
            labels.insert(key.to_owned(), value.to_owned());
        } else {
            found.problems.push(not_a_pair("labels", given));
        }
    }
    labels
}

/// Annotations of a step: ours on the index where there will be one, the inputs' over them.
pub(crate) fn annotations(indexed: bool, facts: &Facts<'_>, found: &mut Findings) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    if indexed {
        annotations.extend(described(facts).into_iter().map(|(key, value)| (format!("index:{key}"), value)));
    }
    for given in &facts.request.inputs.annotations {
        let Some((kinds, key, value)) = annotation(given) else {
            found.problems.push(not_a_pair("annotations", given));
            continue;
        };
        if !indexed && kinds.contains("index") {
            found.problems.push(
                Problem::new(format!("input `annotations`: `{given}` is for an index, and this build makes none"))
                    .hint("use `manifest:`, or build for several platforms or with attestations"),
            );
            continue;
        }
        if kinds.contains("index") {
            annotations.remove(&format!("index:{key}"));
        }
        let prefix = given.len() - value.len() - 1;
        annotations.insert(given[..prefix].to_owned(), value.to_owned());
    }
    annotations
}

/// What is known about the image.
fn described(facts: &Facts<'_>) -> BTreeMap<String, String> {
    let project = &facts.project;
    let known = [
        ("created", facts.commit_time.map(rfc3339)),
        ("revision", facts.commit.map(str::to_owned)),
        ("version", Some(facts.version.full.clone())),
        ("source", facts.source_url.clone()),
        ("url", project.url.clone()),
        ("title", project.name.clone()),
        ("licenses", project.license.clone()),
        ("description", project.description.clone()),
    ];
    let set = known.into_iter().filter_map(|(key, value)| Some((key, value.filter(|v| !v.is_empty())?)));
    set.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value)).collect()
}

/// `[kinds:]key=value` as buildx reads it; kinds are joined by commas and may name a platform in brackets.
fn annotation(given: &str) -> Option<(BTreeSet<&str>, &str, &str)> {
    let (left, value) = given.split_once('=')?;
    let (kinds, key) = annotation_kinds(left);
    is_key(key).then(|| (kinds.split(',').map(kind_name).collect(), key, value))
}

pub(crate) fn kind_name(kind: &str) -> &str {
    kind.split_once('[').map_or(kind, |(name, platform)| if platform.ends_with(']') { name } else { kind })
}

/// Name of a planned annotation in parts: kinds, joined by commas, and key.
pub(crate) fn annotation_kinds(name: &str) -> (&str, &str) {
    match name.split_once(':') {
        Some((kinds, key)) if kinds.split(',').all(|kind| KINDS.contains(&kind_name(kind))) => (kinds, key),
        _ => ("manifest", name),
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn not_a_pair(input: &str, given: &str) -> Problem {
    Problem::new(format!("input `{input}`: `{}` is not `key=value`", given.escape_debug()))
        .hint("write one pair on each line, `org.opencontainers.image.title=App`")
}
