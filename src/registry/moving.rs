//! Whether an exchange still moves: what tells a slow upload, which may go on, from a dead one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::http::Timeouts;

/// Watches that an exchange makes progress: an upload that takes its next bytes, an answer that comes.
pub(super) struct Moving {
    timeouts: Timeouts,
    started: Instant,
    /// Milliseconds from `started` to the last bytes sent.
    last: AtomicU64,
    /// Bytes sent.
    count: AtomicU64,
    /// How long to wait for the next step, in milliseconds.
    patience: AtomicU64,
}

impl Moving {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let patience = AtomicU64::new(millis(timeouts.connect + timeouts.idle));
        Self { timeouts, started: Instant::now(), last: AtomicU64::new(0), count: AtomicU64::new(0), patience }
    }

    /// More bytes were sent; after the last the registry may take its time.
    pub(super) fn sent(&self, bytes: usize, size: u64) {
        let count = self.count.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let patience = if count >= size { self.timeouts.commit } else { self.timeouts.idle };
        self.last.store(millis(self.started.elapsed()), Ordering::Relaxed);
        self.patience.store(millis(patience), Ordering::Relaxed);
    }

    /// Ends when nothing moved for too long; with how long that was.
    pub(super) async fn stalled(&self) -> Duration {
        loop {
            let patience = self.patience.load(Ordering::Relaxed);
            let deadline = Duration::from_millis(self.last.load(Ordering::Relaxed) + patience);
            match deadline.checked_sub(self.started.elapsed()) {
                // A deadline moves with every chunk: look again often rather than be woken by each.
                Some(left) if !left.is_zero() => tokio::time::sleep(left.min(Duration::from_secs(1))).await,
                _ => return Duration::from_millis(patience),
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
