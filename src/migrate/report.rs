//! What was done to which line and why, and what a person has to do. Pure text.

use std::fmt::Write as _;

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    line: usize,
    what: String,
    cure: Option<String>,
}

/// Everything told.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    changed: Vec<Entry>,
    kept: Vec<Entry>,
    lost: Vec<Entry>,
}

/// More than anybody reads; bounds what a hostile file can make us print.
const MOST: usize = 500;

impl Report {
    /// A line that became something else.
    pub(super) fn changed(&mut self, line: usize, what: &str) {
        add(&mut self.changed, line, what, None);
    }

    /// A line that stays although one might think otherwise, or works a little differently.
    pub(super) fn kept(&mut self, line: usize, what: &str) {
        add(&mut self.kept, line, what, None);
    }

    /// What could not be carried over, and what to do.
    pub(super) fn lost(&mut self, line: usize, what: &str, cure: &str) {
        add(&mut self.lost, line, what, Some(cure));
    }

    /// Whether a person has to look at something.
    pub(super) fn is_incomplete(&self) -> bool {
        !self.lost.is_empty()
    }

    /// As people read it.
    pub(super) fn text(&self, file: &str) -> String {
        let mut out = String::new();
        let blocks = [
            ("Replaced", &self.changed),
            ("Kept, and good to know", &self.kept),
            ("Not carried over: look at these", &self.lost),
        ];
        for (title, entries) in blocks.into_iter().filter(|(_, entries)| !entries.is_empty()) {
            let _ = writeln!(out, "{title}");
            let mut entries = entries.clone();
            entries.sort_by_key(|entry| entry.line);
            for entry in entries {
                let _ = writeln!(out, "  {file}:{}: {}", entry.line, entry.what);
                if let Some(cure) = entry.cure {
                    let _ = writeln!(out, "    do: {cure}");
                }
            }
            out.push('\n');
        }
        out
    }
}

fn add(list: &mut Vec<Entry>, line: usize, what: &str, cure: Option<&str>) {
    let one_line =
        |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect::<String>();
    let entry = Entry { line, what: one_line(what), cure: cure.map(one_line) };
    if list.len() < MOST && !list.contains(&entry) {
        list.push(entry);
    }
}
