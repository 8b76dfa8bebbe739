//! What tests of the whole process stand on: a checkout in a sandbox with an empty environment, and the real components
//! of `ci/testbed`. Nothing here knows how the product works; it knows what a person or a runner can see from outside.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]
#![allow(clippy::disallowed_methods, reason = "tests start processes and read the testbed's variables")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test that panics has failed")]

pub(crate) mod act;
pub(crate) mod bare;
pub(crate) mod cosign;
pub(crate) mod counter;
pub(crate) mod engine;
pub(crate) mod extras;
pub(crate) mod finished;
pub(crate) mod long_step;
pub(crate) mod outputs;
pub(crate) mod registry;
#[path = "../../support/runner_fixture.rs"]
pub(crate) mod runner_fixture;
pub(crate) mod sandbox;
pub(crate) mod testbed;
pub(crate) mod web;

pub(crate) use bare::Bare;
pub(crate) use cosign::{Attached, Cosign};
pub(crate) use counter::Counter;
pub(crate) use engine::Engine;
pub(crate) use finished::Finished;
pub(crate) use long_step::LongStep;
pub(crate) use registry::Registry;
pub(crate) use sandbox::{Running, Sandbox};
pub(crate) use testbed::Testbed;
pub(crate) use web::Web;

use std::time::{Duration, Instant};

/// Letters and digits nobody else has: tests share registries and engines.
pub(crate) fn unique() -> String {
    hex::encode(rand::random::<[u8; 5]>())
}

/// Asks again and again, for at most `limit`.
pub(crate) fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
