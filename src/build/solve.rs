//! One build: one BuildKit solve, its progress passed on as it comes, its result read from the metadata file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::exports::{self, Reach, Route};
use super::{Built, Candidate, Content, Workshop, blame, blank, cold, place};
use crate::access::{Access, CA_SECRET};
use crate::buildx::argv::{self, Export, Invocation};
use crate::buildx::errors;
use crate::buildx::metadata::{self, Metadata, MetadataError};
use crate::buildx::progress::{Parser, layers::Timeline};
use crate::event::{Event, Phase};
use crate::image::Digest;
use crate::image::archive::import_archive;
use crate::image::layout::Layout;
use crate::outcome::BuildState;
use crate::plan::{Output, Step, TargetPlan};
use crate::problem::{Failure, FailureKind, Problem};
use crate::process::{self, ProcessError};

/// Largest metadata file that is read.
const METADATA_LIMIT: u64 = 16 << 20;

/// Builds a step.
pub(super) async fn run(index: usize, step: &Step, dependencies: &[(String, String)], shop: Workshop<'_>) -> Built {
    let started = Instant::now();
    let id = format!("build_{index}");
    let title = format!("Build {}", step.id);
    shop.events.send(Event::SectionStart { id: id.clone(), title }).await;
    let mut timeline = Timeline::default();
    let work = make(index, step, dependencies, shop, &mut timeline);
    let made = Box::pin(shop.events.timed(Phase::Build, Some(&step.id), work)).await;
    let mut outcome = blank(step, BuildState::Done);
    outcome.took = started.elapsed();
    outcome.layers = timeline.layers();
    outcome.caches = timeline.caches();
    outcome.warnings = timeline.warnings().to_vec();
    blame::place_warnings(&mut outcome.warnings, step);
    let mut candidate = None;
    let result = match made {
        Ok(made) => {
            let said = made.describe();
            outcome.digest = Some(made.candidate.digest.clone());
            outcome.image_id = made.image_id;
            outcome.metadata = made.metadata;
            outcome.loaded = made.loaded;
            outcome.layout = made.layout;
            candidate = Some(made.candidate);
            Ok(said)
        }
        Err(Trouble::Build) => {
            let failure = blame::place(errors::trace(&timeline.evidence()), timeline.warnings(), step, shop.root);
            let headline = Failure::new(FailureKind::Build, Problem::new(failure.summary.clone()));
            outcome.state = BuildState::BuildFailed(failure);
            Err(headline)
        }
        Err(Trouble::Other(failure)) => {
            outcome.state = BuildState::Failed(failure.clone());
            Err(failure)
        }
    };
    shop.events.send(Event::SectionEnd { id, result, took: started.elapsed() }).await;
    Built { outcome, candidate }
}

/// Why there is no image.
pub(super) enum Trouble {
    /// BuildKit says so; its progress tells why.
    Build,
    /// Something around it.
    Other(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

pub(super) struct Made {
    pub(super) candidate: Candidate,
    pub(super) image_id: Option<Digest>,
    pub(super) metadata: Option<serde_json::Value>,
    pub(super) loaded: Vec<String>,
    pub(super) layout: Option<String>,
}

impl Made {
    fn describe(&self) -> String {
        format!("{}", self.candidate.digest)
    }
}

async fn make(
    index: usize,
    step: &Step,
    dependencies: &[(String, String)],
    shop: Workshop<'_>,
    timeline: &mut Timeline,
) -> Result<Made, Trouble> {
    let scratch = shop.run.scratch(&format!("layout-{index}"));
    let parking = format!("stagefreight/run-{}:{index}", shop.run.nonce());
    let route = exports::route(step, shop.builder.driver, shop.access, &scratch, &parking)?;
    if step.crucible.is_some() {
        return cold::first(index, step, dependencies, &route, shop, timeline).await;
    }
    let order = Order { index, dependencies, exports: &route.exports, nonce: None, env: &[], quiet: false };
    let made = match solve_again(step, &order, shop, timeline).await {
        Ok(metadata) => take(step, &route, metadata, shop).await.map_err(Trouble::Other),
        Err(trouble) => Err(trouble),
    };
    // A build that was stopped may have parked its image already.
    if let (Some(name), Some(engine)) = (&route.parked, shop.engine) {
        engine.untag(name).await;
    }
    made
}

/// What one solve needs beside the step.
pub(super) struct Order<'a> {
    /// Number of the step in the plan: names private files.
    pub(super) index: usize,
    /// Named contexts.
    pub(super) dependencies: &'a [(String, String)],
    /// What is made of the result.
    pub(super) exports: &'a [Export],
    /// As `Invocation::nonce`.
    pub(super) nonce: Option<&'a str>,
    /// More environment for buildx.
    pub(super) env: &'a [(String, String)],
    /// Nothing of it is shown.
    pub(super) quiet: bool,
}

/// Solves, and once more if all that failed was a push, in passing or for want of a project that is there now: everything
/// before it is cached by then, unless caches are off.
async fn solve_again(
    step: &Step,
    order: &Order<'_>,
    shop: Workshop<'_>,
    timeline: &mut Timeline,
) -> Result<Metadata, Trouble> {
    let solved = solve(step, order, shop, timeline).await;
    let Err(Trouble::Build) = solved else { return solved };
    let failure = errors::explain(&timeline.evidence());
    let passing = errors::may_pass(&failure) && !step.no_cache;
    if shop.cancel.is_cancelled() || !(passing || projects_made(step, &failure.summary, shop).await) {
        return Err(Trouble::Build);
    }
    shop.events.warn(format!("build {}: {}; trying once more", step.id, failure.summary)).await;
    let mut again = Timeline::default();
    let solved = solve(step, order, shop, &mut again).await;
    if solved.is_err() {
        *timeline = again;
    }
    solved
}

/// Harbor takes nothing for a project that is not there. Whether one was missing that a failed push may have been for, and was
/// made.
async fn projects_made(step: &Step, failed: &str, shop: Workshop<'_>) -> bool {
    let Output::Publish { targets } = &step.output else { return false };
    let mut made = false;
    for target in targets.iter().filter(|target| failed.contains(target.repository.host())) {
        let Ok(catalog) = shop.access.catalog(target) else { continue };
        match catalog.missing_project(&target.repository).await {
            Ok(created) => made |= created,
            Err(error) => shop.events.warn(error.to_string()).await,
        }
    }
    made
}

/// One call of buildx, and what its metadata file says.
pub(super) async fn solve(
    step: &Step,
    order: &Order<'_>,
    shop: Workshop<'_>,
    timeline: &mut Timeline,
) -> Result<Metadata, Trouble> {
    let metadata_file = shop.run.metadata(order.index);
    let secret_files = secret_files(order.index, step, shop)?;
    let invocation = Invocation {
        builder: &shop.builder.name,
        format: shop.format,
        root: shop.root,
        metadata: &metadata_file,
        exports: order.exports,
        dependencies: order.dependencies,
        secret_files: &secret_files,
        nonce: order.nonce,
    };
    let mut env = order.env.to_vec();
    if step.provenance == "false" {
        // buildx asks git only for the sake of provenance.
        env.push(("BUILDX_GIT_INFO".to_owned(), "false".to_owned()));
    }
    env.extend(step.epoch.map(|epoch| ("SOURCE_DATE_EPOCH".to_owned(), epoch.to_string())));
    let spec = shop.buildx.clone().with_env(env).call(argv::build(step, &invocation));
    shop.events.debug(spec.display()).await;
    stream(step, &spec, shop, timeline, order.quiet).await?;
    Ok(read_metadata(&metadata_file)?)
}

async fn stream(
    step: &Step,
    spec: &process::Spec,
    shop: Workshop<'_>,
    timeline: &mut Timeline,
    quiet: bool,
) -> Result<(), Trouble> {
    let mut parser = Parser::new(shop.format);
    let mut pieces = Vec::new();
    let streamed = process::stream(spec, shop.cancel, async |chunk| {
        parser.push(chunk, &mut |piece| pieces.push(piece));
        for progress in pieces.drain(..) {
            timeline.push(&progress);
            if !quiet {
                shop.events.send(Event::Build { build: step.id.clone(), progress }).await;
            }
        }
    })
    .await;
    parser.finish(&mut |piece| pieces.push(piece));
    for progress in pieces.drain(..) {
        timeline.push(&progress);
        if !quiet {
            shop.events.send(Event::Build { build: step.id.clone(), progress }).await;
        }
    }
    match streamed {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Trouble::Build),
        Err(ProcessError::Cancelled { .. }) => {
            Err(failed(FailureKind::Interrupted, Problem::new("the build was stopped before its end")).into())
        }
        Err(error) => Err(failed(FailureKind::Backend, Problem::new(error.to_string())).into()),
    }
}

/// Reads what came of a solve that ended well.
async fn take(step: &Step, route: &Route, metadata: Metadata, shop: Workshop<'_>) -> Result<Made, Failure> {
    let digest = if route.parked.is_some() { digest_of(&metadata)? } else { check_pushed(step, route, &metadata)? };
    let mut made = Made {
        candidate: Candidate { build: step.id.clone(), digest, content: Content::Elsewhere, first: None },
        image_id: metadata.config_digest.clone(),
        metadata: Some(metadata.raw),
        loaded: Vec::new(),
        layout: None,
    };
    if let Some(name) = &route.parked {
        let layout = export(name, route, shop).await?;
        made.candidate.digest = layout.root().map_err(|e| failed(FailureKind::Backend, e.problem()))?.digest.clone();
        made.candidate.content = Content::Layout(layout);
    }
    match &step.output {
        Output::Publish { .. } if route.parked.is_none() => {
            made.candidate.content = Content::Pushed { targets: route.pushed.clone() }
        }
        Output::Publish { .. } => {}
        Output::Load { names } => made.loaded.clone_from(names),
        Output::Layout { dir } | Output::LoadOrLayout { dir, .. } => {
            if let Some(scratch) = &route.layout {
                let (from, to) = (scratch.clone(), shop.root.join(dir));
                let placed = tokio::task::spawn_blocking(move || place::place(&from, &to)).await;
                placed.map_err(|e| failed(FailureKind::Internal, Problem::new(e.to_string())))??;
            }
            made.candidate.content = Content::Elsewhere;
            made.layout = Some(dir.clone());
        }
    }
    made.loaded.extend(step.also_load.iter().cloned());
    Ok(made)
}

/// Takes an image out of the engine and makes an OCI layout of it.
async fn export(name: &str, route: &Route, shop: Workshop<'_>) -> Result<Layout, Failure> {
    let engine = shop.engine.ok_or_else(|| {
        failed(FailureKind::Internal, Problem::new("an image is parked in no engine; please file a bug"))
    })?;
    let dir = route.layout.clone().unwrap_or_default();
    let archive = dir.with_extension("tar");
    let exported = tokio::select! {
        exported = engine.export_image(name, &archive) => exported,
        () = shop.cancel.cancelled() => Err(Problem::new("the export from the engine was stopped by a signal")),
    };
    exported.map_err(|p| failed(FailureKind::Backend, p))?;
    let unpack = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&dir).map_err(|e| Problem::new(format!("no space for the exported image: {e}")))?;
        let file =
            std::fs::File::open(&archive).map_err(|e| Problem::new(format!("the exported image is gone: {e}")))?;
        let layout = import_archive(file, &dir).map_err(|e| e.problem());
        // Half the disk back before the upload.
        let _ = std::fs::remove_file(&archive);
        layout
    });
    let unpacked = unpack.await.map_err(|e| failed(FailureKind::Internal, Problem::new(e.to_string())))?;
    unpacked.map_err(|p| failed(FailureKind::Backend, p))
}

fn read_metadata(path: &Path) -> Result<Metadata, Failure> {
    use std::io::Read as _;
    let unreadable = |why: String| {
        let what = format!("the build ended well, but its metadata cannot be read: {why}");
        failed(
            FailureKind::Build,
            Problem::new(what).hint("check the space left in the runner's temporary directory, and run again"),
        )
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| unreadable(e.to_string()))?;
    file.take(METADATA_LIMIT).read_to_end(&mut bytes).map_err(|e| unreadable(e.to_string()))?;
    metadata::parse(&bytes).map_err(|e| unreadable(e.to_string()))
}

/// What was pushed must be what was planned, no more and no less, under one digest.
fn check_pushed(step: &Step, route: &Route, metadata: &Metadata) -> Result<Digest, Failure> {
    // buildx names what the last exporter pushed; what another pushed, reading back from the registries checks.
    if let Some(repositories) = route.exports.last().and_then(Export::repositories) {
        let planned: Vec<_> = repositories.iter().map(|r| (r.clone(), None)).collect();
        metadata::parse_buildx_published(metadata, &planned).map_err(|e| {
            failed(
                FailureKind::Publish,
                Problem::new(format!("build {}: {e}", step.id)).hint("run the job again; no tag was put"),
            )
        })?;
    }
    digest_of(metadata)
}

fn digest_of(metadata: &Metadata) -> Result<Digest, Failure> {
    metadata.digest.clone().ok_or_else(|| failed(FailureKind::Build, Problem::new(MetadataError::NoDigest.to_string())))
}

/// Secrets given by value, as private files: never in argv, never in the environment.
fn secret_files(index: usize, step: &Step, shop: Workshop<'_>) -> Result<Vec<(String, PathBuf)>, Failure> {
    let write = |(n, (id, value)): (usize, &(String, crate::secret::Secret))| {
        let path = shop.run.secret(&format!("{index}-{n}"), value.reveal().as_bytes());
        path.map(|path| (id.clone(), path))
    };
    let mut files = step.secret_values.iter().enumerate().map(write).collect::<Result<Vec<_>, _>>();
    if let (Ok(files), Some(bundle), false) = (&mut files, shop.access.ca_bundle(), gives_secret(step, CA_SECRET)) {
        let path = shop.run.secret(&format!("{index}-{CA_SECRET}"), bundle);
        let path = path.map_err(|e| failed(FailureKind::Backend, Problem::new(format!("{CA_SECRET}: {e}"))))?;
        files.push((CA_SECRET.to_owned(), path));
    }
    files.map_err(|e| failed(FailureKind::Backend, Problem::new(format!("a build secret cannot be handed over: {e}"))))
}

/// The user hands over a secret of this name.
fn gives_secret(step: &Step, id: &str) -> bool {
    let named = format!("id={id}");
    step.secret_values.iter().any(|(own, _)| own == id)
        || step.secrets.iter().any(|spec| spec.split(',').any(|field| field == named))
}

fn failed(kind: FailureKind, problem: Problem) -> Failure {
    Failure::new(kind, problem)
}

impl Reach for Access {
    fn builder_can_push(&self, target: &TargetPlan) -> bool {
        Access::builder_can_push(self, target)
    }

    fn is_insecure(&self, host: &str) -> bool {
        Access::is_insecure(self, host)
    }
}
