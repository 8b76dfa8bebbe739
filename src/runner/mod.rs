//! The runner we run on: its context in; outputs, summary, sections and annotations out.
//!
//! Inward it is one function, [`detect`]. Outward it knows the formats runners read, as pure functions over text, and the
//! few files they read them from. It never prints, and it never reads the process environment.

pub mod commands;
pub mod context;
pub mod dotenv;
pub mod neutralise;
pub mod outputs;
pub mod summary;

pub use commands::Dialect;
pub use context::*;
pub use neutralise::{neutralise, neutralise_text};
