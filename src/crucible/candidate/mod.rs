//! Self-hosting: the second pass is run by the StageFreight inside the image that was just built, natively on a BuildKit daemon,
//! in a container on a docker engine. It is told everything by one private document and answers with another; before it is
//! told anything, it has to say that it is StageFreight. Compares and judges nothing.

mod docker;
mod freight;
pub mod handover;
mod native;
mod program;
mod relay;
pub mod tag;

use std::collections::BTreeSet;
use std::path::Path;

pub use handover::{Answer, Handover};

use self::program::Program;
use super::Prover;
use super::rebuild::Rebuilt;
use crate::access;
use crate::backend::builder::Driver;
use crate::build::cold::PassOrder;
use crate::build::{Candidate, Content, Workshop};
use crate::environment::Vars;
use crate::image::Layout;
use crate::plan::{CrucibleRunner, Step};
use crate::problem::{Failure, FailureKind, Problem};

/// How the candidate is called for its pass, beside the two files.
const COMMAND: &str = "crucible-pass";
/// How it is asked what it is.
const QUESTION: [&str; 3] = ["version", "--format", "json"];
/// How long it may take to say so.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(30);

/// A crucible in a process that a crucible started would go on for ever.
///
/// # Errors
/// When this process is such and a build asks for one.
pub fn refuse_nested(steps: &[Step], vars: &Vars) -> Result<(), Failure> {
    if vars.get(handover::GUARD).is_none() || steps.iter().all(|step| step.crucible.is_none()) {
        return Ok(());
    }
    let what = format!("{} is set: this process is part of a crucible and starts no other one", handover::GUARD);
    Err(config(&Problem::new(what).hint("remove build_mode: crucible here, or do not set that variable")))
}

/// What no container can be given is refused before anything is built.
///
/// # Errors
/// Names it.
pub fn admit(steps: &[Step], driver: Driver, root: &Path) -> Result<(), Failure> {
    let by_candidate = |step: &&Step| step.crucible.as_ref().is_some_and(|c| c.runner == CrucibleRunner::Candidate);
    let Some(step) = steps.iter().find(by_candidate).filter(|_| in_container(driver)) else { return Ok(()) };
    let hint = "use a BuildKit daemon (BUILDKIT_HOST), where the candidate runs on this machine, or crucible: {runner: rebuild}";
    let refused = |what: String| Err(config(&Problem::new(format!("build {}: {what}", step.id)).hint(hint)));
    if !step.ssh.is_empty() {
        return refused(
            "an ssh agent cannot be handed to the container that crucible.runner: candidate uses".to_owned(),
        );
    }
    if !freight::fits(root) {
        let what = "a checkout in {} cannot be put into the container that crucible.runner: candidate uses";
        return refused(what.replace("{}", &root.display().to_string()));
    }
    Ok(())
}

/// Whether the candidate runs in a container: where an engine builds.
fn in_container(driver: Driver) -> bool {
    matches!(driver, Driver::Container | Driver::Engine)
}

/// Has the candidate run the second pass of its own build.
///
/// # Errors
/// When it is not StageFreight, or its pass gives no image.
pub(super) async fn run(
    candidate: &Candidate,
    order: &PassOrder,
    run_id: &str,
    prover: Prover<'_>,
) -> Result<Rebuilt, Failure> {
    let (build, shop) = (&candidate.build, prover.shop);
    let Content::Layout(layout) = &candidate.content else {
        return Err(Failure::new(FailureKind::Internal, Problem::new("a candidate without bytes; please file a bug")));
    };
    let engine = shop.engine.filter(|_| in_container(shop.builder.driver));
    let platform = engine.map_or(prover.request.host_platform.as_str(), |engine| &engine.platform);
    let program = program::find(layout, platform, shop.cancel).await.map_err(|e| told(build, e))?;
    let mut handover = Handover::new(run_id, build, prover.request, order);
    handover.docker_config = shop.access.pull_config(&pulls(order, prover), engine.is_none());
    let order = Pass { build, run_id, program: &program, layout, shop };
    match engine {
        Some(engine) => docker::run(order, handover, engine, prover).await,
        None => native::run(order, handover).await,
    }
}

/// What either runner needs.
#[derive(Clone, Copy)]
struct Pass<'a> {
    build: &'a str,
    run_id: &'a str,
    program: &'a Program,
    layout: &'a Layout,
    shop: Workshop<'a>,
}

/// Registries the second pass pulls from: those the plan names, and those the first pass used.
fn pulls(order: &PassOrder, prover: Prover<'_>) -> BTreeSet<String> {
    let mut hosts = access::pull_hosts(prover.plan);
    let images = order.pins.iter().filter(|pin| !pin.name.contains("://")).map(|pin| pin.name.as_str());
    let named = images.filter_map(|name| crate::image::reference::parse_tagged(name.split('@').next()?).ok());
    hosts.extend(named.map(|(repository, _)| repository.host().to_owned()));
    hosts
}

/// What a program answered when it was asked for its version: the version, if it is StageFreight.
fn version(answer: &[u8]) -> Result<String, String> {
    let answered = || match String::from_utf8_lossy(answer).trim() {
        "" => "nothing".to_owned(),
        text => format!("`{}`", text.chars().take(200).collect::<String>()),
    };
    let document: serde_json::Value = serde_json::from_slice(answer).map_err(|_| answered())?;
    match (document["name"].as_str(), document["version"].as_str()) {
        (Some("stagefreight"), Some(version)) => Ok(version.chars().take(100).collect()),
        _ => Err(answered()),
    }
}

/// The candidate is not what the configuration says it is. `answered` is what came instead.
fn not_ours(build: &str, program: &str, answered: &str) -> Failure {
    let what = format!(
        "build {build}: crucible.runner: candidate needs an image that contains StageFreight, and {program} in it, \
         asked `{}`, answered {answered}",
        QUESTION.join(" ")
    );
    config(&Problem::new(what).hint(
        "use crucible: {runner: rebuild}, where this program runs the second pass, or make StageFreight the image's entrypoint",
    ))
}

/// What the candidate's answer is worth. Whatever it calls its trouble: for us there is no second image, unless we stopped it.
fn taken(answer: Result<Result<Rebuilt, Failure>, Problem>, pass: Pass<'_>, ended: &str) -> Result<Rebuilt, Failure> {
    if pass.shop.cancel.is_cancelled() {
        return Err(stopped());
    }
    match answer {
        Ok(Ok(rebuilt)) => Ok(rebuilt),
        Ok(Err(failure)) => Err(Failure { kind: FailureKind::Verification, ..failure }),
        Err(problem) => {
            let what = format!("build {}: the candidate's pass ended with {ended}: {}", pass.build, problem.what);
            Err(verification(Problem { what, ..problem }))
        }
    }
}

fn told(build: &str, trouble: program::Trouble) -> Failure {
    match trouble {
        program::Trouble::Absent(why) => {
            let what = format!(
                "build {build}: crucible.runner: candidate needs an image that contains StageFreight, and {why}"
            );
            config(
                &Problem::new(what)
                    .hint("use crucible: {runner: rebuild}, or make StageFreight the image's entrypoint"),
            )
        }
        program::Trouble::Stopped => stopped(),
        program::Trouble::Unreadable(problem) => verification(problem),
    }
}

fn stopped() -> Failure {
    Failure::new(FailureKind::Interrupted, Problem::new("the second pass was stopped by a signal"))
}

fn config(problem: &Problem) -> Failure {
    Failure::new(FailureKind::Config, problem.clone())
}

fn verification(problem: Problem) -> Failure {
    Failure::new(FailureKind::Verification, problem)
}

#[cfg(test)]
mod tests;
