//! The class of cause of one change, and the line that shows it.

use super::hints::Hints;
use super::kind::{self, Kind};
use super::{binary, clip, content, packages, token};
use crate::crucible::proof::Cause;
use crate::image::diff::{Entry, FileChange, How};

/// What is found out about a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) cause: Cause,
    /// One line; not yet cut.
    pub(super) evidence: String,
    /// The lower, the more it tells.
    pub(super) rank: u8,
}

/// Classifies a change, with what its instruction suggests.
pub(super) fn classify(change: &FileChange, hints: &Hints) -> Finding {
    let has = |how| change.how.contains(&how);
    match (&change.a, &change.b) {
        (Some(a), Some(b)) if has(How::Kind) => finding(Cause::Unknown, format!("a {} / a {}", a.kind, b.kind), 2),
        (Some(a), Some(b)) if has(How::Content) => of_content(change, a, b, hints),
        (Some(a), Some(b)) => of_metadata(change, a, b),
        _ => on_one_side(change, hints),
    }
}

fn finding(cause: Cause, evidence: String, rank: u8) -> Finding {
    Finding { cause, evidence, rank }
}

fn of_content(change: &FileChange, a: &Entry, b: &Entry, hints: &Hints) -> Finding {
    let sizes = || format!("{} bytes / {} bytes", a.size, b.size);
    if let Some(who) = by_path(&change.path) {
        let (_, shown) = of_samples(a, b);
        return finding(who.0, if shown.is_empty() { who.1 } else { format!("{}: {shown}", who.1) }, 0);
    }
    let (cause, shown) = of_samples(a, b);
    let shown = match shown.is_empty() {
        false => shown,
        true if a.sample == b.sample => format!("the first {} bytes are the same; {}", a.sample.len(), sizes()),
        true => sizes(),
    };
    let (cause, shown) = settle(cause, shown, a.sample == b.sample, hints);
    finding(cause, shown, if cause == Cause::Unknown { 1 } else { 0 })
}

/// What the bytes show.
fn of_samples(a: &Entry, b: &Entry) -> (Cause, String) {
    let (left, right) = (a.sample.as_slice(), b.sample.as_slice());
    match (kind::of(left), kind::of(right)) {
        (Kind::Archive(name), Kind::Archive(other)) if name == other => {
            (Cause::Archive, kind::archive_evidence(name, left, right))
        }
        (Kind::Compiled(name), Kind::Compiled(other)) if name == other => {
            (Cause::Compiler, kind::compiled_evidence(name, left, right))
        }
        (Kind::Text, Kind::Text) if left != right => {
            let whole = a.size == left.len() as u64 && b.size == right.len() as u64;
            let (a, b) = (kind::text(left).unwrap_or_default(), kind::text(right).unwrap_or_default());
            content::classify(a, b, whole)
        }
        (Kind::Binary, _) | (_, Kind::Binary) if left != right => binary::classify(left, right),
        _ => (Cause::Unknown, String::new()),
    }
}

/// Files whose path says enough.
fn by_path(path: &str) -> Option<(Cause, String)> {
    if path.ends_with(".pyc") || path.ends_with(".pyo") || path.contains("__pycache__/") {
        return Some((Cause::PythonCache, "compiled Python".to_owned()));
    }
    packages::owner(path).map(|who| (Cause::PackageManager, format!("kept by {who}")))
}

/// Weighs what the bytes show against what the instruction does.
fn settle(cause: Cause, shown: String, hidden: bool, hints: &Hints) -> (Cause, String) {
    // Numbers of a random source look like process ids, and the other way round.
    if cause == Cause::ProcessId && hints.suggests(Cause::Random).is_some() && hints.suggests(cause).is_none() {
        return (Cause::Random, shown);
    }
    // What was fetched may hold anything; only what the instruction makes itself is its own.
    if hints.suggests(Cause::Network).is_some() && hints.suggests(cause).is_none() {
        return (Cause::Network, shown);
    }
    if cause != Cause::Unknown || !hidden {
        return (cause, shown);
    }
    // Nothing is seen of the difference: the instruction is all there is.
    let causes =
        [Cause::Random, Cause::WallClock, Cause::ProcessId, Cause::Host, Cause::Archive, Cause::Compiler, Cause::Order];
    match causes.into_iter().find_map(|cause| Some((cause, hints.suggests(cause)?))) {
        Some((cause, word)) => (cause, format!("{shown}; the instruction uses `{word}`")),
        None => (Cause::Unknown, shown),
    }
}

/// Only how it is kept differs. The first in this order names the cause.
fn of_metadata(change: &FileChange, a: &Entry, b: &Entry) -> Finding {
    let has = |how| change.how.contains(&how);
    if has(How::Link) {
        return finding(Cause::Link, format!("{} / {}", short(&a.link), short(&b.link)), 2);
    }
    if has(How::Mode) {
        return finding(Cause::Mode, format!("{:04o} / {:04o}", a.mode & 0o7777, b.mode & 0o7777), 3);
    }
    if has(How::Owner) {
        return finding(Cause::Owner, format!("{}:{} / {}:{}", a.uid, a.gid, b.uid, b.gid), 3);
    }
    if has(How::Xattr) {
        return finding(Cause::Xattr, xattrs(a, b), 3);
    }
    if has(How::Mtime) {
        let rank = if a.kind == "directory" { 6 } else { 4 };
        return finding(Cause::Mtime, format!("{} / {}", kind::moment(a.mtime), kind::moment(b.mtime)), rank);
    }
    finding(Cause::Order, "its place in the layer".to_owned(), 5)
}

fn short(text: &str) -> String {
    clip::line(text, clip::EVIDENCE / 2 - 2)
}

/// The first attribute that is not the same.
fn xattrs(a: &Entry, b: &Entry) -> String {
    let names = a.xattrs.iter().chain(&b.xattrs).map(|(name, _)| name);
    let value =
        |entry: &Entry, name: &str| entry.xattrs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    let differing = names.into_iter().find(|name| value(a, name) != value(b, name));
    differing.map_or_else(String::new, |name| {
        let told = |entry| value(entry, name).map_or_else(|| "none".to_owned(), |value| clip::cut(&value, 40));
        format!("{}: {} / {}", clip::line(name, 60), told(a), told(b))
    })
}

/// An entry without a counterpart.
fn on_one_side(change: &FileChange, hints: &Hints) -> Finding {
    let which = if change.how.contains(&How::OnlyInA) { "first" } else { "second" };
    let shown = format!("only in the {which} image");
    if let Some((cause, who)) = by_path(&change.path) {
        return finding(cause, format!("{shown}, {who}"), 0);
    }
    let (_, name) = super::names::split(&change.path);
    let random = name.split(['.', '-', '_']).any(token::is_random);
    if random || hints.suggests(Cause::RandomName).is_some() {
        return finding(Cause::RandomName, shown, 1);
    }
    let (cause, shown) = settle(Cause::Unknown, shown, false, hints);
    finding(cause, shown, 1)
}

#[cfg(test)]
mod tests;
