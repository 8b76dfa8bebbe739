//! The timeline as a Mermaid diagram, which GitHub, GitLab, Gitea and Forgejo draw.

use super::super::escape::diagram;
use super::super::headline::{count, duration};
use super::super::timeline::{Kind, Row, Timeline};

/// Shorter runs are measured in milliseconds.
const SHORT: f64 = 5.0;

/// The section; empty where nothing was measured. A chart counts from the start of the run, whatever the reader's time zone:
/// its axis shows Unix time, which has none.
pub(super) fn section(timeline: &Timeline) -> String {
    if timeline.groups.is_empty() {
        return String::new();
    }
    let axis = if timeline.end < SHORT { "%Q ms" } else { "%s s" };
    let mut out = format!("### Timeline\n\n```mermaid\ngantt\n    dateFormat x\n    axisFormat {axis}\n");
    for group in &timeline.groups {
        out.push_str(&format!("    section {}\n", diagram(&group.title)));
        group.rows.iter().for_each(|row| out.push_str(&bar(row)));
    }
    out.push_str("```\n\n");
    if timeline.more > 0 {
        out.push_str(&format!(
            "The steps that took longest; {} more below.\n\n",
            count(timeline.more, "step", "steps")
        ));
    }
    out
}

/// `    · 4/4 RUN make (33.8s) :active, 700, 33800ms`. What stands before the name keeps it from being read as a word of Mermaid's.
fn bar(row: &Row) -> String {
    let (tag, told) = match row.kind {
        Kind::Phase => ("", duration(row.seconds)),
        Kind::Step => ("active, ", duration(row.seconds)),
        Kind::Failed => ("crit, ", format!("failed after {}", duration(row.seconds))),
        Kind::Cached => ("milestone, done, ", "cached".to_owned()),
    };
    // Casting saturates, and no time is below zero.
    let millis = |seconds: f64| (seconds.max(0.0) * 1000.0).round() as u64;
    let (from, length) = (millis(row.start), millis(row.seconds));
    // Nothing is drawn of a bar without length.
    let length = if row.kind == Kind::Cached { 0 } else { length.max(1) };
    format!("    · {} ({told}) :{tag}{from}, {length}ms\n", diagram(&row.label))
}
