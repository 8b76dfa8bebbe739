//! Tags of every kind of run, gathered into targets: one for each repository and each set of runs that get the same tags.

use std::collections::BTreeSet;

use super::world::{Ref, Run, World};
use crate::init::config::escaped;
use crate::init::files::{flow, scalar};
use crate::runner::EventKind;

/// A target of the new configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) build: String,
    pub(super) url: String,
    pub(super) path: String,
    pub(super) tags: Vec<String>,
    /// As YAML.
    pub(super) when: String,
    /// What it is for, in a few words.
    pub(super) why: String,
}

/// What a run publishes: repository and tags.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Published {
    pub(super) run: Run,
    pub(super) url: String,
    pub(super) path: String,
    pub(super) tags: Vec<String>,
}

/// Gathers. `several`: the configuration has other builds, so that ids are told apart.
pub(super) fn gather(build: &str, several: bool, published: &[Published], world: &World) -> Vec<Target> {
    let mut places: Vec<(&str, &str)> = Vec::new();
    for one in published {
        if !places.contains(&(one.url.as_str(), one.path.as_str())) {
            places.push((&one.url, &one.path));
        }
    }
    let mut targets = Vec::new();
    for (url, path) in &places {
        let here = published.iter().filter(|one| one.url == *url && one.path == *path);
        let mut groups: Vec<(&Vec<String>, Vec<&Run>)> = Vec::new();
        for one in here {
            match groups.iter_mut().find(|(tags, _)| **tags == one.tags) {
                Some((_, runs)) => runs.push(&one.run),
                None => groups.push((&one.tags, vec![&one.run])),
            }
        }
        for (tags, runs) in groups {
            for (name, why, when) in conditions(&runs, world) {
                let mut parts = Vec::new();
                if several {
                    parts.push(build.to_owned());
                }
                if places.len() > 1 {
                    parts.push(label(url, path, &places));
                }
                parts.push(name);
                let base = parts.join("-");
                let taken = |id: &str| targets.iter().any(|target: &Target| target.id == id);
                let id =
                    std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}"))).find(|id| !taken(id));
                targets.push(Target {
                    id: id.unwrap_or(base),
                    build: build.to_owned(),
                    url: (*url).to_owned(),
                    path: (*path).to_owned(),
                    tags: tags.clone(),
                    when,
                    why,
                });
            }
        }
    }
    targets
}

/// A short name for a repository.
fn label(url: &str, path: &str, places: &[(&str, &str)]) -> String {
    let host = match url {
        "docker.io" => "dockerhub".to_owned(),
        host => crate::init::builds::legal(host.split(['.', ':']).next().unwrap_or(host)),
    };
    if places.iter().filter(|(other, _)| *other == url).count() > 1 {
        let last = path.rsplit('/').next().unwrap_or(path);
        return format!("{host}-{}", crate::init::builds::legal(last));
    }
    host
}

type Events = BTreeSet<&'static str>;

fn word(event: EventKind) -> &'static str {
    match event {
        EventKind::Push => "push",
        EventKind::Tag => "tag",
        EventKind::Release => "release",
        EventKind::Schedule => "schedule",
        EventKind::Manual => "manual",
        EventKind::PullRequest => "pull_request",
        EventKind::MergeRequest => "merge_request",
    }
}

fn events_of<'r>(runs: impl Iterator<Item = &'r Run>, reference: &Ref) -> Events {
    runs.filter(|run| run.reference == *reference).map(|run| word(run.event)).collect()
}

/// The conditions that hold for exactly these runs: a name, what it is, and the `when`.
fn conditions(runs: &[&Run], world: &World) -> Vec<(String, String, String)> {
    let in_pull = |run: &Run| run.reference == Ref::Pull;
    let all = |keep: &dyn Fn(&Run) -> bool| world.runs.iter().filter(|run| keep(run)).all(|run| runs.contains(&run));
    let mut found = Vec::new();
    // The condition is written down even where the workflow has no other runs: a laptop has, and publishes nothing by this.
    let has_both = runs.iter().any(|run| run.reference.is_tag()) && runs.iter().any(|run| run.reference.is_branch());
    let named = runs.iter().any(|run| matches!(run.reference, Ref::Branch(_)));
    let pulls = runs.iter().any(|run| in_pull(run));
    if has_both
        && all(&|run| pulls || !in_pull(run))
        && (!named || runs.iter().any(|run| run.reference == Ref::OtherBranch))
    {
        let events: Events = runs.iter().map(|run| word(run.event)).collect();
        let why = if pulls || !world.runs.iter().any(in_pull) {
            "Every run."
        } else {
            "Every run but those of pull requests."
        };
        return vec![("image".to_owned(), why.to_owned(), when(&events, None))];
    }
    if runs.iter().any(|run| in_pull(run)) {
        let events = events_of(runs.iter().copied(), &Ref::Pull);
        found.push(("pull-requests".to_owned(), "Pull requests.".to_owned(), when(&events, None)));
    }
    found.extend(side(runs, world, true));
    found.extend(side(runs, world, false));
    found
}

/// The part of the runs that is for tags, or for branches.
fn side(runs: &[&Run], world: &World, tags: bool) -> Vec<(String, String, String)> {
    let ours = |run: &Run| if tags { run.reference.is_tag() } else { run.reference.is_branch() };
    let every: BTreeSet<&Ref> = world.runs.iter().filter(|run| ours(run)).map(|run| &run.reference).collect();
    let mut groups: Vec<(Events, Vec<&Ref>)> = Vec::new();
    let wanted: BTreeSet<&Ref> = runs.iter().filter(|run| ours(run)).map(|run| &run.reference).collect();
    for reference in wanted {
        let events = events_of(runs.iter().copied(), reference);
        match groups.iter_mut().find(|(known, _)| *known == events) {
            Some((_, references)) => references.push(reference),
            None => groups.push((events, vec![reference])),
        }
    }
    let made = groups.into_iter().map(|(events, references)| {
        let whole = references.len() == every.len();
        if tags { of_tags(&events, &references, whole, world) } else { of_branches(&events, &references, whole, world) }
    });
    made.collect()
}

/// The policies that targets may name, and their patterns.
pub(super) fn policies(world: &World) -> [(&'static str, String); 3] {
    let v = if world.v_tags { "v" } else { "v?" };
    let first = if world.early { r"[1-9]\d*" } else { r"\d+" };
    [
        ("stable", format!(r"^{v}{first}\.\d+\.\d+$")),
        ("early", format!(r"^{v}0\.\d+\.\d+$")),
        ("prerelease", format!(r"^{v}\d+\.\d+\.\d+-")),
    ]
}

fn of_tags(events: &Events, references: &[&Ref], whole: bool, world: &World) -> (String, String, String) {
    let (mut patterns, mut name, mut why) = (Vec::new(), "tags", "Every git tag.");
    if whole {
        patterns.push(".*".to_owned());
    } else if references.contains(&&Ref::OtherTag) {
        // With excludes only, all else matches.
        (name, why) = ("other-tags", "Git tags that are no such version.");
        for (reference, policy) in [(Ref::Release, "!stable"), (Ref::Early, "!early"), (Ref::Prerelease, "!prerelease")]
        {
            if !references.contains(&&reference) && world.runs.iter().any(|run| run.reference == reference) {
                patterns.push(policy.to_owned());
            }
        }
    } else {
        for (reference, policy, called, what) in [
            (Ref::Prerelease, "prerelease", "prerelease", "Tags of pre-releases, v1.2.3-rc.1."),
            (Ref::Early, "early", "early", "Tags of releases before the first, v0.1.2."),
            (Ref::Release, "stable", "release", "Tags of releases, v1.2.3."),
        ] {
            if references.contains(&&reference) {
                patterns.insert(0, policy.to_owned());
                (name, why) = (called, what);
            }
        }
    }
    let known: Events =
        world.runs.iter().filter(|run| references.contains(&&run.reference)).map(|run| word(run.event)).collect();
    let limited = if known == *events { Events::new() } else { events.clone() };
    if events.len() == 1 && events.contains("manual") {
        (name, why) = ("manual-tags", "Runs by hand, for git tags.");
    }
    (name.to_owned(), why.to_owned(), when(&limited, Some(("git_tags", &patterns))))
}

fn of_branches(events: &Events, references: &[&Ref], whole: bool, world: &World) -> (String, String, String) {
    let exact = |name: &String| match name.contains(['.', '+']) {
        true => format!("re:^{}$", escaped(name)),
        false => name.clone(),
    };
    let name_of = |reference: &&&Ref| match reference {
        Ref::Branch(name) => Some(name.clone()),
        _ => None,
    };
    let named: Vec<String> = references.iter().filter_map(|reference| name_of(&reference)).collect();
    let other = references.contains(&&Ref::OtherBranch);
    let only = |event: &str| events.len() == 1 && events.contains(event);
    let timer = only("schedule");
    let id = match named.as_slice() {
        _ if timer => "nightly".to_owned(),
        _ if only("manual") => "manual".to_owned(),
        [one] if !other => crate::init::builds::legal(one),
        _ => "branches".to_owned(),
    };
    let why = match (timer, other) {
        (true, _) => "The timer.".to_owned(),
        _ if only("manual") => "Runs by hand, for branches.".to_owned(),
        (_, true) if whole => "Every branch.".to_owned(),
        (_, true) => "Every other branch.".to_owned(),
        (_, false) if named.len() > 1 => format!("The branches {}.", named.join(", ")),
        (_, false) => format!("The branch {}.", named.join(", ")),
    };
    // A run by hand may be for a tag.
    let by_hand = events.contains("manual");
    let patterns: Vec<String> = match (whole, other) {
        _ if timer => Vec::new(),
        (true, true) if by_hand => vec![".*".to_owned()],
        (true, true) => Vec::new(),
        (_, false) => named.iter().map(exact).collect(),
        (false, true) => {
            let apart = world.runs.iter().filter_map(|run| match &run.reference {
                Ref::Branch(name) if !named.contains(name) => Some(format!("!{}", exact(name))),
                _ => None,
            });
            let apart: BTreeSet<String> = apart.collect();
            std::iter::once(".*".to_owned()).chain(apart).collect()
        }
    };
    let patterns = Some(("branches", &patterns)).filter(|(_, patterns)| !patterns.is_empty());
    (id, why, when(events, patterns.map(|(key, patterns)| (key, patterns as &Vec<String>))))
}

fn when(events: &Events, names: Option<(&str, &Vec<String>)>) -> String {
    let mut parts = Vec::new();
    if let Some((key, patterns)) = names {
        parts.push(format!("{key}: {}", flow(patterns)));
    }
    if !events.is_empty() {
        let order = ["push", "tag", "release", "schedule", "manual", "pull_request"];
        let words: Vec<_> = order.into_iter().filter(|word| events.contains(word)).map(scalar).collect();
        parts.push(format!("events: [{}]", words.join(", ")));
    }
    format!("{{ {} }}", parts.join(", "))
}
