//! What the forge is told of a run: the line of its commit status, the check with its remarks, the note on the request. Pure; drawn
//! from the document, which must be redacted.
//!
//! The description is plain text on every forge; title, summary and note are markdown or shown beside it, and escaped as the
//! summary is.

use super::document::{Build, BuildState, Document, Output, Status, TrustLevel};
use super::escape::{code, link, plain, prose};
use super::findings::{Finding, findings};
use super::headline::{count, duration, headline};
use super::markdown;
use super::verdict::verdicts;
use crate::forge::{Level, Remark, State, Word};

/// What a run says before anything is built.
pub const BEGUN: &str = "building";

/// References named in a note.
const NAMES: usize = 20;

/// The word of a run that has ended.
pub fn word(document: &Document) -> Word {
    let found = findings(document);
    Word {
        state: state(document),
        description: description(document, &found),
        title: plain(&headline(document).replace('`', "")),
        summary: markdown::summary(document),
        remarks: found.iter().filter_map(remark).collect(),
        note: note(document, &found),
    }
}

/// Whose fault it is: of what was to be built, or of something around it.
fn state(document: &Document) -> State {
    match document.status {
        Status::Success => State::Success,
        Status::Cancelled => State::Cancelled,
        Status::Failure => match document.failure.as_ref().map_or("", |failure| failure.kind.as_str()) {
            "backend" | "credentials" | "publish" | "report" | "internal" => State::Error,
            _ => State::Failure,
        },
    }
}

/// `published 3 tags · reproducible · 1m12s`.
fn description(document: &Document, found: &[Finding]) -> String {
    let mut parts = match document.status {
        Status::Success => succeeded(document),
        Status::Cancelled => vec!["cancelled".to_owned()],
        Status::Failure => failed(document, found),
    };
    parts.push(duration(document.seconds));
    plain(&parts.join(" · "))
}

fn succeeded(document: &Document) -> Vec<String> {
    let done: Vec<&Build> = document.builds.iter().filter(|build| build.state == BuildState::Done).collect();
    let tags: usize = done.iter().map(|build| build.published.len()).sum();
    let loaded = done.iter().any(|build| build.plan.as_ref().is_some_and(|plan| plan.output == Output::Load));
    let what = match (done.len(), tags) {
        (0, _) => "nothing to build".to_owned(),
        (_, 1..) => format!("published {}", count(tags, "tag", "tags")),
        (n, 0) => format!("built {}{}", count(n, "image", "images"), if loaded { " and loaded" } else { "" }),
    };
    let trust = document.trust.map(|trust| match trust {
        TrustLevel::Reproducible => "reproducible",
        TrustLevel::Deterministic => "deterministic",
        TrustLevel::Consistent => "consistent",
        TrustLevel::Viable => "viable",
    });
    [Some(what), trust.map(str::to_owned)].into_iter().flatten().collect()
}

/// The headline, and the first line to look at.
fn failed(document: &Document, found: &[Finding]) -> Vec<String> {
    let place = found.iter().filter(|finding| finding.error).find_map(|finding| finding.place.as_ref());
    let place = place.map(|at| at.line.map_or_else(|| at.file.clone(), |line| format!("{}:{line}", at.file)));
    let title = headline(document).replace('`', "");
    let mut letters = title.chars();
    let title = letters.next().map(|first| first.to_lowercase().chain(letters).collect::<String>());
    [title, place].into_iter().flatten().collect()
}

fn remark(finding: &Finding) -> Option<Remark> {
    let at = finding.place.as_ref()?;
    Some(Remark {
        path: at.file.clone(),
        // The forge takes no remark on a whole file.
        line: at.line.unwrap_or(1).max(1),
        column: at.line.and(at.column).filter(|column| *column > 0),
        level: if finding.error { Level::Failure } else { Level::Warning },
        title: plain(&finding.title),
        message: finding.message.lines().map(plain).collect::<Vec<_>>().join("\n"),
    })
}

fn note(document: &Document, found: &[Finding]) -> String {
    let sign = match document.status {
        Status::Success => "✅",
        Status::Failure => "❌",
        Status::Cancelled => "⏹️",
    };
    let mut out = format!("### {sign} {}\n\n", prose(&headline(document)));
    if let Some(verdict) = verdicts(document).filter(|verdict| *verdict != headline(document)) {
        out.push_str(&format!("{}\n\n", prose(&verdict)));
    }
    // A run that failed has taken its tags back, or its report says which.
    let good = document.builds.iter().filter(|_| document.status == Status::Success);
    let tags: Vec<_> = good.flat_map(|build| &build.published).collect();
    for tag in tags.iter().take(NAMES) {
        out.push_str(&format!("- {}\n", code(&tag.reference)));
    }
    if tags.len() > NAMES {
        out.push_str(&format!("- and {} more\n", tags.len() - NAMES));
    }
    if document.status == Status::Failure {
        for finding in found.iter().filter(|finding| finding.error).take(5) {
            let place = finding.place.as_ref().map(|at| {
                let line = at.line.map(|line| format!(":{line}")).unwrap_or_default();
                format!("{}: ", code(&format!("{}{line}", at.file)))
            });
            let first = finding.message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            out.push_str(&format!("- {}{}\n", place.unwrap_or_default(), prose(first)));
        }
    }
    let mut facts = Vec::new();
    if let Some(commit) = &document.context.commit {
        let commit =
            document.context.pull_request.as_ref().and_then(|request| request.head_sha.as_ref()).unwrap_or(commit);
        let branch = document.context.branch.as_ref().map(|branch| format!(" of {}", code(branch)));
        facts.push(format!(
            "commit {}{}",
            code(&commit.chars().take(7).collect::<String>()),
            branch.unwrap_or_default()
        ));
    }
    if let Some(url) = document.context.job_url.as_deref().and_then(link) {
        facts.push(format!("[the whole report](<{url}>)"));
    }
    if !facts.is_empty() {
        out.push_str(&format!("\n{}\n", facts.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests;
