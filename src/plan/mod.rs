//! `Request` in, `Plan` out. Pure: no file, no clock, no network, no environment but what the request holds.
//!
//! Every mistake is collected before anything is refused. `render` shows a plan to people; its JSON is serde's.

mod access;
mod arguments;
mod caches;
mod detect;
pub mod dockerfile;
mod facts;
mod hash;
mod labels;
pub mod model;
mod names;
mod output;
mod paths;
mod provider;
pub mod render;
mod select;
mod settings;
pub mod spec;
mod targets;
mod version;

pub use model::*;

use crate::cache;
use crate::config::model::{Backend, Driver};
use crate::problem::{Failure, FailureKind, Problem};
use crate::request::Request;
use access::Access;
use caches::Caches;
use detect::Origin;
use facts::{Facts, Findings};
use hash::Hashed;
use select::Chosen;

/// Decides everything a run is going to do.
///
/// # Errors
/// When what was asked for cannot be planned: the failure holds every problem found.
pub fn resolve(request: &Request) -> Result<Plan, Failure> {
    let mut found = Findings::default();
    let facts = Facts::of(request);
    notes(&facts, &mut found);
    let builds = select::builds(&facts);
    let selection = select::select(&builds, &facts, &mut found);
    let access = access::access(&facts, &mut found);
    let mut caches = Caches::of(&facts, &mut found);
    let alone = builds.len() == 1;
    let steps: Vec<Step> = selection
        .chosen
        .iter()
        .filter_map(|chosen| step(chosen, alone, &access, &mut caches, &facts, &mut found))
        .collect();
    output::collisions(&steps, &mut found);
    if steps.is_empty() && found.problems.is_empty() {
        found.note("nothing is built: every build is left out of this run");
    }
    if !found.problems.is_empty() {
        return Err(Failure::many(FailureKind::Plan, without_repeats(found.problems)));
    }
    Ok(Plan {
        commit: facts.commit.map(str::to_owned),
        commit_time: facts.commit_time,
        repo_id: facts.repo_id.clone(),
        steps,
        left_out: selection.left_out,
        cache: caches.plan,
        builder: builder(&facts),
        notes: found.notes,
        version: facts.version,
    })
}

/// One build, in full. `None` where a problem was found.
fn step(
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
    let platforms = settings::platforms(build, facts, found);
    let build_args = arguments::build_args(build, read, facts, found);
    let base_images = read.map(|file| file.base_images(target.as_deref(), &build_args)).unwrap_or_default();
    let build_mode = settings::build_mode(build, facts, found);
    let (provenance, sbom) = (settings::provenance(facts, found), settings::sbom(facts, found));
    let indexed = platforms.len() > 1 || provenance != "false" || sbom != "false";
    let mut places = targets::places(chosen, alone, facts, found);
    let decisions = std::mem::take(&mut places.decisions);
    let (output, also_load) = output::output(&build.id, alone, places, platforms.len(), facts, found);
    let (cache_from, cache_to) = caches.flags((!alone).then_some(build.id.as_str()), &output, facts);
    let (context, dockerfile) = origin.as_ref().map_or(("", ""), |o| (&o.context, &o.dockerfile));
    let plan_hash = hash::plan_hash(&Hashed {
        step: &build.id,
        dockerfile,
        context,
        target: target.as_deref(),
        platforms: &platforms,
        build_args: &build_args,
    });
    let labels = labels::labels(build, &plan_hash, facts, found);
    let annotations = labels::annotations(indexed, facts, found);
    let Origin { context, dockerfile, .. } = origin?;
    Some(Step {
        id: build.id.clone(),
        depends_on: chosen.depends_on.clone(),
        required: build.required.unwrap_or(true),
        build_mode,
        dockerfile,
        context,
        target,
        platforms,
        build_args,
        labels,
        annotations,
        build_contexts: access.contexts.clone(),
        secrets: access.secrets.clone(),
        secret_values: access.values.clone(),
        ssh: access.ssh.clone(),
        cache_from,
        cache_to,
        no_cache: inputs.no_cache.unwrap_or(false),
        pull: inputs.pull.unwrap_or(false),
        provenance,
        sbom,
        rewrite_timestamp: settings::rewrite_timestamp(build.reproducible, build_mode),
        epoch: facts.commit_time.map(jiff::Timestamp::as_second),
        output,
        also_load,
        base_images,
        targets: decisions,
        plan_hash,
    })
}

/// A stage that is asked for must be in the Dockerfile, where all of that was understood.
fn stage_exists(origin: Option<&Origin>, target: Option<&str>, found: &mut Findings) {
    let Some((origin, target)) = origin.zip(target) else { return };
    let Some(file) = origin.read.as_ref().filter(|file| file.certain) else { return };
    if file.stage(Some(target)).is_some() {
        return;
    }
    let names: Vec<&str> = file.stage_names().collect();
    let hint = match crate::config::nearest::nearest(target, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "no stage of it has a name: add one with `FROM … AS name`".to_owned(),
        None => format!("its stages are: {}", names.join(", ")),
    };
    let at = crate::problem::Location { file: origin.dockerfile.clone(), line: None, column: None };
    found.problems.push(Problem::new(format!("there is no stage `{target}`")).at(at).hint(hint));
}

/// What a person should know before anything happens.
fn notes(facts: &Facts<'_>, found: &mut Findings) {
    let request = facts.request;
    if let Some(reason) = facts.untrusted() {
        let mut withheld: Vec<String> = request.context.registry.iter().map(|own| own.variable.clone()).collect();
        let prefixes = request.config.targets.iter().filter_map(|target| target.credentials.as_ref());
        let registries = request.config.registries.values().filter_map(|settings| settings.credentials.as_ref());
        withheld.extend(prefixes.chain(registries).map(|prefix| format!("{prefix}_*")));
        withheld.sort();
        withheld.dedup();
        let names = if withheld.is_empty() { String::new() } else { format!(" ({})", withheld.join(", ")) };
        found.note(format!("credentials are withheld{names}, nothing is published, caches are read only: {reason}"));
    }
    if let Some(git) = &request.source.git {
        if git.shallow && !facts.version.release && git.tags.is_empty() {
            found.note(
                "the checkout is shallow and holds no tag, so the version may be wrong: check out with `fetch-depth: 0` \
                 (GIT_DEPTH: 0 on GitLab)",
            );
        }
        if let (Some(head), Some(run)) = (&git.head, &request.context.commit)
            && head != run
        {
            found.note(format!(
                "the checkout is at {head}, not at the commit of this run, {run}: the image is made of the checkout"
            ));
        }
    }
}

/// The builder wanted.
fn builder(facts: &Facts<'_>) -> BuilderPlan {
    let config = &facts.request.config.build_cache.builder;
    BuilderPlan {
        backend: match config.backend {
            Backend::Auto => None,
            Backend::Buildkitd => Some(BackendChoice::Buildkitd),
            Backend::Docker => Some(BackendChoice::Docker),
        },
        name: config.name.clone().filter(|n| !n.is_empty()).unwrap_or_else(|| cache::builder_name(&facts.repo_id)),
        named: config.name.as_deref().is_some_and(|n| !n.is_empty()),
        existing: facts.request.inputs.builder.clone().filter(|name| !name.is_empty()),
        driver: match config.driver {
            None | Some(Driver::DockerContainer) => "docker-container",
            Some(Driver::Docker) => "docker",
        }
        .to_owned(),
        image: config.image.clone().filter(|image| !image.is_empty()),
    }
}

/// Problems of run-wide inputs are met once for each build.
fn without_repeats(problems: Vec<Problem>) -> Vec<Problem> {
    let mut kept: Vec<Problem> = Vec::new();
    for problem in problems {
        if !kept.contains(&problem) {
            kept.push(problem);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
