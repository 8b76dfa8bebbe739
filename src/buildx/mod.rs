//! The buildx command line: argv, progress, metadata, error surfacing.

pub mod argv;
pub mod event;
pub mod tool;
