//! The answer on one screen, for people. Pure; names and words of others are stripped of control characters and cut.

use super::checks::{State, What};
use super::document::{Document, Verdict};

/// A reason has no more characters.
const REASON: usize = 600;
/// So many platforms are named.
const PLATFORMS: usize = 8;

pub(super) fn render(document: &Document) -> String {
    let mut out = clean(&document.reference) + "\n";
    if let Some(digest) = &document.digest {
        out.push_str(&format!("  {digest}\n"));
    }
    if !document.platforms.is_empty() {
        let mut names: Vec<String> = document.platforms.iter().take(PLATFORMS).map(|p| clean(&p.platform)).collect();
        if document.platforms.len() > PLATFORMS {
            names.push(format!("and {} more", document.platforms.len() - PLATFORMS));
        }
        out.push_str(&format!("  {}\n", names.join(", ")));
    }
    out.push('\n');
    for check in &document.checks {
        out.push_str(&format!("{} {:<11} {}\n", mark(check.state), name(check.check), clean(&check.why)));
        check.hint.iter().for_each(|hint| out.push_str(&format!("  {:<11} {}\n", "", clean(hint))));
    }
    out.push_str(&format!("\n{}\n", verdict(document)));
    out
}

fn verdict(document: &Document) -> String {
    let those = |state| {
        let names = document.checks.iter().filter(|check| check.state == state).map(|check| name(check.check));
        names.collect::<Vec<_>>().join(", ")
    };
    match document.verdict {
        Verdict::Verified => "Verified.".to_owned(),
        Verdict::Failed => format!("NOT VERIFIED: wrong or missing: {}.", those(State::Failed)),
        Verdict::NotChecked => format!("NOT VERIFIED: could not be checked: {}.", those(State::NotChecked)),
    }
}

fn mark(state: State) -> char {
    match state {
        State::Verified => '✓',
        State::Failed => '✗',
        State::NotChecked => '?',
        State::NotAsked => '-',
    }
}

fn name(what: What) -> &'static str {
    match what {
        What::Digest => "digest",
        What::Signature => "signature",
        What::Provenance => "provenance",
        What::Trust => "trust",
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON).collect()
}
