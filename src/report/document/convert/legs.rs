//! From the run's legs to those of the document.

use super::super::{Leg, MergedLeg};
use super::{proof, seconds};
use crate::{outcome, plan};

pub(super) fn leg(step: &plan::Step, build: Option<&outcome::BuildOutcome>) -> Option<Leg> {
    let leg = step.leg.as_ref()?;
    let document = build.and_then(|build| build.leg.clone());
    Some(Leg { platform: leg.platform.clone(), of: leg.of.clone(), document })
}

pub(super) fn merged(from: &outcome::MergedLeg) -> MergedLeg {
    MergedLeg {
        platform: from.platform.clone(),
        digest: from.digest.to_string(),
        trust: from.trust.map(proof::level),
        seconds: seconds(from.took.as_secs_f64()),
        document: from.document.clone(),
        job: from.job.clone(),
        job_url: from.job_url.clone(),
    }
}
