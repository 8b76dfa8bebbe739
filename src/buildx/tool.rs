//! The buildx program of this machine: found once, started with this run's private configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::argv;
use super::inspect::parse_version;
use crate::environment::Vars;
use crate::problem::Problem;
use crate::process::{self, Captured, ProcessError, Spec};
use crate::rundir::RunDir;
use crate::source::child_git_env;

/// How long buildx may take to answer a question that builds nothing.
const QUESTION: Duration = Duration::from_secs(60);
/// How long a builder may take to start: its engine may have to pull an image first.
const START: Duration = Duration::from_secs(600);

/// Variables of ours, of the runner's and of buildx's that must not steer a child: what they would say is said in argv.
const WITHHELD: &[&str] = &[
    "BUILDKIT_PROGRESS",
    "BUILDX_BUILDER",
    "BUILDX_CONFIG",
    "BUILDX_METADATA_WARNINGS",
    "COSIGN_KEY",
    "COSIGN_PASSWORD",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "SIGSTORE_ID_TOKEN",
    "SOURCE_DATE_EPOCH",
];

/// buildx, ready to be called.
#[derive(Debug, Clone)]
pub struct Buildx {
    program: PathBuf,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
}

/// Where buildx keeps the name of a machine, in its configuration.
const NODE: &str = ".buildNodeID";
/// It is a few digits.
const LONGEST_NODE: u64 = 200;

fn users_config(vars: &Vars) -> Option<PathBuf> {
    vars.get("BUILDX_CONFIG").map(PathBuf::from).or_else(|| docker_config(vars).map(|dir| dir.join("buildx")))
}

impl Buildx {
    /// Finds buildx on `PATH` or among docker's plugins, called directly: through `docker` it starts 100 ms later.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn locate(vars: &Vars, run: &RunDir, cwd: &Path) -> Result<Self, Problem> {
        let program = find(vars).ok_or_else(|| {
            Problem::new("docker buildx is not installed: no docker-buildx on PATH or among docker's plugins")
                .hint("install the docker-buildx plugin (Debian: docker-buildx; elsewhere docker-buildx-plugin)")
        })?;
        Ok(Self { program, env: child_env(vars, run, cwd), cwd: cwd.to_owned() })
    }

    /// Uses the builder definitions of the user's own docker configuration instead of this run's.
    #[must_use]
    pub fn with_users_builders(mut self, vars: &Vars) -> Self {
        if let Some(dir) = users_config(vars) {
            self.env.insert("BUILDX_CONFIG".to_owned(), dir.display().to_string());
        }
        self
    }

    /// Goes by the name under which the user's own buildx sends files (`docker/buildx` util/confutil/node.go), where there is
    /// one: BuildKit then asks only for what has changed in a context since it was last sent from this machine, as it does for the
    /// user. Not for proofs: what is proven is read anew.
    pub fn remember_contexts(&self, vars: &Vars, run: &RunDir) {
        let Some(from) = users_config(vars).map(|dir| dir.join(NODE)) else { return };
        // Without it everything is sent once more.
        let named = std::fs::metadata(&from).is_ok_and(|found| found.is_file() && found.len() <= LONGEST_NODE);
        if named && std::fs::create_dir_all(run.buildx()).is_ok() {
            let _ = std::fs::copy(from, run.buildx().join(NODE));
        }
    }

    /// The same, with more environment.
    #[must_use]
    pub fn with_env(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(more);
        self
    }

    /// A variable of its environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// A call, for `process`.
    pub fn call(&self, args: Vec<String>) -> Spec {
        Spec::new(&self.program, args, self.env.clone(), &self.cwd)
    }

    /// Asks something that builds nothing, and returns what it prints.
    ///
    /// # Errors
    /// As `process::capture`.
    pub async fn ask(&self, args: Vec<String>, cancel: &CancellationToken) -> Result<Captured, ProcessError> {
        process::capture(&self.call(args), b"", QUESTION, cancel).await
    }

    /// Starts a builder if it is not running, and returns what buildx prints of it.
    ///
    /// # Errors
    /// As `process::capture`.
    pub async fn start(&self, builder: &str, cancel: &CancellationToken) -> Result<Captured, ProcessError> {
        process::capture(&self.call(argv::inspect(builder)), b"", START, cancel).await
    }
}

/// Which buildx this is.
///
/// # Errors
/// When it does not say, or is too old to be used.
pub async fn version(buildx: &Buildx, cancel: &CancellationToken) -> Result<semver::Version, Problem> {
    let hint = "install a newer docker-buildx plugin, or use the stagefreight image, which has one";
    let printed =
        buildx.ask(vec!["version".to_owned()], cancel).await.map_err(|e| Problem::new(e.to_string()).hint(hint))?;
    parse_version(&String::from_utf8_lossy(&printed.stdout)).map_err(|e| Problem::new(e.to_string()).hint(hint))
}

/// The user's docker configuration directory.
pub fn docker_config(vars: &Vars) -> Option<PathBuf> {
    let named = vars.get("DOCKER_CONFIG").map(PathBuf::from);
    named.or_else(|| vars.get("HOME").map(|home| Path::new(home).join(".docker")))
}

fn find(vars: &Vars) -> Option<PathBuf> {
    let mut plugins: Vec<_> = docker_config(vars).map(|dir| dir.join("cli-plugins")).into_iter().collect();
    let usual = ["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"];
    plugins.extend(usual.map(|dir| Path::new(dir).join("docker/cli-plugins")));
    process::find("docker-buildx", vars, &plugins).or_else(|| process::find("buildx", vars, &[]))
}

fn child_env(vars: &Vars, run: &RunDir, cwd: &Path) -> BTreeMap<String, String> {
    let inherited = vars.iter().filter(|(name, _)| !WITHHELD.contains(name) && !name.starts_with("INPUT_"));
    let mut env: BTreeMap<_, _> = inherited.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    env.insert("DOCKER_CONFIG".to_owned(), run.docker().display().to_string());
    env.insert("BUILDX_CONFIG".to_owned(), run.buildx().display().to_string());
    env.extend(child_git_env(cwd, vars));
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_gets_this_runs_configuration_and_nobody_elses() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDir::create(parent.path()).unwrap();
        let pairs = [
            ("PATH", "/bin"),
            ("DOCKER_CONFIG", "/home/u/.docker"),
            ("INPUT_SECRETS", "x"),
            ("BUILDX_BUILDER", "b"),
            ("AWS_REGION", "r"),
        ];
        let vars: Vars = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let env = child_env(&vars, &run, Path::new("/w"));
        let names: Vec<_> = env.keys().map(String::as_str).filter(|name| !name.starts_with("GIT_CONFIG")).collect();
        assert_eq!(names, ["AWS_REGION", "BUILDX_CONFIG", "DOCKER_CONFIG", "PATH"]);
        assert_eq!(env["DOCKER_CONFIG"], run.docker().display().to_string());
    }

    #[test]
    fn the_users_name_for_this_machine_is_taken_over_and_nothing_else() {
        let (home, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let run = RunDir::create(temp.path()).unwrap();
        let vars: Vars = [("BUILDX_CONFIG".to_owned(), home.path().display().to_string())].into_iter().collect();
        let buildx = Buildx { program: PathBuf::new(), env: BTreeMap::new(), cwd: PathBuf::new() };
        buildx.remember_contexts(&vars, &run);
        assert!(!run.buildx().join(NODE).exists(), "there is none");
        std::fs::write(home.path().join(NODE), "0123456789abcdef").unwrap();
        std::fs::write(home.path().join("current"), "{}").unwrap();
        buildx.remember_contexts(&vars, &run);
        assert_eq!(std::fs::read_to_string(run.buildx().join(NODE)).unwrap(), "0123456789abcdef");
        assert!(!run.buildx().join("current").exists());
    }
}
