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

    pub(crate) fn containers(&self) -> BTreeSet<String> {
        self.lines(&["ps", "--all", "--format", "{{.Names}}"])
    }

    /// Images under a private name of a run or a proof: none may stay. Other tests' may come and go meanwhile.
    pub(crate) fn assert_nothing_parked(&self) {
        let names = ["reference=stagefreight/run-*", "reference=stagefreight/crucible-*"];
        let parked = || {
            let [runs, proofs] = names;
            let format = "{{.Repository}}:{{.Tag}}";
            self.lines(&["image", "ls", "--filter", runs, "--filter", proofs, "--format", format])
        };
        let seen = parked();
        within(Duration::from_secs(60), &format!("images left in the engine: {seen:?}"), || {
            parked().is_disjoint(&seen).then_some(())
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

    /// Removes a builder's container and its cache.
    pub(crate) fn remove_builder(&self, container: &str) {
        let _ = self.docker(&["rm", "--force", container]);
        let _ = self.docker(&["volume", "rm", "--force", &format!("{container}_state")]);
    }
}
