//! `stagefreight doctor` from the outside: every check of preflight, without a build. Makes the builder a run would make, and
//! leaves what a run leaves.

use std::io::Write as _;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::{complain, watch_signals};
use crate::access::{self, Access};
use crate::buildx::tool::Buildx;
use crate::cli::{Flags, Format};
use crate::environment::Environment;
use crate::event::Events;
use crate::inputs::Inputs;
use crate::pipeline;
use crate::plan::{self, Plan};
use crate::preflight::registries::Depth;
use crate::preflight::{Aspect, Check, Examination, State, Subject, builder, dockerfiles, registries};
use crate::problem::{Failure, FailureKind, Problem};
use crate::redact::Redactor;
use crate::report::terminal::{self, checks};
use crate::request::Request;
use crate::rundir::RunDir;
use crate::runner;
use crate::sign::{self, Signing};

/// Checks everything and says it. Returns the exit code: 0 nothing failed, 1 something did, 2 the request itself is wrong.
pub fn run(env: &Environment, flags: &Flags, format: Format) -> u8 {
    let context = runner::detect(env);
    let inputs = Inputs::resolve(&|name| flags.get(name), &env.vars);
    let request = inputs.and_then(|inputs| Request::gather(env, context.clone(), inputs));
    let request = match request {
        Ok(request) => request,
        Err(failure) => return complain(&failure, &Redactor::of(access::known_secrets(env, &context))),
    };
    let redactor = Redactor::of(access::secrets(&request));
    let found = match examine(&request) {
        Ok(found) => found,
        Err(failure) => return complain(&failure, &redactor),
    };
    let color = terminal::wants_color(env.terminal, context.forge, &env.vars);
    let text = match format {
        Format::Text => checks::render(&found, color),
        Format::Json => serde_json::to_string_pretty(&found).unwrap_or_default() + "\n",
    };
    match std::io::stdout().lock().write_all(redactor.text(&text).as_bytes()) {
        // A reader that closed the pipe has what it wanted.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => 1,
        _ => u8::from(!found.healthy),
    }
}

fn examine(request: &Request) -> Result<Examination, Failure> {
    if request.inputs.dry_run {
        let what = "doctor asks registries and builders, and a dry run touches nothing";
        let hint = "leave out dry-run (STAGEFREIGHT_DRY_RUN), or use `stagefreight plan`";
        return Err(Failure::new(FailureKind::Input, Problem::new(what).hint(hint)));
    }
    let plan = plan::resolve(request)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let runtime = runtime
        .map_err(|e| Failure::new(FailureKind::Internal, Problem::new(format!("the program cannot start: {e}"))))?;
    let started = Instant::now();
    let checks = runtime.block_on(async {
        let cancel = CancellationToken::new();
        let caught = watch_signals(&cancel);
        let private = pipeline::private_directory(request)?;
        let checks = Box::pin(all(request, &plan, &private, &cancel)).await?;
        let _ = private.close();
        match caught.kind() {
            Some(kind) => Err(Failure::new(kind, Problem::new("the checks were stopped by a signal"))),
            None => Ok(checks),
        }
    })?;
    Ok(Examination::new(checks, started.elapsed()))
}

async fn all(
    request: &Request,
    plan: &Plan,
    private: &RunDir,
    cancel: &CancellationToken,
) -> Result<Vec<Check>, Failure> {
    if plan.steps.is_empty() {
        return Ok(Vec::new());
    }
    let access = match access::resolve(request, plan, cancel).await {
        Ok(access) => access,
        Err(failure) => return Ok(failed(&Subject::Access, Aspect::Logins, failure).collect()),
    };
    let trust = access.write(private)?;
    let never = CancellationToken::new();
    let (mut found, signing, registries) = tokio::join!(
        with_builder(request, plan, &access, trust.clone(), private, cancel),
        sign::resolve(request, plan, &access, private, &trust, cancel),
        registries::check(plan, &request.config, &access, Depth::Doctor, (cancel, &never))
    );
    // What the builder said of a target goes below the target.
    let at = found.iter().position(|check| check.aspect == Aspect::FromBuilder).unwrap_or(found.len());
    let from_builder = found.split_off(at);
    found.extend(signs(signing));
    found.extend(registries.into_iter().chain(from_builder));
    let order: Vec<Subject> = found.iter().map(|check| check.subject.clone()).collect();
    found.sort_by_key(|check| order.iter().position(|subject| *subject == check.subject));
    Ok(found)
}

/// What signs, found and tried as a run does it.
fn signs(found: Result<Signing, Failure>) -> Vec<Check> {
    let check = |state, says| Check { subject: Subject::Signing, aspect: Aspect::Signing, state, says, cure: None };
    match found {
        Ok(Signing::With(signer)) => vec![check(State::Ok, format!("{}, {}", signer.how(), signer.program()))],
        Ok(Signing::Off { why: Some(why) }) => vec![check(State::NotNeeded, format!("nothing is signed: {why}"))],
        Ok(Signing::Off { why: None }) => Vec::new(),
        Err(failure) => failed(&Subject::Signing, Aspect::Signing, failure).collect(),
    }
}

/// The builder, and what it can do and reach.
async fn with_builder(
    request: &Request,
    plan: &Plan,
    access: &Access,
    trust: Vec<(String, String)>,
    private: &RunDir,
    cancel: &CancellationToken,
) -> Vec<Check> {
    // Nobody listens.
    let (events, _) = Events::channel();
    let prepared = async {
        let buildx =
            Buildx::locate(&request.vars, private, &request.source.root).map_err(pipeline::unusable)?.with_env(trust);
        pipeline::prepare(request, plan, access, &buildx, private, &events, cancel).await
    };
    let (backend, plan, workplace) = match prepared.await {
        Ok(prepared) => prepared,
        Err(failure) => return failed(&Subject::Builder, Aspect::Builder, failure).collect(),
    };
    let asked = workplace.asked(&backend, access, private);
    let (facts, reachable, dockerfiles) = tokio::join!(
        workplace.builder.describe(&workplace.buildx, &workplace.version, cancel),
        builder::reachable(&plan, asked, cancel),
        dockerfiles::check(&plan.steps, &request.source.root, asked, cancel)
    );
    let mut checks = vec![Check {
        subject: Subject::Builder,
        aspect: Aspect::Builder,
        state: State::Ok,
        says: workplace.builder.headline().trim_start_matches("builder ").to_owned(),
        cure: None,
    }];
    let warn = |note: &Problem| Check::of(&Subject::Builder, Aspect::Builder, State::Ok, note.clone());
    checks.extend(backend.notes.iter().chain(&workplace.builder.notes).map(warn));
    checks.extend(builder::outputs(&plan.steps, asked.builder.driver, asked.containerd));
    checks.extend(builder::platforms(&plan.steps, &facts));
    checks.extend(dockerfiles);
    checks.extend(reachable);
    checks
}

fn failed(subject: &Subject, aspect: Aspect, failure: Failure) -> impl Iterator<Item = Check> {
    failure.problems.into_iter().map(move |problem| Check::of(subject, aspect, State::Failed, problem))
}
