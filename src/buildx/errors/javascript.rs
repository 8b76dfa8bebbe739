//! Bundlers and test runners of JavaScript.

use super::scan::{digits, extension, found, location, place, place_in_parens, traced};
use super::scripts::stack_frame;
use super::{Found, Rank};
use crate::problem::Location;

/// esbuild (`✘ [ERROR] …` with the place below), vite and rollup (`error during build:`, `[!] …`), webpack (`ERROR in
/// ./src/a.js 1:0-30`), ts-loader (`[tsl] ERROR in /app/src/a.ts(3,7)`), Babel (`SyntaxError: /app/a.js: … (4:2)`).
pub(super) fn bundlers(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let below = || lines[i + 1..].iter().take(8).map(|l| l.trim()).filter(|l| !l.is_empty());
        if let Some(message) = line.strip_prefix("✘ [ERROR] ") {
            let at = below()
                .find_map(|l| place(l.strip_suffix(':')?))
                .map(|(at, _)| location(&at.file, at.line, at.column.map(|c| c + 1)));
            all.push(found(Rank::Mistake, i, "esbuild", at, message, line));
        } else if let Some(rest) = line.strip_prefix("error during build:").map(str::trim) {
            // rolldown counts its errors first.
            let said = || below().find(|l| !l.starts_with("Build failed with "));
            let Some(message) = Some(rest).filter(|rest| !rest.is_empty()).or_else(said) else { continue };
            let file = below().find_map(|l| l.strip_prefix("file: "));
            let at = file.map(|file| place(file).map_or_else(|| location(file, None, None), |(at, _)| at));
            let at = at.or_else(|| below().find_map(drawn));
            all.push(found(Rank::Mistake, i, "vite", at, message, line));
        } else if let Some(message) = line.strip_prefix("[!] ") {
            let at =
                below().find_map(|l| babel_place(l)).map(|(file, row, column)| location(file, Some(row), Some(column)));
            all.push(found(Rank::Mistake, i, "rollup", at, message, line));
        } else if let Some((at, _)) = line.strip_prefix("[tsl] ERROR in ").and_then(place_in_parens) {
            all.push(found(Rank::Mistake, i, "tsc", Some(at), below().next().unwrap_or(line), line));
        } else if let Some((at, message)) = babel(line) {
            all.push(found(Rank::Mistake, i, "babel", Some(at), message, line));
        } else if let Some(rest) = line.strip_prefix("ERROR in ") {
            // What a loader says is told by it.
            if !below().take(3).any(|l| l.starts_with("[tsl] ERROR in ") || babel(l).is_some()) {
                all.extend(webpack(i, line, rest, below().next()));
            }
        }
    }
    all
}

fn webpack(i: usize, line: &str, rest: &str, below: Option<&str>) -> Option<Found> {
    // fork-ts-checker has places as other tools write them.
    if let Some((at, _)) = place(rest).filter(|(_, rest)| rest.is_empty()) {
        let typescript = below.is_some_and(|l| l.starts_with("TS"));
        let tool = if typescript { "tsc" } else { "webpack" };
        return Some(found(Rank::Mistake, i, tool, Some(at), below.unwrap_or(rest), line));
    }
    let (file, range) = rest.split_once(' ').unwrap_or((rest, ""));
    let place = digits(range).and_then(|(row, rest)| Some((row, digits(rest.strip_prefix(':')?)?.0)));
    // It counts columns from nought.
    let at = match place {
        Some((row, column)) => location(file, Some(row), Some(column + 1)),
        None => location(file, None, None),
    };
    file.contains(['/', '.']).then(|| found(Rank::Mistake, i, "webpack", Some(at), below.unwrap_or(rest), line))
}

/// `SyntaxError: /app/src/App.js: Unexpected token (12:3)`, whose columns begin at nought.
fn babel(line: &str) -> Option<(Location, &str)> {
    let (_, rest) = line.split_once("SyntaxError: ").filter(|(before, _)| before.len() < 32)?;
    let (file, said) = rest.split_once(": ").filter(|(file, _)| file.contains(['/', '.']) && !file.contains(' '))?;
    let (message, row, column) = babel_place(said)?;
    Some((location(file, Some(row), Some(column.saturating_add(1))), message))
}

/// `text (4:2)`.
fn babel_place(text: &str) -> Option<(&str, u32, u32)> {
    let (before, numbers) = text.trim_end_matches([')', ':']).rsplit_once(" (")?;
    let (row, rest) = digits(numbers)?;
    let (column, rest) = digits(rest.strip_prefix(':')?)?;
    rest.is_empty().then_some((before, row, column))
}

/// next build: `./app/page.tsx:12:9`, or the path alone, and below it `Type error: …`, `Module not found: …`, a syntax error with
/// the place in its frame, or rows of eslint.
pub(super) fn next(lines: &[&str]) -> Vec<Found> {
    const HEADS: [&str; 5] = ["Type error: ", "Module not found: ", "Error: ", "Syntax error: ", "SyntaxError: "];
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("./")) {
        let alone = || {
            let file = !line.contains(|c: char| c.is_whitespace() || c == ':') && !extension(line).is_empty();
            file.then(|| location(line, None, None))
        };
        let Some(at) = place(line).filter(|(_, rest)| rest.is_empty()).map(|(at, _)| at).or_else(alone) else {
            continue;
        };
        let below = &lines[i + 1..];
        for (row, text) in below.iter().enumerate().take_while(|(_, text)| !text.trim().is_empty()) {
            if let Some((line, column, message)) = lint(text) {
                let at = location(&at.file, Some(line), Some(column));
                all.push(found(Rank::Mistake, i + 1 + row, "eslint", Some(at), &message, text));
            }
        }
        let Some(said) = below.first().filter(|said| HEADS.iter().any(|head| said.starts_with(head))) else { continue };
        let said = said.strip_prefix("Error:").unwrap_or(said).trim().trim_start_matches(['×', 'x', ' ']);
        let drawn = below.iter().take(8).find_map(|text| drawn(text));
        all.push(found(Rank::Mistake, i, "next", Some(drawn.unwrap_or(at)), said, line));
    }
    all
}

/// The head of a frame: `   ,-[/app/app/page.tsx:4:1]`, `   ╭─[ src/main.js:2:10 ]`.
fn drawn(text: &str) -> Option<Location> {
    let (_, at) = text.split_once("─[").or_else(|| text.split_once("-["))?;
    place(at.trim_end().strip_suffix(']')?.trim()).map(|(at, _)| at)
}

/// `5:10  Error: 'x' is never used.  no-unused-vars`.
fn lint(text: &str) -> Option<(u32, u32, String)> {
    let (row, rest) = digits(text)?;
    let (column, rest) = digits(rest.strip_prefix(':')?)?;
    let message = rest.trim_start().strip_prefix("Error: ")?;
    let message =
        message.rsplit_once("  ").map_or_else(|| message.to_owned(), |(m, rule)| format!("{} ({rule})", m.trim()));
    Some((row, column, message))
}

/// vitest and jest: ` FAIL  src/a.test.js > adds`, the error below it, its place behind `❯` or in a frame. jest tells all tests of
/// a file below one head, each behind a `●`, and before them what the file printed.
pub(super) fn tests(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some(file) = failed_file(line) else { continue };
        let is_next = |l: &str| ["FAIL ", "PASS "].iter().any(|mark| l.trim_start().starts_with(mark));
        let end = lines[i + 1..].iter().position(|l| is_next(l)).map_or(lines.len(), |at| i + 1 + at);
        let heads: Vec<usize> = (i + 1..end).filter(|&at| lines[at].starts_with("  ● ")).collect();
        let ends = heads.iter().skip(1).copied().chain([end]);
        let tests = heads.iter().copied().zip(ends).filter(|(head, _)| lines[*head].trim_end() != "  ● Console");
        let tests: Vec<_> = tests.collect();
        if tests.is_empty() {
            all.push(test(lines, i, end.min(i + 31), file));
        }
        all.extend(tests.into_iter().map(|(head, end)| test(lines, head, end.min(head + 61), file)));
    }
    all
}

/// ` FAIL  |unit| src/a.test.js > adds`, where a project of vitest has a name.
fn failed_file(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("FAIL ").filter(|_| line.starts_with([' ', 'F']))?.trim();
    let rest = rest.strip_prefix('|').and_then(|rest| rest.split_once("| ")).map_or(rest, |(_, rest)| rest);
    let file = rest.split_once(" > ").map_or(rest, |(file, _)| file);
    (!file.contains(char::is_whitespace) && file.contains('.')).then_some(file)
}

/// What stands below a head: message and place.
fn test(lines: &[&str], head: usize, end: usize, file: &str) -> Found {
    let below = || lines[head + 1..end].iter().map(|l| l.trim());
    let named = below().find(|l| l.contains("Error: ") || l.starts_with("expect("));
    let first = || below().find(|l| !l.is_empty()).filter(|_| lines[head].starts_with("  ● "));
    let pointed = |l: &str| place(l.strip_prefix("❯ ")?).map(|(at, _)| at);
    let ours = |at: &Location| !at.file.contains("node_modules");
    let at = below().find_map(|l| pointed(l).or_else(|| stack_frame(l)).filter(ours));
    let at = at.unwrap_or_else(|| location(file, None, None));
    found(Rank::Mistake, head, "test", Some(at), named.or_else(first).unwrap_or(lines[head]), lines[head])
}

/// Lines that a test printed, which say nothing of whether it passed: jest's `    console.error` and what is indented below it,
/// vitest's `stderr | src/a.test.js > adds` and what follows, to a blank line.
pub(super) fn printed(lines: &[&str]) -> Vec<bool> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut printed = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let jest = ["error", "warn", "log", "info", "debug"].iter().any(|to| line.trim() == format!("console.{to}"));
        let vitest = ["stderr | ", "stdout | "].iter().any(|mark| line.starts_with(mark));
        let goes_on = |l: &str| match jest {
            true => l.trim().is_empty() || depth(l) > depth(line),
            false => !l.trim().is_empty(),
        };
        let end = lines[at + 1..].iter().position(|l| !goes_on(l)).map_or(lines.len(), |n| at + 1 + n);
        if (jest && depth(line) > 0) || vitest {
            printed[at..end].fill(true);
            at = end;
        } else {
            at += 1;
        }
    }
    printed
}

/// node's own test runner where nobody looks on (TAP): `not ok 1 - total`, and below it message and stack.
pub(super) fn tap(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((_, name)) = line.trim_start().strip_prefix("not ok ").and_then(|rest| rest.split_once(" - ")) else {
            continue;
        };
        let below = lines[i + 1..].iter().take(60).map(|l| l.trim()).take_while(|l| *l != "...");
        let below: Vec<&str> = below.collect();
        let Some(at) = below.iter().find_map(|l| place(l.strip_prefix("location: '")?.trim_end_matches('\''))) else {
            continue;
        };
        let message = below.iter().skip_while(|l| !l.starts_with("error: ")).map(|l| l.trim_start_matches("error: "));
        let message = message.map(|l| l.trim_matches('\'')).find(|l| !matches!(*l, "|-" | "")).unwrap_or(name);
        let stack = below.iter().skip_while(|l| !l.starts_with("stack: ")).skip(1);
        let frames = stack.filter_map(|l| stack_frame(&format!("at {l}"))).chain([at.0]).collect();
        // A suite says that one of its tests failed, which has spoken.
        let rank = if below.contains(&"failureType: 'subtestsFailed'") { Rank::Summary } else { Rank::Mistake };
        all.push(traced(rank, i, "test", frames, |file| file.contains("node_modules/"), message, line));
    }
    all
}
