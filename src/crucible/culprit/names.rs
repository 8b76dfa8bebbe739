//! Files that only one image has: made-up names have their counterpart in the other image.

use std::collections::BTreeMap;

use super::hints::Hints;
use super::token;
use crate::crucible::proof::Cause;
use crate::image::diff::{FileChange, How};

/// Two names of one file, as places in the list of changes: the one only the first image has, and its counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) a: usize,
    pub(super) b: usize,
    /// The file's own name is the same: only a directory above it has another.
    pub(super) inside: bool,
}

/// Pairs up entries of one directory, one kind and a similar size; the most alike names first. Each is used once.
pub(super) fn pair_up(changes: &[FileChange]) -> Vec<Pair> {
    let only = |how| {
        let mut found: Vec<usize> = (0..changes.len()).filter(|i| changes[*i].how.contains(&how)).collect();
        // Directories before what is in them.
        found.sort_by_key(|i| changes[*i].path.matches('/').count());
        found
    };
    let (only_a, mut only_b) = (only(How::OnlyInA), only(How::OnlyInB));
    let (mut pairs, mut renamed) = (Vec::new(), BTreeMap::<&str, &str>::new());
    for a in only_a {
        let (directory, name) = split(&changes[a].path);
        let directory = renamed.get(directory).copied().unwrap_or(directory);
        let candidates = only_b
            .iter()
            .enumerate()
            .filter(|(_, b)| split(&changes[**b].path).0 == directory && are_alike(&changes[a], &changes[**b]));
        let likeness = |b: usize| likeness(name, split(&changes[b].path).1);
        let Some((at, b)) = candidates.max_by_key(|(_, b)| likeness(**b)).map(|(at, b)| (at, *b)) else { continue };
        only_b.remove(at);
        renamed.insert(&changes[a].path, &changes[b].path);
        pairs.push(Pair { a, b, inside: name == split(&changes[b].path).1 });
    }
    pairs
}

/// Why a pair has two names.
pub(super) fn cause(a: &str, b: &str, hints: &Hints) -> Cause {
    let (a, b) = (split(a).1, split(b).1);
    match token::classify(a, b) {
        found @ (Cause::WallClock | Cause::Host) => found,
        Cause::ProcessId if hints.suggests(Cause::ProcessId).is_some() => Cause::ProcessId,
        _ => Cause::RandomName,
    }
}

/// The directory and the name in it.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn are_alike(a: &FileChange, b: &FileChange) -> bool {
    let (Some(a), Some(b)) = (&a.a, &b.b) else { return false };
    a.kind == b.kind && (a.sha256 == b.sha256 || a.size.abs_diff(b.size) <= a.size.max(b.size) / 4 + 64)
}

/// How many characters two names share at their ends; the same name is the most.
fn likeness(a: &str, b: &str) -> usize {
    if a == b {
        return usize::MAX;
    }
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    start + a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count()
}
