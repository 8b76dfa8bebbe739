use super::*;
use crate::environment::Environment;
use crate::runner::{detect, fixture};

fn place(name: &str, change: &[(&str, &str)]) -> Result<Place, Trouble> {
    let mut vars = fixture::Fixture::load(name).vars;
    vars.extend(change.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let vars: Vars = vars.into_iter().collect();
    let env = Environment { vars, cwd: "/".into(), terminal: false, now: jiff::Timestamp::UNIX_EPOCH };
    Place::of(&detect(&env), None, &env.vars)
}

/// A run after a run is given the tip of the default branch; it tells of what it built.
#[test]
fn a_run_after_another_is_told_of_where_it_built() {
    let of = |fixture: &str, built: Option<&str>| {
        let vars: Vars = fixture::Fixture::load(fixture).vars.into_iter().collect();
        let env = Environment { vars, cwd: "/".into(), terminal: false, now: jiff::Timestamp::UNIX_EPOCH };
        Place::of(&detect(&env), built, &env.vars).unwrap().commit
    };
    let given = of("github-workflow-run", None);
    assert_ne!(given, TIP);
    assert_eq!(of("github-workflow-run", Some(TIP)), TIP);
    assert_ne!(of("github-push", Some(TIP)), TIP, "a step may have checked out another repository");
}

const MERGE: &str = "9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b";
const TIP: &str = "1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a7f8e9d0c";

#[test]
fn every_runner_says_where() {
    for (name, api, repository, commit, request, pipeline) in [
        ("github-push", "https://api.github.com/", "acme/app", "", None, None),
        ("github-pull-request", "https://api.github.com/", "acme/app", TIP, Some(17), None),
        ("github-fork-pr", "https://api.github.com/", "acme/app", TIP, Some(17), None),
        ("github-pull-request-target", "https://api.github.com/", "acme/app", TIP, Some(17), None),
        ("gitea-pr", "https://gitea.example.org/api/v1/", "acme/app", TIP, Some(17), None),
        ("forgejo-fork-pr", "https://code.example.org/api/v1/", "acme/app", TIP, Some(17), None),
        ("gitlab-branch", "https://gitlab.example.org/api/v4/", "acme/platform/app", "", None, Some(334_455)),
        (
            "gitlab-mr-merged-result",
            "https://gitlab.example.org/api/v4/",
            "acme/platform/app",
            MERGE,
            Some(17),
            Some(334_455),
        ),
        ("gitlab-mr-fork", "https://gitlab.example.org/api/v4/", "acme/platform/app", TIP, Some(17), Some(334_455)),
    ] {
        let place = place(name, &[]).unwrap();
        assert_eq!((place.api.as_str(), place.repository.as_str()), (api, repository), "{name}");
        assert_eq!((place.request, place.pipeline), (request, pipeline), "{name}");
        assert!(commit.is_empty() || place.commit == commit, "{name}: {}", place.commit);
        assert!(place.link.is_some_and(|link| link.starts_with("https://")), "{name}");
    }
}

#[test]
fn a_name_that_changes_an_address_is_no_repository() {
    for name in ["acme/../app", "acme", "acme/app?x=1", "acme/app#", "acme//app", "acme/a b", "acme/a%2fb", "/"] {
        let place = place("github-push", &[("GITHUB_REPOSITORY", name)]);
        assert!(matches!(place, Err(Trouble::Unusable(_))), "{name}: {place:?}");
    }
    let three = place("github-push", &[("GITHUB_REPOSITORY", "acme/platform/app")]).unwrap();
    assert!(three.owner_and_name().is_err());
    for (missing, what) in [
        ("GITHUB_API_URL", "where its API is"),
        ("GITHUB_SHA", "which commit"),
        ("GITHUB_REPOSITORY", "which repository"),
    ] {
        let Err(trouble) = place("github-push", &[(missing, "")]) else { panic!("{missing}") };
        assert!(trouble.to_string().contains(what), "{trouble}");
    }
    // The head of a request is told by the event alone; the merge commit is not where anybody looks.
    assert!(place("github-pull-request", &[("GITHUB_EVENT_PATH", "/no/such/file")]).is_err());
}

#[test]
fn the_fork_of_a_merge_request_is_not_where_its_note_belongs() {
    let place = place("gitlab-mr-fork", &[("CI_PROJECT_PATH", "mallory/app")]).unwrap();
    assert_eq!((place.repository.as_str(), place.request_project.as_str()), ("mallory/app", "acme/platform/app"));
}

#[test]
fn tokens_show_what_they_are() {
    let token = |secret: &str| Token { secret: Secret::new(secret), variable: "X".into() };
    assert!(token("ghp_x").is_personal() && token("github_pat_x").is_personal());
    assert!(!token("ghs_x").is_personal() && token("ghs_x").is_of_an_app());
    assert!(!token("0123abcd").is_personal(), "an older server's says nothing");
}
