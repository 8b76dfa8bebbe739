//! Remarks on lines of the repository, in the log of Actions runners; and GitLab's report of links.

use serde_json::json;

use super::document::{Document, Forge};
use super::findings::{Finding, findings};
use crate::problem::Location;
use crate::runner::commands::{Annotation, Dialect, Level, for_greedy_runners};

/// GitHub shows so many of a kind for each step; the rest would only be noise in the log.
const PER_LEVEL: usize = 10;

/// GitLab takes 1000 links in a section.
const LINKS: usize = 200;

/// Workflow commands for the log of GitHub, Gitea and Forgejo, one line each, without line ends; empty elsewhere.
/// The document must be redacted. `pinned`: a check run has put the same remarks on their lines, where they must not stand twice; then
/// they name their places in words.
pub fn lines(document: &Document, pinned: bool) -> Vec<String> {
    if !are_read(document) {
        return Vec::new();
    }
    let (errors, warnings): (Vec<Finding>, Vec<Finding>) = findings(document).into_iter().partition(|f| f.error);
    let lines = errors
        .iter()
        .take(PER_LEVEL)
        .chain(warnings.iter().take(PER_LEVEL))
        .filter_map(|finding| line(finding, pinned));
    match document.context.forge {
        Forge::Gitea | Forge::Forgejo => lines.map(|line| for_greedy_runners(&line)).collect(),
        _ => lines.collect(),
    }
}

/// A runner reads commands in the log of this run.
pub(super) fn are_read(document: &Document) -> bool {
    match document.context.forge {
        Forge::GitHub | Forge::Gitea | Forge::Forgejo => true,
        Forge::GitLab | Forge::Local => false,
    }
}

fn line(finding: &Finding, pinned: bool) -> Option<String> {
    let (on_line, message) = match &finding.place {
        Some(at) if pinned => (None, format!("{at}: {}", finding.message)),
        place => (place.as_ref(), finding.message.clone()),
    };
    let location = on_line.map(|at| Location { file: at.file.clone(), line: at.line, column: at.column });
    Dialect::Actions.annotation(&Annotation {
        level: if finding.error { Level::Error } else { Level::Warning },
        location: location.as_ref(),
        title: Some(&finding.title),
        message: &message,
    })
}

/// GitLab's `artifacts:reports:annotations`, shown on the page of the job: links to what was published, and to the report, which
/// our components keep beside this one.
pub fn gitlab_report(document: &Document) -> String {
    let link = |label: &str, url: &str| json!({ "external_link": { "label": clip(label), "url": url } });
    let published = document.builds.iter().flat_map(|b| &b.published);
    let images: Vec<_> =
        published.take(LINKS).map(|tag| link(&tag.reference, &format!("https://{}", tag.repository))).collect();
    let mut report = serde_json::Map::new();
    if !images.is_empty() {
        report.insert("Published images".to_owned(), images.into());
    }
    if let Some(url) = document.context.job_url.as_ref().filter(|url| is_web(url)) {
        let page = format!("{}/artifacts/file/.stagefreight/report.html", url.trim_end_matches('/'));
        report.insert("StageFreight".to_owned(), json!([link("Report", &page)]));
    }
    format!("{:#}\n", serde_json::Value::Object(report))
}

fn is_web(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && !url.contains(|c: char| c.is_control() || c == ' ')
}

fn clip(label: &str) -> String {
    label.chars().take(255).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_failed_build_is_pinned_to_its_lines() {
        insta::assert_snapshot!(lines(&Document::new(&fixtures::failing_run()), false).join("\n"));
    }

    #[test]
    fn what_a_check_run_has_pinned_is_told_in_words() {
        let document = Document::new(&fixtures::failing_run());
        let (pinned, plain) = (lines(&document, true), lines(&document, false));
        assert_eq!(pinned.len(), plain.len());
        assert!(plain.iter().any(|line| line.contains("file=Dockerfile,line=")), "{plain:?}");
        assert!(!pinned.iter().any(|line| line.contains("file=")), "{pinned:?}");
        assert!(pinned.iter().any(|line| line.contains("::Dockerfile:")), "{pinned:?}");
    }

    #[test]
    fn every_other_run() {
        let text: Vec<_> = fixtures::all()
            .into_iter()
            .filter(|(name, _)| *name != "failing_run")
            .map(|(name, outcome)| format!("{name}\n{}", lines(&fixtures::document(&outcome), false).join("\n")))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn ten_of_a_kind_are_enough() {
        let mut outcome = fixtures::success();
        let warning = outcome.builds[0].warnings[0].clone();
        outcome.builds[0].warnings =
            (0..40).map(|n| crate::buildx::event::Warning { message: format!("{n}"), ..warning.clone() }).collect();
        assert_eq!(lines(&Document::new(&outcome), false).len(), 10);
    }

    #[test]
    fn no_text_starts_a_line_or_a_property_of_its_own() {
        let lines = lines(&Document::new(&fixtures::hostile("x,line=1::y\n::error::z\r\n::set-env name=a::b")), false);
        assert!(!lines.is_empty());
        for line in lines {
            assert!(!line.contains(['\n', '\r']), "{line}");
            let (command, _) = line.split_at(line[2..].find("::").unwrap() + 2);
            assert!(command.starts_with("::error ") || command.starts_with("::warning "), "{line}");
            assert!(!command.contains(",line=1"), "{line}");
        }
    }

    #[test]
    fn runners_that_read_greedily_get_no_second_pair_of_colons() {
        let of = |forge| {
            let mut document = Document::new(&fixtures::hostile("in std::vector"));
            document.context.forge = forge;
            lines(&document, false)
        };
        let pairs = |line: &String| line.matches("::").count();
        for forge in [Forge::Gitea, Forge::Forgejo] {
            assert!(of(forge).iter().all(|line| pairs(line) == 2), "{forge:?}");
        }
        assert!(of(Forge::GitHub).iter().any(|line| pairs(line) > 2), "GitHub reads the message as it is");
    }

    #[test]
    fn gitlab_gets_links() {
        insta::assert_snapshot!(gitlab_report(&Document::new(&fixtures::cancelled())), @r#"
        {
          "StageFreight": [
            {
              "external_link": {
                "label": "Report",
                "url": "https://forge.example/acme/app/jobs/4711/artifacts/file/.stagefreight/report.html"
              }
            }
          ]
        }
        "#);
        let report: serde_json::Value =
            serde_json::from_str(&gitlab_report(&Document::new(&fixtures::success()))).unwrap();
        assert_eq!(report["Published images"].as_array().unwrap().len(), 6);
        assert_eq!(report["Published images"][0]["external_link"]["label"], "ghcr.io/acme/app:1.4.2");
        let hostile = gitlab_report(&Document::new(&fixtures::hostile("javascript:alert(1)")));
        assert!(!hostile.contains("javascript"), "{hostile}");
    }
}
