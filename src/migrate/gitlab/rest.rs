//! What is left of a job once the component does its work, line by line.

use super::super::edit::{self, Edit};
use super::super::yaml;
use super::{OURS, SETTINGS};
use crate::config::load::tree::{Key, Node, Value};
use crate::init::files::scalar;

/// Why no line of the job can be taken out, and what to do.
pub(super) fn refuses(root: &Node, job: &Node, line: usize, source: &[&str]) -> Option<(String, &'static str)> {
    let behind = next(yaml::entries(root), line, usize::MAX);
    let keys = yaml::entries(job);
    if let Some((key, _)) = keys.iter().find(|(key, _)| key.place.line < line || key.place.line >= behind) {
        let what = format!("`{}` comes from an anchor, which others may use", key.name);
        return Some((what, "write it into the job itself, and call migrate again"));
    }
    if !in_lines(job, line, behind, source) {
        return Some((
            "its keys share lines".to_owned(),
            "write each key in a line of its own, and call migrate again",
        ));
    }
    let (key, variables) = yaml::entry(job, "variables")?;
    let entries = yaml::entries(variables);
    let bound = entries.iter().any(|(key, _)| is_setting(key))
        && !in_lines(variables, key.place.line, next(keys, key.place.line, behind), source)
        && entries.iter().any(|(key, value)| !is_setting(key) && yaml::text(value).is_none());
    bound.then(|| ("its `variables` share lines".to_owned(), "write each in a line of its own, and call migrate again"))
}

/// The job without what the component brings, or has been told; gone where nothing is left.
pub(super) fn edits(root: &Node, job: &Node, line: usize, told: &[&str], source: &[&str]) -> Vec<Edit> {
    let keys = yaml::entries(job);
    let is_gone = |key: &Key, value: &Node| {
        OURS.contains(&key.name.as_str())
            || told.contains(&key.name.as_str())
            || (key.name == "variables" && yaml::entries(value).iter().all(|(key, _)| is_setting(key)))
    };
    let behind = next(yaml::entries(root), line, source.len() + 1);
    let last = extent(source, line, behind);
    if keys.iter().all(|(key, value)| is_gone(key, value)) {
        let column = edit::indent(source[line - 1]);
        let first = edit::with_comments(source, edit::Item { first: line, dash: column, last });
        let blank = |line: usize| source.get(line.wrapping_sub(1)).is_some_and(|text| text.trim().is_empty());
        let until = if blank(last + 1) && (first == 1 || blank(first - 1)) { last + 1 } else { last };
        return vec![Edit { from: first, until, lines: Vec::new() }];
    }
    let gone = |from: usize, behind: usize| Edit { from, until: extent(source, from, behind), lines: Vec::new() };
    let mut edits = Vec::new();
    for (key, value) in keys {
        let from = key.place.line;
        let behind = next(keys, from, last + 1);
        let entries = yaml::entries(value);
        if is_gone(key, value) {
            edits.push(gone(from, behind));
        } else if key.name == "variables" && entries.iter().any(|(key, _)| is_setting(key)) {
            if in_lines(value, from, behind, source) {
                let settings = entries.iter().filter(|(key, _)| is_setting(key)).map(|(key, _)| key.place.line);
                edits.extend(settings.map(|line| gone(line, next(entries, line, behind))));
            } else {
                let lines = written(entries, edit::indent(source[from - 1]));
                edits.push(Edit { lines, ..gone(from, behind) });
            }
        }
    }
    edits
}

/// Variables without those that the component sets, each in a line of its own.
fn written(entries: &[(Key, Node)], column: usize) -> Vec<String> {
    let pad = " ".repeat(column);
    let mut lines = vec![format!("{pad}variables:")];
    for (key, value) in entries.iter().filter(|(key, _)| !is_setting(key)) {
        if let Value::Scalar { text, plain } = &value.value {
            let bare = *plain && !text.is_empty() && !text.contains('\n');
            let value = if bare { text.clone() } else { scalar(text) };
            lines.push(format!("{pad}  {}: {value}", scalar(&key.name)));
        }
    }
    lines
}

fn is_setting(key: &Key) -> bool {
    SETTINGS.contains(&key.name.as_str())
}

/// Whether a mapping is written without braces, each key in a line of its own between two others.
fn in_lines(map: &Node, line: usize, behind: usize, source: &[&str]) -> bool {
    let mut lines: Vec<usize> = yaml::entries(map).iter().map(|(key, _)| key.place.line).collect();
    lines.sort_unstable();
    let first = source.get(map.place.line - 1).and_then(|text| text.chars().nth(map.place.column - 1));
    first != Some('{')
        && lines.iter().all(|own| *own > line && *own < behind)
        && lines.windows(2).all(|two| two[0] < two[1])
}

/// The line of the key that follows; `behind` where none does.
fn next(entries: &[(Key, Node)], line: usize, behind: usize) -> usize {
    entries.iter().map(|(key, _)| key.place.line).filter(|other| *other > line).min().unwrap_or(behind)
}

/// The last line of what begins in a line, without comments that belong to what stands behind it.
fn extent(source: &[&str], first: usize, behind: usize) -> usize {
    let column = edit::indent(source[first - 1]);
    let trails =
        |line: &str| line.trim().is_empty() || (line.trim_start().starts_with('#') && edit::indent(line) <= column);
    (first..behind).rev().find(|line| *line == first || !trails(source[line - 1])).unwrap_or(first)
}
