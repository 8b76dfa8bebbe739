//! In which order things are deleted, so that whatever is left when it stops in the middle is whole: an image goes before what is
//! below it and what is said about it, and these only when nothing that is still there needs them.

use std::collections::HashMap;

use super::graph::{Graph, Id};
use crate::image::{Digest, Tag};

/// Something to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) action: Action,
    /// Steps that may follow only if this one is done, as places in its group.
    pub(super) below: Vec<usize>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// The tag goes; what it points to stays, because something else needs it.
    Untag(Tag, Digest),
    /// The manifest goes, with all its tags.
    Delete(Digest, Vec<Tag>),
}

/// Steps that have to do with each other, in order. Groups have nothing to do with each other.
pub(super) type Group = Vec<Step>;

/// Orders the deletion of these manifests. `tags` are the tags of each.
pub(super) fn order(graph: &Graph, going: &[Id], tags: &HashMap<Id, Vec<Tag>>) -> Vec<Group> {
    let place: HashMap<Id, usize> = going.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let below: Vec<Vec<usize>> = going
        .iter()
        .map(|id| {
            let mut below: Vec<_> = graph.brings(*id).filter_map(|needed| place.get(&needed).copied()).collect();
            below.sort_unstable();
            below.dedup();
            below
        })
        .collect();
    let step = |at: usize, below: Vec<usize>| {
        let tags = tags.get(&going[at]).cloned().unwrap_or_default();
        Step { action: Action::Delete(graph.digest(going[at]).clone(), tags), below }
    };
    let mut groups = Vec::new();
    for members in components(&below) {
        let sorted = parents_first(&members, &below);
        let new: HashMap<usize, usize> = sorted.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let steps = sorted.iter().map(|old| step(*old, below[*old].iter().map(|needed| new[needed]).collect()));
        groups.push(steps.collect());
    }
    groups
}

/// Which belong together, each set sorted.
fn components(below: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut beside: Vec<Vec<usize>> = below.to_vec();
    for (at, needed) in below.iter().enumerate() {
        needed.iter().for_each(|other| beside[*other].push(at));
    }
    let mut seen = vec![false; below.len()];
    let mut all = Vec::new();
    for start in 0..below.len() {
        if seen[start] {
            continue;
        }
        let (mut members, mut stack) = (Vec::new(), vec![start]);
        seen[start] = true;
        while let Some(at) = stack.pop() {
            members.push(at);
            stack.extend(beside[at].iter().copied().filter(|other| !std::mem::replace(&mut seen[*other], true)));
        }
        members.sort_unstable();
        all.push(members);
    }
    all
}

/// Each as soon as all that need it are done, depth first, so that little is half done at any time. In a circle, which only a
/// hostile registry has, somebody begins.
fn parents_first(members: &[usize], below: &[Vec<usize>]) -> Vec<usize> {
    let mut needed_by: HashMap<usize, usize> = members.iter().map(|at| (*at, 0)).collect();
    for other in members.iter().flat_map(|at| &below[*at]) {
        *needed_by.entry(*other).or_default() += 1;
    }
    let mut sorted = Vec::new();
    let mut done = std::collections::HashSet::new();
    let free = members.iter().filter(|at| needed_by[at] == 0).copied().collect::<Vec<_>>();
    for start in free.into_iter().chain(members.iter().copied()) {
        let mut stack = vec![start];
        while let Some(at) = stack.pop() {
            if !done.insert(at) {
                continue;
            }
            sorted.push(at);
            for other in below[at].iter().rev() {
                let left = needed_by.entry(*other).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    stack.push(*other);
                }
            }
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shared_things_go_after_all_that_need_them() {
        // 0 and 1 are images that share 3; 2 is alone; 4 is said about 3.
        let below = [vec![3], vec![3], vec![], vec![4], vec![]];
        assert_eq!(components(&below), [vec![0, 1, 3, 4], vec![2]]);
        assert_eq!(parents_first(&[0, 1, 3, 4], &below), [0, 1, 3, 4]);
        assert_eq!(parents_first(&[0, 1], &[vec![1], vec![0]]), [0, 1], "a circle ends");
    }

    proptest! {
        #[test]
        fn nothing_goes_before_what_needs_it(edges in prop::collection::vec((0..12usize, 0..12usize), 0..30)) {
            // Downwards only: digests know no circles.
            let mut below = vec![Vec::new(); 12];
            for (a, b) in edges.into_iter().filter(|(a, b)| a < b) {
                below[a].push(b);
            }
            below.iter_mut().for_each(|needed| { needed.sort_unstable(); needed.dedup(); });
            let mut count = 0;
            for members in components(&below) {
                let sorted = parents_first(&members, &below);
                prop_assert_eq!(sorted.len(), members.len());
                count += sorted.len();
                let place = |at: usize| sorted.iter().position(|other| *other == at);
                for at in &members {
                    for needed in &below[*at] {
                        prop_assert!(place(*at) < place(*needed), "{at} needs {needed}: {sorted:?}");
                    }
                }
            }
            prop_assert_eq!(count, 12);
        }
    }
}
