use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{OutputLimits, render, write};
use crate::runner::ForgeKind;

/// GitHub's reader: the first of `=` and `<<` decides, a heredoc ends at a line that is exactly its delimiter, blank lines
/// are skipped between entries, and only `\n` ends a line.
fn github_reads(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut outputs = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (Some(at), other) if other.is_none_or(|h| at < h) => {
                outputs.insert(line[..at].to_owned(), line[at + 1..].to_owned());
            }
            (_, Some(at)) => {
                let (name, delimiter) = (&line[..at], &line[at + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err("empty name or delimiter".to_owned());
                }
                let mut lines = Vec::new();
                loop {
                    let Some((line, after)) = rest.split_once('\n') else { return Err("no delimiter".to_owned()) };
                    rest = after;
                    if line == delimiter {
                        break;
                    }
                    lines.push(line);
                }
                outputs.insert(name.to_owned(), lines.join("\n"));
            }
            _ => return Err(format!("neither `=` nor `<<`: {line:?}")),
        }
    }
    Ok(outputs)
}

/// The reader of act, Gitea and Forgejo: a blank line between entries is an error, a carriage return before the line end
/// is dropped, and so are blank lines at the start of a value; no line may pass 64 KiB.
fn act_reads(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    if text.split('\n').any(|line| line.len() + 1 >= 64 * 1024) {
        return Err("token too long".to_owned());
    }
    while let Some(line) = lines.next() {
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (Some(at), other) if other.is_none_or(|h| at < h) => {
                outputs.insert(line[..at].to_owned(), line[at + 1..].to_owned());
            }
            (_, Some(at)) => {
                let mut value = String::new();
                loop {
                    let line_of_value = lines.next().ok_or("no delimiter")?;
                    if line_of_value == &line[at + 2..] {
                        break;
                    }
                    if !value.is_empty() {
                        value.push('\n');
                    }
                    value.push_str(line_of_value);
                }
                outputs.insert(line[..at].to_owned(), value);
            }
            _ => return Err(format!("invalid format {line:?}")),
        }
    }
    Ok(outputs)
}

fn limits(forge: ForgeKind) -> OutputLimits {
    OutputLimits::of(forge)
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Text that goes for the parsers' throats.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("<<EOF".to_owned()),
        Just("EOF".to_owned()),
        Just("digest=sha256:0".to_owned()),
        Just("stagefreight_".to_owned()),
        Just("::set-output name=x::y".to_owned()),
        "\\PC{0,12}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_on_github(a in hostile(), b in hostile(), c in hostile()) {
        let outputs = [("digest", a.as_str()), ("tags", b.as_str()), ("build-id", c.as_str())];
        let rendered = render(&outputs, limits(ForgeKind::GitHub));
        prop_assert_eq!(github_reads(&rendered.text), Ok(owned(&outputs)));
        prop_assert!(rendered.notes.is_empty());
    }

    #[test]
    fn what_is_written_is_read_on_gitea_and_forgejo(a in hostile(), b in hostile()) {
        let outputs = [("digest", a.as_str()), ("tags", b.as_str())];
        let rendered = render(&outputs, limits(ForgeKind::Forgejo));
        let read = act_reads(&rendered.text).unwrap();
        // That reader drops carriage returns and leading blank lines; what counts is that no value becomes an entry.
        prop_assert_eq!(read.keys().map(String::as_str).collect::<Vec<_>>(), ["digest", "tags"]);
        for (name, value) in outputs {
            let plain = value.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect::<Vec<_>>().join("\n");
            prop_assert_eq!(&read[name], plain.trim_start_matches('\n'));
        }
    }

    #[test]
    fn no_name_writes_an_entry_of_its_own(name in "\\PC{0,20}", value in hostile()) {
        let rendered = render(&[(name.as_str(), value.as_str())], limits(ForgeKind::GitHub));
        let read = github_reads(&rendered.text).unwrap();
        prop_assert!(read.keys().all(|key| *key == name));
        prop_assert_eq!(read.len() + rendered.notes.len(), 1);
    }
}

#[test]
fn delimiters_differ() {
    let rendered = render(&[("a", "1"), ("b", "2")], limits(ForgeKind::GitHub));
    let delimiters: Vec<_> = rendered.text.lines().filter_map(|line| line.split_once("<<")).map(|(_, d)| d).collect();
    assert_eq!(delimiters.len(), 2);
    assert_ne!(delimiters[0], delimiters[1]);
    assert!(delimiters[0].len() >= 32);
}

#[test]
fn what_a_runner_cannot_take_is_left_out_with_a_note() {
    let long = "x".repeat(64 * 1024);
    let outputs = [("metadata", long.as_str()), ("digest", "sha256:1")];
    let forgejo = render(&outputs, limits(ForgeKind::Forgejo));
    assert_eq!(act_reads(&forgejo.text), Ok(owned(&[("digest", "sha256:1")])));
    insta::assert_snapshot!(forgejo.notes[0].what, @"the output `metadata` was left out: this runner reads lines of at most 64 KiB");
    assert_eq!(render(&outputs, limits(ForgeKind::GitHub)).notes, []);

    let huge = "x".repeat(450_000);
    let github = render(&[("metadata", &huge), ("digest", "sha256:1")], limits(ForgeKind::GitHub));
    assert_eq!(github_reads(&github.text), Ok(owned(&[("digest", "sha256:1")])));
    insta::assert_snapshot!(github.notes[0].what, @"the output `metadata` was left out: a job's outputs may hold 1 MB together");
}

#[test]
fn appends_behind_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("output");
    std::fs::write(&path, "earlier=1").unwrap();
    write(&path, &[("a", "2")], limits(ForgeKind::GitHub)).unwrap();
    write(&path, &[("b", "3\n4")], limits(ForgeKind::GitHub)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(github_reads(&text), Ok(owned(&[("earlier", "1"), ("a", "2"), ("b", "3\n4")])));
    assert!(act_reads(&text).is_ok(), "no blank lines: {text:?}");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let problem = write("/nowhere/at/all".as_ref(), &[("a", "1")], limits(ForgeKind::GitHub)).unwrap_err();
    insta::assert_snapshot!(problem.what, @"the outputs could not be written to /nowhere/at/all: No such file or directory (os error 2)");
}
