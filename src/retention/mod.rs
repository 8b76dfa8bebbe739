//! Which old tags leave a repository, and what leaves with them: rules over tags, a graph over manifests.
//!
//! `plan` decides and touches nothing; `apply` deletes what a plan says, asking again right before. Whatever a tag that stays
//! needs is never deleted; where that cannot be told nothing is. Trouble here is told and fails no publication. Knows no
//! pipeline: `sweep` is the stage of a run, `command` is `stagefreight retention`.

mod again;
mod apply;
pub mod claims;
pub mod command;
mod entries;
mod graph;
mod order;
mod plan;
mod read;
pub mod render;
pub mod rules;
mod shelf;
mod sweep;

pub use apply::{Left, Swept, apply};
pub use claims::{Claims, Owner};
pub use plan::{Going, Question, RetentionPlan, Staying, plan};
pub use sweep::sweep;
