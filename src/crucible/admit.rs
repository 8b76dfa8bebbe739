//! Which builders can prove an image. Asked before anything is built: what cannot be proven is refused, not pretended.

use crate::backend::Backend;
use crate::backend::builder::Driver;
use crate::plan::Step;
use crate::problem::{Failure, FailureKind, Problem};

/// Refuses builds in crucible mode where the builder cannot make the same image twice.
///
/// # Errors
/// Names every build that asks, and what would work.
pub fn admit(steps: &[Step], backend: &Backend, driver: Driver) -> Result<(), Failure> {
    let asking: Vec<_> = steps.iter().filter(|s| s.crucible.is_some()).map(|step| step.id.as_str()).collect();
    let containerd = backend.engine.as_ref().is_some_and(|engine| engine.containerd_store);
    if asking.is_empty() || driver != Driver::Engine || containerd {
        return Ok(());
    }
    let what = format!(
        "the docker engine's own builder cannot prove an image ({}): its image store keeps neither timestamps nor digests",
        asking.join(", ")
    );
    let hint = "leave out build_cache.builder.driver to build in a BuildKit container, set BUILDKIT_HOST to a BuildKit daemon, or switch the engine to the containerd image store; or remove build_mode: crucible";
    Err(Failure::new(FailureKind::Backend, Problem::new(what).hint(hint)))
}
