//! How much trust a list of checks earns. One pure function; its truth table is in the tests.

use super::proof::{Check, CheckKind, CheckState};
use crate::plan::TrustLevel;

/// What the checks of a proof come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The level reached.
    pub trust: TrustLevel,
    /// At least what was asked for was reached, and no hard check differs.
    pub passed: bool,
    /// What kept it from the next level, one sentence each.
    pub obstacles: Vec<String>,
}

/// What makes the whole image the same. The digest alone says it all; were the others to contradict it, something is wrong.
const WHOLE: [CheckKind; 4] =
    [CheckKind::ImageDigest, CheckKind::ConfigDigest, CheckKind::DiffIds, CheckKind::LayerBytes];

/// Judges checks against the least trust asked for. A check that is not in the list counts as unavailable.
pub fn judge(checks: &[Check], min_trust: TrustLevel) -> Verdict {
    let (plan, version) = (state(checks, CheckKind::PlanHash), state(checks, CheckKind::Version));
    let matches = |kind: &CheckKind| state(checks, *kind) == CheckState::Match;
    let consistent = plan == CheckState::Match && matches!(version, CheckState::Match | CheckState::NotAsked);
    let deterministic = consistent && matches(&CheckKind::Binary);
    let reproducible = deterministic && WHOLE.iter().all(matches);
    let trust = if reproducible {
        TrustLevel::Reproducible
    } else if deterministic {
        TrustLevel::Deterministic
    } else if consistent {
        TrustLevel::Consistent
    } else {
        TrustLevel::Viable
    };
    // Another plan or another version is another image, whatever was asked for.
    let hard = [plan, version].contains(&CheckState::Differs);
    Verdict { trust, passed: !hard && trust >= min_trust, obstacles: obstacles(checks, trust) }
}

/// The state of all checks of a kind together: as bad as the worst of them.
fn state(checks: &[Check], kind: CheckKind) -> CheckState {
    let states: Vec<_> = checks.iter().filter(|check| check.kind == kind).map(|check| check.state).collect();
    let worst = [CheckState::Differs, CheckState::Unavailable, CheckState::NotAsked];
    match worst.into_iter().find(|bad| states.contains(bad)) {
        Some(bad) => bad,
        None if states.is_empty() => CheckState::Unavailable,
        None => CheckState::Match,
    }
}

fn obstacles(checks: &[Check], trust: TrustLevel) -> Vec<String> {
    let wanted: &[CheckKind] = match trust {
        TrustLevel::Viable => &[CheckKind::PlanHash, CheckKind::Version],
        TrustLevel::Consistent => &[CheckKind::Binary],
        TrustLevel::Deterministic => &WHOLE,
        TrustLevel::Reproducible => &[],
    };
    let mut told = Vec::new();
    for kind in wanted {
        let of_kind: Vec<_> = checks.iter().filter(|check| check.kind == *kind).collect();
        if of_kind.is_empty() {
            told.push(format!("{} was not compared", kind.name()));
        }
        for check in of_kind {
            let subject = if check.subject.is_empty() { String::new() } else { format!(" ({})", check.subject) };
            let detail = if check.detail.is_empty() { String::new() } else { format!(": {}", check.detail) };
            match check.state {
                CheckState::Differs => told.push(format!("{}{subject} differs{detail}", kind.name())),
                CheckState::Unavailable => {
                    told.push(format!("{}{subject} could not be compared{detail}", kind.name()));
                }
                CheckState::NotAsked if *kind != CheckKind::Version => {
                    told.push(format!("{}{subject} was not compared{detail}", kind.name()));
                }
                CheckState::Match | CheckState::NotAsked => {}
            }
        }
    }
    told
}

impl CheckKind {
    /// For people, with its article.
    pub fn name(self) -> &'static str {
        match self {
            Self::ImageDigest => "the image digest",
            Self::ConfigDigest => "the config digest",
            Self::DiffIds => "the content of the layers",
            Self::LayerBytes => "the bytes of the layers",
            Self::Binary => "the binary",
            Self::Version => "the version",
            Self::PlanHash => "the plan",
            Self::Environment => "the environment",
        }
    }
}

#[cfg(test)]
mod tests;
