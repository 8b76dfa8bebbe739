//! Names of what a crucible leaves in an engine for a while: nothing that could be pushed by accident, and no two runs alike.

/// What a temporary image or container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The image that runs the second pass.
    Candidate,
    /// Asking the candidate what it is.
    Version,
    /// The second pass.
    Pass,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Version => "version",
            Self::Pass => "pass",
        }
    }
}

/// Name of a temporary image: `stagefreight/crucible-<purpose>:<run id>`, as StageFreight 0.5 named them.
pub fn crucible_tag(purpose: Purpose, run_id: &str) -> String {
    format!("stagefreight/crucible-{}:{run_id}", purpose.name())
}

/// Name of a temporary container.
pub(super) fn container(purpose: Purpose, run_id: &str) -> String {
    format!("stagefreight-crucible-{}-{run_id}", purpose.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_purpose_and_the_run() {
        assert_eq!(crucible_tag(Purpose::Candidate, "0123456789ab"), "stagefreight/crucible-candidate:0123456789ab");
        assert_eq!(container(Purpose::Pass, "0123456789ab"), "stagefreight-crucible-pass-0123456789ab");
    }
}
