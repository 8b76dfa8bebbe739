//! `.stagefreight.yml`.

pub mod model;
