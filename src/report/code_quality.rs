//! GitLab's code quality report: the only way to show an error beside the changed line there.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::document::Document;
use super::findings::{Finding, findings};

/// One entry, as GitLab's schema for `codequality` wants it.
#[derive(Serialize)]
struct Entry {
    description: String,
    check_name: String,
    /// Tells entries of two pipelines apart: what stays the same is neither new nor fixed.
    fingerprint: String,
    severity: &'static str,
    location: Place,
}

#[derive(Serialize)]
struct Place {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// The report; an empty list where there is nothing to say, because GitLab compares it with the target branch's.
/// The document must be redacted.
pub fn report(document: &Document) -> String {
    let mut seen = BTreeMap::new();
    let entries: Vec<Entry> = findings(document).into_iter().filter_map(|finding| entry(finding, &mut seen)).collect();
    let mut text = serde_json::to_string_pretty(&entries).unwrap_or_default();
    text.push('\n');
    text
}

fn entry(finding: Finding, seen: &mut BTreeMap<String, u32>) -> Option<Entry> {
    let at = finding.place?;
    // Without the line: the same error a few lines further down is the same error. Twins are counted.
    let identity = format!("{}\n{}\n{}", finding.title, at.file, finding.message);
    let nth = seen.entry(identity.clone()).and_modify(|n| *n += 1).or_insert(0);
    Some(Entry {
        description: finding.message,
        check_name: finding.title,
        fingerprint: hex::encode(Sha256::digest(format!("{identity}\n{nth}"))),
        severity: if finding.error { "critical" } else { "minor" },
        location: Place { path: at.file, lines: Lines { begin: at.line.unwrap_or(1).max(1) } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn errors_with_a_place_are_entries() {
        insta::assert_snapshot!(report(&Document::new(&fixtures::failing_config())));
    }

    #[test]
    fn a_good_run_gives_its_warnings_and_a_run_without_any_an_empty_list() {
        let entries: serde_json::Value = serde_json::from_str(&report(&Document::new(&fixtures::success()))).unwrap();
        assert_eq!(entries[0]["severity"], "minor");
        assert_eq!(report(&Document::new(&fixtures::local_layout())), "[]\n");
    }

    #[test]
    fn fingerprints_survive_a_moved_line_and_differ_for_twins() {
        let moved = |line: u32| {
            let mut outcome = fixtures::failing_config();
            if let Some(at) = outcome.failure.as_mut().and_then(|f| f.problems[0].location.as_mut()) {
                at.line = Some(line);
            }
            let twin = outcome.failure.as_ref().unwrap().problems[0].clone();
            let other = crate::problem::Location { line: Some(99), ..twin.location.clone().unwrap() };
            outcome.failure.as_mut().unwrap().problems.push(twin.at(other));
            let entries: serde_json::Value = serde_json::from_str(&report(&Document::new(&outcome))).unwrap();
            (entries[0]["fingerprint"].clone(), entries[2]["fingerprint"].clone())
        };
        assert_eq!(moved(5), moved(50));
        assert_ne!(moved(5).0, moved(5).1);
    }
}
