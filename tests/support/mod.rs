//! What live tests share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part")]

pub mod fault_proxy;
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
