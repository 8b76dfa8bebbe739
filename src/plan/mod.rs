//! `Request` in, `Plan` out. Pure: no file, no clock, no network.

pub mod dockerfile;
mod hash;
pub mod model;
mod paths;
mod provider;
pub mod spec;
mod version;

pub use model::*;

use crate::problem::{Failure, FailureKind, Problem};
use crate::request::Request;

/// Decides everything a run is going to do. Every mistake is reported at once.
///
/// # Errors
/// When what was asked for cannot be planned: the failure holds every problem found.
pub fn resolve(request: &Request) -> Result<Plan, Failure> {
    let _ = request;
    Err(Failure::new(FailureKind::Plan, Problem::new("planning is not written yet")))
}
