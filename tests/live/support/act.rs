//! `act`, a runner of GitHub's workflows on this machine: it reads the workflow and `action.yml`, makes the containers, and
//! reads commands and files after each step. Installed by `ci/runners up act`; a test fails without it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use serde_json::Value;

use super::{Sandbox, Testbed};

/// How long a workflow may take on a busy machine.
const LIMIT: u64 = 400;

/// What a test's workflow prints before the outputs of a step, as JSON in base64.
const SEEN: &str = "SEEN ";

/// A workflow that has ended.
pub(crate) struct Workflow {
    pub(crate) code: Option<i32>,
    /// act's log, event by event.
    events: Vec<Value>,
    text: String,
}

/// Where the jobs of a workflow run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jobs {
    /// In containers whose workspace is the sandbox's: the test sees what they leave.
    Here,
    /// In containers, each with a copy of the workspace, as on runners of their own.
    Apart,
    /// As processes of this machine, with a copy of the workspace.
    Native,
}

/// An annotation the runner read out of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Annotation {
    pub(crate) level: String,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) text: String,
}

/// Our own image around the program under test.
pub(crate) struct OurImage {
    /// In the testbed's registry and engines, by digest, as a release names it.
    pub(crate) by_digest: String,
}

impl OurImage {
    /// Made by `ci/image` around the program under test: by `ci/test`, which names it, or once for all tests of a process.
    pub(crate) fn get() -> &'static Self {
        static IMAGE: OnceLock<OurImage> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let made = std::env::var("TESTBED_ACTION_IMAGE").ok().filter(|image| !image.is_empty());
            let image = made.unwrap_or_else(|| script("ci/image", &[]));
            let by_digest = image.trim().to_owned();
            assert!(by_digest.contains("@sha256:"), "{image}");
            Self { by_digest }
        })
    }

    /// The same from this checkout's Dockerfile by the command that GitHub's runner gives for an action that has one. Compiling
    /// inside takes ten minutes, so the program under test is handed to it, and what no mirror here serves.
    pub(crate) fn build(name: &str) {
        let testbed = Testbed::get();
        let checkout = env!("CARGO_MANIFEST_DIR");
        let dir = tempfile::tempdir().unwrap();
        Testbed::tool("strip", &["-o", dir.path().join("stagefreight").to_str().unwrap(), &our_binary()]);
        let bases = script("ci/image", &["--bases"]);
        let (binary, dockerfile) = (format!("binary={}", dir.path().display()), format!("{checkout}/Dockerfile"));
        let mut args = vec!["--host", &testbed.docker_host, "build", "--quiet", "-t", name, "-f", &dockerfile];
        args.extend(["--build-context", &binary]);
        args.extend(bases.lines());
        args.push(checkout);
        Testbed::tool("docker", &args);
    }
}

/// The program under test, which must be static to run in our image: `STAGEFREIGHT` names another, as for `ci/binary`.
pub(crate) fn our_binary() -> String {
    let named = std::env::var("STAGEFREIGHT").ok().filter(|path| !path.is_empty());
    named.unwrap_or_else(|| assert_cmd::cargo::cargo_bin!("stagefreight").to_str().unwrap().to_owned())
}

/// What a script of this repository prints.
pub(crate) fn script(path: &str, args: &[&str]) -> String {
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .args(args)
        .env("STAGEFREIGHT", our_binary())
        .env("IMAGE_TAG", "act")
        .output()
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The action of this checkout, as a release has it: its image named by digest.
pub(crate) fn released_action() -> String {
    let action = ours("action.yml");
    assert_eq!(action.matches("\n  image: Dockerfile\n").count(), 1, "the line a release writes");
    action.replace("\n  image: Dockerfile\n", &format!("\n  image: docker://{}\n", OurImage::get().by_digest))
}

/// A file of this repository.
pub(crate) fn ours(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A step that shows the outputs of the step `image`, however it ended.
const SHOW: &str = "
      - name: show
        if: always()
        shell: sh
        env:
          ALL: ${{ toJSON(steps.image) }}
        run: |
          printf 'SEEN %s\\n' \"$(printf %s \"$ALL\" | base64 -w0)\"
";

/// act names containers after workflow and job, so that two of one name end each other.
const WORKFLOW: &str = "name: image-{id}
on: push
permissions: {}
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v6
      - name: image
        id: image
";

/// Builds on a docker engine, and knows where the testbed's registries are.
pub(crate) const ON_DOCKER: &str = "version: 1
build_cache: {builder: {image: '{buildkit_image}'}}
registries: {docker.io: {mirrors: ['{registry}']}, '{registry}': {http: true}}
builds:
  - {id: app, kind: docker}
";

/// A workflow of one job, whose step `image` is the one given, and which then shows what came of it.
pub(crate) fn workflow(id: &str, step: &str) -> String {
    format!("{WORKFLOW}{step}{SHOW}").replace("{id}", id)
}

impl Sandbox {
    /// Runs the workflows of the checkout as after a push.
    pub(crate) fn act(&self, jobs: Jobs, more: &[&str]) -> Workflow {
        let state = self.path().join("act");
        std::fs::create_dir_all(&state).unwrap();
        let platform = match jobs {
            Jobs::Native => "ubuntu-24.04=-self-hosted".to_owned(),
            // Not the Debian image: its /var/run is a link, and newer engines copy nothing through one.
            Jobs::Here | Jobs::Apart => format!("ubuntu-24.04={}/library/busybox:latest", self.testbed.registry),
        };
        let socket = self.testbed.docker_host.clone();
        let state = state.to_str().unwrap().to_owned();
        // Not even act may wait for ever.
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=20", &LIMIT.to_string(), "act", "push", "--json", "--pull=false", "--rm"])
            .args(["--no-cache-server", "--action-offline-mode", "--artifact-server-path", ""])
            .args(["--platform", &platform, "--container-daemon-socket", &socket, "--action-cache-path", &state])
            .args(["--actor", "ada", "--github-instance", "git.example.org", "--concurrent-jobs", "1"])
            .args((jobs == Jobs::Here).then_some("--bind"))
            .args(more)
            .current_dir(self.workspace())
            .env_clear()
            .envs(&self.vars)
            .env("DOCKER_HOST", &self.testbed.docker_host)
            .env("XDG_CACHE_HOME", &state)
            .env("XDG_CONFIG_HOME", &state)
            .env("HOME", &state)
            .stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("timeout: {error}"));
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(
            !text.contains("failed to run command"),
            "act is missing: `ci/runners up act`, then `eval \"$(ci/runners env)\"`"
        );
        let events = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Workflow { code: output.status.code(), events, text }
    }
}

impl Workflow {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}", self.text);
        self
    }

    /// What [`SHOW`] saw: the outputs of the step (or job) `image`, and how it ended.
    #[track_caller]
    pub(crate) fn seen(&self) -> (BTreeMap<String, String>, String) {
        let line = self.raw().find_map(|line| line.strip_prefix(SEEN).map(|rest| rest.trim().to_owned()));
        let line = line.unwrap_or_else(|| panic!("no step showed anything:\n{}", self.text));
        let bytes = base64::engine::general_purpose::STANDARD.decode(line).unwrap();
        let step: Value = serde_json::from_slice(&bytes).unwrap();
        let outputs = step["outputs"].as_object().unwrap();
        let outputs = outputs.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        let ended = step["outcome"].as_str().or(step["result"].as_str());
        (outputs, ended.unwrap().to_owned())
    }

    /// The step summaries, as act read them out of their files.
    pub(crate) fn summary(&self) -> String {
        self.commands("summary").filter_map(|event| event["content"].as_str()).collect()
    }

    pub(crate) fn annotations(&self) -> Vec<Annotation> {
        let of = |level: &'static str| {
            self.commands(level).map(move |event| {
                let property = |name: &str| event["kvPairs"][name].as_str().map(str::to_owned);
                Annotation {
                    level: level.to_owned(),
                    file: property("file"),
                    line: property("line").and_then(|line| line.parse().ok()),
                    text: event["arg"].as_str().unwrap_or_default().to_owned(),
                }
            })
        };
        of("error").chain(of("warning")).collect()
    }

    /// Lines that steps printed, commands left out.
    pub(crate) fn raw(&self) -> impl Iterator<Item = &str> {
        self.events.iter().filter(|event| event["raw_output"] == true).filter_map(|event| event["msg"].as_str())
    }

    /// Everything act said.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn commands<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["command"] == name)
    }
}
