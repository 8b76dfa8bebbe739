//! The buildx command line: argv, progress, metadata, error surfacing.

pub mod argv;
pub mod event;
pub mod tool;
pub mod errors;
pub mod event;
pub mod inspect;
pub mod metadata;
pub mod progress;
