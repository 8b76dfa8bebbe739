//! A docker engine, asked through its own client.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::within;

/// A docker engine of the testbed.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) host: String,
}

impl Engine {
    pub(crate) fn new(host: &str) -> Self {
        Self { host: host.to_owned() }
    }

    fn docker(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("docker").args(["--host", &self.host]).args(args).output().expect("docker");
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn lines(&self, args: &[&str]) -> BTreeSet<String> {
        self.docker(args).expect("the engine answers").lines().map(str::to_owned).collect()
    }

    /// `docker image inspect`, if it is there.
    pub(crate) fn image(&self, name: &str) -> Option<Value> {
        let text = self.docker(&["image", "inspect", name])?;
        Some(serde_json::from_str::<Value>(&text).unwrap()[0].clone())
    }

    /// Output of a container of the image.
    pub(crate) fn run(&self, name: &str, args: &[&str]) -> String {
        let mut all = vec!["run", "--rm", "--network=none", name];
        all.extend(args);
        self.docker(&all).unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Whether the engine can pull it.
    pub(crate) fn pull(&self, name: &str) -> bool {
        self.docker(&["pull", "--quiet", name]).is_some()
    }

    /// The text of a file in an image that need not be able to run.
    pub(crate) fn file_of(&self, image: &str, path: &str) -> String {
        let container = self.docker(&["create", image, "none"]).expect("a container of the image");
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("file");
        let copied = self.docker(&["cp", &format!("{}:{path}", container.trim()), to.to_str().unwrap()]);
        let _ = self.docker(&["rm", container.trim()]);
        assert!(copied.is_some(), "{image} has no {path}");
        std::fs::read_to_string(to).unwrap()
    }

    /// This machine's address in the network that containers get by default: they reach it there, from other networks too.
    pub(crate) fn gateway(&self) -> String {
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        let address = self.docker(&["network", "inspect", "bridge", "--format", format]);
        address.expect("the engine answers").trim().to_owned()
    }

    pub(crate) fn containers(&self) -> BTreeSet<String> {
        self.lines(&["ps", "--all", "--format", "{{.Names}}"])
    }

    /// Images under a private name of a run or a proof: none may stay.
    pub(crate) fn assert_nothing_parked(&self) {
        let [runs, proofs] = ["reference=stagefreight/run-*", "reference=stagefreight/crucible-*"];
        let format = "{{.Repository}}:{{.Tag}}";
        self.assert_passing("images", &[&["image", "ls", "--filter", runs, "--filter", proofs, "--format", format]]);
    }

    /// Services of GitLab jobs and the networks they were on: none may stay.
    pub(crate) fn assert_no_services(&self) {
        let containers = ["ps", "--all", "--quiet", "--filter", "ancestor=docker:28-dind"];
        let networks = ["network", "ls", "--quiet", "--filter", "name=gitlab-ci-local-"];
        self.assert_passing("containers and networks", &[&containers, &networks]);
    }

    /// What is listed now goes. Other tests' may come and go meanwhile.
    fn assert_passing(&self, what: &str, lists: &[&[&str]]) {
        let listed = || -> BTreeSet<String> { lists.iter().flat_map(|args| self.lines(args)).collect() };
        let seen = listed();
        within(Duration::from_secs(300), &format!("{what} left in the engine: {seen:?}"), || {
            listed().is_disjoint(&seen).then_some(())
        });
    }

    pub(crate) fn remove_image(&self, name: &str) {
        let _ = self.docker(&["image", "rm", "--force", name]);
    }

    /// Removes every image whose name holds this text.
    pub(crate) fn remove_images(&self, text: &str) {
        let Some(all) = self.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]) else { return };
        all.lines().filter(|name| name.contains(text)).for_each(|name| self.remove_image(name));
    }

    /// A builder's container that runs this script.
    pub(crate) fn start_builder(&self, container: &str, image: &str, script: &str) {
        let volume = format!("{container}_state:/var/lib/buildkit");
        let how = ["run", "--detach", "--privileged", "--network=host", "--volume", &volume, "--name", container];
        self.docker(&[&how[..], &["--entrypoint=sh", image, "-c", script]].concat()).expect("the container starts");
    }

    /// Removes a builder's container and its cache.
    pub(crate) fn remove_builder(&self, container: &str) {
        let _ = self.docker(&["rm", "--force", container]);
        let _ = self.docker(&["volume", "rm", "--force", &format!("{container}_state")]);
    }
}
