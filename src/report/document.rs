//! The result document, `.stagefreight/result.json`: what a run did, for machines, and the one source every other report
//! is drawn from.
//!
//! Its types are its own: the rooms behind it may change, version 1 of the document may not. Within a version fields are
//! added, never renamed, removed or given another meaning; readers ignore what they do not know. It draws nothing.

pub(crate) mod convert;
mod redact;
#[cfg(test)]
mod tests;
mod v1;

pub use v1::*;

use crate::outcome::{BuildState as Fate, Outcome, Status as End};
use crate::problem::FailureKind;
use crate::redact::Redactor;

/// The version of the document this program writes.
pub const SCHEMA_VERSION: u32 = 1;

impl Document {
    /// The document of a run.
    pub fn new(outcome: &Outcome) -> Self {
        convert::document(outcome)
    }

    /// The same with secrets masked in every free text: messages, excerpts, log lines, names of steps. What others must
    /// find again (ids, references, digests, addresses) stays as it is.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        if !redactor.is_idle() {
            redact::document(&mut self, &mut |text| redactor.in_place(text));
        }
        self
    }

    /// The text of `result.json`: indented, with a line end.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to serialise: keys are strings, and non-finite numbers become null.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// JSON Schema of the result document.
pub fn result_schema() -> schemars::Schema {
    schemars::schema_for!(Document)
}

/// The exit code of the process: 0 only if everything that had to work did. What failed says which other; a failed build
/// that is not required does not count.
pub fn exit_code(outcome: &Outcome) -> u8 {
    if let Some(failure) = &outcome.failure {
        return failure.kind.exit_code();
    }
    if outcome.status == End::Cancelled {
        return FailureKind::Interrupted.exit_code();
    }
    let failed = outcome.builds.iter().filter(|build| build.required).find_map(|build| match &build.state {
        Fate::BuildFailed(_) => Some(FailureKind::Build.exit_code()),
        Fate::Failed(failure) => Some(failure.kind.exit_code()),
        Fate::Done | Fate::NotRun { .. } => None,
    });
    failed.unwrap_or(u8::from(outcome.status == End::Failure))
}
