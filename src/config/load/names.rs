//! What names what: ids stand once, references name something, and nothing needs itself.

use std::collections::{BTreeMap, HashMap};

use super::cycles::cycles;
use super::findings::Findings;
use crate::config::model::{Build, BuildKind, CacheMode, Config, RegistryProvider, Target, TargetKind};
use crate::config::nearest::nearest;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    unique("builds", "build", config.builds.iter().map(|b| b.id.as_str()), findings);
    unique("targets", "target", config.targets.iter().map(|t| t.id.as_str()), findings);
    dependencies(&config.builds, findings);
    for (i, target) in config.targets.iter().enumerate().filter(|(_, t)| t.kind == TargetKind::Registry) {
        published_build(&format!("targets[{i}]"), target, &config.builds, findings);
    }
    cache_target(config, findings);
}

fn unique<'a>(list: &str, kind: &str, ids: impl Iterator<Item = &'a str>, findings: &mut Findings<'_>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (i, id) in ids.enumerate().filter(|(_, id)| !id.is_empty()) {
        match seen.get(id) {
            None => {
                seen.insert(id, i);
            }
            Some(first) => {
                let hint = findings
                    .line_of(&format!("{list}[{first}].id"))
                    .map(|line| format!("the first stands in line {line}"));
                findings.add_at(&format!("{list}[{i}].id"), format!("there are two {kind}s with the id `{id}`"), hint);
            }
        }
    }
}

fn dependencies(builds: &[Build], findings: &mut Findings<'_>) {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut path_of: HashMap<&str, String> = HashMap::new();
    for (i, build) in builds.iter().enumerate() {
        needs.entry(&build.id).or_insert_with(|| build.depends_on.as_deref().into_iter().collect());
        path_of.entry(&build.id).or_insert_with(|| format!("builds[{i}].depends_on"));
    }
    for (i, build) in builds.iter().enumerate() {
        if let Some(other) = build.depends_on.as_deref().filter(|other| !needs.contains_key(other)) {
            let path = format!("builds[{i}].depends_on");
            names_nothing(&path, "build", other, &ids(builds), findings);
        }
    }
    for circle in cycles(&needs) {
        let path = path_of.get(circle[0]).cloned().unwrap_or_default();
        let what = match circle.as_slice() {
            [one, _] => format!("the build `{one}` depends on itself"),
            _ => format!("builds depend on each other in a circle: {}", circle.join(" → ")),
        };
        findings.add_at(&path, what, Some("take out one `depends_on` of them".to_owned()));
    }
}

fn published_build(path: &str, target: &Target, builds: &[Build], findings: &mut Findings<'_>) {
    let docker: Vec<&str> = builds.iter().filter(|b| b.kind == BuildKind::Docker).map(|b| b.id.as_str()).collect();
    let at = format!("{path}.build");
    match target.build.as_deref() {
        Some(name) if docker.contains(&name) => {}
        Some(name) if builds.iter().any(|b| b.id == name) => {
            let what = format!("`{name}` builds no image, so this target cannot publish it");
            findings.add_at(&at, what, Some(one_of("builds of images", &docker)));
        }
        Some(name) => names_nothing(&at, "build", name, &ids(builds), findings),
        // Without builds in the file the run has the one its inputs or its Dockerfile make.
        None if docker.is_empty() || findings.blamed(&at) => {}
        None => {
            let hint = format!("add `build: {}`", docker[0]);
            findings.add_at(
                path,
                format!("the target `{}` does not say which build it publishes", target.id),
                Some(hint),
            );
        }
    }
}

fn cache_target(config: &Config, findings: &mut Findings<'_>) {
    let cache = &config.build_cache;
    let registries: Vec<&str> = config
        .targets
        .iter()
        .filter(|t| t.kind == TargetKind::Registry && t.provider != Some(RegistryProvider::Local))
        .map(|t| t.id.as_str())
        .collect();
    let at = "build_cache.external.target";
    match cache.external.target.as_deref() {
        Some(name) if registries.contains(&name) => {}
        Some(name) if config.targets.iter().any(|t| t.id == name) => {
            let what = format!("the target `{name}` is no registry, so it cannot hold a cache");
            findings.add_at(at, what, Some(one_of("registry targets", &registries)));
        }
        Some(name) => names_nothing(at, "target", name, &registries, findings),
        None if matches!(cache.mode, CacheMode::Shared | CacheMode::Hybrid) && !findings.blamed(at) => {
            let hint = "name a registry target: `external: {target: …}` under `build_cache`".to_owned();
            findings.add_at("build_cache.mode", "this cache mode needs `external.target`", Some(hint));
        }
        None => {}
    }
}

fn names_nothing(path: &str, kind: &str, name: &str, known: &[&str], findings: &mut Findings<'_>) {
    // An item whose id could not be read may be the one that is meant.
    if known.contains(&"") {
        return;
    }
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => one_of(&format!("{kind}s"), known),
    };
    findings.add_at(path, format!("there is no {kind} with the id `{name}`"), Some(hint));
}

fn ids(builds: &[Build]) -> Vec<&str> {
    builds.iter().map(|build| build.id.as_str()).collect()
}

fn one_of(what: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("there are no {what} in this file");
    }
    let named: Vec<String> = known.iter().take(10).map(|name| format!("`{name}`")).collect();
    let more = if known.len() > 10 { " …" } else { "" };
    format!("{what} are {}{more}", named.join(", "))
}
