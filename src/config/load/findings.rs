//! What was found wrong, with the lines that show it, and where each value of the file stands.

use std::collections::HashMap;

use crate::problem::{Location, Problem};

/// More mistakes than anybody reads at once; bounds memory.
const MOST: usize = 50;
/// The longest piece of a source line shown, in characters.
const WIDEST: usize = 140;

/// Where something stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// 1-based.
    pub(crate) line: usize,
    /// 1-based, in characters.
    pub(crate) column: usize,
    /// In characters; a caret is drawn even for 0.
    pub(crate) length: usize,
}

/// Mistakes so far, and the places of values by their path (`targets[0].tags[2]`).
pub(crate) struct Findings<'t> {
    file: &'t str,
    lines: Vec<&'t str>,
    found: Vec<(Place, Problem)>,
    left_out: usize,
    places: HashMap<String, Place>,
}

impl<'t> Findings<'t> {
    pub(crate) fn new(text: &'t str, file: &'t str) -> Self {
        Self { file, lines: text.lines().collect(), found: Vec::new(), left_out: 0, places: HashMap::new() }
    }

    /// Notes a mistake.
    pub(crate) fn add(&mut self, place: Place, what: impl Into<String>, hint: Option<String>) {
        if self.found.len() >= MOST {
            self.left_out += 1;
            return;
        }
        // What is missing at the end is told on the last line there is.
        let last = self.lines.len().max(1);
        let place = if place.line > last { Place { line: last, column: 1, length: 0 } } else { place };
        let location = Location {
            file: self.file.to_owned(),
            line: u32::try_from(place.line).ok(),
            column: u32::try_from(place.column).ok(),
        };
        let problem = Problem {
            what: what.into(),
            location: Some(location),
            snippet: self.lines.get(place.line - 1).map(|line| snippet(line, place)),
            hint,
        };
        // An anchor that is used twice has its mistakes once.
        if !self.found.iter().any(|(_, known)| *known == problem) {
            self.found.push((place, problem));
        }
    }

    /// Notes a mistake in the value at a path, or in what encloses it where the value is not written.
    pub(crate) fn add_at(&mut self, path: &str, what: impl Into<String>, hint: Option<String>) {
        let mut known = path;
        let place = loop {
            match (self.places.get(known), known.rfind(['.', '['])) {
                (Some(place), _) => break *place,
                (None, Some(end)) => known = &known[..end],
                (None, None) => break Place { line: 1, column: 1, length: 0 },
            }
        };
        self.add(place, what, hint);
    }

    /// Remembers where the value at a path stands.
    pub(crate) fn place(&mut self, path: String, place: Place) {
        self.places.insert(path, place);
    }

    /// The line of the value at a path.
    pub(crate) fn line_of(&self, path: &str) -> Option<usize> {
        self.places.get(path).map(|place| place.line)
    }

    /// Whether the value at a path was found wrong already.
    pub(crate) fn blamed(&self, path: &str) -> bool {
        self.places.get(path).is_some_and(|place| self.found.iter().any(|(at, _)| at == place))
    }

    /// All mistakes in the order of the file.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|(place, _)| (place.line, place.column));
        let mut problems: Vec<Problem> = self.found.into_iter().map(|(_, problem)| problem).collect();
        if self.left_out > 0 {
            let location = Location { file: self.file.to_owned(), line: None, column: None };
            problems.push(Problem::new(format!("and {} more mistakes", self.left_out)).at(location));
        }
        problems
    }
}

/// The line with its number, and carets under the place. Tabs stay tabs above and below, so that they line up.
fn snippet(line: &str, place: Place) -> String {
    let before = place.column - 1;
    // A long line is shown from a little before the place.
    let start = if before < WIDEST - 20 { 0 } else { before - 20 };
    let shown: String = line.chars().skip(start).take(WIDEST).collect();
    let lead = if start > 0 { "…" } else { "" };
    let trail = if line.chars().nth(start + WIDEST).is_some() { "…" } else { "" };
    let pad: String = shown.chars().take(before - start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let room = shown.chars().count().saturating_sub(before - start);
    let carets = "^".repeat(place.length.min(room).max(1));
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let lead_pad = " ".repeat(lead.chars().count());
    format!("{number} | {lead}{shown}{trail}\n{gutter} | {lead_pad}{pad}{carets}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_the_place() {
        let at = |line, column, length| snippet(line, Place { line: 12, column, length });
        assert_eq!(at("  kind: dcoker", 9, 6), "12 |   kind: dcoker\n   |         ^^^^^^");
        assert_eq!(at("\tä: x", 5, 1), "12 | \tä: x\n   | \t   ^");
        assert_eq!(at("short", 3, 99), "12 | short\n   |   ^^^");
        assert_eq!(at("", 1, 0), "12 | \n   | ^");
        assert_eq!(at("ab", 9, 1), "12 | ab\n   |   ^");
        let long = format!("{}HERE{}", "x".repeat(500), "y".repeat(500));
        let shown = at(&long, 501, 4);
        let (above, below) = shown.split_once('\n').unwrap();
        assert_eq!(above.find("HERE").map(|i| above[..i].chars().count()), below.find('^'), "{shown}");
        assert!(above.chars().count() < 160);
    }

    #[test]
    fn a_flood_of_mistakes_is_bounded() {
        let mut findings = Findings::new("a\n", "f");
        for i in 0..100_000 {
            findings.add(Place { line: 1, column: 1, length: 1 }, format!("{i}"), None);
        }
        let problems = findings.into_problems();
        assert_eq!(problems.len(), MOST + 1);
        assert_eq!(problems[MOST].what, format!("and {} more mistakes", 100_000 - MOST));
    }
}
