//! What is known of an image's paths, and what one reading of a layer adds to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::image::layer::{Kind, Record};

/// A question: what is at a path, seen from a layer (higher ones do not count).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Want {
    /// Without `/` at either end.
    pub(super) path: Vec<u8>,
    /// The highest layer that counts.
    pub(super) top: usize,
}

/// The answer.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The layer that has the last word, and what it says.
    Entry(usize, Record),
    /// No layer says anything, or a higher one removed it.
    Nothing,
}

/// Questions and answers.
#[derive(Debug)]
pub(super) struct Known {
    answers: BTreeMap<Want, Place>,
    open: BTreeSet<Want>,
    top: usize,
}

/// What one layer says about paths that are asked for, and about their parents.
pub(super) struct Pass {
    /// Whether the content of what is there is wanted.
    wanted: HashMap<Vec<u8>, bool>,
    pub(super) entries: Said,
}

/// What a layer says, by path.
#[derive(Debug, Default)]
pub(super) struct Said {
    entries: HashMap<Vec<u8>, Record>,
    removed: BTreeSet<Vec<u8>>,
    opaque: BTreeSet<Vec<u8>>,
}

impl Known {
    /// Nothing yet, about an image of so many layers.
    pub(super) fn new(layers: usize) -> Self {
        Self { answers: BTreeMap::new(), open: BTreeSet::new(), top: layers.saturating_sub(1) }
    }

    /// The highest layer.
    pub(super) fn top(&self) -> usize {
        self.top
    }

    pub(super) fn get(&self, want: &Want) -> Option<&Place> {
        self.answers.get(want)
    }

    /// Asks for a path and every directory on the way, which may be a link. Links that merged directories (`/bin`) lead to
    /// are asked for at once: the layers need not be read again for them.
    pub(super) fn ask(&mut self, path: &[u8]) {
        let parts: Vec<&[u8]> = path.split(|&b| b == b'/').filter(|p| !p.is_empty() && *p != b".").collect();
        let merged = matches!(parts.first(), Some(&(b"bin" | b"sbin" | b"lib" | b"lib64")));
        for first in [&[][..], &[&b"usr"[..]]].into_iter().take(if merged { 2 } else { 1 }) {
            let parts = [first, &parts].concat();
            for n in 1..=parts.len() {
                self.ask_below(Want { path: parts[..n].join(&b'/'), top: self.top });
            }
        }
    }

    /// Asks for one path.
    pub(super) fn ask_below(&mut self, want: Want) {
        if !self.answers.contains_key(&want) {
            self.open.insert(want);
        }
    }

    /// Something was asked and not answered.
    pub(super) fn asks(&self) -> bool {
        !self.open.is_empty()
    }

    /// Takes what a layer says. What it hides is not looked for below.
    pub(super) fn settle(&mut self, layer: usize, said: &Said) {
        let answers = &mut self.answers;
        self.open.retain(|want| {
            if want.top < layer {
                return true;
            }
            let answer = match said.entries.get(&want.path) {
                Some(record) => Some(Place::Entry(layer, record.clone())),
                None => said.hides(&want.path).then_some(Place::Nothing),
            };
            let open = answer.is_none();
            if let Some(answer) = answer {
                answers.insert(want.clone(), answer);
            }
            open
        });
    }

    /// No layer is left: what is still asked for is not there.
    pub(super) fn give_up(&mut self) {
        while let Some(want) = self.open.pop_first() {
            self.answers.insert(want, Place::Nothing);
        }
    }
}

impl Pass {
    /// For a layer: knows which of its entries matter.
    pub(super) fn new(known: &Known, layer: usize) -> Self {
        let mut wanted = HashMap::from([(Vec::new(), false)]);
        for want in known.open.iter().filter(|want| want.top >= layer) {
            for (i, _) in want.path.iter().enumerate().filter(|(_, b)| **b == b'/') {
                wanted.entry(want.path[..i].to_vec()).or_insert(false);
            }
            wanted.insert(want.path.clone(), true);
        }
        Self { wanted, entries: Said::default() }
    }

    /// Whether the content of a file is to be read.
    pub(super) fn is_wanted(&self, record: &Record) -> bool {
        self.wanted.get(&record.path[..]).copied().unwrap_or_default()
    }

    /// Takes an entry. Of several for one path the last one counts.
    pub(super) fn note(&mut self, record: Record) {
        if !self.wanted.contains_key(&record.path[..]) {
            return;
        }
        let path = record.path.to_vec();
        match record.kind {
            Kind::Whiteout => drop(self.entries.removed.insert(path)),
            Kind::Opaque => drop(self.entries.opaque.insert(path)),
            _ => drop(self.entries.entries.insert(path, record)),
        }
    }
}

impl Said {
    /// Whether lower layers' content of a path is gone: removed, in a directory that was removed or emptied, or below something
    /// that is no directory any more.
    fn hides(&self, path: &[u8]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| &path[..i]);
        let mut above = std::iter::once(&b""[..]).chain(slashes);
        self.removed.contains(path)
            || above.any(|parent| {
                let replaced = self.entries.get(parent).is_some_and(|entry| entry.kind != Kind::Directory);
                self.removed.contains(parent) || self.opaque.contains(parent) || (replaced && !parent.is_empty())
            })
    }
}
