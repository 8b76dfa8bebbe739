//! Circles among names that need each other.

use std::collections::{BTreeMap, BTreeSet};

/// At most so many circles are told.
const MOST: usize = 10;

/// Circles in a graph, each from its smallest name back to it. What only leads into a circle is not part of it. Names the graph
/// does not have as a key need nothing.
pub(super) fn cycles<'a>(needs: &BTreeMap<&'a str, Vec<&'a str>>) -> Vec<Vec<&'a str>> {
    let mut open: BTreeSet<&str> = needs.keys().copied().collect();
    let mut found = Vec::new();
    while found.len() < MOST {
        drop_the_satisfied(needs, &mut open);
        let Some(start) = open.first().copied() else { break };
        // Everything open needs something open, so this walk must come back to where it was.
        let mut walk = vec![start];
        let mut visited = BTreeMap::from([(start, 0)]);
        let mut here = start;
        let circle = loop {
            let Some(next) = needs[here].iter().copied().find(|name| open.contains(name)) else { break Vec::new() };
            if let Some(at) = visited.insert(next, walk.len()) {
                break walk.split_off(at);
            }
            walk.push(next);
            here = next;
        };
        for name in circle.iter().copied().chain([start]) {
            open.remove(name);
        }
        if !circle.is_empty() {
            found.push(closed(circle));
        }
    }
    found
}

/// Takes out, again and again, every name that needs nothing open.
fn drop_the_satisfied<'a>(needs: &BTreeMap<&'a str, Vec<&'a str>>, open: &mut BTreeSet<&'a str>) {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    let mut ready = Vec::new();
    for name in open.iter().copied() {
        let wanted: BTreeSet<&str> = needs[name].iter().copied().filter(|other| open.contains(other)).collect();
        if wanted.is_empty() {
            ready.push(name);
        }
        waiting.insert(name, wanted.len());
        for other in wanted {
            needed_by.entry(other).or_default().push(name);
        }
    }
    while let Some(name) = ready.pop() {
        open.remove(name);
        for waiter in needed_by.get(name).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(waiter) {
                *count -= 1;
                if *count == 0 {
                    ready.push(waiter);
                }
            }
        }
    }
}

/// Turned so that the smallest name stands first, and the same name last.
fn closed(mut circle: Vec<&str>) -> Vec<&str> {
    if let Some(smallest) = (0..circle.len()).min_by_key(|i| circle[*i]) {
        circle.rotate_left(smallest);
    }
    if let Some(first) = circle.first().copied() {
        circle.push(first);
    }
    circle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(edges: &[(&'static str, &[&'static str])]) -> Vec<String> {
        cycles(&edges.iter().map(|(name, needs)| (*name, needs.to_vec())).collect())
            .iter()
            .map(|c| c.join(">"))
            .collect()
    }

    #[test]
    fn circles_are_named_once_and_what_leads_to_them_is_not_blamed() {
        assert_eq!(find(&[("a", &["b"]), ("b", &["c"]), ("c", &[])]), Vec::<String>::new());
        assert_eq!(find(&[("a", &["a"])]), ["a>a"]);
        assert_eq!(find(&[("x", &["c"]), ("c", &["b"]), ("b", &["c"])]), ["b>c>b"]);
        assert_eq!(find(&[("a", &["b"]), ("b", &["a"]), ("d", &["e"]), ("e", &["d"])]), ["a>b>a", "d>e>d"]);
        assert_eq!(find(&[("a", &["nowhere"])]), Vec::<String>::new());
        assert_eq!(find(&[("a", &["b", "c"]), ("b", &[]), ("c", &["a"])]), ["a>c>a"]);
    }

    #[test]
    fn a_long_chain_takes_no_time() {
        let names: Vec<String> = (0..20_000).map(|i| format!("n{i:05}")).collect();
        let mut graph: BTreeMap<&str, Vec<&str>> =
            names.windows(2).map(|w| (w[0].as_str(), vec![w[1].as_str()])).collect();
        graph.insert(&names[19_999], vec![]);
        let start = std::time::Instant::now();
        assert!(cycles(&graph).is_empty());
        assert!(start.elapsed().as_secs() < 2);
    }
}
