//! Java and its kin: compilers, Maven, Gradle, exceptions.

use super::scan::{digits, extension, found, location, place, traced};
use super::scripts::is_exception;
use super::{Found, Rank};
use crate::problem::Location;

/// `error: ` in the languages of the JDK.
const ERROR: [&str; 4] = ["error: ", "エラー: ", "错误: ", "Fehler: "];

/// javac (`Main.java:3: error: …`), Maven (`[ERROR] /app/Main.java:[3,5] …`), Kotlin (`e: file:///…/Main.kt:3:5 …`).
pub(super) fn compilers(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(rest) = ["[ERROR] ", "[FATAL] "].iter().find_map(|tag| line.strip_prefix(tag)) {
            all.extend(maven(i, rest.trim_start(), lines));
        } else if let Some(rest) = line.strip_prefix("e: ") {
            let kotlin = place(rest.strip_prefix("file://").unwrap_or(rest)).or_else(|| former_kotlin(rest));
            all.extend(kotlin.map(|(at, message)| found(Rank::Mistake, i, "kotlinc", Some(at), message, line)));
        } else if let Some((at, rest)) = place(without_task(line))
            && extension(&at.file) == "java"
            && let Some(message) = ERROR.iter().find_map(|word| rest.strip_prefix(word))
        {
            let message = with_symbol(message, lines.iter().skip(i + 1).take(5));
            all.push(found(Rank::Mistake, i, "javac", Some(at), &message, line));
        }
    }
    all
}

/// Before Kotlin 1.9, `/app/src/main/kotlin/App.kt: (3, 9): Unresolved reference: foo`.
fn former_kotlin(text: &str) -> Option<(Location, &str)> {
    let (path, rest) = text.split_once(": (")?;
    let (row, rest) = digits(rest)?;
    let (column, rest) = digits(rest.strip_prefix(", ")?)?;
    Some((location(path, Some(row), Some(column)), rest.strip_prefix("): ")?))
}

/// Gradle ends no line before its compiler speaks: `:compileJava/app/src/…/Price.java:4: error: …`.
fn without_task(line: &str) -> &str {
    let task = line.strip_prefix(':').and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    task.unwrap_or(line)
}

fn maven(i: usize, rest: &str, lines: &[&str]) -> Option<Found> {
    let placed = rest.split_once(":[").and_then(|(path, rest)| {
        let (numbers, message) = rest.split_once(']')?;
        let (line, column) = numbers.split_once(',')?;
        Some((location(path, Some(line.parse().ok()?), column.parse().ok()), message))
    });
    if let Some((at, message)) = placed {
        let message = with_symbol(message.trim(), lines.iter().skip(i + 1).take(3));
        return Some(found(Rank::Mistake, i, "javac", Some(at), &message, lines[i]));
    }
    if let Some((at, message)) = pom(rest) {
        return Some(found(Rank::Mistake, i, "maven", Some(at), message, lines[i]));
    }
    let telling = ["Failed to execute goal", "Plugin ", "Non-resolvable", "The build could not read"];
    telling.iter().any(|t| rest.starts_with(t)).then(|| found(Rank::Summary, i, "maven", None, rest, lines[i]))
}

/// `Non-parseable POM /app/pom.xml: … @ line 4, column 30`, `'version' … is missing. @ line 4, column 30`.
fn pom(text: &str) -> Option<(Location, &str)> {
    let (message, at) = text.rsplit_once("@ line ")?;
    let (line, rest) = digits(at)?;
    let column = rest.strip_prefix(", column ").and_then(digits).map(|(column, _)| column);
    let (path, message) = match message.strip_prefix("Non-parseable POM ") {
        Some(rest) => rest.split_once(": ")?,
        None => ("pom.xml", message),
    };
    let message = message.split(" (position: ").next().unwrap_or(message).trim_end();
    Some((location(path, Some(line), column), message))
}

/// `cannot find symbol` does not say which; the lines below do.
fn with_symbol<'a>(message: &str, below: impl Iterator<Item = &'a &'a str>) -> String {
    let symbol =
        below.filter_map(|l| l.split_once("symbol:")).map(|(_, s)| s.split_whitespace().collect::<Vec<_>>().join(" "));
    match symbol.take(1).next().filter(|_| message == "cannot find symbol") {
        Some(symbol) => format!("{message}: {symbol}"),
        None => message.to_owned(),
    }
}

/// Gradle's own last words: where, if it is a script of its own, and what went wrong.
pub(super) fn gradle(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("FAILURE: Build failed with")) {
        let below = &lines[i + 1..(i + 14).min(lines.len())];
        let after = |head: &'static str| below.iter().skip_while(move |l| **l != head).skip(1);
        let script = after("* Where:").next().and_then(|l| {
            let (file, rest) = l.split_once("file '")?.1.split_once("' line: ")?;
            Some(location(file, Some(digits(rest)?.0), None))
        });
        let what: Vec<&str> = after("* What went wrong:")
            .map(|l| l.trim_start_matches(['>', ' ']))
            .take_while(|l| !l.is_empty())
            .take(3)
            .collect();
        let message = if what.is_empty() { (*line).to_owned() } else { what.join(" ") };
        let rank = if script.is_some() { Rank::Mistake } else { Rank::Summary };
        all.push(found(rank, i, "gradle", script, &message, line));
    }
    all
}

/// Packages of the JDK, of test frameworks, of build tools and of the best known libraries: their frames are not where the
/// mistake is. Of those not named here, blame finds no file in the checkout.
const LIBRARIES: [&str; 30] = [
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "groovy.",
    "org.codehaus.",
    "org.junit.",
    "junit.",
    "org.opentest4j.",
    "org.testng.",
    "org.hamcrest.",
    "org.assertj.",
    "org.mockito.",
    "net.bytebuddy.",
    "org.apache.",
    "org.gradle.",
    "org.springframework.",
    "org.hibernate.",
    "io.micronaut.",
    "io.quarkus.",
    "io.netty.",
    "reactor.",
    "com.google.",
    "com.fasterxml.",
    "com.zaxxer.",
];

/// An exception, its `Caused by`s, and of each the frames: `at shop.PriceTest.total(PriceTest.java:10)`.
pub(super) fn exceptions(lines: &[&str]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(head) = thrown(lines, at) else {
            at += 1;
            continue;
        };
        let mut chain = vec![head];
        while let Some(cause) = chain.last().and_then(|last| thrown(lines, last.end)).filter(|cause| cause.is_cause) {
            chain.push(cause);
        }
        all.extend(told(lines, at, &chain));
        at = chain.last().map_or(at, |last| last.end).max(at + 1);
    }
    // Once logged and once reported: the one that has a place.
    let placed: Vec<String> =
        all.iter().filter(|f| f.error.location.is_some()).map(|f| f.error.message.clone()).collect();
    all.retain(|f| f.error.location.is_some() || !placed.contains(&f.error.message));
    all
}

struct Thrown {
    line: usize,
    text: String,
    is_cause: bool,
    frames: Vec<(Location, bool)>,
    /// The line after its stack.
    end: usize,
}

fn thrown(lines: &[&str], line: usize) -> Option<Thrown> {
    let said = lines.get(line)?;
    let cause = said.trim_start().strip_prefix("Caused by: ");
    let text = said.strip_prefix("Exception in thread ").and_then(|rest| Some(rest.split_once("\" ")?.1));
    let text = text.or(cause).unwrap_or(said);
    let name = text.split(':').next().unwrap_or(text);
    // Surefire lets an exception describe itself, which Mockito's do without their name.
    let reported = line.checked_sub(1).is_some_and(|above| test_class(lines[above]).is_some());
    if !(reported || name.contains('.') && is_exception(name)) {
        return None;
    }
    // A message may have lines of its own before the stack.
    let is_frame = |l: &str| l.trim_start().strip_prefix("at ").is_some_and(|l| l.contains('('));
    let is_next = |l: &str| l.trim_start().starts_with("Caused by: ");
    let below = lines[line + 1..].iter().take(20).position(|l| is_frame(l) || is_next(l))?;
    let first = line + 1 + below;
    let between = &lines[line + 1..first];
    let mut text = text.trim_end().to_owned();
    if text.ends_with(':') {
        let more = between.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).take(3);
        more.for_each(|more| text.extend([" ", more]));
    }
    // Long lines come in pieces: one or two that are no frames, between some that are, end nothing.
    let is_stack = |at: usize| lines.get(at).is_some_and(|l| is_frame(l) || l.trim_start().starts_with("... "));
    let is_said = |l: &str| l.trim().is_empty() || is_next(l) || is_exception(l.split(':').next().unwrap_or(l));
    let is_piece = |at: usize| lines.get(at).is_some_and(|l| !is_said(l));
    let goes_on = |at: usize| is_stack(at + 1) || (is_piece(at + 1) && is_stack(at + 2));
    let end = (first..lines.len()).find(|&at| !(is_stack(at) || is_piece(at) && goes_on(at)));
    let end = end.unwrap_or(lines.len());
    let pointed = between.iter().filter_map(|l| frame(l.split_once("-> at ")?.1));
    let stack = lines[first..end].iter().filter_map(|l| frame(l.trim_start().strip_prefix("at ")?));
    let frames = pointed.chain(stack).collect();
    Some(Thrown { line, text, is_cause: cause.is_some(), frames, end })
}

/// An error for each exception of a chain in which our code had a part, else one for all. The last one says what the innermost
/// said: that is why.
fn told(lines: &[&str], head: usize, chain: &[Thrown]) -> Vec<Found> {
    let ours: Vec<&Thrown> = chain.iter().filter(|thrown| thrown.frames.iter().any(|(_, library)| !library)).collect();
    let Some(root) = chain.last() else { return Vec::new() };
    let (Some(last), false) = (ours.last(), ours.is_empty()) else {
        let class = head.checked_sub(1).and_then(|above| test_class(lines[above]));
        return vec![found(Rank::Mistake, root.line, "java", class, &root.text, lines[root.line])];
    };
    let tell = |thrown: &&Thrown| {
        let caused = thrown.line == last.line && thrown.line != root.line;
        let text = if caused { format!("{}, caused by {}", thrown.text, root.text) } else { thrown.text.clone() };
        let (libraries, ours): (Vec<_>, Vec<_>) = thrown.frames.iter().cloned().partition(|(_, library)| *library);
        let frames = ours.into_iter().chain(libraries).map(|(at, _)| at).collect();
        traced(Rank::Mistake, thrown.line, "java", frames, |_| false, &text, lines[thrown.line])
    };
    ours.iter().map(tell).collect()
}

/// `[ERROR] shop.ShopTest.starts -- Time elapsed: 0.1 s <<< ERROR!`, formerly `starts(shop.ShopTest)  Time …`.
fn test_class(line: &str) -> Option<Location> {
    let name = line.strip_prefix("[ERROR] ").filter(|l| l.contains(" <<< "))?.split(' ').next()?;
    if name == "Tests" {
        return None;
    }
    let former = name.split_once('(').and_then(|(_, class)| class.strip_suffix(')'));
    let class = former.or_else(|| Some(name.rsplit_once('.')?.0)).unwrap_or(name).split('$').next()?;
    let plain = class.len() < 256 && class.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'));
    plain.then(|| location(&format!("{}.java", class.replace('.', "/")), None, None))
}

/// The file of a frame, below its package's directory, and whether it is a library's.
fn frame(text: &str) -> Option<(Location, bool)> {
    let (method, file) = text.split_once('(')?;
    let (file, line) = file.split(')').next()?.split_once(':')?;
    let method = method.rsplit('/').next().unwrap_or(method);
    let library = LIBRARIES.iter().any(|library| method.starts_with(library));
    let package: Vec<&str> =
        method.split('.').take_while(|part| part.starts_with(|c: char| c.is_lowercase())).collect();
    let line = digits(line)?.0;
    let plain = package.len() < 32 && file.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '$'));
    let path = package.into_iter().chain([file]).collect::<Vec<_>>().join("/");
    plain.then(|| (location(&path, Some(line), None), library))
}
