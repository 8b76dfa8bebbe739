//! `when`, `select_tags` and the patterns they hold. Pure: says whether something takes part in a run, and why, in a sentence.
//!
//! An entry of a list is `NAME` or `PATTERN`, with `re:` before an inline regular expression and `!` before an exclude. Entries are
//! OR, lists are AND, excludes win, and with excludes only all else matches. Regular expressions match where they are found, as
//! StageFreight 0.5 has it (`^main$` is the whole name). A plain name that is no policy (`main`) is the exception: it matches
//! itself alone, because `main` matching `maintenance` publishes from the wrong branch.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::model::{Policies, When};
use super::nearest::nearest;
use crate::runner::EventKind;

/// In or out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Takes part.
    pub included: bool,
    /// One sentence for people, without a full stop: `branch feature/x matches none of when.branches [main]`.
    pub why: String,
}

/// A pattern nobody can match with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Nothing stands there.
    #[error("the pattern is empty")]
    Empty,
    /// The regular expression cannot be read, or is too large.
    #[error("`{pattern}` is not a regular expression: {why}")]
    Regex {
        /// As written.
        pattern: String,
        /// In a few words.
        why: String,
    },
    /// No such policy, but one that is spelt almost so.
    #[error("`{written}` is no policy; `{nearest}` is")]
    Mistyped {
        /// As written.
        written: String,
        /// The policy.
        nearest: String,
    },
}

/// How large a compiled pattern may be: far more than names need, far less than hurts.
const REGEX_BYTES: usize = 1 << 20;
/// The longest pattern read, in bytes.
const LONGEST: usize = 1000;

/// Whether `when` holds for a run.
pub fn matches(when: &When, policies: &Policies, branch: Option<&str>, tag: Option<&str>, event: EventKind) -> Verdict {
    let mut reasons = Vec::new();
    if !when.events.is_empty() {
        if !when.events.contains(&event) {
            let wanted: Vec<String> = when.events.iter().map(|event| event_name(*event)).collect();
            return out(format!("event {} is none of when.events [{}]", event_name(event), wanted.join(", ")));
        }
        reasons.push(format!("event {}", event_name(event)));
    }
    for (key, kind, list, names, subject) in [
        ("when.branches", "branch", &when.branches, &policies.branches, branch),
        ("when.git_tags", "git tag", &when.git_tags, &policies.git_tags, tag),
    ] {
        // A list of excludes lets a run without a branch pass; a git tag that is asked for has to be there.
        let needed = kind == "git tag" || list.iter().any(|entry| !entry.trim_start().starts_with('!'));
        match decide(key, kind, list, names, subject, needed) {
            None => {}
            Some(Verdict { included: true, why }) => reasons.push(why),
            Some(verdict) => return verdict,
        }
    }
    let why = if reasons.is_empty() { "it has no conditions".to_owned() } else { reasons.join(", ") };
    Verdict { included: true, why }
}

/// Whether `select_tags` of a build or target lets a run take part. An empty list always does.
pub fn selects(select_tags: &[String], policies: &Policies, tag: Option<&str>) -> Verdict {
    decide("select_tags", "git tag", select_tags, &policies.git_tags, tag, true)
        .unwrap_or_else(|| Verdict { included: true, why: "it has no select_tags".to_owned() })
}

/// A list made ready for many names, by the rules of `when`: for `retention.protect`. An empty list lets nothing in.
#[derive(Debug)]
pub struct NameList<'a> {
    entries: Vec<(bool, Matcher<'a>, &'a str)>,
}

impl<'a> NameList<'a> {
    /// # Errors
    /// The first entry nobody can match with.
    pub fn new(list: &'a [String], names: &BTreeMap<String, String>) -> Result<Self, BadPattern> {
        let entry = |written: &'a String| {
            let (exclude, word) = split(written);
            Ok((exclude, Matcher::new(word, names)?, written.as_str()))
        };
        Ok(Self { entries: list.iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// The entry that lets a name in; where a list of excludes does, its first.
    pub fn lets_in(&self, subject: &str) -> Option<&'a str> {
        let hit = |exclude: bool| self.entries.iter().find(move |(is, m, _)| *is == exclude && m.matches(subject));
        if hit(true).is_some() {
            return None;
        }
        let only_excludes = self.entries.iter().all(|(exclude, ..)| *exclude);
        let entry = if only_excludes { self.entries.first() } else { hit(false) };
        entry.map(|(_, _, written)| *written)
    }
}

/// Whether an entry of a list can be used, and is not a policy's name spelt almost right.
///
/// # Errors
/// What is wrong with it.
pub fn check_entry(entry: &str, names: &BTreeMap<String, String>) -> Result<(), BadPattern> {
    let (_, word) = split(entry);
    if word.is_empty() {
        return Err(BadPattern::Empty);
    }
    if let Some(nearest) = mistyped(word, names) {
        return Err(BadPattern::Mistyped { written: word.to_owned(), nearest });
    }
    Matcher::new(word, names).map(|_| ())
}

/// Whether the pattern of a policy can be used.
///
/// # Errors
/// What is wrong with it.
pub fn check_policy(pattern: &str) -> Result<(), BadPattern> {
    if pattern.is_empty() {
        return Err(BadPattern::Empty);
    }
    compile(pattern).map(|_| ())
}

/// `None`: the list is empty and asks for nothing.
fn decide(
    key: &str,
    kind: &str,
    list: &[String],
    names: &BTreeMap<String, String>,
    subject: Option<&str>,
    needed: bool,
) -> Option<Verdict> {
    if list.is_empty() {
        return None;
    }
    let shown = list.join(", ");
    let Some(subject) = subject else {
        return Some(if needed {
            out(format!("{key} [{shown}] wants a {kind} and this run has none"))
        } else {
            Verdict { included: true, why: format!("no {kind}, and {key} only excludes") }
        });
    };
    let (mut included, mut only_excludes) = (None, true);
    for entry in list {
        let (exclude, word) = split(entry);
        only_excludes &= exclude;
        let hit = match Matcher::new(word, names) {
            Ok(matcher) => matcher.matches(subject),
            // `load` has refused such a file; a pattern from elsewhere must never open a door.
            Err(bad) => return Some(out(bad.to_string())),
        };
        match (hit, exclude) {
            (true, true) => return Some(out(format!("{kind} {subject} is excluded by `{entry}` in {key}"))),
            (true, false) => included = included.or(Some(entry)),
            (false, _) => {}
        }
    }
    Some(match (included, only_excludes) {
        (Some(entry), _) => Verdict { included: true, why: format!("{kind} {subject} matches `{entry}`") },
        (None, true) => Verdict { included: true, why: format!("{kind} {subject} is not excluded") },
        (None, false) => out(format!("{kind} {subject} matches none of {key} [{shown}]")),
    })
}

/// What an entry means once its `!` is gone.
#[derive(Debug)]
enum Matcher<'a> {
    Name(&'a str),
    Regex(Regex),
}

impl<'a> Matcher<'a> {
    fn new(word: &'a str, names: &BTreeMap<String, String>) -> Result<Self, BadPattern> {
        if let Some(inline) = word.strip_prefix("re:") {
            return compile(inline).map(Self::Regex);
        }
        match names.get(word) {
            Some(policy) => compile(policy).map(Self::Regex),
            None if is_plain_name(word) => Ok(Self::Name(word)),
            None => compile(word).map(Self::Regex),
        }
    }

    fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Name(name) => *name == subject,
            Self::Regex(regex) => regex.is_match(subject),
        }
    }
}

fn split(entry: &str) -> (bool, &str) {
    let entry = entry.trim();
    match entry.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, entry),
    }
}

/// A whole name rather than a pattern or a part of one: no regex character, and no separator at its ends (`release/`, `-rc`).
fn is_plain_name(word: &str) -> bool {
    let ends = |c: char| c.is_alphanumeric();
    word.starts_with(ends)
        && word.ends_with(ends)
        && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '/'))
}

fn mistyped(word: &str, names: &BTreeMap<String, String>) -> Option<String> {
    // Short words are near to everything, and `main` beside a policy `mainline` is meant.
    if word.len() < 4 || word.contains('/') || names.contains_key(word) || !is_plain_name(word) {
        return None;
    }
    nearest(word, names.keys().map(String::as_str)).map(str::to_owned)
}

fn compile(pattern: &str) -> Result<Regex, BadPattern> {
    let bad = |why: String| BadPattern::Regex { pattern: pattern.chars().take(80).collect(), why };
    if pattern.len() > LONGEST {
        return Err(bad(format!("it is longer than {LONGEST} bytes")));
    }
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).nest_limit(50).build().map_err(
        |error| {
            match error {
                regex::Error::CompiledTooBig(_) => bad("it becomes too large".to_owned()),
                // The last line says what; those before it draw the pattern again.
                other => {
                    bad(other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
                }
            }
        },
    )
}

/// The event as the config writes it.
pub fn event_name(event: EventKind) -> String {
    serde_json::to_value(event).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn out(why: String) -> Verdict {
    Verdict { included: false, why }
}

#[cfg(test)]
mod tests;
