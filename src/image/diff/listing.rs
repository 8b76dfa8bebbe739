//! The full listing: one JSON object, written piece by piece, so that a million changes take no memory.
//!
//! `{"schema_version": 1, "changes": [{"platform": …, "layers": [2, 2], "path": …, "how": […], "a": {…}, "b": {…}}, …]}`

use std::io::{self, Write};

use serde::Serialize;

use super::{DiffError, FileChange};

/// Version of the document.
const SCHEMA_VERSION: u32 = 1;

/// Where every change goes, if somebody wants them all.
pub(super) struct Listing<'w> {
    out: Option<&'w mut dyn Write>,
    platform: String,
    layers: (Option<usize>, Option<usize>),
    empty: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    platform: &'a str,
    layers: (Option<usize>, Option<usize>),
    #[serde(flatten)]
    change: &'a FileChange,
}

impl<'w> Listing<'w> {
    pub(super) fn begin(out: Option<&'w mut dyn Write>) -> Result<Self, DiffError> {
        let mut listing = Self { out, platform: String::new(), layers: (None, None), empty: true };
        listing.write(|out| write!(out, "{{\"schema_version\":{SCHEMA_VERSION},\"changes\":["))?;
        Ok(listing)
    }

    /// What follows is of these layers.
    pub(super) fn of(&mut self, platform: &str, layers: (Option<usize>, Option<usize>)) {
        platform.clone_into(&mut self.platform);
        self.layers = layers;
    }

    pub(super) fn change(&mut self, change: &FileChange) -> Result<(), DiffError> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let line = Line { platform: &self.platform, layers: self.layers, change };
        let separator = if std::mem::take(&mut self.empty) { "\n" } else { ",\n" };
        out.write_all(separator.as_bytes())
            .and_then(|()| serde_json::to_writer(out, &line).map_err(io::Error::from))
            .map_err(DiffError::Listing)
    }

    pub(super) fn end(mut self) -> Result<(), DiffError> {
        self.write(|out| out.write_all(b"\n]}\n").and_then(|()| out.flush()))
    }

    fn write(&mut self, work: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), DiffError> {
        match &mut self.out {
            Some(out) => work(*out).map_err(DiffError::Listing),
            None => Ok(()),
        }
    }
}
