use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

fn ask(method: Method, path: &str) -> Ask {
    let url = Url::parse("https://forge.example").unwrap().join(path).unwrap();
    Ask { method, url, kind: None, body: Bytes::new() }
}

#[test]
fn only_what_leaves_the_same_state_is_asked_twice() {
    for (method, path, twice) in [
        (Method::GET, "/user", true),
        (Method::POST, "/repos/a/b/statuses/c", true),
        (Method::POST, "/repos/a/b/check-runs", false),
        (Method::PATCH, "/repos/a/b/check-runs/4", false),
        (Method::POST, "/repos/a/b/issues/1/comments", false),
        (Method::PATCH, "/repos/a/b/issues/comments/4", true),
        (Method::POST, "/projects/1/merge_requests/1/notes", false),
        (Method::PUT, "/projects/1/merge_requests/1/notes/4", true),
        (Method::DELETE, "/repos/a/b/issues/comments/4", false),
    ] {
        assert_eq!(repeatable(&ask(method.clone(), path)), twice, "{method} {path}");
        let pause = pause(&answer(502, &[], ""), &ask(method, path));
        assert_eq!(pause.is_some(), twice);
    }
}

#[test]
fn limits_are_known_by_what_they_say() {
    let post = ask(Method::POST, "/repos/a/b/check-runs");
    let limited = |status, headers: &[(&'static str, &str)], body| {
        let answer = answer(status, headers, body);
        (matches!(trouble(&answer), Trouble::Limited { .. }), pause(&answer, &post))
    };
    let s = |n| Some(Duration::from_secs(n));
    assert_eq!(limited(429, &[("retry-after", "2")], ""), (true, s(2)));
    assert_eq!(limited(403, &[("retry-after", "2")], ""), (true, s(2)));
    assert_eq!(limited(403, &[("retry-after", "600")], ""), (true, None));
    assert_eq!(limited(403, &[("retry-after", "18446744073709551615")], ""), (true, None));
    assert_eq!(limited(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")], ""), (true, s(0)));
    assert_eq!(
        limited(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "18446744073709551615")], ""),
        (true, None)
    );
    assert_eq!(limited(403, &[], r#"{"message": "You have exceeded a secondary rate limit."}"#), (true, None));
    assert_eq!(limited(403, &[], r#"{"message": "Resource not accessible by integration"}"#), (false, None));
    assert_eq!(limited(429, &[("retry-after", "soon")], ""), (true, None));
}

#[test]
fn words_of_a_forge_are_bounded_and_on_one_line() {
    assert_eq!(words(br#"{"message": "no\nsuch \u001b[31mthing"}"#), "nosuch [31mthing");
    assert_eq!(words(br#"{"message": {"base": ["taken"]}}"#), r#"{"base":["taken"]}"#);
    assert_eq!(words(br#"{"error": "insufficient_scope", "error_description": "more, please"}"#), "more, please");
    assert_eq!(words(b"<html>"), "");
    let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(5000));
    assert_eq!(words(long.as_bytes()).chars().count(), 200);
}
