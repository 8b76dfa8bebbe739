//! `report`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is written to the forge beside the job's own log. Nothing of it can fail a run. The input `report` goes before it, and
/// a run for somebody else's code obeys only what switches something off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// The commit status: pending at the start, what came of it at the end.
    pub status: WriteBack,
    /// A check run with its annotations, on GitHub.
    pub checks: WriteBack,
    /// A note on the pull or merge request: one, found again and kept up to date.
    pub comment: bool,
    /// Name of the status and the check, at most 100 characters. Give each of several jobs for one commit its own. Default:
    /// `stagefreight`.
    pub context: Option<String>,
}

/// Whether something is written to the forge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteBack {
    /// Where the run has a token that may.
    #[default]
    Auto,
    /// Never.
    Off,
}
