//! BuildKit's checks of the plan's Dockerfiles, for `stagefreight doctor`. A run gets them with its build, so it does not ask.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::builder::Asked;
use super::{Aspect, Check, State, Subject};
use crate::buildx::argv;
use crate::buildx::check;
use crate::plan::Step;
use crate::process::ProcessError;

/// How much of what buildx said is shown.
const SAID: usize = 200;

/// What the checks found, a warning each, in the order of the plan. Nothing where there is nothing to say.
pub async fn check(steps: &[Step], root: &Path, asked: Asked<'_>, cancel: &CancellationToken) -> Vec<Check> {
    let mut found = Vec::new();
    for step in steps {
        let subject = Subject::Dockerfile { build: step.id.clone(), path: step.dockerfile.clone() };
        let answer = asked.buildx.ask(argv::check(step, &asked.builder.name, root), cancel).await;
        // Where a rule is broken buildx says so and ends with 1.
        let printed = match &answer {
            Ok(answer) => answer.stdout.as_slice(),
            Err(ProcessError::Failed { stdout, .. }) => stdout,
            Err(_) => &[],
        };
        let said = check::parse(&String::from_utf8_lossy(printed));
        let Some(check::Checked { warnings, syntax }) = said else {
            let why = answer.map_or_else(|error| error.to_string(), |answer| last_line(&answer.stderr));
            let says = format!("BuildKit's checks could not be asked: {why}");
            found.push(Check::new(&subject, Aspect::Checks, State::Unknown, says));
            continue;
        };
        found.extend(syntax.map(|said| Check::new(&subject, Aspect::Checks, State::Failed, said)));
        for warning in warnings {
            let line = warning
                .location
                .as_ref()
                .and_then(|at| at.line)
                .map(|line| format!("line {line}: "))
                .unwrap_or_default();
            let check = Check::new(&subject, Aspect::Checks, State::Ok, format!("{line}{}", warning.message));
            found.push(check.cure(if warning.url.is_empty() { warning.detail } else { warning.url }));
        }
    }
    found
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    last.chars().take(SAID).collect()
}
