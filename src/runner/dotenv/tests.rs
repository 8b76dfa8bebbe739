use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{key, render, write};

/// GitLab's reader: every line must match `^(.*?)=(.*)$`, keys are `[A-Za-z0-9_]+`, values are stripped, the file must be
/// smaller than 5120 bytes and hold at most 20 variables.
fn gitlab_reads(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.len() >= 5120 {
        return Err("Dotenv Artifact Too Big".to_owned());
    }
    let mut variables = BTreeMap::new();
    for line in text.split_terminator('\n') {
        let (key, value) = line.split_once('=').ok_or("Invalid Format")?;
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!("Validation failed: {key:?}"));
        }
        variables.insert(key.to_owned(), value.trim().to_owned());
    }
    if variables.len() > 20 {
        return Err("Dotenv files cannot have more than 20 variables".to_owned());
    }
    Ok(variables)
}

proptest! {
    // Long values are slow to make up.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_report_is_accepted_and_says_what_was_meant(
        outputs in proptest::collection::vec(("\\PC{0,12}", "(?s).{0,600}"), 0..40),
    ) {
        let pairs: Vec<_> = outputs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let rendered = render(&pairs);
        let read = gitlab_reads(&rendered.text).unwrap();
        prop_assert_eq!(read.len() + rendered.notes.len(), pairs.len());
        for (name, value) in &read {
            prop_assert!(pairs.iter().any(|(k, v)| key(k) == *name && v == value), "{} {:?}", name, value);
            prop_assert!(!value.contains('$'));
        }
    }
}

#[test]
fn names_get_our_prefix() {
    assert_eq!(key("digest"), "STAGEFREIGHT_DIGEST");
    assert_eq!(key("build-id.x"), "STAGEFREIGHT_BUILD_ID_X");
    assert_eq!(key("é\n="), "STAGEFREIGHT____");
}

#[test]
fn what_does_not_fit_is_left_out_and_the_rest_still_goes_in() {
    let long = "t".repeat(5120);
    let rendered = render(&[
        ("digest", "sha256:1"),
        ("tags", &long),
        ("title", "costs $5"),
        ("summary", "two\nlines"),
        ("pad", " x "),
        ("Digest", "other"),
        ("empty", ""),
        ("version", "1.4.0"),
    ]);
    assert_eq!(rendered.text, "STAGEFREIGHT_DIGEST=sha256:1\nSTAGEFREIGHT_EMPTY=\nSTAGEFREIGHT_VERSION=1.4.0\n");
    let notes: Vec<_> = rendered.notes.into_iter().map(|note| note.what).collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    the variable `STAGEFREIGHT_TAGS` was left out of the dotenv report: GitLab takes at most 5 KiB in a report
    the variable `STAGEFREIGHT_TITLE` was left out of the dotenv report: GitLab would expand the `$` in its value
    the variable `STAGEFREIGHT_SUMMARY` was left out of the dotenv report: its value is not one line of text
    the variable `STAGEFREIGHT_PAD` was left out of the dotenv report: GitLab would strip the white space around its value
    the variable `STAGEFREIGHT_DIGEST` was left out of the dotenv report: another output has the same name
    ");
}

#[test]
fn written_anew_with_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(".stagefreight/outputs.env");
    write(&path, &[("digest", "sha256:1"), ("tags", "a,b")]).unwrap();
    write(&path, &[("digest", "sha256:2")]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "STAGEFREIGHT_DIGEST=sha256:2\n");
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
}
