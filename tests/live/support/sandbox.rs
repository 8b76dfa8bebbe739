//! A checkout, a home, a directory for temporary files, and an environment that holds nothing a test did not put there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::runner_fixture::Fixture;
use super::{Engine, Finished, Registry, Testbed, unique};

/// When every commit of a sandbox is made: 2024-05-17T10:11:12Z.
pub(crate) const COMMIT_TIME: i64 = 1_715_940_672;
/// No run of a test takes longer, or something hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// Where a run happens, and all it can see.
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    pub(crate) testbed: Testbed,
    pub(crate) vars: BTreeMap<String, String>,
    secrets: Vec<String>,
    /// Unique to this sandbox: for names in shared registries and engines.
    pub(crate) id: String,
    engine: Option<Engine>,
}

/// A run that has begun.
pub(crate) struct Running {
    child: Child,
    readers: Option<[JoinHandle<Vec<u8>>; 2]>,
    started: Instant,
}

impl Sandbox {
    /// A laptop with an empty checkout, and nothing to build with.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sf-test-").tempdir().unwrap();
        let testbed = Testbed::get();
        let vars = [("PATH", testbed.path.clone())].map(|(k, v)| (k.to_owned(), v)).into();
        let mut sandbox =
            Self { secrets: vec![testbed.password.clone()], testbed, dir, vars, id: unique(), engine: None };
        for name in ["workspace", "home", "temp", "file_commands"] {
            fs::create_dir(sandbox.dir.path().join(name)).unwrap();
        }
        for (variable, name) in [("HOME", "home"), ("TMPDIR", "temp"), ("RUNNER_TEMP", "temp")] {
            sandbox.vars.insert(variable.to_owned(), sandbox.dir.path().join(name).to_str().unwrap().to_owned());
        }
        sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
        // The address of the repository names the builder: tests that make containers must not share one.
        sandbox.git(&["remote", "add", "origin", &format!("https://git.example.org/live/{}.git", sandbox.id)]);
        sandbox
    }

    /// A runner as a fixture describes it, its paths moved here, its commit that of the checkout.
    pub(crate) fn on(mut self, fixture: &str) -> Self {
        let head = self.git(&["rev-parse", "HEAD"]);
        let placed = Fixture::load(fixture).placed(self.dir.path());
        for (name, value) in placed.vars {
            let value = match name.as_str() {
                "PATH" => continue,
                "GITHUB_SHA" | "FORGEJO_SHA" | "CI_COMMIT_SHA" => head.clone(),
                _ => value,
            };
            self.vars.insert(name, value);
        }
        // The forge of a fixture is not there; tests of what is written to it have one of their own.
        self.vars.insert("STAGEFREIGHT_REPORT".to_owned(), "off".to_owned());
        self
    }

    /// Builds with the testbed's BuildKit daemon.
    pub(crate) fn buildkitd(self) -> Self {
        let (host, certs) = (self.testbed.buildkit_host.clone(), self.testbed.buildkit_certs.clone());
        self.var("BUILDKIT_HOST", &host).var("BUILDKIT_CERT_PATH", certs.to_str().unwrap())
    }

    /// Has the testbed's docker engine with the overlay2 store.
    pub(crate) fn docker(self) -> Self {
        let host = self.testbed.docker_host.clone();
        self.engine(&host)
    }

    /// Has the testbed's docker engine with the containerd image store.
    pub(crate) fn containerd(self) -> Self {
        let host = self.testbed.docker_host_containerd.clone();
        self.engine(&host)
    }

    fn engine(mut self, host: &str) -> Self {
        self.engine = Some(Engine::new(host));
        self.var("DOCKER_HOST", host)
    }

    /// The engine of this sandbox.
    pub(crate) fn the_engine(&self) -> &Engine {
        self.engine.as_ref().expect("a sandbox with an engine")
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.vars.remove(name);
        self
    }

    /// A variable whose value may appear nowhere afterwards.
    pub(crate) fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.push(value.to_owned());
        self.var(name, value)
    }

    /// Another text that may appear nowhere afterwards.
    pub(crate) fn hidden(mut self, value: &str) -> Self {
        self.secrets.push(value.to_owned());
        self
    }

    /// Writes a file of the checkout and commits it.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self.commit(&format!("Add {path}"));
        self
    }

    /// The configuration file. `{registry}`, `{registry2}`, `{registry_auth}` and `{id}` are filled in.
    pub(crate) fn config(self, yaml: &str) -> Self {
        let text = self.fill(yaml);
        self.file(".stagefreight.yml", &text)
    }

    /// Fills in the addresses of the testbed and the sandbox's own id.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{registry}", &self.testbed.registry)
            .replace("{registry2}", &self.testbed.registry2)
            .replace("{registry_auth}", &self.testbed.registry_auth)
            .replace("{buildkit_image}", &self.testbed.buildkit_image)
            .replace("{id}", &self.id)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.workspace().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Runs git in the checkout, every commit at the same moment by the same person.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let when = format!("{COMMIT_TIME} +0000");
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(self.workspace())
            .env_clear()
            .env("PATH", &self.testbed.path)
            .env("GIT_AUTHOR_DATE", &when)
            .env("GIT_COMMITTER_DATE", &when)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.dir.path().join("workspace")
    }

    pub(crate) fn temp(&self) -> PathBuf {
        self.dir.path().join("temp")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The testbed's first registry.
    pub(crate) fn registry(&self) -> Registry {
        Registry::new(&self.testbed.registry)
    }

    /// The testbed's second registry.
    pub(crate) fn registry2(&self) -> Registry {
        Registry::new(&self.testbed.registry2)
    }

    /// The testbed's registry with a password, entered with the right one.
    pub(crate) fn registry_auth(&self) -> Registry {
        Registry::new(&self.testbed.registry_auth).login(&self.testbed.user, &self.testbed.password)
    }

    /// Runs the program to its end, which must come within the limit.
    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        self.start(args).wait(LIMIT)
    }

    /// Starts the program.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_with(&self.vars, args)
    }

    /// Starts the program with other variables.
    pub(crate) fn start_with(&self, vars: &BTreeMap<String, String>, args: &[&str]) -> Running {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("stagefreight"))
            .args(args)
            .current_dir(self.workspace())
            .env_clear()
            .envs(vars)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Running { child, readers: Some([read(stdout), read(stderr)]), started: Instant::now() }
    }

    /// A document below `.stagefreight`.
    pub(crate) fn document(&self, name: &str) -> serde_json::Value {
        let path = self.workspace().join(".stagefreight").join(name);
        let text = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&text).unwrap()
    }

    pub(crate) fn result(&self) -> serde_json::Value {
        self.document("result.json")
    }

    /// Text of a file named by a variable of the runner.
    pub(crate) fn runner_file(&self, variable: &str) -> String {
        let path = self.vars.get(variable).unwrap_or_else(|| panic!("this runner sets no {variable}"));
        fs::read_to_string(path).unwrap()
    }

    /// `GITHUB_OUTPUT` as the runner reads it.
    pub(crate) fn outputs(&self) -> BTreeMap<String, String> {
        super::outputs::github(&self.runner_file("GITHUB_OUTPUT"))
    }

    pub(crate) fn summary(&self) -> String {
        self.runner_file("GITHUB_STEP_SUMMARY")
    }

    /// Every file of the sandbox with its size and a hash of its bytes: to see that nothing was touched.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(self.dir.path()).into_iter().map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect()
    }

    /// Nothing of a finished run is left where it does not belong, and no secret anywhere.
    pub(crate) fn assert_clean(&self) {
        let left: Vec<_> = files(&self.temp());
        assert!(left.is_empty(), "left in the temporary directory: {left:?}");
        let home: Vec<_> = files(&self.home());
        assert!(home.is_empty(), "written into HOME: {home:?}");
        self.assert_no_secret();
        if let Some(engine) = &self.engine {
            engine.assert_nothing_parked();
        }
    }

    /// No secret in any file but those the test put it into itself.
    pub(crate) fn assert_no_secret(&self) {
        for path in files(self.dir.path()) {
            let bytes = fs::read(&path).unwrap_or_default();
            for secret in &self.secrets {
                assert!(!contains(&bytes, secret), "a secret stands in {}", path.display());
            }
        }
    }

    /// No secret in what a run printed.
    pub(crate) fn assert_silent(&self, run: &Finished) {
        for secret in &self.secrets {
            for text in [&run.stdout, &run.stderr] {
                assert!(!text.contains(secret.as_str()), "a secret was printed:\n{text}");
            }
        }
    }

    /// Both, for the usual end of a test.
    pub(crate) fn assert_tidy(&self, run: &Finished) {
        self.assert_silent(run);
        self.assert_clean();
    }

    /// The container of this sandbox's builder, as recorded.
    pub(crate) fn builder_container(&self) -> String {
        let record = self.document("runtime/docker/builder.json");
        format!("buildx_buildkit_{}0", record["name"].as_str().unwrap())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Some(engine) = &self.engine else { return };
        engine.remove_images(&self.id);
        if self.workspace().join(".stagefreight/runtime/docker/builder.json").exists() {
            engine.remove_builder(&self.builder_container());
        }
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Tells it to stop. It must be gone soon: GitHub's runner kills what still runs 7.5 s later.
    pub(crate) fn stop(self, signal: rustix::process::Signal) -> Finished {
        let told = Instant::now();
        self.signal(signal);
        let run = self.wait(Duration::from_secs(20));
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
        run
    }

    /// Waits for the end, at most so long.
    pub(crate) fn wait(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = self.started.elapsed();
        let [stdout, stderr] =
            self.readers.take().unwrap().map(|reader| String::from_utf8(reader.join().unwrap()).expect("UTF-8"));
        let status = status.unwrap_or_else(|| panic!("no end within {limit:?}\n{stdout}\n{stderr}"));
        Finished { code: status.code(), stdout, stderr, took }
    }
}

/// A test that panics leaves no run behind, and TERM lets the run clean up.
impl Drop for Running {
    fn drop(&mut self) {
        if self.readers.is_some() && matches!(self.child.try_wait(), Ok(None)) {
            self.signal(rustix::process::Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

fn read(mut pipe: impl std::io::Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// All files below a directory, those of git left out.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if entry.file_name() != ".git" {
                found.extend(files(&entry.path()));
            }
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
