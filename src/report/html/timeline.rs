//! The timeline on the page: a bar for each phase and step, drawn as SVG, with its start and length in words beside it.

use super::super::document::Document;
use super::super::headline::duration;
use super::super::timeline::{Kind, Row, timeline};
use super::section as whole;
use super::text::text;

/// Width of the drawing, in units of its own.
const WIDTH: f64 = 1000.0;

/// Empty where nothing was measured.
pub(super) fn section(document: &Document) -> String {
    let timeline = timeline(document);
    if timeline.groups.is_empty() {
        return String::new();
    }
    let mut body = String::new();
    for group in &timeline.groups {
        let rows: String = group.rows.iter().map(|row| bar(row, timeline.end)).collect();
        body.push_str(&format!("<h3>{}</h3>\n<ol class=\"timeline\">\n{rows}</ol>\n", text(&group.title)));
    }
    if timeline.more > 0 {
        body.push_str(&format!("<p class=\"muted\">The steps that took longest; {} more below.</p>\n", timeline.more));
    }
    whole("Timeline", &body)
}

fn bar(row: &Row, end: f64) -> String {
    let scale = |seconds: f64| if end > 0.0 { (seconds.max(0.0) / end * WIDTH).min(WIDTH) } else { 0.0 };
    let (class, told) = match row.kind {
        Kind::Phase => ("phase", duration(row.seconds)),
        Kind::Step => ("step", duration(row.seconds)),
        Kind::Failed => ("failed", format!("failed, {}", duration(row.seconds))),
        Kind::Cached => ("cached", "cached".to_owned()),
    };
    // Nothing is seen of a bar that is thinner.
    let width = scale(row.seconds).max(4.0);
    let from = scale(row.start).min(WIDTH - width);
    format!(
        "<li class=\"{class}\"><span class=\"label\">{}</span><span class=\"took\"><span class=\"unseen\">after {}, </span>{told}</span>\
         <svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"rail\" width=\"1000\" height=\"10\"/>\
         <rect class=\"bar\" x=\"{from:.1}\" width=\"{width:.1}\" height=\"10\"/></svg></li>\n",
        text(&row.label),
        duration(row.start),
    )
}
