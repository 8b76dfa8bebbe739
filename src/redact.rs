//! Stands between what children print and every sink: replaces secrets, and the forms they usually travel in, by `***`.
//!
//! Knows values and bytes, nothing of logs or files. It is the last line of defence, not the first: a secret nobody
//! registered, or one that was encrypted, reversed or printed letter by letter, passes.
//!
//! No pattern holds a line end, so whole lines can be redacted one by one; [`Stream`] serves where lines come in pieces.

mod forms;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::credentials::Login;
use crate::secret::Secret;

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Values with fewer characters are not masked: hiding every `1` or `no` of a log would help nobody and hide much.
pub const SHORTEST: usize = 4;

/// Up to this many bytes of patterns are matched with a DFA: keeps it under about 4 MiB.
const DFA_BYTES: usize = 8192;

/// Replaces secrets by [`MASK`]. Cheap to clone. `Debug` shows how many patterns there are, never which.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Patterns>>);

struct Patterns {
    /// `None` when the automaton could not be built: then everything is hidden, for that is the safe side.
    automaton: Option<AhoCorasick>,
    longest: usize,
}

impl Redactor {
    /// Masks the values, line by line, and their base64, URL-encoded and JSON-escaped forms. Values and lines shorter than
    /// [`SHORTEST`] are left alone.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        Self::with_logins(secrets, [])
    }

    /// Masks logins and secrets as `access` finds them.
    pub fn of((logins, secrets): (Vec<Login>, Vec<Secret>)) -> Self {
        Self::with_logins(&secrets, logins.iter().map(|login| (login.user.as_str(), &login.secret)))
    }

    /// The same, and the `user:password` of logins as an `Authorization: Basic` header carries it.
    pub fn with_logins<'a>(
        secrets: impl IntoIterator<Item = &'a Secret>,
        logins: impl IntoIterator<Item = (&'a str, &'a Secret)>,
    ) -> Self {
        let mut patterns = std::collections::BTreeSet::new();
        for secret in secrets {
            forms::of_secret(secret.reveal(), &mut patterns);
        }
        for (user, secret) in logins {
            forms::of_login(user, secret.reveal(), &mut patterns);
        }
        let Some(longest) = patterns.iter().map(Vec::len).max() else { return Self(None) };
        // A DFA is the fastest, and takes some hundred bytes for each byte of a pattern.
        let small = patterns.iter().map(Vec::len).sum::<usize>() <= DFA_BYTES;
        let kind = if small { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder().kind(Some(kind)).build(patterns).ok();
        Self(Some(Arc::new(Patterns { automaton, longest })))
    }

    /// There is nothing to hide.
    pub fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// Whole bytes at once. Borrows where there is nothing to hide.
    pub fn bytes<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(patterns) = &self.0 else { return Cow::Borrowed(text) };
        if !patterns.found_in(text) {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        patterns.scrub(text, text.len(), None, &mut out);
        Cow::Owned(out)
    }

    /// Whole text at once. Borrows where there is nothing to hide.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Redacts a string in place, copying only when something is hidden.
    pub fn in_place(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.text(text) {
            *text = clean;
        }
    }

    /// For text that arrives in pieces cut anywhere.
    pub fn stream(&self) -> Stream {
        Stream { redactor: self.clone(), held: Vec::new(), mask: None }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_ref().map(|p| p.automaton.as_ref().map(AhoCorasick::patterns_len)) {
            None => f.write_str("Redactor(idle)"),
            Some(n) => write!(f, "Redactor({n:?} patterns)"),
        }
    }
}

impl Patterns {
    fn found_in(&self, text: &[u8]) -> bool {
        self.automaton.as_ref().is_none_or(|a| a.is_match(text))
    }

    /// Where secrets are, overlapping and touching ones joined, by position; only those that begin before `cut`.
    fn spans(&self, text: &[u8], cut: usize) -> Vec<(usize, usize)> {
        let Some(automaton) = &self.automaton else { return vec![(0, text.len())] };
        let mut spans: Vec<(usize, usize)> = Vec::new();
        // Matches come ordered by their end, so a new one can only swallow the last spans.
        for found in automaton.find_overlapping_iter(text).filter(|m| m.start() < cut) {
            let (mut start, end) = (found.start(), found.end());
            while let Some(&(last_start, last_end)) = spans.last()
                && last_end >= start
            {
                start = start.min(last_start);
                spans.pop();
            }
            spans.push((start, end));
        }
        spans
    }

    /// Writes `text[..cut]` with secrets masked. `mask` is how far into `text` a mask already written reaches
    /// (`Some(0)`: right up to its beginning); the same is returned for `text[cut..]`.
    fn scrub(&self, text: &[u8], cut: usize, mask: Option<usize>, out: &mut Vec<u8>) -> Option<usize> {
        let mut written = 0; // text before this is dealt with
        let mut masked_to = mask; // end of the mask last written
        if let Some(end) = mask {
            written = end.min(cut);
        }
        for (start, end) in self.spans(text, cut) {
            match masked_to {
                Some(to) if start <= to => masked_to = Some(to.max(end)),
                _ => {
                    out.extend_from_slice(&text[written..start]);
                    out.extend_from_slice(MASK.as_bytes());
                    masked_to = Some(end);
                }
            }
            written = masked_to.unwrap_or(end).min(cut);
        }
        out.extend_from_slice(&text[written..cut]);
        masked_to.filter(|&to| to >= cut).map(|to| to - cut)
    }
}

/// Redacts text that arrives in pieces. Holds back at most as much as the longest pattern has, and nothing before a line
/// end. What comes out does not depend on where the pieces were cut.
#[derive(Debug)]
pub struct Stream {
    redactor: Redactor,
    held: Vec<u8>,
    mask: Option<usize>,
}

impl Stream {
    /// There is nothing to hide: pieces need not be pushed through it.
    pub fn is_idle(&self) -> bool {
        self.redactor.is_idle()
    }

    /// Takes a piece; appends to `out` what can be told for certain.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Some(patterns) = self.redactor.0.clone() else {
            out.extend_from_slice(piece);
            return;
        };
        if self.held.is_empty() && piece.ends_with(b"\n") && !patterns.found_in(piece) {
            self.mask = None;
            out.extend_from_slice(piece);
            return;
        }
        self.held.extend_from_slice(piece);
        let after_line = self.held.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let cut = after_line.max((self.held.len() + 1).saturating_sub(patterns.longest));
        self.release(&patterns, cut, out);
    }

    /// The text is over: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(patterns) = self.redactor.0.clone() {
            self.release(&patterns, self.held.len(), out);
        }
        self.mask = None;
    }

    fn release(&mut self, patterns: &Patterns, cut: usize, out: &mut Vec<u8>) {
        if cut == 0 {
            return;
        }
        self.mask = patterns.scrub(&self.held, cut, self.mask, out);
        self.held.drain(..cut);
    }
}

/// A writer that redacts. `flush` passes on what is certain; only [`RedactWriter::finish`] ends the text.
#[derive(Debug)]
pub struct RedactWriter<W: Write> {
    inner: W,
    stream: Stream,
    clean: Vec<u8>,
}

impl<W: Write> RedactWriter<W> {
    /// Wraps a writer.
    pub fn new(inner: W, redactor: &Redactor) -> Self {
        Self { inner, stream: redactor.stream(), clean: Vec::new() }
    }

    /// Writes what was held back and gives the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.stream.finish(&mut self.clean);
        self.inner.write_all(&self.clean)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for RedactWriter<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.stream.push(piece, &mut self.clean);
        let result = self.inner.write_all(&self.clean);
        self.clean.clear();
        result.map(|()| piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
