//! `docker buildx build` without us, on the same daemon: what others do beside a run.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Testbed;

/// A builder of a test's own on the testbed's BuildKit daemon.
pub(crate) struct Bare(tempfile::TempDir);

impl Bare {
    pub(crate) fn new() -> Self {
        let bare = Self(tempfile::tempdir().unwrap());
        let testbed = Testbed::get();
        let at = |name: &str| testbed.buildkit_certs.join(name).display().to_string();
        let certificates = format!("cacert={},cert={},key={}", at("ca.pem"), at("cert.pem"), at("key.pem"));
        let args = ["create", "--name", "bare", "--driver", "remote", "--driver-opt", &certificates];
        let made = bare.command(&args).arg(&testbed.buildkit_host).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        bare
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("buildx").args(args).env("BUILDX_CONFIG", self.0.path()).stdin(Stdio::null());
        command
    }

    /// Builds a stage of a checkout's Dockerfile, without attestations.
    pub(crate) fn build(&self, context: &Path, target: &str, args: &[&str]) -> Command {
        let mut command = self.command(&["build", "--builder", "bare", "--provenance=false", "--target", target]);
        command.args(args).arg(context);
        command
    }

    /// The file that a stage is.
    pub(crate) fn file(&self, context: &Path, target: &str, args: &[&str], file: &str) -> Vec<u8> {
        let to = tempfile::tempdir().unwrap();
        let export = format!("type=local,dest={}", to.path().display());
        let done = self.build(context, target, args).args(["--output", &export]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::read(to.path().join(file)).unwrap()
    }
}
