//! The candidate as a child of this process: its program is taken out of the image and run here, beside the BuildKit daemon that
//! both passes use.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::handover::{Answer, GUARD, Handover, RUN_ID};
use super::relay::Relay;
use super::{ANSWER, COMMAND, Pass, QUESTION, not_ours, program, stopped, taken, told, verification, version};
use crate::backend::rootless::HANDED;
use crate::crucible::rebuild::Rebuilt;
use crate::image::files;
use crate::problem::{Failure, Problem};
use crate::process::{self, ProcessError, Spec};

/// The largest program that is taken out of an image.
const LARGEST: u64 = 1 << 30;

/// Runs the pass.
pub(super) async fn run(pass: Pass<'_>, mut handover: Handover) -> Result<Rebuilt, Failure> {
    let shop = pass.shop;
    // Below our own private directory: what the candidate leaves is gone with it.
    let dir = shop.run.scratch(&format!("candidate-{}", pass.run_id));
    let temp = dir.join("tmp");
    let made = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&temp);
    made.map_err(|e| unwritable(&e))?;
    let binary = extract(pass, &dir).await?;
    ask(pass, &binary, &dir).await?;
    handover.temp = Some(temp);
    if let Some(daemon) = &shop.builder.daemon {
        handover.vars.insert(HANDED.to_owned(), daemon.endpoint.url());
    }
    let name = format!("handover-{}.json", pass.run_id);
    let document = shop.run.secret(&name, &handover.to_bytes()).map_err(|e| unwritable(&e))?;
    let result = dir.join("result.json");
    let spec = command(&binary, &document, &result, pass.run_id, shop.root);
    shop.events.debug(spec.display()).await;
    let mut relay = Relay::new(shop.events);
    let ended = process::stream(&spec, shop.cancel, async |piece| relay.push(piece).await).await;
    relay.finish().await;
    let status = ended.map_err(|e| lost(&e))?;
    taken(Answer::read(&result, pass.run_id), pass, &status.to_string())
}

async fn extract(pass: Pass<'_>, dir: &Path) -> Result<PathBuf, Failure> {
    let to = dir.join("stagefreight");
    let (layout, found, cancel) = (pass.layout.clone(), pass.program.clone(), pass.shop.cancel.clone());
    let binary = to.clone();
    let work = tokio::task::spawn_blocking(move || {
        let extracted = files::extract(&layout, &found.manifest, &found.path, &to, LARGEST, &cancel);
        extracted.map(drop).map_err(|e| program::unreadable(&e, &cancel))
    });
    let extracted = work.await.map_err(|e| verification(Problem::new(e.to_string())))?;
    extracted.map_err(|trouble| told(pass.build, trouble))?;
    Ok(binary)
}

/// Asks it what it is.
async fn ask(pass: Pass<'_>, binary: &Path, dir: &Path) -> Result<(), Failure> {
    let spec = Spec::new(binary, QUESTION.map(str::to_owned).to_vec(), BTreeMap::new(), dir);
    let mut asked = process::capture(&spec, b"", ANSWER, pass.shop.cancel).await;
    // A child of ours that was being started while the file was written may hold it open for a moment yet.
    for _ in 0..20 {
        let busy = matches!(&asked, Err(ProcessError::Start { source, .. }) if source.kind() == std::io::ErrorKind::ExecutableFileBusy);
        if !busy {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        asked = process::capture(&spec, b"", ANSWER, pass.shop.cancel).await;
    }
    let answered = match asked {
        Ok(captured) => match version(&captured.stdout) {
            Ok(version) => {
                let said = format!("the candidate is stagefreight {version}; it runs the second pass on this machine");
                pass.shop.events.info(said).await;
                return Ok(());
            }
            Err(answered) => answered,
        },
        Err(ProcessError::Cancelled { .. }) => return Err(stopped()),
        Err(ProcessError::Start { source, .. }) => format!("nothing: it does not run on this machine ({source})"),
        Err(ProcessError::Failed { status, .. }) => format!("with {status}"),
        Err(error) => format!("nothing: {error}"),
    };
    Err(not_ours(pass.build, &pass.program.path, &answered))
}

/// The call of the pass. The process gets nothing of our environment: everything stands in the handover.
fn command(binary: &Path, handover: &Path, result: &Path, run_id: &str, root: &Path) -> Spec {
    let path = |path: &Path| path.display().to_string();
    let args = [COMMAND, "--handover", &path(handover), "--result", &path(result)].map(str::to_owned).to_vec();
    let env = [(GUARD, "1"), (RUN_ID, run_id)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    Spec::new(binary, args, env.into(), root)
}

fn lost(error: &ProcessError) -> Failure {
    match error {
        ProcessError::Cancelled { .. } => stopped(),
        error => verification(Problem::new(format!("the candidate cannot be run: {error}"))),
    }
}

fn unwritable(error: &std::io::Error) -> Failure {
    verification(
        Problem::new(format!("the candidate cannot be handed over: {error}"))
            .hint("check the space left and the permissions of the runner's directory for temporary files"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_called_with_two_files_and_next_to_no_environment() {
        let spec = command(
            Path::new("/t/stagefreight"),
            Path::new("/t/h.json"),
            Path::new("/t/r.json"),
            "0123456789ab",
            Path::new("/work"),
        );
        assert_eq!(spec.args, ["crucible-pass", "--handover", "/t/h.json", "--result", "/t/r.json"]);
        let env: Vec<_> = spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(env, ["STAGEFREIGHT_CRUCIBLE=1", "STAGEFREIGHT_CRUCIBLE_RUN_ID=0123456789ab"]);
        assert_eq!((spec.program.as_path(), spec.cwd.as_path()), (Path::new("/t/stagefreight"), Path::new("/work")));
    }
}
