//! The GitLab components, run by gitlab-ci-local as a project includes them: shell and docker executor.
//!
//! Each test is a project of its own that holds the components, so that they are found without a GitLab. Needs
//! `ci/runners up gitlab-ci-local check-jsonschema`.

mod docker;
mod inputs;
mod legs;
mod shell;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::act::our_binary;
use crate::support::{Finished, Registry, Sandbox, Testbed};

/// A whole pipeline on a busy machine.
const LIMIT: &str = "300";
/// Its schema wants at least one runner tag; GitLab takes none.
const SCHEMA: [&str; 2] = ["--ignore-schema-paths", "#/definitions/tags/minItems"];

/// A project with our components and a `.gitlab-ci.yml`.
pub(crate) struct Project {
    pub(crate) sandbox: Sandbox,
    variables: BTreeMap<String, String>,
    executor: Vec<String>,
}

impl Project {
    /// A checkout with our components in it.
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        for entry in std::fs::read_dir(root().join("templates")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            sandbox.write(&format!("templates/{name}"), &std::fs::read_to_string(&path).unwrap());
        }
        sandbox.write(".gitignore", ".stagefreight/\n.gitlab-ci-local/\n");
        sandbox.commit("Add the components");
        Self { sandbox, variables: BTreeMap::new(), executor: Vec::new() }
    }

    /// With a file.
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        let text = self.sandbox.fill(text);
        self.sandbox = self.sandbox.file(path, &text);
        self
    }

    /// With a pipeline. `@build` and so on stand for the components of this commit.
    pub(crate) fn pipeline(self, text: &str) -> Self {
        let component = regex::Regex::new(r"@(build|merge|pipeline|cleanup)\b").unwrap();
        let text = component.replace_all(text, "$$CI_SERVER_FQDN/$$CI_PROJECT_PATH/$1@$$CI_COMMIT_SHA");
        self.file(".gitlab-ci.yml", &text)
    }

    /// A variable of the project.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Jobs run in shells of this machine, each in a copy of the checkout, with the program of this test.
    pub(crate) fn in_shells(mut self) -> Self {
        self.executor = ["--force-shell-executor", "--shell-isolation"].map(str::to_owned).into();
        self
    }

    /// With the same image and, for jobs in shells, the testbed's BuildKit daemon.
    pub(crate) fn on_buildkitd(dockerfile: &str) -> Self {
        let project = Self::new().file("Dockerfile", dockerfile).file("hello.txt", "{id}").in_shells();
        let testbed = &project.sandbox.testbed;
        let (host, certs) = (testbed.buildkit_host.clone(), testbed.buildkit_certs.clone());
        project.variable("TB_HOST", &host).variable("TB_CERTS", certs.to_str().unwrap())
    }

    /// Jobs run in containers of the testbed's engine, on this machine's network, with these mounts.
    pub(crate) fn in_containers(self, volumes: &[&str]) -> Self {
        self.on_the_engine(&["--network", "host"], volumes)
    }

    /// Jobs and their services run in containers with every right, on a network of their own, with these mounts.
    pub(crate) fn in_privileged_containers(self, volumes: &[&str]) -> Self {
        self.on_the_engine(&["--privileged", "--wait-image", wait_image()], volumes)
    }

    fn on_the_engine(mut self, options: &[&str], volumes: &[&str]) -> Self {
        let mut all = vec!["--helper-image", helper_image(), "--pull-policy", "if-not-present"];
        all.extend(options);
        all.extend(volumes.iter().flat_map(|volume| ["--volume", volume]));
        self.executor = all.into_iter().map(str::to_owned).collect();
        self
    }

    /// Containers are made with these options too, as GitLab's runner makes them with `security_opt` in its configuration.
    pub(crate) fn made_with(mut self, options: &[&str]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let client = self.sandbox.path().join("docker-with-options");
        let options = options.join(" ");
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = create ]; then shift; set -- create {options} \"$@\"; fi\nexec docker \"$@\"\n"
        );
        std::fs::write(&client, script).unwrap();
        std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.executor.extend(["--container-executable".to_owned(), client.to_str().unwrap().to_owned()]);
        self
    }

    /// Runs the pipeline.
    pub(crate) fn run(&self) -> Finished {
        self.call(&[])
    }

    /// Runs gitlab-ci-local with more options.
    pub(crate) fn call(&self, options: &[&str]) -> Finished {
        let sandbox = &self.sandbox;
        let programs = sandbox.path().join("bin");
        std::fs::create_dir_all(&programs).unwrap();
        let program = programs.join("stagefreight");
        if !program.exists() {
            std::os::unix::fs::symlink(our_binary(), program).unwrap();
        }
        let runner = find("gitlab-ci-local");
        let variables =
            self.variables.iter().flat_map(|(name, value)| ["--variable".to_owned(), format!("{name}={value}")]);
        let started = Instant::now();
        let output = Command::new("timeout")
            .args(["--kill-after=10", LIMIT])
            .arg(runner)
            .args(SCHEMA)
            .args(&self.executor)
            .args(variables)
            .args(options)
            .current_dir(sandbox.workspace())
            .env_clear()
            .env("PATH", format!("{}:{}", programs.display(), sandbox.testbed.path))
            .env("HOME", sandbox.home())
            .env("TMPDIR", sandbox.temp())
            .env("DOCKER_HOST", &sandbox.testbed.docker_host)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Finished { code: output.status.code(), stdout, stderr, took: started.elapsed() }
    }

    /// Lines of a job's log, without colours.
    pub(crate) fn log(&self, job: &str) -> String {
        let path = self.sandbox.workspace().join(format!(".gitlab-ci-local/output/{}.log", encoded(job)));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        regex::Regex::new("\u{1b}\\[[0-9;]*[mK]").unwrap().replace_all(&text, "").into_owned()
    }

    /// What a job kept as artifacts.
    pub(crate) fn artifact(&self, job: &str, path: &str) -> String {
        let file = self.sandbox.workspace().join(format!(".gitlab-ci-local/artifacts/{}/{path}", encoded(job)));
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// A JSON document among the artifacts of a job.
    pub(crate) fn document(&self, job: &str, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.artifact(job, &format!(".stagefreight/{name}"))).unwrap()
    }

    /// The repository that tests of this project publish to.
    pub(crate) fn repository(&self) -> String {
        format!("live/{}", self.sandbox.id)
    }

    /// The testbed's first registry.
    pub(crate) fn registry(&self) -> Registry {
        self.sandbox.registry()
    }
}

/// How gitlab-ci-local names the files of a job.
fn encoded(job: &str) -> String {
    use base64::Engine as _;
    let other = regex::Regex::new(r"[^A-Za-z0-9_-]+").unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    other.replace_all(job, |found: &regex::Captures<'_>| engine.encode(&found[0])).into_owned()
}

/// A program on the path of the tests.
pub(crate) fn find(program: &str) -> PathBuf {
    let path = Testbed::get().path;
    path.split(':').map(|dir| Path::new(dir).join(program)).find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("there is no {program}: run `ci/runners up {program}`, then `eval \"$(ci/runners env)\"`, then the tests again")
    })
}

/// gitlab-ci-local moves artifacts with an image that has bash and rsync; it is made from what this machine has.
fn helper_image() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| {
        let testbed = Testbed::get();
        let context = tempfile::tempdir().unwrap();
        let tree = context.path().join("tree");
        let copy = |from: &str, to: &str| {
            let to = tree.join(to);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        };
        copy(find("rsync").to_str().unwrap(), "usr/bin/rsync");
        let listed = Testbed::tool("ldd", &[find("rsync").to_str().unwrap()]);
        let libraries = String::from_utf8(listed.stdout).unwrap();
        // The C library is the image's own.
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/') && !word.contains("/libc.so")) {
            let name = Path::new(library).file_name().unwrap().to_str().unwrap();
            if !name.starts_with("ld-linux") {
                copy(library, &format!("opt/lib/{name}"));
            }
        }
        let base = format!("{}/library/debian:bookworm-slim", testbed.registry);
        let lines = format!("FROM {base}\nENV LD_LIBRARY_PATH=/opt/lib\nCOPY tree/ /\n");
        local_image("helper", context.path(), &lines)
    })
}

/// gitlab-ci-local waits for services with a container of an image. This one does not wait: the job finds a service that is
/// still coming up.
fn wait_image() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| {
        let context = tempfile::tempdir().unwrap();
        let base = format!("{}/library/busybox", Testbed::get().registry);
        local_image("wait", context.path(), &format!("FROM {base}\nENTRYPOINT [\"true\"]\n"))
    })
}

/// An image in the testbed's engine and nowhere else.
fn local_image(name: &str, context: &Path, dockerfile: &str) -> String {
    std::fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    let name = format!("gitlab-test/{name}:latest");
    let host = Testbed::get().docker_host;
    Testbed::tool("docker", &["--host", &host, "build", "--quiet", "--tag", &name, context.to_str().unwrap()]);
    name
}

/// docker-in-docker, in the testbed's engine under the name that the component calls it by.
pub(crate) fn docker_in_docker() {
    static THERE: OnceLock<()> = OnceLock::new();
    THERE.get_or_init(|| {
        Testbed::script(&["image", "dind"]);
        Testbed::tool("docker", &["--host", &Testbed::get().docker_host, "pull", "--quiet", "docker:28-dind"]);
    });
}

/// Runs a program within a limit and gives what it printed, whatever its exit code.
pub(crate) fn tool(program: &Path, args: &[&str]) -> Finished {
    let started = Instant::now();
    let output = Command::new("timeout").arg("120").arg(program).args(args).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let took: Duration = started.elapsed();
    Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr), took }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
