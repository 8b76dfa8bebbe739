//! Package managers.

use super::scan::{digits, found, location};
use super::{Found, Rank};

/// npm (`npm ERR! …`, since 10 `npm error …`) and pnpm: code and message as one error.
pub(super) fn npm(lines: &[&str]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut code: Option<&str> = None;
    let mut open = false;
    for (i, line) in lines.iter().enumerate() {
        if let Some((_, message)) = line.split_once("ERR_PNPM_") {
            all.push(found(Rank::Mistake, i, "pnpm", None, message, line));
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
            let rank = if code.is_some() || text.starts_with("Missing script") { Rank::Mistake } else { Rank::Summary };
            all.push(found(rank, i, "npm", None, &message, line));
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
            let file = message.split_once("(from -r ").and_then(|(_, rest)| {
                let (file, rest) = rest.split_once(" (line ")?;
                Some(location(file, Some(digits(rest)?.0), None))
            });
            all.push(found(Rank::Mistake, i, "pip", file, message, line));
        } else if line.trim_start().starts_with("error: subprocess-exited-with-error")
            || line.starts_with("ERROR: Failed building wheel")
            || line.starts_with("ERROR: Failed to build ")
        {
            let message = line.trim_start().split_once(": ").map_or(*line, |(_, m)| m);
            all.push(found(Rank::Summary, i, "pip", None, message, line));
        }
    }
    all
}

/// apt (`E: …`), apk (`ERROR: unable to select packages:` and the names below), dnf (`Error: Unable to find a match`).
pub(super) fn system(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(message) = line.strip_prefix("E: ") {
            let closing = message.starts_with("Unable to fetch some archives") || message.starts_with("Sub-process");
            let rank = if closing { Rank::Summary } else { Rank::Mistake };
            all.push(found(rank, i, "apt", None, message, line));
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
