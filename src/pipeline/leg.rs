//! The end of a leg: its content in every registry, by digest, and one document for whoever merges. No tag, no signature, nothing
//! deleted: all that is decided where all legs are known.

use super::publication::{Publishing, targets};
use crate::access;
use crate::crucible::Verified;
use crate::legs::{self, Written};
use crate::outcome::{BuilderFacts, Outcome};
use crate::plan::Plan;
use crate::problem::{Failure, FailureKind, Problem};
use crate::publish::{self, Staged, attach::Statement};
use crate::redact::Redactor;
use crate::report;
use crate::request::Request;

/// Documents of an earlier try would be taken for this one's.
pub(super) fn withdraw(request: &Request, plan: &Plan) {
    for step in &plan.steps {
        for platform in step.leg.iter().map(|leg| &leg.platform) {
            report::write::withdraw(&request.source.root, &legs::path(&step.id, platform));
        }
    }
}

/// Hands over what was built and, in crucible mode, proven.
///
/// # Errors
/// When a registry does not take it, or it cannot be written down. What was brought is taken away again.
pub(super) async fn hand_over(
    verified: Vec<Verified>,
    statements: &[(String, Vec<Statement>)],
    builder: &BuilderFacts,
    at: Publishing<'_>,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let Some(platform) = at.plan.steps.iter().find_map(|step| step.leg.as_ref()).map(|leg| leg.platform.clone()) else {
        return Ok(());
    };
    let work = async {
        let mut staged = Vec::new();
        match each(verified, statements, builder, at, &mut staged, outcome).await {
            Ok(count) => Ok(((), format!("{count} for `stagefreight merge`"))),
            Err(mut failure) => {
                failure.problems.extend(publish::clear(&staged, at.cancel).await);
                // A document promises content: one of a leg that failed would be merged.
                withdraw(at.request, at.plan);
                outcome.builds.iter_mut().for_each(|build| build.leg = None);
                Err(failure)
            }
        }
    };
    at.events.section("leg", &format!("Hand over the leg {platform}"), work).await
}

async fn each(
    verified: Vec<Verified>,
    statements: &[(String, Vec<Statement>)],
    builder: &BuilderFacts,
    at: Publishing<'_>,
    staged: &mut Vec<Staged>,
    outcome: &mut Outcome,
) -> Result<usize, Failure> {
    let redactor = Redactor::of(access::secrets(at.request));
    let started = outcome.started.to_string();
    let mut count = 0;
    for image in verified {
        let build = image.candidate().build.clone();
        let Some(step) = at.plan.steps.iter().find(|step| step.id == build) else { continue };
        let Some(built) = outcome.builds.iter_mut().find(|noted| noted.id == build) else { continue };
        let said = statements.iter().find(|(id, _)| *id == build).map(|(_, said)| said.as_slice()).unwrap_or_default();
        let held = match targets(&step.output) {
            Some(targets) => Some(publish::stage(image.clone(), targets, at.access, at.cancel).await?),
            None => None,
        };
        let from = Written {
            context: &outcome.context,
            started: &started,
            plan: at.plan,
            step,
            verified: &image,
            built,
            builder,
            statements: said,
            redactor: &redactor,
        };
        let written = legs::document(from, held.as_ref()).await;
        staged.extend(held);
        let text = written.map_err(|problem| Failure::new(FailureKind::Publish, problem))?.to_text();
        if text.len() > legs::document::LIMIT {
            let what = format!("the leg document of build {build} has {} MiB", text.len() >> 20);
            let problem =
                Problem::new(format!("{what}, and `stagefreight merge` takes {}", legs::document::LIMIT >> 20));
            return Err(Failure::new(FailureKind::Report, problem.hint("leave out `sbom` for this build")));
        }
        let file = legs::path(&step.id, &step.platforms.first().cloned().unwrap_or_default());
        report::write::put(&at.request.source.root, &file, &text)?;
        at.events.info(format!("leg document: {file}")).await;
        built.leg = Some(file);
        count += 1;
    }
    Ok(count)
}
