//! The whole program against the real components of `ci/testbed`. Each test asserts what a person sees and what is left
//! behind. They run side by side: every name in a shared registry or engine is the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "tests start processes and read the testbed's variables")]

#[path = "../support/mod.rs"]
mod scenery;
mod support;

mod act;
mod act_legs;
mod act_native;
mod backends;
mod builds;
mod candidate;
mod credentials;
mod crucible;
mod crucible_backends;
mod crucible_causes;
mod crucible_failures;
mod crucible_shapes;
mod crucible_traffic;
mod crucible_traps;
mod diff;
mod doctor;
mod errors;
mod everywhere;
mod failures;
mod fault_matrix;
mod faults;
mod forward;
mod gitlab;
mod hostile;
mod image;
mod legs;
mod legs_refused;
mod lint;
mod network;
mod own_buildkit;
mod plans;
mod publish;
mod release;
mod runners;
mod secrets;
mod seen;
mod sign;
mod sign_failures;
mod signals;
mod tags;
mod verify;
