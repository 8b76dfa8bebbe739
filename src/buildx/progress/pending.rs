//! Output of a step on its way out: joined to pieces worth sending, cut to pieces that stay small.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::MAX_LOG_PIECE;
use crate::buildx::event::Progress;

/// Base64 characters decoded at a time: whole groups of four, one log piece at most.
const BASE64_BLOCK: usize = MAX_LOG_PIECE / 3 * 4;

/// Bytes of one stream of one vertex, not yet told. Whoever owns it flushes it before it tells anything else, and when
/// it has read all there is: nothing waits for bytes that have not come.
#[derive(Debug, Default)]
pub(super) struct PendingLog {
    vertex: String,
    stderr: bool,
    data: Vec<u8>,
}

impl PendingLog {
    /// Adds output as rawjson holds it.
    pub(super) fn push_base64(&mut self, vertex: &str, stderr: bool, base64: &str, out: &mut impl FnMut(Progress)) {
        self.belong_to(vertex, stderr, out);
        for block in base64.as_bytes().chunks(BASE64_BLOCK) {
            let before = self.data.len();
            if BASE64_STANDARD.decode_vec(block, &mut self.data).is_err() {
                // Not what BuildKit writes; the text as it stands is better than nothing.
                self.data.truncate(before);
                self.data.extend_from_slice(block);
            }
            self.tell_full_pieces(out);
        }
    }

    /// Adds a line of output.
    pub(super) fn push_line(&mut self, vertex: &str, line: &[u8], out: &mut impl FnMut(Progress)) {
        self.belong_to(vertex, false, out);
        for block in line.chunks(MAX_LOG_PIECE) {
            self.data.extend_from_slice(block);
            self.tell_full_pieces(out);
        }
        self.data.push(b'\n');
        self.tell_full_pieces(out);
    }

    /// Tells what is left.
    pub(super) fn flush(&mut self, out: &mut impl FnMut(Progress)) {
        if !self.data.is_empty() {
            let data = self.data.as_slice().to_vec();
            self.data.clear();
            out(Progress::Log { vertex: self.vertex.clone(), stderr: self.stderr, data });
        }
    }

    fn belong_to(&mut self, vertex: &str, stderr: bool, out: &mut impl FnMut(Progress)) {
        let vertex = &vertex[..vertex.floor_char_boundary(256)];
        if self.vertex != vertex || self.stderr != stderr {
            self.flush(out);
            self.vertex.clear();
            self.vertex.push_str(vertex);
            self.stderr = stderr;
        }
    }

    /// Tells pieces while there is a full one, each cut after its last whole line.
    fn tell_full_pieces(&mut self, out: &mut impl FnMut(Progress)) {
        while self.data.len() >= MAX_LOG_PIECE {
            let end = memchr::memrchr(b'\n', &self.data[..MAX_LOG_PIECE]).map_or(MAX_LOG_PIECE, |i| i + 1);
            let rest = self.data.split_off(end);
            let data = std::mem::replace(&mut self.data, rest);
            out(Progress::Log { vertex: self.vertex.clone(), stderr: self.stderr, data });
        }
    }
}
