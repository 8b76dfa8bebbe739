//! The step summary: what a run did, for people, in markdown. Drawn from the document alone, so it must be redacted.
//!
//! A failure comes first: what, where, the errors, the cure, the raw output. Everything from outside goes through
//! `escape`; what grows with the size of a build is left out before the summary gets larger than a forge shows.

mod failure;
mod gantt;
mod proof;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::caches;
use super::document::{Build, CacheSource, Context, Document, PublishedTag, Status};
use super::environment;
use super::escape::{code, fenced, html, link, prose};
use super::headline::{duration, fate, title};
use super::legs;
use super::outputs::RESULT_FILE;
use super::plan::{Planned, nothing_ran, plans};
use super::pulls::pulls;
use super::retention;
use super::rows::{ROWS, first};
use super::signed;
use super::skipped::{self, Skipped};
use super::steps;
use super::timeline;
use super::verdict::level;
use super::warnings::{Warned, warnings};
use crate::runner::summary::fit;

/// Room for the timelines; the forge's own limit is 1 MiB, and other steps' summaries are in the same file.
const COMFORTABLE: usize = 512 * 1024;

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
    out.push_str(&legs(document));
    out.push_str(&kept_here(document));
    out.push_str(&proof::section(document));
    out.push_str(&gantt::section(&timeline::timeline(document)));
    out.push_str(&cache(document));
    if nothing_ran(document) {
        out.push_str(&format!("### Plan\n\n{}\n", plan(document)));
    }
    out.push_str(&skipped(document));
    out.push_str(&checks(document));
    out.push_str(&notes(document));
    out.push_str(&old_tags(document));
    if timelines {
        document.builds.iter().for_each(|build| out.push_str(&steps(build)));
    }
    if !nothing_ran(document) && !document.builds.is_empty() {
        out.push_str(&format!("{}\n", folded("Plan", &plan(document))));
    }
    out.push_str(&environment(document));
    out
}

fn plan(document: &Document) -> String {
    let rows = plans(document).map(|Planned { build, plan, names, more, proof, hash }| {
        let stage = plan.target.as_ref().map(|stage| format!(" stage {}", code(stage))).unwrap_or_default();
        let platforms: Vec<String> = plan.platforms.iter().map(|platform| code(platform)).collect();
        let more = (more > 0).then(|| format!("and {more} more"));
        let names: Vec<String> = names.iter().map(|name| code(name)).chain(more).collect();
        format!(
            "| {} | {} in {}{stage} | {} | {} | {} | {} |\n",
            code(&build.id),
            code(&plan.dockerfile),
            code(&plan.context),
            platforms.join("<br>"),
            names.join("<br>"),
            prose(proof),
            code(&hash)
        )
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
    out.push_str(&fenced(pulls(document).iter().map(String::as_str)));
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

/// The platforms and the jobs that built them; or what this job leaves for the one that merges.
fn legs(document: &Document) -> String {
    let rows: String = limited(legs::merged(document).map(|(build, leg)| {
        let job = leg.job.as_deref().map(prose).unwrap_or_default();
        let job = match leg.job_url.as_deref().and_then(link) {
            Some(url) if !job.is_empty() => format!("[{job}]({url})"),
            _ => job,
        };
        let trust = leg.trust.map_or("–", level);
        let (platform, digest) = (code(&leg.platform), code(&leg.digest));
        format!("| {} | {platform} | {digest} | {trust} | {} | {job} |\n", code(&build.id), duration(leg.seconds))
    }));
    if !rows.is_empty() {
        return format!(
            "### Legs\n\n| Build | Platform | Digest | Trust | Time | Job |\n| --- | --- | --- | --- | --: | --- |\n{rows}\n"
        );
    }
    section(
        "Leg",
        legs::written(document).map(|(build, file)| {
            let digest = build.digest.as_deref().map(|digest| format!(" {}", code(digest))).unwrap_or_default();
            format!("- {}{digest}: {}, for `stagefreight merge`\n", code(&build.id), code(file))
        }),
    )
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
    let row = |out: &Skipped<'_>| format!("| {} {} | {} |\n", out.kind, code(out.id), prose(out.why));
    let rows = limited(skipped::untold(document).iter().map(row));
    if rows.is_empty() { rows } else { format!("### Skipped\n\n| What | Why |\n| --- | --- |\n{rows}\n") }
}

fn checks(document: &Document) -> String {
    let row = |Warned { at, rule, page, said }: Warned<'_>| {
        let place = at.map(|at| format!("{}: ", failure::place(at))).unwrap_or_default();
        let rule = match (rule, page) {
            (Some(rule), Some(page)) => format!("[{rule}]({page}): "),
            (Some(rule), None) => format!("{rule}: "),
            (None, _) => String::new(),
        };
        format!("- {place}{rule}{}\n", prose(said))
    };
    section("Warnings of the build checks", warnings(document).map(row))
}

/// What the cache spared, as measured.
fn cache(document: &Document) -> String {
    let row = |cache: &CacheSource| format!("- {}: {}\n", code(&cache.name), prose(&caches::fate(cache)));
    match caches::hits(document) {
        None => String::new(),
        Some(said) => {
            let read = limited(caches::sources(document).into_iter().map(row));
            format!("### Cache\n\n{}\n\n{read}{}", prose(&said), if read.is_empty() { "" } else { "\n" })
        }
    }
}

fn steps(build: &Build) -> String {
    let Some(counted) = steps::counted(build) else { return String::new() };
    let rows = limited(build.layers.iter().map(|layer| {
        let (mark, time) = if layer.cached { ("cached", String::new()) } else { ("", duration(layer.seconds)) };
        format!("| {} | {mark} | {time} |\n", code(&steps::name(layer)))
    }));
    let title = format!("Build <code>{}</code>: {counted}", html(&build.id));
    folded(&title, &format!("| Step | Cache | Time |\n| --- | --- | --: |\n{rows}")) + "\n"
}

fn environment(document: &Document) -> String {
    let rows = environment::rows(document);
    let rows: String = rows.iter().map(|(name, value)| format!("| {name} | {} |\n", code(value))).collect();
    folded("Environment", &format!("| | |\n| --- | --- |\n{rows}"))
}

/// What only those see who open it.
fn folded(title: &str, body: &str) -> String {
    format!("<details>\n<summary>{title}</summary>\n\n{body}\n</details>\n")
}

fn section(title: &str, rows: impl IntoIterator<Item = String>) -> String {
    let rows = limited(rows);
    if rows.is_empty() { rows } else { format!("### {title}\n\n{rows}\n") }
}

fn limited(rows: impl IntoIterator<Item = String>) -> String {
    cut(rows, ROWS)
}

/// The first rows of a list or a table, and how many more there are.
fn cut(rows: impl IntoIterator<Item = String>, limit: usize) -> String {
    match first(rows, limit) {
        (shown, 0) => shown,
        (shown, more) => format!("{shown}\n… and {more} more, see `{RESULT_FILE}`\n"),
    }
}
