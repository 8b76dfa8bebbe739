//! `stagefreight retention plan|apply`: the rules of the configuration carried out by hand, whatever `when` says. Needs no builder.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::shelf::{Shelf, retention, shelves};
use super::{apply, plan, render};
use crate::access;
use crate::cli::{Flags, Format};
use crate::environment::Environment;
use crate::inputs::Inputs;
use crate::plan::{TargetPlan, registry_targets};
use crate::problem::{Failure, FailureKind, Problem};
use crate::redact::Redactor;
use crate::request::Request;
use crate::run::{complain, watch_signals};
use crate::runner::{self, Trust};

/// How long work may take to end after a signal.
const LAST_WORDS: Duration = Duration::from_millis(1200);

/// What was asked on the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Delete, and do not only say.
    pub apply: bool,
    /// Ids of targets; all with rules where none is named.
    pub targets: Vec<String>,
    /// How to print what is found.
    pub format: Format,
    /// Where the configuration is.
    pub flags: Flags,
}

/// What a command prints, and whether everything worked.
struct Answer {
    text: String,
    whole: bool,
}

/// Returns the exit code: 0 done, or nothing was to do; 1 something could not be read or deleted; 2 the configuration or the command
/// is wrong; 130 or 143 after a signal.
pub fn run(env: &Environment, call: &Call) -> u8 {
    let context = runner::detect(env);
    let inputs = Inputs::resolve(&|name| call.flags.get(name), &env.vars);
    let request = match inputs.and_then(|inputs| Request::gather(env, context.clone(), inputs)) {
        Ok(request) => request,
        Err(failure) => return complain(&failure, &Redactor::of(access::known_secrets(env, &context))),
    };
    let redactor = Redactor::of(access::secrets(&request));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let answer = match runtime {
        Ok(runtime) => {
            let answer = runtime.block_on(until_signalled(&request, call));
            runtime.shutdown_timeout(Duration::from_millis(200));
            answer
        }
        Err(error) => Err(Failure::new(FailureKind::Internal, Problem::new(format!("no runtime: {error}")))),
    };
    match answer {
        Err(failure) => complain(&failure, &redactor),
        Ok(Answer { text, whole }) => match std::io::stdout().lock().write_all(redactor.text(&text).as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => 1,
            _ => u8::from(!whole),
        },
    }
}

async fn until_signalled(request: &Request, call: &Call) -> Result<Answer, Failure> {
    let cancel = CancellationToken::new();
    let caught = watch_signals(&cancel);
    let late = async {
        cancel.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    let result = tokio::select! {
        result = work(request, call, &cancel) => result,
        () = late => Err(Failure::new(FailureKind::Interrupted, Problem::new("it was stopped before it could end"))),
    };
    match (result, caught.kind()) {
        (Err(failure), Some(kind)) => Err(Failure { kind, ..failure }),
        (Ok(answer), Some(kind)) if !answer.whole => {
            let what = format!("it was stopped by a signal; so far:\n{}", answer.text);
            Err(Failure::new(kind, Problem::new(what)))
        }
        (result, _) => result,
    }
}

async fn work(request: &Request, call: &Call, cancel: &CancellationToken) -> Result<Answer, Failure> {
    if let (Trust::Untrusted { reason }, true) = (&request.context.trust, call.apply) {
        let what = format!("nothing is deleted in a run whose code is not trusted: {reason}");
        return Err(Failure::new(FailureKind::Credentials, Problem::new(what)));
    }
    // Whoever asked for a run that touches nothing means this, too.
    let call = &Call { apply: call.apply && !request.inputs.dry_run, ..call.clone() };
    let active = chosen(request, &call.targets)?;
    let shelves = shelves(request, &active).map_err(|problem| Failure::new(FailureKind::Config, problem))?;
    let access = access::of_targets(request, &active, cancel).await?;
    let mut answers = Vec::new();
    for shelf in &shelves {
        let catalog = access.catalog(&shelf.target).map_err(|problem| Failure::new(FailureKind::Config, problem))?;
        answers.push(one(shelf, &catalog, request, call, cancel).await);
    }
    let text = match call.format {
        Format::Text => answers.iter().map(|(text, ..)| text.as_str()).collect::<Vec<_>>().join("\n"),
        Format::Json => {
            let repositories: Vec<&Value> = answers.iter().map(|(_, json, _)| json).collect();
            format!("{:#}\n", json!({ "schema_version": 1, "applied": call.apply, "repositories": repositories }))
        }
    };
    Ok(Answer { text, whole: answers.iter().all(|(.., whole)| *whole) })
}

/// One repository: its text, its JSON, and whether all that was to be done is done.
async fn one(
    shelf: &Shelf,
    catalog: &crate::registry::Catalog,
    request: &Request,
    call: &Call,
    cancel: &CancellationToken,
) -> (String, Value, bool) {
    let nobody = BTreeSet::new();
    let question = shelf.question(request, &nobody);
    let planned = plan(catalog, &question, cancel).await;
    let mut text = render::plan(&planned);
    if !call.apply {
        if request.inputs.dry_run {
            text.push_str("  dry-run: nothing was deleted\n");
        }
        text.push_str(&problems(planned.obstacle.iter()));
        return (text, json!({ "plan": planned }), planned.obstacle.is_none());
    }
    let swept = apply(catalog, &question, planned, cancel).await;
    text.push_str(&format!("{}\n", render::swept(&swept)));
    text.push_str(&problems(swept.plan.obstacle.iter().chain(&swept.problems)));
    let whole = swept.is_whole();
    (text, json!(swept), whole)
}

fn problems<'a>(all: impl Iterator<Item = &'a Problem>) -> String {
    let one = |problem: &Problem| {
        let hint = problem.hint.as_ref().map(|hint| format!("\n    → {hint}")).unwrap_or_default();
        format!("  {}{hint}\n", problem.what)
    };
    all.map(one).collect()
}

/// The targets that are named, else all that have rules.
fn chosen(request: &Request, named: &[String]) -> Result<Vec<TargetPlan>, Failure> {
    let all = registry_targets(request);
    let wrong = |what: String, hint: String| Failure::new(FailureKind::Input, Problem::new(what).hint(hint));
    for id in named {
        if !all.iter().any(|(known, _)| known == id) {
            let ids: Vec<_> = all.iter().map(|(known, _)| known.as_str()).collect();
            return Err(wrong(
                format!("there is no registry target `{id}`"),
                format!("the configuration has: {}", ids.join(", ")),
            ));
        }
        if retention(request, id).is_none() {
            return Err(wrong(
                format!("target `{id}` has no retention"),
                format!("add `retention: 10` to target `{id}`"),
            ));
        }
    }
    let mut active = Vec::new();
    for (id, place) in all {
        if retention(request, &id).is_some() && (named.is_empty() || named.contains(&id)) {
            active.push(place.map_err(|problem| Failure::new(FailureKind::Plan, problem))?);
        }
    }
    if active.is_empty() {
        return Err(wrong(
            "no target of the configuration has a retention".to_owned(),
            "add `retention: 10` to a registry target".to_owned(),
        ));
    }
    Ok(active)
}
