//! The last lines of something that may be endless.

use super::clean::clean;

/// Keeps the last bytes pushed; lines are cut and cleaned only when asked for, so pushing is a copy and nothing more.
#[derive(Debug, Clone)]
pub struct LogTail {
    buffer: Vec<u8>,
    max_bytes: usize,
    max_lines: usize,
    /// Something was forgotten: the first line kept may be half a line.
    cut: bool,
}

impl LogTail {
    /// Keeps at most so many bytes and so many lines. It may hold twice the bytes for a moment.
    pub fn new(max_bytes: usize, max_lines: usize) -> Self {
        Self { buffer: Vec::new(), max_bytes: max_bytes.max(1), max_lines, cut: false }
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, data: &[u8]) {
        let keep = data.len().min(self.max_bytes);
        if keep < data.len() {
            self.cut = true;
            self.buffer.clear();
        } else if self.buffer.len() + keep > 2 * self.max_bytes {
            self.cut = true;
            let from = self.buffer.len() - (self.max_bytes - keep);
            self.buffer.drain(..from);
        }
        self.buffer.extend_from_slice(&data[data.len() - keep..]);
    }

    /// Adds a line.
    pub fn push_line(&mut self, line: &str) {
        self.push(line.as_bytes());
        self.push(b"\n");
    }

    /// Ends an unfinished line, so that what another source says next stands on its own.
    pub fn end_line(&mut self) {
        if self.buffer.last().is_some_and(|&b| b != b'\n') {
            self.push(b"\n");
        }
    }

    /// Nothing was ever pushed.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The last lines, oldest first, cleaned of terminal control sequences; blank ones at both ends are left out.
    pub fn lines(&self) -> Vec<String> {
        let from = self.buffer.len().saturating_sub(self.max_bytes);
        let cut = self.cut || from > 0;
        let mut kept = &self.buffer[from..];
        if cut && let Some(end) = memchr::memchr(b'\n', kept) {
            kept = &kept[end + 1..];
        }
        let mut lines: Vec<String> = memchr_lines_rev(kept).take(self.max_lines).map(clean).collect();
        lines.reverse();
        while lines.last().is_some_and(|l| l.trim().is_empty()) {
            lines.pop();
        }
        let blank = lines.iter().take_while(|l| l.trim().is_empty()).count();
        lines.drain(..blank);
        lines
    }
}

fn memchr_lines_rev(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.rsplit(|&b| b == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = LogTail::new(1000, 3);
        assert!(tail.is_empty());
        assert!(tail.lines().is_empty());
        for piece in ["a\nb", "b\n", "\x1b[1mc\x1b[0m\n", "d\n\n"] {
            tail.push(piece.as_bytes());
        }
        assert_eq!(tail.lines(), ["c", "d"], "three lines, the last of them blank");
    }

    #[test]
    fn bytes_are_bounded_and_half_lines_dropped() {
        let mut tail = LogTail::new(100, 1000);
        for i in 0..10_000 {
            tail.push_line(&format!("line {i}"));
            assert!(tail.buffer.len() <= 200);
        }
        let lines = tail.lines();
        assert_eq!(lines.last().map(String::as_str), Some("line 9999"));
        assert!(lines.iter().all(|l| l.starts_with("line 99") && l.len() == 9), "{lines:?}");

        tail.push(&vec![b'x'; 5000]);
        assert_eq!(tail.lines(), ["x".repeat(100)], "a line longer than the bound shows its end");
    }
}
