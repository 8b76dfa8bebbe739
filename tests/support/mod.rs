//! What live tests share.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod fault_proxy;
pub mod forward_proxy;
pub mod images;
pub mod runner_model;
pub mod tls_front;

/// A variable of the testbed. A live test without its component fails; it never passes by being skipped.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "the testbed speaks to tests through variables")]
pub fn testbed(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run `ci/testbed up` and `eval \"$(ci/testbed env)\"` first"),
    }
}
