//! The docker engine, through its HTTP API: is it there, what can it do, and the image out of it. No docker CLI, no builds.

mod container;
mod daemon;
mod own;
mod sidecar;

pub use container::{Container, Stream};
pub use daemon::Found;
pub use own::OwnImage;
pub use sidecar::{CONFIG, Sidecar};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bollard::{API_DEFAULT_VERSION, Docker};
use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use crate::environment::Vars;
use crate::problem::Problem;

/// Where engines listen when nobody says otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// What a directory of client certificates holds.
const CERTIFICATES: [&str; 3] = ["key.pem", "cert.pem", "ca.pem"];
/// How long one try may take, where another follows or nothing hangs on it.
const PROBE: Duration = Duration::from_secs(5);
/// How long docker-in-docker may take to make its certificates and to listen: it starts beside the job.
const COMING_UP: Duration = Duration::from_secs(20);
/// How long an engine that takes connections may take to say what it is, and whether it runs us: one that starts reads everything it has in
/// between, and one with much to do answers late.
const ANSWER: Duration = Duration::from_secs(20);
/// How long a single request may take to be answered, and how long an answer may pause: an engine writes a large image down
/// before it sends the first byte of it.
const REQUEST: Duration = Duration::from_secs(600);

/// How much of an image is on its way into an engine at a time.
const PIPE: usize = 256 << 10;

/// Where an engine listens, and with which certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `unix:///…` or `tcp://host:port`.
    pub host: String,
    /// Directory with `ca.pem`, `cert.pem`, `key.pem`, for TLS.
    pub certs: Option<PathBuf>,
    /// Somebody named it, so its absence is a mistake.
    pub explicit: bool,
}

/// An engine that answered.
#[derive(Clone)]
pub struct Engine {
    /// Where.
    pub address: Address,
    /// Its version.
    pub version: String,
    /// `os/arch` of its machine.
    pub platform: String,
    /// It keeps images in containerd's store rather than in a graph driver.
    pub containerd_store: bool,
    client: Docker,
}

impl Address {
    /// A service of the job, as docker-in-docker is on GitLab: named, on another host, with certificates that it makes itself.
    fn is_beside_the_job(&self) -> bool {
        let here = ["localhost", "127.0.0.1", "[::1]"];
        let host = self.host.strip_prefix("tcp://").and_then(|host| host.rsplit_once(':')).map(|(host, _)| host);
        self.explicit && self.certs.is_some() && host.is_some_and(|host| !here.contains(&host))
    }

    /// Its certificates are there and something takes connections.
    async fn listens(&self) -> bool {
        let Some(host) = self.host.strip_prefix("tcp://") else { return true };
        let certificates = self.certs.iter().flat_map(|dir| CERTIFICATES.map(|name| dir.join(name)));
        if !certificates.into_iter().all(|file| file.exists()) {
            return false;
        }
        let connection = tokio::net::TcpStream::connect(host);
        matches!(tokio::time::timeout(Duration::from_secs(1), connection).await, Ok(Ok(_)))
    }
}

/// The address the environment names (`DOCKER_HOST`, `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`; docker/cli
/// docs/reference/commandline/docker.md), or the usual socket.
pub fn address(vars: &Vars) -> Address {
    let tls = vars.get("DOCKER_TLS_VERIFY").is_some() || vars.get("DOCKER_TLS").is_some();
    match vars.get("DOCKER_HOST") {
        Some(host) => {
            let certs = tls.then(|| match vars.get("DOCKER_CERT_PATH") {
                Some(path) => PathBuf::from(path),
                None => PathBuf::from(vars.get("HOME").unwrap_or("/root")).join(".docker"),
            });
            Address { host: host.to_owned(), certs, explicit: true }
        }
        None => Address { host: format!("unix://{DEFAULT_SOCKET}"), certs: None, explicit: false },
    }
}

/// Connects and asks what it is. `Ok(None)` when nobody named an engine and there is none. An engine that may still be coming
/// up is waited for.
///
/// # Errors
/// When a named engine, or one whose socket exists, gives no answer.
pub async fn connect(address: &Address) -> Result<Option<Engine>, Problem> {
    let until = Instant::now() + COMING_UP;
    while address.is_beside_the_job() && Instant::now() < until && !address.listens().await {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let socket = address.host.strip_prefix("unix://");
    if !address.explicit && !socket.is_some_and(|path| Path::new(path).exists()) {
        return Ok(None);
    }
    for file in address.certs.iter().flat_map(|dir| CERTIFICATES.map(|name| dir.join(name))) {
        if let Err(error) = std::fs::File::open(&file) {
            return Err(unreachable(address, &format!("{}: {error}", file.display())));
        }
    }
    match tokio::time::timeout(ANSWER, probe(address)).await {
        Ok(Ok(engine)) => Ok(Some(engine)),
        Ok(Err(error)) => Err(unreachable(address, &innermost(&error))),
        Err(_) => Err(unreachable(address, &format!("no answer within {} s", ANSWER.as_secs()))),
    }
}

fn unreachable(address: &Address, why: &str) -> Problem {
    let hint = if why.contains("ermission denied") {
        "let this user read and write the socket (group docker), or set DOCKER_HOST to another engine"
    } else if address.is_beside_the_job() {
        "check DOCKER_HOST, and that DOCKER_CERT_PATH holds ca.pem, cert.pem and key.pem of that engine; docker-in-docker as a service of the job needs a runner with `privileged = true` and `volumes = [\"/certs/client\"]`"
    } else if address.certs.is_some() {
        "check DOCKER_HOST, and that DOCKER_CERT_PATH holds ca.pem, cert.pem and key.pem of that engine"
    } else {
        "start the engine, set DOCKER_HOST to where it listens, or use a BuildKit daemon with BUILDKIT_HOST"
    };
    Problem::new(format!("the docker engine at {} cannot be used: {}", address.host, first_line(why))).hint(hint)
}

/// The client's own words say only that it failed; why stands at the end of the chain.
fn innermost(error: &bollard::errors::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    // An `io::Error` does not count what it wraps among its sources.
    let inner = last.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inner.map_or_else(|| last.to_string(), ToString::to_string)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

async fn probe(address: &Address) -> Result<Engine, bollard::errors::Error> {
    let limit = REQUEST.as_secs();
    let client = match (&address.certs, address.host.strip_prefix("unix://")) {
        (_, Some(path)) => Docker::connect_with_unix(path, limit, API_DEFAULT_VERSION)?,
        (Some(certs), None) => {
            // The client takes whichever TLS there is in the process; the second to say so changes nothing.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let [key, cert, ca] = CERTIFICATES.map(|file| certs.join(file));
            Docker::connect_with_ssl(&address.host, &key, &cert, &ca, limit, API_DEFAULT_VERSION)?
        }
        (None, None) => Docker::connect_with_http(&address.host, limit, API_DEFAULT_VERSION)?,
    };
    let client = client.negotiate_version().await?;
    let info = client.info().await?;
    let containerd_store = info
        .driver_status
        .unwrap_or_default()
        .iter()
        .any(|pair| pair.iter().any(|text| text == "io.containerd.snapshotter.v1"));
    let os = info.os_type.unwrap_or_else(|| "linux".to_owned());
    let arch = match info.architecture.as_deref() {
        Some("x86_64") => "amd64",
        Some("aarch64") => "arm64",
        Some(other) => other,
        None => "unknown",
    };
    Ok(Engine {
        address: address.clone(),
        version: info.server_version.unwrap_or_default(),
        platform: format!("{os}/{arch}"),
        containerd_store,
        client,
    })
}

impl Engine {
    /// Streams an image out of the engine (`docker save`) into a file.
    ///
    /// # Errors
    /// When the engine or the disk gives up.
    pub async fn export_image(&self, name: &str, to: &Path) -> Result<(), Problem> {
        let failed = |why: &str| {
            Problem::new(format!("the image {name} cannot be exported from the docker engine: {}", first_line(why)))
                .hint("check the engine and the space left on the disk for temporary files")
        };
        let mut file = tokio::fs::File::create(to).await.map_err(|e| failed(&e.to_string()))?;
        let mut stream = std::pin::pin!(self.client.export_image(name));
        loop {
            let next = tokio::time::timeout(REQUEST, stream.try_next()).await;
            let next = next.map_err(|_| failed(&format!("it sent nothing for {} s", REQUEST.as_secs())))?;
            let Some(chunk) = next.map_err(|e| failed(&e.to_string()))? else { break };
            file.write_all(&chunk).await.map_err(|e| failed(&e.to_string()))?;
        }
        file.flush().await.map_err(|e| failed(&e.to_string()))
    }

    /// Loads an image archive (`docker load`), streaming: `write` writes it, on a thread of its own.
    ///
    /// # Errors
    /// When the archive cannot be written, or the engine does not take it.
    pub async fn load_image<E: std::fmt::Display + Send + 'static>(
        &self,
        write: impl FnOnce(&mut dyn std::io::Write) -> Result<(), E> + Send + 'static,
    ) -> Result<(), Problem> {
        let failed = |why: &str| {
            Problem::new(format!("the image cannot be loaded into the docker engine: {}", first_line(why)))
                .hint("check the engine and the space it has left for images")
        };
        let (writer, body) = piped(write);
        let options = bollard::query_parameters::ImportImageOptions::default();
        let mut answers = std::pin::pin!(self.client.import_image(options, bollard::body_try_stream(body), None));
        let taken = async {
            loop {
                let next = tokio::time::timeout(REQUEST, answers.try_next()).await;
                match next.map_err(|_| format!("it said nothing for {} s", REQUEST.as_secs()))? {
                    Err(error) => return Err(innermost(&error)),
                    Ok(None) => return Ok(()),
                    Ok(Some(_)) => {}
                }
            }
        };
        let (taken, written) = (taken.await, writer.await);
        // An engine that refuses breaks the pipe: its reason is the better one.
        taken.map_err(|why| failed(&why))?;
        written.map_err(|e| failed(&e.to_string()))?.map_err(|why| failed(&why))
    }

    /// Removes a name of an image, without force. Absent is fine.
    pub async fn untag(&self, name: &str) {
        // Best effort: the name is ours and temporary.
        let _ = tokio::time::timeout(
            PROBE,
            self.client.remove_image(name, None::<bollard::query_parameters::RemoveImageOptions>, None),
        )
        .await;
    }
}

/// The body of a request, which `write` writes on a thread of its own, and how that ended.
fn piped<E: std::fmt::Display + Send + 'static>(
    write: impl FnOnce(&mut dyn std::io::Write) -> Result<(), E> + Send + 'static,
) -> (tokio::task::JoinHandle<Result<(), String>>, ReaderStream<tokio::io::DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let mut sink = tokio_util::io::SyncIoBridge::new(ours);
    let writer = tokio::task::spawn_blocking(move || {
        let written = write(&mut sink).map_err(|e| e.to_string());
        // The engine waits for the end.
        sink.shutdown().map_err(|e| e.to_string()).and(written)
    });
    (writer, ReaderStream::with_capacity(theirs, PIPE))
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("address", &self.address).field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Vars {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_address_comes_from_dockers_own_variables() {
        let usual = address(&vars(&[]));
        assert_eq!((usual.host.as_str(), usual.explicit), ("unix:///var/run/docker.sock", false));
        let tls = address(&vars(&[
            ("DOCKER_HOST", "tcp://docker:2376"),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", "/certs/client"),
        ]));
        assert_eq!(tls.certs.as_deref(), Some(Path::new("/certs/client")));
        assert_eq!(address(&vars(&[("DOCKER_HOST", "tcp://localhost:2375")])).certs, None);
    }

    #[tokio::test]
    async fn an_engine_that_starts_beside_the_job_is_waited_for() {
        let certs = tempfile::tempdir().unwrap();
        // Not one of the names of this machine, and yet here.
        let listener = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let service = address(&vars(&[
            ("DOCKER_HOST", &format!("tcp://127.0.0.2:{port}")),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", certs.path().to_str().unwrap()),
        ]));
        assert!(service.is_beside_the_job());
        let here = Address { host: format!("tcp://127.0.0.1:{port}"), ..service.clone() };
        let plain = Address { certs: None, ..service.clone() };
        assert!(!here.is_beside_the_job() && !plain.is_beside_the_job());
        let asked = Instant::now();
        let starts = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            for name in CERTIFICATES {
                std::fs::write(certs.path().join(name), "no certificate").unwrap();
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            tokio::net::TcpListener::bind(("127.0.0.2", port)).await.unwrap()
        };
        let (found, _listening) = tokio::join!(connect(&service), starts);
        // It was waited for, and then tried: what it shows is no certificate.
        assert!(asked.elapsed() >= Duration::from_millis(600), "{:?}", asked.elapsed());
        assert!(found.unwrap_err().what.contains(&service.host));
    }

    #[test]
    fn a_service_that_is_not_there_is_told_what_it_needs_of_the_runner() {
        let service = address(&vars(&[("DOCKER_HOST", "tcp://docker:2376"), ("DOCKER_TLS_VERIFY", "1")]));
        let here = Address { host: "tcp://localhost:2376".to_owned(), ..service.clone() };
        let hint = |address| unreachable(address, "/certs/client/key.pem: No such file or directory").hint.unwrap();
        assert!(
            hint(&service).contains("`privileged = true` and `volumes = [\"/certs/client\"]`"),
            "{}",
            hint(&service)
        );
        assert!(hint(&here).contains("DOCKER_CERT_PATH") && !hint(&here).contains("privileged"), "{}", hint(&here));
    }

    #[tokio::test]
    async fn absence_is_an_error_only_for_a_named_engine() {
        let named = address(&vars(&[("DOCKER_HOST", "unix:///no/such.sock")]));
        let problem = connect(&named).await.unwrap_err();
        assert!(problem.what.contains("unix:///no/such.sock") && problem.hint.is_some(), "{problem:?}");
        let nobody = Address { explicit: false, ..named };
        assert!(connect(&nobody).await.unwrap().is_none());
    }
}
