//! Which BuildKit builds: a daemon over mTLS, a docker engine, or one of our own as the last resort. Found once; one backend a run, never mixed.

pub mod builder;
mod daemon_config;
mod probe;
pub(crate) mod rootless;
pub(crate) mod sidecar;
mod unreached;

use std::path::{Path, PathBuf};

use crate::buildx::argv::ClientCerts;
use crate::engine::{self, Engine, OwnImage};
use crate::environment::Vars;
use crate::plan::{BackendChoice, BuilderPlan};
use crate::problem::{Failure, FailureKind, Problem};

pub use builder::Builder;
pub use probe::{Endpoint, ProbeError};
pub use rootless::{Daemon, Programs};

/// Where client certificates are mounted by convention.
const DEFAULT_CERTS: &str = "/buildkit-certs";
/// Where the daemon is by convention.
const DEFAULT_ENDPOINT: &str = "tcp://buildkitd:1234";

/// What will build.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Which kind.
    pub kind: Kind,
    /// An engine to load images into, if there is one and the run wants one.
    pub engine: Option<Engine>,
    /// Our own image, where this job runs in it on that engine: BuildKit is in it.
    pub own: Option<OwnImage>,
    /// What a person should know about the choice.
    pub notes: Vec<Problem>,
}

/// Kinds of backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A BuildKit daemon.
    Buildkitd {
        /// Where.
        endpoint: Endpoint,
        /// With which certificates.
        certs: Option<ClientCerts>,
    },
    /// A docker engine.
    Docker,
    /// A BuildKit daemon that we start ourselves, of these programs.
    Own(Programs),
    /// A buildx builder the user made.
    Existing(String),
}

/// Finds the backend.
///
/// A BuildKit daemon is preferred where one is set up. If nobody answers there, docker serves instead and a note says
/// so; a daemon that *is* there and cannot be used is a mistake, and an error.
///
/// # Errors
/// When there is none, with what was tried.
pub async fn resolve(wanted: &BuilderPlan, vars: &Vars, wants_engine: bool) -> Result<Backend, Failure> {
    if let Some(name) = &wanted.existing {
        let engine = engine_to_load_into(vars, wants_engine).await?;
        return Ok(Backend { kind: Kind::Existing(name.clone()), engine, own: None, notes: Vec::new() });
    }
    // Only ever a socket of this machine.
    if let Some(endpoint @ Endpoint::Unix(_)) = vars.get(rootless::HANDED).and_then(|url| Endpoint::parse(url).ok()) {
        let engine = engine_to_load_into(vars, wants_engine).await?;
        return Ok(Backend { kind: Kind::Buildkitd { endpoint, certs: None }, engine, own: None, notes: Vec::new() });
    }
    if wanted.backend == Some(BackendChoice::Rootless) {
        let kind = Kind::Own(rootless::programs(vars).map_err(backend)?);
        let engine = engine_to_load_into(vars, wants_engine).await?;
        return Ok(Backend { kind, engine, own: None, notes: Vec::new() });
    }
    let mut notes = Vec::new();
    if wanted.backend != Some(BackendChoice::Docker) {
        match daemon(vars, wanted.backend.is_some()).await {
            Ok(Some(kind)) => {
                let engine = engine_to_load_into(vars, wants_engine).await?;
                return Ok(Backend { kind, engine, own: None, notes });
            }
            Ok(None) => {}
            Err((error, problem)) if error.is_absence() && wanted.backend.is_none() => notes.push(problem),
            Err((_, problem)) => return Err(backend(problem)),
        }
    }
    match engine::connect(&engine::address(vars)).await {
        Ok(Some(engine)) => {
            for note in &mut notes {
                note.what = format!("{}; the docker engine is used instead", note.what);
            }
            let own = sidecar::own_image(&engine, vars).await;
            Ok(Backend { kind: Kind::Docker, engine: Some(engine), own, notes })
        }
        // Whoever set up a daemon wants its cache and its size: that it is down must be seen, not made up for in the job.
        Ok(None) if !notes.is_empty() => Err(Failure::many(FailureKind::Backend, notes)),
        Ok(None) if wanted.backend.is_none() => match rootless::programs(vars) {
            Ok(programs) => Ok(Backend { kind: Kind::Own(programs), engine: None, own: None, notes }),
            Err(missing) => Err(backend(nothing_there(&missing))),
        },
        Ok(None) => {
            let what = "build_cache.builder.backend asks for a docker engine, and none was found";
            let problem = Problem::new(what)
                .hint("give the job one (DOCKER_HOST or /var/run/docker.sock), or leave the setting out");
            Err(Failure::many(FailureKind::Backend, [notes, vec![problem]].concat()))
        }
        Err(problem) => Err(Failure::many(FailureKind::Backend, [notes, vec![problem]].concat())),
    }
}

/// Where something else builds, loading is all an engine is for: its trouble matters only to a run that wants to load.
async fn engine_to_load_into(vars: &Vars, wanted: bool) -> Result<Option<Engine>, Failure> {
    if wanted { engine::connect(&engine::address(vars)).await.map_err(backend) } else { Ok(None) }
}

/// Asks a daemon of this very machine whether it answers.
///
/// # Errors
/// Why it does not.
pub(crate) async fn answers(endpoint: &Endpoint) -> Result<(), ProbeError> {
    probe::probe(endpoint, None).await
}

fn backend(problem: Problem) -> Failure {
    Failure::new(FailureKind::Backend, problem)
}

fn nothing_there(missing: &Problem) -> Problem {
    let what = format!(
        "there is nothing to build with: no BuildKit daemon is set up and no docker engine was found; {}",
        missing.what
    );
    Problem::new(what).hint(
        "set BUILDKIT_HOST (and BUILDKIT_CERT_PATH) to a BuildKit daemon, or give the job a docker engine (DOCKER_HOST or /var/run/docker.sock)",
    )
}

/// The BuildKit daemon the environment sets up, if it answers. `None` when it sets up none.
async fn daemon(vars: &Vars, forced: bool) -> Result<Option<Kind>, (ProbeError, Problem)> {
    let (address, certs) = match daemon_settings(vars, forced, |path| path.join("ca.pem").exists()) {
        Some(settings) => settings,
        None => return Ok(None),
    };
    let told = |error: ProbeError| {
        let problem =
            Problem::new(format!("the BuildKit daemon at {address} cannot be used: {error}")).hint(error.hint());
        (error, problem)
    };
    let endpoint = Endpoint::parse(&address).map_err(told)?;
    probe::probe(&endpoint, certs.as_ref()).await.map_err(told)?;
    Ok(Some(Kind::Buildkitd { endpoint, certs }))
}

/// Address and certificates of the daemon: from `BUILDKIT_HOST` and `BUILDKIT_CERT_PATH`, else the conventional ones where
/// the conventional certificates exist.
fn daemon_settings(
    vars: &Vars,
    forced: bool,
    has_certs: impl Fn(&Path) -> bool,
) -> Option<(String, Option<ClientCerts>)> {
    let host = vars.get("BUILDKIT_HOST");
    let named = vars.get("BUILDKIT_CERT_PATH").map(PathBuf::from);
    let dir = match named {
        // Named and missing is a mistake that the probe tells.
        Some(dir) => Some(dir),
        None => Some(PathBuf::from(DEFAULT_CERTS)).filter(|dir| has_certs(dir)),
    };
    if host.is_none() && dir.is_none() && !forced {
        return None;
    }
    let certs =
        dir.map(|dir| ClientCerts { ca: dir.join("ca.pem"), cert: dir.join("cert.pem"), key: dir.join("key.pem") });
    let address = host.unwrap_or(DEFAULT_ENDPOINT).to_owned();
    let certs = if address.starts_with("unix://") { None } else { certs };
    Some((address, certs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)], forced: bool, certs: bool) -> Option<(String, Option<PathBuf>)> {
        let vars: Vars = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        daemon_settings(&vars, forced, |_| certs).map(|(host, certs)| (host, certs.map(|c| c.ca)))
    }

    #[test]
    fn a_daemon_is_set_up_by_its_variables_or_by_mounted_certificates() {
        let default = || DEFAULT_ENDPOINT.to_owned();
        assert_eq!(settings(&[], false, false), None);
        assert_eq!(settings(&[], true, false), Some((default(), None)));
        assert_eq!(settings(&[], false, true), Some((default(), Some("/buildkit-certs/ca.pem".into()))));
        assert_eq!(settings(&[("BUILDKIT_HOST", "tcp://b:1")], false, false), Some(("tcp://b:1".into(), None)));
        assert_eq!(
            settings(&[("BUILDKIT_HOST", "tcp://b:1"), ("BUILDKIT_CERT_PATH", "/c")], false, false),
            Some(("tcp://b:1".into(), Some("/c/ca.pem".into())))
        );
        assert_eq!(
            settings(&[("BUILDKIT_HOST", "unix:///b.sock"), ("BUILDKIT_CERT_PATH", "/c")], false, false),
            Some(("unix:///b.sock".into(), None))
        );
    }
}
