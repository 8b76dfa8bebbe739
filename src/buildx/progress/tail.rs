//! The last lines of something that may be endless.

use super::clean::clean;

/// Programs that buffer what they print write it in pieces of at least this many bytes, cut anywhere.
const BLOCK: usize = 4096;

/// Keeps the last bytes pushed; lines are cut and cleaned only when asked for, so pushing is a copy and nothing more.
#[derive(Debug, Clone)]
pub struct LogTail {
    buffer: Vec<u8>,
    /// What stdout and stderr have said since their last line end. They share no line: one may well speak while the other
    /// is in the middle of one.
    unfinished: [Vec<u8>; 2],
    /// The stream that was cut off by its program's buffer: the rest is on its way.
    cut_off: Option<usize>,
    /// Lines of the other, meanwhile.
    held: Vec<u8>,
    max_bytes: usize,
    max_lines: usize,
    /// Something was forgotten: the first line kept may be half a line.
    cut: bool,
}

impl LogTail {
    /// Keeps at most so many bytes and so many lines. It may hold twice the bytes for a moment, and as much of unfinished
    /// lines.
    pub fn new(max_bytes: usize, max_lines: usize) -> Self {
        Self {
            buffer: Vec::new(),
            unfinished: Default::default(),
            cut_off: None,
            held: Vec::new(),
            max_bytes: max_bytes.max(1),
            max_lines,
            cut: false,
        }
    }

    /// Adds bytes that came on stderr or on stdout.
    pub fn push(&mut self, stderr: bool, data: &[u8]) {
        let stream = usize::from(stderr);
        let whole = memchr::memrchr(b'\n', data).map_or(0, |end| end + 1);
        let mut line = std::mem::take(&mut self.unfinished[stream]);
        if whole > 0 {
            if self.cut_off.is_some_and(|other| other != stream) && self.held.len() + data.len() < self.max_bytes {
                self.held.extend_from_slice(&line);
                self.held.extend_from_slice(&data[..whole]);
            } else {
                self.keep(&line);
                self.keep(&data[..whole]);
            }
            line.clear();
        }
        line.extend_from_slice(&data[whole..]);
        if line.len() > 2 * self.max_bytes {
            line.drain(..line.len() - self.max_bytes);
        }
        self.unfinished[stream] = line;
        if data.len() >= BLOCK && whole < data.len() {
            self.cut_off.get_or_insert(stream);
        } else if self.cut_off == Some(stream) {
            self.release();
        }
    }

    /// Adds a line.
    pub fn push_line(&mut self, line: &str) {
        self.end_line();
        self.keep(line.as_bytes());
        self.keep(b"\n");
    }

    /// Ends unfinished lines, so that what another source says next stands on its own.
    pub fn end_line(&mut self) {
        let first = self.cut_off.unwrap_or_default();
        for stream in [first, 1 - first] {
            if !self.unfinished[stream].is_empty() {
                let line = std::mem::take(&mut self.unfinished[stream]);
                self.keep(&line);
                self.keep(b"\n");
            }
            self.release();
        }
    }

    fn release(&mut self) {
        self.cut_off = None;
        let held = std::mem::take(&mut self.held);
        self.keep(&held);
    }

    /// Nothing was ever pushed.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.held.is_empty() && self.unfinished.iter().all(Vec::is_empty)
    }

    fn keep(&mut self, data: &[u8]) {
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

    /// The last lines, oldest first, cleaned of terminal control sequences; blank ones at both ends are left out.
    pub fn lines(&self) -> Vec<String> {
        if !self.held.is_empty() || self.unfinished.iter().any(|line| !line.is_empty()) {
            let mut ended = self.clone();
            ended.end_line();
            return ended.lines();
        }
        let from = self.buffer.len().saturating_sub(self.max_bytes);
        let cut = self.cut || from > 0;
        let mut kept = &self.buffer[from..];
        // Not the end of all that is kept: then half a line is better than none.
        if cut && let Some(end) = memchr::memchr(b'\n', &kept[..kept.len().saturating_sub(1)]) {
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
            tail.push(false, piece.as_bytes());
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

        tail.push(false, &vec![b'x'; 5000]);
        assert_eq!(
            tail.lines(),
            ["x".repeat(99)],
            "a line longer than the bound shows its end, and that end is a byte of it"
        );
        for _ in 0..100 {
            tail.push(true, b"no end in sight");
            assert!(tail.unfinished[1].len() <= 200);
        }
    }

    #[test]
    fn streams_share_no_line() {
        let mut tail = LogTail::new(1000, 10);
        tail.push(false, b"Building dependency tree...");
        tail.push(true, b"E: Unable to ");
        tail.push(false, b"\nReading state");
        tail.push(true, b"locate package\nE: ");
        assert_eq!(tail.lines(), ["Building dependency tree...", "E: Unable to locate package", "Reading state", "E:"]);
        tail.push_line("over");
        tail.push(false, b" information");
        assert_eq!(tail.lines()[4..], ["over", " information"]);
    }
    #[test]
    fn who_is_cut_off_by_a_buffer_is_heard_out_first() {
        let frames = "\tat a.B.c(B.java:1)\n".repeat(300);
        let (piece, rest) = frames.split_at(4096);
        let mut tail = LogTail::new(64 * 1024, 1000);
        tail.push(false, b"java.lang.X: no\n");
        tail.push(false, piece.as_bytes());
        tail.push(true, b"by the way\n");
        assert_eq!(tail.lines().last().unwrap(), "by the way");
        tail.push(false, rest.as_bytes());
        tail.push(true, b"and so on\n");
        let lines = tail.lines();
        assert!(lines[1..301].iter().all(|line| line.starts_with("\tat ") && line.ends_with(')')), "{lines:?}");
        assert_eq!(lines[301..], ["by the way", "and so on"]);

        tail.push(true, &vec![b'y'; BLOCK]);
        for _ in 0..10_000 {
            tail.push(false, b"and it never comes\n");
            assert!(tail.held.len() < 64 * 1024);
        }
    }
}
