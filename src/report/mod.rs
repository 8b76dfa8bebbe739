//! What people and machines read of a run, all of it drawn from one value: the result document.
//!
//! Pure functions make the texts; `terminal` draws while the run goes on; [`write()`] puts files down. Nothing here
//! decides what happened, and every text that came from outside is escaped for the place it is put in.

pub mod annotations;
mod caches;
pub mod code_quality;
mod culprits;
pub mod document;
mod environment;
mod escape;
mod failure;
mod findings;
#[cfg(test)]
pub(crate) mod fixtures;
mod headline;
#[cfg(test)]
mod hostile;
pub mod html;
mod legs;
pub mod markdown;
pub mod outputs;
mod owner;
mod plan;
mod pulls;
mod retention;
mod rows;
mod signed;
mod skipped;
mod steps;
pub mod terminal;
mod timeline;
mod verdict;
mod warnings;
pub mod word;
pub mod write;

pub use document::{Document, exit_code, result_schema};
pub use outputs::{OUTPUTS, OutputSpec};
pub use owner::give_back;
pub use write::{ANNOTATIONS_FILE, CODE_QUALITY_FILE, PAGE_FILE, SUMMARY_FILE, write};
