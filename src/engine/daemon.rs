//! The BuildKit container of a builder, whoever made it: is it there, does its daemon answer, and away with a broken one.

use std::time::{Duration, Instant, SystemTime};

use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerInspectResponse, ExecConfig};
use bollard::query_parameters::RemoveContainerOptions;
use futures::TryStreamExt as _;

use super::{Engine, PROBE, first_line, innermost, unreachable};
use crate::problem::Problem;

/// A container that has run for so long has a daemon that answers, unless it is broken.
const SETTLED: Duration = Duration::from_secs(60);
/// How long a daemon may take to answer after its container was started.
const START: Duration = Duration::from_secs(60);
/// Between two questions.
const TICK: Duration = Duration::from_millis(50);

/// A container that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The environment it was made with, `NAME=value`.
    pub env: Vec<String>,
    /// It runs, whether its daemon answers or not.
    pub running: bool,
    /// It runs, and was not started just now: by another run, which waits for its daemon.
    pub settled: bool,
}

impl Found {
    fn of(container: ContainerInspectResponse, now: SystemTime) -> Self {
        let state = container.state.filter(|state| state.running == Some(true) && state.restarting != Some(true));
        let started = state.as_ref().and_then(|state| state.started_at.as_deref()?.parse::<jiff::Timestamp>().ok());
        let age = started.and_then(|at| now.duration_since(at.into()).ok());
        Self {
            env: container.config.and_then(|config| config.env).unwrap_or_default(),
            running: state.is_some(),
            settled: age.is_some_and(|age| age >= SETTLED),
        }
    }
}

impl Engine {
    /// The container of this name; `None` where there is none.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn find(&self, name: &str) -> Result<Option<Found>, Problem> {
        // While an engine starts a container, it tells nothing of it.
        match tokio::time::timeout(START, self.client.inspect_container(name, None)).await {
            Ok(Ok(container)) => Ok(Some(Found::of(container, SystemTime::now()))),
            Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(None),
            Ok(Err(error)) => Err(unreachable(&self.address, &innermost(&error))),
            Err(_) => Err(unreachable(&self.address, "no answer")),
        }
    }

    /// Waits until the BuildKit in a started container answers. buildx waits only where it started the container itself: of two
    /// runs that find it stopped, one would build too early.
    ///
    /// # Errors
    /// When it does not within a minute; the container's last word is told.
    pub async fn wait_for_buildkit(&self, name: &str) -> Result<(), Problem> {
        let until = Instant::now() + START;
        loop {
            let asked = tokio::time::timeout(PROBE, self.buildkit_answers(name)).await;
            let why = match asked.unwrap_or_else(|_| Err("no answer".to_owned())) {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if Instant::now() > until {
                let what = format!(
                    "the BuildKit in the container {name} does not answer within {} s: {}",
                    START.as_secs(),
                    first_line(&why)
                );
                return Err(Problem::new(what).hint(format!(
                    "look at `docker logs {name}`; if it is broken, `docker rm --force {name}` (its cache stays) and run again"
                )));
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// As buildx itself asks (docker/buildx driver/docker-container/driver.go, `wait`).
    async fn buildkit_answers(&self, name: &str) -> Result<(), String> {
        let said = |e: Error| innermost(&e);
        let question = ExecConfig {
            cmd: Some(["buildctl", "debug", "workers"].map(str::to_owned).to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let id = self.client.create_exec(name, question).await.map_err(said)?.id;
        let mut printed = Vec::new();
        if let StartExecResults::Attached { mut output, .. } =
            self.client.start_exec(&id, None::<bollard::exec::StartExecOptions>).await.map_err(said)?
        {
            while let Some(piece) = output.try_next().await.map_err(said)? {
                printed.extend(piece.into_bytes().iter().take(1000));
            }
        }
        match self.client.inspect_exec(&id).await.map_err(said)?.exit_code {
            Some(0) => Ok(()),
            _ => Err(String::from_utf8_lossy(&printed).trim().to_owned()),
        }
    }

    /// Removes a container that does not run steadily, and its anonymous volumes. One that does is another run's, which
    /// made it at the same moment. Absent is fine.
    pub async fn remove_broken_container(&self, name: &str) {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let work = async {
            let found = self.client.inspect_container(name, None).await?;
            let restarts = found.restart_count.unwrap_or_default() > 0;
            let running = found.state.and_then(|state| state.running).unwrap_or_default();
            if running && !restarts { Ok(()) } else { self.client.remove_container(name, Some(options)).await }
        };
        // Best effort: it is only called to tidy up after a failure that is reported in its own right.
        let _ = tokio::time::timeout(PROBE, work).await;
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerState;

    use super::*;

    #[test]
    fn a_container_is_settled_when_it_has_run_for_a_while() {
        let now: jiff::Timestamp = "2026-11-28T12:01:00Z".parse().unwrap();
        let settled = |running, restarting, started: Option<&str>| {
            let state = ContainerState {
                running: Some(running),
                restarting: Some(restarting),
                started_at: started.map(str::to_owned),
                ..ContainerState::default()
            };
            let container = ContainerInspectResponse { state: Some(state), ..ContainerInspectResponse::default() };
            Found::of(container, now.into()).settled
        };
        assert!(settled(true, false, Some("2026-11-28T11:59:59.123456789Z")));
        assert!(!settled(true, false, Some("2026-11-28T12:00:30Z")), "started just now");
        assert!(!settled(true, true, Some("2026-11-28T11:00:00Z")), "it is being started again");
        assert!(!settled(false, false, Some("2026-11-28T11:00:00Z")), "it was stopped");
        assert!(!settled(false, false, Some("0001-01-01T00:00:00Z")), "made, never started");
        assert!(!settled(true, false, None));
        assert!(!settled(true, false, Some("2026-11-28T12:09:00Z")), "clocks differ");
        assert!(!Found::of(ContainerInspectResponse::default(), now.into()).settled);
    }
}
