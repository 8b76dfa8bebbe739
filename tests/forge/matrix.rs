//! Every kind of token on every forge: the run ends well, what may be written is, and one warning says what was not. The table in
//! docs/forge.md says the same.

use rstest::rstest;

use crate::fake::{Face, Token};
use crate::world::World;

/// What a cell comes to: states of the statuses, check runs, requests, and what the one warning says, if there is one.
struct Cell {
    statuses: &'static [&'static str],
    checks: usize,
    requests: usize,
    warning: &'static [&'static str],
}

const fn quiet(statuses: &'static [&'static str], checks: usize, requests: usize) -> Cell {
    Cell { statuses, checks, requests, warning: &[] }
}

const fn nothing(requests: usize, warning: &'static [&'static str]) -> Cell {
    Cell { statuses: &[], checks: 0, requests, warning }
}

fn cell(face: Face, token: Token) -> Cell {
    match (face, token) {
        (Face::GitHub, Token::Full) => quiet(&["pending", "success"], 1, 3),
        (Face::GitHub, Token::ReadOnly) => nothing(
            2,
            &[
                "the commit status and the check run were not written to GitHub",
                "HTTP 403, Resource not accessible by integration",
                "permissions: statuses: write, checks: write",
            ],
        ),
        (Face::GitHub, Token::Fork) => nothing(
            2,
            &["the commit status and the check run were not written", "nothing to mend", "the fork mallory/app"],
        ),
        (Face::GitHub, Token::Expired) => nothing(
            1,
            &["the commit status was not written", "HTTP 401, Bad credentials", "INPUT_GITHUB-TOKEN has expired"],
        ),
        (Face::GitHub, Token::Absent) => {
            nothing(0, &["the commit status and the check run were not written", "github-token: ${{ github.token }}"])
        }
        (Face::GitHub, Token::Personal) => Cell {
            statuses: &["pending", "success"],
            checks: 0,
            requests: 2,
            warning: &["the check run was not written", "a personal one", "checks: write"],
        },
        (Face::GitHub, Token::Blind) => nothing(2, &["HTTP 404, Not Found", "statuses: write"]),
        (Face::GitLab, Token::Full) => quiet(&["running", "success"], 0, 2),
        (Face::GitLab, Token::ReadOnly) => nothing(
            1,
            &[
                "the commit status was not written to GitLab",
                "higher privileges",
                "GITLAB_TOKEN needs the scope `api`, for somebody who is Developer",
            ],
        ),
        (Face::GitLab, Token::Fork) => nothing(1, &["403 Forbidden", "nothing to mend", "the fork mallory/app"]),
        (Face::GitLab, Token::Expired) => nothing(1, &["HTTP 401, Token is expired", "GITLAB_TOKEN has expired"]),
        // A job's own token may not write these, and its own state is shown anyway.
        (Face::GitLab, Token::Absent) => quiet(&[], 0, 0),
        (Face::GitLab, Token::Blind) => nothing(1, &["HTTP 404, 404 Project Not Found"]),
        (Face::Gitea | Face::Forgejo, Token::Full) => quiet(&["pending", "success"], 0, 2),
        (Face::Gitea, Token::ReadOnly) => nothing(
            1,
            &[
                "not written to Gitea",
                "HTTP 403, user should have a permission",
                "INPUT_GITHUB_TOKEN needs `write:repository`",
            ],
        ),
        (Face::Forgejo, Token::ReadOnly) => nothing(
            1,
            &[
                "not written to Forgejo",
                "HTTP 403, user should have a permission",
                "GITHUB_TOKEN needs `write:repository`",
            ],
        ),
        (Face::Gitea | Face::Forgejo, Token::Fork) => nothing(1, &["nothing to mend", "the fork mallory/app"]),
        (Face::Gitea | Face::Forgejo, Token::Expired) => nothing(1, &["HTTP 401", "has expired or was revoked"]),
        (Face::Gitea | Face::Forgejo, Token::Absent) => {
            nothing(0, &["the commit status was not written", "GITHUB_TOKEN"])
        }
        (Face::Gitea | Face::Forgejo, Token::Blind) => nothing(1, &["HTTP 404"]),
        (_, Token::Personal) => unreachable!("told apart by GitHub alone"),
    }
}

#[rstest]
fn every_token_ends_as_documented(
    #[values(Face::GitHub, Face::GitLab, Face::Gitea, Face::Forgejo)] face: Face,
    #[values(Token::Full, Token::ReadOnly, Token::Fork, Token::Expired, Token::Absent, Token::Blind, Token::Personal)]
    token: Token,
) {
    if token == Token::Personal && face != Face::GitHub {
        return;
    }
    let expected = cell(face, token);
    let world = World::new(face, token);
    let run = world.run(0);
    let (checks, statuses): (Vec<_>, Vec<_>) =
        world.fake.writes().into_iter().partition(|write| write.template.contains("check-runs"));
    let states: Vec<_> = statuses.iter().map(|write| write.body["state"].as_str().unwrap()).collect();
    assert_eq!((states.as_slice(), checks.len()), (expected.statuses, expected.checks));
    assert_eq!(world.fake.requests().len(), expected.requests, "{:?}", world.fake.requests());
    let warnings = world.warnings(&run);
    assert_eq!(warnings.len(), usize::from(!expected.warning.is_empty()), "{warnings:?}");
    for text in expected.warning {
        assert!(warnings[0].contains(text), "{text}: {}", warnings[0]);
    }
    assert_eq!(world.sandbox.result()["status"], "success");
}

/// What a person reads on the forge, whole.
#[test]
fn a_published_image_is_told_in_a_line() {
    for (fixture, face, link) in [
        ("github-push", Face::GitHub, "https://github.com/acme/app/actions/runs/11930482711"),
        ("gitea-push", Face::Gitea, "https://gitea.example.org/acme/app/actions/runs/1822"),
        ("forgejo-push", Face::Forgejo, "https://code.example.org/acme/app/actions/runs/43"),
        ("gitlab-branch", Face::GitLab, "https://gitlab.example.org/acme/platform/app/-/jobs/901234"),
    ] {
        let world = World::on(fixture, face, Token::Full, |sandbox| sandbox);
        let run = world.run(0);
        assert_eq!(world.warnings(&run), [""; 0]);
        let writes: Vec<_> =
            world.fake.writes().into_iter().filter(|write| write.template.contains("/statuses/")).collect();
        let [first, last] = writes.as_slice() else { panic!("{writes:#?}") };
        for write in [first, last] {
            let name = if face == Face::GitLab { "name" } else { "context" };
            assert_eq!(write.body[name], "stagefreight");
            assert_eq!(write.body["target_url"], link);
        }
        assert_eq!(first.body["description"], "building");
        let text = last.body["description"].as_str().unwrap();
        assert!(text.starts_with("published 2 tags · "), "{text}");
    }
}

/// A merge result's pipeline belongs to the merge commit; a status on the branch's tip would make a second pipeline.
#[test]
fn gitlab_hears_of_the_pipelines_own_commit() {
    let world = World::on("gitlab-mr-merged-result", Face::GitLab, Token::Full, |sandbox| sandbox);
    let run = world.run(0);
    assert_eq!(world.warnings(&run), [""; 0]);
    assert_eq!(world.fake.only_statuses(), ["running", "success"]);
}

/// No forge is asked where nothing may be said.
#[test]
fn dry_runs_plans_and_doctors_say_nothing() {
    let world = World::new(Face::GitHub, Token::Full);
    world.sandbox.run(&["run", "--dry-run"]).succeeds();
    world.sandbox.run(&["plan"]).succeeds();
    let _ = world.sandbox.run(&["doctor"]);
    assert_eq!(world.fake.requests(), [""; 0]);
}

#[test]
fn what_is_switched_off_is_not_written() {
    for (input, config, writes) in
        [("off", "", 0), ("status", "", 2), ("", "report: {status: off}\n", 1), ("", "report: {checks: off}\n", 2)]
    {
        let world = World::with(Face::GitHub, Token::Full, |sandbox| {
            let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
            sandbox.file(".stagefreight.yml", &format!("{text}{config}"))
        })
        .var("INPUT_REPORT", input);
        let run = world.run(0);
        assert_eq!(world.fake.writes().len(), writes, "{input} {config}");
        assert_eq!(world.warnings(&run), [""; 0]);
    }
}

/// Pipelines of legs give all jobs the same inputs, and only the last of them knows how it ended.
#[test]
fn a_leg_leaves_the_word_to_the_merge() {
    for face in [Face::GitHub, Face::Gitea, Face::GitLab] {
        let world = World::new(face, Token::Full)
            .var("INPUT_REPORT", "status,checks,comment")
            .var("STAGEFREIGHT_REPORT", "status,checks,comment")
            .var("INPUT_PLATFORM_LEG", "linux/amd64")
            .var("STAGEFREIGHT_PLATFORM_LEG", "linux/amd64");
        let run = world.run(0);
        assert_eq!(world.warnings(&run), [""; 0]);
        assert_eq!(world.fake.requests(), [""; 0]);
    }
}
