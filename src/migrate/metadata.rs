//! docker/metadata-action: which tags it gives a kind of run, by its documented rules.

mod described;
mod handlebars;

use std::collections::BTreeMap;

use super::report::Report;
use super::step::Step;
use super::value::Judge;
use super::world::{Ref, Run};
use super::{names, yaml};
use crate::runner::EventKind;
use described::digits;
use handlebars::{global, version};

/// What a metadata step says.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    /// Names of images, with the line of each.
    pub(super) images: Vec<(usize, String)>,
    labels: Vec<(usize, String)>,
    annotations: Vec<(usize, String)>,
    rules: Vec<Rule>,
    latest: Latest,
    prefix: String,
    suffix: String,
    /// `latest` gets prefix and suffix, too.
    on_latest: (bool, bool),
    /// Digits of a short commit.
    digits: usize,
}

/// What metadata-action's `{{sha}}` is unless told otherwise, as a template.
const SHORT: &str = "{sha:7}";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Latest {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone)]
struct Rule {
    kind: String,
    attributes: BTreeMap<String, String>,
    line: usize,
}

impl Rule {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn priority(&self) -> i64 {
        let default = match self.kind.as_str() {
            "schedule" => 1000,
            "semver" | "pep440" => 900,
            "match" => 800,
            "edge" => 700,
            "ref" => 600,
            "raw" => 200,
            _ => 100,
        };
        self.get("priority").and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

/// Reads the inputs of the step, and the variables that it minds.
pub(super) fn read(step: &Step<'_>, judge: &Judge<'_>, source: &[&str], report: &mut Report) -> Metadata {
    let with = step.with();
    let input = |name: &str| with.and_then(|with| yaml::get(with, name));
    let lines = |name: &str| input(name).map(|node| yaml::lines(node, source)).unwrap_or_default();
    let mut images = Vec::new();
    for (line, text) in lines("images") {
        let fields = split(&text);
        match text.starts_with("name=") {
            true => {
                let of = |key: &str| fields.iter().find_map(|field| field.strip_prefix(key)).map(str::to_owned);
                match (of("name="), of("enable=")) {
                    (Some(_), Some(enable)) if enable == "false" => {}
                    (Some(name), Some(enable)) if enable != "true" => {
                        report.lost(
                            line,
                            &format!("the image {name} has a condition of its own, `{enable}`; it is taken without"),
                            "write it into the `when` of its targets",
                        );
                        images.push((line, name));
                    }
                    (Some(name), _) => images.push((line, name)),
                    (None, _) => {}
                }
            }
            false => images.extend(fields.into_iter().map(|name| (line, name))),
        }
    }
    let mut rules: Vec<Rule> = lines("tags")
        .into_iter()
        .filter(|(_, text)| !text.starts_with('#'))
        .map(|(line, text)| rule(&text, line))
        .collect();
    if rules.is_empty() {
        let line = with.map_or(1, |with| with.place.line);
        let default = ["type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr"];
        rules = default.iter().map(|text| rule(text, line)).collect();
    }
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority()));
    let mut found = Metadata {
        images,
        labels: lines("labels"),
        annotations: lines("annotations"),
        rules,
        latest: Latest::Auto,
        prefix: String::new(),
        suffix: String::new(),
        on_latest: (false, false),
        digits: digits(step, judge, report),
    };
    for (line, text) in lines("flavor") {
        found.flavor(line, &text, report);
    }
    for name in ["bake-target", "sep-tags", "sep-labels", "sep-annotations"] {
        if let Some(node) = input(name) {
            report.lost(
                node.place.line,
                &format!("metadata-action's `{name}` has no counterpart"),
                "nothing reads it any more once its steps are gone; check what does here",
            );
        }
    }
    found
}

impl Metadata {
    fn flavor(&mut self, line: usize, text: &str, report: &mut Report) {
        let mut last = "";
        for field in split(text).iter() {
            let (key, value) = field.split_once('=').unwrap_or((field, ""));
            match (key.trim(), value.trim()) {
                ("latest", "auto") => self.latest = Latest::Auto,
                ("latest", "true") => self.latest = Latest::Always,
                ("latest", "false") => self.latest = Latest::Never,
                ("prefix", value) => {
                    self.prefix = value.to_owned();
                    last = "prefix";
                }
                ("suffix", value) => {
                    self.suffix = value.to_owned();
                    last = "suffix";
                }
                ("onlatest", value) if last == "prefix" => self.on_latest.0 = value == "true",
                ("onlatest", value) => self.on_latest.1 = value == "true",
                (_, _) => report.lost(
                    line,
                    &format!("flavor `{text}` is not understood"),
                    "write the tags you want into the targets of .stagefreight.yml",
                ),
            }
        }
    }

    /// The tags of a run, as templates, in order.
    pub(super) fn tags(&self, run: &Run, judge: &mut Judge<'_>, report: &mut Report) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        let mut latest = None;
        for rule in &self.rules {
            let Some((value, is_latest)) = made(rule, run, judge, report) else { continue };
            if value.is_empty() {
                continue;
            }
            let around = |name: &str, flavor: &str| rule.get(name).unwrap_or(flavor).to_owned();
            let (prefix, suffix) =
                (around("prefix", default_prefix(rule).unwrap_or(&self.prefix)), around("suffix", &self.suffix));
            let prefix = global(&prefix, run, judge).unwrap_or(prefix);
            let suffix = global(&suffix, run, judge).unwrap_or(suffix);
            let tag = judge.template(&self.short(&format!("{prefix}{value}{suffix}")), run);
            // What is there already needs no condition that nobody can judge.
            if tags.contains(&tag) || !self.enabled(rule, run, judge, report) {
                continue;
            }
            if let Err(why) = names::tag(&tag) {
                let what =
                    format!("`{tag}`, which this makes in runs for {}, is left out: {why}", run.reference.title());
                report.lost(rule.line, &what, "give it a value that every run has");
                continue;
            }
            tags.push(tag);
            latest.get_or_insert(is_latest);
        }
        let wanted = match self.latest {
            Latest::Auto => latest.unwrap_or(false),
            Latest::Always => !tags.is_empty(),
            Latest::Never => false,
        };
        if wanted {
            let part = |on: bool, text: &String| if on { text.clone() } else { String::new() };
            let name =
                format!("{}latest{}", part(self.on_latest.0, &self.prefix), part(self.on_latest.1, &self.suffix));
            let name = judge.template(&self.short(&global(&name, run, judge).unwrap_or(name)), run);
            if !tags.contains(&name) && names::tag(&name).is_ok() {
                tags.push(name);
            }
        }
        tags
    }

    fn enabled(&self, rule: &Rule, run: &Run, judge: &Judge<'_>, report: &mut Report) -> bool {
        let Some(text) = rule.get("enable") else { return true };
        let filled = global(text, run, judge).unwrap_or_else(|| text.to_owned());
        match judge.is_true(&filled, run) {
            Some(enabled) => enabled,
            None => {
                let what = format!("nobody can say beforehand when `enable={text}` holds, so that the tag is left out");
                report.lost(rule.line, &what, "add it to the target whose `when` means the same");
                false
            }
        }
    }
}

fn default_prefix(rule: &Rule) -> Option<&'static str> {
    match (rule.kind.as_str(), rule.get("event")) {
        ("sha", _) => Some("sha-"),
        ("ref", Some("pr")) => Some("pr-"),
        _ => None,
    }
}

/// What a rule gives a run, and whether `latest` goes with it.
fn made(rule: &Rule, run: &Run, judge: &mut Judge<'_>, report: &mut Report) -> Option<(String, bool)> {
    let of_tag = run.reference.is_tag();
    let pattern = rule.get("pattern").unwrap_or_default();
    match rule.kind.as_str() {
        "schedule" if run.event == EventKind::Schedule => {
            let pattern = if pattern.is_empty() { "nightly" } else { pattern };
            Some((told(global(pattern, run, judge), rule, pattern, report)?, false))
        }
        "semver" | "match" | "pep440" if rule.get("value").is_some_and(|value| !value.is_empty()) => {
            let what = format!(
                "`type={}` with a `value` of its own is left out: no template makes a version of any text",
                rule.kind
            );
            report.lost(rule.line, &what, "the version of a run is its git tag; push one, or give `tags:` to the step");
            None
        }
        "semver" | "pep440" if rule.get("match").is_some_and(|part| !part.is_empty()) => {
            if of_tag {
                let what = format!(
                    "`type={},match={}` is left out: a template takes no git tag apart",
                    rule.kind,
                    rule.get("match").unwrap_or_default()
                );
                report.lost(
                    rule.line,
                    &what,
                    "use `{version:SCOPE}` for tags SCOPE-v1.2.3, with `when: {git_tags: [\"^SCOPE-v\"]}`, or `{tag}`",
                );
            }
            None
        }
        "semver" => match run.reference {
            Ref::Prerelease => Some((if pattern == "{{raw}}" { "{tag}" } else { "{version}" }.to_owned(), false)),
            Ref::Release | Ref::Early => Some((told(version(pattern, run, judge), rule, pattern, report)?, true)),
            _ => None,
        },
        "pep440" if of_tag => {
            report.lost(
                rule.line,
                "`type=pep440` is left out: versions here are semantic versions",
                "use `{version}` if your tags are 1.2.3, `{tag}` for the tag as it is",
            );
            None
        }
        "match" if of_tag => {
            let bare = pattern.trim_matches('/').trim_start_matches('^').trim_end_matches('$');
            let template = match (bare, rule.get("group").unwrap_or("0")) {
                ("v(.*)" | "v(.+)", "1") => "{version}",
                (r"v(\d+.\d+.\d+)" | r"v(\d+\.\d+\.\d+)", "1") | (r"\d+.\d+.\d+" | r"\d+\.\d+\.\d+", "0") => "{base}",
                _ => {
                    let what = format!("`type=match,pattern={pattern}` is left out: a template takes no pattern apart");
                    report.lost(
                        rule.line,
                        &what,
                        "use `{version}`, `{major}.{minor}`, `{version:SCOPE}` for tags SCOPE-v1.2.3, or `{tag}`",
                    );
                    return None;
                }
            };
            (run.reference != Ref::OtherTag).then(|| (template.to_owned(), true))
        }
        "edge" => {
            let branch = rule.get("branch").filter(|name| !name.is_empty()).unwrap_or(&judge.world.default_branch);
            (run.reference == Ref::Branch(branch.to_owned())).then(|| ("edge".to_owned(), false))
        }
        "ref" => match rule.get("event") {
            Some("branch") if run.reference.is_branch() => Some(("{branch}".to_owned(), false)),
            Some("tag") if of_tag => Some(("{tag}".to_owned(), true)),
            Some("pr") if run.reference == Ref::Pull => Some(("{pr}".to_owned(), false)),
            _ => None,
        },
        "sha" => Some((if rule.get("format") == Some("long") { "{sha:40}" } else { SHORT }.to_owned(), false)),
        "raw" => {
            let value = rule.get("value").unwrap_or_default();
            Some((told(global(value, run, judge), rule, value, report)?, false))
        }
        "schedule" | "pep440" | "match" => None,
        other => {
            report.lost(
                rule.line,
                &format!("`type={other}` is no tag that metadata-action knows"),
                "write the tag you want into a target of .stagefreight.yml",
            );
            None
        }
    }
}

fn told(value: Option<String>, rule: &Rule, pattern: &str, report: &mut Report) -> Option<String> {
    if value.is_none() {
        let what = format!("`{pattern}` holds an expression that no template makes; the tag is left out");
        report.lost(rule.line, &what, "the variables of templates are in docs/config.md");
    }
    value
}

fn rule(text: &str, line: usize) -> Rule {
    let mut rule = Rule { kind: "raw".to_owned(), attributes: BTreeMap::new(), line };
    for field in split(text) {
        match field.split_once('=') {
            Some((key, value)) if key.trim().eq_ignore_ascii_case("type") => rule.kind = value.trim().to_owned(),
            Some((key, value)) => {
                rule.attributes.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
            None => {
                rule.attributes.insert("value".to_owned(), field);
            }
        }
    }
    rule
}

/// Fields between commas; those inside of expressions and quotes are no separators.
pub(super) fn split(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut rest) = (Vec::new(), String::new(), text);
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        let braces =
            if rest.starts_with("${{") || rest.starts_with("{{") { rest.find("}}").map(|end| end + 2) } else { None };
        let length = braces.unwrap_or(c.len_utf8());
        match c {
            '"' if braces.is_none() => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field).trim().to_owned()),
            _ => field.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    fields.push(field.trim().to_owned());
    fields.retain(|field| !field.is_empty());
    fields
}
