//! One docker/build-push-action step: each of its inputs, and where it went.

mod inputs;
mod publish;

use std::collections::BTreeMap;

use super::metadata::{self, Metadata};
use super::names::{self, Places};
use super::outputs;
use super::report::Report;
use super::step::Step;
use super::targets::Published;
use super::value::Judge;
use super::world::Run;
use super::yaml;
use crate::config::load::tree::Node;
use crate::config::template::Template;
use inputs::{Fate, INPUTS};

/// What a build is made of: the same for steps that build the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) context: Option<String>,
    pub(super) dockerfile: Option<String>,
    pub(super) target: Option<String>,
    pub(super) platforms: Vec<String>,
    pub(super) args: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
}

/// A step, read.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) spec: Spec,
    pub(super) published: Vec<Published>,
    /// Lines below `with:`, without indentation.
    pub(super) with: Vec<String>,
    /// Whether `push` stands there already.
    pub(super) says_push: bool,
    /// `tags` stays on the step, and the step publishes by it.
    pub(super) keeps_tags: bool,
    /// The runs it may be built in.
    pub(super) runs: Vec<Run>,
    /// Nobody can say beforehand in which of them it publishes.
    pub(super) unsure: bool,
    /// Metadata steps it takes tags from.
    pub(super) metas: Vec<String>,
}

impl Built {
    /// Whether both can be one build, with the targets of both: not if one may run without the other, and would publish for it.
    pub(super) fn shares(&self, other: &Self) -> bool {
        !(self.unsure || other.unsure)
            || self.published.is_empty()
            || other.published.is_empty()
            || self.published == other.published
            || !self.runs.iter().any(|run| other.runs.contains(run))
    }
}

/// A step, and what it is read by.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) step: &'a Step<'a>,
    /// The metadata steps of its job, by id.
    pub(super) metas: &'a BTreeMap<String, Metadata>,
    pub(super) places: &'a Places,
    /// The lines of the workflow.
    pub(super) source: &'a [&'a str],
}

impl<'a> Given<'a> {
    fn input(&self, name: &str) -> Option<&'a Node> {
        self.step.with().and_then(|with| yaml::get(with, name))
    }
}

/// Reads the step. `conditions`: those of the step and its job.
///
/// # Errors
/// Why it has to stay: line, what, cure.
pub(super) fn read(
    given: Given<'_>,
    conditions: &[&str],
    judge: &mut Judge<'_>,
    report: &mut Report,
) -> Result<Built, Vec<(usize, String, String)>> {
    let Given { step, source, .. } = given;
    let mut built = Built::default();
    let mut stops = Vec::new();
    for (key, value) in step.with().map(yaml::entries).unwrap_or_default() {
        let (name, line) = (key.name.to_ascii_lowercase(), key.place.line);
        match INPUTS.iter().find(|(known, _)| *known == name).map(|(_, fate)| *fate) {
            Some(Fate::Read) => {}
            Some(Fate::Same) => same(&name, value, given, &mut built, report),
            Some(Fate::Gone(why)) => report.changed(line, &format!("`{name}` is gone: {why}")),
            Some(Fate::Lost(what, cure)) => report.lost(line, what, cure),
            Some(Fate::Stops(cure)) => stops.push((
                line,
                format!("`{name}` cannot be carried over, so this step stays as it is"),
                cure.to_owned(),
            )),
            None => stops.push((
                line,
                format!("`{name}` is no input of build-push-action that is known here, so this step stays as it is"),
                "write the step by hand, or tell us".to_owned(),
            )),
        }
    }
    let push = pushes(given.input("push"), given.input("outputs"), &mut built, &mut stops, report);
    if !stops.is_empty() {
        return Err(stops);
    }
    // What it says stands below all the rest.
    let said = publish::publishes(push, given, conditions, judge, &mut built, report);
    where_from(given, judge, &mut built, report);
    described(given, judge, &mut built, report);
    if let Some(node) = given.input("attests") {
        attests(node, source, &mut built, report);
    }
    if let Some(node) = given.input("builder") {
        let theirs = yaml::text(node).unwrap_or_default();
        if theirs.contains("steps.") {
            report.changed(node.place.line, "`builder` is gone: the run makes its own builder");
        } else {
            built.with.extend(step.kept("builder", node, source));
        }
    }
    built.with.extend(said);
    Ok(built)
}

fn same(name: &str, value: &Node, given: Given<'_>, built: &mut Built, report: &mut Report) {
    let mut lines = given.step.kept(name, value, given.source);
    let gha = |line: &String| line.contains("type=gha") && !line.contains("version=");
    if lines.iter().any(gha) {
        for line in lines.iter_mut().filter(|line| gha(line)) {
            *line = line.replace("type=gha", "type=gha,version=2");
        }
        report.changed(value.place.line, &format!("`{name}`: the cache service of GitHub is asked for in its second version by name; a container action is not told it"));
    }
    built.with.extend(lines);
}

/// The text of `push`, from `push` or from `outputs`.
fn pushes(
    push: Option<&Node>,
    outputs: Option<&Node>,
    built: &mut Built,
    stops: &mut Vec<(usize, String, String)>,
    report: &mut Report,
) -> Option<(usize, String)> {
    let mut found = push.and_then(|node| Some((node.place.line, yaml::text(node)?.to_owned())));
    let Some(node) = outputs else { return found };
    let text = yaml::text(node).unwrap_or_default();
    for output in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let fields = metadata::split(output);
        let has = |wanted: &str| fields.iter().any(|field| field == wanted);
        if has("push-by-digest=true") {
            stops.push((node.place.line, "this workflow builds each platform in a job of its own, pushes by digest and joins the digests by hand; it stays as it is".to_owned(),
                "one call of the reusable workflow, `uses: stagefreight/action/.github/workflows/build.yml@v1`, does all of it: see docs/legs.md and docs/migrating.md".to_owned()));
        } else if has("type=registry") || (has("type=image") && has("push=true")) {
            found = found.or(Some((node.place.line, "true".to_owned())));
            let extra: Vec<_> = fields
                .iter()
                .filter(|field| {
                    !["type=registry", "type=image", "push=true", "oci-mediatypes=true"].contains(&field.as_str())
                        && !field.starts_with("name=")
                })
                .cloned()
                .collect();
            if !extra.is_empty() {
                report.lost(
                    node.place.line,
                    &format!("the exporter's options `{}` are not carried over", extra.join(",")),
                    "the image is gzip-compressed, in OCI media types; `annotations` are an input of their own",
                );
            }
        } else if has("type=docker") && !fields.iter().any(|field| field.starts_with("dest=")) {
            built.with.push("load: true".to_owned());
        } else {
            stops.push((node.place.line, format!("`outputs: {output}` cannot be carried over, so this step stays as it is"),
                "files go nowhere but to registries, the docker engine, or an OCI layout in dist/; keep this step for them".to_owned()));
        }
    }
    found
}

/// Context, Dockerfile, stage, platforms, arguments.
fn where_from(given: Given<'_>, judge: &Judge<'_>, built: &mut Built, report: &mut Report) {
    let fixed =
        |name: &str| given.input(name).and_then(yaml::text).map(|text| (text.to_owned(), judge.fixed(text.trim())));
    let mut keep = |name: &str, built: &mut Built, why: &str| {
        if let Some(node) = given.input(name) {
            report.kept(node.place.line, &format!("`{name}` stays on the step: {why}"));
            built.with.extend(given.step.kept(name, node, given.source));
        }
    };
    let not_fixed = "it is not the same in every run";
    let mut sub = None;
    match fixed("context") {
        None => {}
        Some((_, Some(text))) if text.starts_with("{{defaultContext}}") => {
            let directory = text["{{defaultContext}}".len()..].trim_start_matches(':').to_owned();
            sub = (!directory.is_empty()).then_some(directory);
        }
        Some((_, Some(text))) if text.contains("{{") => {
            keep("context", built, "it is a template of build-push-action; check it")
        }
        Some((_, Some(text))) if text.contains("://") || text.starts_with("git@") => {
            keep("context", built, "it is fetched from elsewhere")
        }
        Some((_, Some(text))) => sub = Some(crate::source::clean_path(&text)).filter(|path| !path.is_empty()),
        Some((_, None)) => keep("context", built, not_fixed),
    }
    built.spec.context.clone_from(&sub);
    let from_git = fixed("context").is_none_or(|(text, _)| text.contains("{{defaultContext}}"));
    match (fixed("file"), &sub) {
        // With a context from git the path is relative to it.
        (Some((_, Some(file))), Some(sub)) if from_git => {
            built.spec.dockerfile = Some(crate::source::clean_path(&format!("{sub}/{file}")))
        }
        (Some((_, Some(file))), _) => built.spec.dockerfile = Some(crate::source::clean_path(&file)),
        (Some((_, None)), _) => keep("file", built, not_fixed),
        (None, Some(sub)) => built.spec.dockerfile = Some(format!("{sub}/Dockerfile")),
        (None, None) if given.input("context").is_none() || from_git || sub.is_none() => built.spec.dockerfile = None,
        (None, None) => {}
    }
    match fixed("target") {
        Some((_, Some(text))) => built.spec.target = Some(text.trim().to_owned()),
        Some(_) => keep("target", built, not_fixed),
        None => {}
    }
    match fixed("platforms") {
        Some((_, Some(text))) => {
            built.spec.platforms =
                text.split([',', '\n']).map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
        }
        Some(_) => keep("platforms", built, not_fixed),
        None => {}
    }
    if let Some(node) = given.input("build-args") {
        arguments(node, given, judge, built, report);
    }
}

/// Build arguments: to the configuration if all are the same in every run. Those that the run gives by itself, and that were taken from
/// a metadata step, go with it.
fn arguments(node: &Node, given: Given<'_>, judge: &Judge<'_>, built: &mut Built, report: &mut Report) {
    let lines = yaml::lines(node, given.source);
    let (gone, rest): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|(_, text)| !built.keeps_tags && outputs::is_given(text, given.metas));
    for (line, text) in &gone {
        let name = text.split('=').next().unwrap_or_default();
        report.changed(
            *line,
            &format!("the build argument {name} is gone: the run gives it to a Dockerfile that declares it"),
        );
    }
    if let Some(pairs) = literals(&rest, judge) {
        built.spec.args = pairs.into_iter().map(|(name, value)| (name, value.trim_matches('"').to_owned())).collect();
        return;
    }
    report.kept(node.place.line, "`build-args` stays on the step: it is not the same in every run");
    let mut kept = given.step.kept("build-args", node, given.source);
    let all = kept.len();
    kept.retain(|line| !gone.iter().any(|(_, text)| text == line.trim()));
    if all - kept.len() != gone.len() {
        kept = std::iter::once("build-args: |".to_owned())
            .chain(rest.iter().map(|(_, text)| format!("  {text}")))
            .collect();
    }
    built.with.extend(kept);
}

/// The pairs of these lines, if all are the same in every run and hold nothing that we would fill in.
fn literals(lines: &[(usize, String)], judge: &Judge<'_>) -> Option<BTreeMap<String, String>> {
    let pair = |(_, text): &(usize, String)| {
        let (name, value) = text.split_once('=')?;
        let value = judge.fixed(value)?;
        Template::parse(&value).ok()?.as_literal()?;
        Some((name.trim().to_owned(), value))
    };
    lines.iter().map(pair).collect()
}

/// Labels and annotations: those of the metadata step are made anew, others are kept.
fn described(given: Given<'_>, judge: &Judge<'_>, built: &mut Built, report: &mut Report) {
    let metas = given.metas;
    for name in ["labels", "annotations"] {
        let mut own = Vec::new();
        let mut lines = given.input(name).map(|node| yaml::lines(node, given.source)).unwrap_or_default();
        lines.retain(|(line, text)| match names::step_output(text) {
            Some((meta, output)) if metas.contains_key(&meta) && output == name => {
                let place = if name == "labels" { "" } else { ", on the index of an image for several platforms; manifests have them as labels" };
                report.changed(*line, &format!("the {name} of metadata-action: title, source, url, version, revision, created and licenses are set by the run itself{place}"));
                let (plain, templates) = metas[&meta].described(name, judge, report);
                own.extend(plain);
                built.spec.labels.extend(templates);
                built.metas.push(meta);
                false
            }
            _ => true,
        });
        lines.extend(own);
        match literals(&lines, judge) {
            Some(pairs) if name == "labels" => built.spec.labels.extend(pairs),
            _ if lines.is_empty() => {}
            _ => {
                built.with.push(format!("{name}: |"));
                built.with.extend(lines.into_iter().map(|(_, text)| format!("  {text}")));
            }
        }
    }
}

fn attests(node: &Node, source: &[&str], built: &mut Built, report: &mut Report) {
    for (line, text) in yaml::lines(node, source) {
        match text.strip_prefix("type=").map(|rest| rest.split_once(',').unwrap_or((rest, ""))) {
            Some((kind @ ("sbom" | "provenance"), options)) => {
                let value = if options.is_empty() { "true" } else { options };
                built.with.push(format!("{kind}: {}", crate::init::files::scalar(value)));
            }
            _ => report.lost(
                line,
                &format!("`attests: {text}` is no attestation that is known here"),
                "there are `provenance` and `sbom`",
            ),
        }
    }
}
