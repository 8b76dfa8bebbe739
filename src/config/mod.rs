//! `.stagefreight.yml`: what it may hold (`model`), reading it with every mistake reported at once (`load`), and what its values mean:
//! `conditions` (`when`, policies), `template` (`{version}` …), `units` (`7d`, `15GB`).
//!
//! Everything here is pure but `read`, which opens the one file. Nothing here decides what a run does: that is `plan`'s.

pub mod conditions;
#[doc(hidden)]
pub mod fuzz;
pub mod load;
pub mod model;
pub mod nearest;
pub mod reference;
pub mod schema;
pub mod template;
pub mod units;

pub use load::{Loaded, load, read};

/// The beginning of what somebody wrote, short enough for a sentence.
fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}
