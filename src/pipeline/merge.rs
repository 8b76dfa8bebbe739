//! The line of `stagefreight merge`: the same plan, no build; legs instead of candidates, and from the gate on the stages of
//! every run. No builder is needed.

mod statements;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::publication::{self, Publishing, targets};
use super::{ledger, private_directory};
use crate::access::{self, Access};
use crate::build::{self, Candidate, Content, Piece, Pieces};
use crate::crucible;
use crate::event::Events;
use crate::image::{Descriptor, Manifest};
use crate::legs::{self, CheckedLeg, OfBuild};
use crate::outcome::{BuildOutcome, BuildState, MergedLeg, Outcome};
use crate::plan::{self, Plan};
use crate::preflight;
use crate::problem::{Failure, FailureKind, Problem};
use crate::publish::record;
use crate::report;
use crate::request::Request;
use crate::rundir::RunDir;
use crate::sign;

/// Legs looked up at a time.
const PARALLEL: usize = 4;

/// Merges legs and publishes the images. Whatever was reached stands in `outcome`, also when this ends early.
///
/// # Errors
/// Why it was not all done. Then no tag was put.
pub async fn merge(
    request: &Request,
    named: &[PathBuf],
    events: &Events,
    cancel: &CancellationToken,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    if request.inputs.platform_leg.is_some() {
        let problem = Problem::new("`platform-leg` is set, and merging takes all legs");
        return Err(Failure::new(FailureKind::Input, problem.hint("leave it out for `stagefreight merge`")));
    }
    // What is going to happen: the plan the legs had, made again.
    let plan = plan::resolve(request)?;
    outcome.plan = Some(plan.clone());
    events
        .section("plan", "Plan", async { Ok((events.info(plan::render::text(&plan)).await, "ready".to_owned())) })
        .await?;
    if plan.steps.is_empty() {
        return Ok(());
    }
    report::write::withdraw(&request.source.root, record::FILE);
    let private = private_directory(request)?;
    let ended = Box::pin(publish(request, named, &plan, &private, events, cancel, outcome)).await;
    if let Err(error) = private.close() {
        let what = format!("the run's private directory could not be removed: {error}");
        outcome.notes.push(Problem::new(what).hint("the next run of this user on this machine removes it"));
    }
    ended
}

async fn publish(
    request: &Request,
    named: &[PathBuf],
    plan: &Plan,
    private: &RunDir,
    events: &Events,
    cancel: &CancellationToken,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    // Legs: each platform once, of this plan, commit and pipeline.
    let found = legs::gather(&request.source.root, named)?;
    let (builds, notes) = legs::sort(plan, &outcome.context, found)?;
    outcome.notes.extend(notes);
    // Logins, what signs, and whether the registries take what comes; beside them, whether the legs are where they should be.
    let access = access::resolve(request, plan, cancel).await?;
    let trust = access.write(private)?;
    outcome.notes.extend(access.notes.iter().cloned());
    let (halt, ended) = (cancel.child_token(), cancel.child_token());
    let (signing, registries, merged) = tokio::join!(
        sign::resolve(request, plan, &access, private, &trust, cancel),
        preflight::registries::watch(plan, &request.config, &access, events, &halt, &ended),
        async {
            let _ended = ended.clone().drop_guard();
            look_up(builds, &access, events, cancel, outcome).await
        }
    );
    outcome.notes.extend(registries.notes);
    let (candidates, checked) = match (registries.failure, merged) {
        (None, merged) => merged?,
        (Some(failure), Ok(_)) => return Err(failure),
        (Some(failure), Err(more)) => {
            return Err(Failure { problems: [failure.problems, more.problems].concat(), ..failure });
        }
    };
    let signing = signing?;
    outcome.signing = signing.noted();
    // Prove: nothing is proven here. What the legs proved is judged, and the lowest counts.
    let proven = candidates.into_iter().zip(&checked).filter_map(|(candidate, (id, legs))| {
        let step = plan.steps.iter().find(|step| step.id == *id)?;
        Some(crucible::merged(candidate, step, legs))
    });
    let verified = ledger::note_proofs(proven.collect(), request, outcome);
    ledger::required_builds(outcome, cancel)?;
    // Attest: what was proven of the whole, and what each leg says of its platform.
    let statements = statements::all(&verified, &checked, request, plan, outcome)?;
    let at = Publishing { request, plan, signing: &signing, access: &access, private, events, cancel };
    publication::to_the_end(verified, &statements, at, outcome).await
}

/// A build whose legs were looked up.
struct Looked {
    outcome: BuildOutcome,
    merged: Option<(Candidate, Vec<CheckedLeg>)>,
}

/// Images to be, and their legs by build id.
type Merged = (Vec<Candidate>, Vec<(String, Vec<CheckedLeg>)>);

/// Looks for every leg in the registries, and makes the images they are to be.
async fn look_up(
    builds: Vec<OfBuild<'_>>,
    access: &Access,
    events: &Events,
    cancel: &CancellationToken,
    outcome: &mut Outcome,
) -> Result<Merged, Failure> {
    let work = async {
        let (mut candidates, mut checked) = (Vec::new(), Vec::new());
        for build in builds {
            let Looked { outcome: build, merged } = one(build, access, cancel).await?;
            if let Some((candidate, legs)) = merged {
                checked.push((build.id.clone(), legs));
                candidates.push(candidate);
            }
            outcome.builds.push(build);
        }
        ledger::required_builds(outcome, cancel)?;
        let count: usize = outcome.builds.iter().map(|build| build.legs.len()).sum();
        Ok(((candidates, checked), format!("{count} legs")))
    };
    events.section("legs", "Merge legs", work).await
}

async fn one(of: OfBuild<'_>, access: &Access, cancel: &CancellationToken) -> Result<Looked, Failure> {
    let (step, started) = (of.step, Instant::now());
    let failed = |kind, problem| {
        let state = BuildState::Failed(Failure::new(kind, problem));
        Ok(Looked { outcome: BuildOutcome { took: started.elapsed(), ..build::blank(step, state) }, merged: None })
    };
    let found = match of.legs {
        Ok(found) => found,
        Err(problem) => return failed(FailureKind::Input, problem),
    };
    let Some(targets) = targets(&step.output) else {
        // Nothing is published, of the legs neither: that all of them were built is what this run can say.
        let done = build::blank(step, BuildState::Done);
        return Ok(Looked {
            outcome: BuildOutcome { legs: found.iter().map(unpublished).collect(), ..done },
            merged: None,
        });
    };
    let asked = found.into_iter().map(|leg| legs::check(leg, targets, access));
    let checked = tokio::select! {
        checked = stream::iter(asked).buffered(PARALLEL).collect::<Vec<_>>() => checked,
        () = cancel.cancelled() => {
            let problem = Problem::new("merging was stopped by a signal; no tag was put");
            return Err(Failure::new(FailureKind::Interrupted, problem));
        }
    };
    let (mut legs, mut problems) = (Vec::new(), Vec::new());
    for leg in checked {
        match leg {
            Ok(leg) => legs.push(leg),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        let state = BuildState::Failed(Failure::many(FailureKind::Publish, problems));
        return Ok(Looked { outcome: build::blank(step, state), merged: None });
    }
    let root = match legs::image(step, &legs) {
        Ok(root) => root,
        Err(error) => return failed(FailureKind::Publish, Problem::new(format!("no index can be made: {error}"))),
    };
    let took = legs.iter().map(|leg| Duration::try_from_secs_f64(leg.document().seconds).unwrap_or_default()).max();
    let outcome = BuildOutcome {
        took: took.unwrap_or_default(),
        digest: Some(root.digest.clone()),
        metadata: Some(json!({
            "containerimage.digest": root.digest,
            "containerimage.descriptor": { "mediaType": root.media_type, "digest": root.digest, "size": root.bytes.len() },
        })),
        legs: legs.iter().map(merged_leg).collect(),
        ..build::blank(step, BuildState::Done)
    };
    let pieces = Pieces { pieces: pieces(&root, &legs), root: root.clone() };
    let candidate =
        Candidate { build: step.id.clone(), digest: root.digest, content: Content::Pieces(pieces), first: None };
    Ok(Looked { outcome, merged: Some((candidate, legs)) })
}

/// What the root names; of a build of one platform the root itself.
fn pieces(root: &Manifest, legs: &[CheckedLeg]) -> Vec<Piece> {
    let piece = |leg: &CheckedLeg, manifest: &Manifest| {
        let descriptor: Descriptor = manifest.descriptor();
        Piece { targets: leg.holders(&descriptor.digest).to_vec(), descriptor }
    };
    let below = |leg: &CheckedLeg| -> Vec<Piece> {
        let all = std::iter::once(leg.manifest()).chain(leg.attestations());
        all.map(|manifest| piece(leg, manifest)).collect()
    };
    match legs {
        [only] if only.root().digest == root.digest => {
            let mut all = below(only);
            all.push(piece(only, root));
            all
        }
        legs => legs.iter().flat_map(below).collect(),
    }
}

fn merged_leg(leg: &CheckedLeg) -> MergedLeg {
    let digest = leg.manifest().digest.clone();
    MergedLeg { digest, ..of_document(leg.file(), leg.document()) }
}

fn unpublished(found: &legs::Found) -> MergedLeg {
    of_document(&found.file, &found.document)
}

fn of_document(file: &str, document: &legs::Document) -> MergedLeg {
    MergedLeg {
        platform: document.platform.clone(),
        digest: document.digest.clone(),
        trust: document.proof.as_ref().map(|proof| proof.trust),
        took: Duration::try_from_secs_f64(document.seconds).unwrap_or_default(),
        document: file.to_owned(),
        job: document.run.job.clone(),
        job_url: document.run.job_url.clone(),
    }
}
