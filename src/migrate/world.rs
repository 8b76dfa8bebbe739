//! The runs a workflow can have, sorted into kinds: its events, and branches, tags and requests as far as the workflow tells them
//! apart. Every condition is judged for each kind; what cannot be judged is unknown.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::yaml;
use crate::config::load::tree::Node;
use crate::runner::EventKind;

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ref {
    /// A branch that the workflow names.
    Branch(String),
    /// Every other branch.
    OtherBranch,
    /// A tag `v0.1.2`, where the workflow tells these apart.
    Early,
    /// A tag `1.2.3` or `v1.2.3`.
    Release,
    /// A tag `v1.2.3-rc.1`.
    Prerelease,
    /// Every other tag; every tag where the workflow does not tell them apart.
    OtherTag,
    /// A pull request.
    Pull,
}

impl Ref {
    pub(super) fn is_branch(&self) -> bool {
        matches!(self, Self::Branch(_) | Self::OtherBranch)
    }

    pub(super) fn is_tag(&self) -> bool {
        matches!(self, Self::Early | Self::Release | Self::Prerelease | Self::OtherTag)
    }

    /// What it is, for people.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Branch(name) => format!("the branch {name}"),
            Self::OtherBranch => "branches".to_owned(),
            Self::Pull => "pull requests".to_owned(),
            Self::Early | Self::Release | Self::Prerelease | Self::OtherTag => "git tags".to_owned(),
        }
    }
}

/// A kind of run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) event: EventKind,
    pub(super) reference: Ref,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) runs: Vec<Run>,
    pub(super) default_branch: String,
    /// Every tag the workflow runs for starts with `v`.
    pub(super) v_tags: bool,
    /// Versions `0.x` are told from others.
    pub(super) early: bool,
    /// Events that start the workflow and are not read here.
    pub(super) unread: Vec<(String, usize)>,
}

static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"'refs/heads/([A-Za-z0-9._/-]+)'|ref_name\s*[!=]=\s*'([A-Za-z0-9._/-]+)'|\bbranch=([A-Za-z0-9._/-]+)")
        .ok()
});

/// Sorts.
pub(super) fn world(root: &Node, source: &str, default_branch: Option<&str>) -> World {
    let on = yaml::get(root, "on");
    let triggers: Vec<(&str, Option<&Node>, usize)> = match on {
        None => Vec::new(),
        Some(on) if !yaml::entries(on).is_empty() => {
            yaml::entries(on).iter().map(|(key, value)| (key.name.as_str(), Some(value), key.place.line)).collect()
        }
        Some(on) => yaml::texts(on).into_iter().map(|name| (name, None, on.place.line)).collect(),
    };
    let filter = |name: &str, key: &str| {
        let settings = triggers.iter().find(|(trigger, ..)| *trigger == name).and_then(|(_, settings, _)| *settings);
        settings.and_then(|settings| yaml::get(settings, key)).map(yaml::texts)
    };
    let (branches, tags) = (filter("push", "branches"), filter("push", "tags"));
    let ignores = filter("push", "branches-ignore").is_some();
    let literal = |name: &&str| !name.contains(['*', '?', '[', '!', '+', '$']);
    let default_branch = default_branch.map(str::to_owned).or_else(|| {
        let named = branches.iter().flatten().find(|name| matches!(**name, "main" | "master" | "trunk"));
        named.map(|name| (*name).to_owned())
    });
    let default_branch = default_branch.unwrap_or_else(|| "main".to_owned());

    let mut names: BTreeSet<String> =
        branches.iter().flatten().filter(|name| literal(name)).map(|name| (*name).to_owned()).collect();
    for found in NAMED.iter().flat_map(|named| named.captures_iter(source)) {
        names.extend((1..4).filter_map(|n| found.get(n)).map(|name| name.as_str().to_owned()));
    }
    let has = |name: &str| triggers.iter().any(|(trigger, ..)| *trigger == name);
    if ["is_default_branch", "type=edge", "default_branch"].iter().any(|word| source.contains(word)) || has("schedule")
    {
        names.insert(default_branch.clone());
    }
    let versions = ["type=semver", "type=pep440", "type=match"].iter().any(|word| source.contains(word));
    let early = versions && source.contains("'refs/tags/v0.'");
    let every_tag: &[Ref] = match (versions, early) {
        (true, true) => &[Ref::Early, Ref::Release, Ref::Prerelease, Ref::OtherTag],
        (true, false) => &[Ref::Release, Ref::Prerelease, Ref::OtherTag],
        (false, _) => &[Ref::OtherTag],
    };
    let every_branch: Vec<Ref> = names.iter().cloned().map(Ref::Branch).chain([Ref::OtherBranch]).collect();
    let pushed: Vec<Ref> = match &branches {
        // A filter of one kind shuts the other out.
        None if tags.is_some() && !ignores => Vec::new(),
        Some(list) if list.iter().all(literal) => list.iter().map(|name| Ref::Branch((*name).to_owned())).collect(),
        _ => every_branch.clone(),
    };
    let tagged = tags.is_some() || (branches.is_none() && !ignores && filter("push", "tags-ignore").is_none());
    let mut world = World {
        runs: Vec::new(),
        v_tags: tags.as_ref().is_some_and(|tags| tags.iter().all(|tag| tag.starts_with('v') || tag.starts_with('!'))),
        default_branch,
        early,
        unread: Vec::new(),
    };
    for (name, _, line) in &triggers {
        let default = [Ref::Branch(world.default_branch.clone())];
        match *name {
            "push" => {
                world.add(EventKind::Push, &pushed);
                world.add(EventKind::Tag, if tagged { every_tag } else { &[] });
            }
            "pull_request" => world.add(EventKind::PullRequest, &[Ref::Pull]),
            "schedule" => world.add(EventKind::Schedule, &default),
            "release" => world.add(EventKind::Release, every_tag),
            "workflow_dispatch" => {
                world.add(EventKind::Manual, &every_branch);
                world.add(EventKind::Manual, every_tag);
            }
            other => world.unread.push((other.to_owned(), *line)),
        }
    }
    world
}

impl World {
    fn add(&mut self, event: EventKind, references: &[Ref]) {
        self.runs.extend(references.iter().map(|reference| Run { event, reference: reference.clone() }));
    }
}
