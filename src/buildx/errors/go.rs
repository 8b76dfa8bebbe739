//! Go: what `go build`, `vet` and `test` say, and a program that panics.
//!
//! A test names its file alone: the import path of its package is put before it, as
//! `example.com/app/pkg/./a_test.go`; `go.mod` tells whose directory that is.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{extension, found, place, traced};
use super::{Found, Rank};

/// Lines of one failed test that are kept, the last ones: `t.Log` and `t.Error` look alike, and a test ends with the latter.
const OF_A_TEST: usize = 5;

/// A test, by its package's turn in the log and its name.
type Test<'a> = (usize, &'a str);

/// `./main.go:10:2: …`, `go: …`, `--- FAIL: TestX`, `panic: …`.
pub(super) fn read(lines: &[&str]) -> Vec<Found> {
    const CHATTER: [&str; 6] = ["downloading ", "finding ", "extracting ", "added ", "upgraded ", "found "];
    let tests = Tests::of(lines);
    let mut said: BTreeMap<Test<'_>, Vec<Found>> = BTreeMap::new();
    let mut all = Vec::new();
    // Below `# package` stand a compiler's errors.
    let mut compiled = false;
    for (i, line) in lines.iter().enumerate() {
        let text = line.strip_prefix("vet: ").unwrap_or(line).trim_start();
        let indented = line.starts_with([' ', '\t']);
        compiled = line.starts_with("# ") || compiled && (indented || place(text).is_some());
        if let Some((mut at, message)) = place(text).filter(|(at, _)| is_go(&at.file)) {
            let below = || if indented { said_below(&lines[i..]) } else { None };
            let Some(message) = remark(message).or_else(|| message.is_empty().then(below)?) else { continue };
            let test = tests.at(i).filter(|_| indented);
            if let Some(package) = test.and_then(|(package, _)| tests.packages.get(package))
                && *package != "command-line-arguments"
                && !at.file.contains('/')
            {
                at.file = format!("{package}/./{}", at.file);
            }
            // What a program logs begins with a place, too.
            let logged = at.column.is_none() && !compiled && text.len() == line.len();
            let error = found(Rank::Mistake, i, "go", Some(at), &message, line);
            match test {
                Some(test) if tests.failed.contains(&test) => said.entry(test).or_default().push(error),
                Some(_) => {}
                None if tests.any && (indented || logged) => {}
                None => all.push(error),
            }
        } else if let Some(message) = line.strip_prefix("go: ") {
            if !CHATTER.iter().any(|c| message.starts_with(c)) {
                // What is wrong follows on lines of its own.
                let head = message.ends_with("go.mod:") || message.ends_with("go.work:");
                all.push(found(if head { Rank::Summary } else { Rank::Mistake }, i, "go", None, message, line));
            }
        } else if line.starts_with("panic: ") || *line == "WARNING: DATA RACE" || is_fatal(&lines[i..]) {
            let places = lines[i..].iter().take(60).filter_map(|l| place(l.trim_start())).map(|(at, _)| at);
            let frames = places.filter(|at| extension(&at.file) == "go").collect();
            all.push(traced(Rank::Mistake, i, "go", frames, is_library, line, line));
        } else if let Some(test) = text.strip_prefix("--- FAIL: ") {
            let test = test.split(' ').next().unwrap_or(test);
            all.push(found(Rank::Summary, i, "go", None, &format!("test {test} failed"), line));
        }
    }
    for errors in said.into_values() {
        let first = errors.len().saturating_sub(OF_A_TEST);
        all.extend(errors.into_iter().skip(first));
    }
    all
}

fn is_go(file: &str) -> bool {
    extension(file) == "go" || ["go.mod", "go.sum", "go.work"].contains(&file.rsplit('/').next().unwrap_or(file))
}

/// The toolchain's own sources, and other people's modules.
fn is_library(file: &str) -> bool {
    file.contains("/go/src/") || file.contains("/go/pkg/mod/")
}

/// What a line says of its place, where that is an error: no frame of a stack, none of cgo's warnings, not the second half of
/// a remark.
fn remark(message: &str) -> Option<String> {
    const ASIDE: [&str; 5] = ["+0x", "warning: ", "note: ", "other declaration of ", "too many errors"];
    let message = ["fatal error: ", "error: "].iter().find_map(|p| message.strip_prefix(p)).unwrap_or(message);
    (!message.is_empty() && !ASIDE.iter().any(|a| message.starts_with(a))).then(|| message.to_owned())
}

/// What a test says that begins with a new line, as testify does: its `Error:`, or its first line.
fn said_below(lines: &[&str]) -> Option<String> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let (head, below) = lines.split_first()?;
    let below: Vec<&str> = below.iter().take(12).take_while(|l| depth(l) > depth(head)).map(|l| l.trim()).collect();
    let Some(at) = below.iter().position(|l| l.starts_with("Error:")) else {
        return below.into_iter().find(|l| !l.is_empty()).map(str::to_owned);
    };
    let words = below[at].trim_start_matches("Error:").split_whitespace();
    let values = below[at + 1..].iter().take_while(|l| l.starts_with("expected") || l.starts_with("actual"));
    Some(words.chain(values.flat_map(|l| l.split_whitespace())).collect::<Vec<_>>().join(" "))
}

/// The runtime's own end, `fatal error: all goroutines are asleep - deadlock!`, and not a C compiler's.
fn is_fatal(lines: &[&str]) -> bool {
    lines[0].starts_with("fatal error: ") && lines.iter().skip(1).take(6).any(|l| l.starts_with("goroutine "))
}

/// Which test each line belongs to, and which tests failed.
#[derive(Default)]
struct Tests<'a> {
    of_line: Vec<Option<Test<'a>>>,
    failed: BTreeSet<Test<'a>>,
    /// Import paths, in the order in which the packages ended.
    packages: Vec<&'a str>,
    /// The log tells of tests at all.
    any: bool,
}

impl<'a> Tests<'a> {
    /// With `-v` a test's lines stand below `=== RUN`, `=== CONT` or `=== NAME` and above its result; without, below its
    /// `--- FAIL`.
    fn of(lines: &[&'a str]) -> Self {
        let mut tests = Self::default();
        let (mut package, mut now) = (0, None);
        for line in lines {
            if let Some(name) = turn(line) {
                (now, tests.any) = (Some((package, name)), true);
            } else if let Some((failed, name)) = result(line) {
                now = failed.then_some((package, name));
                tests.failed.extend(now);
                tests.any = true;
            } else if let Some(path) = end(line) {
                (package, now) = (package + 1, None);
                tests.packages.push(path);
            }
            tests.of_line.push(now);
        }
        // The beginning of a long log is lost: a line that is nobody's is of the test whose result comes next.
        let mut next = None;
        for (line, of) in lines.iter().zip(&mut tests.of_line).rev() {
            match result(line) {
                Some((_, name)) => next = Some((package, name)),
                None if end(line).is_some() => (package, next) = (package.saturating_sub(1), None),
                None if line.starts_with("=== ") => next = None,
                None => *of = of.or(next),
            }
        }
        tests
    }

    fn at(&self, line: usize) -> Option<Test<'a>> {
        self.of_line.get(line).copied().flatten()
    }
}

/// `=== RUN   TestA/two`; gotestsum ends with `=== FAIL: package TestA (0.00s)`.
fn turn(line: &str) -> Option<&str> {
    let rest = ["=== RUN ", "=== CONT ", "=== NAME "].iter().find_map(|head| line.strip_prefix(head))?;
    Some(rest.trim())
}

/// `--- FAIL: TestA (0.00s)`: whether it failed, and which.
fn result(line: &str) -> Option<(bool, &str)> {
    if let Some(rest) = line.strip_prefix("=== FAIL: ") {
        return Some((true, rest.split(' ').nth(1)?));
    }
    let rest = line.trim_start().strip_prefix("--- ")?;
    let (verdict, name) = rest.split_once(": ")?;
    let failed = match verdict {
        "FAIL" => true,
        "PASS" | "SKIP" | "BENCH" => false,
        _ => return None,
    };
    Some((failed, name.split(' ').next().unwrap_or(name)))
}

/// The end of a package's tests: `ok` or `FAIL`, a tab, and its import path.
fn end(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("FAIL\t").or_else(|| line.strip_prefix("ok  \t"))?;
    rest.split_whitespace().next()
}
