//! The real components, as `ci/testbed env` names them. A missing one fails the test: a live test is never skipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Addresses and logins of the running testbed.
#[derive(Debug, Clone)]
pub(crate) struct Testbed {
    pub(crate) path: String,
    pub(crate) docker_config: PathBuf,
    pub(crate) docker_host: String,
    pub(crate) docker_host_containerd: String,
    pub(crate) buildkit_host: String,
    pub(crate) buildkit_certs: PathBuf,
    pub(crate) buildkit_image: String,
    pub(crate) registry: String,
    pub(crate) registry2: String,
    pub(crate) registry_auth: String,
    pub(crate) cosign2: PathBuf,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Testbed {
    pub(crate) fn get() -> Self {
        Self {
            path: variable("PATH"),
            docker_config: variable("DOCKER_CONFIG").into(),
            docker_host: variable("DOCKER_HOST"),
            docker_host_containerd: variable("TESTBED_DOCKER_HOST_CONTAINERD"),
            buildkit_host: variable("BUILDKIT_HOST"),
            buildkit_certs: variable("BUILDKIT_CERT_PATH").into(),
            buildkit_image: variable("TESTBED_BUILDKIT_IMAGE"),
            registry: variable("TESTBED_REGISTRY"),
            registry2: variable("TESTBED_REGISTRY2"),
            registry_auth: variable("TESTBED_REGISTRY_AUTH"),
            cosign2: variable("TESTBED_COSIGN2").into(),
            user: variable("TESTBED_REGISTRY_USER"),
            password: variable("TESTBED_REGISTRY_PASS"),
        }
    }

    /// Runs a tool of the testbed (or the system) to its end.
    pub(crate) fn tool(program: &str, args: &[&str]) -> Output {
        let output = Command::new(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(
            output.status.success(),
            "{program} {args:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// What `sha256sum` says of a file.
    pub(crate) fn sha256(path: &Path) -> String {
        let output = Self::tool("sha256sum", &[path.to_str().unwrap()]);
        String::from_utf8(output.stdout).unwrap()[..64].to_owned()
    }

    /// Runs `ci/testbed` and reads the `KEY=VALUE` lines it prints.
    pub(crate) fn script(args: &[&str]) -> Vec<(String, String)> {
        Self::script_with(args, &[])
    }

    /// The same, with more environment for what it starts.
    pub(crate) fn script_with(args: &[&str], vars: &[(&str, &str)]) -> Vec<(String, String)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/testbed");
        let vars: Vec<_> = vars.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let args: Vec<_> =
            vars.iter().map(String::as_str).chain([script.to_str().unwrap()]).chain(args.iter().copied()).collect();
        let output = Self::tool("env", &args);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| {
        panic!("{name} is not set: run `ci/testbed up`, then `eval \"$(ci/testbed env)\"`, then the tests again")
    })
}
