//! Components of a test's own: for those that take them away, break them, or need other settings.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{Registry, Testbed, unique};

/// A BuildKit daemon of this test's own, with the testbed's certificates.
pub(crate) struct PrivateBuildkitd {
    name: String,
    pub(crate) host: String,
    pid: i32,
}

impl PrivateBuildkitd {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more environment.
    pub(crate) fn start_with(vars: &[(&str, &str)]) -> Self {
        let name = format!("t{}", unique());
        let said = Testbed::script_with(&["buildkitd", "start", &name], vars);
        let get = |key: &str| said.iter().find(|(k, _)| k == key).unwrap().1.clone();
        Self { host: get("BUILDKIT_HOST"), pid: get("BUILDKITD_PID").parse().unwrap(), name }
    }

    /// As a machine dies: no goodbye.
    pub(crate) fn kill(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

impl Drop for PrivateBuildkitd {
    fn drop(&mut self) {
        Testbed::script(&["buildkitd", "stop", &self.name]);
    }
}

/// A registry of this test's own, with the users it is told.
pub(crate) struct PrivateRegistry {
    child: Child,
    dir: tempfile::TempDir,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) host: String,
}

impl PrivateRegistry {
    pub(crate) fn start(users: &[(&str, &str)]) -> Self {
        Self::serve(users, true)
    }

    /// One that deletes nothing, which is how it comes out of the box.
    pub(crate) fn without_deletes() -> Self {
        Self::serve(&[], false)
    }

    fn serve(users: &[(&str, &str)], deletes: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yml");
        std::fs::write(&config, settings(dir.path(), users, deletes)).unwrap();
        // `timeout`, so that a test that is killed leaves no registry for long.
        let mut child = Command::new("timeout")
            .args(["1800", "docker-registry", "serve"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let rest = line.split_once("listening on ")?.1;
            Some(rest.split(|c: char| c == '"' || c.is_whitespace()).next().unwrap().to_owned())
        });
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        std::thread::spawn(move || lines.for_each(|line| sink.lock().unwrap().push(line.unwrap_or_default())));
        let port = address.expect("the registry tells its address").rsplit_once(':').unwrap().1.to_owned();
        Self { child, dir, log, host: format!("localhost:{port}") }
    }

    /// Whether this user was let into this repository.
    pub(crate) fn has_seen(&self, user: &str, repository: &str) -> bool {
        let (user, repository) = (format!("auth.user.name={user} "), format!("vars.name={repository}"));
        self.log.lock().unwrap().iter().any(|line| line.contains(&user) && line.contains(&repository))
    }

    /// Files of uploads that were opened and neither finished nor cancelled, as its storage has them.
    pub(crate) fn open_uploads(&self) -> Vec<PathBuf> {
        fn below(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    below(&entry.path(), found);
                } else if entry.path().components().any(|part| part.as_os_str() == "_uploads") {
                    found.push(entry.path());
                }
            }
        }
        let mut found = Vec::new();
        below(self.dir.path(), &mut found);
        found
    }

    pub(crate) fn as_user(&self, user: &str, password: &str) -> Registry {
        Registry::new(&self.host).login(user, password)
    }
}

impl Drop for PrivateRegistry {
    fn drop(&mut self) {
        // TERM reaches the registry through `timeout`; KILL would leave it an orphan.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn settings(dir: &Path, users: &[(&str, &str)], deletes: bool) -> String {
    let storage = dir.join("data");
    let auth = if users.is_empty() {
        String::new()
    } else {
        let file = htpasswd(dir, users);
        format!("auth: {{htpasswd: {{realm: private, path: '{}'}}}}\n", file.display())
    };
    format!(
        "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: '{}'}}\n  \
         delete: {{enabled: {deletes}}}\nhttp: {{addr: '127.0.0.1:0', secret: x, relativeurls: true}}\n{auth}",
        storage.display()
    )
}

fn htpasswd(dir: &Path, users: &[(&str, &str)]) -> PathBuf {
    let file = dir.join("htpasswd");
    let script = r#"while (@ARGV) { my ($u, $p) = (shift, shift); print "$u:", crypt($p, "\$2y\$05\$abcdefghabcdefghabcdee"), "\n" }"#;
    let mut args = vec!["-e", script];
    args.extend(users.iter().flat_map(|(user, password)| [*user, *password]));
    std::fs::write(&file, Testbed::tool("perl", &args).stdout).unwrap();
    file
}

/// A directory of client certificates, to be spoilt.
pub(crate) fn copied_certs(testbed: &Testbed, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::copy(testbed.buildkit_certs.join(file), to.join(file)).unwrap();
    }
}

/// Another CA, with a client certificate it signed: sound files that the testbed's daemon knows nothing of.
pub(crate) fn strangers_certs(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let at = |name: &str| to.join(name).to_str().unwrap().to_owned();
    let (ca, ca_key, cert, key, request) =
        (at("ca.pem"), at("ca-key.pem"), at("cert.pem"), at("key.pem"), at("request.pem"));
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let mut args = vec!["req", "-x509", "-days", "2", "-subj", "/CN=stranger", "-keyout", &ca_key, "-out", &ca];
    args.extend(ec);
    Testbed::tool("openssl", &args);
    let mut args = vec!["req", "-subj", "/CN=client", "-keyout", &key, "-out", &request];
    args.extend(["-addext", "extendedKeyUsage=clientAuth"]);
    args.extend(ec);
    Testbed::tool("openssl", &args);
    Testbed::tool(
        "openssl",
        &[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-copy_extensions",
            "copy",
            "-days",
            "2",
            "-out",
            &cert,
        ],
    );
}
