//! `{{…}}` of metadata-action as templates of ours. What no template makes is `None`.

use crate::migrate::value::Judge;
use crate::migrate::world::{Ref, Run};

/// `{{version}}` and its parts.
pub(super) fn version(pattern: &str, run: &Run, judge: &Judge<'_>) -> Option<String> {
    handlebars(pattern, |name| match name {
        "version" => Some("{version}".to_owned()),
        "raw" => Some("{tag}".to_owned()),
        "major" => Some("{major}".to_owned()),
        "minor" => Some("{minor}".to_owned()),
        "patch" => Some("{patch}".to_owned()),
        other => expression(other, run, judge),
    })
}

/// The expressions that every attribute may hold.
pub(super) fn global(text: &str, run: &Run, judge: &Judge<'_>) -> Option<String> {
    handlebars(text, |name| expression(name, run, judge))
}

fn expression(name: &str, run: &Run, judge: &Judge<'_>) -> Option<String> {
    let (word, rest) = name.split_once(' ').unwrap_or((name, ""));
    let default = || match &run.reference {
        Ref::Branch(name) => *name == judge.world.default_branch,
        _ => false,
    };
    Some(match word {
        "branch" if run.reference.is_branch() => "{branch}".to_owned(),
        "tag" if run.reference.is_tag() => "{tag}".to_owned(),
        "branch" | "tag" => String::new(),
        "sha" => super::SHORT.to_owned(),
        "base_ref" if run.reference == Ref::Pull => "{env:GITHUB_BASE_REF}".to_owned(),
        "base_ref" if run.reference.is_branch() => String::new(),
        "is_default_branch" => default().to_string(),
        "is_not_default_branch" => (!default()).to_string(),
        "date" => format!("{{date:{}}}", layout(rest)?),
        "commit_date" => format!("{{commit.date:{}}}", layout(rest)?),
        _ => return None,
    })
}

/// moment's layout as strftime's. Other time zones than UTC are not made.
fn layout(text: &str) -> Option<String> {
    let text = text.trim();
    let (format, rest) = text.strip_prefix('\'')?.split_once('\'')?;
    if !matches!(rest.trim(), "" | "tz='UTC'" | "tz='Etc/UTC'") {
        return None;
    }
    let tokens = [
        ("YYYY", "%Y"),
        ("YY", "%y"),
        ("MM", "%m"),
        ("DD", "%d"),
        ("HH", "%H"),
        ("mm", "%M"),
        ("ss", "%S"),
        ("X", "%s"),
    ];
    let (mut out, mut at) = (String::new(), format);
    while !at.is_empty() {
        if let Some((token, made)) = tokens.iter().find(|(token, _)| at.starts_with(token)) {
            out.push_str(made);
            at = &at[token.len()..];
            continue;
        }
        let c = at.chars().next()?;
        if c.is_ascii_alphabetic() || c == '[' || c == '}' {
            return None;
        }
        out.push(c);
        at = &at[c.len_utf8()..];
    }
    Some(out)
}

fn handlebars(text: &str, of: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    // `${{ }}` is GitHub's, and filled in later.
    while let Some(open) = rest.find("{{") {
        let end = open + rest[open..].find("}}")? + 2;
        out.push_str(&rest[..open]);
        if out.ends_with('$') {
            out.push_str(&rest[open..end]);
        } else {
            out.push_str(&of(rest[open + 2..end - 2].trim())?);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Some(out)
}
