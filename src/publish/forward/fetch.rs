//! A bounded fetch of two histories, commits only, into a repository of our own that is gone afterwards. The user's checkout is
//! asked for its address and logins, and never changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::environment::Vars;
use crate::process::{self, ProcessError, Spec};
use crate::rundir::RunDir;
use crate::source::{self, Ancestry, Gap, child_git_env};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How deep each round goes. Most tags are a few commits behind.
const DEPTHS: [u32; 3] = [50, 500, 5_000];

/// Where git keeps what it would otherwise find by itself (`git rev-parse --local-env-vars`), and what makes it talk.
const WITHHELD: [&str; 11] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_NAMESPACE",
    "GIT_CONFIG_PARAMETERS",
    "SSH_ASKPASS",
];

/// What a fetch needs.
#[derive(Debug)]
pub(super) struct Fetch {
    git: PathBuf,
    checkout: PathBuf,
    /// Among the secrets of the run, which go first: the address of a remote may hold a password.
    directory: PathBuf,
    env: BTreeMap<String, String>,
}

impl Fetch {
    /// None without a git program.
    pub(super) fn new(checkout: &Path, vars: &Vars, private: &RunDir) -> Option<Self> {
        Some(Self {
            git: process::find("git", vars, &[])?,
            checkout: checkout.to_owned(),
            directory: private.scratch("secrets").join("history"),
            env: environment(checkout, vars),
        })
    }

    /// Fetches both histories, deeper and deeper, until they tell.
    ///
    /// # Errors
    /// Why there is nothing to tell from, as a clause.
    pub(super) async fn ancestry(
        &self,
        older: &str,
        newer: &str,
        cancel: &CancellationToken,
    ) -> Result<Ancestry, String> {
        let by = Instant::now() + PATIENCE;
        let told = timeout_at(by, self.rounds(older, newer, cancel)).await;
        let directory = self.directory.clone();
        // What stays behind is removed with the run's directory.
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(directory)).await;
        told.unwrap_or_else(|_| Err(format!("git fetched for {} s without an end", PATIENCE.as_secs())))
    }

    async fn rounds(&self, older: &str, newer: &str, cancel: &CancellationToken) -> Result<Ancestry, String> {
        let listed = self.git(settings_args(), &self.env, cancel).await;
        let listed = listed.map_err(|_| "git cannot read the settings of the checkout".to_owned())?;
        let env = with_settings(self.env.clone(), &settings(&listed));
        if !env.values().any(|key| key == "remote.origin.url") {
            return Err("the checkout has no remote `origin` to fetch from".to_owned());
        }
        let directory = self.directory.display().to_string();
        self.git(init_args(&directory), &self.env, cancel).await.map_err(|error| reason(&error, &[]))?;
        for depth in DEPTHS {
            let args = fetch_args(&directory, depth, older, newer);
            self.git(args, &env, cancel).await.map_err(|error| reason(&error, &[older, newer]))?;
            let (at, old, new) = (self.directory.clone(), older.to_owned(), newer.to_owned());
            let read = tokio::task::spawn_blocking(move || source::ancestry_in(&at, &old, &new)).await;
            match read {
                Ok(Ancestry::Unknown(Gap::Shallow)) | Err(_) => {}
                Ok(told) => return Ok(told),
            }
        }
        let deepest = DEPTHS.iter().max().copied().unwrap_or_default();
        Err(format!("their histories do not meet within {deepest} commits that git fetched"))
    }

    async fn git(
        &self,
        args: Vec<String>,
        env: &BTreeMap<String, String>,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, ProcessError> {
        let spec = Spec::new(&self.git, args, env.clone(), &self.checkout);
        process::capture(&spec, b"", PATIENCE, cancel).await.map(|captured| captured.stdout)
    }
}

/// What the checkout's own configuration says, whatever it includes.
fn settings_args() -> Vec<String> {
    ["config", "--local", "--includes", "--null", "--list"].map(str::to_owned).to_vec()
}

/// An empty repository without hooks.
fn init_args(directory: &str) -> Vec<String> {
    ["init", "--quiet", "--bare", "--template=", "--object-format=sha1", directory].map(str::to_owned).to_vec()
}

/// Commits without trees and files, so deep from each of the two.
fn fetch_args(directory: &str, depth: u32, older: &str, newer: &str) -> Vec<String> {
    let mut args = vec![format!("--git-dir={directory}")];
    for setting in ["core.hooksPath=/dev/null", "gc.auto=0", "maintenance.auto=false", "protocol.version=2"] {
        args.extend(["-c".to_owned(), setting.to_owned()]);
    }
    args.extend(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--filter=tree:0"].map(str::to_owned));
    args.push(format!("--depth={depth}"));
    args.push("origin".to_owned());
    args.push(format!("+{older}:refs/heads/older"));
    args.push(format!("+{newer}:refs/heads/newer"));
    args
}

/// The variables of the run, without those that lead git elsewhere; no question to a person.
fn environment(checkout: &Path, vars: &Vars) -> BTreeMap<String, String> {
    let inherited = vars
        .iter()
        .filter(|(name, _)| !WITHHELD.contains(name) && !name.starts_with("INPUT_") && !name.starts_with("GIT_TRACE"));
    let mut env: BTreeMap<_, _> = inherited.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    env.extend(child_git_env(checkout, vars));
    for (name, value) in [("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", ""), ("LC_ALL", "C")] {
        env.insert(name.to_owned(), value.to_owned());
    }
    env
}

/// Where the checkout came from, and how it got in: what actions/checkout and GitLab's runner leave for later fetches. Nothing
/// that runs in a checkout (hooks, monitors, filters).
fn settings(listed: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(listed);
    let pairs = text.split('\0').filter_map(|entry| entry.split_once('\n'));
    let wanted = |key: &str| {
        ["http.", "credential.", "url."].iter().any(|section| key.starts_with(section))
            || ["core.sshcommand", "core.gitproxy", "ssh.variant", "remote.origin.url", "remote.origin.proxy"]
                .contains(&key)
    };
    pairs.filter(|(key, _)| wanted(key)).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Hands settings over in the environment: an argument could be read by everybody on the machine.
fn with_settings(mut env: BTreeMap<String, String>, settings: &[(String, String)]) -> BTreeMap<String, String> {
    let given: usize = env.get("GIT_CONFIG_COUNT").and_then(|n| n.parse().ok()).unwrap_or(0);
    for (i, (key, value)) in settings.iter().enumerate() {
        env.insert(format!("GIT_CONFIG_KEY_{}", given + i), key.clone());
        env.insert(format!("GIT_CONFIG_VALUE_{}", given + i), value.clone());
    }
    env.insert("GIT_CONFIG_COUNT".to_owned(), (given + settings.len()).to_string());
    env
}

/// What git said last, without the addresses in it, where logins stand.
fn reason(error: &ProcessError, commits: &[&str]) -> String {
    let ProcessError::Failed { tail, .. } = error else {
        return match error {
            ProcessError::TimedOut { limit, .. } => format!("git fetched for {} s without an end", limit.as_secs()),
            ProcessError::Cancelled { .. } => "a signal stopped git".to_owned(),
            _ => "git could not be run".to_owned(),
        };
    };
    if let Some(gone) = commits.iter().find(|commit| tail.contains("not our ref") && tail.contains(**commit)) {
        return format!("the remote `origin` does not have {}", super::short(gone));
    }
    let fatal = tail.lines().rev().find_map(|line| line.strip_prefix("fatal: ")).unwrap_or("no reason given");
    let words = fatal.split_whitespace().map(|word| if word.contains("://") { "…" } else { word });
    let words: String = words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(200).collect();
    format!("git could not fetch it: {words}")
}

#[cfg(test)]
mod tests;
