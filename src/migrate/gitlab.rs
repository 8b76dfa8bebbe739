//! GitLab: jobs whose scripts do nothing but build and push with docker, buildah or kaniko become the component `build`.
//!
//! A script is read command by command (`script`). One command that is not understood, and the job stays as it is, with that
//! command's line: half a script moved is worse than none.

mod defaults;
mod login;
mod rest;
mod script;
mod services;

use super::edit::{self, Edit};
use super::report::Report;
use super::{Migration, yaml};
use crate::config::load::tree::{Node, Value};
use crate::init::files::scalar;
use crate::problem::{Location, Problem};
use defaults::Defaults;
use script::Build;

/// Keys of a pipeline that are no jobs.
const GLOBAL: [&str; 11] = [
    "stages",
    "include",
    "image",
    "services",
    "variables",
    "default",
    "workflow",
    "cache",
    "before_script",
    "after_script",
    "pages",
];
/// Keys of a job that the component brings itself.
const OURS: [&str; 5] = ["image", "services", "script", "before_script", "after_script"];
/// Keys that stay with the job, which then adds to the component's job of the same name.
const THEIRS: [&str; 17] = [
    "stage",
    "rules",
    "needs",
    "tags",
    "variables",
    "timeout",
    "retry",
    "interruptible",
    "resource_group",
    "environment",
    "allow_failure",
    "when",
    "start_in",
    "dependencies",
    "id_tokens",
    "parallel",
    "coverage",
];
/// Variables for docker's engine and buildah, which the component sets for itself.
const SETTINGS: [&str; 8] = [
    "DOCKER_HOST",
    "DOCKER_TLS_CERTDIR",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_DRIVER",
    "DOCKER_BUILDKIT",
    "STORAGE_DRIVER",
    "BUILDAH_ISOLATION",
];

/// Whether a file is a pipeline rather than a workflow.
pub(super) fn is_pipeline(root: &Node) -> bool {
    GLOBAL.iter().any(|key| *key != "default" && *key != "pages" && yaml::get(root, key).is_some())
        || yaml::entries(root).iter().any(|(_, job)| yaml::get(job, "script").is_some())
}

/// Turns a pipeline into one that includes the component.
///
/// # Errors
/// Where no job of it can be moved.
pub(super) fn migrate(root: &Node, text: &str, file: &str) -> Result<Migration, Vec<Problem>> {
    let source: Vec<&str> = text.lines().collect();
    let mut report = Report::default();
    let (mut edits, mut includes) = (Vec::new(), Vec::new());
    for (key, job) in yaml::entries(root).iter().filter(|(key, _)| !GLOBAL.contains(&key.name.as_str())) {
        if !builds(job) {
            continue;
        }
        let line = key.place.line;
        if key.name.starts_with('.') {
            report.lost(
                line,
                &format!("the template `{}` stays as it is: what it builds, the jobs that take it say", key.name),
                "write its script into those jobs, and call migrate again",
            );
            continue;
        }
        match read(root, job, line, &source) {
            Ok(read) => {
                report.changed(
                    line,
                    &format!(
                        "the job `{}` became the component `build`; what is left of it adds to the component's job",
                        key.name
                    ),
                );
                for (line, what) in &read.notes {
                    report.changed(*line, what);
                }
                for (line, what, cure) in &read.lost {
                    report.lost(*line, what, cure);
                }
                includes.extend(component(&key.name, &read));
                edits.extend(rest::edits(root, job, line, &read.defaults.gone, &source));
            }
            Err((line, what, cure)) => {
                report.lost(line, &format!("the job `{}` stays as it is: {what}", key.name), cure)
            }
        }
    }
    for name in ["before_script", "after_script"] {
        let global = yaml::entry(root, name).or_else(|| yaml::entry(yaml::get(root, "default")?, name));
        if let Some((key, _)) = global.filter(|_| !includes.is_empty()) {
            report.lost(
                key.place.line,
                &format!("this `{name}` is run by the component's job, too, and there is no docker in its image"),
                "move it into the jobs that need it",
            );
        }
    }
    if includes.is_empty() {
        let at = Location { file: file.to_owned(), line: None, column: None };
        if report.is_incomplete() {
            let problem = Problem::new("nothing of this pipeline can be moved as it is")
                .at(at)
                .snippet(report.text(file).trim_end());
            return Err(vec![
                problem.hint("docs/migrating.md goes through docker-in-docker, buildah and kaniko by hand"),
            ]);
        }
        return Err(vec![
            Problem::new("no job of this pipeline builds with docker, buildah or kaniko")
                .at(at)
                .hint("`stagefreight init --forge gitlab` writes a pipeline that includes the component"),
        ]);
    }
    match include(root, includes, &source) {
        Ok(edit) => edits.push(edit),
        Err(line) => report.lost(
            line,
            "this `include` is no list in lines of its own, so the component could not be added to it",
            "write it as a list, and call migrate again",
        ),
    }
    Ok(Migration {
        workflow: edit::apply(text, edits),
        config: None,
        complete: !report.is_incomplete(),
        report: report.text(file),
    })
}

/// A job, understood.
struct Read {
    build: Build,
    defaults: Defaults,
    /// The image of docker's engine, where the component's does not do.
    engine: Option<String>,
    /// What a person should know.
    notes: Vec<(usize, String)>,
    lost: Vec<(usize, String, String)>,
}

/// Whether a job has to do with images at all.
fn builds(job: &Node) -> bool {
    let lines = yaml::get(job, "script").map(commands).unwrap_or_default();
    let words = ["docker build", "docker buildx build", "buildah bud", "buildah build", "kaniko/executor"];
    lines.iter().any(|(_, line)| words.iter().any(|word| line.contains(word)))
}

fn read(root: &Node, job: &Node, line: usize, source: &[&str]) -> Result<Read, (usize, String, &'static str)> {
    for (key, _) in yaml::entries(job) {
        let name = key.name.as_str();
        if matches!(name, "only" | "except") {
            return Err((
                key.place.line,
                format!("`{name}` cannot stand beside the component's `rules`"),
                "write it as `rules`, and call migrate again",
            ));
        }
        if name == "artifacts" || name == "cache" {
            return Err((
                key.place.line,
                format!("it has `{name}` of its own, and nobody can say what they hold once the script is gone"),
                "move what they need into another job, and call migrate again",
            ));
        }
        if !OURS.contains(&name) && !THEIRS.contains(&name) {
            return Err((
                key.place.line,
                format!("`{name}` is not understood"),
                "write the job without it, and call migrate again",
            ));
        }
    }
    if let Some((why, cure)) = rest::refuses(root, job, line, source) {
        return Err((line, why, cure));
    }
    let mut build = Build::default();
    let (mut notes, mut lost) = (Vec::new(), Vec::new());
    for part in ["before_script", "script", "after_script"] {
        for (line, command) in yaml::get(job, part).map(commands).unwrap_or_default() {
            match build.command(&command) {
                Ok(told) => {
                    notes.extend(told.changed.into_iter().map(|what| (line, what)));
                    lost.extend(told.lost.into_iter().map(|(what, cure)| (line, what, cure)));
                }
                Err(why) => {
                    return Err((
                        line,
                        why,
                        "take this command into a job of its own, and call migrate again; or write the component by hand",
                    ));
                }
            }
        }
    }
    build.finish().map_err(|why| (line, why, "write the component by hand: docs/gitlab.md"))?;
    let mut defaults = defaults::read(root, job, line);
    notes.append(&mut defaults.notes);
    let services = services::read(root, job, build.has_engine());
    lost.extend(services.lost);
    Ok(Read { build, defaults, engine: services.engine, notes, lost })
}

/// Commands with the lines they stand in.
fn commands(node: &Node) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let one = |node: &Node, found: &mut Vec<(usize, String)>| match &node.value {
        Value::Scalar { text, .. } => {
            let block = text.contains('\n');
            let joined = text.replace("\\\n", " ");
            for (n, line) in joined.lines().enumerate() {
                found.push((node.place.line + if block { n + 1 } else { 0 }, line.to_owned()));
            }
        }
        // `!reference` and lists in lists: not read, so that nothing passes for an empty script.
        Value::List(_) | Value::Map(_) => {
            found.push((node.place.line, "(a list or reference in the script)".to_owned()))
        }
        Value::Null => {}
    };
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| one(item, &mut found)),
        _ => one(node, &mut found),
    }
    found
}

/// The lines of an item of `include`.
fn component(name: &str, read: &Read) -> Vec<String> {
    let mut lines = vec![
        "  - component: $CI_SERVER_FQDN/stagefreight/action/build@1".to_owned(),
        "    inputs:".to_owned(),
        format!("      job-name: {}", scalar(name)),
    ];
    lines.extend(read.defaults.inputs.iter().map(|line| format!("      {line}")));
    if let Some(backend) = read.build.backend() {
        lines.push(format!("      backend: {backend}"));
    }
    lines.extend(read.engine.iter().map(|image| format!("      dind-image: {}", scalar(image))));
    for (input, value) in read.build.inputs() {
        match value.as_slice() {
            [one] if input != "tags" || !one.contains(',') => {
                let flag = matches!(one.as_str(), "true" | "false") && matches!(input, "pull" | "no-cache" | "push");
                lines.push(format!("      {input}: {}", if flag { one.clone() } else { scalar(one) }));
            }
            many => {
                lines.push(format!("      {input}: |"));
                lines.extend(many.iter().map(|line| format!("        {line}")));
            }
        }
    }
    lines
}

/// The component added to `include`; the line of one that cannot be added to.
fn include(root: &Node, items: Vec<String>, source: &[&str]) -> Result<Edit, usize> {
    let Some((key, value)) = yaml::entry(root, "include") else {
        let first = source
            .iter()
            .position(|line| !line.trim().is_empty() && !line.starts_with('#') && *line != "---")
            .unwrap_or(0)
            + 1;
        let lines = std::iter::once("include:".to_owned()).chain(items).chain([String::new()]).collect();
        return Ok(Edit { from: first, until: first - 1, lines });
    };
    let line = key.place.line;
    let dashed = source.get(line).map(|next| (edit::indent(next), next.trim_start().starts_with("- ")));
    match (&value.value, dashed) {
        (Value::List(_), Some((column, true))) => {
            let mut last = line;
            while source.get(last).is_some_and(|next| {
                next.trim().is_empty()
                    || edit::indent(next) > column
                    || (edit::indent(next) == column && next.trim_start().starts_with("- "))
            }) {
                last += 1;
            }
            while source[last - 1].trim().is_empty() {
                last -= 1;
            }
            let pad = " ".repeat(column);
            let lines = items.iter().map(|item| format!("{pad}{}", &item[2..])).collect();
            Ok(Edit { from: last + 1, until: last, lines })
        }
        _ => Err(line),
    }
}
