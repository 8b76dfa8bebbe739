//! The files a runner reads after a step, read by its rules.

use std::collections::BTreeMap;

/// `GITHUB_OUTPUT`, as actions/runner reads it: `name=value`, or `name<<delimiter` and lines up to the delimiter.
///
/// Panics where the runner would fail the step.
pub(crate) fn github(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let equals = line.find('=').unwrap_or(usize::MAX);
        let heredoc = line.find("<<").unwrap_or(usize::MAX);
        let (name, value) = if equals < heredoc {
            line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap()
        } else {
            let (name, delimiter) = line.split_once("<<").unwrap_or_else(|| panic!("invalid format: {line:?}"));
            assert!(!name.is_empty() && !delimiter.is_empty(), "invalid format: {line:?}");
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    Some(end) if end == delimiter => break,
                    Some(part) => value.push(part),
                    None => panic!("no end of {line:?}"),
                }
            }
            (name.to_owned(), value.join("\n"))
        };
        assert!(outputs.insert(name.clone(), value).is_none(), "{name} twice");
    }
    outputs
}

/// A GitLab dotenv report: 5 KiB, 20 variables, one line each, no expansion.
pub(crate) fn dotenv(text: &str) -> BTreeMap<String, String> {
    assert!(text.len() <= 5120, "{} bytes", text.len());
    let mut variables = BTreeMap::new();
    for line in text.lines() {
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("invalid line: {line:?}"));
        assert!(!key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{key:?}");
        assert!(!value.contains('$') && value.trim() == value, "{value:?}");
        assert!(variables.insert(key.to_owned(), value.to_owned()).is_none(), "{key} twice");
    }
    assert!(variables.len() <= 20, "{} variables", variables.len());
    variables
}
