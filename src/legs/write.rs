//! From what a leg built to its document. Pure, but for one question to the registry that holds it: what the image consists of.

use super::document::{Builder, Document, Pass, Pointer, Proof, Run, SCHEMA_VERSION, Said, Staged};
use crate::cli;
use crate::crucible::{self, Verified};
use crate::image::attestations;
use crate::image::manifest::{Children, Descriptor, Manifest};
use crate::outcome::{BuildOutcome, BuilderFacts};
use crate::plan::{Plan, Step};
use crate::problem::Problem;
use crate::publish;
use crate::publish::attach::Statement;
use crate::redact::Redactor;
use crate::runner::CiContext;
use crate::source::strip_credentials;

/// What a document is written from.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The job.
    pub context: &'a CiContext,
    /// When it began, RFC 3339.
    pub started: &'a str,
    /// The plan, narrowed to the leg.
    pub plan: &'a Plan,
    /// The build.
    pub step: &'a Step,
    /// What was built.
    pub verified: &'a Verified,
    /// What BuildKit said of building it.
    pub built: &'a BuildOutcome,
    /// What built it.
    pub builder: &'a BuilderFacts,
    /// What is said about it.
    pub statements: &'a [Statement],
    /// Masks secrets in text of others.
    pub redactor: &'a Redactor,
}

/// The document of a leg. `staged` is where its content is, if it is anywhere.
///
/// # Errors
/// When the image is none of one platform.
pub async fn document(from: Written<'_>, staged: Option<&publish::Staged>) -> Result<Document, Problem> {
    let Written { context, plan, step, verified, built, builder, redactor, .. } = from;
    let platforms = step.leg.as_ref().map_or_else(|| step.platforms.clone(), |leg| leg.of.clone());
    let staged = match staged {
        Some(staged) => Some(contents(staged).await?),
        None => None,
    };
    let mut statements = Vec::new();
    for said in from.statements {
        let document = String::from_utf8(said.document.to_vec())
            .map_err(|_| Problem::new(format!("a statement of build {} is no text", step.id)))?;
        statements.push(Said {
            subject: said.subject.clone(),
            predicate: said.predicate.clone(),
            trust: said.trust,
            document,
        });
    }
    Ok(Document {
        schema_version: SCHEMA_VERSION,
        checksum: String::new(),
        tool: format!("stagefreight {}", cli::version_line()),
        run: Run {
            forge: serde_json::to_value(context.forge)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default(),
            repository: context.repository.clone(),
            pipeline: context.pipeline.clone(),
            attempt: context.attempt,
            job: context.job.clone(),
            job_url: context.job_url.clone(),
            started: from.started.to_owned(),
        },
        build: step.id.clone(),
        platform: step.platforms.first().cloned().unwrap_or_default(),
        platforms,
        commit: plan.commit.clone(),
        version: plan.version.full.clone(),
        plan_hash: step.plan_hash.clone(),
        source_date_epoch: step.epoch,
        seconds: built.took.as_secs_f64(),
        digest: verified.candidate().digest.clone(),
        staged,
        builder: Some(Builder {
            backend: builder.backend.clone(),
            driver: builder.driver.clone(),
            buildkit: builder.buildkit.clone(),
            buildx: builder.buildx.clone(),
        }),
        proof: verified.proof().and_then(|proof| proved(proof, redactor)),
        statements,
    })
}

async fn contents(staged: &publish::Staged) -> Result<Staged, Problem> {
    let mut repositories: Vec<_> = staged.places().map(|(target, _)| target.repository.to_string()).collect();
    repositories.sort();
    repositories.dedup();
    let root = staged.manifest();
    let (manifest, attesting) = match root.children().map_err(|e| unfit(root, &e.to_string()))? {
        Children::Image { .. } => (root.clone(), Vec::new()),
        Children::Index(children) => {
            let (attesting, images): (Vec<_>, Vec<_>) = children.into_iter().partition(attestations::is_attestation);
            let ([image], Some((target, registry))) = (images.as_slice(), staged.places().next()) else {
                return Err(unfit(root, &format!("it is an index of {} images", images.len())));
            };
            let manifest = registry.get_manifest(&target.repository, &image.digest).await.map_err(|e| e.problem())?;
            (manifest, attesting)
        }
    };
    let Ok(Children::Image { config, .. }) = manifest.children() else {
        return Err(unfit(&manifest, "it is no image"));
    };
    Ok(Staged {
        repositories,
        manifest: pointer(&manifest.descriptor()),
        config: config.digest,
        attestations: attesting.iter().map(pointer).collect(),
    })
}

fn pointer(to: &Descriptor) -> Pointer {
    Pointer { media_type: to.media_type.clone(), digest: to.digest.clone(), size: to.size }
}

fn proved(proof: &crucible::Proof, redactor: &Redactor) -> Option<Proof> {
    let trust = proof.trust.filter(|_| proof.passed)?;
    let mut checks = proof.checks.clone();
    for check in &mut checks {
        redactor.in_place(&mut check.subject);
        redactor.in_place(&mut check.detail);
    }
    let mut materials = proof.materials.clone();
    for material in &mut materials {
        material.name = strip_credentials(&material.name);
    }
    let pass = |pass: &crucible::proof::Pass| Pass {
        digest: pass.digest.clone(),
        seconds: pass.took.as_secs_f64(),
        plan_hash: pass.plan_hash.clone(),
        environment: pass.environment.clone(),
        by: pass.by.clone(),
    };
    Some(Proof {
        run_id: proof.run_id.clone(),
        runner: proof.runner,
        min_trust: proof.min_trust,
        trust,
        checks,
        passes: proof.passes.iter().map(pass).collect(),
        materials,
    })
}

fn unfit(root: &Manifest, why: &str) -> Problem {
    Problem::new(format!("{} cannot be a leg: {why}", root.digest))
        .hint("a leg is an image of one platform; please file a bug")
}
