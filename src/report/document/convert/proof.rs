//! From the crucible's types to those of the document.

use super::super::*;
use super::{location, name_of, seconds};
use crate::crucible::proof;
use crate::image::diff;
use crate::plan;

pub(super) fn proof(from: &proof::Proof) -> Proof {
    Proof {
        run_id: from.run_id.clone(),
        runner: name_of(&from.runner),
        min_trust: level(from.min_trust),
        trust: from.trust.map(level),
        passed: from.passed,
        obstacles: from.obstacles.clone(),
        checks: from.checks.iter().map(check).collect(),
        passes: from.passes.iter().map(pass).collect(),
        materials: from.materials.iter().map(material).collect(),
        culprits: from.culprits.as_ref().map(culprits),
        provenance: from.provenance.clone(),
    }
}

pub(super) fn level(from: plan::TrustLevel) -> TrustLevel {
    match from {
        plan::TrustLevel::Viable => TrustLevel::Viable,
        plan::TrustLevel::Consistent => TrustLevel::Consistent,
        plan::TrustLevel::Deterministic => TrustLevel::Deterministic,
        plan::TrustLevel::Reproducible => TrustLevel::Reproducible,
    }
}

fn check(from: &proof::Check) -> Check {
    let state = match from.state {
        proof::CheckState::Match => CheckState::Match,
        proof::CheckState::Differs => CheckState::Differs,
        proof::CheckState::Unavailable => CheckState::Unavailable,
        proof::CheckState::NotAsked => CheckState::NotAsked,
    };
    Check { kind: name_of(&from.kind), subject: from.subject.clone(), state, detail: from.detail.clone() }
}

fn pass(from: &proof::Pass) -> Pass {
    Pass {
        digest: from.digest.to_string(),
        seconds: seconds(from.took.as_secs_f64()),
        plan_hash: from.plan_hash.clone(),
        environment: from.environment.iter().cloned().collect(),
        by: from.by.clone(),
    }
}

/// A source may be an address with a login in it.
fn material(from: &crate::buildx::metadata::Material) -> Material {
    Material {
        name: crate::source::strip_credentials(&from.name),
        platform: from.platform.clone(),
        digest: from.digest.as_ref().map(ToString::to_string),
    }
}

fn culprits(from: &proof::Culprits) -> Culprits {
    Culprits {
        layers: from.layers.iter().map(layer).collect(),
        config: from.config.iter().map(change).collect(),
        ignored: from.ignored,
        listing: from.listing.clone(),
        incomplete: from.incomplete.clone(),
    }
}

fn layer(from: &proof::CulpritLayer) -> CulpritLayer {
    CulpritLayer {
        platform: from.platform.clone(),
        layer: from.layer,
        instruction: from.instruction.clone(),
        location: from.location.as_ref().map(location),
        origin: from.origin.clone(),
        files: from.files.iter().map(file).collect(),
        more: from.more,
        note: from.note.clone(),
    }
}

fn file(from: &proof::CulpritFile) -> CulpritFile {
    CulpritFile {
        path: from.path.clone(),
        how: from.how.iter().map(name_of).collect(),
        cause: name_of(&from.cause),
        evidence: from.evidence.clone(),
        cure: from.cause.cure().to_owned(),
    }
}

fn change(from: &diff::ConfigChange) -> ConfigChange {
    ConfigChange { field: from.field.clone(), a: from.a.clone(), b: from.b.clone() }
}
