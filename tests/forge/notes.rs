//! The one note on a request: found again, written anew, and nobody else's touched.

use crate::fake::{Comment, Face, Token};
use crate::world::{World, event};

fn asked(face: Face, token: Token) -> World {
    World::new(face, token).var("INPUT_REPORT", "comment")
}

fn comment(id: u64, author: &str, robot: bool, body: &str) -> Comment {
    Comment { id, author: author.to_owned(), robot, body: body.to_owned() }
}

#[test]
fn one_note_is_written_and_then_kept_up_to_date() {
    for (face, token) in [
        (Face::GitHub, Token::Full),
        (Face::GitHub, Token::Personal),
        (Face::GitLab, Token::Full),
        (Face::Gitea, Token::Full),
        (Face::Forgejo, Token::Full),
    ] {
        let world = asked(face, token);
        // More than a page of others, one of them with our marker: anybody can copy it.
        let run = world.run(0);
        assert_eq!(world.warnings(&run), [""; 0]);
        let first = world.fake.writes();
        assert_eq!(first.len(), 1, "{face:?} {first:#?}");
        assert_eq!(first[0].method, "POST");
        let body = first[0].body["body"].as_str().unwrap().to_owned();
        assert!(body.starts_with("<!-- stagefreight:note:"), "{body}");
        assert!(
            body.contains("Published `app` under 2 tags") && body.contains("`1d2c3b4`") | (face == Face::GitLab),
            "{body}"
        );
        let forged = comment(1, "mallory", false, &body);
        let mut others: Vec<_> = (2..130).map(|n| comment(n, "ada", false, "a word")).collect();
        {
            let mut state = world.fake.state();
            others.insert(0, forged);
            let mut ours = state.comments.remove(0);
            ours.body = format!("{}\nof another run", ours.body.lines().next().unwrap());
            others.push(ours);
            state.comments = others;
        }
        let run = world.run(0);
        assert_eq!(world.warnings(&run), [""; 0]);
        let second = world.fake.writes();
        assert_eq!(second.len(), 1, "{face:?} {second:#?}");
        assert_eq!(second[0].method, if face == Face::GitLab { "PUT" } else { "PATCH" });
        let state = world.fake.state();
        assert_eq!(state.comments.len(), 130);
        assert_eq!(state.comments[0].body, body, "the forged one is as it was");
    }
}

#[test]
fn a_token_that_may_not_comment_costs_one_warning() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let world = asked(face, Token::ReadOnly);
        let run = world.run(0);
        let warnings = world.warnings(&run);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("the note on the request was not written"), "{warnings:?}");
        let cure = match face {
            Face::GitHub => "pull-requests: write",
            Face::GitLab => "the scope `api`",
            _ => "`write:issue`",
        };
        assert!(warnings[0].contains(cure), "{warnings:?}");
    }
}

/// There is no request to write on.
#[test]
fn a_push_has_no_note() {
    let world = World::on("github-push", Face::GitHub, Token::Full, |sandbox| sandbox).var("INPUT_REPORT", "comment");
    world.run(0);
    assert_eq!(world.fake.requests(), [""; 0]);
}

/// A branch's name is its author's to choose.
#[test]
fn hostile_names_stay_text_and_strangers_ask_for_nothing() {
    let evil = "x-->@everyone<img/src=x>(evil)|`";
    for face in [Face::GitHub, Face::Gitea] {
        let mut world = asked(face, Token::Full);
        world.sandbox = event(world.sandbox, |event| event["pull_request"]["head"]["ref"] = evil.into());
        world.run(0);
        let writes = world.fake.writes();
        let body = writes[0].body["body"].as_str().unwrap();
        let (marker, text) = body.split_once('\n').unwrap();
        assert!(marker.ends_with(" -->") && !text.contains("-->"), "{body}");
        // Shown as code, every character with a meaning as a reference.
        assert!(text.contains("<code>x--&#62;&#64;everyone&#60;img/src=x&#62;(evil)&#124;&#96;</code>"), "{body}");
    }
    // The configuration of somebody else's code chooses neither the name of a status nor a note.
    let world = World::with(Face::GitHub, Token::Fork, |sandbox| {
        let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
        let theirs =
            "report: {context: security-review, comment: true}\nnetwork: {proxy: {http: 'http://127.0.0.1:1'}}\n";
        sandbox.file(".stagefreight.yml", &format!("{text}{theirs}"))
    });
    world.fake.state().token = Token::Full;
    let _ = world.sandbox.run(&["run"]);
    let writes = world.fake.writes();
    assert!(writes.len() >= 3, "{:?}", world.fake.requests());
    for write in &writes {
        let name = if write.template.contains("check-runs") { "name" } else { "context" };
        assert_eq!(write.body[name], "stagefreight");
    }
}
