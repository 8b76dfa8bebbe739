//! Entries of two layers, as they come, finding their twins.
//!
//! An entry whose twin has not come yet waits, by path. What waits is bounded; so is what is kept of what differs.

use std::collections::{BTreeMap, VecDeque};

use super::listing::Listing;
use super::{DiffError, Entry, FileChange, How, MAX_CHANGES};
use crate::image::layer::{Kind, Record, shown};

/// What may wait on one side, in bytes.
const MAX_WAITING: usize = 8 << 20;
/// From here on samples of what waits are cut to this size.
const SAMPLES_WAITING: usize = 2 << 20;
const SMALL_SAMPLE: usize = 512;
/// What all kept changes of a comparison may take, in bytes.
const MAX_KEPT: usize = 6 << 20;

/// Which image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    A,
    B,
}

/// Changes of one layer, and room for all of them.
pub(super) struct Found<'s, 'w> {
    pub(super) listing: &'s mut Listing<'w>,
    /// Bytes that changes of the whole comparison take so far.
    pub(super) kept: &'s mut usize,
    pub(super) changes: Vec<FileChange>,
    pub(super) total: u64,
}

/// Too much waits: the layers have little in common, or their order differs too much.
#[derive(Debug)]
pub(super) struct TooMuch;

/// The state of a comparison.
#[derive(Default)]
pub(super) struct Pairing {
    a: Waiting,
    b: Waiting,
    /// Places of the last pair that stood in order.
    last: Option<(u64, u64)>,
    /// Entries both have stand in another order.
    pub(super) order: bool,
}

/// Entries of one side that have no twin yet. Equal paths wait in line: the first of one side is the twin of the first of the
/// other.
#[derive(Default)]
struct Waiting {
    by_path: BTreeMap<Box<[u8]>, Line>,
    bytes: usize,
    /// Entries that came so far.
    seen: u64,
    ended: bool,
}

enum Line {
    One(Box<(u64, Record)>),
    More(VecDeque<Box<(u64, Record)>>),
}

impl Pairing {
    /// The side that should come next: the one that is behind, so that little waits.
    pub(super) fn wants(&self) -> Option<Side> {
        match (self.a.ended, self.b.ended) {
            (true, true) => None,
            (false, true) => Some(Side::A),
            (true, false) => Some(Side::B),
            (false, false) if self.a.bytes != self.b.bytes => {
                Some(if self.a.bytes < self.b.bytes { Side::A } else { Side::B })
            }
            (false, false) => Some(if self.a.seen <= self.b.seen { Side::A } else { Side::B }),
        }
    }

    /// Takes an entry.
    pub(super) fn take(
        &mut self,
        side: Side,
        record: Record,
        found: &mut Found<'_, '_>,
    ) -> Result<Result<(), TooMuch>, DiffError> {
        let (mine, other) = match side {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        };
        let place = mine.seen;
        mine.seen += 1;
        let Some((twins_place, twin)) = other.remove(&key(&record)) else {
            if other.ended {
                return found.only_in(side, &record).map(Ok);
            }
            return Ok(mine.wait(place, record));
        };
        let (places, a, b) = match side {
            Side::A => ((place, twins_place), record, twin),
            Side::B => ((twins_place, place), twin, record),
        };
        // Pairs are found in the order of their later halves, so in one order of the archives both places only ever grow.
        let in_order = self.last.is_none_or(|last| last.0 < places.0 && last.1 < places.1);
        if in_order {
            self.last = Some(places);
        }
        let first_out_of_place = !in_order && !self.order;
        self.order |= !in_order;
        found.pair(&a, &b, first_out_of_place).map(Ok)
    }

    /// A side is complete: what waits on the other has no twin.
    pub(super) fn end(&mut self, side: Side, found: &mut Found<'_, '_>) -> Result<(), DiffError> {
        let (mine, other, others) = match side {
            Side::A => (&mut self.a, &mut self.b, Side::B),
            Side::B => (&mut self.b, &mut self.a, Side::A),
        };
        mine.ended = true;
        other.bytes = 0;
        while let Some((_, line)) = other.by_path.pop_first() {
            for waiting in line {
                found.only_in(others, &waiting.1)?;
            }
        }
        Ok(())
    }
}

impl Waiting {
    fn wait(&mut self, place: u64, mut record: Record) -> Result<(), TooMuch> {
        if self.bytes > SAMPLES_WAITING {
            record.sample.truncate(SMALL_SAMPLE);
            record.sample.shrink_to_fit();
        }
        self.bytes += record.cost();
        let entry = self.by_path.entry(key(&record));
        let waiting = Box::new((place, record));
        match entry {
            std::collections::btree_map::Entry::Vacant(place) => drop(place.insert(Line::One(waiting))),
            std::collections::btree_map::Entry::Occupied(mut place) => place.get_mut().push(waiting),
        }
        if self.bytes > MAX_WAITING { Err(TooMuch) } else { Ok(()) }
    }

    fn remove(&mut self, key: &[u8]) -> Option<(u64, Record)> {
        let (found, empty) = match self.by_path.get_mut(key)? {
            Line::One(_) => (None, true),
            Line::More(line) => {
                let first = line.pop_front();
                (first, line.is_empty())
            }
        };
        let whole = if empty { self.by_path.remove(key) } else { None };
        let found = found.or_else(|| whole.and_then(|line| line.into_iter().next()))?;
        self.bytes = self.bytes.saturating_sub(found.1.cost());
        Some(*found)
    }
}

impl Line {
    fn push(&mut self, waiting: Box<(u64, Record)>) {
        match self {
            Self::More(line) => line.push_back(waiting),
            Self::One(_) => {
                let before = std::mem::replace(self, Self::More(VecDeque::new()));
                *self = Self::More(before.into_iter().chain([waiting]).collect());
            }
        }
    }
}

impl IntoIterator for Line {
    type Item = Box<(u64, Record)>;
    type IntoIter = std::collections::vec_deque::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            Self::One(one) => VecDeque::from([one]),
            Self::More(line) => line,
        }
        .into_iter()
    }
}

impl Found<'_, '_> {
    fn only_in(&mut self, side: Side, record: &Record) -> Result<(), DiffError> {
        let entry = Some(entry(record));
        self.note(match side {
            Side::A => FileChange { path: path(record), how: vec![How::OnlyInA], a: entry, b: None },
            Side::B => FileChange { path: path(record), how: vec![How::OnlyInB], a: None, b: entry },
        })
    }

    fn pair(&mut self, a: &Record, b: &Record, out_of_place: bool) -> Result<(), DiffError> {
        let mut how = differences(a, b);
        if out_of_place {
            how.push(How::Order);
        }
        if how.is_empty() {
            return Ok(());
        }
        how.sort_unstable();
        self.note(FileChange { path: path(a), how, a: Some(entry(a)), b: Some(entry(b)) })
    }

    fn note(&mut self, change: FileChange) -> Result<(), DiffError> {
        self.total += 1;
        self.listing.change(&change)?;
        if self.changes.len() < MAX_CHANGES && *self.kept < MAX_KEPT {
            *self.kept += cost(&change);
            self.changes.push(change);
        }
        Ok(())
    }
}

/// In what two entries of one path differ.
fn differences(a: &Record, b: &Record) -> Vec<How> {
    let mut how = Vec::new();
    let mut differ = |differs: bool, what: How| {
        if differs {
            how.push(what);
        }
    };
    differ(a.kind.name() != b.kind.name(), How::Kind);
    let file = |record: &Record| matches!(record.kind, Kind::File | Kind::Sparse);
    differ(file(a) && file(b) && (a.kind, a.size, a.sha256) != (b.kind, b.size, b.sha256), How::Content);
    differ(a.mode != b.mode, How::Mode);
    differ((a.uid, a.gid, &a.owner_names) != (b.uid, b.gid, &b.owner_names), How::Owner);
    differ((a.mtime, a.nanos) != (b.mtime, b.nanos), How::Mtime);
    differ(a.attributes != b.attributes, How::Xattr);
    differ(a.kind == b.kind && a.link != b.link, How::Link);
    how
}

/// An opaque directory and the directory itself are two entries.
fn key(record: &Record) -> Box<[u8]> {
    match record.kind {
        Kind::Opaque => [&record.path[..], b"\0"].concat().into_boxed_slice(),
        _ => record.path.clone(),
    }
}

fn path(record: &Record) -> String {
    if record.path.is_empty() { ".".to_owned() } else { shown(&record.path) }
}

fn entry(record: &Record) -> Entry {
    let is_file = matches!(record.kind, Kind::File | Kind::Sparse);
    Entry {
        kind: record.kind.name().to_owned(),
        size: record.size,
        sha256: if is_file { hex::encode(record.sha256) } else { String::new() },
        mode: record.mode,
        uid: record.uid,
        gid: record.gid,
        mtime: record.mtime,
        link: shown(&record.link),
        xattrs: record.attributes.iter().map(|a| (shown(&a.name), a.value.to_string())).collect(),
        sample: record.sample.clone(),
    }
}

fn cost(change: &FileChange) -> usize {
    let entries = [&change.a, &change.b].into_iter().flatten();
    let entries = entries.map(|e| {
        let attributes: usize = e.xattrs.iter().map(|(name, value)| 64 + name.len() + value.len()).sum();
        size_of::<Entry>() + 100 + e.link.len() + attributes + e.sample.len()
    });
    size_of::<FileChange>() + change.path.len() + entries.sum::<usize>()
}

#[cfg(test)]
mod tests;
