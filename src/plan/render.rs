//! A plan for people: everything it does, and why each target is in or out. Pure; what it shows of other people's text
//! (branches, labels, reasons) loses its control characters here, and its secrets in `report`.

use std::fmt::Write as _;

use super::{BackendChoice, BuilderPlan, CruciblePlan, CrucibleRunner, Decision, Output, Plan, Provider, Step};

/// The plan as text, ending in a line end.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    head(&mut out, plan);
    for step in &plan.steps {
        build(&mut out, step);
    }
    if !plan.left_out.is_empty() {
        line(&mut out, 0, "Left out");
        decisions(&mut out, &plan.left_out);
    }
    if !plan.notes.is_empty() {
        line(&mut out, 0, "Notes");
        plan.notes.iter().for_each(|note| line(&mut out, 1, &format!("- {note}")));
    }
    out
}

fn head(out: &mut String, plan: &Plan) {
    let kind = if plan.version.release { "release" } else { "not a release" };
    line(out, 0, &format!("Plan for {}", plan.repo_id));
    field(out, "version", &format!("{} ({kind})", plan.version.full));
    let time = plan.commit_time.map(|time| format!(" of {}", super::arguments::rfc3339(time))).unwrap_or_default();
    field(out, "commit", &plan.commit.as_ref().map_or("none".to_owned(), |commit| format!("{commit}{time}")));
    field(out, "builder", &builder(&plan.builder));
    let branch = if plan.cache.branch.is_empty() { "no branch" } else { &plan.cache.branch };
    let fallback = plan.cache.fallback.as_ref().map(|branch| format!(", then {branch}")).unwrap_or_default();
    match plan.cache.mode.as_str() {
        "off" => field(out, "cache", "the builder's own"),
        mode => field(out, "cache", &format!("{mode}: {branch}{fallback}")),
    }
    list(out, "", &plan.cache.skipped);
    out.push('\n');
}

/// Which one, and what it may run on: in the order of `backend::resolve`.
fn builder(builder: &BuilderPlan) -> String {
    let on = match (&builder.existing, builder.backend) {
        (Some(name), _) => return format!("{name}, as it is"),
        // A daemon that was set up is not made up for in the job.
        (None, None) => "buildkitd if it answers, else docker, else rootless where no buildkitd is set up",
        (None, Some(BackendChoice::Buildkitd)) => "buildkitd and nothing else",
        (None, Some(BackendChoice::Docker)) => "docker and nothing else",
        (None, Some(BackendChoice::Rootless)) => "BuildKit in the job itself (rootless)",
    };
    format!("{} on {on}", builder.name)
}

fn build(out: &mut String, step: &Step) {
    let optional = if step.required { "" } else { " (may fail)" };
    line(out, 0, &format!("Build {}{optional}", step.id));
    content(out, step);
    access(out, step);
    output(out, step);
    line(out, 1, "targets");
    match step.targets.is_empty() {
        true => line(out, 2, "none"),
        false => decisions(out, &step.targets),
    }
    out.push('\n');
}

/// What decides the image.
fn content(out: &mut String, step: &Step) {
    field(out, "dockerfile", &step.dockerfile);
    field(out, "context", &step.context);
    list(out, "stage", step.target.as_slice());
    list(out, "depends on", &step.depends_on);
    list(out, "platforms", &step.platforms);
    if let Some(leg) = &step.leg {
        field(out, "leg of", &leg.of.join(", "));
    }
    list(out, "base images", &step.base_images);
    if let Some(crucible) = &step.crucible {
        proof(out, crucible);
    }
    pairs(out, "build args", &step.build_args);
    pairs(out, "labels", &step.labels);
    pairs(out, "annotations", &step.annotations);
    for (name, value) in [("provenance", &step.provenance), ("sbom", &step.sbom)] {
        if value != "false" {
            field(out, name, value);
        }
    }
    let switches = [
        (step.rewrite_timestamp, "timestamps rewritten"),
        (step.no_cache, "every cache ignored"),
        (step.pull, "base images asked for again"),
    ];
    let on: Vec<String> = switches.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()).collect();
    list(out, "with", &on);
}

/// How the image is proven.
fn proof(out: &mut String, crucible: &CruciblePlan) {
    let by = match crucible.runner {
        CrucibleRunner::Rebuild => "",
        CrucibleRunner::Candidate => ", the second time by the candidate itself",
    };
    field(out, "proof", &format!("crucible: built twice, cold, and compared{by}"));
    field(out, "min trust", crucible.min_trust.name());
    list(out, "binaries", &crucible.binaries);
    list(out, "ignored", &crucible.ignore);
    if !crucible.version_command.is_empty() {
        field(out, "version of", &crucible.version_command.join(" "));
    }
}

/// What the build may read.
fn access(out: &mut String, step: &Step) {
    pairs(out, "contexts", &step.build_contexts);
    list(out, "secrets", &step.secrets);
    let given: Vec<String> = step.secret_values.iter().map(|(id, _)| format!("id={id}, given by value")).collect();
    list(out, if step.secrets.is_empty() { "secrets" } else { "" }, &given);
    list(out, "ssh", &step.ssh);
    list(out, "cache from", &step.cache_from);
    list(out, "cache to", &step.cache_to);
}

fn output(out: &mut String, step: &Step) {
    match &step.output {
        Output::Publish { targets } => {
            line(out, 1, if step.leg.is_some() { "staged, for merge to publish as" } else { "publishes" });
            for target in targets {
                let login = target.credentials.as_ref().map(|prefix| format!(", login {prefix}_*")).unwrap_or_default();
                for tag in &target.tags {
                    line(out, 2, &format!("{}:{tag} ({}{login})", target.repository, provider(target.provider)));
                }
            }
        }
        Output::Load { names } => list(out, "loads", names),
        Output::Layout { dir } => field(out, "writes", &format!("an OCI layout to {dir}")),
        Output::LoadOrLayout { names, dir } => {
            field(out, "loads", &format!("{}; without an engine, writes an OCI layout to {dir}", names.join(", ")));
        }
    }
    list(out, "also loads", &step.also_load);
}

fn decisions(out: &mut String, decisions: &[Decision]) {
    let width = decisions.iter().map(|d| d.id.chars().count()).max().unwrap_or(0).min(40);
    for Decision { id, included, why } in decisions {
        let mark = if *included { "in " } else { "out" };
        line(out, 2, &format!("{mark} {id:width$}  {why}"));
    }
}

fn provider(provider: Provider) -> &'static str {
    match provider {
        Provider::DockerHub => "Docker Hub",
        Provider::Ghcr => "GitHub",
        Provider::GitLab => "GitLab",
        Provider::Jfrog => "JFrog",
        Provider::Harbor => "Harbor",
        Provider::Quay => "Quay",
        Provider::Gitea => "Gitea",
        Provider::Ecr => "ECR",
        Provider::Gar => "Artifact Registry",
        Provider::Acr => "ACR",
        Provider::Generic => "registry",
    }
}

fn pairs<'p>(out: &mut String, name: &str, pairs: impl IntoIterator<Item = (&'p String, &'p String)>) {
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    list(out, name, &pairs);
}

/// Nothing where the list is empty; the name stands before the first entry only.
fn list(out: &mut String, name: &str, values: &[String]) {
    for (i, value) in values.iter().enumerate() {
        field(out, if i == 0 { name } else { "" }, value);
    }
}

fn field(out: &mut String, name: &str, value: &str) {
    line(out, 1, &format!("{name:<12} {value}"));
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:indent$}{}", "", visible(text).trim_end(), indent = depth * 2);
}

/// Line ends and tabs shown as such, other control characters and those that turn the direction of writing taken out.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
