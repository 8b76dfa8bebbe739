//! Labels and annotations that a metadata step was told, and the variables it minds.

use std::collections::{BTreeMap, BTreeSet};

use super::handlebars::global;
use super::{Metadata, SHORT};
use crate::config::template::Template;
use crate::migrate::job;
use crate::migrate::report::Report;
use crate::migrate::step::Step;
use crate::migrate::value::Judge;
use crate::migrate::world::Ref;

/// How many digits of the commit the step takes, from its variables.
pub(super) fn digits(step: &Step<'_>, judge: &Judge<'_>, report: &mut Report) -> usize {
    let own = job::environment(step.node);
    let variable = |name: &str| {
        let text = own.get(name).or_else(|| judge.env.get(name)).filter(|text| !text.is_empty());
        text.map(|text| judge.fixed(text).unwrap_or_else(|| text.clone()))
    };
    let head = variable("DOCKER_METADATA_PR_HEAD_SHA").is_some_and(|text| !text.eq_ignore_ascii_case("false"));
    if head && judge.world.runs.iter().any(|run| run.reference == Ref::Pull) {
        report.lost(
            step.line(),
            "`DOCKER_METADATA_PR_HEAD_SHA` is not carried over: in runs for pull requests the commit is the one the forge merged for them, not the head of the branch",
            "take the commit into the tags by `{env:HEAD}`, with `HEAD: ${{ github.event.pull_request.head.sha }}` in the `env` of the step",
        );
    }
    let Some(text) = variable("DOCKER_METADATA_SHORT_SHA_LENGTH") else { return 7 };
    text.trim().parse().ok().filter(|digits| (1..=64).contains(digits)).unwrap_or_else(|| {
        let what = format!(
            "`DOCKER_METADATA_SHORT_SHA_LENGTH: {text}` is no number that is known here; commits have 7 digits in tags"
        );
        report.lost(step.line(), &what, "write `{sha:N}` into the tags of .stagefreight.yml");
        7
    })
}

impl Metadata {
    /// Labels or annotations that the step was told beside its own, and templates of ours for those that hold expressions of its own.
    pub(in crate::migrate) fn described(
        &self,
        what: &str,
        judge: &Judge<'_>,
        report: &mut Report,
    ) -> (Vec<(usize, String)>, BTreeMap<String, String>) {
        let (mut plain, mut templates) = (Vec::new(), BTreeMap::new());
        for (line, text) in if what == "labels" { &self.labels } else { &self.annotations } {
            if !text.replace("${{", "").contains("{{") {
                plain.push((*line, text.clone()));
                continue;
            }
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            if key.rsplit(':').next() == Some("org.opencontainers.image.created") {
                report.changed(*line, &format!("`{key}` is gone: the run sets it, to the time of the commit"));
                continue;
            }
            let made: BTreeSet<_> = judge.world.runs.iter().map(|run| global(value, run, judge)).collect();
            let made = made.iter().next().filter(|_| made.len() == 1).cloned().flatten();
            let made =
                made.map(|value| self.short(&value)).and_then(|value| Some((Template::parse(&value).ok()?, value)));
            match made {
                Some((template, value)) if template.as_literal().is_some() && !value.contains("${{") => {
                    plain.push((*line, format!("{key}={value}")));
                }
                Some((_, value)) if what == "labels" && !value.contains("${{") => {
                    templates.insert(key.trim().to_owned(), value);
                }
                _ => report.lost(
                    *line,
                    &format!("`{text}` is left out of the {what}: nothing makes its expression in every run"),
                    &format!(
                        "write it into the step's `{what}` with GitHub's expressions, as `${{{{ github.ref_name }}}}`"
                    ),
                ),
            }
        }
        (plain, templates)
    }

    /// With as many digits of the commit as the step was told to take.
    pub(super) fn short(&self, template: &str) -> String {
        template.replace(SHORT, &format!("{{sha:{}}}", self.digits))
    }
}
