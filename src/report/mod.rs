//! What people and machines read of a run, all of it drawn from one value: the result document.
//!
//! Pure functions make the texts; `terminal` draws while the run goes on; [`write()`] puts files down. Nothing here
//! decides what happened, and every text that came from outside is escaped for the place it is put in.

pub mod annotations;
pub mod code_quality;
pub mod document;
mod escape;
mod findings;
#[cfg(test)]
pub(crate) mod fixtures;
mod headline;
pub mod markdown;
pub mod outputs;
mod retention;
mod signed;
pub mod terminal;
mod verdict;
pub mod write;

pub use document::{Document, exit_code, result_schema};
pub use outputs::{OUTPUTS, OutputSpec};
pub use write::{ANNOTATIONS_FILE, CODE_QUALITY_FILE, SUMMARY_FILE, write};
