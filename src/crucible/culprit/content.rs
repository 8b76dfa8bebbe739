//! What two versions of a text differ in: single words, or only the order.

use std::collections::BTreeMap;

use super::clip;
use super::token;
use crate::crucible::proof::Cause;

/// Pairs of words that are looked at.
const PAIRS: usize = 64;
/// Lines that fit into the evidence whole.
const SHORT: usize = 60;

/// Classifies two different texts. `whole` means that they are all of the files, not only their beginnings.
pub(super) fn classify(a: &str, b: &str, whole: bool) -> (Cause, String) {
    if let Some(found) = order(a, b, whole) {
        return found;
    }
    if [a, b].iter().any(|text| is_http(text)) {
        return (Cause::Network, evidence_of_lines(a, b));
    }
    let pairs = pairs(a, b);
    let mut counts = BTreeMap::<Cause, usize>::new();
    for pair in pairs.iter().filter(|pair| pair.cause != Cause::Unknown) {
        // In a line with a date the other numbers belong to it.
        *counts.entry(pair.cause).or_default() += if pair.cause == Cause::WallClock { 2 } else { 1 };
    }
    let most = counts.values().copied().max();
    let cause = pairs.iter().map(|pair| pair.cause).find(|cause| counts.get(cause).copied() == most);
    let cause = cause.filter(|_| most.is_some()).unwrap_or(Cause::Unknown);
    let shown = pairs.iter().find(|pair| pair.cause == cause).or(pairs.first());
    let evidence = shown.map_or_else(|| lengths(a, b), Pair::evidence);
    (if cause == Cause::Unknown && is_html(a) { Cause::Network } else { cause }, evidence)
}

/// Two words in one place.
struct Pair<'t> {
    words: (String, String),
    lines: (&'t str, &'t str),
    cause: Cause,
}

impl Pair<'_> {
    fn evidence(&self) -> String {
        let (a, b) = self.lines;
        let short = |line: &str| line.chars().nth(SHORT).is_none();
        if short(a) && short(b) { both(a, b) } else { both(&self.words.0, &self.words.1) }
    }
}

fn both(a: &str, b: &str) -> String {
    format!("{} / {}", clip::line(a, clip::EVIDENCE / 2 - 2), clip::line(b, clip::EVIDENCE / 2 - 2))
}

fn lengths(a: &str, b: &str) -> String {
    match a.len() == b.len() {
        true => String::new(),
        false => format!("{} lines / {} lines", a.lines().count(), b.lines().count()),
    }
}

fn evidence_of_lines(a: &str, b: &str) -> String {
    a.lines().zip(b.lines()).find(|(a, b)| a != b).map_or_else(|| lengths(a, b), |(a, b)| both(a, b))
}

/// The words that differ, lines compared one by one.
fn pairs<'t>(a: &'t str, b: &'t str) -> Vec<Pair<'t>> {
    let mut found = Vec::new();
    for (a, b) in a.lines().zip(b.lines()).filter(|(a, b)| a != b) {
        let before = found.len();
        let (left, right) = (words(a), words(b));
        let host = tells_host(a) || tells_host(b);
        let locale = tells_locale(a) && tells_locale(b);
        if is_dump(&left) && is_dump(&right) {
            found.push(Pair { words: (a.to_owned(), b.to_owned()), lines: (a, b), cause: Cause::Random });
        } else if left.len() == right.len() {
            let differing = left.iter().zip(&right).filter(|(a, b)| a != b).take(PAIRS);
            found.extend(differing.map(|(x, y)| Pair {
                words: ((*x).to_owned(), (*y).to_owned()),
                lines: (a, b),
                cause: token::classify(x, y),
            }));
        } else {
            found.push(Pair { words: (a.to_owned(), b.to_owned()), lines: (a, b), cause: Cause::Unknown });
        }
        // What the line is about goes before the look of its words.
        let about = if host { Some(Cause::Host) } else { locale.then_some(Cause::Locale) };
        let dated = found[before..].iter().any(|pair| pair.cause == Cause::WallClock);
        for pair in &mut found[before..] {
            match about {
                Some(cause) => pair.cause = cause,
                None if dated && pair.cause == Cause::ProcessId => pair.cause = Cause::WallClock,
                None => {}
            }
        }
        if found.len() >= PAIRS {
            break;
        }
    }
    found
}

fn words(line: &str) -> Vec<&str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | '{' | '}' | '<' | '>' | ',');
    line.split(ends).filter(|word| !word.is_empty()).collect()
}

/// A line of `od` or `xxd`: nothing but groups of hex digits.
fn is_dump(words: &[&str]) -> bool {
    let group = |word: &&str| matches!(word.len(), 2 | 4 | 8) && word.bytes().all(|c| c.is_ascii_hexdigit());
    words.len() >= 4 && words.iter().all(group)
}

fn tells_host(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let key = lower.split(['=', ':', ' ']).next().unwrap_or_default();
    line.contains("Linux version ") || (line.starts_with("Linux ") && line.contains(" #")) || key.ends_with("hostname")
}

fn tells_locale(line: &str) -> bool {
    ["LANG=", "LANGUAGE=", "LC_"].iter().any(|key| line.trim_start_matches("export ").starts_with(key))
}

fn is_http(text: &str) -> bool {
    let head = || text.lines().take(40).map(str::to_ascii_lowercase);
    text.starts_with("HTTP/")
        || head().any(|line| ["etag:", "last-modified:", "x-request-id:"].iter().any(|key| line.starts_with(key)))
}

fn is_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(15).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// The same lines, or the same words, in another order.
fn order(a: &str, b: &str, whole: bool) -> Option<(Cause, String)> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let words = |text: &str| {
        text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    [(lines(a), lines(b)), (words(a), words(b))].into_iter().find_map(|(a, b)| {
        let same = if whole { is_permutation(&a, &b) } else { mostly_the_same(&a, &b) };
        let first = a.iter().zip(&b).position(|(a, b)| a != b)?;
        same.then(|| {
            let cause = if is_collation(&a, &b) { Cause::Locale } else { Cause::Order };
            (cause, format!("place {}: {}", first + 1, both(&a[first], &b[first])))
        })
    })
}

fn is_permutation(a: &[String], b: &[String]) -> bool {
    a.len() > 1 && a.len() == b.len() && count(a) == count(b)
}

fn count(items: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    items.iter().for_each(|item| *counts.entry(item.as_str()).or_default() += 1);
    counts
}

/// Of two beginnings of longer lists most is in both. The last item may be cut.
fn mostly_the_same(a: &[String], b: &[String]) -> bool {
    let (a, b) = (&a[..a.len().saturating_sub(1)], &b[..b.len().saturating_sub(1)]);
    let (in_a, in_b) = (count(a), count(b));
    let common: usize = in_a.iter().map(|(item, n)| *n.min(in_b.get(item).unwrap_or(&0))).sum();
    let moved = a.iter().zip(b).filter(|(x, y)| x != y && in_b.contains_key(x.as_str())).count();
    a.len() >= 8
        && common * 10 >= a.len().max(b.len()) * 6
        && moved * 2 >= a.iter().zip(b).filter(|(x, y)| x != y).count()
}

/// Both are sorted: one by bytes, the other as a language sorts, where case and punctuation come last.
fn is_collation(a: &[String], b: &[String]) -> bool {
    let plain =
        |text: &String| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let by_language = |items: &[String]| items.is_sorted_by_key(plain);
    (a.is_sorted() && by_language(b)) || (b.is_sorted() && by_language(a))
}

#[cfg(test)]
mod tests;
