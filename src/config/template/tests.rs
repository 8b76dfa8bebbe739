use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config::model::Project;
use crate::environment::Vars;
use crate::plan::Version;
use crate::source::GitTag;

/// Owns what `Values` borrows.
struct World {
    version: Version,
    tags: Vec<GitTag>,
    vars: BTreeMap<String, String>,
    env: Vars,
    project: Project,
}

impl World {
    fn new() -> Self {
        let tag = |name: &str, distance| GitTag { name: name.to_owned(), distance };
        Self {
            version: Version {
                full: "1.2.3-dev+0123456".into(),
                base: "1.2.3".into(),
                major: "1".into(),
                minor: "2".into(),
                patch: "3".into(),
                prerelease: "dev".into(),
                release: false,
            },
            tags: vec![tag("v1.2.3", 2), tag("api-v0.4.0-rc.1", 3), tag("api-v0.3.0", 9), tag("web-v2.0.0", 0)],
            vars: [("name", "app"), ("image", "{var:name}-{major}"), ("json", r#"{"a": {"b": 1}}"#)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            env: [("REGISTRY".to_owned(), "ghcr.io".to_owned()), ("EMPTY".to_owned(), String::new())]
                .into_iter()
                .collect(),
            project: Project { name: Some("app".into()), license: Some("MIT".into()), ..Project::default() },
        }
    }

    fn values(&self) -> Values<'_> {
        Values {
            version: &self.version,
            git_tags: &self.tags,
            tag: None,
            branch: Some("feature/x"),
            pull_request: Some(7),
            sha: Some("0123456789abcdef0123456789abcdef01234567"),
            vars: &self.vars,
            env: &self.env,
            now: "2026-03-07T09:05:04.5Z".parse().unwrap(),
            commit_time: Some("2025-12-31T23:59:59Z".parse().unwrap()),
            ci: CiValues {
                pipeline: Some("77"),
                runner: Some("r1"),
                job: Some("build"),
                url: Some("https://ci.example/77"),
            },
            project: &self.project,
        }
    }
}

fn render(text: &str) -> Result<String, TemplateError> {
    Template::parse(text)?.render(&World::new().values())
}

#[test]
fn every_variable() {
    for (text, shown) in [
        ("latest", "latest"),
        ("", ""),
        ("{version}", "1.2.3-dev+0123456"),
        ("pr-{pr}", "pr-7"),
        ("v{major}.{minor}.{patch}-{prerelease}", "v1.2.3-dev"),
        ("{base}", "1.2.3"),
        ("{branch}-{sha:10}", "feature/x-0123456789"),
        ("{sha}", "0123456"),
        ("{sha:64}", "0123456789abcdef0123456789abcdef01234567"),
        ("{env:REGISTRY}/x", "ghcr.io/x"),
        ("{var:image}", "app-1"),
        ("{var:json}", r#"{"a": {"b": 1}}"#),
        ("{date}", "2026-03-07"),
        ("{date:20060102}", "20260307"),
        ("{date:15:04}", "09:05"),
        ("{date:%j}", "066"),
        ("{datetime}", "2026-03-07T09:05:04Z"),
        ("{timestamp}", "1772874304"),
        ("{commit.date}", "2025-12-31"),
        ("{commit.date:2006}", "2025"),
        ("{ci.pipeline} {ci.runner} {ci.job} {ci.url}", "77 r1 build https://ci.example/77"),
        ("{project.name}/{project.license}/{project.description}", "app/MIT/"),
        ("{version:api}", "0.4.0-dev+0123456"),
        ("{version:web}", "2.0.0"),
        ("{major:web}.{minor:api}", "2.4"),
    ] {
        assert_eq!(render(text).as_deref(), Ok(shown), "{text}");
    }
}

#[test]
fn every_documented_form_is_a_variable() {
    for v in variables() {
        let (plain, full) = (v.form.replace(['[', ']'], ""), v.form.split('[').next().unwrap_or_default());
        let full_form = plain.replace(":N}", ":5}").replace("LAYOUT", "2006").replace(":5AME", ":NAME");
        assert_eq!(Template::parse(&full_form).map(|t| t.as_literal().is_some()), Ok(false), "{}", v.form);
        if v.form.contains('[') {
            assert_eq!(
                Template::parse(&format!("{full}}}")).map(|t| t.as_literal().is_some()),
                Ok(false),
                "{}",
                v.form
            );
        }
        assert!(v.form.starts_with(&format!("{{{}", v.name)), "{}", v.form);
    }
}

#[test]
fn a_scoped_version_prefers_the_tag_of_the_run() {
    let world = World::new();
    let on = |tag| {
        let values = Values { tag: Some(tag), ..world.values() };
        Template::parse("{version:api}|{prerelease:api}").unwrap().render(&values)
    };
    assert_eq!(on("api-v1.0.0-beta.2").as_deref(), Ok("1.0.0-beta.2|beta.2"));
    assert_eq!(on("v9.0.0").as_deref(), Ok("0.4.0-dev+0123456|dev"));
}

#[test]
fn random_digits_are_one_choice_for_a_run() {
    let world = World::new();
    let draw = |values: Values<'_>| Template::parse("{rand:12}|{randhex}|{rand:12}").unwrap().render(&values).unwrap();
    let first = draw(world.values());
    assert_eq!(first, draw(world.values()));
    let parts: Vec<_> = first.split('|').collect();
    assert!(parts[0] == parts[2] && parts[0].len() == 12 && parts[0].bytes().all(|b| b.is_ascii_digit()), "{first}");
    assert!(parts[1].len() == 8 && parts[1].bytes().all(|b| b.is_ascii_hexdigit()), "{first}");
    let later = Values { now: "2026-03-07T09:05:04.6Z".parse().unwrap(), ..world.values() };
    assert_ne!(first, draw(later));
}

#[test]
fn braces_that_are_no_variable_are_text() {
    for text in [
        "${FOO}",
        "${version}",
        "$HOME ${FOO:-bar}",
        r#"{"json": true}"#,
        "{}",
        "{",
        "}",
        "{ version }",
        "{a,b}",
        "{0}",
        "{{.Name}}",
        "{a: b}",
        "{foo",
        "ä{ö}",
    ] {
        assert_eq!(render(text).as_deref(), Ok(text), "{text}");
    }
    assert_eq!(render("{{version}}").as_deref(), Ok("{1.2.3-dev+0123456}"));
    assert_eq!(render(r#"{"tag": "{base}"}"#).as_deref(), Ok(r#"{"tag": "1.2.3"}"#));
}

#[test]
fn mistakes_are_named_and_mended() {
    let say = |text: &str| {
        let error = render(text).unwrap_err();
        format!("{text} => {error}\n    {}", error.hint().unwrap_or_default())
    };
    let texts = [
        "{versoin}",
        "{VERSION}",
        "{FOO}",
        "{version",
        "{date:2006",
        "{sha:0}",
        "{sha:x}",
        "{branch:x}",
        "{env}",
        "{env:A B}",
        "{env:NOPE}",
        "{env:EMPTY}",
        "{var:nmae}",
        "{var:zzz}",
        "{date:YYYY}",
        "{version:a b}",
        "{version:cli}",
    ];
    insta::assert_snapshot!(texts.map(say).join("\n"), @r#"
    {versoin} => `{versoin}` is not a template variable
        did you mean `{version}`?
    {VERSION} => `{VERSION}` is not a template variable
        did you mean `{version}`?
    {FOO} => `{FOO}` is not a template variable
        variables are version, base, major, minor, patch, prerelease, branch, tag, pr, sha, env, var, date, datetime, timestamp, commit.date, ci.pipeline, ci.runner, ci.job, ci.url, project.name, project.url, project.license, project.language, project.description, rand, randhex; to keep braces as text, write `${…}` or put a blank after `{`
    {version => `{version` is not closed
        close it with `}`
    {date:2006 => `{date` is not closed
        close it with `}`
    {sha:0} => `{sha:0}`: a number from 1 to 64 is wanted
        
    {sha:x} => `{sha:x}`: a number from 1 to 64 is wanted
        
    {branch:x} => `{branch:x}`: this variable takes nothing after a colon
        
    {env} => `{env}`: the name of an environment variable is wanted, `{env:NAME}`
        
    {env:A B} => `{env:A B}`: the name of an environment variable is wanted, `{env:NAME}`
        
    {env:NOPE} => `{env:NOPE}`: the environment variable NOPE is not set, or empty
        set NOPE in the job, or take it out of the template
    {env:EMPTY} => `{env:EMPTY}`: the environment variable EMPTY is not set, or empty
        set EMPTY in the job, or take it out of the template
    {var:nmae} => `{var:nmae}`: there is no such name in `vars`
        did you mean `{var:name}`?
    {var:zzz} => `{var:zzz}`: there is no such name in `vars`
        add `zzz: …` under `vars`
    {date:YYYY} => `{date:YYYY}`: no part of a date stands in it; write it as `2006-01-02` or `%Y-%m-%d`
        
    {version:a b} => `{version:a b}`: a scope is letters, digits, `_`, `.`, `/` and `-`, as in the git tag `SCOPE-v1.2.3`
        
    {version:cli} => `{version:cli}` has no value in this run: no git tag `cli-v…` is behind this commit
    "#);
}

#[test]
fn what_a_run_does_not_have_is_an_error_and_never_empty_text() {
    let world = World::new();
    let values = Values { branch: None, pull_request: None, sha: None, commit_time: None, ..world.values() };
    for text in ["{branch}", "{tag}", "{pr}", "{sha:8}", "{commit.date}"] {
        let error = Template::parse(text).unwrap().render(&values);
        assert!(matches!(error, Err(TemplateError::NoValue { .. })), "{text}: {error:?}");
    }
}

#[test]
fn circles_and_bombs_end_at_once() {
    let with = |vars: BTreeMap<String, String>, text: &str| {
        let world = World { vars, ..World::new() };
        Template::parse(text).unwrap().render(&world.values())
    };
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    let circle = [pair("a", "{var:b}"), pair("b", "x{var:c}"), pair("c", "{var:b}")].into();
    assert_eq!(with(circle, "{var:a}"), Err(TemplateError::Cycle(vec!["b".into(), "c".into(), "b".into()])));
    for leaf in ["", "0123456789abcdef"] {
        let mut bomb: BTreeMap<String, String> =
            (0..40).map(|i| pair(&format!("v{i}"), &format!("{{var:v{}}}{{var:v{}}}", i + 1, i + 1))).collect();
        bomb.insert("v40".into(), leaf.into());
        assert_eq!(with(bomb, "{var:v0}"), Err(TemplateError::TooLarge), "{leaf}");
    }
    let chain: BTreeMap<String, String> =
        (0..10_000).map(|i| pair(&format!("v{i}"), &format!("{{var:v{}}}", i + 1))).collect();
    assert_eq!(with(chain, "{var:v0}"), Err(TemplateError::TooLarge));
    assert_eq!(Template::parse(&"{version}".repeat(10_000)), Err(TemplateError::TooLarge));
}

#[test]
fn tags() {
    let world = World::new();
    let tag = |text: &str| Template::parse(text).and_then(|t| t.render_tag(&world.values())).map(String::from);
    for (text, shown) in [
        ("latest", "latest"),
        ("{version}", "1.2.3-dev-0123456"),
        ("{branch}-{sha:8}", "feature-x-01234567"),
        ("{var:json}x", "--a-----b---1--x".trim_start_matches('-')),
        ("{datetime}", "2026-03-07T09-05-04Z"),
    ] {
        assert_eq!(tag(text).as_deref(), Ok(shown), "{text}");
    }
    for bad in [
        "",
        "-x",
        ".x",
        "a b",
        "v{major}+x",
        "-{sha}",
        "a/{branch}",
        "{project.description}",
        "{{version}}",
        &"x".repeat(129),
    ] {
        assert!(matches!(tag(bad), Err(TemplateError::NotATag(_))), "{bad}: {:?}", tag(bad));
    }
}

#[test]
fn long_names_stay_apart_when_they_are_cut() {
    let (a, b) = (format!("{}a", "x".repeat(150)), format!("{}b", "x".repeat(150)));
    assert_eq!(sanitize_tag(&a).len(), 128);
    assert_ne!(sanitize_tag(&a), sanitize_tag(&b));
    assert_eq!(sanitize_tag(&"x".repeat(128)), "x".repeat(128));
    for (text, tag) in [("", ""), ("---", ""), ("..v1", "v1"), ("+1", "1"), ("_x", "_x"), ("ä", ""), ("aäb", "a-b")] {
        assert_eq!(sanitize_tag(text), tag, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answered_and_text_without_braces_is_kept(text in "(\\{|\\}|:|\\$|version|sha|var|date|name|[a-z0-9. %-]){0,30}") {
        let rendered = render(&text);
        if !text.contains('{') {
            prop_assert_eq!(rendered, Ok(text));
        }
    }

    #[test]
    fn every_sanitized_tag_is_legal_or_empty(text in ".{0,300}") {
        let tag = sanitize_tag(&text);
        prop_assert!(tag.is_empty() || tag.parse::<Tag>().is_ok(), "{}", tag);
        prop_assert_eq!(&sanitize_tag(&tag), &tag);
    }

    #[test]
    fn a_rendered_tag_is_always_legal(text in "(\\{version\\}|\\{branch\\}|\\{sha:3\\}|\\{date\\}|[a-z.+-]){0,12}") {
        let world = World::new();
        // The type says so; this is about not failing where the literal parts are legal.
        if let Ok(template) = Template::parse(&text) && template.check_tag().is_ok() && !text.is_empty() {
            prop_assert!(template.render_tag(&world.values()).is_ok());
        }
    }
}
