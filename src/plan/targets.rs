//! Where a build goes: every target that names it, in or out, and why.
//!
//! An untrusted run publishes nothing, whether or not a registry asks for a login: its branch may be called `main` in
//! somebody else's repository, and then every condition of the config holds for it. The build itself is still checked.

use super::facts::{Facts, Findings};
use super::moving::moving;
use super::names::{self, Reference};
use super::output::LOCAL_NAME;
use super::select::Chosen;
use super::{Decision, TargetPlan, provider};
use crate::config::conditions::{self, Verdict};
use crate::config::model::{RegistryProvider, Target, TargetKind};
use crate::image::{Repository, Tag};
use crate::problem::Problem;
use crate::runner::ForgeKind;

/// The places of one build.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Every target that names the build.
    pub(crate) decisions: Vec<Decision>,
    /// Registry targets that are in.
    pub(crate) registries: Vec<TargetPlan>,
    /// Names for the engine, of targets with `provider: local`.
    pub(crate) local: Vec<String>,
    /// Names of the `tags` input, for the engine.
    pub(crate) asked: Vec<String>,
    /// There is a registry target at all, in or out.
    pub(crate) any: bool,
}

/// A target, resolved.
enum Place {
    Registry(TargetPlan),
    Engine(Vec<String>),
}

/// Decides. `alone`: the project has no other build, so a target need not name it.
pub(crate) fn places(chosen: &Chosen<'_>, alone: bool, facts: &Facts<'_>, found: &mut Findings) -> Places {
    let given: &[String] = if chosen.named { &facts.request.inputs.tags } else { &[] };
    let (references, bare): (Vec<&String>, Vec<&String>) = given.iter().partition(|tag| names::is_reference(tag));
    if let (Some(reference), Some(tag)) = (references.first(), bare.first()) {
        found.problems.push(
            Problem::new(format!("input `tags` mixes references (`{reference}`) and bare tags (`{tag}`)"))
                .hint("write all of them as `host/path:tag`, or all as tags for the targets of the config"),
        );
        return Places::default();
    }
    let mut places = Places::default();
    for target in targets_of(&chosen.build.id, alone, facts) {
        configured(target, !references.is_empty(), &bare, facts, found, &mut places);
    }
    if !references.is_empty() {
        asked_for(&references, facts, found, &mut places);
    }
    let named = bare.iter().filter_map(|tag| found.keep(facts.render_tag(tag, &format!("input `tags`: `{tag}`"))));
    places.asked.extend(named.map(|tag| format!("{LOCAL_NAME}:{tag}")).collect::<Vec<_>>());
    let loads = facts.request.inputs.local || facts.request.inputs.load == Some(true);
    if let (Some(tag), false, false) = (bare.first(), places.any || !places.local.is_empty(), loads) {
        found.problems.push(
            Problem::new(format!("input `tags`: `{tag}` names no repository, and no target says one"))
                .hint("write a whole reference, `ghcr.io/acme/app:1.2.3`, or configure a target"),
        );
    }
    places
}

fn targets_of<'r>(build: &str, alone: bool, facts: &Facts<'r>) -> impl Iterator<Item = &'r Target> {
    let ours = facts.request.config.targets.iter().filter(|target| target.kind == TargetKind::Registry);
    ours.filter(move |target| target.build.as_ref().map_or(alone, |id| id == build))
}

/// A target of the config. `replaced`: the `tags` input takes the place of all of them.
fn configured(
    target: &Target,
    replaced: bool,
    bare: &[&String],
    facts: &Facts<'_>,
    found: &mut Findings,
    places: &mut Places,
) {
    let engine = target.provider == Some(RegistryProvider::Local);
    places.any |= !engine;
    let verdict =
        if replaced { out("the input `tags` says where the image goes") } else { decide(target, engine, facts) };
    if verdict.included {
        match resolve(target, engine, bare, facts, found) {
            Some(Place::Engine(names)) => places.local.extend(names),
            Some(Place::Registry(plan)) => places.registries.push(plan),
            // A problem was found: there will be no plan.
            None => {}
        }
    }
    places.decisions.push(Decision { id: target.id.clone(), included: verdict.included, why: verdict.why });
}

/// Conditions first, because what they leave out stays out whatever the run is told; then what the run is told; then trust.
fn decide(target: &Target, engine: bool, facts: &Facts<'_>) -> Verdict {
    let policies = &facts.request.config.policies;
    let selected = conditions::selects(&target.select_tags, policies, facts.tag);
    if !selected.included {
        return selected;
    }
    let event = facts.request.context.event;
    let verdict = conditions::matches(&target.when, policies, facts.branch, facts.tag, event);
    if !verdict.included {
        return verdict;
    }
    match held_back(engine, facts) {
        Some(why) => out(&why),
        None if target.when == Default::default() && !target.select_tags.is_empty() => selected,
        None => verdict,
    }
}

/// Why the run publishes nothing, if so.
fn held_back(engine: bool, facts: &Facts<'_>) -> Option<String> {
    let inputs = &facts.request.inputs;
    if let Some(reason) = facts.untrusted() {
        return Some(format!("credentials are withheld from this run ({reason}); nothing is published"));
    }
    match engine {
        true => None,
        false if inputs.local => Some("a local run publishes nothing".to_owned()),
        false if inputs.push == Some(false) => Some("push is switched off".to_owned()),
        false => None,
    }
}

fn resolve(target: &Target, engine: bool, bare: &[&String], facts: &Facts<'_>, found: &mut Findings) -> Option<Place> {
    let tags = tags(target, bare, facts, found);
    if engine {
        let name = found.keep(engine_name(target, facts))?;
        return Some(Place::Engine(tags?.iter().map(|tag| format!("{name}:{tag}")).collect()));
    }
    let repository = found.keep(repository(target, facts));
    let (tags, repository) = (tags?, repository?);
    Some(Place::Registry(TargetPlan {
        id: target.id.clone(),
        moving: moving(&tags, facts.commit),
        scan: target.native_scan == Some(true),
        provider: target.provider.and_then(provider::named).unwrap_or_else(|| provider::of_host(repository.host())),
        repository,
        tags,
        credentials: target.credentials.clone().filter(|prefix| !prefix.is_empty()),
    }))
}

/// Every registry target of the config, whether or not it is in: where it is, and no tags.
pub(crate) fn all(facts: &Facts<'_>) -> Vec<(String, Result<TargetPlan, Problem>)> {
    let targets = facts
        .request
        .config
        .targets
        .iter()
        .filter(|target| target.kind == TargetKind::Registry && target.provider != Some(RegistryProvider::Local));
    let place = |target: &Target| {
        let plan = |repository: Repository| TargetPlan {
            id: target.id.clone(),
            provider: target.provider.and_then(provider::named).unwrap_or_else(|| provider::of_host(repository.host())),
            repository,
            tags: Vec::new(),
            moving: Vec::new(),
            scan: false,
            credentials: target.credentials.clone().filter(|prefix| !prefix.is_empty()),
        };
        (target.id.clone(), repository(target, facts).map(plan))
    };
    targets.map(place).collect()
}

/// The registry repository of a target, whether or not it is in: caches live beside targets that are out, too.
pub(crate) fn repository(target: &Target, facts: &Facts<'_>) -> Result<Repository, Problem> {
    let what = |key: &str| format!("targets.{}.{key}", target.id);
    let own = facts.request.context.registry.as_ref().map(|registry| registry.host.as_str());
    let host = match &target.url {
        Some(url) => facts.render(url, &what("url"))?,
        None => target.provider.and_then(provider::only_host).or(own).map(str::to_owned).ok_or_else(|| {
            facts.in_config(
                Problem::new(format!("target `{}` names no registry", target.id))
                    .hint("add `url: host` or `host:port`"),
            )
        })?,
    };
    let path = match (&target.path, &facts.request.context.repository) {
        (Some(path), _) => facts.render(path, &what("path"))?,
        (None, Some(repository)) if is_own(&host, facts) => repository.clone(),
        (None, _) => {
            let problem = Problem::new(format!("target `{}` names no repository", target.id));
            return Err(facts.in_config(problem.hint("add `path: team/app`")));
        }
    };
    Repository::new(&host, &path.to_lowercase())
        .map_err(|error| facts.in_config(names::bad_name(&format!("target `{}`", target.id), &error)))
}

/// The forge's own registry, where a repository's images lie under the repository's name.
fn is_own(host: &str, facts: &Facts<'_>) -> bool {
    let context = &facts.request.context;
    context.registry.as_ref().is_some_and(|registry| registry.host == host)
        || (context.forge == ForgeKind::GitHub && host == "ghcr.io")
}

/// The name of a `provider: local` target: its path, after its url if it has one.
fn engine_name(target: &Target, facts: &Facts<'_>) -> Result<String, Problem> {
    let what = |key: &str| format!("targets.{}.{key}", target.id);
    let path = match &target.path {
        Some(path) => facts.render(path, &what("path"))?.to_lowercase(),
        None => LOCAL_NAME.to_owned(),
    };
    let name = match &target.url {
        Some(url) => format!("{}/{path}", facts.render(url, &what("url"))?),
        None => path,
    };
    let bad = |error| facts.in_config(names::bad_name(&format!("target `{}`", target.id), &error));
    name.parse::<Repository>().map(|_| name).map_err(bad)
}

/// The tags of a target, or those of the input in their place: legal, in order, without duplicates, never empty.
fn tags(target: &Target, bare: &[&String], facts: &Facts<'_>, found: &mut Findings) -> Option<Vec<Tag>> {
    let templates: Vec<(&str, String)> = match bare.is_empty() {
        true => target.tags.iter().map(|tag| (tag.as_str(), format!("targets.{}.tags: `{tag}`", target.id))).collect(),
        false => bare.iter().map(|tag| (tag.as_str(), format!("input `tags`: `{tag}`"))).collect(),
    };
    if templates.is_empty() {
        let problem = Problem::new(format!("target `{}` has no tags", target.id));
        found
            .problems
            .push(facts.in_config(problem.hint("add `tags: [\"{version}\"]`, or give them as the input `tags`")));
        return None;
    }
    let (mut tags, mut whole) = (Vec::new(), true);
    for (template, what) in templates {
        match found.keep(facts.render_tag(template, &what)) {
            Some(tag) if tags.contains(&tag) => {}
            Some(tag) => tags.push(tag),
            None => whole = false,
        }
    }
    whole.then_some(tags)
}

/// References of the `tags` input: one target for each repository, in order.
fn asked_for(references: &[&String], facts: &Facts<'_>, found: &mut Findings, places: &mut Places) {
    places.any = true;
    let mut plans: Vec<TargetPlan> = Vec::new();
    for given in references {
        let Some(Reference { repository, tag, name }) = found.keep(names::reference(given, facts)) else { continue };
        places.asked.push(name);
        match plans.iter_mut().find(|plan| plan.repository == repository) {
            Some(plan) if plan.tags.contains(&tag) => {}
            Some(plan) => plan.tags.push(tag),
            None => plans.push(TargetPlan {
                id: format!("input-{}", plans.len() + 1),
                provider: provider::of_host(repository.host()),
                credentials: credentials(&repository, facts),
                repository,
                tags: vec![tag],
                moving: Vec::new(),
                scan: false,
            }),
        }
    }
    let verdict = match held_back(false, facts) {
        Some(why) => out(&why),
        None => Verdict { included: true, why: "asked for by the input `tags`".to_owned() },
    };
    for mut plan in plans {
        plan.moving = moving(&plan.tags, facts.commit);
        let why = verdict.why.clone();
        places.decisions.push(Decision { id: plan.id.clone(), included: verdict.included, why });
        if verdict.included {
            places.registries.push(plan);
        }
    }
}

/// The login the config names for a registry.
fn credentials(repository: &Repository, facts: &Facts<'_>) -> Option<String> {
    facts.request.config.registries.get(repository.host())?.credentials.clone()
}

fn out(why: &str) -> Verdict {
    Verdict { included: false, why: why.to_owned() }
}
