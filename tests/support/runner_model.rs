//! What runners do with the log and the files of a job, as small models of their own parsers: they judge what we write, and share
//! nothing with it.
//!
//! Actions: `ActionCommand` and `ActionCommandManager` of actions/runner (a command at the start of a line after white
//! space, the old form anywhere, `stop-commands` until its token), `FileCommandManager` for files. Gitea and Forgejo read the
//! same log with a stricter pattern, so what commands nobody here commands nobody there. GitLab: section markers.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

/// A command a runner carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) data: String,
}

/// What became of a log.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Commands carried out, in order. Stopping and going on are among them.
    pub(crate) commands: Vec<Command>,
    /// Lines that are only text, and whether the runner obeyed nothing when it read them.
    pub(crate) text: Vec<(String, bool)>,
    /// Something was stopped to the end.
    pub(crate) still_stopped: bool,
}

/// Names the runner of GitHub knows, those of Gitea's and Forgejo's among them.
const KNOWN: [&str; 17] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
    "internal-set-repo-path",
    "save-state",
];

/// Reads a log as the runner does. `heeds` is false for a viewer or a runner that knows nothing of `stop-commands`.
pub(crate) fn actions_log(log: &[u8], heeds: bool) -> Read {
    let mut read = Read::default();
    let mut token: Option<String> = None;
    let log = String::from_utf8_lossy(log);
    // .NET ends lines at CR, LF and CRLF.
    for line in log.replace("\r\n", "\n").split(['\n', '\r']) {
        let command = parse(line).filter(|command| {
            let known = |name: &String| KNOWN.contains(&name.to_lowercase().as_str());
            known(&command.name) || token.as_ref().is_some_and(|token| token.eq_ignore_ascii_case(&command.name))
        });
        match (&token, command) {
            (Some(until), Some(command)) if until.eq_ignore_ascii_case(&command.name) => {
                token = None;
                read.commands.push(Command { name: "resume".into(), ..command });
            }
            (None, Some(command)) => {
                if command.name.eq_ignore_ascii_case("stop-commands") {
                    assert!(command.data.len() >= 32, "a token that can be guessed: {line}");
                    token = heeds.then(|| command.data.clone());
                }
                read.commands.push(command);
            }
            (stopped, _) => read.text.push((line.to_owned(), stopped.is_some())),
        }
    }
    read.still_stopped = token.is_some();
    read
}

/// Either form of a command.
fn parse(line: &str) -> Option<Command> {
    let trimmed = line.trim_start_matches(|c: char| c.is_whitespace() || is_ignored(c));
    if let Some(rest) = trimmed.strip_prefix("::") {
        let (head, data) = rest.split_once("::")?;
        return Some(command(head, data, ','));
    }
    // Anywhere in the line, and through characters that a comparison by culture does not see.
    let seen: String = line.chars().filter(|c| !is_ignored(*c)).collect();
    let rest = &seen[seen.find("##[")? + 3..];
    let (head, data) = rest.split_once(']')?;
    Some(command(head, data, ';'))
}

/// Characters without weight when .NET compares texts by culture.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn command(head: &str, data: &str, separator: char) -> Command {
    let (name, properties) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
    let properties = properties.split(separator).filter_map(|pair| pair.split_once('='));
    Command {
        name: name.to_owned(),
        properties: properties.map(|(name, value)| (name.trim().to_owned(), unescaped(value))).collect(),
        data: unescaped(data),
    }
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (code, character) in [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")] {
        text = text.replace(code, character);
    }
    text
}

/// `GITHUB_OUTPUT` as the runner reads it: any line it does not understand fails the step.
pub(crate) fn file_command(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (Some(at), heredoc) if heredoc.is_none_or(|other| at < other) => {
                values.insert(line[..at].to_owned(), line[at + 1..].to_owned());
            }
            (_, Some(at)) => {
                let (name, delimiter) = (&line[..at], &line[at + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err(format!("invalid format {line:?}"));
                }
                let mut value = Vec::new();
                loop {
                    match lines.next() {
                        Some(line) if line == delimiter => break,
                        Some(line) => value.push(line),
                        None => return Err(format!("no end of {name}")),
                    }
                }
                values.insert(name.to_owned(), value.join("\n"));
            }
            (_, None) => return Err(format!("invalid format {line:?}")),
        }
    }
    Ok(values)
}

/// What GitLab takes for a marker: with or without an escape before it, wherever it stands.
const MARKER: &str = "section_(start|end):([0-9]+):([a-zA-Z0-9_.-]+)(\\[[^\\]]*\\])?\r";

/// Sections of a GitLab log, each closed in its turn.
pub(crate) fn gitlab_sections(log: &str) -> Result<Vec<String>, String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    for marker in regex::Regex::new(MARKER).unwrap().captures_iter(log) {
        let name = marker[3].to_owned();
        if &marker[1] == "start" {
            open.push(name.clone());
            all.push(name);
        } else if open.pop().as_ref() != Some(&name) {
            return Err(format!("{name} ends and was not the last to begin"));
        }
    }
    if open.is_empty() { Ok(all) } else { Err(format!("never closed: {open:?}")) }
}

/// The log without the markers that GitLab hides.
pub(crate) fn without_markers(log: &str) -> String {
    let marker = regex::Regex::new(&format!("\u{1b}\\[0K{MARKER}\u{1b}\\[0K")).unwrap();
    marker.replace_all(log, "").into_owned()
}

/// What a terminal would do beside showing text in colours: nothing, or this. GitLab's section markers must be taken out first.
pub(crate) fn terminal_commands(log: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in log.split('\n') {
        let mut rest = line;
        while let Some(at) = rest.find(|c: char| (c.is_control() && c != '\t') || turns(c)) {
            let tail = &rest[at..];
            // Colours of ours: `ESC [ digits m`.
            let colour = tail.strip_prefix("\u{1b}[").and_then(|code| {
                let end = code.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
                code[end..].strip_prefix('m')
            });
            match colour {
                Some(after) => rest = after,
                None => {
                    found.push(line.to_owned());
                    break;
                }
            }
        }
    }
    found
}

/// Turns the reading direction of what follows, or ends a line for some.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{85}')
}
