use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::source::tests::support::{commit, git, repository};

fn branch(dir: &Path, name: &str, from: &str) {
    git(dir, &["checkout", "--quiet", "-b", name, from]);
}

fn merge(dir: &Path, other: &str) -> String {
    git(dir, &["merge", "--quiet", "--no-ff", "--allow-unrelated-histories", "-m", "merge", other]);
    git(dir, &["rev-parse", "HEAD"])
}

fn commits(dir: &Path, n: usize) -> Vec<String> {
    (0..n).map(|_| commit(dir)).collect()
}

/// A clone of the last commits of `main`.
fn shallow(from: &Path, to: &Path, depth: usize) {
    let url = format!("file://{}", from.display());
    git(to, &["clone", "--quiet", "--depth", &depth.to_string(), &url, "."]);
}

#[test]
fn one_line_of_commits() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    let all = commits(dir.path(), 5);
    assert_eq!(ancestry(dir.path(), &all[0], &all[4]), Ancestry::Ancestor);
    assert_eq!(ancestry(dir.path(), &all[4], &all[0]), Ancestry::Descendant);
    assert_eq!(ancestry(dir.path(), &all[2], &all[2]), Ancestry::Ancestor);
    let below = dir.path().join("deep/down");
    std::fs::create_dir_all(&below).unwrap();
    assert_eq!(ancestry(&below, &all[3], &all[4]), Ancestry::Ancestor, "found upward");
}

#[test]
fn branches_and_merges() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    repository(at);
    let base = commit(at);
    branch(at, "side", &base);
    let side = commits(at, 3);
    git(at, &["checkout", "--quiet", "main"]);
    git(at, &["commit", "--quiet", "--allow-empty", "--message", "other"]);
    let main = git(at, &["rev-parse", "HEAD"]);
    assert_eq!(ancestry(at, &side[2], &main), Ancestry::Diverged);
    assert_eq!(ancestry(at, &main, &side[0]), Ancestry::Diverged);
    let merged = merge(at, "side");
    for part in [&base, &main, &side[0], &side[2]] {
        assert_eq!(ancestry(at, part, &merged), Ancestry::Ancestor);
        assert_eq!(ancestry(at, &merged, part), Ancestry::Descendant);
    }
}

#[test]
fn unrelated_histories() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    repository(at);
    let main = commit(at);
    git(at, &["checkout", "--quiet", "--orphan", "island"]);
    git(at, &["commit", "--quiet", "--allow-empty", "--message", "island"]);
    let island = git(at, &["rev-parse", "HEAD"]);
    assert_eq!(ancestry(at, &island, &main), Ancestry::Diverged);
    let bridge = merge(at, "main");
    assert_eq!(ancestry(at, &main, &bridge), Ancestry::Ancestor);
}

#[test]
fn a_shallow_checkout_tells_what_it_can() {
    let (full, part) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    repository(full.path());
    let all = commits(full.path(), 6);
    shallow(full.path(), part.path(), 3);
    assert_eq!(ancestry(part.path(), &all[4], &all[5]), Ancestry::Ancestor);
    assert_eq!(ancestry(part.path(), &all[3], &all[5]), Ancestry::Ancestor, "the last one that is here");
    assert_eq!(ancestry(part.path(), &all[0], &all[5]), Ancestry::Unknown(Gap::Shallow));
    let strange = "1".repeat(40);
    assert_eq!(ancestry(part.path(), &strange, &all[5]), Ancestry::Unknown(Gap::Shallow));
    assert_eq!(ancestry(part.path(), &all[5], &strange), Ancestry::Unknown(Gap::Absent(strange.clone())));
}

#[test]
fn behind_a_cut_the_other_may_be() {
    let (full, part) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = full.path();
    repository(at);
    let base = commits(at, 3);
    branch(at, "side", &base[0]);
    git(at, &["commit", "--quiet", "--allow-empty", "--message", "side"]);
    let side = git(at, &["rev-parse", "HEAD"]);
    git(at, &["checkout", "--quiet", "main"]);
    // All of `main`, and the tip of `side` alone.
    git(part.path(), &["clone", "--quiet", "--single-branch", &format!("file://{}", at.display()), "."]);
    git(part.path(), &["fetch", "--quiet", "--depth", "1", "origin", "side"]);
    assert_eq!(ancestry(part.path(), &side, &base[2]), Ancestry::Elsewhere, "whatever is behind the cut");
    assert_eq!(ancestry(part.path(), &base[2], &side), Ancestry::Unknown(Gap::Shallow));
}

#[test]
fn a_complete_clone_that_lacks_it_knows_that_it_is_not_behind() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    let head = commit(dir.path());
    assert_eq!(ancestry(dir.path(), &"1".repeat(40), &head), Ancestry::Elsewhere);
}

#[test]
fn a_commit_graph_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    let all = commits(dir.path(), 5);
    git(dir.path(), &["commit-graph", "write", "--reachable"]);
    let later = commit(dir.path());
    assert_eq!(ancestry(dir.path(), &all[0], &later), Ancestry::Ancestor);
    assert_eq!(ancestry(dir.path(), &later, &all[1]), Ancestry::Descendant);
}

#[test]
fn what_is_no_repository_or_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    let one = "1".repeat(40);
    assert_eq!(ancestry(dir.path(), &one, &"2".repeat(40)), Ancestry::Unknown(Gap::NoRepository));
    repository(dir.path());
    let head = git(dir.path(), &["rev-parse", "HEAD"]);
    let tree = git(dir.path(), &["rev-parse", "HEAD^{tree}"]);
    assert_eq!(ancestry(dir.path(), &tree, &head), Ancestry::Elsewhere);
    for bad in ["main", "-x", "", "HEAD^", &"z".repeat(40), &"1".repeat(64)] {
        assert!(matches!(ancestry(dir.path(), bad, &head), Ancestry::Unknown(Gap::Unreadable(_))), "{bad}");
    }
}

#[test]
fn a_long_history_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    let all = commits(dir.path(), 6);
    let repository = git::find(dir.path()).unwrap().unwrap();
    assert_eq!(walk(&repository, &all[0], &all[5], 3).unwrap(), Ancestry::Unknown(Gap::TooLong));
    assert_eq!(walk(&repository, &all[0], &all[5], 6).unwrap(), Ancestry::Ancestor);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]

    /// Git itself is the judge, over histories with merges and clocks that go wrong.
    #[test]
    fn git_says_the_same(steps in prop::collection::vec((any::<u8>(), any::<u8>(), 0_i64..400), 2..14)) {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        repository(at);
        let tree = git(at, &["rev-parse", "HEAD^{tree}"]);
        let mut all = vec![git(at, &["rev-parse", "HEAD"])];
        for (i, (one, other, skew)) in steps.into_iter().enumerate() {
            let parent = |n: u8| all[usize::from(n) % all.len()].clone();
            let mut command = crate::source::tests::support::command(at, &["commit-tree", &tree, "-m", &i.to_string()]);
            if one % 5 != 0 {
                command.args(["-p", &parent(one)]);
                if other % 3 == 0 && parent(one) != parent(other) {
                    command.args(["-p", &parent(other)]);
                }
            }
            command.env("GIT_COMMITTER_DATE", format!("{} +0000", 1_763_643_787 - skew));
            all.push(String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned());
        }
        for (older, newer) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            let is = |a: &str, b: &str| {
                crate::source::tests::support::command(at, &["merge-base", "--is-ancestor", a, b]).status().unwrap().success()
            };
            let expected = match (is(older, newer), is(newer, older)) {
                (true, _) => Ancestry::Ancestor,
                (_, true) => Ancestry::Descendant,
                _ => Ancestry::Diverged,
            };
            prop_assert_eq!(ancestry(at, older, newer), expected);
        }
    }
}
