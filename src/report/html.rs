//! The report of a run as a page: the summary for a browser, in one file that needs nothing else.
//!
//! Drawn from the document alone, so it must be redacted. It holds no script, asks the network for nothing, and its own
//! policy forbids both; every text from outside goes through `text`. Charts are drawings, the words beside them say the same.

mod failure;
mod proof;
mod published;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::caches;
use super::document::{Build, Context, Document, Layer, Status};
use super::environment;
use super::headline::{duration, headline, title};
use super::outputs::RESULT_FILE;
use super::plan::{Planned, nothing_ran, plans};
use super::retention;
use super::rows::{self, ROWS};
use super::skipped::{self, Skipped};
use super::steps;
use super::warnings::{Warned, warnings};
use text::{code, link, prose, text};

const STYLE: &str = include_str!("html/page.css");

/// A page with more bytes goes without the tables of steps.
const COMFORTABLE: usize = 2 * 1024 * 1024;

/// The page of a run.
pub fn page(document: &Document) -> String {
    let whole = render(document, true);
    if whole.len() <= COMFORTABLE { whole } else { render(document, false) }
}

fn render(document: &Document, steps: bool) -> String {
    // Nothing but our own style sheet, known by its hash.
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    let mut main = String::new();
    main.push_str(&failure::section(document));
    main.push_str(&published::section(document));
    main.push_str(&proof::section(document));
    main.push_str(&timeline::section(document));
    main.push_str(&cache(document));
    if nothing_ran(document) {
        main.push_str(&section("Plan", &plan(document)));
    }
    main.push_str(&skipped(document));
    main.push_str(&notes(document));
    main.push_str(&old_tags(document));
    if steps {
        document.builds.iter().for_each(|build| main.push_str(&steps_of(build)));
    }
    if !nothing_ran(document) && !document.builds.is_empty() {
        main.push_str(&folded("Plan", &plan(document)));
    }
    main.push_str(&folded("Environment", &environment(document)));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{}<main>\n{main}</main>\n{}</body>\n</html>\n",
        text(&headline(document).replace('`', "")),
        hero(document),
        foot(document),
    )
}

fn hero(document: &Document) -> String {
    let (class, word) = match document.status {
        Status::Success => ("good", "Succeeded"),
        Status::Failure => ("bad", "Failed"),
        Status::Cancelled => ("warn", "Cancelled"),
    };
    let (title, beside) = title(document);
    let beside = beside.map(|said| format!("<p class=\"lead\">{}</p>\n", prose(&said))).unwrap_or_default();
    format!(
        "<header class=\"hero {class}\"><div>\n<p class=\"mark\">{}{word}</p>\n<h1>{}</h1>\n{beside}{}</div></header>\n",
        icon(document.status),
        prose(&title),
        facts(document)
    )
}

/// A drawing, so that no font must have it.
fn icon(status: Status) -> &'static str {
    match status {
        Status::Success => "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M3 8.5 6.5 12 13 4.5\"/></svg>",
        Status::Failure => "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M4 4l8 8M12 4l-8 8\"/></svg>",
        Status::Cancelled => "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M4 8h8\"/></svg>",
    }
}

fn facts(document: &Document) -> String {
    let Context { repository, branch, tag, commit, pull_request, job_url, .. } = &document.context;
    let mut rows = String::new();
    let mut row = |name: &str, value: String| rows.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    repository.iter().for_each(|name| row("Repository", text(name)));
    if let Some(pr) = pull_request {
        row("Request", format!("{} from {}", pr.number, code(&pr.head_ref)));
    } else if let Some(tag) = tag {
        row("Tag", code(tag));
    } else if let Some(branch) = branch {
        row("Branch", code(branch));
    }
    commit.iter().for_each(|commit| row("Commit", code(&commit.chars().take(12).collect::<String>())));
    document.version.iter().for_each(|version| row("Version", code(&version.full)));
    row("Took", duration(document.seconds));
    let started = document.started.split(['.', 'Z']).next().unwrap_or_default().replace('T', " ");
    row("Started", format!("{} UTC", text(&started)));
    job_url.as_deref().and_then(|url| link(url, "Job log")).into_iter().for_each(|link| row("Log", link));
    format!("<dl class=\"facts\">\n{rows}</dl>\n")
}

fn cache(document: &Document) -> String {
    let Some(said) = caches::hits(document) else { return String::new() };
    let read = caches::sources(document).into_iter().map(|cache| {
        format!("<li>{} <span class=\"muted\">{}</span></li>\n", code(&cache.name), prose(&caches::fate(cache)))
    });
    let read = list(read);
    section("Cache", &format!("<p>{}</p>\n{read}", prose(&said)))
}

fn skipped(document: &Document) -> String {
    let row = |out: &Skipped<'_>| {
        format!("<tr><th scope=\"row\">{} {}</th><td>{}</td></tr>\n", out.kind, code(out.id), prose(out.why))
    };
    let skipped = skipped::untold(document);
    let rows = skipped.iter().map(row);
    if skipped.is_empty() {
        String::new()
    } else {
        section("Skipped", &table("Skipped, and why", &["What", "Why"], rows))
    }
}

fn notes(document: &Document) -> String {
    let warnings = warnings(document).map(|Warned { at, rule, page, said }| {
        let place = at.map(|at| format!("{} ", failure::place(at))).unwrap_or_default();
        let named = |rule| page.and_then(|page| link(page, rule)).unwrap_or_else(|| text(rule));
        let rule = rule.map(|rule| format!("{}: ", named(rule))).unwrap_or_default();
        format!("<li>{place}{rule}{}</li>\n", prose(said))
    });
    let notes = document.notes.iter().map(|note| {
        let hint = note.hint.as_ref().map(|hint| format!("<br><span class=\"muted\">{}</span>", prose(hint)));
        format!("<li>{}{}</li>\n", prose(&note.what), hint.unwrap_or_default())
    });
    let (warnings, notes) = (list(warnings), list(notes));
    let warnings = if warnings.is_empty() { warnings } else { section("Warnings of the build checks", &warnings) };
    warnings + &if notes.is_empty() { notes } else { section("Notes", &notes) }
}

fn old_tags(document: &Document) -> String {
    let rows = retention::sentences(document).map(|(at, said)| format!("<li>{}: {}</li>\n", code(at), prose(&said)));
    let rows = list(rows);
    if rows.is_empty() { rows } else { section("Old tags", &rows) }
}

fn steps_of(build: &Build) -> String {
    let Some(counted) = steps::counted(build) else { return String::new() };
    let row = |layer: &Layer| {
        let time = if layer.cached { "<span class=\"chip\">cached</span>".to_owned() } else { duration(layer.seconds) };
        format!("<tr><td>{}</td><td class=\"number\">{time}</td></tr>\n", code(&steps::name(layer)))
    };
    let title = format!("Build {}: {counted}", code(&build.id));
    folded(&title, &table("Every step", &["Step", "Time"], build.layers.iter().map(row)))
}

fn plan(document: &Document) -> String {
    let codes = |all: &[String]| all.iter().map(|name| code(name)).collect::<Vec<_>>().join("<br>");
    limited(plans(document).map(|Planned { build, plan, names, more, proof, hash }| {
        let stage = plan.target.as_ref().map(|stage| format!(" stage {}", code(stage))).unwrap_or_default();
        let more = if more > 0 { format!("<br>and {more} more") } else { String::new() };
        format!(
            "<h3>{}</h3>\n<dl class=\"plan\"><dt>From</dt><dd>{} in {}{stage}</dd><dt>Platforms</dt><dd>{}</dd>\
             <dt>To</dt><dd>{}{more}</dd><dt>Proof</dt><dd>{}</dd><dt>Plan hash</dt><dd>{}</dd></dl>\n",
            code(&build.id),
            code(&plan.dockerfile),
            code(&plan.context),
            if plan.platforms.is_empty() { "the builder’s own".to_owned() } else { codes(&plan.platforms) },
            codes(names),
            prose(proof),
            code(&hash),
        )
    }))
}

fn environment(document: &Document) -> String {
    let rows = environment::rows(document);
    let rows: String = rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", code(value))).collect();
    format!("<dl class=\"plan\">{rows}</dl>\n")
}

fn foot(document: &Document) -> String {
    format!(
        "<footer><p>StageFreight {} · everything here, for programs: <code>{RESULT_FILE}</code></p></footer>\n",
        text(&document.tool.version)
    )
}

fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{title}</h2>\n{body}</section>\n")
}

fn folded(title: &str, body: &str) -> String {
    format!("<details>\n<summary><h2>{title}</h2></summary>\n<div>{body}</div>\n</details>\n")
}

fn list(rows: impl IntoIterator<Item = String>) -> String {
    let (rows, more) = first(rows);
    let more = if more.is_empty() { more } else { format!("<li>{more}</li>\n") };
    if rows.is_empty() { rows } else { format!("<ul>\n{rows}{more}</ul>\n") }
}

/// Rows with a caption that only screen readers need: the heading above says the same.
fn table(caption: &str, columns: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let (shown, more) = first(rows);
    let heads: String = columns
        .iter()
        .map(|column| {
            let class = if *column == "Time" { " class=\"number\"" } else { "" };
            format!("<th scope=\"col\"{class}>{column}</th>")
        })
        .collect();
    let more = if more.is_empty() { more } else { format!("<p>{more}</p>\n") };
    // On a phone its rows become blocks.
    let wide = if columns.len() > 2 { " class=\"wide\"" } else { "" };
    format!(
        "<table{wide}><caption class=\"unseen\">{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{shown}</tbody></table>\n{more}"
    )
}

/// The first blocks, and how many more there are.
fn limited(blocks: impl IntoIterator<Item = String>) -> String {
    let (blocks, more) = first(blocks);
    if more.is_empty() { blocks } else { format!("{blocks}<p>{more}</p>\n") }
}

/// The first rows, and what to say of the others.
fn first(rows: impl IntoIterator<Item = String>) -> (String, String) {
    match rows::first(rows, ROWS) {
        (shown, 0) => (shown, String::new()),
        (shown, more) => (shown, format!("… and {more} more, see <code>{RESULT_FILE}</code>")),
    }
}
