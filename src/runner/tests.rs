use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rstest::rstest;

use super::fixture::Fixture;
use super::{CiContext, EventKind, ForgeKind, Trust, detect};
use crate::environment::Environment;
use crate::source::{Git, GitTag, Source};

fn environment(vars: impl IntoIterator<Item = (String, String)>) -> Environment {
    Environment {
        vars: vars.into_iter().collect(),
        cwd: PathBuf::from("/home/ada/src/app"),
        terminal: false,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn context(fixture: &str) -> CiContext {
    detect(&environment(Fixture::load(fixture).vars))
}

/// A fixture with some variables changed; an empty value means unset.
fn changed(fixture: &str, changes: &[(&str, &str)]) -> CiContext {
    let mut vars = Fixture::load(fixture).vars;
    for (name, value) in changes {
        vars.insert((*name).to_owned(), (*value).to_owned());
    }
    detect(&environment(vars))
}

fn untrusted(context: &CiContext) -> Option<&str> {
    match &context.trust {
        Trust::Trusted => None,
        Trust::Untrusted { reason } => Some(reason),
    }
}

#[test]
fn every_fixture_gives_its_context() {
    let names = Fixture::names();
    assert!(names.len() >= 23, "fixtures are missing: {names:?}");
    for name in names {
        insta::assert_debug_snapshot!(name.clone(), context(&name));
    }
}

#[rstest]
#[case("github-push", ForgeKind::GitHub, EventKind::Push, true)]
#[case("github-tag", ForgeKind::GitHub, EventKind::Tag, true)]
#[case("github-pull-request", ForgeKind::GitHub, EventKind::PullRequest, true)]
#[case("github-fork-pr", ForgeKind::GitHub, EventKind::PullRequest, false)]
#[case("github-fork-pr-deleted", ForgeKind::GitHub, EventKind::PullRequest, false)]
#[case("github-pull-request-target", ForgeKind::GitHub, EventKind::PullRequest, false)]
#[case("github-dependabot", ForgeKind::GitHub, EventKind::PullRequest, false)]
#[case("github-schedule", ForgeKind::GitHub, EventKind::Schedule, true)]
#[case("github-dispatch", ForgeKind::GitHub, EventKind::Manual, true)]
#[case("github-release", ForgeKind::GitHub, EventKind::Release, true)]
#[case("github-workflow-run", ForgeKind::GitHub, EventKind::PullRequest, false)]
#[case("github-merge-group", ForgeKind::GitHub, EventKind::PullRequest, true)]
#[case("github-comment", ForgeKind::GitHub, EventKind::Manual, false)]
#[case("ghes-push", ForgeKind::GitHub, EventKind::Push, true)]
#[case("gitea-push", ForgeKind::Gitea, EventKind::Push, true)]
#[case("gitea-pr", ForgeKind::Gitea, EventKind::PullRequest, true)]
#[case("forgejo-push", ForgeKind::Forgejo, EventKind::Push, true)]
#[case("forgejo-tag", ForgeKind::Forgejo, EventKind::Tag, true)]
#[case("forgejo-fork-pr", ForgeKind::Forgejo, EventKind::PullRequest, false)]
#[case("gitlab-branch", ForgeKind::GitLab, EventKind::Push, true)]
#[case("gitlab-tag", ForgeKind::GitLab, EventKind::Tag, true)]
#[case("gitlab-mr-detached", ForgeKind::GitLab, EventKind::MergeRequest, true)]
#[case("gitlab-mr-merged-result", ForgeKind::GitLab, EventKind::MergeRequest, true)]
#[case("gitlab-mr-fork", ForgeKind::GitLab, EventKind::MergeRequest, false)]
#[case("gitlab-schedule", ForgeKind::GitLab, EventKind::Schedule, true)]
#[case("gitlab-web", ForgeKind::GitLab, EventKind::Manual, true)]
#[case("gitlab-ci-local", ForgeKind::GitLab, EventKind::Push, true)]
#[case("local", ForgeKind::Local, EventKind::Manual, true)]
fn forge_event_and_trust(
    #[case] fixture: &str,
    #[case] forge: ForgeKind,
    #[case] event: EventKind,
    #[case] trusted: bool,
) {
    let context = context(fixture);
    assert_eq!((context.forge, context.event), (forge, event));
    assert_eq!(context.trust == Trust::Trusted, trusted, "{:?}", context.trust);
}

#[test]
fn gitlab_pipeline_sources_in_the_words_of_the_config() {
    for (source, on_branch, on_tag) in [
        ("push", EventKind::Push, EventKind::Tag),
        ("webide", EventKind::Push, EventKind::Tag),
        ("parent_pipeline", EventKind::Push, EventKind::Tag),
        ("schedule", EventKind::Schedule, EventKind::Schedule),
        ("web", EventKind::Manual, EventKind::Manual),
        ("api", EventKind::Manual, EventKind::Manual),
        ("trigger", EventKind::Manual, EventKind::Manual),
        ("pipeline", EventKind::Manual, EventKind::Manual),
        ("something new", EventKind::Manual, EventKind::Manual),
    ] {
        let event = |fixture| changed(fixture, &[("CI_PIPELINE_SOURCE", source)]).event;
        assert_eq!((event("gitlab-branch"), event("gitlab-tag")), (on_branch, on_tag), "{source}");
        assert_eq!(event("gitlab-mr-detached"), EventKind::MergeRequest, "{source}");
    }
}

#[test]
fn a_merge_request_of_unknown_origin_is_untrusted() {
    let gone = changed("gitlab-mr-detached", &[("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")]);
    assert_eq!(untrusted(&gone), Some("merge request from a project that GitLab does not name"));
    // In the fork's own project the code is its own, but so are the credentials: still a fork's request.
    let in_fork = changed("gitlab-mr-fork", &[("CI_PROJECT_ID", "99")]);
    assert_eq!(untrusted(&in_fork), Some("merge request from the fork mallory/app"));
    let nameless = changed("gitlab-mr-fork", &[("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "")]);
    assert_eq!(untrusted(&nameless), Some("merge request from the fork with project id 99"));
}

#[rstest]
#[case::missing(None)]
#[case::empty(Some(""))]
#[case::truncated(Some(r#"{"pull_request": {"number": 17, "head": {"ref": "#))]
#[case::wrong_types(Some(r#"{"pull_request": {"number": "17", "head": [], "base": 3}}"#))]
#[case::not_an_object(Some("[1, 2, 3]"))]
#[case::other_event(Some(r#"{"zen": "Keep it simple"}"#))]
#[case::not_text(Some("\u{0}\u{1}\u{2}"))]
fn an_unreadable_event_leaves_what_the_environment_says_and_no_trust(#[case] content: Option<&str>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("event.json");
    if let Some(content) = content {
        std::fs::write(&path, content).unwrap();
    }
    let context = changed("github-pull-request", &[("GITHUB_EVENT_PATH", path.to_str().unwrap())]);
    assert!(untrusted(&context).unwrap().starts_with("nobody can say whose code this is"), "{:?}", context.trust);
    let request = context.pull_request.unwrap();
    assert_eq!((request.number, request.head_ref.as_str(), request.base_ref.as_str()), (17, "feature/login", "main"));
    assert_eq!((request.head_sha, request.head_repository), (None, None));
    assert_eq!(context.branch.as_deref(), Some("feature/login"));

    let push = changed("github-push", &[("GITHUB_EVENT_PATH", path.to_str().unwrap())]);
    assert_eq!((push.trust, push.branch.as_deref()), (Trust::Trusted, Some("main")));
}

#[test]
fn a_huge_event_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("event.json");
    std::fs::File::create(&path).unwrap().set_len(100 * 1024 * 1024).unwrap();
    let context = changed("github-fork-pr", &[("GITHUB_EVENT_PATH", path.to_str().unwrap())]);
    assert!(untrusted(&context).unwrap().contains("larger than any event"), "{:?}", context.trust);
}

#[test]
fn an_event_path_that_is_no_file_does_not_block() {
    for path in ["/dev/zero", "/proc", "/"] {
        let context = changed("github-fork-pr", &[("GITHUB_EVENT_PATH", path)]);
        assert!(untrusted(&context).unwrap().contains("is not a file"), "{:?}", context.trust);
    }
}

#[rstest]
#[case("refs/heads/a\nb")]
#[case("refs/heads/\u{1b}[31mred")]
#[case("refs/heads/a b")]
#[case("refs/heads/../../etc")]
#[case("refs/heads/")]
#[case("refs/heads/-option")]
#[case("nonsense")]
fn a_branch_git_would_refuse_is_no_branch(#[case] git_ref: &str) {
    let context = changed("github-push", &[("GITHUB_REF", git_ref)]);
    assert_eq!((context.branch, context.tag), (None, None));
}

#[test]
fn long_and_strange_values_are_dropped() {
    let long = "x".repeat(5000);
    let context = changed(
        "gitlab-branch",
        &[
            ("CI_COMMIT_BRANCH", &long),
            ("CI_COMMIT_SHA", "not a commit"),
            ("CI_PROJECT_PATH", "a\u{7}b"),
            ("CI_PROJECT_URL", "javascript://gitlab.example.org/x"),
            ("CI_JOB_URL", "https://user:pass@gitlab.example.org/job/1/"),
        ],
    );
    assert_eq!((context.branch, context.commit, context.repository, context.repository_url), (None, None, None, None));
    assert_eq!(context.job_url.as_deref(), Some("https://gitlab.example.org/job/1"));
    let zero = changed("github-push", &[("GITHUB_SHA", &"0".repeat(40))]);
    assert_eq!(zero.commit, None);
}

#[test]
fn the_input_token_comes_before_that_of_the_environment() {
    let variable = |changes: &[(&str, &str)]| changed("github-push", changes).registry.map(|r| r.variable);
    assert_eq!(variable(&[("GITHUB_TOKEN", "x")]).as_deref(), Some("INPUT_GITHUB-TOKEN"));
    assert_eq!(variable(&[("GITHUB_TOKEN", "x"), ("INPUT_GITHUB-TOKEN", "")]).as_deref(), Some("GITHUB_TOKEN"));
    assert_eq!(variable(&[("INPUT_GITHUB-TOKEN", "")]), None);
}

#[test]
fn nothing_of_the_environment_is_secret_in_debug_output() {
    for name in Fixture::names() {
        let text = format!("{:?}", context(&name));
        assert!(!text.contains("fixture"), "{name}: {text}");
    }
}

fn checkout(head: &str, branch: Option<&str>, tags: &[(&str, u32)]) -> Source {
    let tags = tags.iter().map(|(name, distance)| GitTag { name: (*name).to_owned(), distance: *distance }).collect();
    Source {
        root: PathBuf::from("/home/ada/src/app"),
        git: Some(Git {
            head: Some(head.to_owned()),
            branch: branch.map(str::to_owned),
            remote: Some("git@gitlab.example.org:acme/platform/app.git".to_owned()),
            default_branch: Some("main".to_owned()),
            tags,
            ..Git::default()
        }),
        ..Source::default()
    }
}

const BASE: &str = "7e6d5c4b3a2f1e0d9c8b7a6f5e4d3c2b1a0f9e8d";
const HEAD: &str = "1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a7f8e9d0c";

#[rstest]
#[case("github-pull-request-target")]
#[case("github-workflow-run")]
#[case("github-comment")]
fn a_privileged_run_is_trusted_on_its_own_commit_only(#[case] fixture: &str) {
    let complete = |source: &Source| context(fixture).complete(source);
    assert_eq!(complete(&checkout(BASE, Some("main"), &[])).trust, Trust::Trusted);
    for source in [checkout(HEAD, None, &[]), Source::default()] {
        assert!(untrusted(&complete(&source)).is_some());
    }
}

#[test]
fn other_untrusted_runs_stay_untrusted_whatever_is_checked_out() {
    for fixture in ["github-fork-pr", "github-dependabot", "gitlab-mr-fork", "forgejo-fork-pr"] {
        let run = context(fixture);
        let source = checkout(&run.commit.clone().unwrap(), None, &[]);
        assert!(untrusted(&run.complete(&source)).is_some(), "{fixture}");
    }
    let dependabot = changed("github-pull-request-target", &[("GITHUB_ACTOR", "dependabot[bot]")]);
    assert!(untrusted(&dependabot.complete(&checkout(BASE, None, &[]))).is_some());
}

#[test]
fn dependabot_is_an_outsider_on_github_alone_and_only_where_github_says_so() {
    let trusted = |fixture| changed(fixture, &[("GITHUB_ACTOR", "dependabot[bot]")]).trust == Trust::Trusted;
    assert!(!trusted("github-push"));
    assert!(!trusted("github-pull-request"));
    assert!(trusted("github-schedule"));
    assert!(trusted("gitea-push"));
}

#[test]
fn git_completes_a_laptop() {
    let on_branch = context("local").complete(&checkout(HEAD, Some("feature/login"), &[("v1.0.0", 0)]));
    assert_eq!(on_branch.branch.as_deref(), Some("feature/login"));
    assert_eq!(on_branch.tag, None, "a branch whose tip is tagged is a branch");
    assert_eq!(on_branch.commit.as_deref(), Some(HEAD));
    assert_eq!(on_branch.default_branch.as_deref(), Some("main"));
    assert_eq!(on_branch.repository_url.as_deref(), Some("https://gitlab.example.org/acme/platform/app"));
    assert_eq!(on_branch.repository.as_deref(), Some("acme/platform/app"));

    let on_tag = context("local").complete(&checkout(HEAD, None, &[("v1.0.0", 0), ("v0.9.0", 4)]));
    assert_eq!((on_tag.branch, on_tag.tag.as_deref()), (None, Some("v1.0.0")));
    let past_tag = context("local").complete(&checkout(HEAD, None, &[("v1.0.0", 1)]));
    assert_eq!((past_tag.branch, past_tag.tag), (None, None));
}

#[test]
fn git_contradicts_no_runner() {
    for name in Fixture::names().into_iter().filter(|name| name != "local") {
        let before = context(&name);
        let source = checkout("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Some("other"), &[("v9.9.9", 0)]);
        let after = before.clone().complete(&source);
        let told = |c: &CiContext| (c.commit.clone(), c.branch.clone(), c.tag.clone(), c.repository_url.clone());
        assert_eq!(told(&before), told(&after), "{name}");
    }
}

#[test]
fn a_placed_fixture_points_into_its_sandbox() {
    let sandbox = tempfile::tempdir().unwrap();
    let inside = |path: &Path| path.starts_with(sandbox.path()) && path.exists();
    for name in ["github-push", "forgejo-tag"] {
        let context = detect(&environment(Fixture::load(name).placed(sandbox.path()).vars));
        for path in [Some(context.workspace), context.files.output, context.files.summary, Some(context.files.temp)] {
            assert!(inside(&path.unwrap()), "{name}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_environment_makes_it_panic(
        forge in proptest::sample::select(vec!["FORGEJO_ACTIONS", "GITEA_ACTIONS", "GITHUB_ACTIONS", "GITLAB_CI"]),
        event in proptest::sample::select(vec!["push", "pull_request", "pull_request_target", "workflow_run", "\n"]),
        values in proptest::collection::vec("(?s).{0,40}", 12),
    ) {
        let names = [
            "GITHUB_REF", "GITHUB_SHA", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_EVENT_PATH", "GITHUB_TOKEN",
            "CI_PROJECT_DIR", "CI_COMMIT_BRANCH", "CI_MERGE_REQUEST_IID", "CI_REGISTRY", "CI_PROJECT_URL", "CI_COMMIT_TAG",
        ];
        let pairs = names.iter().zip(&values).map(|(name, value)| ((*name).to_owned(), value.clone()));
        let fixed = [(forge, "true"), ("GITHUB_EVENT_NAME", event)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let context = detect(&environment(pairs.chain(fixed)));
        proptest::prop_assert!(!context.branch.unwrap_or_default().contains('\n'));
    }
}
