//! What stages tell the world while they run. Stages send; `report` draws; nobody else prints.

mod phase;

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::buildx::event::Progress;
use crate::problem::Failure;

use phase::Stopwatch;
pub use phase::{Phase, Span};

/// Something a person may want to see now.
#[derive(Debug, Clone)]
pub enum Event {
    /// A collapsible section of the log begins. Sections do not nest; the id is unique in a run.
    SectionStart {
        /// `[a-z0-9_]+`, for the markers in the log.
        id: String,
        /// For people.
        title: String,
    },
    /// It ends.
    SectionEnd {
        /// Which.
        id: String,
        /// `Ok` with a short result for its last line, or how it failed.
        result: Result<String, Failure>,
        /// How long it took.
        took: Duration,
    },
    /// A plain line of information.
    Info(String),
    /// Something a person should know, that fails nothing.
    Warning(String),
    /// Only with `verbose`.
    Debug(String),
    /// Progress of a build. Builds may run in parallel: each piece names its own.
    Build {
        /// Build id.
        build: String,
        /// What happened.
        progress: Progress,
    },
}

/// Sends events. Cheap to clone. A closed receiver is ignored: nobody is listening any more.
#[derive(Debug, Clone)]
pub struct Events(mpsc::Sender<Event>, Stopwatch);

/// How many events may wait to be drawn before a sender waits: bounds memory, slows a build's log to what can be shown.
const CAPACITY: usize = 256;

impl Events {
    /// A sender and what `report` listens to.
    pub fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (tx, rx) = mpsc::channel(CAPACITY);
        (Self(tx, Stopwatch::started()), rx)
    }

    /// Measures work as a phase of the run, for one build or for all.
    ///
    /// # Errors
    /// The work's own.
    pub async fn timed<T, E>(
        &self,
        phase: Phase,
        build: Option<&str>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.1.measure(phase, build, work).await
    }

    /// What was measured so far, in the order in which it began.
    pub fn spans(&self) -> Vec<Span> {
        self.1.spans()
    }

    /// Sends one, waiting while the listener is behind.
    pub async fn send(&self, event: Event) {
        let _ = self.0.send(event).await;
    }

    /// Runs work as a section of the log. The work's value comes with a short result for the section's last line.
    ///
    /// # Errors
    /// The work's own.
    pub async fn section<T>(
        &self,
        id: &str,
        title: &str,
        work: impl Future<Output = Result<(T, String), Failure>>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        self.send(Event::SectionStart { id: id.to_owned(), title: title.to_owned() }).await;
        let (result, said) = match work.await {
            Ok((value, said)) => (Ok(value), Ok(said)),
            Err(failure) => (Err(failure.clone()), Err(failure)),
        };
        self.send(Event::SectionEnd { id: id.to_owned(), result: said, took: started.elapsed() }).await;
        result
    }

    /// A line of information.
    pub async fn info(&self, line: impl Into<String>) {
        self.send(Event::Info(line.into())).await;
    }

    /// A line of warning.
    pub async fn warn(&self, line: impl Into<String>) {
        self.send(Event::Warning(line.into())).await;
    }

    /// A line only `verbose` shows.
    pub async fn debug(&self, line: impl Into<String>) {
        self.send(Event::Debug(line.into())).await;
    }
}
