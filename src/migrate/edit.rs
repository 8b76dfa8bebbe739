//! Changes to a text by lines: what is not changed stays byte for byte, comments included.

/// Lines to replace, 1-based, both ends included. An `until` before `from` inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) from: usize,
    pub(super) until: usize,
    pub(super) lines: Vec<String>,
}

/// The text with all edits made. They must not overlap; of two that do the later is dropped.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.from, edit.until));
    let crlf = text.contains("\r\n");
    let lines: Vec<&str> = text.lines().collect();
    let (mut out, mut next) = (Vec::<&str>::new(), 1);
    for edit in &edits {
        if edit.from < next {
            continue;
        }
        out.extend(lines.iter().take(edit.from - 1).skip(next - 1));
        out.extend(edit.lines.iter().map(String::as_str));
        next = edit.from.max(edit.until + 1);
    }
    out.extend(lines.iter().skip(next - 1));
    while out.last().is_some_and(|line| line.trim().is_empty()) {
        out.pop();
    }
    let end = if crlf { "\r\n" } else { "\n" };
    out.iter().map(|line| format!("{line}{end}")).collect()
}

/// The extent of a list's item: the line of its dash, the dash's column (0-based), and its last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) first: usize,
    pub(super) dash: usize,
    pub(super) last: usize,
}

/// Finds the item whose first key stands in a line. `None` where it is not written in lines of its own.
pub(super) fn item(lines: &[&str], key_line: usize) -> Option<Item> {
    let mut first = key_line;
    loop {
        let line = lines.get(first.checked_sub(1)?)?;
        let trimmed = line.trim_start();
        if trimmed == "-" || trimmed.starts_with("- ") {
            break;
        }
        // `-` alone in a line above, with nothing but comments between.
        if first != key_line && !trimmed.is_empty() && !trimmed.starts_with('#') {
            return None;
        }
        first -= 1;
    }
    let dash = indent(lines[first - 1]);
    Some(Item { first, dash, last: end(lines, first, dash) })
}

/// The last line of what begins in a line and goes on as long as lines are indented deeper.
pub(super) fn end(lines: &[&str], first: usize, column: usize) -> usize {
    let mut last = first;
    for (n, line) in lines.iter().enumerate().skip(first) {
        if line.trim().is_empty() {
            continue;
        }
        if indent(line) <= column {
            break;
        }
        last = n + 1;
    }
    last
}

/// The first of the comment lines that stand directly above, as deep as the dash.
pub(super) fn with_comments(lines: &[&str], item: Item) -> usize {
    let mut first = item.first;
    while first > 1 && lines[first - 2].trim_start().starts_with('#') && indent(lines[first - 2]) == item.dash {
        first -= 1;
    }
    first
}

pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}
