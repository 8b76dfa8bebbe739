//! The buildx command line: argv, progress, metadata, error surfacing.

pub mod event;
