//! Compilers, linkers and the tools that call them.

use super::scan::{extension, found, location, place, traced};
use super::{Found, Rank};
use crate::problem::Location;

/// gcc, clang and the many that speak like them: `file:line:column: error: …`, also `fatal error`.
pub(super) fn gcc(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((at, rest)) = place(line.trim_start()) else { continue };
        let Some(message) = ["error: ", "fatal error: "].iter().find_map(|p| rest.strip_prefix(p)) else { continue };
        let at = if at.file.starts_with("/usr/") { required_from(&lines[..i]).unwrap_or(at) } else { at };
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

/// The line that asked for the template in which an error stands: `src/a.cpp:5:14:   required from here`.
fn required_from(above: &[&str]) -> Option<Location> {
    let asks = |rest: &str| rest.starts_with("required from") || rest.contains("in instantiation of");
    let mut near = above.iter().rev().take(30).filter_map(|line| place(line.trim_start()));
    near.find(|(at, rest)| asks(rest) && !at.file.starts_with("/usr/")).map(|(at, _)| at)
}

/// ld and its kin: undefined references, missing libraries.
pub(super) fn linker(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let symbols = ["undefined reference to ", "multiple definition of "];
        if let Some((_, message)) = line.split_once("lld: error: ").filter(|(linker, _)| !linker.contains(' ')) {
            let notes = lines[i + 1..].iter().take(6).map_while(|l| l.strip_prefix(">>> "));
            let said = |note: &str| {
                ["referenced by ", "defined at "].iter().find_map(|p| Some(place(note.strip_prefix(p)?)?.0))
            };
            all.push(found(Rank::Mistake, i, "ld", notes.filter_map(said).last(), message, line));
        } else if let Some(at) = symbols.iter().find_map(|s| line.find(s)) {
            // `main.c:12: undefined …`, or `main.c:(.text+0x5): undefined …`, perhaps after `/usr/bin/ld: `.
            let before =
                line[..at].rsplit(": ").find(|part| !part.is_empty()).unwrap_or("").trim_end_matches([':', ' ']);
            let file = before.split(":(").next().filter(|f| f.contains('.') && !f.contains(char::is_whitespace));
            let at_line = place(before).map(|(l, _)| l).or_else(|| file.map(|f| location(f, None, None)));
            let frames = at_line.map(|at| of_object(&lines[..i], at)).unwrap_or_default();
            all.push(traced(Rank::Mistake, i, "ld", frames, |_| false, &line[at..], line));
        } else if let Some(at) = line.find("cannot find -l") {
            all.push(found(Rank::Mistake, i, "ld", None, &line[at..], line));
        } else if line.starts_with("collect2: error: ") || line.contains(": error: linker command failed") {
            all.push(found(Rank::Summary, i, "ld", None, line, line));
        }
    }
    all
}

/// The likely places of a file that ld names without its directory: its object's, `ld: src/main.o: in function …` above, is
/// perhaps below one of the build.
fn of_object(above: &[&str], at: Location) -> Vec<Location> {
    let stem = at.file.split('.').next().unwrap_or_default();
    let object = above.iter().rev().take(20).find_map(|line| {
        let object = line.split_once(": in function ")?.0.rsplit(": ").next()?;
        let (dir, name) = object.rsplit_once('/')?;
        name.strip_prefix(stem)?.starts_with('.').then_some(dir)
    });
    let Some(dir) = object.filter(|dir| !dir.starts_with('/') && !at.file.contains('/')) else { return vec![at] };
    // `lib/CMakeFiles/core.dir/src`
    let parts: Vec<&str> = dir.split('/').filter(|part| *part != "CMakeFiles" && !part.ends_with(".dir")).collect();
    let mut files: Vec<String> = (0..parts.len()).map(|n| format!("{}/{}", parts[n..].join("/"), at.file)).collect();
    files.push(at.file.clone());
    files.into_iter().map(|file| Location { file, ..at.clone() }).collect()
}

/// CMake: `CMake Error at CMakeLists.txt:3 (find_package):`, the words on the next lines, its callers below those.
pub(super) fn cmake(lines: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some(rest) = line.strip_prefix("CMake Error") else { continue };
        let at = rest.strip_prefix(" at ").and_then(place).map(|(l, _)| l);
        let whole = rest.strip_prefix(" in ").and_then(|file| file.strip_suffix(':')).map(|f| location(f, None, None));
        let inside = || lines[i + 1..].iter().take(40).take_while(|l| l.trim().is_empty() || l.starts_with("  "));
        let mut below = inside().take(8).map(|l| l.trim());
        let mut words: Vec<&str> =
            below.by_ref().skip_while(|l| l.is_empty()).take_while(|l| !l.is_empty()).take(4).collect();
        // `Cannot find source file:` names it in the next paragraph.
        if words.last().is_some_and(|last| last.ends_with(':')) {
            words.extend(below.find(|l| !l.is_empty()));
        }
        let own = rest.strip_prefix(": ").filter(|m| !m.is_empty()).map(str::to_owned);
        // An error inside one of CMake's own modules stands on the line that called it.
        let calls = lines[i + 1 + inside().count()..].iter();
        let calls = calls.skip_while(|l| l.trim().is_empty()).take(12);
        let mut calls = calls.take_while(|l| l.starts_with("Call Stack") || l.starts_with("  ")).peekable();
        let called = calls.next_if(|l| l.starts_with("Call Stack")).is_some();
        let calls = calls.filter(|_| called).filter_map(|l| place(l.trim())).map(|(at, _)| at);
        let frames = at.or(whole).into_iter().chain(calls).collect();
        let message = own.unwrap_or_else(|| words.join(" "));
        all.push(traced(Rank::Mistake, i, "cmake", frames, |_| false, &message, line));
    }
    all
}

/// make: `make: *** [Makefile:12: target] Error 2`, `Makefile:3: *** missing separator.  Stop.`
pub(super) fn make(lines: &[&str]) -> Vec<Found> {
    // The Makefile of a CMake build is generated, whatever stands at the root.
    let generated = lines.iter().any(|line| line.contains(": *** [CMakeFiles/"));
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some((before, message)) = line.split_once(": *** ") else { continue };
        let stops = message.ends_with("Stop.");
        let caller = before.starts_with("make") || before.starts_with("gmake");
        let at = if caller {
            let target = message.strip_prefix('[').and_then(|m| named_place(m.split(']').next().unwrap_or(m)));
            let target = target.filter(|at| !generated || at.file != "Makefile");
            // What an `include` misses is told the line before.
            let missing = |l: &&&str| l.ends_with(": No such file or directory") && message.starts_with("No rule");
            target.or_else(|| named_place(lines[..i].iter().rev().take(2).find(missing)?))
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
fn named_place(text: &str) -> Option<Location> {
    let (file, rest) = text.split_once(':')?;
    let (line, _) = super::scan::digits(rest)?;
    (!file.is_empty() && !file.contains(char::is_whitespace)).then(|| location(file, Some(line), None))
}
