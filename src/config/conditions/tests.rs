use proptest::prelude::*;

use super::*;

fn policies() -> Policies {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Policies {
        git_tags: map(&[("stable", r"^v\d+\.\d+\.\d+$"), ("prerelease", r"^v\d+\.\d+\.\d+-")]),
        branches: map(&[("trunk", "^main$"), ("releases", "^release/")]),
    }
}

fn list(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|e| (*e).to_owned()).collect()
}

fn when(branches: &[&str], git_tags: &[&str], events: &[EventKind]) -> When {
    When { branches: list(branches), git_tags: list(git_tags), events: events.to_vec() }
}

#[test]
fn branches() {
    for (entries, branch, included) in [
        (&["trunk"][..], "main", true),
        (&["trunk"], "maintenance", false),
        (&["main"], "main", true),
        // A plain name is that name alone …
        (&["main"], "maintenance", false),
        (&["feature/a"], "feature/a-b", false),
        // … and everything else matches where it is found, as it always did.
        (&["re:main"], "maintenance", true),
        (&["^main"], "maintenance", true),
        (&["release/"], "release/1", true),
        (&["v1.x"], "v1.x-branch", true),
        (&["trunk", "releases"], "release/1.0", true),
        (&["trunk", "!releases"], "release/1.0", false),
        (&["releases", "!release/1.0"], "release/1.0", false),
        (&["!release/1.0", "releases"], "release/1.0", false),
        (&["!trunk"], "feature/x", true),
        (&["!trunk"], "main", false),
        (&["!re:^wip"], "wip/x", false),
        (&["! trunk"], "main", false),
        (&[" trunk "], "main", true),
        (&[".*"], "anything", true),
        (&["re:["], "anything", false),
        (&[], "anything", true),
    ] {
        let verdict = matches(&when(entries, &[], &[]), &policies(), Some(branch), None, EventKind::Push);
        assert_eq!(verdict.included, included, "{entries:?} on {branch}: {}", verdict.why);
    }
}

#[test]
fn lists_are_and_and_a_git_tag_has_to_be_there() {
    for (condition, branch, tag, event, included) in [
        (when(&[], &["stable"], &[]), None, Some("v1.2.3"), EventKind::Tag, true),
        (when(&[], &["stable"], &[]), None, Some("v1.2.3-rc.1"), EventKind::Tag, false),
        (when(&[], &["stable"], &[]), Some("main"), None, EventKind::Push, false),
        (when(&[], &["!prerelease"], &[]), None, Some("v1.2.3"), EventKind::Tag, true),
        (when(&[], &["!prerelease"], &[]), Some("main"), None, EventKind::Push, false),
        (when(&["trunk"], &["stable"], &[]), Some("main"), Some("v1.2.3"), EventKind::Tag, true),
        (when(&["trunk"], &["stable"], &[]), Some("dev"), Some("v1.2.3"), EventKind::Tag, false),
        (when(&["trunk"], &[], &[]), None, Some("v1.2.3"), EventKind::Tag, false),
        (when(&["!trunk"], &[], &[]), None, Some("v1.2.3"), EventKind::Tag, true),
        (when(&[], &[], &[EventKind::Push, EventKind::Manual]), None, None, EventKind::Manual, true),
        (when(&[], &[], &[EventKind::Push]), Some("main"), None, EventKind::PullRequest, false),
        (when(&[], &[], &[]), None, None, EventKind::Schedule, true),
    ] {
        let verdict = matches(&condition, &policies(), branch, tag, event);
        assert_eq!(verdict.included, included, "{condition:?} {branch:?} {tag:?}: {}", verdict.why);
    }
}

#[test]
fn select_tags() {
    for (entries, tag, included) in [
        (&["stable"][..], Some("v1.2.3"), true),
        (&["stable"], Some("app-v1.2.3"), false),
        (&["re:^app-v", "!re:-rc"], Some("app-v1.2.3"), true),
        (&["re:^app-v", "!re:-rc"], Some("app-v1.2.3-rc.1"), false),
        (&["stable"], None, false),
        (&[], None, true),
    ] {
        let verdict = selects(&list(entries), &policies(), tag);
        assert_eq!(verdict.included, included, "{entries:?} {tag:?}: {}", verdict.why);
    }
}

#[test]
fn a_list_for_many_names_has_the_same_rules() {
    let names = policies().git_tags;
    for (entries, subject, found) in [
        (&["latest", "^v"][..], "v1", Some("^v")),
        (&["stable"], "v1.2.3", Some("stable")),
        (&["stable"], "1.2.3", None),
        (&["^v", "!prerelease"], "v1.2.3-rc.1", None),
        (&["!prerelease"], "v1.2.3", Some("!prerelease")),
        (&["!prerelease"], "v1.2.3-rc.1", None),
        (&["late"], "latest", None),
        (&[], "v1", None),
    ] {
        let written = list(entries);
        assert_eq!(NameList::new(&written, &names).unwrap().lets_in(subject), found, "{entries:?} {subject}");
    }
    assert!(NameList::new(&list(&["latest", "re:["]), &names).is_err());
}

#[test]
fn what_a_person_reads() {
    let say = |w: &When, branch, tag| matches(w, &policies(), branch, tag, EventKind::Push).why;
    insta::assert_snapshot!([
        say(&when(&["trunk", "releases"], &[], &[EventKind::Push]), Some("main"), None),
        say(&when(&["trunk", "releases"], &[], &[]), Some("feature/x"), None),
        say(&when(&["!trunk"], &[], &[]), Some("main"), None),
        say(&when(&["!trunk"], &[], &[]), Some("dev"), None),
        say(&when(&["!trunk"], &[], &[]), None, None),
        say(&when(&[], &["stable"], &[]), Some("main"), None),
        say(&when(&[], &[], &[EventKind::Tag, EventKind::MergeRequest]), None, None),
        say(&when(&[], &[], &[]), None, None),
        selects(&list(&["stable"]), &policies(), Some("nightly")).why,
    ]
    .join("\n"), @r#"
    event push, branch main matches `trunk`
    branch feature/x matches none of when.branches [trunk, releases]
    branch main is excluded by `!trunk` in when.branches
    branch dev is not excluded
    no branch, and when.branches only excludes
    when.git_tags [stable] wants a git tag and this run has none
    event push is none of when.events [tag, merge_request]
    it has no conditions
    git tag nightly matches none of select_tags [stable]
    "#);
}

#[test]
fn entries_are_checked() {
    let names = policies().branches;
    for good in ["trunk", "!trunk", "main", "dev", "re:^x$", "^release", "release/2"] {
        assert_eq!(check_entry(good, &names), Ok(()), "{good}");
    }
    assert_eq!(check_entry(" ", &names), Err(BadPattern::Empty));
    assert_eq!(check_entry("!", &names), Err(BadPattern::Empty));
    assert_eq!(
        check_entry("!release", &names),
        Err(BadPattern::Mistyped { written: "release".into(), nearest: "releases".into() })
    );
    for bad in ["re:[", "(", "a{1000}{1000}{1000}", &"(".repeat(200), &"a.".repeat(2000), "(?<x", r"\p{Nope}"] {
        assert!(matches!(check_entry(bad, &names), Err(BadPattern::Regex { .. })), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_list_gives_a_verdict(entries in prop::collection::vec(".{0,20}", 0..5), branch in "[a-z/-]{1,12}") {
        let w = When { branches: entries, ..When::default() };
        let verdict = matches(&w, &policies(), Some(&branch), None, EventKind::Push);
        prop_assert!(!verdict.why.is_empty());
    }

    #[test]
    fn an_exclude_always_wins(branch in "[a-z]{4,12}", others in prop::collection::vec("[a-z]{4,12}", 0..4)) {
        let mut entries = others;
        entries.push(branch.clone());
        entries.insert(0, format!("!{branch}"));
        let w = When { branches: entries, ..When::default() };
        prop_assert!(!matches(&w, &Policies::default(), Some(&branch), None, EventKind::Push).included);
    }
}
