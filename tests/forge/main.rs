//! What a run writes to its forge: the real program, building with the real BuildKit of `ci/testbed`, against a forge in memory that is
//! held to the forges' published contracts. Each test asserts every write; the forge fails it on any other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "tests read the testbed's variables")]

#[path = "../support/fake_api.rs"]
mod fake_api;
#[path = "../support/mod.rs"]
mod scenery;
#[path = "../live/support/mod.rs"]
mod support;

mod answers;
mod contract;
mod fake;
mod world;

mod checks;
mod matrix;
mod notes;
mod trouble;
