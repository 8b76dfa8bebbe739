use jiff::Timestamp;
use proptest::prelude::*;
use regex::Regex;

use super::{Annotation, Dialect, Level, StopToken, escape_data, escape_property, for_greedy_runners, section_name};
use crate::problem::Location;

fn at() -> Timestamp {
    Timestamp::from_second(1_763_643_787).unwrap()
}

#[test]
fn sections_of_each_dialect() {
    let section = |dialect: Dialect| {
        (dialect.section_start("build_app", "Build app", at(), true), dialect.section_end("build_app", at()))
    };
    assert_eq!(section(Dialect::Actions), ("::group::Build app".to_owned(), Some("::endgroup::".to_owned())));
    assert_eq!(
        section(Dialect::GitLab),
        (
            "\x1b[0Ksection_start:1763643787:build_app[collapsed=true]\r\x1b[0KBuild app".to_owned(),
            Some("\x1b[0Ksection_end:1763643787:build_app\r\x1b[0K".to_owned())
        )
    );
    assert_eq!(section(Dialect::Plain), ("Build app".to_owned(), None));
}

#[test]
fn a_hostile_title_stays_a_title() {
    let title = "a\n::error::b\r\x1b[2J%0A";
    assert_eq!(Dialect::Actions.section_start("x", title, at(), false), "::group::a ::error::b %250A");
    let gitlab = Dialect::GitLab.section_start("x]\r\ny", title, at(), false);
    assert_eq!(gitlab, "\x1b[0Ksection_start:1763643787:x___y\r\x1b[0Ka ::error::b %0A");
}

#[test]
fn section_names_are_what_gitlab_takes() {
    assert_eq!(section_name("build_app-1.2"), "build_app-1.2");
    assert_eq!(section_name("é[collapsed=true]"), "__collapsed_true_");
    assert_eq!(section_name(""), "section");
    assert_eq!(section_name(&"x".repeat(500)).len(), 100);
}

#[test]
fn annotations_are_commands_on_actions_only() {
    let place = Location { file: "docker/Dockerfile, old: x".to_owned(), line: Some(12), column: Some(3) };
    let annotation = Annotation {
        level: Level::Error,
        location: Some(&place),
        title: Some("RUN failed: 100%"),
        message: "exit code 1\n::error::x\r\n\x1b[31mred\x1b[0m, 50%",
    };
    insta::assert_snapshot!(
        Dialect::Actions.annotation(&annotation).unwrap(),
        @"::error file=docker/Dockerfile%2C old%3A x,line=12,col=3,title=RUN failed%3A 100%25::exit code 1%0A::error::x%0Ared, 50%25"
    );
    let bare = Annotation { level: Level::Notice, location: None, title: None, message: "" };
    assert_eq!(Dialect::Actions.annotation(&bare).as_deref(), Some("::notice::"));
    assert_eq!(Dialect::GitLab.annotation(&annotation), None);
    assert_eq!(Dialect::Plain.annotation(&annotation), None);
}

/// What a runner reads in a line: name, properties, data.
fn parts(pattern: &str, line: &str) -> (String, String, String) {
    let line = format!("{line}\n");
    let found = Regex::new(pattern).unwrap().captures(&line).unwrap_or_else(|| panic!("no command: {line:?}"));
    let part = |n: usize| found.get(n).map(|part| part.as_str().to_owned()).unwrap_or_default();
    (part(1), part(3), part(4))
}

/// As act and Forgejo's runner have it (pkg/runner/command.go: commandPatternGA).
const GREEDY: &str = r"^::([^ ]+)( (.+))?::([^\r\n]*)[\r\n]+$";
/// As Gitea's newest, and GitHub, which searches for the first `::` behind the name (ActionCommand.cs: TryParseV2).
const LAZY: &str = r"^::([^ ]+?)( (.+?))?::([^\r\n]*)[\r\n]*$";

#[rstest::rstest]
#[case("no member named 'at' in 'std::vector<int>'")]
#[case("a::b::c")]
#[case(":::: ::")]
#[case(":x")]
#[case("::error title=x::y")]
#[case("nothing")]
#[case("")]
fn a_message_stays_a_message_on_greedy_runners(#[case] message: &str) {
    let place = Location { file: "src/a::b.cc".to_owned(), line: Some(3), column: None };
    let annotation = Annotation { level: Level::Error, location: Some(&place), title: Some("std::vector"), message };
    let line = Dialect::Actions.annotation(&annotation).unwrap();
    let safe = for_greedy_runners(&line);
    let properties = "file=src/a%3A%3Ab.cc,line=3,title=std%3A%3Avector";
    for pattern in [GREEDY, LAZY] {
        let (name, told, data) = parts(pattern, &safe);
        assert_eq!((name.as_str(), told.as_str()), ("error", properties), "{pattern}");
        assert_eq!(data.replace('\u{200b}', ""), message, "{pattern}");
    }
    assert_eq!(parts(LAZY, &line), ("error".to_owned(), properties.to_owned(), message.to_owned()));
    assert_eq!(safe.replace('\u{200b}', ""), line, "nothing else changes");
    let bare = Dialect::Actions.annotation(&Annotation { location: None, title: None, ..annotation }).unwrap();
    assert_eq!(parts(GREEDY, &for_greedy_runners(&bare)).0, "error");
}

#[test]
fn without_it_a_greedy_runner_moves_text_into_the_title() {
    let line = "::error file=a.cc,title=RUN::in 'std::vector'";
    assert_eq!(parts(GREEDY, line).1, "file=a.cc,title=RUN::in 'std");
}

#[test]
fn a_long_message_is_cut_visibly() {
    let message = "ü".repeat(5000);
    let annotation = Annotation { level: Level::Warning, location: None, title: None, message: &message };
    let line = Dialect::Actions.annotation(&annotation).unwrap();
    assert!(line.ends_with("ü…"));
    assert_eq!(line.chars().count(), "::warning::".len() + 4096);
}

#[test]
fn secrets_are_masked_whole_and_line_by_line() {
    let mask = |secret| Dialect::Actions.mask(secret);
    assert_eq!(mask("hunter22"), ["::add-mask::hunter22"]);
    assert_eq!(
        mask("{\n  \"key\": \"50%\"\n}\n"),
        ["::add-mask::{%0A  \"key\": \"50%25\"%0A}%0A", "::add-mask::\"key\": \"50%25\""],
        "a brace alone would mask every brace of the log"
    );
    assert_eq!(mask("  "), Vec::<String>::new());
    assert_eq!(Dialect::GitLab.mask("hunter22"), Vec::<String>::new(), "GitLab would print it");
    assert_eq!(Dialect::Plain.mask("hunter22"), Vec::<String>::new());
}

#[test]
fn stop_tokens_pair_up_and_differ() {
    let (one, two) = (StopToken::random(), StopToken::random());
    assert_ne!(one, two);
    let token = one.stop().strip_prefix("::stop-commands::").unwrap().to_owned();
    assert_eq!(one.resume(), format!("::{token}::"));
    assert!(token.len() > 30);
}

/// What the runner makes of escaped text.
fn unescape(text: &str) -> String {
    [("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

proptest! {
    #[test]
    fn escaping_is_undone_by_the_runner(text in "(?s).{0,80}") {
        prop_assert_eq!(unescape(&escape_data(&text)), text.clone());
        prop_assert_eq!(unescape(&escape_property(&text)), text.clone());
        prop_assert!(!escape_property(&text).contains(['\n', '\r', ':', ',']));
    }
}
