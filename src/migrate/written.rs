//! The new `.stagefreight.yml` as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::build::Spec;
use super::targets::{Target, policies};
use super::world::World;
use crate::init::files::{flow, scalar};

/// Everything that goes into it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Build ids and what they are made of.
    pub(super) builds: Vec<(String, Spec)>,
    pub(super) targets: Vec<Target>,
    /// Registry to prefix of variables.
    pub(super) logins: Vec<(String, String)>,
    pub(super) sign: Option<String>,
    pub(super) builder: Vec<String>,
    /// For each build of a matrix, its parts, and the variables that name each.
    pub(super) matrices: BTreeMap<String, Vec<Vec<String>>>,
}

/// A whole version that stands in a tag as it is.
static WHOLE_VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|[^0-9.])[0-9]+\.[0-9]+\.[0-9]+(?:$|[^0-9.])").ok());

impl Written {
    /// Whether several runs put one tag that names a commit or a version, each with an image of its own.
    pub(super) fn shares_fixed_tags(&self) -> bool {
        let mut known = BTreeSet::new();
        self.targets.iter().any(|target| {
            let for_tags = target.when.contains("git_tags");
            target.tags.iter().any(|tag| {
                let holds = |parts: &[&str]| parts.iter().any(|part| tag.contains(part));
                if !holds(&["{sha"]) {
                    return !for_tags && WHOLE_VERSION.as_ref().is_some_and(|version| version.is_match(tag));
                }
                // Alone, a commit is the same on a branch and at a git tag.
                let alone = !holds(&["{version", "{tag}", "{branch}", "{date"]);
                let twice = alone && !known.insert((&target.url, &target.path, tag));
                let anywhere = alone && !target.when.contains("branches") && target.when.contains("tag");
                let events = target.when.split("events: ").nth(1).unwrap_or_default();
                let again = (events.contains("schedule") || events.contains("manual"))
                    && !holds(&["{date", "{ci.pipeline}", "{env:GITHUB_RUN_"]);
                twice || anywhere || again || self.leaves_out_matrix(target, tag)
            })
        })
    }

    /// Whether jobs of one matrix put this tag of the target in one place.
    fn leaves_out_matrix(&self, target: &Target, tag: &str) -> bool {
        let whole = format!("{}/{}:{tag}", target.url, target.path);
        let parts = self.matrices.get(&target.build);
        parts.into_iter().flatten().any(|part| !part.iter().any(|variable| whole.contains(variable)))
    }
}

/// The file. `from`: the workflow it was made of.
pub(super) fn text(written: &Written, world: &World, from: &str) -> String {
    let mut out = format!(
        "# What to build and where to publish it; made of {} by `stagefreight migrate`.\n\
         # `stagefreight plan` shows what a run would do with it, and why.\nversion: 1\n",
        crate::init::config::comment(from)
    );
    let whens: String = written.targets.iter().map(|target| target.when.as_str()).collect();
    let policies = policies(world);
    let used: Vec<_> = policies.iter().filter(|(name, _)| whens.contains(name)).collect();
    if !used.is_empty() {
        out.push_str("\npolicies:\n  git_tags:\n");
        for (name, pattern) in used {
            let _ = writeln!(out, "    {name}: {}", scalar(pattern));
        }
    }
    out.push_str("\nbuilds:\n");
    for (id, spec) in &written.builds {
        build(&mut out, id, spec);
    }
    if !written.targets.is_empty() {
        out.push_str("\ntargets:\n");
    }
    for target in &written.targets {
        let _ = writeln!(out, "  # {}", target.why);
        let _ =
            writeln!(out, "  - id: {}\n    kind: registry\n    build: {}", scalar(&target.id), scalar(&target.build));
        let _ = writeln!(out, "    url: {}\n    path: {}", scalar(&target.url), scalar(&target.path));
        if let Some((_, prefix)) = written.logins.iter().find(|(host, _)| *host == target.url) {
            let _ = writeln!(out, "    credentials: {prefix}   # the step's {prefix}_USER and {prefix}_TOKEN");
        }
        let _ = writeln!(out, "    tags: {}", flow(&target.tags));
        let _ = writeln!(out, "    when: {}", target.when);
    }
    let elsewhere: Vec<_> = written
        .logins
        .iter()
        .filter(|(host, _)| !host.contains('{') && !written.targets.iter().any(|target| target.url == *host))
        .collect();
    if !elsewhere.is_empty() {
        out.push_str("\n# Logins for base images, caches, and images that steps name by themselves.\nregistries:\n");
        for (host, prefix) in elsewhere {
            let _ = writeln!(out, "  {}: {{ credentials: {prefix} }}", scalar(host));
        }
    }
    if !written.builder.is_empty() {
        out.push_str("\nbuild_cache:\n  builder:\n");
        for line in &written.builder {
            let _ = writeln!(out, "    {line}");
        }
    }
    if written.shares_fixed_tags() {
        out.push_str(
            "\n# Several runs put one tag that names a commit or a version, each with an image of its own: the later takes it, as before.\n\
             # Without this such a tag stays where it is first put, and the second run fails.\npublish:\n  fixed_tags: replace\n",
        );
    }
    if let Some(key) = &written.sign {
        out.push_str("\nsign:\n  mode: required\n");
        if !key.is_empty() {
            let _ = writeln!(out, "  key: {}", scalar(key));
        }
    }
    out
}

fn build(out: &mut String, id: &str, spec: &Spec) {
    let _ = writeln!(out, "  - id: {}\n    kind: docker", scalar(id));
    for (key, value) in [("dockerfile", &spec.dockerfile), ("context", &spec.context), ("target", &spec.target)] {
        if let Some(value) = value {
            let _ = writeln!(out, "    {key}: {}", scalar(value));
        }
    }
    if !spec.platforms.is_empty() {
        let _ = writeln!(out, "    platforms: {}", flow(&spec.platforms));
    }
    pairs(out, "build_args", &spec.args);
    pairs(out, "labels", &spec.labels);
}

fn pairs(out: &mut String, key: &str, map: &BTreeMap<String, String>) {
    if !map.is_empty() {
        let _ = writeln!(out, "    {key}:");
    }
    for (name, value) in map {
        let _ = writeln!(out, "      {}: {}", scalar(name), scalar(value));
    }
}
