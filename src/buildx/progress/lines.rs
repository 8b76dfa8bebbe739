//! Cuts a stream into lines without copying those that arrive whole, and without holding one that is too long.

use super::MAX_LINE;

/// Capacity kept between lines; a rare giant's buffer is given back.
const KEEP: usize = 256 * 1024;

/// A line, without its end.
pub(super) enum Line<'a> {
    /// As it came.
    Whole(&'a [u8]),
    /// It was longer than [`MAX_LINE`] and is gone.
    TooLong {
        /// Its length.
        bytes: u64,
    },
}

/// The state between two chunks: the beginning of an unfinished line, or how much of a giant was skipped.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    skipped: u64,
}

impl Lines {
    pub(super) fn push(&mut self, mut chunk: &[u8], mut each: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (head, rest) = (&chunk[..end], &chunk[end + 1..]);
            chunk = rest;
            if self.partial.is_empty() && self.skipped == 0 && head.len() <= MAX_LINE {
                each(Line::Whole(without_cr(head)));
                continue;
            }
            self.hold(head);
            self.flush(&mut each);
        }
        self.hold(chunk);
    }

    pub(super) fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        if self.skipped > 0 || !self.partial.is_empty() {
            self.flush(&mut each);
        }
    }

    fn hold(&mut self, part: &[u8]) {
        if self.skipped > 0 {
            self.skipped += part.len() as u64;
        } else if self.partial.len() + part.len() > MAX_LINE {
            self.skipped = (self.partial.len() + part.len()) as u64;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(part);
        }
    }

    fn flush(&mut self, each: &mut impl FnMut(Line<'_>)) {
        match std::mem::take(&mut self.skipped) {
            0 => each(Line::Whole(without_cr(&self.partial))),
            bytes => each(Line::TooLong { bytes }),
        }
        self.partial.clear();
        self.partial.shrink_to(KEEP);
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut each = |line: Line<'_>| {
            seen.push(match line {
                Line::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong { bytes } => format!("too long: {bytes}"),
            });
        };
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk, &mut each);
        }
        lines.finish(&mut each);
        seen
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        assert_eq!(cut(&[b"a\nbc\r\n\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(cut(&[b"a", b"\n", b"b", b"c\r", b"\n\n", b"", b"d"]), ["a", "bc", "", "d"]);
        assert_eq!(cut(&[b"a\n"]), ["a"]);
        assert!(cut(&[b""]).is_empty());
    }

    #[test]
    fn a_giant_is_dropped_and_its_neighbours_stay() {
        let giant = vec![b'x'; MAX_LINE + 1];
        let told = format!("too long: {}", giant.len());
        assert_eq!(cut(&[b"a\n", &giant, b"\nb\n"]), ["a", &told, "b"]);
        assert_eq!(cut(&[&[b"a\n", &giant[..], b"\nb\n"].concat()]), ["a", &told, "b"]);
        assert_eq!(cut(&[&giant]), [told.as_str()]);
        assert_eq!(cut(&[&giant[1..], b"\n"])[0].len(), MAX_LINE);
    }
}
