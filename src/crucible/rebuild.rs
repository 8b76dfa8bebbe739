//! The second pass: everything read again, planned again, built again, cold. Run by this program, or by the StageFreight
//! inside the candidate; compares nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::proof::Pass;
use crate::build::cold::{self, PassOrder};
use crate::build::{Candidate, FirstPass, Workshop};
use crate::buildx::metadata::Material;
use crate::cli;
use crate::image::Digest;
use crate::outcome::BuilderFacts;
use crate::plan::{self, Step};
use crate::problem::{Failure, FailureKind, Problem};
use crate::request::Request;

/// What the second pass says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// Digest of the manifest or index it made.
    pub digest: Digest,
    /// Plan hash, from files read again.
    pub plan_hash: String,
    /// What it was built with: name and value.
    pub environment: Vec<(String, String)>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Program that ran it.
    pub by: String,
}

/// Runs the second pass of a build.
///
/// # Errors
/// When what the checkout holds now can no longer be planned, or the second build fails.
pub async fn run(build: &str, request: &Request, order: &PassOrder, shop: Workshop<'_>) -> Result<Rebuilt, Failure> {
    let plan = plan::resolve(&request.again()?)?;
    let found = plan.steps.iter().enumerate().find(|(_, step)| step.id == build);
    let Some((index, step)) = found else {
        let what = format!("build {build} is no longer in the plan: the configuration changed during the run");
        return Err(Failure::new(FailureKind::Verification, Problem::new(what).hint("run the job again")));
    };
    let pass = cold::second(index, step, order, shop).await?;
    // A builder replaced between the passes is another environment, so it is asked again.
    let facts = shop.builder.describe(shop.buildx, shop.version, shop.cancel).await;
    let materials = if pass.materials.is_empty() { &order.pins } else { &pass.materials };
    Ok(Rebuilt {
        digest: pass.digest,
        plan_hash: step.plan_hash.clone(),
        environment: environment(&facts, step, materials),
        seconds: pass.took.as_secs_f64(),
        by: program(),
    })
}

impl Rebuilt {
    /// As it is reported.
    pub fn pass(&self) -> Pass {
        Pass {
            digest: self.digest.clone(),
            // Whoever ran the pass may say anything.
            took: Duration::try_from_secs_f64(self.seconds).unwrap_or_default(),
            plan_hash: Some(self.plan_hash.clone()),
            environment: self.environment.clone(),
            by: self.by.clone(),
        }
    }
}

/// The first pass, as it is reported.
pub(super) fn first(candidate: &Candidate, first: &FirstPass, step: &Step, facts: &BuilderFacts) -> Pass {
    Pass {
        digest: candidate.digest.clone(),
        took: first.took,
        plan_hash: Some(step.plan_hash.clone()),
        environment: environment(facts, step, &first.materials),
        by: program(),
    }
}

/// What an image is built with, beside its plan: what could make two builds differ and is no part of the repository.
fn environment(facts: &BuilderFacts, step: &Step, materials: &[Material]) -> Vec<(String, String)> {
    let bases: BTreeSet<String> = materials.iter().filter_map(|m| m.digest.as_ref()).map(ToString::to_string).collect();
    let pairs = [
        ("base images", bases.into_iter().collect::<Vec<_>>().join(" ")),
        ("buildkit", facts.buildkit.clone()),
        ("buildx", facts.buildx.clone()),
        ("driver", facts.driver.clone()),
        ("platforms", step.platforms.join(" ")),
        ("source date epoch", step.epoch.map(|epoch| epoch.to_string()).unwrap_or_default()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn program() -> String {
    format!("stagefreight {}", cli::version_line())
}
