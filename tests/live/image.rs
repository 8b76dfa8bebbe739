//! Our image as runners start it: GitHub's container actions, GitLab's docker executor, an arbitrary user, a job that has only a
//! docker socket, a job that has nothing. `ci/image` builds it around the program under test and loads it into both engines.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Engine, Finished, LongStep, Sandbox, Testbed, unique, within};

/// How long a job in a container may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// The image under test, by digest.
fn image() -> String {
    std::env::var("TESTBED_ACTION_IMAGE").ok().filter(|image| !image.is_empty()).expect(
        "TESTBED_ACTION_IMAGE is not set: run `export TESTBED_ACTION_IMAGE=$(STAGEFREIGHT=$(ci/binary --debug) ci/image)`, then the tests again",
    )
}

/// A container of a test's own; gone with it.
pub(super) struct Job {
    pub(super) name: String,
    host: String,
    options: Vec<String>,
}

impl Job {
    pub(super) fn on(host: &str) -> Self {
        Self { name: format!("sf-image-{}", unique()), host: host.to_owned(), options: Vec::new() }
    }

    pub(super) fn new() -> Self {
        Self::on(&Testbed::get().docker_host)
    }

    pub(super) fn with(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    pub(super) fn command(&self, more: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.host, "run", "--rm", "--name", &self.name]).args(&self.options).args(more);
        command.arg(image()).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Finished {
        self.fed(&[], args, "")
    }

    pub(super) fn fed(&self, more: &[&str], args: &[&str], input: &str) -> Finished {
        use std::io::Write as _;
        let started = Instant::now();
        let mut child = self.command(more, args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let reader = std::thread::spawn(move || child.wait_with_output().unwrap());
        within(PATIENCE, "the job in the container ends", || reader.is_finished().then_some(()));
        let output = reader.join().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Finished {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            took: started.elapsed(),
        }
    }

    pub(super) fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker").args(["--host", &self.host]).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn inside(&self, script: &str) -> String {
        self.docker(&["exec", &self.name, "sh", "-c", script])
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

/// A job in the checkout, with no engine and no daemon, which anybody may write to.
pub(super) fn alone(sandbox: &Sandbox) -> Job {
    open(sandbox.path());
    let workspace = format!("--volume={}:/work", sandbox.workspace().display());
    Job::new().with(&["--network=host", "--workdir=/work", &workspace])
}

pub(super) fn open(dir: &Path) {
    Testbed::tool("chmod", &["-R", "a+rwX", dir.to_str().unwrap()]);
}

/// The mounts and variables that GitHub's runner gives a container action (actions/runner, ContainerActionHandler.cs), its
/// network that of this machine, where the testbed's registries are.
fn as_github(sandbox: &Sandbox, host: &str) -> Job {
    let at = |name: &str| sandbox.path().join(name).display().to_string();
    let mut options = vec!["--network=host".to_owned(), "--workdir=/github/workspace".to_owned()];
    for (from, to) in [
        ("workspace", "/github/workspace"),
        ("temp", "/github/runner_temp"),
        ("home", "/github/home"),
        ("file_commands", "/github/file_commands"),
    ] {
        options.push(format!("--volume={}:{to}", at(from)));
    }
    options.push(format!("--volume={}:/var/run/docker.sock", host.strip_prefix("unix://").unwrap()));
    let moved = |value: &str| {
        let places =
            [("workspace", "workspace"), ("temp", "runner_temp"), ("home", "home"), ("file_commands", "file_commands")];
        places.iter().fold(value.to_owned(), |value, (from, to)| value.replace(&at(from), &format!("/github/{to}")))
    };
    for (name, value) in &sandbox.vars {
        if !["PATH", "TMPDIR", "DOCKER_HOST", "GITHUB_EVENT_PATH"].contains(&name.as_str()) {
            options.push(format!("--env={name}={}", moved(value)));
        }
    }
    let mut job = Job::on(host);
    job.options = options;
    job
}

/// A checkout that is published into the testbed's registry.
pub(super) fn checkout(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    // The repository names the builder.
    let repository = format!("live/{}", sandbox.id);
    sandbox
        .file("Dockerfile", "FROM busybox:1.36\nRUN echo built > /built\nCOPY Dockerfile /\n")
        .config(&format!(
            "version: 1
builds: [{{id: app, kind: docker{more}}}]
registries: {{docker.io: {{mirrors: ['{{registry}}']}}}}
targets: [{{id: one, kind: registry, build: app, url: '{{registry}}', path: 'image/{{id}}', tags: [latest]}}]
"
        ))
        .on("github-push")
        .without("BUILDKIT_HOST")
        .var("GITHUB_REPOSITORY", &repository)
}

/// Images an engine has, and what the job's builder is made of.
fn images(engine: &Job) -> String {
    engine.docker(&["image", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"])
}

fn builder_of(sandbox: &Sandbox, engine: &Engine) -> (String, String) {
    let container = sandbox.builder_container();
    let output = Command::new("docker")
        .args(["--host", &engine.host, "inspect", "--format", "{{.Image}} {{.State.StartedAt}}", &container])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (image, started) = text.trim().split_once(' ').expect("the container of the builder is there");
    (image.to_owned(), started.to_owned())
}

fn publishes_without_a_pull(sandbox: &Sandbox, host: &str) {
    let engine = Engine::new(host);
    let job = as_github(sandbox, host);
    let own = job.docker(&["image", "inspect", "--format", "{{.Id}}", &image()]);
    let run = job.run(&["run"]).succeeds();
    run.says(&["created of this job's own image, nothing was pulled", "driver docker-container"]);
    let digest = sandbox.registry().digest(&format!("image/{}", sandbox.id), "latest");
    assert_eq!(sandbox.outputs()["digest"], digest);
    let (image, started) = builder_of(sandbox, &engine);
    assert_eq!(image, own, "the builder is made of the image the job runs in");
    // The next run finds it.
    let again = as_github(sandbox, host).run(&["run"]).succeeds();
    again.says(&["reused"]);
    assert_eq!(builder_of(sandbox, &engine), (own, started));
}

#[test]
fn with_only_a_socket_nothing_is_pulled() {
    let sandbox = checkout("").docker();
    publishes_without_a_pull(&sandbox, &sandbox.testbed.docker_host);
    // What the builder was made of was there; nothing of buildx's own came.
    let listed = images(&Job::new());
    assert!(!listed.contains(&sandbox.id), "{listed}");
}

#[test]
fn with_only_the_socket_of_a_containerd_store_nothing_is_pulled() {
    let sandbox = checkout("").containerd();
    publishes_without_a_pull(&sandbox, &sandbox.testbed.docker_host_containerd);
}

#[test]
fn two_jobs_at_once_share_one_builder() {
    let sandbox = checkout("").docker();
    let host = sandbox.testbed.docker_host.clone();
    // Another checkout of the same repository.
    let other = checkout("").docker().var("GITHUB_REPOSITORY", &format!("live/{}", sandbox.id));
    let same = |sandbox: &Sandbox| as_github(sandbox, &host).run(&["run"]);
    let (one, two) = std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(|| same(&sandbox)), scope.spawn(|| same(&other)));
        (one.join().unwrap(), two.join().unwrap())
    });
    one.succeeds();
    two.succeeds();
    assert_eq!(sandbox.builder_container(), other.builder_container());
    assert_ne!(other.registry().digest(&format!("image/{}", other.id), "latest"), "");
    let left = Job::new().docker(&["ps", "--all", "--format", "{{.Names}}"]);
    let of_it = left.lines().filter(|name| name.starts_with(&sandbox.builder_container())).count();
    assert_eq!(of_it, 1, "{left}");
}

#[test]
fn a_crucible_is_proven_through_it() {
    let sandbox = checkout(", build_mode: crucible").docker();
    let run = as_github(&sandbox, &sandbox.testbed.docker_host).run(&["run"]).succeeds();
    run.says(&["created of this job's own image"]);
    let proof = &sandbox.result()["builds"][0]["proof"];
    assert_eq!((&proof["trust"], &proof["passed"]), (&"reproducible".into(), &true.into()), "{proof}");
}

/// The question GitLab's docker executor asks a job image, and how it hands over the script.
#[test]
fn gitlabs_docker_executor_gets_its_shell_through_our_entrypoint() {
    let detect = "if [ -x /usr/local/bin/bash ]; then\n\texec /usr/local/bin/bash \nelif [ -x /usr/bin/bash ]; then\n\texec /usr/bin/bash \nelif [ -x /bin/bash ]; then\n\texec /bin/bash \nelif [ -x /usr/local/bin/sh ]; then\n\texec /usr/local/bin/sh \nelif [ -x /usr/bin/sh ]; then\n\texec /usr/bin/sh \nelif [ -x /bin/sh ]; then\n\texec /bin/sh \nelif [ -x /busybox/sh ]; then\n\texec /busybox/sh \nelse\n\techo shell not found\n\texit 1\nfi\n\n";
    let script =
        "set -eo pipefail\necho \"a line of the script\" | grep script\nstagefreight version\ncd /tmp && exit 7\n";
    let run = Job::new().fed(&["--interactive"], &["sh", "-c", detect], script).exits(7);
    assert_eq!(run.stdout, format!("a line of the script\nstagefreight {}\n", env!("CARGO_PKG_VERSION")));
    // The same with the entrypoint taken away, as GitLab's documents advise.
    let run = Job::new().fed(&["--interactive", "--entrypoint="], &["sh", "-c", detect], script).exits(7);
    assert!(run.stdout.ends_with(&format!("stagefreight {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn any_user_may_run_it_without_a_name_or_a_home() {
    let sandbox = checkout("");
    let certs = sandbox.path().join("certs");
    Testbed::tool("cp", &["-r", sandbox.testbed.buildkit_certs.to_str().unwrap(), certs.to_str().unwrap()]);
    open(&certs);
    let job = alone(&sandbox).with(&[
        "--user=12345:54321",
        &format!("--volume={}:/certs", certs.display()),
        &format!("--env=BUILDKIT_HOST={}", sandbox.testbed.buildkit_host),
        "--env=BUILDKIT_CERT_PATH=/certs",
        "--env=HOME=/nonexistent",
    ]);
    job.run(&["run"]).succeeds();
    assert_ne!(sandbox.registry().digest(&format!("image/{}", sandbox.id), "latest"), "");
}

#[test]
fn process_one_reaps_orphans_and_hands_signals_on() {
    let job = Job::new();
    let mut child = job
        .command(&[], &["sh", "-c", "trap 'exit 9' TERM; for i in 1 2 3; do (sleep 0.1 & ); done; sleep 300 & wait"])
        .spawn()
        .unwrap();
    let nobody_waits = || {
        let listed = job.inside("cat /proc/[0-9]*/stat 2>/dev/null");
        let all = ["1 (stagefreight)", "(sleep)"].iter().all(|name| listed.contains(name));
        (all && !listed.contains(") Z ")).then_some(())
    };
    within(Duration::from_secs(30), "the long sleep has begun", nobody_waits);
    std::thread::sleep(Duration::from_millis(500));
    within(Duration::from_secs(30), "the orphans have ended and are no zombies", nobody_waits);
    let told = Instant::now();
    job.docker(&["kill", "--signal=TERM", &job.name]);
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert!(told.elapsed() < Duration::from_secs(60), "{:?}", told.elapsed());
}

#[test]
fn sigterm_ends_a_run_as_process_one() {
    let step = LongStep::new();
    let sandbox = checkout("").file("Dockerfile", &step.dockerfile()).docker();
    let job = as_github(&sandbox, &sandbox.testbed.docker_host);
    let child = job.command(&[], &["run"]).spawn().unwrap();
    step.runs();
    job.docker(&["kill", "--signal=TERM", &job.name]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(sandbox.result()["status"], "cancelled");
    step.ends();
}
