//! Makes text from elsewhere harmless in markdown (GitHub's, Gitea's, Forgejo's): it can open no tag, link, image,
//! mention, fence, list or table row. Pure; knows nothing of documents.

use std::borrow::Cow;

use crate::runner::neutralise::strip_controls;

/// Longer text in a cell or a sentence is cut.
const INLINE_LIMIT: usize = 600;
/// Longer lines in a fenced block are cut.
const LINE_LIMIT: usize = 500;
/// So many lines of a fenced block are kept, from its end.
const LINES_LIMIT: usize = 120;

/// Longer text in a diagram is cut.
const DIAGRAM_LIMIT: usize = 60;

/// Stands for empty text.
const NOTHING: &str = "–";

/// A name, path or piece of code, on one line, fit for a table cell: nothing in it is interpreted, or linked.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    let text = text.trim();
    if text.is_empty() {
        return NOTHING.to_owned();
    }
    // A code span takes everything as it is, but tables look for `|` and `\` before spans.
    if text.contains(['`', '|', '\\']) { format!("<code>{}</code>", entities(text)) } else { format!("`{text}`") }
}

/// A sentence on one line, fit for a table cell. What stands between backticks is shown as code, and so are words that
/// some forge would turn into a link or a mention.
pub(super) fn prose(text: &str) -> String {
    let text = one_line(text);
    let parts: Vec<&str> = text.split('`').collect();
    let balanced = parts.len() % 2 == 1;
    let mut out = String::with_capacity(text.len() + 16);
    for (i, part) in parts.iter().enumerate() {
        match i % 2 {
            1 if !balanced && i == parts.len() - 1 => {
                out.push_str("&#96;");
                words(part, &mut out);
            }
            1 => out.push_str(&code(part)),
            _ => words(part, &mut out),
        }
    }
    inside(out.trim())
}

/// A digit, `-`, `+` or `=` could begin a list or a heading.
fn inside(markdown: &str) -> String {
    match markdown.chars().next() {
        Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '=') => {
            format!("&#{};{}", u32::from(c), &markdown[1..])
        }
        Some(_) => markdown.to_owned(),
        None => NOTHING.to_owned(),
    }
}

/// Text that nobody interprets, on one line: no control characters, tabs neither, nothing that turns or hides what follows.
pub(super) fn plain(text: &str) -> String {
    one_line(text).replace('\t', " ").trim().to_owned()
}

/// Text inside HTML we write ourselves (`<summary>` …).
pub(super) fn html(text: &str) -> String {
    entities(one_line(text).trim())
}

/// A fenced block: lines as they are, inside a fence longer than any they hold. Long lines are cut, and of many lines the
/// first are left out.
pub(super) fn fenced<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let (left_out, kept) = last_lines(lines);
    let longest = kept.iter().map(|line| longest_run(line, '`')).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    let mut out = format!("{fence}text\n");
    if left_out > 0 {
        out.push_str(&format!("… {left_out} lines before these\n"));
    }
    for line in kept {
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str(&fence);
    out.push('\n');
    out
}

/// The last lines of a text, clean and not too long, and how many stand before them.
pub(super) fn last_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> (usize, Vec<String>) {
    let lines: Vec<&str> = lines.into_iter().flat_map(str::lines).collect();
    let left_out = lines.len().saturating_sub(LINES_LIMIT);
    let kept = lines[left_out..].iter().map(|line| clip(&strip_controls(line), LINE_LIMIT).into_owned());
    (left_out, kept.collect())
}

/// Text in a Mermaid diagram, without anything that its grammars, its directives or its labels read as more than text. The
/// exact words stand in the tables.
pub(super) fn diagram(text: &str) -> String {
    let mut out = String::new();
    for c in one_line(text).chars() {
        match c {
            ':' => out.push('∶'),
            c if c.is_alphanumeric() || "-_./=+,()@…·".contains(c) => out.push(c),
            // Everything else parts words.
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        }
    }
    let short = clip(out.trim_end(), DIAGRAM_LIMIT);
    if short.is_empty() { NOTHING.to_owned() } else { short.into_owned() }
}

/// The address as a link destination; `None` for anything but a plain web address.
pub(super) fn link(url: &str) -> Option<&str> {
    let web = url.starts_with("https://") || url.starts_with("http://");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#%&=+,@".contains(&b);
    (web && url.len() <= 2000 && url.bytes().all(plain)).then_some(url)
}

fn words(text: &str, out: &mut String) {
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        if is_catchy(bare) {
            // Punctuation of the sentence stays outside.
            let inner = bare.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
            let inner = inner.trim_start_matches('(');
            let start = bare.len() - bare.trim_start_matches('(').len();
            out.push_str(&entities(&bare[..start]));
            out.push_str(&code(inner));
            out.push_str(&entities(&bare[start + inner.len()..]));
        } else {
            out.push_str(&entities(bare));
        }
        out.push_str(&word[bare.len()..]);
    }
}

/// Would a forge link it, or call somebody? Names with underscores simply read better as code.
fn is_catchy(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let address = lower.contains("://") || lower.contains("www.") || lower.contains("mailto:");
    let numbered = lower.split("gh-").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    word.contains(['@', '#', '_']) || address || numbered || is_reference(word)
}

/// GitLab's short names: `!1 $1 &1 ~label %milestone [issue:1]`. It looks for them in the finished page, where a numeric
/// reference is the character it stands for.
fn is_reference(word: &str) -> bool {
    let pairs = word.chars().zip(word.chars().skip(1));
    pairs.into_iter().any(|(mark, next)| match mark {
        '!' | '$' | '&' => next.is_ascii_digit(),
        '~' | '%' => next == '"' || next.is_alphanumeric(),
        '[' => next.is_ascii_lowercase() && word.contains(':'),
        _ => false,
    })
}

/// Every character with a meaning in markdown or HTML as a numeric reference, which markdown shows and never obeys. Marks
/// that count only at the start of a line are left alone.
fn entities(text: &str) -> String {
    const SPECIAL: &str = "&<>|`*_[]\\~#!@$^{}";
    let mut out = String::with_capacity(text.len() + 16);
    for (i, c) in text.char_indices() {
        // Forges look for `://` and `www.` in the source.
        let links = match c {
            ':' => text[i..].starts_with("://"),
            '.' => i >= 3 && text.as_bytes()[i - 3..i].eq_ignore_ascii_case(b"www"),
            _ => false,
        };
        if links || SPECIAL.contains(c) {
            out.push_str(&format!("&#{};", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// All of it on one line, clean and not too long.
pub(super) fn one_line(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(strip_controls).collect();
    clip(&lines.join(" "), INLINE_LIMIT).into_owned()
}

fn clip(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}
