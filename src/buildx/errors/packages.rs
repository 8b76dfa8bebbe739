//! Package managers.

use super::scan::{digits, found, location};
use super::{Found, Rank};
use crate::problem::Location;

/// Codes of Yarn's that are errors wherever they stand.
const YARN: [&str; 8] = ["YN0001", "YN0009", "YN0016", "YN0018", "YN0020", "YN0028", "YN0035", "YN0082"];

/// npm (`npm ERR! …`, since 10 `npm error …`) and pnpm: code and message as one error.
pub(super) fn npm(lines: &[&str]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut code: Option<&str> = None;
    let mut open = false;
    for (i, line) in lines.iter().enumerate() {
        if let Some((_, message)) = line.split_once("ERR_PNPM_") {
            all.push(found(Rank::Mistake, i, "pnpm", None, message, line));
        }
        // Yarn 2 and later: `➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.`
        if let Some((code, message)) = line.strip_prefix("➤ ").and_then(|l| l.split_once(": "))
            && YARN.contains(&code)
        {
            all.push(found(
                Rank::Mistake,
                i,
                "yarn",
                None,
                message.trim_start_matches(['│', '└', '┌', '─', ' ']),
                line,
            ));
        }
        let Some(text) = line.strip_prefix("npm ERR!").or_else(|| line.strip_prefix("npm error")) else {
            (code, open) = (None, false);
            continue;
        };
        let text = text.trim();
        if let Some(named) = text.strip_prefix("code ") {
            // `code 1` is the exit code of a script that has spoken for itself.
            code = Some(named).filter(|c| !c.bytes().all(|b| b.is_ascii_digit()));
            open = false;
        } else if !open && is_message(text) {
            open = true;
            let message = code.map_or_else(|| text.to_owned(), |code| format!("{code}: {text}"));
            let script = text.starts_with("Missing script");
            let rank = if code.is_some() || script { Rank::Mistake } else { Rank::Summary };
            // These two are about the file, wherever in it.
            let manifest = script || (code == Some("EJSONPARSE") && text.contains("package.json"));
            let at = manifest.then(|| location("package.json", None, None));
            all.push(found(rank, i, "npm", at, &message, line));
        }
    }
    all
}

/// Not one of npm's many lines about where and how.
fn is_message(text: &str) -> bool {
    const ASIDE: [&str; 8] =
        ["path ", "errno ", "syscall ", "A complete log", "command ", "Lifecycle script", "workspace ", "location "];
    !text.is_empty() && !ASIDE.iter().any(|aside| text.starts_with(aside))
}

/// pip: `ERROR: No matching distribution …`, with the requirements file where it names one.
pub(super) fn pip(lines: &[&str]) -> Vec<Found> {
    const TELLING: [&str; 6] = [
        "Could not find a version",
        "No matching distribution",
        "Could not open requirements file",
        "Invalid requirement",
        "Cannot install",
        "ResolutionImpossible",
    ];
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(message) = line.strip_prefix("ERROR: ").filter(|m| TELLING.iter().any(|t| m.starts_with(t))) {
            let by_file = || {
                let (file, rest) = message.split_once("(from -r ")?.1.split_once(" (line ")?;
                Some(location(file, Some(digits(rest)?.0), None))
            };
            let by_line = || {
                let (number, rest) = digits(message.split_once("(from line ")?.1)?;
                Some(location(rest.strip_prefix(" of ")?.split(')').next()?, Some(number), None))
            };
            let file = by_file().or_else(by_line);
            all.push(found(Rank::Mistake, i, "pip", file, message, line));
        } else if let Some(message) = line.strip_prefix("      error: ").filter(|m| !m.starts_with("command ")) {
            // setuptools, in the output that pip shows.
            all.push(found(Rank::Mistake, i, "pip", None, message, line));
        } else if line.trim_start().starts_with("error: subprocess-exited-with-error")
            || line.starts_with("ERROR: Failed building wheel")
            || line.starts_with("ERROR: Failed to build ")
        {
            let message = line.trim_start().split_once(": ").map_or(*line, |(_, m)| m);
            all.push(found(Rank::Summary, i, "pip", collected(&lines[..i]), message, line));
        }
    }
    all
}

/// The line of the requirements file that asked for what pip fetched or prepared last: `Collecting foo==1.0 (from -r
/// requirements.txt (line 2))`.
fn collected(above: &[&str]) -> Option<Location> {
    let last = above.iter().rev().find(|l| l.starts_with("Collecting ") || l.starts_with("Processing "))?;
    let built = above.iter().rev().take(30).find_map(|l| l.trim_start().strip_prefix("Building wheel for "));
    // Wheels are built in another order than they were fetched.
    let name = built.and_then(|l| l.split(' ').next()).map(|name| format!("Collecting {name}"));
    let asked = match name {
        Some(name) => above.iter().rev().find(|l| l.starts_with(&name))?,
        None => last,
    };
    let (file, rest) = asked.split_once("(from -r ")?.1.split_once(" (line ")?;
    Some(location(file, Some(digits(rest)?.0), None))
}

/// apt (`E: …`), apk (`ERROR: unable to select packages:` and the names below), dnf (`Error: Unable to find a match`).
pub(super) fn system(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(message) = line.strip_prefix("E: ") {
            let closing = ["Unable to fetch some archives", "Sub-process", "Some index files failed"];
            let closing = closing.iter().any(|c| message.starts_with(c));
            let rank = if closing { Rank::Summary } else { Rank::Mistake };
            let mut message = message.to_owned();
            if message.contains("held broken packages") {
                // Which, it says on its other stream, before or after.
                let needs = lines.iter().filter(|l| l.starts_with(' ') && l.contains(" Depends: ")).take(3);
                needs.for_each(|need| message.push_str(&format!(" {};", need.trim())));
            }
            all.push(found(rank, i, "apt", None, message.trim_end_matches(';'), line));
        } else if line.starts_with("ERROR: unable to select packages") {
            for (below, name) in lines[i + 1..].iter().take(10).enumerate().take_while(|(_, l)| l.starts_with("  ")) {
                if name.ends_with("):") || name.contains("(no such package)") {
                    all.push(found(Rank::Mistake, i + 1 + below, "apk", None, name.trim().trim_end_matches(':'), name));
                }
            }
        } else if let Some(message) = line.strip_prefix("Error: ").filter(|m| m.starts_with("Unable to find a match")) {
            all.push(found(Rank::Mistake, i, "dnf", None, message, line));
        }
    }
    all
}
