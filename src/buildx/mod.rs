//! The buildx command line: argv, progress, metadata, error surfacing.

pub mod argv;
pub mod check;
pub mod errors;
pub mod event;
pub mod inspect;
pub mod metadata;
pub mod progress;
pub mod reach;
pub mod tool;
