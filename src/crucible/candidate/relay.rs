//! What the candidate prints, into our log line by line as it comes.

use crate::event::Events;

/// The longest line that is kept in one piece.
const LONGEST: usize = 8 << 10;

/// Collects pieces of output into lines.
pub(super) struct Relay<'a> {
    events: &'a Events,
    line: Vec<u8>,
}

impl<'a> Relay<'a> {
    pub(super) fn new(events: &'a Events) -> Self {
        Self { events, line: Vec::new() }
    }

    /// Takes a piece.
    pub(super) async fn push(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") || self.line.len() >= LONGEST {
                self.send().await;
            }
        }
    }

    /// Sends what is left.
    pub(super) async fn finish(mut self) {
        if !self.line.is_empty() {
            self.send().await;
        }
    }

    async fn send(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        self.events.info(line).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[tokio::test]
    async fn pieces_become_lines() {
        let (events, mut receiver) = Events::channel();
        let mut relay = Relay::new(&events);
        for piece in ["one\ntw", "o\n\nthr", "ee"] {
            relay.push(piece.as_bytes()).await;
        }
        relay.push(&vec![b'x'; LONGEST]).await;
        relay.finish().await;
        drop(events);
        let mut lines = Vec::new();
        while let Some(Event::Info(line)) = receiver.recv().await {
            lines.push(line);
        }
        assert_eq!(lines[..3], ["one", "two", ""]);
        assert_eq!((lines.len(), lines[3].len()), (4, LONGEST + 5));
    }
}
