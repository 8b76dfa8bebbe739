//! The step summary: what a run did, for people, in markdown. Drawn from the document alone, so it must be redacted.
//!
//! A failure comes first: what, where, the errors, the cure, the raw output. Everything from outside goes through
//! `escape`; what grows with the size of a build is left out before the summary gets larger than a forge shows.

mod failure;
mod proof;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;

use super::document::{Build, BuildState, Context, Document, Layer, PublishedTag, Status};
use super::escape::{code, fenced, html, link, prose};
use super::headline::{count, duration, fate, headline};
use super::outputs::RESULT_FILE;
use super::retention;
use super::signed;
use super::verdict::verdicts;
use crate::runner::summary::fit;

/// Room for the timelines; the forge's own limit is 1 MiB, and other steps' summaries are in the same file.
const COMFORTABLE: usize = 512 * 1024;
/// Rows of a table; the document has all of them.
const ROWS: usize = 300;
/// References of one build in the plan.
const NAMES: usize = 20;

/// The summary of a run. Always less than 1 MiB.
pub fn summary(document: &Document) -> String {
    let whole = render(document, true);
    let text = if whole.len() <= COMFORTABLE { whole } else { render(document, false) };
    match fit(&text, 0) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cut) => cut,
    }
}

fn render(document: &Document, timelines: bool) -> String {
    let (title, beside) = title(document);
    let mut out = format!("## {} {}\n\n", sign(document.status), prose(&title));
    if let Some(beside) = beside {
        out.push_str(&format!("{}\n\n", prose(&beside)));
    }
    out.push_str(&format!("{}\n\n", facts(document)));
    out.push_str(&failure::section(document));
    out.push_str(&published(document));
    out.push_str(&other_tags(document));
    out.push_str(&kept_here(document));
    out.push_str(&old_tags(document));
    out.push_str(&proof::section(document));
    out.push_str(&notes(document));
    if nothing_ran(document) {
        out.push_str(&format!("### Plan\n\n{}\n", plan(document)));
    }
    out.push_str(&skipped(document));
    out.push_str(&checks(document));
    if timelines {
        document.builds.iter().for_each(|build| out.push_str(&timeline(build)));
    }
    if !nothing_ran(document) && !document.builds.is_empty() {
        let plan = plan(document);
        out.push_str(&format!("<details>\n<summary>Plan</summary>\n\n{plan}\n</details>\n\n"));
    }
    out.push_str(&environment(document));
    out
}

/// What stands on top, and the sentence below it. A proof is what people look for; a run that failed for another reason says
/// that first.
fn title(document: &Document) -> (String, Option<String>) {
    let headline = headline(document);
    match verdicts(document) {
        None => (headline, None),
        Some(verdict) if verdict == headline => (verdict, None),
        Some(verdict) if document.status == Status::Success => (verdict, Some(headline)),
        Some(verdict) => (headline, Some(verdict)),
    }
}

/// A plan and nothing more: a dry run, or one that failed before its first build.
fn nothing_ran(document: &Document) -> bool {
    !document.builds.is_empty() && document.builds.iter().all(|b| b.state == BuildState::NotRun)
}

fn plan(document: &Document) -> String {
    let rows = document.builds.iter().filter_map(|build| {
        let plan = build.plan.as_ref()?;
        let stage = plan.target.as_ref().map(|stage| format!(" stage {}", code(stage))).unwrap_or_default();
        let from = format!("{} in {}{stage}", code(&plan.dockerfile), code(&plan.context));
        let platforms: Vec<String> = plan.platforms.iter().map(|p| code(p)).collect();
        let mut names: Vec<String> = plan.names.iter().take(NAMES).map(|name| code(name)).collect();
        if plan.names.len() > NAMES {
            names.push(format!("and {} more", plan.names.len() - NAMES));
        }
        let proof = build.verified.as_deref().unwrap_or(&plan.mode);
        let hash: String = plan.plan_hash.chars().take(12).collect();
        Some(format!(
            "| {} | {from} | {} | {} | {} | {} |\n",
            code(&build.id),
            platforms.join("<br>"),
            names.join("<br>"),
            prose(proof),
            code(&hash)
        ))
    });
    format!(
        "| Build | From | Platforms | To | Proof | Plan hash |\n| --- | --- | --- | --- | --- | --- |\n{}",
        limited(rows)
    )
}

fn sign(status: Status) -> &'static str {
    match status {
        Status::Success => "✅",
        Status::Failure => "❌",
        Status::Cancelled => "⏹️",
    }
}

/// Commit, branch, version: one line.
fn facts(document: &Document) -> String {
    let Context { branch, tag, commit, pull_request, job_url, .. } = &document.context;
    let mut parts = Vec::new();
    if let Some(pr) = pull_request {
        parts.push(format!("request {} from {}", pr.number, code(&pr.head_ref)));
    } else if let Some(name) = tag.as_ref().or(branch.as_ref()) {
        parts.push(code(name));
    }
    if let Some(commit) = commit {
        parts.push(format!("commit {}", code(&commit.chars().take(7).collect::<String>())));
    }
    if let Some(version) = &document.version {
        parts.push(format!("version {}", code(&version.full)));
    }
    if document.status == Status::Failure {
        // The other headlines say it.
        parts.push(duration(document.seconds));
    }
    if let Some(url) = job_url.as_deref().and_then(link) {
        parts.push(format!("[log]({url})"));
    }
    parts.join(" · ")
}

fn published(document: &Document) -> String {
    let tags: Vec<&PublishedTag> = document.builds.iter().flat_map(|b| &b.published).collect();
    if tags.is_empty() {
        return String::new();
    }
    let rows = tags.iter().map(|tag| format!("| {} | {} |\n", code(&tag.reference), code(&tag.digest)));
    let mut out = format!("### Published\n\n| Image | Digest |\n| --- | --- |\n{}\n", limited(rows));
    let mut pulls: Vec<(&str, String)> = Vec::new();
    for tag in tags {
        if pulls.len() < 20 && pulls.iter().all(|(repository, _)| *repository != tag.repository) {
            pulls.push((&tag.repository, format!("docker pull {}", tag.reference)));
        }
    }
    out.push_str(&fenced(pulls.iter().map(|(_, line)| line.as_str())));
    out.push('\n');
    signed::sentence(document).iter().for_each(|said| out.push_str(&format!("{}\n\n", prose(said))));
    out
}

/// Tags that do not name the image, and why.
fn other_tags(document: &Document) -> String {
    let tags = document.builds.iter().flat_map(|b| &b.others);
    let rows: Vec<_> = tags
        .map(|tag| {
            let hint = tag.hint.as_deref().map(|hint| format!(" – {}", prose(hint))).unwrap_or_default();
            format!("| {} | {}{hint} |\n", code(&tag.reference), prose(&fate(tag)))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("### Other tags\n\n| Tag | What became of it |\n| --- | --- |\n{}\n", limited(rows.into_iter()))
}

fn old_tags(document: &Document) -> String {
    let row = |(repository, said): (&str, String)| format!("- {}: {}\n", code(repository), prose(&said));
    section("Old tags", retention::sentences(document).map(row))
}

/// What was loaded into the engine or written as a layout.
fn kept_here(document: &Document) -> String {
    let mut rows = Vec::new();
    for build in &document.builds {
        let digest = build.digest.as_deref().map(|d| format!(" {}", code(d))).unwrap_or_default();
        rows.extend(build.loaded.iter().map(|name| format!("- in the engine: {}{digest}\n", code(name))));
        rows.extend(build.layout.iter().map(|dir| format!("- OCI layout: {}{digest}\n", code(dir))));
    }
    section("Images", rows)
}

fn notes(document: &Document) -> String {
    let note = |n: &super::document::Problem| {
        let hint = n.hint.as_deref().map(|hint| format!(" – {}", prose(hint))).unwrap_or_default();
        format!("- {}{hint}\n", prose(&n.what))
    };
    section("Notes", document.notes.iter().map(note))
}

fn skipped(document: &Document) -> String {
    let row = |kind: &str, id: &str, why: &str| format!("| {kind} {} | {} |\n", code(id), prose(why));
    let mut rows = Vec::new();
    for build in &document.builds {
        // Where nothing ran at all the headline says so; a reason for each build would only repeat it.
        let why = build.why.iter().filter(|_| !nothing_ran(document) || document.failure.is_some());
        rows.extend(why.map(|why| row("build", &build.id, why)));
        let out = build.targets.iter().filter(|target| !target.included);
        rows.extend(out.map(|target| row("target", &target.id, &target.why)));
    }
    rows.extend(document.left_out.iter().map(|build| row("build", &build.id, &build.why)));
    if rows.is_empty() {
        return String::new();
    }
    format!("### Skipped\n\n| What | Why |\n| --- | --- |\n{}\n", limited(rows))
}

fn checks(document: &Document) -> String {
    let warnings = document.builds.iter().flat_map(|b| &b.warnings).map(|warning| {
        let place = warning.location.as_ref().map(|at| format!("{}: ", failure::place(at))).unwrap_or_default();
        format!("- {place}{}\n", prose(&warning.message))
    });
    section("Warnings of the build checks", warnings)
}

fn timeline(build: &Build) -> String {
    if build.layers.is_empty() {
        return String::new();
    }
    let cached = build.layers.iter().filter(|layer| layer.cached).count();
    let title = format!(
        "<details>\n<summary>Build <code>{}</code>: {}, {cached} cached, {}</summary>\n\n",
        html(&build.id),
        count(build.layers.len(), "step", "steps"),
        duration(build.seconds),
    );
    let rows = build.layers.iter().map(|layer| {
        let (mark, time) = if layer.cached { ("cached", String::new()) } else { ("", duration(layer.seconds)) };
        format!("| {} | {mark} | {time} |\n", code(&step_name(layer)))
    });
    format!("{title}| Step | Cache | Time |\n| --- | --- | --: |\n{}\n</details>\n\n", limited(rows))
}

/// `[linux/arm64 build 2/4] RUN make`, as BuildKit names it.
fn step_name(layer: &Layer) -> String {
    let place = if layer.total > 0 { format!("{}/{}", layer.index, layer.total) } else { String::new() };
    let parts = [layer.platform.as_deref().unwrap_or_default(), &layer.stage, &place];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let bracket = if parts.is_empty() { String::new() } else { format!("[{}] ", parts.join(" ")) };
    format!("{bracket}{} {}", layer.instruction, layer.detail)
}

/// What a person asks for who compares two runs.
fn environment(document: &Document) -> String {
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(rows, "| {name} | {} |", code(value));
        }
    };
    if let Some(builder) = &document.builder {
        row("Builder", &format!("{} ({}, {})", builder.name, builder.driver, builder.action));
        row("Endpoint", &builder.endpoint);
        row("BuildKit", &builder.buildkit);
        row("buildx", &builder.buildx);
    }
    if let Some(cache) = &document.cache {
        row("Cache", &cache.mode);
        cache.skipped.iter().take(10).for_each(|why| row("Cache left out", why));
    }
    row("StageFreight", &document.tool.version);
    format!("<details>\n<summary>Environment</summary>\n\n| | |\n| --- | --- |\n{rows}\n</details>\n")
}

fn section(title: &str, rows: impl IntoIterator<Item = String>) -> String {
    let rows = limited(rows);
    if rows.is_empty() { rows } else { format!("### {title}\n\n{rows}\n") }
}

/// The first rows of a list or a table, and how many more there are.
fn limited(rows: impl IntoIterator<Item = String>) -> String {
    let mut rows = rows.into_iter();
    let mut out: String = rows.by_ref().take(ROWS).collect();
    match rows.count() {
        0 => {}
        more => out.push_str(&format!("\n… and {more} more, see `{RESULT_FILE}`\n")),
    }
    out
}
