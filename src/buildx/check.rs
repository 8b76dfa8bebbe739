//! BuildKit's checks of a Dockerfile, asked for alone: `buildx build --call check`. Builds nothing.
//!
//! A build gets the same warnings with its progress, at no cost; this is for those who want to know before.

use serde::Deserialize;

use super::event::Warning;
use super::progress::clean::clean;
use crate::problem::Location;

/// Most warnings read.
const MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// `null` where there are none.
    warnings: Option<Vec<Broken>>,
    sources: Option<Vec<Source>>,
    build_error: Option<BuildError>,
}

#[derive(Deserialize)]
struct BuildError {
    message: String,
}

/// What the checks came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// Rules that are broken.
    pub warnings: Vec<Warning>,
    /// It is no Dockerfile: the parser's words, which name the line.
    pub syntax: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Broken {
    rule_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    detail: String,
    location: Option<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    /// Left out where it is nought.
    #[serde(default)]
    source_index: usize,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    start: Position,
}

#[derive(Deserialize)]
struct Position {
    line: u32,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    filename: String,
}

/// What it prints on standard output; `None` for anything but its JSON.
pub fn parse(stdout: &str) -> Option<Checked> {
    let answer: Answer = serde_json::from_str(stdout).ok()?;
    let sources = answer.sources.unwrap_or_default();
    let line = |text: &str| clean(text.lines().next().unwrap_or_default().as_bytes());
    let warning = |broken: &Broken| {
        let said = if broken.detail.is_empty() { &broken.description } else { &broken.detail };
        let place = broken.location.as_ref().and_then(|place| {
            let file = line(&sources.get(place.source_index)?.filename);
            let number = place.ranges.first().map(|range| range.start.line).filter(|line| *line > 0);
            Some(Location { file, line: number, column: None })
        });
        Warning {
            message: format!("{}: {}", line(&broken.rule_name), line(said)),
            detail: line(&broken.description),
            url: line(&broken.url),
            location: place,
        }
    };
    let warnings = answer.warnings.iter().flatten().take(MAX).map(warning).collect();
    // Other errors are those of a build that has not begun: images, logins. Whoever asks about those hears them there.
    let syntax = answer.build_error.map(|error| line(&error.message)).filter(|said| said.contains("parse error"));
    Some(Checked { warnings, syntax })
}

#[cfg(test)]
mod tests {
    use super::*;

    // As buildx 0.29 and buildkitd 0.32 wrote it.
    const ANSWER: &str = r#"{
      "warnings": [
        {"ruleName": "FromAsCasing", "description": "The 'as' keyword should match the case of the 'from' keyword",
         "url": "https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
         "detail": "'as' and 'FROM' keywords' casing do not match",
         "location": {"ranges": [{"start": {"line": 1}, "end": {"line": 1}}]}},
        {"ruleName": "Odd\u001b[2J", "location": {"sourceIndex": 7}}
      ],
      "sources": [{"filename": "Dockerfile", "data": "RlJPTQ=="}]
    }"#;

    #[test]
    fn rules_have_their_line_and_their_page() {
        let found = parse(ANSWER).unwrap().warnings;
        assert_eq!(found[0].message, "FromAsCasing: 'as' and 'FROM' keywords' casing do not match");
        assert_eq!(found[0].url, "https://docs.docker.com/go/dockerfile/rule/from-as-casing/");
        assert_eq!(found[0].location, Some(Location { file: "Dockerfile".into(), line: Some(1), column: None }));
        assert_eq!((found[1].message.as_str(), &found[1].location), ("Odd: ", &None));
    }

    #[test]
    fn a_syntax_error_is_told_and_a_missing_image_is_not() {
        let said = |message: &str| {
            let text = format!(r#"{{"warnings": null, "buildError": {{"message": "{message}", "location": {{}}}}}}"#);
            parse(&text).unwrap().syntax
        };
        let parser = "dockerfile parse error on line 1: unknown instruction: FRM (did you mean FROM?)";
        assert_eq!(said(parser).as_deref(), Some(parser));
        assert_eq!(said("busybox:nosuch: not found"), None);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for text in ["", "unknown flag: --call", "[]", "{\"warnings\": 3}"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("{\"warnings\": null, \"sources\": []}"), Some(Checked::default()));
    }
}
