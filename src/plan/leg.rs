//! One leg of a plan: the whole is planned as always, then all platforms but one are left to other jobs. The plan hash, labels
//! and tags stay those of the whole, so that the legs fit together.

use std::collections::BTreeMap;

use super::facts::{Facts, Findings};
use super::labels::{annotation_kinds, kind_name};
use super::{Decision, Leg, Step};
use crate::image::platform::normalise;
use crate::problem::Problem;

/// What is left of a plan.
#[derive(Debug, Default)]
pub(crate) struct Narrowed {
    pub(crate) steps: Vec<Step>,
    /// Builds that have no such platform.
    pub(crate) left_out: Vec<Decision>,
}

/// Leaves the platform of the input `platform-leg`, where there is one.
pub(crate) fn narrow(planned: Vec<Step>, facts: &Facts<'_>, found: &mut Findings) -> Narrowed {
    let Some(wanted) = facts.request.inputs.platform_leg.as_deref() else {
        return Narrowed { steps: planned, left_out: Vec::new() };
    };
    if facts.request.inputs.local {
        found.problems.push(
            Problem::new("a leg is built for others to merge, and `local` keeps it here")
                .hint("leave out `local`, or `platform-leg`; `--platforms` builds for one platform here"),
        );
    }
    let leg = normalise(wanted);
    let mut all: Vec<String> = planned.iter().flat_map(|step| step.platforms.iter().cloned()).collect();
    all.sort();
    all.dedup();
    if !planned.is_empty() && !all.iter().any(|platform| normalise(platform) == leg) {
        let what = format!("platform-leg `{}` is no platform of any build of this run", wanted.escape_debug());
        let hint =
            format!("the platforms are: {}; add it to `platforms` of a build, or leave the leg out", all.join(", "));
        found.problems.push(Problem::new(what).hint(hint));
        return Narrowed::default();
    }
    let (steps, others): (Vec<Step>, Vec<Step>) = planned.into_iter().partition(|step| platform(step, &leg).is_some());
    for step in &steps {
        for id in step.depends_on.iter().filter(|id| others.iter().any(|other| other.id == **id)) {
            let what = format!(
                "the leg {leg} of build {} cannot be built: it depends on {id}, which is not for {leg}",
                step.id
            );
            let hint = format!("add {leg} to the platforms of {id}: every leg builds what it depends on itself");
            found.problems.push(Problem::new(what).hint(hint));
        }
    }
    let left_out = |step: Step| Decision {
        why: format!("this run is the leg {leg}, and it is for {}", step.platforms.join(", ")),
        id: step.id,
        included: false,
    };
    if !steps.is_empty() {
        found.note(format!(
            "this run is the leg {leg}: it puts no tag and signs nothing; `stagefreight merge` does, with all legs"
        ));
    }
    Narrowed {
        steps: steps.into_iter().map(|step| of_one(step, &leg)).collect(),
        left_out: others.into_iter().map(left_out).collect(),
    }
}

/// What a build's cache is called: several builds, and several legs of one, must not overwrite each other's.
pub(crate) fn cache_name(build: &str, alone: bool, facts: &Facts<'_>) -> Option<String> {
    match &facts.request.inputs.platform_leg {
        Some(leg) => Some(format!("{build}-{}", normalise(leg).replace('/', "-"))),
        None => (!alone).then(|| build.to_owned()),
    }
}

/// The platform as the build spells it.
fn platform(step: &Step, leg: &str) -> Option<String> {
    step.platforms.iter().find(|platform| normalise(platform) == leg).cloned()
}

fn of_one(step: Step, leg: &str) -> Step {
    let platform = platform(&step, leg).unwrap_or_else(|| leg.to_owned());
    // A leg that is the whole is built as the whole.
    let annotations = match step.platforms.len() {
        1 => step.annotations,
        _ => of_manifest(&step.annotations, leg),
    };
    Step {
        leg: Some(Leg { platform: platform.clone(), of: step.platforms }),
        platforms: vec![platform],
        annotations,
        ..step
    }
}

/// Those for the manifest of this platform, as annotations of a build that has no other. What is for the index and for the
/// descriptors in it comes with the index.
fn of_manifest(annotations: &BTreeMap<String, String>, leg: &str) -> BTreeMap<String, String> {
    let (mut general, mut particular) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in annotations {
        let (kinds, key) = annotation_kinds(name);
        for kind in kinds.split(',').filter(|kind| kind_name(kind) == "manifest") {
            match kind.split_once('[') {
                None => drop(general.insert(format!("manifest:{key}"), value.clone())),
                Some((_, named)) if normalise(named.trim_end_matches(']')) == leg => {
                    drop(particular.insert(format!("manifest:{key}"), value.clone()));
                }
                Some(_) => {}
            }
        }
    }
    // BuildKit prefers what names the platform.
    general.extend(particular);
    general
}
