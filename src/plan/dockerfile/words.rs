//! Words of a Dockerfile line: splitting at spaces outside quotes, removing quotes, putting variables in.

use std::collections::BTreeMap;

/// Splits at white space outside quotes. Quotes and escapes stay in the words.
pub(super) fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut chars) = (Vec::new(), String::new(), None, text.chars());
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Removes quotes and the escapes before them.
pub(super) fn unquote(word: &str) -> String {
    let (mut out, mut quote, mut chars) = (String::with_capacity(word.len()), None, word.chars());
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => out.extend(chars.next()),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => out.push(c),
        }
    }
    out
}

/// Puts variables in: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}` and both without the colon. `None` where
/// the result is not certain: a variable without value, an operator we do not know.
pub(super) fn expand(text: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (value, tail) = match after.strip_prefix('{') {
            Some(braced) => {
                let (inside, tail) = braced.split_once('}')?;
                (braced_value(inside, values)?, tail)
            }
            None => {
                let (name, tail) = name(after);
                (values.get(name)?.clone(), tail)
            }
        };
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

fn braced_value(inside: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let (name, operator) = name(inside);
    let value = values.get(name);
    let nonempty = value.filter(|v| !v.is_empty());
    // A default that holds a variable itself would end at the wrong brace: not certain.
    if operator.contains('$') {
        return None;
    }
    match operator {
        "" => value.cloned(),
        _ => match (operator.strip_prefix(":-"), operator.strip_prefix(":+")) {
            (Some(default), _) => Some(nonempty.cloned().unwrap_or_else(|| default.to_owned())),
            (_, Some(other)) => Some(if nonempty.is_some() { other.to_owned() } else { String::new() }),
            _ => match (operator.strip_prefix('-'), operator.strip_prefix('+')) {
                (Some(default), _) => Some(value.cloned().unwrap_or_else(|| default.to_owned())),
                (_, Some(other)) => Some(if value.is_some() { other.to_owned() } else { String::new() }),
                _ => None,
            },
        },
    }
}

fn name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}
