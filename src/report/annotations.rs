//! Remarks on lines of the repository, in the log of Actions runners; and GitLab's report of links.

use serde_json::json;

use super::document::{Document, Forge};
use super::findings::{Finding, findings};
use crate::problem::Location;
use crate::runner::commands::{Annotation, Dialect, Level};

/// GitHub shows so many of a kind for each step; the rest would only be noise in the log.
const PER_LEVEL: usize = 10;

/// GitLab takes 1000 links in a section.
const LINKS: usize = 200;

/// Workflow commands for the log of GitHub, Gitea and Forgejo, one line each, without line ends; empty elsewhere.
/// The document must be redacted.
pub fn lines(document: &Document) -> Vec<String> {
    match document.context.forge {
        Forge::GitHub | Forge::Gitea | Forge::Forgejo => {}
        Forge::GitLab | Forge::Local => return Vec::new(),
    }
    let (errors, warnings): (Vec<Finding>, Vec<Finding>) = findings(document).into_iter().partition(|f| f.error);
    errors.iter().take(PER_LEVEL).chain(warnings.iter().take(PER_LEVEL)).filter_map(line).collect()
}

fn line(finding: &Finding) -> Option<String> {
    let place = finding.place.as_ref();
    let location = place.map(|at| Location { file: at.file.clone(), line: at.line, column: at.column });
    Dialect::Actions.annotation(&Annotation {
        level: if finding.error { Level::Error } else { Level::Warning },
        location: location.as_ref(),
        title: Some(&finding.title),
        message: &finding.message,
    })
}

/// GitLab's `artifacts:reports:annotations`: links to what was published, and to the job.
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
        report.insert("StageFreight".to_owned(), json!([link("Job", url)]));
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
        insta::assert_snapshot!(lines(&Document::new(&fixtures::failing_run())).join("\n"));
    }

    #[test]
    fn every_other_run() {
        let text: Vec<_> = fixtures::all()
            .into_iter()
            .filter(|(name, _)| *name != "failing_run")
            .map(|(name, outcome)| format!("{name}\n{}", lines(&fixtures::document(&outcome)).join("\n")))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn ten_of_a_kind_are_enough() {
        let mut outcome = fixtures::success();
        let warning = outcome.builds[0].warnings[0].clone();
        outcome.builds[0].warnings =
            (0..40).map(|n| crate::buildx::event::Warning { message: format!("{n}"), ..warning.clone() }).collect();
        assert_eq!(lines(&Document::new(&outcome)).len(), 10);
    }

    #[test]
    fn no_text_starts_a_line_or_a_property_of_its_own() {
        let lines = lines(&Document::new(&fixtures::hostile("x,line=1::y\n::error::z\r\n::set-env name=a::b")));
        assert!(!lines.is_empty());
        for line in lines {
            assert!(!line.contains(['\n', '\r']), "{line}");
            let (command, _) = line.split_at(line[2..].find("::").unwrap() + 2);
            assert!(command.starts_with("::error ") || command.starts_with("::warning "), "{line}");
            assert!(!command.contains(",line=1"), "{line}");
        }
    }

    #[test]
    fn gitlab_gets_links() {
        insta::assert_snapshot!(gitlab_report(&Document::new(&fixtures::cancelled())), @r#"
        {
          "StageFreight": [
            {
              "external_link": {
                "label": "Job",
                "url": "https://forge.example/acme/app/jobs/4711"
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
