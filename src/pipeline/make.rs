//! What builds, and the builds, with the checks of preflight beside them.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::access::{self, Access};
use crate::backend::builder::{self, Surroundings};
use crate::backend::{self, Backend};
use crate::build::{self, Built, Workshop};
use crate::buildx::progress::Format;
use crate::buildx::tool::{self, Buildx};
use crate::crucible;
use crate::event::{Events, Phase};
use crate::outcome::{BuilderFacts, Outcome};
use crate::plan::{self, Output, Plan};
use crate::preflight::{self, Verdict, builder::Asked};
use crate::problem::{Failure, Problem};
use crate::request::Request;
use crate::rundir::RunDir;
use crate::sign::{self, Signing};

use super::{ledger, unusable};

/// How long after the last build the builder's description may take.
const DESCRIPTION: Duration = Duration::from_secs(5);

/// What making needs of a run.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) request: &'a Request,
    pub(super) access: &'a Access,
    pub(super) buildx: &'a Buildx,
    pub(super) private: &'a RunDir,
    pub(super) events: &'a Events,
    pub(super) cancel: &'a CancellationToken,
}

/// Every build has ended, well or badly.
pub(super) struct Made {
    pub(super) backend: Backend,
    /// With what became certain when the backend was found.
    pub(super) plan: Plan,
    pub(super) workplace: Workplace,
    /// What signs the images, tried.
    pub(super) signing: Signing,
    pub(super) built: Vec<Built>,
    pub(super) facts: BuilderFacts,
}

/// Finds what builds and builds, while registries and builder are asked whether the rest can succeed.
///
/// # Errors
/// When nothing can build, or a check failed, which stops the builds.
pub(super) async fn make(at: Making<'_>, plan: Plan, outcome: &mut Outcome) -> Result<Made, Failure> {
    let Making { request, access, events, .. } = at;
    let (halt, ended) = (at.cancel.child_token(), at.cancel.child_token());
    let (made, registries) = tokio::join!(
        async {
            let _ended = ended.clone().drop_guard();
            Box::pin(build(at, &plan, &halt, outcome)).await
        },
        preflight::registries::watch(&plan, &request.config, access, events, &halt, &ended)
    );
    outcome.notes.extend(registries.notes);
    let (made, builder) = match (made, registries.failure) {
        (Ok(made), None) => made,
        (Ok((made, _)), Some(failure)) => return Err(ledger::halted(made.built, failure, outcome)),
        (Err(failure), None) => return Err(failure),
        // There is no builder, and that is not the only thing.
        (Err(failure), Some(more)) => {
            return Err(Failure { problems: [failure.problems, more.problems].concat(), ..failure });
        }
    };
    outcome.notes.extend(builder.notes);
    match builder.failure {
        None => Ok(made),
        Some(failure) => Err(ledger::halted(made.built, failure, outcome)),
    }
}

async fn build(
    at: Making<'_>,
    plan: &Plan,
    halt: &CancellationToken,
    outcome: &mut Outcome,
) -> Result<(Made, Verdict), Failure> {
    let Making { request, access, buildx, private, events, cancel } = at;
    // What signs is tried meanwhile: a wrong password must not be found out after the build.
    let trust: Vec<_> = ["SSL_CERT_FILE"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), buildx.variable(name)?.to_owned())))
        .collect();
    let (prepared, signing) = tokio::join!(
        prepare(request, plan, access, buildx, private, events, cancel),
        sign::resolve(request, plan, access, private, &trust, cancel)
    );
    let ((backend, plan, workplace), signing) = (prepared?, signing?);
    outcome.signing = signing.noted();
    outcome.notes.extend(backend.notes.iter().chain(&workplace.builder.notes).cloned());
    outcome.plan = Some(plan.clone());
    outcome.notes.extend(build::in_the_way(&request.source.root, &plan.steps));
    let shop = workplace.shop(&backend, access, request, private, events, halt);
    // A builder that died cannot be described: nobody waits for that long after the last build.
    let (ended, enough) = (cancel.child_token(), cancel.child_token());
    let (built, (facts, platforms), mut verdict) = tokio::join!(
        async {
            let built = build::run(&plan, shop).await;
            ended.cancel();
            let enough = enough.clone();
            tokio::spawn(async move {
                tokio::time::sleep(DESCRIPTION).await;
                enough.cancel();
            });
            built
        },
        async {
            let facts = workplace.builder.describe(&workplace.buildx, &workplace.version, &enough).await;
            let platforms = preflight::builder::tell_platforms(&plan, &facts, events).await;
            (facts, platforms)
        },
        preflight::builder::watch(&plan, workplace.asked(&backend, access, private), events, halt, &ended)
    );
    verdict.notes.extend(platforms);
    outcome.builder = Some(facts.clone());
    Ok((Made { backend, plan, workplace, signing, built, facts }, verdict))
}

/// The builder and how to talk to it.
pub(crate) struct Workplace {
    pub(crate) buildx: Buildx,
    pub(crate) builder: builder::Builder,
    pub(crate) version: semver::Version,
    pub(crate) format: Format,
}

impl Workplace {
    /// What builds are made with.
    pub(super) fn shop<'a>(
        &'a self,
        backend: &'a Backend,
        access: &'a Access,
        request: &'a Request,
        private: &'a RunDir,
        events: &'a Events,
        cancel: &'a CancellationToken,
    ) -> Workshop<'a> {
        Workshop {
            buildx: &self.buildx,
            builder: &self.builder,
            version: &self.version,
            format: self.format,
            access,
            engine: backend.engine.as_ref(),
            run: private,
            root: &request.source.root,
            events,
            cancel,
        }
    }

    /// What is asked about the builder before it has built anything.
    pub(crate) fn asked<'a>(&'a self, backend: &Backend, access: &'a Access, run: &'a RunDir) -> Asked<'a> {
        let containerd = backend.engine.as_ref().is_some_and(|engine| engine.containerd_store);
        Asked { builder: &self.builder, containerd, buildx: &self.buildx, format: self.format, run, access }
    }
}

/// Finds what builds and makes the builder; the plan comes back with what became certain by that.
pub(crate) async fn prepare(
    request: &Request,
    plan: &Plan,
    access: &Access,
    buildx: &Buildx,
    private: &RunDir,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<(Backend, Plan, Workplace), Failure> {
    let work = async {
        let needs_engine = |s: &&plan::Step| !s.also_load.is_empty() || matches!(s.output, Output::Load { .. });
        let loads = plan.steps.iter().find(needs_engine);
        let wants_engine =
            loads.is_some() || plan.steps.iter().any(|s| matches!(s.output, Output::LoadOrLayout { .. }));
        let (backend, version) =
            tokio::join!(backend::resolve(&plan.builder, &request.vars, wants_engine), tool::version(buildx, cancel));
        let (backend, version) = (backend?, version.map_err(unusable)?);
        if let (Some(step), None) = (loads, &backend.engine) {
            return Err(no_engine(step));
        }
        let mut plan = plan.clone();
        for step in &mut plan.steps {
            let engine = backend.engine.is_some() && step.platforms.len() <= 1;
            step.output = step.output.clone().settled(engine);
        }
        let buildx = match plan.builder.existing {
            Some(_) => buildx.clone().with_users_builders(&request.vars),
            None => buildx.clone(),
        };
        let (hosts, pulls) = (access::hosts(&plan), access::pull_hosts(&plan));
        let certificates = access.certificates();
        let around = Surroundings {
            registries: &request.config.registries,
            network: &request.config.network,
            proxy: access.proxy(),
            hosts: &hosts,
            pulls: &pulls,
            certificates: &certificates,
            root: &request.source.root,
        };
        let builder =
            Box::pin(builder::prepare(&backend, &plan.builder, around, &request.vars, &buildx, private, cancel))
                .await?;
        // What cannot be proven here is refused before anything is built.
        crucible::admit(&plan.steps, &backend, builder.driver)?;
        crucible::candidate::admit(&plan.steps, builder.driver, &request.source.root)?;
        let headline = builder.headline();
        let format = Format::of_buildx(&version);
        Ok(((backend, plan, Workplace { buildx, builder, version, format }), headline))
    };
    let section = Box::pin(events.section("builder", "Builder", work));
    events.timed(Phase::Builder, None, section).await
}

fn no_engine(step: &plan::Step) -> Failure {
    let what = format!("build {} is to be loaded into a docker engine, and there is none", step.id);
    let hint =
        "set DOCKER_HOST to an engine, or leave out --local and --load: without targets an OCI layout is written";
    unusable(Problem::new(what).hint(hint))
}
