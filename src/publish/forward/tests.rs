use std::path::Path;

use rstest::rstest;

use super::history::tests::of_checkout;
use super::*;
use crate::source::tests::support::{commit, git, repository};

const OURS: &str = "abc1234def5678abc1234def5678abc1234def56";
const THEIRS: &str = "def5678abc1234def5678abc1234def5678abc12";

fn version(full: &str) -> Version {
    Version { full: full.to_owned(), release: !full.contains("-dev"), ..Version::default() }
}

fn holder(revision: Option<&str>, version: Option<&str>, unusable: &[&'static str]) -> Holder {
    let own = |text: &str| text.to_owned();
    let digest = Digest::of(b"image");
    Holder { digest, revision: revision.map(own), version: version.map(own), unusable: unusable.to_vec() }
}

/// Ruling and sentence, and the cure where there is one.
fn shown(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Take(why) => format!("take: {why}"),
        Ruling::Pass(why) => format!("pass: {why}"),
        Ruling::Leave(why) => format!("leave: {why}"),
        Ruling::Unknown(problem) => format!("unknown: {} | {}", problem.what, problem.hint.as_deref().unwrap_or("")),
    }
}

/// Judged where nothing can be asked: an answer that needs the history is a failure.
async fn by_labels(release: bool, ours: &str, holder: &Holder) -> String {
    let ours = Ours { revision: Some(OURS), version: &version(ours), release };
    shown(&judge(ours, holder, &of_checkout(Path::new("/no/such/checkout"))).await)
}

#[rstest]
#[case::same_commit(Some(OURS), Some("9.9.9"), &[], "pass: it names another image of this commit")]
#[case::no_labels(None, None, &[], "pass: the image it names says nothing of its commit")]
#[case::a_base_images_version(None, None, &[labels::VERSION], "pass: the image it names says nothing of its commit")]
#[case::lower(Some(THEIRS), Some("1.2.9"), &[], "take: 1.3.0 is higher than 1.2.9, which it names")]
#[case::numbers_not_text(Some(THEIRS), Some("1.2.10"), &[], "take: 1.3.0 is higher than 1.2.10, which it names")]
#[case::candidate(Some(THEIRS), Some("1.3.0-rc.1"), &[], "take: 1.3.0 is higher than 1.3.0-rc.1, which it names")]
#[case::higher(Some(THEIRS), Some("1.10.0"), &[], "leave: 1.3.0 is lower than 1.10.0, which it names")]
#[case::higher_without_commit(None, Some("2.0.0"), &[], "leave: 1.3.0 is lower than 2.0.0, which it names")]
#[case::higher_with_a_strange_commit(None, Some("2.0.0"), &[labels::REVISION], "leave: 1.3.0 is lower than 2.0.0, which it names")]
#[case::moved_git_tag(Some(THEIRS), Some("1.3.0"), &[], "unknown: it names another image of commit def5678 with the version 1.3.0 | if the git tag was moved on purpose: to take it all the same, run once with `publish: moving_tags: always`")]
#[case::build_metadata(Some(THEIRS), Some("1.3.0+again"), &[], "unknown: it names another image of commit def5678 with the version 1.3.0+again | if the git tag was moved on purpose: to take it all the same, run once with `publish: moving_tags: always`")]
#[case::branch_build(Some(THEIRS), Some("1.2.0-dev+def5678"), &[], "unknown: it names 1.2.0-dev+def5678, an image built on a branch, and this is the release 1.3.0 | releases and branch builds cannot share a tag: give them different ones; to take it all the same, run once with `publish: moving_tags: always`")]
#[case::branch_build_without_commit(Some(THEIRS), Some("2.0.0-dev"), &[], "unknown: it names 2.0.0-dev, an image built on a branch, and this is the release 1.3.0 | releases and branch builds cannot share a tag: give them different ones; to take it all the same, run once with `publish: moving_tags: always`")]
#[case::no_version(Some(THEIRS), None, &[], "unknown: the image it names has no version that could be compared with this release's | to take it all the same, run once with `publish: moving_tags: always`")]
#[case::version_is_a_branch(Some(THEIRS), None, &[labels::VERSION], "unknown: the image it names has no version that could be compared with this release's | to take it all the same, run once with `publish: moving_tags: always`")]
#[case::nothing_usable(None, None, &[labels::REVISION, labels::VERSION], "unknown: the image it names has no version that could be compared with this release's | to take it all the same, run once with `publish: moving_tags: always`")]
#[tokio::test]
async fn a_release_goes_by_version_alone(
    #[case] revision: Option<&str>,
    #[case] named: Option<&str>,
    #[case] unusable: &[&'static str],
    #[case] expected: &str,
) {
    assert_eq!(by_labels(true, "1.3.0", &holder(revision, named, unusable)).await, expected);
}

#[rstest]
#[case::same_commit(Some(OURS), Some("9.9.9"), &[], "pass: it names another image of this commit")]
#[case::no_labels(None, None, &[], "pass: the image it names says nothing of its commit")]
#[case::only_a_version(None, Some("24.4.0"), &[], "pass: the image it names says nothing of its commit")]
#[case::strange_commit(None, Some("1.0.0"), &[labels::REVISION], "unknown: the image it names has a revision label that is no commit | to take it all the same, run once with `publish: moving_tags: always`")]
#[tokio::test]
async fn any_other_run_goes_by_commit_alone(
    #[case] revision: Option<&str>,
    #[case] named: Option<&str>,
    #[case] unusable: &[&'static str],
    #[case] expected: &str,
) {
    assert_eq!(by_labels(false, "1.3.0-dev+abc1234", &holder(revision, named, unusable)).await, expected);
}

#[tokio::test]
async fn a_run_without_a_commit_cannot_tell() {
    let ours = Ours { revision: None, version: &version("0.0.0-dev"), release: false };
    let ruling = judge(ours, &holder(Some(THEIRS), None, &[]), &of_checkout(Path::new("/"))).await;
    insta::assert_snapshot!(shown(&ruling), @"unknown: it names commit def5678, and this run knows no commit of its own | build from a git checkout; to take it all the same, run once with `publish: moving_tags: always`");
}

#[tokio::test]
async fn commits_go_forward_and_never_back() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    repository(at);
    let first = commit(at);
    git(at, &["checkout", "--quiet", "-b", "side"]);
    git(at, &["commit", "--quiet", "--allow-empty", "--message", "side"]);
    let side = git(at, &["rev-parse", "HEAD"]);
    git(at, &["checkout", "--quiet", "main"]);
    let second = commit(at);
    let history = of_checkout(at);
    let rule = async |ours: &str, theirs: &str| {
        let ours = Ours { revision: Some(ours), version: &version("1.0.0-dev"), release: false };
        let text = shown(&judge(ours, &holder(Some(theirs), Some("9.0.0"), &[]), &history).await);
        text.replace(&first[..7], "FIRST").replace(&second[..7], "SECOND").replace(&side[..7], "SIDE")
    };
    assert_eq!(rule(&second, &first).await, "take: FIRST, which it names, is an earlier commit");
    assert_eq!(rule(&first, &second).await, "leave: FIRST is older than SECOND, which it names");
    let apart = "leave: SIDE, which it names, is not in the history of SECOND";
    assert_eq!(rule(&second, &side).await, apart);
    // Complete, and without it: certainly not behind.
    assert!(rule(&second, THEIRS).await.starts_with("leave: def5678, which it names, is not in the history"));
}
