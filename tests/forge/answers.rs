//! What each forge answers: to a token that may not, and to one that may. The words are the forges' own, for they decide what a run
//! says; limits that the descriptions do not state are kept here.

use serde_json::{Value, json};

use crate::contract::Operation;
use crate::fake::{Comment, Face, PIPELINE, PROJECT, REPOSITORY, REQUEST, Reply, State, Token};
use crate::fake_api::Seen;

/// The refusal of a token that may not do this.
pub(crate) fn refused(state: &State, seen: &Seen, operation: &Operation) -> Option<Reply> {
    let github = |status: u16, message: &str| {
        Reply::new(
            status,
            json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()}),
        )
    };
    let not_an_app = operation.template.contains("/check-runs") && state.token == Token::Personal;
    let no_person = operation.template == "/user" && state.token != Token::Personal;
    let reply = match (state.face, state.token) {
        (_, Token::Expired) => match state.face {
            Face::GitHub => github(401, "Bad credentials"),
            Face::GitLab => Reply::new(
                401,
                json!({"error": "invalid_token", "error_description": "Token is expired. You can either do re-authorization or token refresh."}),
            ),
            Face::Gitea | Face::Forgejo => Reply::new(
                401,
                json!({"message": "user does not exist [uid: 0, name: ]", "url": "https://gitea.example.org/api/swagger"}),
            ),
        },
        (Face::GitHub, _) if not_an_app => github(403, "You must authenticate via a GitHub App."),
        (Face::GitHub, _) if no_person => github(403, "Resource not accessible by integration"),
        (_, Token::Blind) => match state.face {
            Face::GitHub => github(404, "Not Found"),
            Face::GitLab => Reply::new(404, json!({"message": "404 Project Not Found"})),
            Face::Gitea | Face::Forgejo => Reply::new(404, json!({"message": "The target couldn't be found."})),
        },
        (_, Token::ReadOnly | Token::Fork) if seen.is_write() => match state.face {
            Face::GitHub => github(403, "Resource not accessible by integration"),
            Face::GitLab if state.token == Token::Fork => Reply::new(403, json!({"message": "403 Forbidden"})),
            Face::GitLab => Reply::new(
                403,
                json!({"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"}),
            ),
            Face::Gitea | Face::Forgejo => {
                Reply::new(403, json!({"message": "user should have a permission to write to a repo"}))
            }
        },
        _ => return None,
    };
    Some(reply)
}

/// The answer to what may be asked; or what is wrong with it that no description says, and the refusal.
pub(crate) fn answer(state: &mut State, seen: &Seen, operation: &Operation) -> Result<Reply, (String, Reply)> {
    match state.face {
        Face::GitHub => github(state, seen, operation),
        Face::GitLab => gitlab(state, seen, operation),
        Face::Gitea | Face::Forgejo => gitea(state, seen, operation),
    }
}

fn wrong<T>(why: impl Into<String>, status: u16) -> Result<T, (String, Reply)> {
    let why = why.into();
    Err((why.clone(), Reply::new(status, json!({"message": why}))))
}

fn chars(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

/// A fragment is shown to people: one line, and nothing that turns it round.
fn is_plain(value: &Value) -> bool {
    value.as_str().is_none_or(|text| {
        !text.contains(|c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    })
}

fn repository(state: &State, operation: &Operation) -> Result<(), (String, Reply)> {
    let named = |name: &str| operation.path.get(name).map(String::as_str).unwrap_or_default();
    let (owner, name) = REPOSITORY.split_once('/').unwrap();
    let here = match state.face {
        Face::GitLab => operation.path.get("id").is_none_or(|id| id == PROJECT),
        _ => !operation.path.contains_key("owner") || (named("owner"), named("repo")) == (owner, name),
    };
    let request = ["issue_number", "noteable_id", "index"].into_iter().find_map(|name| operation.path.get(name));
    let sha = operation.path.get("sha").map(String::as_str).or(operation.body["head_sha"].as_str());
    if !here {
        return wrong("another repository", 404);
    }
    if request.is_some_and(|number| number != REQUEST) {
        return wrong("another request", 404);
    }
    if sha.is_some_and(|sha| sha != state.commit) {
        return wrong(format!("No commit found for SHA: {sha:?}, but {}", state.commit), 422);
    }
    Ok(())
}

fn github(state: &mut State, seen: &Seen, operation: &Operation) -> Result<Reply, (String, Reply)> {
    repository(state, operation)?;
    let body = &operation.body;
    let method = seen.method.to_lowercase();
    let answer = |status: u16, fields: &[(&str, Value)]| {
        let mut example = state.example(&operation.template, &method, status);
        for (key, value) in fields {
            example[*key] = value.clone();
        }
        Reply::new(status, example)
    };
    let reply = match (method.as_str(), operation.template.as_str()) {
        ("post", "/repos/{owner}/{repo}/statuses/{sha}") => {
            if chars(&body["description"]) > 140 {
                return wrong("description is too long (maximum is 140 characters)", 422);
            }
            if !is_plain(&body["description"]) {
                return wrong("a description that is no line", 422);
            }
            let reply = answer(201, &[("state", body["state"].clone()), ("context", body["context"].clone())]);
            state.statuses.push(body.clone());
            reply
        }
        ("post", "/repos/{owner}/{repo}/check-runs") => {
            check(state, body)?;
            if body["status"] == "completed" && body["conclusion"].is_null() {
                return wrong("a completed run without a conclusion", 422);
            }
            let mut example = state.example(&operation.template, "post", 201);
            example["id"] = json!(4);
            Reply::new(201, example)
        }
        ("patch", "/repos/{owner}/{repo}/check-runs/{check_run_id}") => {
            if operation.path["check_run_id"] != "4" {
                return wrong("another check run", 404);
            }
            check(state, body)?;
            Reply::new(200, state.example(&operation.template, "patch", 200))
        }
        ("get", "/user") => answer(200, &[("login", json!(state.me))]),
        ("get", "/repos/{owner}/{repo}/issues/{issue_number}/comments") => {
            let (size, page) = (seen.number("per_page").unwrap_or(30), seen.number("page").unwrap_or(1));
            let template = state.example(&operation.template, "get", 200)[0].clone();
            let page: Vec<Value> = state
                .comments
                .iter()
                .skip((page - 1) * size)
                .take(size)
                .map(|c| github_comment(&template, c))
                .collect();
            Reply::new(200, page.into())
        }
        ("post", "/repos/{owner}/{repo}/issues/{issue_number}/comments") => {
            let comment = add(state, &body["body"]);
            Reply::new(201, github_comment(&state.example(&operation.template, "post", 201), &comment))
        }
        ("patch", "/repos/{owner}/{repo}/issues/comments/{comment_id}") => {
            let comment = edit(state, &operation.path["comment_id"], &body["body"])?;
            Reply::new(200, github_comment(&state.example(&operation.template, "patch", 200), &comment))
        }
        _ => return wrong("nothing that a run has to ask", 404),
    };
    Ok(reply)
}

fn github_comment(template: &Value, comment: &Comment) -> Value {
    let mut value = template.clone();
    value["id"] = json!(comment.id);
    value["body"] = json!(comment.body);
    value["user"]["login"] = json!(comment.author);
    value["user"]["type"] = json!(if comment.robot { "Bot" } else { "User" });
    value
}

/// What the description leaves out of a check's output: it counts bytes, and columns belong to one line.
fn check(state: &mut State, body: &Value) -> Result<(), (String, Reply)> {
    let output = &body["output"];
    for name in ["summary", "text"] {
        if output[name].as_str().is_some_and(|text| text.len() > 65_535) {
            return wrong(format!("{name} exceeds a maximum bytesize of 65535"), 422);
        }
    }
    for remark in output["annotations"].as_array().into_iter().flatten() {
        let columns = !remark["start_column"].is_null() || !remark["end_column"].is_null();
        if columns && remark["start_line"] != remark["end_line"] {
            return wrong("columns of several lines", 422);
        }
        if chars(&remark["title"]) > 255 || remark["message"].as_str().is_some_and(|text| text.len() > 64 << 10) {
            return wrong("a remark that is too long", 422);
        }
        let path = remark["path"].as_str().unwrap();
        if path.starts_with(['/', '.']) || path.contains("../") {
            return wrong("a path that leads out of the repository", 422);
        }
        state.remarks.push(remark.clone());
    }
    Ok(())
}

fn gitlab(state: &mut State, seen: &Seen, operation: &Operation) -> Result<Reply, (String, Reply)> {
    repository(state, operation)?;
    let body = &operation.body;
    let shown = |comment: &Comment| json!({"id": comment.id, "body": comment.body, "system": false, "author": {"id": 1, "username": comment.author}});
    let reply = match (seen.method.as_str(), operation.template.as_str()) {
        ("POST", "/projects/{id}/statuses/{sha}") => {
            for name in ["ref", "target_url", "description"] {
                if chars(&body[name]) > 255 {
                    return wrong(format!("{name} is too long (maximum is 255 characters)"), 400);
                }
            }
            if body["pipeline_id"] != PIPELINE {
                return wrong("this would make another pipeline", 422);
            }
            if state.statuses.last().is_some_and(|last| last["state"] == body["state"] && last["name"] == body["name"])
            {
                let word = body["state"].as_str().unwrap();
                return Ok(Reply::new(
                    400,
                    json!({"message": format!("Cannot transition status via :{word} from :{word} (Reason(s): Status cannot transition via \"{word}\")")}),
                ));
            }
            state.statuses.push(body.clone());
            Reply::new(201, json!({"id": 93, "sha": state.commit, "status": body["state"], "name": body["name"]}))
        }
        ("GET", "/user") => Reply::new(200, json!({"id": 1, "username": state.me})),
        ("GET", "/projects/{id}/merge_requests/{noteable_id}/notes") => {
            let (size, page) = (seen.number("per_page").unwrap_or(20), seen.number("page").unwrap_or(1));
            let page: Vec<Value> = state.comments.iter().skip((page - 1) * size).take(size).map(shown).collect();
            Reply::new(200, page.into())
        }
        ("POST", "/projects/{id}/merge_requests/{noteable_id}/notes") => {
            Reply::new(201, shown(&add(state, &body["body"])))
        }
        ("PUT", "/projects/{id}/merge_requests/{noteable_id}/notes/{note_id}") => {
            Reply::new(200, shown(&edit(state, &operation.path["note_id"], &body["body"])?))
        }
        _ => return wrong("nothing that a run has to ask", 404),
    };
    Ok(reply)
}

fn gitea(state: &mut State, seen: &Seen, operation: &Operation) -> Result<Reply, (String, Reply)> {
    repository(state, operation)?;
    let body = &operation.body;
    let shown = |comment: &Comment| json!({"id": comment.id, "body": comment.body, "user": {"id": -2, "login": comment.author}});
    let reply = match (seen.method.as_str(), operation.template.as_str()) {
        ("POST", "/repos/{owner}/{repo}/statuses/{sha}") => {
            if chars(&body["description"]) > 255 || !is_plain(&body["description"]) {
                return wrong("a description that nobody can read", 500);
            }
            state.statuses.push(body.clone());
            Reply::new(201, json!({"id": 5, "status": body["state"], "context": body["context"]}))
        }
        ("GET", "/user") => Reply::new(200, json!({"id": -2, "login": state.me})),
        ("GET", "/repos/{owner}/{repo}/issues/{index}/comments") => {
            Reply::new(200, state.comments.iter().map(shown).collect::<Vec<_>>().into())
        }
        ("POST", "/repos/{owner}/{repo}/issues/{index}/comments") => Reply::new(201, shown(&add(state, &body["body"]))),
        ("PATCH", "/repos/{owner}/{repo}/issues/comments/{id}") => {
            Reply::new(200, shown(&edit(state, &operation.path["id"], &body["body"])?))
        }
        _ => return wrong("nothing that a run has to ask", 404),
    };
    Ok(reply)
}

fn add(state: &mut State, body: &Value) -> Comment {
    let id = 10_000 + state.comments.len() as u64;
    let body = body.as_str().unwrap().to_owned();
    let robot = state.me.ends_with("[bot]");
    let comment = Comment { id, author: state.me.clone(), robot, body };
    state.comments.push(comment.clone());
    comment
}

/// Forges let a token with the right edit anybody's comment. We must not.
fn edit(state: &mut State, id: &str, body: &Value) -> Result<Comment, (String, Reply)> {
    let me = state.me.clone();
    let Some(comment) = state.comments.iter_mut().find(|comment| comment.id.to_string() == id) else {
        return wrong("no such comment", 404);
    };
    if comment.author != me {
        return wrong(format!("the comment of {}", comment.author), 403);
    }
    body.as_str().unwrap().clone_into(&mut comment.body);
    Ok(comment.clone())
}
