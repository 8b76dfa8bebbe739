//! The runner we run on: its context in; outputs, summary, sections and annotations out.

pub mod context;

pub use context::*;
