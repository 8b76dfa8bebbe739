//! Which builds a run makes, in which order, and which inputs speak of which build.

use std::collections::BTreeSet;

use super::Decision;
use super::facts::{Facts, Findings};
use crate::config::conditions;
use crate::config::model::{Build, BuildKind};
use crate::config::nearest::nearest;
use crate::problem::Problem;

/// Id of the build of a project that configures none.
pub(crate) const DEFAULT_ID: &str = "default";

/// The builds of a run.
#[derive(Debug, Default)]
pub(crate) struct Selection<'b> {
    /// In an order that respects `depends_on`.
    pub(crate) chosen: Vec<Chosen<'b>>,
    /// The others, and why.
    pub(crate) left_out: Vec<Decision>,
}

/// One build of the run.
#[derive(Debug)]
pub(crate) struct Chosen<'b> {
    pub(crate) build: &'b Build,
    /// The builds of this run it waits for.
    pub(crate) depends_on: Vec<String>,
    /// Inputs that can speak of one build only (`file`, `context`, `target`, `tags`) speak of this one.
    pub(crate) named: bool,
}

/// The builds that are ours; one with all defaults where there is none.
pub(crate) fn builds(facts: &Facts<'_>) -> Vec<Build> {
    let ours = facts.request.config.builds.iter().filter(|build| build.kind == BuildKind::Docker);
    let builds: Vec<Build> = ours.cloned().collect();
    if builds.is_empty() { vec![Build { id: DEFAULT_ID.to_owned(), ..Build::default() }] } else { builds }
}

/// Chooses.
pub(crate) fn select<'b>(builds: &'b [Build], facts: &Facts<'_>, found: &mut Findings) -> Selection<'b> {
    let wanted = facts.request.inputs.build_id.as_deref();
    if let Some(id) = wanted
        && find(builds, id).is_none()
    {
        found.problems.push(unknown(id, builds));
        return Selection::default();
    }
    if wanted.is_none() && builds.len() > 1 {
        ambiguous(builds, facts, found);
    }
    let asked: BTreeSet<&str> = match wanted {
        Some(id) => chain(builds, id).into_iter().map(|build| build.id.as_str()).collect(),
        None => builds.iter().map(|build| build.id.as_str()).collect(),
    };
    let mut selection = Selection::default();
    let mut taken = Vec::new();
    for build in builds {
        let why = if asked.contains(build.id.as_str()) {
            let verdict = conditions::selects(&build.select_tags, &facts.request.config.policies, facts.tag);
            if verdict.included {
                taken.push(build);
                continue;
            }
            verdict.why
        } else {
            format!("only `{}` and what it depends on was asked for", wanted.unwrap_or_default())
        };
        selection.left_out.push(Decision { id: build.id.clone(), included: false, why });
    }
    for build in in_order(&taken, facts, found) {
        let depends_on = build.depends_on.iter().filter(|id| taken.iter().any(|b| b.id == **id)).cloned().collect();
        let named = wanted.is_none_or(|id| id == build.id);
        selection.chosen.push(Chosen { build, depends_on, named });
    }
    selection
}

fn find<'b>(builds: &'b [Build], id: &str) -> Option<&'b Build> {
    builds.iter().find(|build| build.id == id)
}

fn unknown(id: &str, builds: &[Build]) -> Problem {
    let problem = Problem::new(format!("build-id `{id}` names no build"));
    let ids: Vec<&str> = builds.iter().map(|build| build.id.as_str()).collect();
    match nearest(id, ids.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("the builds are: {}", ids.join(", "))),
    }
}

/// Inputs that can mean only one build, in a project with several.
fn ambiguous(builds: &[Build], facts: &Facts<'_>, found: &mut Findings) {
    let inputs = &facts.request.inputs;
    let references = inputs.tags.iter().any(|tag| super::names::is_reference(tag));
    let given = [
        ("file", inputs.file.is_some()),
        ("context", inputs.context.is_some()),
        ("target", inputs.target.is_some()),
        ("tags", references),
    ];
    let ids: Vec<&str> = builds.iter().map(|build| build.id.as_str()).collect();
    for (input, _) in given.into_iter().filter(|(_, given)| *given) {
        found.problems.push(
            Problem::new(format!("input `{input}` can mean one build only, and there are several: {}", ids.join(", ")))
                .hint("say which with `build-id`, or put it into the config file"),
        );
    }
}

/// A build and everything it depends on, itself first. Ends at a cycle.
fn chain<'b>(builds: &'b [Build], id: &str) -> Vec<&'b Build> {
    let mut chain: Vec<&Build> = Vec::new();
    let mut next = find(builds, id);
    while let Some(build) = next.filter(|build| !chain.iter().any(|seen| seen.id == build.id)) {
        chain.push(build);
        next = build.depends_on.as_deref().and_then(|id| find(builds, id));
    }
    chain
}

/// Dependencies first, otherwise as written.
fn in_order<'b>(taken: &[&'b Build], facts: &Facts<'_>, found: &mut Findings) -> Vec<&'b Build> {
    let mut ordered: Vec<&Build> = Vec::with_capacity(taken.len());
    for build in taken {
        let mut waiting = Vec::new();
        let mut next = Some(*build);
        while let Some(build) = next.filter(|build| !ordered.iter().any(|done| done.id == build.id)) {
            if waiting.iter().any(|seen: &&Build| seen.id == build.id) {
                let ids: Vec<&str> = waiting.iter().map(|b| b.id.as_str()).collect();
                found.problems.push(
                    facts.in_config(
                        Problem::new(format!("builds depend on each other in a circle: {}", ids.join(" → ")))
                            .hint("take one `depends_on` out"),
                    ),
                );
                return ordered;
            }
            waiting.push(build);
            next = build.depends_on.as_deref().and_then(|id| taken.iter().find(|b| b.id == id).copied());
            if let (Some(id), None) = (&build.depends_on, next) {
                found.note(format!("build `{}` does not wait for `{id}`, which is not built in this run", build.id));
            }
        }
        ordered.extend(waiting.into_iter().rev());
    }
    ordered
}
