//! `Request` in, `Plan` out. Pure: no file, no clock, no network, no environment but what the request holds.
//!
//! Every mistake is collected before anything is refused. `render` shows a plan to people; its JSON is serde's.

mod access;
mod arguments;
mod backend;
mod caches;
mod detect;
pub mod dockerfile;
mod facts;
mod hash;
mod labels;
mod leg;
pub mod model;
mod moving;
mod names;
mod output;
mod paths;
mod provider;
pub mod render;
mod select;
mod settings;
pub mod spec;
mod step;
mod targets;
pub(crate) mod version;

pub(crate) use labels::annotation_kinds;
pub use model::*;

use crate::cache;
use crate::config::model::{Backend, Config, Driver, ExternalRetention, LocalRetention};
use crate::problem::{Failure, FailureKind, Problem};
use crate::request::Request;
use caches::Caches;
use facts::{Facts, Findings};

/// Decides everything a run is going to do.
///
/// # Errors
/// When what was asked for cannot be planned: the failure holds every problem found.
pub fn resolve(request: &Request) -> Result<Plan, Failure> {
    let mut found = Findings { notes: request.notes.clone(), ..Findings::default() };
    let facts = Facts::of(request);
    notes(&facts, &mut found);
    found.problems.extend(backend::wanted(&facts).err());
    let builds = select::builds(&facts);
    let selection = select::select(&builds, &facts, &mut found);
    let access = access::access(&facts, &mut found);
    let mut caches = Caches::of(&facts, &mut found);
    let alone = builds.len() == 1;
    let planned: Vec<Step> = selection
        .chosen
        .iter()
        .filter_map(|chosen| step::step(chosen, alone, &access, &mut caches, &facts, &mut found))
        .collect();
    let leg::Narrowed { steps, left_out } = leg::narrow(planned, &facts, &mut found);
    output::collisions(&steps, &mut found);
    if steps.iter().any(|s| s.crucible.is_some()) && builder(&facts).driver == "docker" {
        found.note(
            "build_cache.builder.driver is `docker`: if docker builds, images are proven only where the engine keeps them in the containerd image store",
        );
    }
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
        left_out: selection.left_out.into_iter().chain(left_out).collect(),
        cache: caches.plan,
        builder: builder(&facts),
        publish: request.config.publish.clone(),
        sign: request.config.sign.clone(),
        notes: found.notes,
        version: facts.version,
    })
}

/// Every registry target of the config with where it is, whether or not it takes part in a run; without tags.
pub fn registry_targets(request: &Request) -> Vec<(String, Result<TargetPlan, Problem>)> {
    targets::all(&Facts::of(request))
}

/// What a person should know before anything happens.
fn notes(facts: &Facts<'_>, found: &mut Findings) {
    let request = facts.request;
    if let Some(idle) = idle_settings(&request.config) {
        found.note(idle);
    }
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

/// Settings that are read and checked, and that this version does not act on: silence would pass for obedience.
fn idle_settings(config: &Config) -> Option<String> {
    let cache = &config.build_cache;
    let idle = [
        ("build_cache: local: retention", cache.local.retention != LocalRetention::default()),
        ("build_cache: external: retention", cache.external.retention != ExternalRetention::default()),
        ("build_cache: cleanup", cache.cleanup.enabled),
    ];
    let names: Vec<_> = idle.into_iter().filter(|(_, set)| *set).map(|(name, _)| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("{}: not acted on by this version, nothing is deleted", names.join(", ")))
}

/// The builder wanted.
fn builder(facts: &Facts<'_>) -> BuilderPlan {
    let config = &facts.request.config.build_cache.builder;
    BuilderPlan {
        backend: match backend::wanted(facts).unwrap_or_default() {
            Backend::Auto => None,
            Backend::Buildkitd => Some(BackendChoice::Buildkitd),
            Backend::Docker => Some(BackendChoice::Docker),
            Backend::Rootless => Some(BackendChoice::Rootless),
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
pub(crate) mod tests;
