use super::*;
use crate::report::fixtures;

/// What stands between the style sheet and the end.
fn body(page: &str) -> &str {
    &page[page.find("<body>").unwrap()..]
}

#[test]
fn pages() {
    for (name, outcome) in fixtures::all() {
        let page = page(&fixtures::document(&outcome));
        if matches!(name, "success" | "failing_run" | "deterministic") {
            insta::assert_snapshot!(format!("page_{name}"), body(&page));
        }
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">\n"), "{name}");
    }
}

#[test]
fn the_policy_allows_this_style_sheet_and_nothing_else() {
    let page = page(&Document::new(&fixtures::success()));
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = BASE64_STANDARD.encode(Sha256::digest(style.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    assert!(page.contains(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")));
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains('<'));
    assert!(!page.contains(" style=") && !page.contains("<script"));
}

#[test]
fn what_grows_is_cut_and_counted() {
    let mut document = Document::new(&fixtures::success());
    let (tag, warning) = (document.builds[0].published[0].clone(), document.builds[0].warnings[0].clone());
    document.builds[0].published = vec![tag; 1000];
    document.builds[0].warnings = vec![warning; 1000];
    let page = page(&document);
    assert_eq!(page.matches("<li>… and 700 more, see <code>.stagefreight/result.json</code></li>").count(), 2);

    let layer = Layer { detail: "x".repeat(500), ..document.builds[0].layers[0].clone() };
    document.builds[0].layers = vec![layer; 300];
    document.builds = vec![document.builds[0].clone(); 60];
    let page = super::page(&document);
    assert!(page.len() < 8 * COMFORTABLE, "{}", page.len());
    assert!(!page.contains("Every step"), "the tables of steps go first");
}

#[test]
fn a_link_leads_only_to_plain_web_addresses() {
    for bad in ["javascript:alert(1)", "data:text/html,x", "https://x\"y", "//x", "https://x y", "file:///etc"] {
        assert_eq!(link(bad, "x"), None, "{bad}");
    }
    let good = "<a href=\"https://x/y?a=1&amp;b=2\" rel=\"noopener noreferrer\">x</a>";
    assert_eq!(link("https://x/y?a=1&b=2", "x").as_deref(), Some(good));
}

#[test]
fn text_is_only_text() {
    assert_eq!(text("<b>&\"'\u{202e}\u{1b}[2J\r\n x"), "&lt;b&gt;&amp;&quot;&#39;  x");
    assert_eq!(prose("the build `a<b` and `c"), "the build <code>a&lt;b</code> and `c");
    assert_eq!(prose("x `` y ` ` z"), "x `` y ` ` z");
    assert_eq!(code(""), "<code>–</code>");
}
