//! Moving in, from the outside: what `stagefreight init` and `stagefreight migrate` write, judged by the plan that is made of it and by
//! the forges' own validators.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "tests start processes")]

#[path = "../support/git.rs"]
mod git;
#[path = "../support/runner_fixture.rs"]
mod runner_fixture;

mod init;
mod meaning;
mod migrate;
mod pipelines;
mod support;
