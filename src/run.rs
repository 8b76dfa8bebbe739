//! `stagefreight run`, `merge` and `plan` from the outside: gather the request, run the pipeline under signals, put the
//! reports down, and give the exit code that derives from them.

pub mod doctor;
pub mod pass;
pub(crate) mod question;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::access;
use crate::cli::{Flags, Format};
use crate::environment::Environment;
use crate::event::Events;
use crate::forge;
use crate::inputs::Inputs;
use crate::outcome::{Outcome, Status};
use crate::pipeline;
use crate::plan;
use crate::problem::{Failure, FailureKind, Problem};
use crate::redact::Redactor;
use crate::report::terminal::{self, closing};
use crate::report::{self, Document};
use crate::request::Request;
use crate::runner::{self, CiContext, Dialect, ForgeKind};

/// How long the pipeline may take to end after a signal; the whole process has two seconds.
const LAST_WORDS: Duration = Duration::from_millis(1200);
/// How long the log may take to show the end after a signal.
const LAST_LINES: Duration = Duration::from_millis(400);

/// What a job does.
enum Task {
    /// Builds, all of it or one leg.
    Build,
    /// Merges legs, which are there.
    Merge(Vec<PathBuf>),
}

/// The CI job. Returns the exit code.
pub fn run(env: &Environment, flags: &Flags) -> u8 {
    begin(env, flags, Task::Build)
}

/// The CI job that merges legs. Returns the exit code.
pub fn merge(env: &Environment, flags: &Flags, legs: Vec<PathBuf>) -> u8 {
    begin(env, flags, Task::Merge(legs))
}

fn begin(env: &Environment, flags: &Flags, task: Task) -> u8 {
    let context = runner::detect(env);
    let inputs = Inputs::resolve(&|name| flags.get(name), &env.vars);
    let request = inputs.and_then(|inputs| Request::gather(env, context.clone(), inputs));
    if let Ok(request) = &request
        && request.inputs.dry_run
    {
        return show(request, Format::Text);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return stillborn(&format!("no runtime: {error}"));
        }
    };
    let code = runtime.block_on(job(env, context, request, task));
    // A blocking task that hangs, an export to a dead disk for one, must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

/// Shows the plan and touches nothing. Returns the exit code.
pub fn plan(env: &Environment, flags: &Flags, format: Format) -> u8 {
    let context = runner::detect(env);
    let inputs = Inputs::resolve(&|name| flags.get(name), &env.vars);
    match inputs.and_then(|inputs| Request::gather(env, context.clone(), inputs)) {
        Ok(request) => show(&request, format),
        Err(failure) => complain(&failure, &Redactor::of(access::known_secrets(env, &context))),
    }
}

fn show(request: &Request, format: Format) -> u8 {
    let redactor = Redactor::of(access::secrets(request));
    let plan = match plan::resolve(request) {
        Ok(plan) => plan,
        Err(failure) => return complain(&failure, &redactor),
    };
    let text = match format {
        Format::Text => plan::render::text(&plan),
        Format::Json => serde_json::to_string_pretty(&plan).unwrap_or_default() + "\n",
    };
    match std::io::stdout().lock().write_all(redactor.text(&text).as_bytes()) {
        // A reader that closed the pipe has what it wanted.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => 1,
        _ => 0,
    }
}

/// An error before there is anything to report on: to standard error, for people.
pub(crate) fn complain(failure: &Failure, redactor: &Redactor) -> u8 {
    let text = closing::failure(failure);
    let _ = std::io::stderr().lock().write_all(redactor.text(&text).as_bytes());
    failure.kind.exit_code()
}

/// The machine does not even let us begin.
fn stillborn(what: &str) -> u8 {
    complain(&Failure::new(FailureKind::Internal, Problem::new(what)), &Redactor::default())
}

async fn job(env: &Environment, context: CiContext, request: Result<Request, Failure>, task: Task) -> u8 {
    let started = Instant::now();
    let cancel = CancellationToken::new();
    let caught = watch_signals(&cancel);
    let (secrets, verbose) = match &request {
        Ok(request) => (access::secrets(request), request.inputs.verbose || request.context.debug),
        Err(_) => (access::known_secrets(env, &context), false),
    };
    let redactor = Redactor::of(secrets);
    let build_id = request.as_ref().ok().and_then(|r| r.inputs.build_id.clone());
    let color = terminal::wants_color(env.terminal, context.forge, &env.vars);
    let settings = terminal::Settings {
        dialect: Dialect::of(context.forge),
        live: env.terminal && context.forge == ForgeKind::Local,
        color,
        verbose,
        redactor: redactor.clone(),
    };
    let (events, receiver) = Events::channel();
    let screen = match terminal::spawn(receiver, std::io::stdout(), settings) {
        Ok(screen) => screen,
        Err(error) => {
            return stillborn(&format!("no thread to draw the log with: {error}"));
        }
    };
    // The forge hears of the run while it goes on.
    let mut told = request.as_ref().ok().and_then(|request| forge::start(request, report::word::BEGUN));
    let mut outcome = Outcome::begin(context, env.now);
    let result = match request {
        Ok(request) => {
            outcome.context = request.context.clone();
            let work = async {
                match &task {
                    Task::Build => pipeline::run(&request, &events, &cancel, &mut outcome).await,
                    Task::Merge(legs) => pipeline::merge(&request, legs, &events, &cancel, &mut outcome).await,
                }
            };
            until_signalled(work, &cancel).await
        }
        Err(failure) => Err(failure),
    };
    outcome.phases = events.spans();
    outcome.end(result, caught.kind(), started.elapsed());
    if let Some(told) = &mut told {
        let word = report::word::word(&Document::new(&outcome).redacted(&redactor));
        outcome.notes.extend(told.finish(&word, &cancel, caught.at()).await);
    }
    let document = Document::new(&outcome).redacted(&redactor);
    let workspace = outcome.context.workspace.clone();
    match report::write(&outcome, &document, &workspace, build_id.as_deref()) {
        Ok(notes) => outcome.notes.extend(notes),
        Err(failure) => {
            outcome.fail(failure);
            if let Some(told) = &mut told {
                let word = report::word::word(&Document::new(&outcome).redacted(&redactor));
                outcome.notes.extend(told.finish(&word, &cancel, caught.at()).await);
            }
            // The document may stand where the runner's files could not be written: it must not say success.
            let _ =
                report::write(&outcome, &Document::new(&outcome).redacted(&redactor), &workspace, build_id.as_deref());
        }
    }
    let document = Document::new(&outcome).redacted(&redactor);
    report::give_back(&document, &workspace);
    let pinned = told.is_some_and(|told| told.has_remarked());
    let closing = closing::last_words(&document, pinned, color);
    drop(events);
    match outcome.status {
        Status::Cancelled => screen.finish_within(closing, LAST_LINES),
        _ => screen.finish(closing),
    };
    report::exit_code(&outcome)
}

/// Waits for the pipeline; after a signal only so long.
async fn until_signalled(
    work: impl Future<Output = Result<(), Failure>>,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let late = async {
        cancel.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        result = work => result,
        () = late => Err(Failure::new(FailureKind::Terminated, Problem::new("the run was stopped before it could end in good order"))),
    }
}

/// Which signal came, if one did.
pub(crate) struct Caught(std::sync::Arc<std::sync::OnceLock<(FailureKind, Instant)>>);

impl Caught {
    pub(crate) fn kind(&self) -> Option<FailureKind> {
        self.0.get().map(|(kind, _)| *kind)
    }

    fn at(&self) -> Option<Instant> {
        self.0.get().map(|(_, at)| *at)
    }
}

pub(crate) fn watch_signals(cancel: &CancellationToken) -> Caught {
    let caught = std::sync::Arc::new(std::sync::OnceLock::new());
    for (kind, meaning) in
        [(SignalKind::interrupt(), FailureKind::Interrupted), (SignalKind::terminate(), FailureKind::Terminated)]
    {
        let (caught, cancel) = (std::sync::Arc::clone(&caught), cancel.clone());
        // Without a handler the signal kills us as it would any program; nothing better can be done.
        let Ok(mut signals) = signal(kind) else { continue };
        tokio::spawn(async move {
            signals.recv().await;
            let _ = caught.set((meaning, Instant::now()));
            cancel.cancel();
        });
    }
    Caught(caught)
}

impl Outcome {
    /// Nothing has happened yet.
    pub fn begin(context: CiContext, started: jiff::Timestamp) -> Self {
        Self {
            context,
            started,
            took: Duration::ZERO,
            status: Status::Failure,
            failure: None,
            plan: None,
            builder: None,
            builds: Vec::new(),
            swept: Vec::new(),
            signing: None,
            phases: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// How it ended. A signal that came while everything still worked out changes nothing.
    fn end(&mut self, result: Result<(), Failure>, signal: Option<FailureKind>, took: Duration) {
        self.took = took;
        match (result, signal) {
            (Ok(()), _) => self.status = Status::Success,
            (Err(failure), None) => {
                self.status = Status::Failure;
                self.failure = Some(failure);
            }
            (Err(failure), Some(kind)) => {
                self.status = Status::Cancelled;
                self.failure = Some(Failure { kind, ..failure });
            }
        }
    }

    /// Something failed after the end.
    fn fail(&mut self, failure: Failure) {
        if self.failure.is_none() {
            self.status = Status::Failure;
            self.failure = Some(failure);
        } else {
            self.notes.extend(failure.problems);
        }
    }
}
