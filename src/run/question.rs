//! Questions a person asks of images, outside of runs: a private directory, an end after a signal, one answer on standard output.

use std::io::Write as _;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{complain, watch_signals};
use crate::access;
use crate::environment::Environment;
use crate::problem::{Failure, FailureKind, Problem};
use crate::redact::Redactor;
use crate::rundir::RunDir;
use crate::runner;

/// How long work may take to end after a signal.
const LAST_WORDS: Duration = Duration::from_millis(1200);

/// Asks, and prints the answer. Returns the answer's own exit code (0 or 1 by convention), 2 where there is none, 130 or 143 after a
/// signal. `called` names the work in messages: `the comparison`.
pub(crate) fn answer(
    env: &Environment,
    called: &str,
    work: impl AsyncFnOnce(&RunDir, &CancellationToken) -> Result<(String, u8), Problem>,
) -> u8 {
    let context = runner::detect(env);
    let redactor = Redactor::of(access::known_secrets(env, &context));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(bounded(&context.files.temp, called, work));
            // What still hangs, reading a dead disk for one, must not hold up the exit.
            runtime.shutdown_timeout(Duration::from_millis(200));
            result
        }
        Err(error) => Err(Failure::new(FailureKind::Internal, Problem::new(format!("no runtime: {error}")))),
    };
    match result {
        Ok((text, code)) => match std::io::stdout().lock().write_all(redactor.text(&text).as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => 2,
            // A reader that closed the pipe has what it wanted.
            _ => code,
        },
        Err(failure) => match complain(&failure, &redactor) {
            // 1 is an answer.
            1 => 2,
            code => code,
        },
    }
}

async fn bounded(
    temp: &std::path::Path,
    called: &str,
    work: impl AsyncFnOnce(&RunDir, &CancellationToken) -> Result<(String, u8), Problem>,
) -> Result<(String, u8), Failure> {
    let cancel = CancellationToken::new();
    let caught = watch_signals(&cancel);
    let trouble = |problem| Failure::new(FailureKind::Input, problem);
    let run = RunDir::create(temp).map_err(|error| {
        let what = format!("no temporary directory can be made in {}: {error}", temp.display());
        trouble(Problem::new(what).hint("Check its permissions and the space left."))
    })?;
    let late = async {
        cancel.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    let result = tokio::select! {
        result = work(&run, &cancel) => result,
        () = late => Err(Problem::new(format!("{called} was stopped before it could end in good order"))),
    };
    // Trouble with what is temporary is no trouble of the answer.
    let _ = run.close();
    match caught.kind() {
        Some(kind) => Err(Failure::new(kind, Problem::new(format!("{called} was stopped by a signal")))),
        None => result.map_err(trouble),
    }
}
