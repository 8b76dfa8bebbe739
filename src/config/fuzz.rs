//! What the fuzz targets in `fuzz/` call, kept here so that the tests call it too: any text in, and the promises hold or it panics.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::load;
use super::model::Project;
use super::template::{CiValues, Template, Values, sanitize_tag};
use crate::environment::Vars;
use crate::image::Tag;
use crate::plan::Version;

/// A config file: it loads, or there is at least one mistake, and each has a place in the file and words for a person.
#[doc(hidden)]
pub fn config_load(text: &str) {
    let Err(problems) = load(text, "fuzz.yml") else { return };
    assert!(!problems.is_empty(), "refused without a reason");
    let lines = text.lines().count().max(1);
    for problem in problems {
        assert!(!problem.what.is_empty());
        let at = problem.location.as_ref().and_then(|at| at.line);
        assert!(
            at.is_none_or(|line| usize::try_from(line).is_ok_and(|line| (1..=lines).contains(&line))),
            "{problem:?}"
        );
    }
}

/// A template: it is refused, or renders to something bounded; a tag made of it is legal.
#[doc(hidden)]
pub fn template(text: &str) {
    let tag = sanitize_tag(text);
    assert!(tag.is_empty() || tag.parse::<Tag>().is_ok(), "{tag:?}");
    let Ok(template) = Template::parse(text) else { return };
    let vars = BTreeMap::from([("a".to_owned(), text.to_owned()), ("b".to_owned(), "{var:a}{var:a}".to_owned())]);
    let (version, project, env) = (Version::default(), Project::default(), Vars::default());
    let values = Values {
        version: &version,
        git_tags: &[],
        tag: Some(text),
        branch: Some(text),
        pull_request: Some(7),
        sha: Some("0123456789abcdef0123456789abcdef01234567"),
        vars: &vars,
        env: &env,
        now: Timestamp::UNIX_EPOCH,
        commit_time: Some(Timestamp::MAX),
        ci: CiValues::default(),
        project: &project,
    };
    if let Ok(rendered) = template.render(&values) {
        assert!(rendered.len() <= 64 * 1024);
        assert!(text.contains('{') || rendered == text);
    }
    let _ = template.render_tag(&values);
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    #[test]
    fn the_seeds_hold() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
        for dir in ["good", "bad"] {
            for entry in std::fs::read_dir(root.join(dir)).unwrap() {
                let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
                super::config_load(&text);
                text.lines().for_each(super::template);
                // Every beginning of a file is a file somebody saved too early.
                for end in (0..text.len()).step_by(23).filter(|end| text.is_char_boundary(*end)) {
                    super::config_load(&text[..end]);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_holds(text in "(.|\\n){0,200}", braces in "(\\{|\\}|[a-z.]{1,9}|:|%[A-Za-z0-9]|[0-9]{1,4}){0,20}") {
            super::config_load(&text);
            super::template(&text);
            super::template(&braces);
            super::config_load(&format!("version: 1\nvars: {{a: '{braces}'}}"));
        }
    }
}
