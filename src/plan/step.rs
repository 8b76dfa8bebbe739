//! One build of the plan, put together from what the siblings decide.

use std::collections::BTreeMap;

use super::access::Access;
use super::caches::Caches;
use super::detect::Origin;
use super::facts::{Facts, Findings};
use super::hash::{Hashed, plan_hash};
use super::select::Chosen;
use super::settings::Settings;
use super::{BuildMode, Step, arguments, detect, labels, leg, output, targets};
use crate::config::model::Build;
use crate::config::nearest::nearest;
use crate::problem::{Location, Problem};

/// Name of the context that `crucible.toolchain_image` is given as.
const TOOLCHAIN: &str = "toolchain";

/// One build, in full. `None` where a problem was found.
pub(crate) fn step(
    chosen: &Chosen<'_>,
    alone: bool,
    access: &Access,
    caches: &mut Caches,
    facts: &Facts<'_>,
    found: &mut Findings,
) -> Option<Step> {
    let (build, inputs) = (chosen.build, &facts.request.inputs);
    let origin = detect::origin(chosen, facts, found);
    let target = inputs.target.as_ref().filter(|_| chosen.named).or(build.target.as_ref());
    let target = target.cloned().filter(|target| !target.is_empty());
    stage_exists(origin.as_ref(), target.as_deref(), found);
    let read = origin.as_ref().and_then(|origin| origin.read.as_ref());
    let settings = Settings::of(build, facts, found);
    let build_args = arguments::build_args(build, read, facts, found);
    let mut base_images = read.map(|file| file.base_images(target.as_deref(), &build_args)).unwrap_or_default();
    // A named context takes the place of the image of that name.
    base_images.retain(|image| !access.contexts.contains_key(image));
    let toolchain = build.crucible.toolchain_image.as_ref().or(facts.request.config.crucible.toolchain_image.as_ref());
    let mut places = targets::places(chosen, alone, facts, found);
    let targets = std::mem::take(&mut places.decisions);
    let (output, also_load) = output::output(&build.id, alone, places, settings.platforms.len(), facts, found);
    let (cache_from, cache_to) = match &settings.crucible {
        Some(_) => caches.none(&build.id),
        None => caches.flags(leg::cache_name(&build.id, alone, facts).as_deref(), &output, facts),
    };
    let annotations = labels::annotations(settings.indexed(), facts, found);
    let mut build_contexts = access.contexts.clone();
    if let (Some(image), BuildMode::Crucible) = (toolchain, settings.build_mode) {
        build_contexts.entry(TOOLCHAIN.to_owned()).or_insert_with(|| format!("docker-image://{image}"));
        base_images.retain(|name| name != TOOLCHAIN);
    }
    let plan_hash = hash(build, origin.as_ref(), target.as_deref(), &settings.platforms, &build_args);
    let labels = labels::labels(build, &plan_hash, facts, found);
    let Origin { context, dockerfile, .. } = origin?;
    Some(Step {
        id: build.id.clone(),
        depends_on: chosen.depends_on.clone(),
        required: build.required.unwrap_or(true),
        build_mode: settings.build_mode,
        crucible: settings.crucible,
        dockerfile,
        context,
        target,
        platforms: settings.platforms,
        leg: None,
        build_args,
        labels,
        annotations,
        build_contexts,
        secrets: access.secrets.clone(),
        secret_values: access.values.clone(),
        ssh: access.ssh.clone(),
        cache_from,
        cache_to,
        no_cache: inputs.no_cache.unwrap_or(false) || settings.build_mode == BuildMode::Crucible,
        pull: inputs.pull.unwrap_or(false),
        provenance: settings.provenance,
        sbom: settings.sbom,
        rewrite_timestamp: settings.rewrite_timestamp,
        epoch: epoch(build, settings.build_mode, facts, found),
        output,
        also_load,
        base_images,
        targets,
        plan_hash,
    })
}

/// The commit's time. Two passes need one in any case: without a commit it is the beginning of 1970, so that the files of the
/// checkout, all of which are younger, do not bring their own.
fn epoch(build: &Build, mode: BuildMode, facts: &Facts<'_>, found: &mut Findings) -> Option<i64> {
    if facts.commit_time.is_none() && mode == BuildMode::Crucible {
        found.note(format!(
            "build `{}` has no commit to take the time from: file times in the image are those of 1970",
            build.id
        ));
        return Some(0);
    }
    facts.commit_time.map(jiff::Timestamp::as_second)
}

fn hash(
    build: &Build,
    origin: Option<&Origin>,
    target: Option<&str>,
    platforms: &[String],
    build_args: &BTreeMap<String, String>,
) -> String {
    let (context, dockerfile) = origin.map_or(("", ""), |o| (&o.context, &o.dockerfile));
    plan_hash(&Hashed { step: &build.id, dockerfile, context, target, platforms, build_args })
}

/// A stage that is asked for must be in the Dockerfile, where all of that was understood.
fn stage_exists(origin: Option<&Origin>, target: Option<&str>, found: &mut Findings) {
    let Some((origin, target)) = origin.zip(target) else { return };
    let Some(file) = origin.read.as_ref().filter(|file| file.certain) else { return };
    if file.stage(Some(target)).is_some() {
        return;
    }
    let names: Vec<&str> = file.stage_names().collect();
    let hint = match nearest(target, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "no stage of it has a name: add one with `FROM … AS name`".to_owned(),
        None => format!("its stages are: {}", names.join(", ")),
    };
    let at = Location { file: origin.dockerfile.clone(), line: None, column: None };
    found.problems.push(Problem::new(format!("there is no stage `{target}`")).at(at).hint(hint));
}
