//! A workflow as a tree that knows its lines. Bounded like the configuration: whatever the file holds, there is one clear error.

use crate::config::load::findings::Findings;
use crate::config::load::tree::{self, Key, Node, Value};
use crate::problem::Problem;

/// Reads the file.
///
/// # Errors
/// What is wrong with it, one problem where it is no YAML at all.
pub(super) fn read(text: &str, file: &str) -> Result<Node, Vec<Problem>> {
    let mut findings = Findings::new(text, file);
    let root = tree::parse(text, &mut findings);
    let problems = findings.into_problems();
    match root {
        Some(root) if problems.is_empty() => Ok(root),
        _ => Err(problems),
    }
}

/// The entries of a mapping; none of anything else.
pub(super) fn entries(node: &Node) -> &[(Key, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// The items of a list; none of anything else.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// The value of a key.
pub(super) fn get<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    entry(node, name).map(|(_, value)| value)
}

/// A key with its value.
pub(super) fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n (Key, Node)> {
    entries(node).iter().find(|(key, _)| key.name == name)
}

/// Text, and numbers and truth values as they are written.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// A text, or every text of a list.
pub(super) fn texts(node: &Node) -> Vec<&str> {
    text(node).into_iter().chain(items(node).iter().filter_map(text)).collect()
}

/// The lines of a text, without empty ones, each with the line of the file it most likely stands in.
pub(super) fn lines(node: &Node, source: &[&str]) -> Vec<(usize, String)> {
    let mut at = node.place.line;
    let found = text(node).unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
    found
        .map(|line| {
            let rest = source.iter().enumerate().skip(at - 1);
            let here = rest.take(400).find(|(_, text)| text.contains(line)).map_or(at, |(n, _)| n + 1);
            at = here;
            (here, line.to_owned())
        })
        .collect()
}
