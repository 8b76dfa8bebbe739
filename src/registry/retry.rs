//! Trying again what may succeed later: a few times, further and further apart, and never for long.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};

use super::error::RegistryError;

/// Nothing is tried again after this long, and nothing is waited for that lies beyond.
const BUDGET: Duration = Duration::from_secs(60);

/// Calls until it succeeds, fails for good, or has been tried six times.
pub(super) async fn retry<T, F>(mut call: impl FnMut() -> F) -> Result<T, RegistryError>
where
    F: Future<Output = Result<T, RegistryError>>,
{
    let started = Instant::now();
    let mut delays = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(8))
        .with_max_times(5)
        .with_jitter()
        .build();
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) if !error.is_transient() => return Err(error),
            Err(error) => error,
        };
        let Some(delay) = delays.next() else { return Err(error) };
        let delay = error.fault.retry_after().map_or(delay, |wanted| wanted.max(delay));
        if started.elapsed() + delay > BUDGET {
            return Err(error);
        }
        tracing::debug!(%error, ?delay, "will be tried again");
        tokio::time::sleep(delay).await;
    }
}
