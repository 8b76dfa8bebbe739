//! What BuildKit is asked to make of a build, and what a build sees of those it depends on. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Built, Content};
use crate::backend::builder::Driver;
use crate::buildx::argv::Export;
use crate::image::Repository;
use crate::plan::{Output, Plan, Step, TargetPlan};
use crate::problem::{Failure, FailureKind, Problem};

/// Where a build's image goes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// For `--output`.
    pub exports: Vec<Export>,
    /// Targets that hold the content when the build is done.
    pub pushed: Vec<String>,
    /// Engine name under which the image waits to be exported: the engine's own BuildKit can neither push by digest nor
    /// write a layout.
    pub parked: Option<String>,
    /// Private directory the layout is written to.
    pub layout: Option<PathBuf>,
}

/// What is known of a target beside the plan.
pub(super) trait Reach {
    /// The builder has this target's login.
    fn builder_can_push(&self, target: &TargetPlan) -> bool;
    /// Its registry is reached without verified TLS.
    fn is_insecure(&self, host: &str) -> bool;
}

/// Decides the exports of a step. `scratch` is a private path for a layout, `parking` a private image name.
///
/// # Errors
/// When the output cannot be made by this builder.
pub(super) fn route(
    step: &Step,
    driver: Driver,
    reach: &impl Reach,
    scratch: &Path,
    parking: &str,
) -> Result<Route, Failure> {
    let mut route = Route { exports: Vec::new(), pushed: Vec::new(), parked: None, layout: None };
    if step.crucible.is_some() {
        // What is not proven goes nowhere: where it is to go is seen to when it is.
        route.layout = Some(scratch.to_owned());
        route.exports.push(Export::Layout { dir: scratch.to_owned(), rewrite_timestamp: step.rewrite_timestamp });
        return Ok(route);
    }
    let mut load: Vec<String> = step.also_load.clone();
    match (&step.output, driver) {
        (Output::Load { names }, _) => load.splice(0..0, names.iter().cloned()).for_each(drop),
        (Output::Publish { .. } | Output::Layout { .. } | Output::LoadOrLayout { .. }, Driver::Engine) => {
            load.push(parking.to_owned());
            route.parked = Some(parking.to_owned());
            route.layout = Some(scratch.to_owned());
        }
        (Output::Publish { targets }, _) => {
            let reachable: Vec<_> = targets.iter().filter(|t| reach.builder_can_push(t)).collect();
            for insecure in [false, true] {
                let mut repositories: Vec<Repository> = reachable
                    .iter()
                    .filter(|t| reach.is_insecure(t.repository.host()) == insecure)
                    .map(|t| t.repository.clone())
                    .collect();
                repositories.sort();
                repositories.dedup();
                if !repositories.is_empty() {
                    route.exports.push(Export::Push {
                        repositories,
                        insecure,
                        rewrite_timestamp: step.rewrite_timestamp,
                    });
                }
            }
            route.pushed = reachable.iter().map(|t| t.id.clone()).collect();
        }
        (Output::Layout { .. } | Output::LoadOrLayout { .. }, _) => {
            route.layout = Some(scratch.to_owned());
            route.exports.push(Export::Layout { dir: scratch.to_owned(), rewrite_timestamp: step.rewrite_timestamp });
        }
    }
    if !load.is_empty() {
        if step.platforms.len() > 1 {
            let what = format!(
                "build {} is for {} platforms, and an engine takes an image of one",
                step.id,
                step.platforms.len()
            );
            let hint = "choose one with --platforms, or leave out --local/--load to write an OCI layout or publish";
            return Err(Failure::new(FailureKind::Plan, Problem::new(what).hint(hint)));
        }
        // First, for buildx's metadata tells of the last export alone: of what was pushed, if anything was.
        route.exports.insert(0, Export::Engine { names: load });
    }
    Ok(route)
}

/// Named contexts for the builds a step depends on: a `FROM` that names the build's id, or a reference it is published under in
/// this run, means the image just built, by digest, and not what an older run left under that tag.
pub(super) fn dependencies(
    plan: &Plan,
    step: &Step,
    ended: &BTreeMap<usize, Built>,
    root: &Path,
) -> Vec<(String, String)> {
    let mut contexts = Vec::new();
    for id in &step.depends_on {
        let Some(i) = plan.steps.iter().position(|s| s.id == *id) else { continue };
        let Some(Built { candidate: Some(candidate), outcome }) = ended.get(&i) else { continue };
        let dependency = &plan.steps[i];
        let targets: &[TargetPlan] = if let Output::Publish { targets } = &dependency.output { targets } else { &[] };
        let value = match &candidate.content {
            Content::Pushed { targets: pushed } => {
                let holder = targets.iter().find(|t| pushed.contains(&t.id));
                holder.map(|t| format!("docker-image://{}@{}", t.repository, candidate.digest))
            }
            Content::Layout(layout) => Some(format!("oci-layout://{}@{}", layout.dir().display(), candidate.digest)),
            // Nothing is built from legs in the run that merges them.
            Content::Pieces(_) => None,
            Content::Elsewhere => match (&outcome.layout, outcome.loaded.first()) {
                (Some(dir), _) => Some(format!("oci-layout://{}@{}", root.join(dir).display(), candidate.digest)),
                (None, Some(name)) => Some(format!("docker-image://{name}")),
                (None, None) => None,
            },
        };
        let Some(value) = value else { continue };
        let references = targets.iter().flat_map(|t| t.tags.iter().map(move |tag| format!("{}:{tag}", t.repository)));
        contexts.extend(std::iter::once(id.clone()).chain(references).map(|name| (name, value.clone())));
    }
    contexts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildx::argv::tests::step;
    use crate::plan::Provider;

    /// Knows which targets the builder may push to, and which hosts are insecure, by name.
    struct Known;

    impl Reach for Known {
        fn builder_can_push(&self, target: &TargetPlan) -> bool {
            !target.id.starts_with("other")
        }

        fn is_insecure(&self, host: &str) -> bool {
            host.starts_with("insecure")
        }
    }

    fn target(id: &str, repository: &str) -> TargetPlan {
        TargetPlan {
            id: id.into(),
            repository: repository.parse().unwrap(),
            provider: Provider::Generic,
            tags: vec!["1".parse().unwrap()],
            moving: Vec::new(),
            scan: false,
            credentials: None,
        }
    }

    fn routed(step: &Step, driver: Driver) -> Result<Route, Failure> {
        route(step, driver, &Known, Path::new("/t/layout"), "stagefreight/run-x:0")
    }

    #[test]
    fn one_solve_serves_every_registry_the_builder_can_reach() {
        let targets = vec![
            target("a", "a.example/x"),
            target("again", "a.example/x"),
            target("other", "a.example/y"),
            target("b", "insecure.example/x"),
        ];
        let route = routed(&Step { output: Output::Publish { targets }, ..step() }, Driver::Remote).unwrap();
        let specs: Vec<_> = route.exports.iter().map(Export::spec).collect();
        assert_eq!(
            specs,
            [
                "type=image,name=a.example/x,push=true,push-by-digest=true,oci-mediatypes=true,compression=gzip",
                "type=image,name=insecure.example/x,push=true,push-by-digest=true,registry.insecure=true,oci-mediatypes=true,compression=gzip",
            ]
        );
        assert_eq!(route.pushed, ["a", "again", "b"]);
        assert_eq!((route.parked, route.layout), (None, None));
    }

    #[test]
    fn the_engines_own_buildkit_parks_what_it_cannot_push_or_lay_out() {
        for output in
            [Output::Publish { targets: vec![target("a", "a.example/x")] }, Output::Layout { dir: "dist".into() }]
        {
            let route = routed(&Step { output, ..step() }, Driver::Engine).unwrap();
            assert_eq!(route.exports, [Export::Engine { names: vec!["stagefreight/run-x:0".into()] }]);
            assert_eq!(route.parked.as_deref(), Some("stagefreight/run-x:0"));
            assert!(route.pushed.is_empty());
        }
        let load =
            Step { output: Output::Load { names: vec!["app:1".into()] }, also_load: vec!["app:2".into()], ..step() };
        let route = routed(&load, Driver::Engine).unwrap();
        assert_eq!(route.exports, [Export::Engine { names: vec!["app:1".into(), "app:2".into()] }]);
        assert_eq!(route.parked, None);
    }

    #[test]
    fn several_platforms_fit_no_engine() {
        let platforms = vec!["linux/amd64".into(), "linux/arm64".into()];
        let step = Step { platforms, output: Output::Load { names: vec!["app:1".into()] }, ..step() };
        assert_eq!(routed(&step, Driver::Remote).unwrap_err().kind, FailureKind::Plan);
    }
}
