//! What becomes of an image: published, loaded, written; and the names it must not share with another.

use std::collections::BTreeMap;

use super::facts::{Facts, Findings};
use super::targets::Places;
use super::{Output, Step};
use crate::config::template::sanitize_tag;
use crate::problem::Problem;

/// Name of an image nobody names.
pub(crate) const LOCAL_NAME: &str = "stagefreight";

/// Directory of OCI layouts.
const LAYOUTS: &str = "dist";

/// The output of a build and the names it is loaded under beside it. `alone`: the project has no other build.
pub(crate) fn output(
    id: &str,
    alone: bool,
    places: Places,
    platforms: usize,
    facts: &Facts<'_>,
    found: &mut Findings,
) -> (Output, Vec<String>) {
    let inputs = &facts.request.inputs;
    if inputs.push == Some(true) && !inputs.local && !places.any {
        found.problems.push(
            Problem::new(format!("`push` was asked for, but build `{id}` has no registry target"))
                .hint("give the input `tags` a whole reference, `ghcr.io/acme/app:1.2.3`, or configure a target"),
        );
    }
    let word = sanitize_tag(id);
    let names = || match places.asked.is_empty() {
        false => without_duplicates(places.asked.clone()),
        true if alone => vec![format!("{LOCAL_NAME}:dev")],
        true => vec![format!("{LOCAL_NAME}:{}", sanitize_tag(&format!("dev-{id}")))],
    };
    if !places.registries.is_empty() {
        let mut also = places.local;
        if inputs.load == Some(true) {
            let references = places.registries.iter().flat_map(|t| t.tags.iter().map(move |tag| (&t.repository, tag)));
            also.extend(references.map(|(repository, tag)| format!("{repository}:{tag}")));
        }
        return (Output::Publish { targets: places.registries }, without_duplicates(also));
    }
    let loads = inputs.local || inputs.load == Some(true);
    let output = if !places.local.is_empty() {
        let asked = if loads && !places.asked.is_empty() { names() } else { Vec::new() };
        Output::Load { names: without_duplicates([places.local.clone(), asked].concat()) }
    } else if loads {
        Output::Load { names: names() }
    } else {
        let dir = if alone { LAYOUTS.to_owned() } else { format!("{LAYOUTS}/{word}") };
        // Not every engine can hold an image of several platforms.
        if platforms > 1 { Output::Layout { dir } } else { Output::LoadOrLayout { names: names(), dir } }
    };
    (output, Vec::new())
}

/// Two builds under one name: the later would overwrite the earlier. The same name twice for one build only needs a word.
pub(crate) fn collisions(steps: &[Step], found: &mut Findings) {
    let mut owners: BTreeMap<String, (&str, String)> = BTreeMap::new();
    for step in steps {
        for (name, place) in places(step) {
            match owners.get(&name) {
                None => drop(owners.insert(name, (&step.id, place))),
                Some((owner, other)) if *owner != step.id => found.problems.push(
                    Problem::new(format!("builds `{owner}` ({other}) and `{}` ({place}) both make {name}", step.id))
                        .hint(
                            "give one of them another repository or tag, or build them one at a time with `build-id`",
                        ),
                ),
                Some((_, other)) => found.note(format!("{name} is published twice, by {other} and {place}")),
            }
        }
    }
}

/// Every name a step takes, and what gives it that name.
fn places(step: &Step) -> Vec<(String, String)> {
    let tags = |t: &super::TargetPlan| {
        let id = format!("target `{}`", t.id);
        t.tags.iter().map(|tag| (format!("{}:{tag}", t.repository), id.clone())).collect::<Vec<_>>()
    };
    let loaded = |names: &[String]| names.iter().map(|n| (format!("{n} in the engine"), "load".to_owned())).collect();
    let written = |dir: &str| (format!("the directory {dir}"), "layout".to_owned());
    let mut places: Vec<(String, String)> = match &step.output {
        Output::Publish { targets } => targets.iter().flat_map(tags).collect(),
        Output::Load { names } => loaded(names),
        Output::Layout { dir } => vec![written(dir)],
        Output::LoadOrLayout { names, dir } => [loaded(names), vec![written(dir)]].concat(),
    };
    places.extend(loaded(&step.also_load));
    places
}

fn without_duplicates(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}
