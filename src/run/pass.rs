//! `stagefreight crucible-pass`: this program as the candidate that runs the second pass of its own build. Everything it knows
//! stands in the handover; it reads the checkout and plans anew, publishes nothing, and answers with one file.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{complain, watch_signals};
use crate::access;
use crate::build::Workshop;
use crate::buildx::tool::Buildx;
use crate::crucible::candidate::{Answer, Handover};
use crate::crucible::rebuild::{self, Rebuilt};
use crate::environment::{Environment, Vars};
use crate::event::Events;
use crate::inputs::Inputs;
use crate::pipeline;
use crate::plan::{self, Output, Plan};
use crate::problem::{Failure, FailureKind, Problem};
use crate::redact::Redactor;
use crate::report::terminal;
use crate::request::Request;
use crate::runner::{self, Dialect};

/// What a process needs of its own machine where the handover does not say.
const OWN: [&str; 2] = ["PATH", "HOME"];

/// Runs the pass and writes the answer. Returns the exit code.
pub fn run(env: &Environment, handover: &Path, result: &Path) -> u8 {
    let handover = match Handover::take(handover) {
        Ok(handover) => handover,
        Err(problem) => return complain(&Failure::new(FailureKind::Input, problem), &Redactor::default()),
    };
    let done = gather(env, &handover).and_then(|request| in_runtime(&request, &handover));
    let code = done.as_ref().err().map_or(0, |failure| failure.kind.exit_code());
    let answer = Answer::new(&handover.run_id, done).to_bytes();
    match write(result, &answer) {
        Ok(()) => code,
        Err(error) => {
            let what = format!("{} cannot be written: {error}", result.display());
            complain(&Failure::new(FailureKind::Report, Problem::new(what)), &Redactor::default())
        }
    }
}

/// The request of the run that asks, made again from what it was made of.
fn gather(env: &Environment, handover: &Handover) -> Result<Request, Failure> {
    let handed = handover.vars();
    let own = env.vars.iter().filter(|(name, _)| OWN.contains(name) && handed.get(name).is_none());
    let vars: Vars = handed.iter().chain(own).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let env = Environment { vars, cwd: handover.root.clone(), terminal: false, now: handover.now };
    let inputs = Inputs::resolve(&|name| handover.inputs.get(name).cloned(), &env.vars)?;
    let mut context = runner::detect(&env);
    context.workspace.clone_from(&handover.root);
    if let Some(temp) = &handover.temp {
        context.files.temp.clone_from(temp);
    }
    Request::gather(&env, context, inputs)
}

fn in_runtime(request: &Request, handover: &Handover) -> Result<Rebuilt, Failure> {
    let internal = |what: String| Failure::new(FailureKind::Internal, Problem::new(what));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let runtime = runtime.map_err(|e| internal(format!("no runtime: {e}")))?;
    runtime.block_on(async {
        let cancel = CancellationToken::new();
        let _caught = watch_signals(&cancel);
        let (events, receiver) = Events::channel();
        let settings = terminal::Settings {
            dialect: Dialect::of(runner::ForgeKind::Local),
            live: false,
            color: false,
            verbose: request.inputs.verbose || request.context.debug,
            redactor: Redactor::of(access::secrets(request)),
        };
        let screen = terminal::spawn(receiver, std::io::stderr(), settings);
        let screen = screen.map_err(|e| internal(format!("no thread to draw the log with: {e}")))?;
        let done = Box::pin(pass(request, handover, &events, &cancel)).await;
        drop(events);
        screen.finish(String::new());
        done
    })
}

async fn pass(
    request: &Request,
    handover: &Handover,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Rebuilt, Failure> {
    let plan = going_nowhere(plan::resolve(request)?);
    let private = pipeline::private_directory(request)?;
    let access = access::handed_over(request, &handover.docker_config)?;
    let trust = access.write(&private)?;
    let root = &request.source.root;
    let buildx = Buildx::locate(&request.vars, &private, root);
    let buildx = buildx.map_err(|problem| Failure::new(FailureKind::Backend, problem))?.with_env(trust);
    let (backend, _, workplace) = pipeline::prepare(request, &plan, &access, &buildx, &private, events, cancel).await?;
    let shop = Workshop {
        buildx: &workplace.buildx,
        builder: &workplace.builder,
        version: &workplace.version,
        format: workplace.format,
        access: &access,
        engine: backend.engine.as_ref(),
        run: &private,
        root,
        events,
        cancel,
    };
    rebuild::run(&handover.build, request, &handover.order, shop).await
}

/// A pass makes a digest and nothing else: no engine is needed to load an image into.
fn going_nowhere(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        step.also_load.clear();
        if matches!(step.output, Output::Load { .. } | Output::LoadOrLayout { .. }) {
            step.output = Output::Layout { dir: String::new() };
        }
    }
    plan
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}
