//! Compilers, linkers and the tools that call them.

use super::scan::{extension, found, location, place};
use super::{Found, Rank};

/// rustc and cargo: `error[E0425]: …` with `--> file:line:column` a line or a few below; panics of build scripts.
pub(super) fn rustc(lines: &[&str]) -> Vec<Found> {
    let cargo = lines.iter().any(|l| {
        let l = l.trim_start();
        l.starts_with("Compiling ") || l.starts_with("error: could not compile") || l.contains("Cargo.toml")
    });
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some((_, at)) = line.split_once(" panicked at ").filter(|_| line.starts_with("thread '")) {
            let message = lines.get(i + 1).copied().unwrap_or("panicked");
            all.push(found(Rank::Mistake, i, "rust", place(at).map(|(l, _)| l), message, line));
            continue;
        }
        let Some(rest) = line.strip_prefix("error") else { continue };
        let coded = rest.starts_with("[E");
        let Some((_, message)) = rest.split_once(": ").filter(|(code, _)| coded || code.is_empty()) else { continue };
        let below = lines[i + 1..].iter().take(8).take_while(|l| !l.starts_with("error"));
        let arrow = below.filter_map(|l| l.trim_start().strip_prefix("--> ")).find_map(place).map(|(l, _)| l);
        let closing = ["could not compile", "aborting due to", "build failed"].iter().any(|s| message.starts_with(s));
        if closing {
            all.push(found(Rank::Summary, i, "cargo", None, message, line));
        } else if arrow.is_some() || coded {
            all.push(found(Rank::Mistake, i, "rustc", arrow, message, line));
        } else if cargo {
            all.push(found(Rank::Mistake, i, "cargo", None, message, line));
        }
    }
    all
}

/// go build, vet and test: `./main.go:10:2: …`, `go: …`, `--- FAIL: TestX`, `panic: …`.
pub(super) fn go(lines: &[&str]) -> Vec<Found> {
    const CHATTER: [&str; 6] = ["downloading ", "finding ", "extracting ", "added ", "upgraded ", "found "];
    let is_go = |file: &str| extension(file) == "go";
    let frames = |i: usize| lines[i..].iter().take(40).filter_map(|l| place(l.trim_start()));
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let text = line.strip_prefix("vet: ").unwrap_or(line).trim_start();
        if let Some((at, message)) = place(text).filter(|(at, message)| is_go(&at.file) && !message.is_empty()) {
            if !message.starts_with("+0x") {
                all.push(found(Rank::Mistake, i, "go", Some(at), message, line));
            }
        } else if let Some(message) = line.strip_prefix("go: ") {
            if !CHATTER.iter().any(|c| message.starts_with(c)) {
                all.push(found(Rank::Mistake, i, "go", None, message, line));
            }
        } else if let Some(message) = line.strip_prefix("panic: ") {
            let ours = frames(i).map(|(at, _)| at).find(|at| is_go(&at.file) && !at.file.contains("/go/src/"));
            all.push(found(Rank::Mistake, i, "go", ours, line, message));
        } else if let Some(test) = text.strip_prefix("--- FAIL: ") {
            let test = test.split(' ').next().unwrap_or(test);
            all.push(found(Rank::Summary, i, "go", None, &format!("test {test} failed"), line));
        }
    }
    all
}

/// gcc, clang and the many that speak like them: `file:line:column: error: …`, also `fatal error`.
pub(super) fn gcc(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((at, rest)) = place(line.trim_start()) else { continue };
        let Some(message) = ["error: ", "fatal error: "].iter().find_map(|p| rest.strip_prefix(p)) else { continue };
        let tool = match extension(&at.file) {
            "c" | "cc" | "cpp" | "cxx" | "h" | "hh" | "hpp" | "hxx" | "inc" | "m" | "mm" | "S" | "s" | "cu" => "gcc",
            "kt" | "kts" => "kotlinc",
            "swift" => "swiftc",
            "zig" => "zig",
            "hs" => "ghc",
            // Theirs is another reader.
            "java" | "go" | "rs" | "ts" | "tsx" => continue,
            // A line without a column may be anybody's.
            _ if at.column.is_none() => continue,
            _ => "compiler",
        };
        all.push(found(Rank::Mistake, i, tool, Some(at), message, line));
    }
    all
}

/// ld and its kin: undefined references, missing libraries.
pub(super) fn linker(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let symbols = ["undefined reference to ", "multiple definition of ", "undefined symbol: "];
        if let Some(at) = symbols.iter().find_map(|s| line.find(s)) {
            // `main.c:12: undefined …`, or `main.c:(.text+0x5): undefined …`, perhaps after `/usr/bin/ld: `.
            let before =
                line[..at].rsplit(": ").find(|part| !part.is_empty()).unwrap_or("").trim_end_matches([':', ' ']);
            let file = before.split(":(").next().filter(|f| f.contains('.') && !f.contains(char::is_whitespace));
            let at_line = place(before).map(|(l, _)| l).or_else(|| file.map(|f| location(f, None, None)));
            all.push(found(Rank::Mistake, i, "ld", at_line, &line[at..], line));
        } else if let Some(at) = line.find("cannot find -l") {
            all.push(found(Rank::Mistake, i, "ld", None, &line[at..], line));
        } else if line.starts_with("collect2: error: ") || line.contains(": error: linker command failed") {
            all.push(found(Rank::Summary, i, "ld", None, line, line));
        }
    }
    all
}

/// javac (`Main.java:3: error: …`), Maven (`[ERROR] /app/Main.java:[3,5] …`), Kotlin (`e: file:///…/Main.kt:3:5 …`).
pub(super) fn java(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(rest) = line.strip_prefix("[ERROR] ") {
            all.extend(maven(i, rest, lines));
        } else if let Some(rest) = line.strip_prefix("e: ") {
            let kotlin = place(rest.strip_prefix("file://").unwrap_or(rest));
            all.extend(kotlin.map(|(at, message)| found(Rank::Mistake, i, "kotlinc", Some(at), message, line)));
        } else if let Some((at, rest)) = place(line)
            && extension(&at.file) == "java"
            && let Some(message) = rest.strip_prefix("error: ")
        {
            let message = with_symbol(message, lines.iter().skip(i + 1).take(5));
            all.push(found(Rank::Mistake, i, "javac", Some(at), &message, line));
        } else if line.starts_with("FAILURE: Build failed with an exception") {
            all.push(found(Rank::Summary, i, "gradle", None, line, line));
        }
    }
    all
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
    let telling = ["Failed to execute goal", "Non-resolvable", "The build could not read"];
    telling.iter().any(|t| rest.starts_with(t)).then(|| found(Rank::Summary, i, "maven", None, rest, lines[i]))
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

/// CMake: `CMake Error at CMakeLists.txt:3 (find_package):`, the words on the next lines.
pub(super) fn cmake(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some(rest) = line.strip_prefix("CMake Error") else { continue };
        let at = rest.strip_prefix(" at ").and_then(place).map(|(l, _)| l);
        let below: Vec<&str> = lines[i + 1..].iter().map(|l| l.trim()).take(4).take_while(|l| !l.is_empty()).collect();
        let own = rest.strip_prefix(": ").filter(|m| !m.is_empty()).map(str::to_owned);
        all.push(found(Rank::Mistake, i, "cmake", at, &own.unwrap_or_else(|| below.join(" ")), line));
    }
    all
}

/// make: `make: *** [Makefile:12: target] Error 2`, `Makefile:3: *** missing separator.  Stop.`
pub(super) fn make(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((before, message)) = line.split_once(": *** ") else { continue };
        let stops = message.ends_with("Stop.");
        let caller = before.starts_with("make") || before.starts_with("gmake");
        let at = if caller {
            message.strip_prefix('[').and_then(|m| named_place(m.split(']').next().unwrap_or(m)))
        } else {
            named_place(before)
        };
        if !caller && at.is_none() {
            continue;
        }
        let rank = if stops { Rank::Mistake } else { Rank::Summary };
        all.push(found(rank, i, "make", at, message, line));
    }
    all
}

/// `Makefile:12`, whose name has neither dot nor slash.
fn named_place(text: &str) -> Option<crate::problem::Location> {
    let (file, rest) = text.split_once(':')?;
    let (line, _) = super::scan::digits(rest)?;
    (!file.is_empty() && !file.contains(char::is_whitespace)).then(|| location(file, Some(line), None))
}
