//! A forge's reader of markdown, which shares nothing with our writers: what a text could change in a page, and which words of it
//! the forge would take for a name, a number or an address.

use std::sync::LazyLock;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// Forges look for these in the text of the finished page, whatever stood in the source: mentions and addresses (all of them),
/// `#1` and `GH-1` (GitHub), `!1 $1 &1 ~label %milestone [issue:1]` (GitLab docs/user/markdown.md).
static CATCHY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)@\w|#\d|\bgh-\d|(^|\W)[!$&]\d|(^|\W)[~%]["\w]|\[[a-z_]+:[^\]]|\w://|\bwww\.|mailto:"#).unwrap()
});
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?s)<code>.*?</code>").unwrap());
static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^>]*>").unwrap());
static ENTITY: LazyLock<Regex> = LazyLock::new(|| Regex::new("&#([0-9]+);").unwrap());

fn events(markdown: &str) -> Parser<'_> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH;
    Parser::new_ext(markdown, options)
}

/// What a text could change: tags and their order. Inline code and line breaks may come and go.
pub(in crate::report) fn shape(markdown: &str) -> Vec<String> {
    let mut shape = Vec::new();
    for event in events(markdown) {
        match event {
            Event::Text(_) | Event::Code(_) | Event::SoftBreak | Event::End(_) => {}
            Event::InlineHtml(tag) if matches!(&*tag, "<code>" | "</code>") => {}
            // Blocks of HTML come line by line; the names in them may differ, the tags not.
            Event::Html(line) => shape.push(format!("html {}", tags_in(&line))),
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                assert!(link_type == LinkType::Inline && dest_url.starts_with("https://forge.example/"), "{dest_url}");
                shape.push("link".to_owned());
            }
            Event::Start(Tag::CodeBlock(kind)) => shape.push(format!("code block {kind:?}")),
            Event::Start(tag) => shape.push(format!("{tag:?}")),
            other => shape.push(format!("{other:?}")),
        }
    }
    shape
}

fn tags_in(line: &str) -> String {
    line.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)).collect::<Vec<_>>().join(" ")
}

/// Every stretch of text outside code that a forge would make something of.
pub(in crate::report) fn catchy(markdown: &str) -> Vec<String> {
    loose(markdown).into_iter().filter(|text| CATCHY.is_match(text)).collect()
}

/// Text outside code, as a page shows it.
pub(in crate::report) fn loose(markdown: &str) -> Vec<String> {
    let (mut all, mut text, mut code) = (Vec::new(), String::new(), 0_i32);
    for event in events(markdown) {
        match &event {
            Event::Text(more) => {
                if code == 0 {
                    text.push_str(more);
                }
                continue;
            }
            Event::InlineHtml(tag) if &**tag == "<code>" => code += 1,
            Event::InlineHtml(tag) if &**tag == "</code>" => code -= 1,
            Event::Start(Tag::CodeBlock(_)) => code += 1,
            Event::End(TagEnd::CodeBlock) => code -= 1,
            Event::Html(line) => all.push(decoded(&TAG.replace_all(&CODE.replace_all(line, " "), " "))),
            _ => {}
        }
        all.push(std::mem::take(&mut text));
    }
    all.push(text);
    all.retain(|text| !text.trim().is_empty());
    all
}

fn decoded(html: &str) -> String {
    let letter =
        |found: &regex::Captures<'_>| found[1].parse().ok().and_then(char::from_u32).unwrap_or(' ').to_string();
    ENTITY.replace_all(html, letter).into_owned()
}

#[test]
fn the_reader_sees_what_a_forge_would_make_something_of() {
    for evil in [
        "ask @alice",
        "ask &#64;alice",
        "fixes #12",
        "acme/app&#35;3",
        "GH-4",
        "(!5)",
        "$6",
        "&#38;7",
        "~bug",
        "%\"next week\"",
        "[issue:8]",
        "https&#58;//x.example",
        "WWW.x.example",
        "<b>@alice</b>",
        "<details>\n<summary>@alice</summary>\n</details>",
        "```\n```\n@alice",
    ] {
        assert!(!catchy(evil).is_empty(), "{evil}");
    }
    for calm in [
        "`@alice`",
        "<code>&#64;alice</code>",
        "```\n@alice #1\n```",
        "100% of 3",
        "a & b",
        "<summary>x <code>#1</code></summary>",
    ] {
        assert_eq!(catchy(calm), [""; 0], "{calm}");
    }
}
