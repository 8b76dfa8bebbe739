//! What a run spends its time on: how long each of its phases took, measured where its work is awaited, also when that is cut
//! short by a signal.
//!
//! It decides nothing and draws nothing; the report makes its timeline of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// More spans of one run are not kept.
const SPANS: usize = 1000;

/// A part of a run that may take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Finding and starting what builds.
    Builder,
    /// BuildKit builds.
    Build,
    /// The second build and the comparison.
    Prove,
    /// Content goes to the registries, under no tag.
    Stage,
    /// Signatures and attestations.
    Sign,
    /// Tags are put and read back.
    Tag,
    /// Old tags go.
    Retention,
}

/// A phase, once.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Which.
    pub phase: Phase,
    /// The build it was for, where it was for one.
    pub build: Option<String>,
    /// When it began, since the run did.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// It came to its end, and the end was good.
    pub went_well: bool,
}

/// Measures. Its copies measure together.
#[derive(Debug, Clone)]
pub(super) struct Stopwatch {
    origin: Instant,
    spans: Arc<Mutex<Vec<Span>>>,
}

/// A span that goes on, and ends with this value.
struct Lap {
    watch: Stopwatch,
    span: Span,
}

impl Stopwatch {
    pub(super) fn started() -> Self {
        Self { origin: Instant::now(), spans: Arc::default() }
    }

    /// What was measured, in the order in which it began.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone();
        spans.sort_by_key(|span| span.began);
        spans
    }

    pub(super) async fn measure<T, E>(
        &self,
        phase: Phase,
        build: Option<&str>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = self.origin.elapsed();
        let span = Span { phase, build: build.map(str::to_owned), began, took: Duration::ZERO, went_well: false };
        let mut lap = Lap { watch: self.clone(), span };
        let result = work.await;
        lap.span.went_well = result.is_ok();
        result
    }
}

/// Work that is given up is dropped, and what it took until then is known too.
impl Drop for Lap {
    fn drop(&mut self) {
        let span = &self.span;
        let took = self.watch.origin.elapsed().saturating_sub(span.began);
        let mut spans = self.watch.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() < SPANS {
            spans.push(Span { took, ..span.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_ends_badly_or_is_given_up_is_measured_too() {
        let watch = Stopwatch::started();
        let nap = |result: Result<(), ()>| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            result
        };
        watch.measure(Phase::Builder, None, nap(Ok(()))).await.unwrap();
        watch.measure(Phase::Build, Some("app"), nap(Err(()))).await.unwrap_err();
        let forever = watch.measure(Phase::Tag, None, std::future::pending::<Result<(), ()>>());
        tokio::time::timeout(Duration::from_millis(5), forever).await.unwrap_err();
        let spans = watch.spans();
        let told: Vec<_> = spans.iter().map(|s| (s.phase, s.build.as_deref(), s.went_well)).collect();
        assert_eq!(told, [(Phase::Builder, None, true), (Phase::Build, Some("app"), false), (Phase::Tag, None, false)]);
        assert!(spans.iter().all(|s| s.took >= Duration::from_millis(5)), "{spans:?}");
        assert!(spans.windows(2).all(|two| two[0].began + two[0].took <= two[1].began), "{spans:?}");
    }
}
