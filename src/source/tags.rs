//! The tags a commit has behind it, and how far: `git describe` for all of them in one bounded walk.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use gix::ObjectId;
use gix::revwalk::Graph;
use semver::Version;

use super::GitTag;

/// Tags beyond this many are not looked at.
const TAGS: usize = 50_000;
/// Commits to walk while no version was met.
const COMMITS: usize = 20_000;
/// Commits to walk on after the first version, for those of other scopes (`api-v1.2.3` beside `web-v4.5.6`).
const COMMITS_BEYOND: usize = 2_000;
/// Tagged commits to measure the distance to: one bit for each.
const CANDIDATES: usize = u128::BITS as usize;

/// Tags reachable from a commit, nearest first, ties by semver, highest first.
pub(super) fn reachable(repository: &gix::Repository, head: ObjectId) -> Result<Vec<GitTag>, gix::Error> {
    let mut by_commit = tagged_commits(repository)?;
    if by_commit.is_empty() {
        return Ok(Vec::new());
    }
    let cache = repository.commit_graph_if_enabled().ok().flatten();
    let distances = distances(&mut repository.revision_graph(cache.as_ref()), head, &by_commit)?;
    let mut tags: Vec<GitTag> = Vec::new();
    for (commit, distance) in distances {
        let names = by_commit.remove(&commit).unwrap_or_default();
        tags.extend(names.into_iter().map(|name| GitTag { name, distance }));
    }
    tags.sort_by_cached_key(|tag| (tag.distance, Reverse(version(&tag.name)), tag.name.clone()));
    Ok(tags)
}

/// The commits that tags name. A tag of a tree, or a broken one, is none of ours.
fn tagged_commits(repository: &gix::Repository) -> Result<BTreeMap<ObjectId, Vec<String>>, gix::Error> {
    let mut by_commit: BTreeMap<ObjectId, Vec<String>> = BTreeMap::new();
    for tag in repository.references()?.tags()?.take(TAGS) {
        let Ok(mut tag) = tag else { continue };
        let name = tag.name().shorten().to_string();
        if let Ok(id) = tag.peel_to_id() {
            by_commit.entry(id.detach()).or_default().push(name);
        }
    }
    Ok(by_commit)
}

/// Walks the history from new to old. Every commit carries one bit for each tagged commit it is an ancestor of; each
/// commit that lacks a candidate's bit when its turn comes lies between the candidate and `head`.
fn distances(
    graph: &mut Graph<'_, '_, u128>,
    head: ObjectId,
    tagged: &BTreeMap<ObjectId, Vec<String>>,
) -> Result<Vec<(ObjectId, u32)>, gix::Error> {
    let mut found: Vec<(ObjectId, u32)> = Vec::new();
    let mut queue = BinaryHeap::from([(i64::MAX, head)]);
    let mut walked = 0_usize;
    let mut first_version = None;
    graph.insert(head, 0);
    while let Some((_, commit)) = queue.pop() {
        let mut flags = graph.get(&commit).copied().unwrap_or_default();
        for (bit, (_, distance)) in found.iter_mut().enumerate() {
            *distance += u32::from(flags & (1 << bit) == 0);
        }
        if let Some(names) = tagged.get(&commit).filter(|_| found.len() < CANDIDATES) {
            flags |= 1 << found.len();
            // Every commit seen so far is on this side of it, except those that turn out to be its ancestors: none, as
            // ancestors are older.
            found.push((commit, u32::try_from(walked).unwrap_or(u32::MAX)));
            if names.iter().any(|name| version(name).is_some()) {
                first_version.get_or_insert(walked);
            }
        }
        walked += 1;
        let complete = found.len() == tagged.len().min(CANDIDATES);
        let covered = |flags: u128| flags.count_ones() as usize == found.len();
        if complete && covered(flags) && queue.iter().all(|(_, id)| graph.get(id).copied().is_some_and(covered)) {
            break;
        }
        let limit = first_version.map_or(COMMITS, |at| COMMITS.min(at + COMMITS_BEYOND));
        if walked >= limit {
            break;
        }
        graph.insert_parents(
            &commit,
            &mut |parent, time| {
                queue.push((time, parent));
                flags
            },
            &mut |_, theirs| *theirs |= flags,
            false,
        )?;
    }
    Ok(found)
}

/// The version a tag names, with or without a scope before it: `1.2.3`, `v1.2.3`, `api-v1.2.3`.
fn version(tag: &str) -> Option<Version> {
    let parse = |text: &str| Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
    parse(tag).or_else(|| parse(tag.rsplit_once("-v")?.1))
}
