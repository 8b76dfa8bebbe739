//! What can be known before the first byte is built: is each registry there, may we push, can the builder do what the plan
//! needs. Beside the first seconds of a run, and in `stagefreight doctor`.
//!
//! Judges answers; the questions are those of `registry` and `buildx`. Builds nothing, publishes nothing, leaves nothing
//! behind. What could not be checked is unknown, which is neither passed nor failed.

pub mod builder;
pub mod dockerfiles;
mod judge;
pub mod registries;

use serde::Serialize;

use crate::event::Events;
use crate::problem::{Failure, FailureKind, Problem};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is as it has to be. With a cure beside it, it is worth a warning.
    Ok,
    /// It is not, for certain.
    Failed,
    /// It could not be told.
    Unknown,
    /// This run does not need it.
    NotNeeded,
}

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Subject {
    /// The run's logins and network settings.
    Access,
    /// What builds.
    Builder,
    /// What signs.
    Signing,
    /// A build's Dockerfile.
    Dockerfile {
        /// Id of the build.
        build: String,
        /// Where it is.
        path: String,
    },
    /// A target's repository.
    Registry {
        /// Id of the target.
        target: String,
        /// Where.
        repository: String,
    },
}

/// What about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Every login the configuration names is there.
    Logins,
    /// A builder can be had.
    Builder,
    /// It makes what the plan asks for: attestations, caches.
    Outputs,
    /// It builds for the plan's platforms, and how.
    Platforms,
    /// The registry answers us.
    Reachable,
    /// It takes the login.
    Login,
    /// The login may push.
    Push,
    /// Manifests can be deleted.
    Deletes,
    /// It lists referrers itself.
    Referrers,
    /// The registry answers the builder.
    FromBuilder,
    /// Published images can be signed.
    Signing,
    /// BuildKit's checks of the Dockerfile.
    Checks,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Of what.
    pub subject: Subject,
    /// What about it.
    pub aspect: Aspect,
    /// How it ended.
    pub state: State,
    /// One sentence, without control characters of strangers.
    pub says: String,
    /// How to mend it, or what to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// Everything `stagefreight doctor` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Examination {
    /// Version of this document.
    pub schema_version: u32,
    /// Nothing failed.
    pub healthy: bool,
    /// How long it took.
    pub seconds: f64,
    /// In the order of the plan, each subject in one piece.
    pub checks: Vec<Check>,
}

/// What checks beside a run come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Why the run must not go on.
    pub failure: Option<Failure>,
    /// What a person should know all the same.
    pub notes: Vec<Problem>,
}

impl Aspect {
    /// Which kind of failure of a run it is. `None`: trouble with this one stops no run.
    fn stops(self) -> Option<FailureKind> {
        match self {
            Self::Logins | Self::Login | Self::Push | Self::Signing => Some(FailureKind::Credentials),
            Self::Builder | Self::Outputs | Self::FromBuilder => Some(FailureKind::Backend),
            Self::Reachable => Some(FailureKind::Publish),
            // Keeping order never turns a good build red, and a platform's trouble is the build's to tell.
            Self::Platforms | Self::Deletes | Self::Referrers | Self::Checks => None,
        }
    }
}

impl Check {
    fn new(subject: &Subject, aspect: Aspect, state: State, says: impl Into<String>) -> Self {
        Self { subject: subject.clone(), aspect, state, says: says.into(), cure: None }
    }

    fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// From a problem and its hint.
    pub(crate) fn of(subject: &Subject, aspect: Aspect, state: State, problem: Problem) -> Self {
        Self { subject: subject.clone(), aspect, state, says: problem.what, cure: problem.hint }
    }

    /// It is as it has to be, and a person should know something about it.
    pub fn is_warning(&self) -> bool {
        self.state == State::Ok && self.cure.is_some()
    }

    /// A run cannot go on.
    fn is_fatal(&self) -> bool {
        self.state == State::Failed && self.aspect.stops().is_some()
    }

    fn problem(&self) -> Problem {
        Problem { hint: self.cure.clone(), ..Problem::new(self.says.clone()) }
    }
}

impl Examination {
    /// Sums up.
    pub fn new(checks: Vec<Check>, took: std::time::Duration) -> Self {
        let healthy = checks.iter().all(|check| check.state != State::Failed);
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        Self { schema_version: 1, healthy, seconds, checks }
    }
}

/// What checks mean for a run: the kind is that of the first that stops it.
fn verdict(checks: &[Check]) -> Verdict {
    let fatal: Vec<_> = checks.iter().filter(|check| check.is_fatal()).collect();
    let kind = fatal.first().and_then(|check| check.aspect.stops());
    let failure = kind.map(|kind| Failure::many(kind, fatal.iter().map(|check| check.problem()).collect()));
    let worth_telling =
        |check: &&Check| check.is_warning() || (check.state == State::Failed && check.aspect.stops().is_none());
    let notes = checks.iter().filter(worth_telling).map(Check::problem).collect();
    Verdict { failure, notes }
}

/// What could not be told is told to those who look closely.
async fn whisper(checks: &[Check], events: &Events) {
    for check in checks {
        events.debug(format!("preflight: {:?} {:?}: {}", check.aspect, check.state, check.says)).await;
    }
}

#[cfg(test)]
mod tests;
