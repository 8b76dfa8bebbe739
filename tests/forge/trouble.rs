//! A forge in trouble: the run ends as it would have, soon, and asks no more than is decent.

use std::time::Duration;

use serde_json::json;

use crate::fake::{Face, Instead, Reply, Token};
use crate::world::World;

/// Longer than any run here takes by itself, and much less than a minute.
const SOON: Duration = Duration::from_secs(25);

fn says(status: u16, headers: &[(&'static str, &str)], message: &str) -> Instead {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Instead::Reply(Reply(status, headers, json!({"message": message})))
}

#[test]
fn a_secondary_limit_ends_the_asking() {
    let words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    for (status, headers) in [
        (403, vec![("retry-after", "60")]),
        (429, vec![]),
        (403, vec![]),
        (403, vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "99999999999")]),
    ] {
        let world = World::new(Face::GitHub, Token::Full);
        for _ in 0..2 {
            world.fake.instead("/statuses/", says(status, &headers, words));
        }
        let run = world.run(0);
        run.faster_than(SOON);
        // The first word and the last; the check is not even tried.
        assert_eq!(world.fake.requests().len(), 2, "{:?}", world.fake.requests());
        let warnings = world.warnings(&run);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(&format!("it takes no more requests for now (HTTP {status}")), "{warnings:?}");
    }
}

#[test]
fn a_short_limit_is_waited_for() {
    let world = World::new(Face::GitHub, Token::Full);
    world.fake.instead("/statuses/", says(429, &[("retry-after", "1")], "slow down"));
    let run = world.run(0);
    assert_eq!(world.warnings(&run), [""; 0]);
    assert_eq!(world.fake.writes().len(), 3);
    assert_eq!(world.fake.requests().len(), 4);
}

/// A proxy that breaks off after the forge has obeyed. A status once more is the same status; a check run once more were another.
#[test]
fn a_502_is_not_multiplied() {
    let broken = || Instead::ObeyedBut(Reply::new(502, json!({})));
    let world = World::new(Face::GitHub, Token::Full);
    world.fake.instead("/statuses/", broken());
    world.fake.instead("/check-runs", broken());
    let run = world.run(0);
    let writes = world.fake.writes();
    let templates: Vec<_> = writes.iter().map(|write| write.template.rsplit('/').next().unwrap()).collect();
    assert_eq!(templates, ["{sha}", "{sha}", "{sha}", "check-runs"]);
    let warnings = world.warnings(&run);
    assert!(
        warnings.len() == 1 && warnings[0].contains("the check run was not written to GitHub: it answered HTTP 502"),
        "{warnings:?}"
    );

    let world = World::new(Face::Gitea, Token::Full).var("INPUT_REPORT", "comment");
    world.fake.instead("/comments", says(502, &[], "bad gateway"));
    world.fake.instead("/comments", says(502, &[], "bad gateway"));
    let run = world.run(0);
    assert_eq!(world.fake.requests().len(), 3, "{:?}", world.fake.requests());
    assert_eq!(world.warnings(&run).len(), 1);
}

#[test]
fn a_forge_that_hangs_holds_up_nobody() {
    for face in [Face::GitHub, Face::GitLab, Face::Forgejo] {
        let world = World::new(face, Token::Full);
        world.fake.instead("/statuses/", Instead::Hang);
        world.fake.instead("/statuses/", Instead::Hang);
        let run = world.run(0);
        run.faster_than(SOON);
        assert_eq!(world.fake.requests().len(), 2);
        let warnings = world.warnings(&run);
        assert!(warnings.len() == 1 && warnings[0].contains("there was no answer in the time"), "{warnings:?}");
    }
}

#[test]
fn a_forge_that_is_down_is_one_warning() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea, Face::Forgejo] {
        let variable = if face == Face::GitLab { "CI_API_V4_URL" } else { "GITHUB_API_URL" };
        for (url, words) in
            [("http://127.0.0.1:1/api", "it cannot be reached"), ("https://127.0.0.1:1/api", "it cannot be reached")]
        {
            let world = World::new(face, Token::Full).var(variable, url);
            let run = world.run(0);
            run.faster_than(SOON);
            let warnings = world.warnings(&run);
            assert!(warnings.len() == 1 && warnings[0].contains(words), "{warnings:?}");
        }
    }
}

#[test]
fn a_certificate_that_nobody_trusts_is_named() {
    let world = World::new(Face::GitHub, Token::Full);
    // Something that speaks no TLS at all is the nearest thing without a certificate of its own.
    let url = world.fake.url.replace("http://", "https://");
    let world = world.var("GITHUB_API_URL", &url);
    let run = world.run(0);
    let warnings = world.warnings(&run);
    assert!(warnings.len() == 1 && warnings[0].contains("it cannot be reached"), "{warnings:?}");
    assert_eq!(world.fake.requests(), [""; 0]);
}

#[test]
fn gitlab_is_told_again_while_it_is_busy_and_believed_when_it_knows() {
    let world = World::new(Face::GitLab, Token::Full);
    for _ in 0..2 {
        world.fake.instead("/statuses/", says(409, &[], "409 Conflict"));
    }
    let run = world.run(0);
    assert_eq!(world.warnings(&run), [""; 0]);
    assert_eq!(world.fake.only_statuses(), ["running", "success"]);
    assert_eq!(world.fake.requests().len(), 4);

    // Another job of this pipeline has said so already.
    let world = World::new(Face::GitLab, Token::Full);
    world.fake.state().statuses.push(json!({"state": "running", "name": "stagefreight"}));
    let run = world.run(0);
    assert_eq!(world.warnings(&run), [""; 0]);
    assert_eq!(world.fake.only_statuses(), ["success"]);
}

/// A moved repository: the same request goes to where the answer points, on this host and nowhere else.
#[test]
fn a_redirect_is_followed_at_home_only() {
    let world = World::new(Face::GitHub, Token::Full);
    let home = format!("{}/repos/acme/app/statuses/{}", world.fake.url, world.fake.state().commit);
    world.fake.instead("/statuses/", says(307, &[("location", &home)], "Moved"));
    world.fake.instead("/check-runs", says(301, &[("location", "http://127.0.0.1:1/elsewhere")], "Moved"));
    let run = world.run(0);
    assert_eq!(world.fake.only_statuses(), ["pending", "success"]);
    let warnings = world.warnings(&run);
    assert!(
        warnings.len() == 1 && warnings[0].contains("the check run was not written to GitHub: it answered HTTP 301"),
        "{warnings:?}"
    );
}
