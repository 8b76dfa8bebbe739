//! Where GitLab's defaults for a job are not the component's: those of the job are written as inputs.

use super::super::yaml;
use crate::config::load::tree::Node;
use crate::init::files::scalar;

/// What the component has to be told beside what it builds.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    /// Inputs, as lines.
    pub(super) inputs: Vec<String>,
    /// Keys of the job that became inputs.
    pub(super) gone: Vec<&'static str>,
    /// What a person should know.
    pub(super) notes: Vec<(usize, String)>,
}

/// Reads the job that begins in a line.
pub(super) fn read(root: &Node, job: &Node, line: usize) -> Defaults {
    let mut found = Defaults::default();
    if yaml::get(job, "stage").is_none() {
        found.inputs.push("stage: test".to_owned());
        found.notes.push((line, "the job names no `stage`, so it is in `test`: the input `stage` says so".to_owned()));
    }
    let tags = yaml::get(root, "default").and_then(|default| yaml::entry(default, "tags"));
    if let Some((key, tags)) = tags.filter(|_| yaml::get(job, "tags").is_none()) {
        let tags: Vec<String> = yaml::texts(tags).into_iter().map(scalar).collect();
        found.inputs.push(format!("runner-tags: [{}]", tags.join(", ")));
        found.notes.push((
            key.place.line,
            "these `tags` are the input `runner-tags`, too: the component does not read those of `default`".to_owned(),
        ));
    }
    if yaml::get(job, "rules").is_none() {
        rules(root, job, line, &mut found);
    }
    found
}

/// A job without rules: the component has some, and the `when` of a rule goes before that of the job.
fn rules(root: &Node, job: &Node, line: usize, found: &mut Defaults) {
    let every = lets_through(root);
    let when = yaml::entry(job, "when");
    let how = when.and_then(|(_, how)| yaml::text(how)).unwrap_or("on_success");
    if every || how != "on_success" {
        found.inputs.push("rules:".to_owned());
        if !every {
            found.inputs.push("  - if: $CI_PIPELINE_SOURCE == \"merge_request_event\"".to_owned());
            found.inputs.push("    when: never".to_owned());
        }
        found.inputs.push(format!("  - when: {}", scalar(how)));
        if let Some(delay) = yaml::get(job, "start_in").and_then(yaml::text) {
            found.inputs.push(format!("    start_in: {}", scalar(delay)));
        }
        // GitLab's default for a manual job, but not for a manual rule.
        if how == "manual" && yaml::get(job, "allow_failure").is_none() {
            found.inputs.push("    allow_failure: true".to_owned());
        }
    }
    if let Some((key, _)) = when {
        found.gone.extend(["when", "start_in"]);
        if how != "on_success" {
            found.notes.push((
                key.place.line,
                format!("`when: {how}` went into the input `rules`: a rule of the component would win over it"),
            ));
        }
    }
    if every {
        found.notes.push((
            line,
            "the job has no `rules`, so it is in every pipeline that those of `workflow` let through: the input `rules` says so"
                .to_owned(),
        ));
    }
}

/// Whether rules of the workflow say which pipelines there are: jobs without rules are then in merge request pipelines, too.
fn lets_through(root: &Node) -> bool {
    let included =
        yaml::get(root, "include").into_iter().flat_map(|include| yaml::items(include).iter().chain([include]));
    let mut templates = included.filter_map(|item| yaml::get(item, "template").and_then(yaml::text));
    yaml::get(root, "workflow").is_some_and(|workflow| yaml::get(workflow, "rules").is_some())
        || templates.any(|template| template.starts_with("Workflows/"))
}
