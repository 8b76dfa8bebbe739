//! A terminal: finished things scroll by above, what runs now is redrawn below them, at most ten times a second.
//!
//! The cursor is never hidden and the terminal never put into another mode, so nothing has to be restored, not even after
//! SIGKILL. A frame is one write; how many rows the last one takes is computed anew, because the window may have changed.

use std::time::Duration;

use unicode_width::UnicodeWidthChar as _;

use super::Moment;
use super::plain::{Plain, elapsed};
use super::style::{Paint, inline};
use crate::event::Event;
use crate::redact::Redactor;

/// Time between frames.
pub(super) const FRAME: Duration = Duration::from_millis(100);
/// The live area is never higher.
const ROWS: usize = 12;
/// More than this is not kept back for the next frame.
const SCROLL: usize = 64 * 1024;
const SPINNER: [char; 8] = ['⣾', '⣽', '⣻', '⢿', '⡿', '⣟', '⣯', '⣷'];

/// Columns and rows.
type Size = (usize, usize);

/// The state of the terminal.
#[derive(Debug)]
pub(super) struct Live {
    plain: Plain,
    paint: Paint,
    size: fn() -> Option<Size>,
    /// Lines for above the live area, since the last frame.
    scroll: Vec<u8>,
    /// Widths of the lines of the live area as drawn.
    drawn: Vec<usize>,
    last_frame: Option<Duration>,
}

/// The size of the terminal on standard output.
pub(super) fn terminal_size() -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col.into(), size.ws_row.into()))
}

impl Live {
    pub(super) fn new(paint: Paint, verbose: bool, size: fn() -> Option<Size>) -> Self {
        let plain = Plain::for_terminal(paint, verbose);
        Self { plain, paint, size, scroll: Vec::new(), drawn: Vec::new(), last_frame: None }
    }

    pub(super) fn event(&mut self, event: Event, redactor: &Redactor, now: Moment, out: &mut Vec<u8>) {
        self.plain.event(event, redactor, now, &mut self.scroll);
        if self.scroll.len() >= SCROLL {
            self.frame(now, out);
        }
    }

    pub(super) fn tick(&mut self, now: Moment, out: &mut Vec<u8>) {
        if self.last_frame.is_none_or(|last| now.elapsed.saturating_sub(last) >= FRAME) {
            self.frame(now, out);
        }
    }

    /// Takes the live area away.
    pub(super) fn close(&mut self, now: Moment, out: &mut Vec<u8>) {
        self.plain.close(now, &mut self.scroll);
        let (columns, _) = self.window();
        self.erase(columns, out);
        out.append(&mut self.scroll);
    }

    fn frame(&mut self, now: Moment, out: &mut Vec<u8>) {
        let (columns, rows) = self.window();
        let area = self.area(now, columns, rows);
        self.last_frame = Some(now.elapsed);
        if area.is_empty() && self.drawn.is_empty() {
            out.append(&mut self.scroll);
            return;
        }
        self.erase(columns, out);
        out.append(&mut self.scroll);
        for (text, dim) in area {
            self.drawn.push(width(&text));
            let text = if dim { self.paint.dim(&text) } else { text };
            out.extend_from_slice(text.as_bytes());
            out.push(b'\n');
        }
    }

    #[cfg(test)]
    pub(super) fn resize(&mut self, size: fn() -> Option<Size>) {
        self.size = size;
    }

    fn window(&self) -> Size {
        (self.size)().unwrap_or((80, 24))
    }

    /// Moves to where the live area begins and clears from there.
    fn erase(&mut self, columns: usize, out: &mut Vec<u8>) {
        // A line that was drawn in a wider window takes several rows of a narrower one.
        let rows: usize = self.drawn.drain(..).map(|width| width.div_ceil(columns).max(1)).sum();
        if rows > 0 {
            out.extend_from_slice(format!("\r\x1b[{rows}A\x1b[J").as_bytes());
        }
    }

    /// The lines of the live area, none wider than the window, and whether they are dim.
    fn area(&self, now: Moment, columns: usize, rows: usize) -> Vec<(String, bool)> {
        let spin = SPINNER[(now.elapsed.as_millis() / FRAME.as_millis()) as usize % SPINNER.len()];
        let several = self.plain.steps.several_builds;
        let mut lines = Vec::new();
        for step in self.plain.steps.running() {
            let moved = step.moved().map(|m| format!("  {m}")).unwrap_or_default();
            let end = format!("  {}{moved}", elapsed(now, step.since));
            lines.push((line(&format!("  {spin} {}", step.title(several)), &end, columns), false));
            if !step.last.is_empty() {
                let last = inline(&String::from_utf8_lossy(&step.last), 200);
                lines.push((line(&format!("      {}", last.trim()), "", columns), true));
            }
        }
        if lines.is_empty() {
            for (_, title, since) in &self.plain.sections {
                lines
                    .push((line(&format!("  {spin} {title}"), &format!("  {}", elapsed(now, *since)), columns), false));
            }
        }
        let most = ROWS.min(rows.saturating_sub(2));
        if lines.len() > most {
            lines.truncate(most.saturating_sub(1));
            lines.push((line("      …", "", columns), true));
        }
        lines
    }
}

/// `start` and `end` in one line that leaves the last column free; `start` gives way.
fn line(start: &str, end: &str, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    let end = fit(end, room);
    let start = fit(start, room - width(&end));
    format!("{start}{end}")
}

/// As much of the text as the columns hold, with an ellipsis for the rest.
fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let kept = text.chars().take_while(|&c| {
        let fits = char_width(c) <= left;
        left = left.saturating_sub(char_width(c));
        fits
    });
    let mut out: String = kept.collect();
    if columns > 0 {
        out.push('…');
    }
    out
}

fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    // A tab is at most this wide.
    if c == '\t' { 8 } else { c.width().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_window(start in "\\PC{0,60}", end in "\\PC{0,20}", columns in 1usize..100) {
            prop_assert!(width(&line(&start, &end, columns)) < columns.max(1));
        }
    }
}
