//! Which of two commits came first, read from the objects of a repository: no git program, no network.
//!
//! Both histories are walked at once, new to old, until only commits are left that both share. That is right whatever the
//! clocks said that made the commits; they only decide how soon it ends.

use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::Path;

use gix::ObjectId;

use super::git;

/// Commits to walk before giving up: seconds, on a slow machine.
const COMMITS: usize = 200_000;

/// How an older commit, as one supposes, stands to a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ancestry {
    /// It is the same, or in the newer one's history.
    Ancestor,
    /// It is the other way round.
    Descendant,
    /// Neither is in the other's history.
    Diverged,
    /// It is not in the newer one's history. What else it is, this repository does not know.
    Elsewhere,
    /// It cannot be told.
    Unknown(Gap),
}

/// What keeps a repository from telling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// There is none.
    #[error("there is no git repository")]
    NoRepository,
    /// Only the newest part of the history is here.
    #[error("the checkout is shallow")]
    Shallow,
    /// The newer commit is not here.
    #[error("the checkout does not have commit {0}")]
    Absent(String),
    /// The history is longer than we walk.
    #[error("the history is longer than {COMMITS} commits")]
    TooLong,
    /// Damage, or ids of another kind than the repository's.
    #[error("the history cannot be read: {0}")]
    Unreadable(String),
}

/// The commit is in the history of the older one.
const OLDER: u8 = 1;
/// The commit is in the history of the newer one.
const NEWER: u8 = 2;
const BOTH: u8 = OLDER | NEWER;

/// What the walk knows of the commits it has met.
#[derive(Default)]
struct Walk {
    /// In whose history each is, and whether it waits for its turn.
    met: HashMap<ObjectId, (u8, bool)>,
    /// Newest first.
    queue: BinaryHeap<(i64, ObjectId)>,
    /// How many of the queue are in one history only.
    alone: usize,
}

impl Walk {
    /// Notes in whose history a commit is. Queues it where that is news.
    fn meet(&mut self, id: ObjectId, side: u8, time: impl FnOnce() -> i64) {
        let (known, waits) = self.met.entry(id).or_default();
        let before = *known;
        *known |= side;
        if *known == before {
            return;
        }
        if *waits {
            // It was on one side and is on both now.
            self.alone -= 1;
            return;
        }
        *waits = true;
        self.alone += usize::from(*known != BOTH);
        self.queue.push((time(), id));
    }

    fn next(&mut self) -> Option<(ObjectId, u8)> {
        let (_, id) = self.queue.pop()?;
        let (side, waits) = self.met.get_mut(&id)?;
        *waits = false;
        self.alone -= usize::from(*side != BOTH);
        Some((id, *side))
    }

    fn side(&self, id: &ObjectId) -> u8 {
        self.met.get(id).map_or(0, |(side, _)| *side)
    }
}

/// Compares two commits in the repository that holds the directory. Blocking; bounded to 200 000 commits.
pub fn ancestry(root: &Path, older: &str, newer: &str) -> Ancestry {
    compare(git::find(root), older, newer)
}

/// The same in a repository without a checkout.
pub fn ancestry_in(bare: &Path, older: &str, newer: &str) -> Ancestry {
    compare(Some(git::open(bare)), older, newer)
}

fn compare(repository: Option<Result<gix::Repository, gix::Error>>, older: &str, newer: &str) -> Ancestry {
    if older == newer {
        return Ancestry::Ancestor;
    }
    match repository {
        None => Ancestry::Unknown(Gap::NoRepository),
        Some(repository) => repository
            .and_then(|repository| walk(&repository, older, newer, COMMITS))
            .unwrap_or_else(|error| Ancestry::Unknown(Gap::Unreadable(error.to_string()))),
    }
}

fn walk(repository: &gix::Repository, older: &str, newer: &str, limit: usize) -> Result<Ancestry, gix::Error> {
    let [old_id, new_id] = [parse(older)?, parse(newer)?];
    let shallow: Option<HashSet<ObjectId>> =
        repository.shallow_commits()?.map(|commits| commits.iter().copied().collect());
    let cache = repository.commit_graph_if_enabled().ok().flatten();
    let mut graph = repository.revision_graph::<()>(cache.as_ref());
    if graph.try_lookup(&new_id)?.is_none() {
        return Ok(Ancestry::Unknown(Gap::Absent(newer.to_owned())));
    }
    if graph.try_lookup(&old_id)?.is_none() {
        // Without a cut all of the newer one's history is here, and this is not in it.
        return Ok(if shallow.is_none() { Ancestry::Elsewhere } else { Ancestry::Unknown(Gap::Shallow) });
    }
    let shallow = shallow.unwrap_or_default();
    let mut walk = Walk::default();
    walk.meet(old_id, OLDER, || i64::MAX);
    walk.meet(new_id, NEWER, || i64::MAX);
    let mut cuts = Vec::new();
    for _ in 0..limit {
        if walk.alone == 0 {
            return Ok(verdict(&walk, &cuts));
        }
        let Some((id, side)) = walk.next() else { break };
        let parents = match graph.try_lookup(&id)? {
            Some(commit) if !shallow.contains(&id) => commit.iter_parents().collect::<Result<Vec<_>, _>>()?,
            _ => {
                cuts.push(id);
                continue;
            }
        };
        for parent in parents {
            if parent == old_id && side & NEWER != 0 {
                return Ok(Ancestry::Ancestor);
            }
            if parent == new_id && side & OLDER != 0 {
                return Ok(Ancestry::Descendant);
            }
            let time = graph.try_lookup(&parent)?.and_then(|commit| commit.committer_timestamp().ok());
            walk.meet(parent, side, || time.unwrap_or_default());
        }
    }
    Ok(Ancestry::Unknown(Gap::TooLong))
}

/// Neither was met in the other's history. Behind a cut that both share neither can be; behind one of a single side the other
/// may be.
fn verdict(walk: &Walk, cuts: &[ObjectId]) -> Ancestry {
    let cut_on = |side: u8| cuts.iter().any(|id| walk.side(id) == side);
    match (cut_on(NEWER), cut_on(OLDER)) {
        (true, _) => Ancestry::Unknown(Gap::Shallow),
        (false, true) => Ancestry::Elsewhere,
        (false, false) => Ancestry::Diverged,
    }
}

fn parse(id: &str) -> Result<ObjectId, gix::Error> {
    ObjectId::from_hex(id.as_bytes())
}

#[cfg(test)]
mod tests;
