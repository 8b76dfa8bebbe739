//! Names of what a crucible leaves in an engine for a while: nothing that could be pushed by accident, and no two runs alike.

/// What a temporary image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The image that runs the second pass.
    Candidate,
}

/// `stagefreight/crucible-<purpose>:<run id>`, as the engine keeps it: in full.
pub fn crucible_tag(purpose: Purpose, run_id: &str) -> String {
    let Purpose::Candidate = purpose;
    format!("docker.io/stagefreight/crucible-candidate:{run_id}")
}

/// Name of a container of ours.
pub(super) fn container(purpose: &str, run_id: &str) -> String {
    format!("stagefreight-crucible-{purpose}-{run_id}")
}
