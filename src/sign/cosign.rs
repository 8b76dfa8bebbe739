//! The cosign of this machine: found, asked what it is, started with an environment that names no login but the one it needs.
//!
//! Knows nothing of what is signed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::argv::Generation;
use crate::credentials::{self, Login};
use crate::environment::Vars;
use crate::http::ProxySettings;
use crate::problem::Problem;
use crate::process::{self, Captured, ProcessError, Spec};
use crate::rundir::RunDir;

/// How long one call may take. A key that waits for a password on a terminal, or a network that swallows packets, end here.
const LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to say what it is.
const QUESTION: Duration = Duration::from_secs(30);
/// The first generation has other flags, and is no longer maintained.
const OLDEST: u64 = 2;

/// Variables that must not steer it: what they would say is said otherwise. `COSIGN_REPOSITORY` would put signatures elsewhere.
const WITHHELD: &[&str] = &[
    "COSIGN_KEY",
    "COSIGN_REPOSITORY",
    "COSIGN_EXPERIMENTAL",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
];

/// cosign, ready to be called. `Debug` shows no values of variables.
#[derive(Clone)]
pub struct Cosign {
    program: PathBuf,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
    dir: PathBuf,
    /// What it is told depends on this.
    pub generation: Generation,
    /// For people: `3.1.1`, or the generation alone where a build does not say.
    pub version: String,
}

/// Where it runs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Variables it inherits.
    pub vars: &'a Vars,
    /// The run's private directory.
    pub run: &'a RunDir,
    /// Its working directory: relative paths of keys start here.
    pub cwd: &'a Path,
    /// Proxies of the configuration.
    pub proxy: &'a ProxySettings,
    /// More variables: trusted authorities.
    pub more: &'a [(String, String)],
}

impl Cosign {
    /// Finds cosign on `PATH`; `None` where there is none.
    ///
    /// # Errors
    /// When it does not say what it is, or is too old.
    pub async fn find(place: Place<'_>, cancel: &CancellationToken) -> Result<Option<Self>, Problem> {
        let Some(program) = process::find("cosign", place.vars, &[]) else { return Ok(None) };
        let mut cosign = Self {
            program,
            env: environment(place),
            cwd: place.cwd.to_owned(),
            dir: place.run.docker(),
            generation: Generation::Two,
            version: String::new(),
        };
        let ask = |args: &[&str]| {
            let spec = cosign.spec(args.iter().map(|arg| (*arg).to_owned()).collect(), &[]);
            async move { process::capture(&spec, b"", QUESTION, cancel).await }
        };
        let (version, help) = tokio::join!(ask(&["version", "--json"]), ask(&["sign", "--help"]));
        let wrong = |e: ProcessError| {
            Problem::new(format!("cosign does not say which version it is: {e}"))
                .hint("install cosign 2 or 3, or switch signing off with `sign: {mode: off}`")
        };
        let (version, help) = (version.map_err(wrong)?, help.map_err(wrong)?);
        (cosign.generation, cosign.version) = which(&version.stdout, &String::from_utf8_lossy(&help.stdout))?;
        Ok(Some(cosign))
    }

    /// Writes a docker configuration that holds one login, or none, and returns its directory. Two targets in one registry may
    /// have two logins: each call gets the directory of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn login(&self, name: &str, login: Option<&Login>) -> std::io::Result<PathBuf> {
        let dir = self.dir.join(name);
        let logins: Vec<Login> = login.cloned().into_iter().collect();
        credentials::write_private(&dir, &credentials::private_config(None, &logins))?;
        Ok(dir)
    }

    /// Calls it with the logins in a directory.
    ///
    /// # Errors
    /// As `process::capture`.
    pub async fn call(
        &self,
        args: Vec<String>,
        docker: &Path,
        cancel: &CancellationToken,
    ) -> Result<Captured, ProcessError> {
        let spec = self.spec(args, &[("DOCKER_CONFIG", &docker.display().to_string())]);
        process::capture(&spec, b"", LIMIT, cancel).await
    }

    fn spec(&self, args: Vec<String>, more: &[(&str, &str)]) -> Spec {
        let mut env = self.env.clone();
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Spec::new(&self.program, args, env, &self.cwd)
    }

    /// The key has a password, or that of an empty one is right.
    pub(super) fn has_password(&self) -> bool {
        self.env.get("COSIGN_PASSWORD").is_some_and(|password| !password.is_empty())
    }
}

impl std::fmt::Debug for Cosign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cosign").field("program", &self.program).field("version", &self.version).finish_non_exhaustive()
    }
}

fn environment(Place { vars, run, cwd: _, proxy, more }: Place<'_>) -> BTreeMap<String, String> {
    let inherited = vars.iter().filter(|(name, _)| !WITHHELD.contains(name) && !name.starts_with("INPUT_"));
    let mut env: BTreeMap<_, _> = inherited.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    // Set, it is never asked for on a terminal.
    env.entry("COSIGN_PASSWORD".to_owned()).or_default();
    // Else it writes below the user's home.
    env.entry("TUF_ROOT".to_owned()).or_insert_with(|| run.scratch("tuf").display().to_string());
    env.insert("DOCKER_CONFIG".to_owned(), run.docker().join("nobody").display().to_string());
    for (name, value) in [("HTTP_PROXY", &proxy.http), ("HTTPS_PROXY", &proxy.https), ("NO_PROXY", &proxy.no_proxy)] {
        if let Some(value) = value {
            env.remove(&name.to_ascii_lowercase());
            env.insert(name.to_owned(), value.clone());
        }
    }
    env.extend(more.iter().cloned());
    env
}

/// The generation by the version; builds of distributions say `devel`, and are told apart by what they know.
fn which(version: &[u8], help: &str) -> Result<(Generation, String), Problem> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Version {
        git_version: String,
    }
    let said = serde_json::from_slice::<Version>(version).unwrap_or_default().git_version;
    let number = semver::Version::parse(said.trim_start_matches('v')).ok();
    let three = Generation::Three { trusted_root: help.contains("--trusted-root") };
    match number {
        Some(number) if number.major < OLDEST => {
            let what =
                format!("cosign {number} is too old: its signatures and flags are those of the first generation");
            Err(Problem::new(what).hint("install cosign 2 or 3"))
        }
        Some(number) => Ok((if number.major == 2 { Generation::Two } else { three }, number.to_string())),
        // On by default only from 3 on.
        None if help.contains("--use-signing-config=true") => Ok((three, "3".to_owned())),
        None => Ok((Generation::Two, "2".to_owned())),
    }
}

#[cfg(test)]
mod tests;
