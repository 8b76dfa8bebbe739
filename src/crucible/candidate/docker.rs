//! The candidate in a container of the engine that builds. Nothing is mounted but the engine's socket: paths of this machine need
//! not be paths of the engine's, so the checkout goes in and the answer comes out through the Engine API.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::freight::Freight;
use super::handover::{Answer, GUARD, Handover, RUN_ID};
use super::relay::Relay;
use super::tag::{Purpose, container, crucible_tag};
use super::{ANSWER, COMMAND, Pass, Prover, QUESTION, not_ours, stopped, taken, verification, version};
use crate::backend::sidecar::HANDED;
use crate::crucible::rebuild::Rebuilt;
use crate::engine::{Container, Engine, OwnImage, Stream};
use crate::image::Layout;
use crate::image::archive::save_archive;
use crate::image::reference::full_name;
use crate::plan::Step;
use crate::problem::{Failure, Problem};

/// Where ours lies in the container.
const HOME: &str = "/stagefreight-crucible";
/// Where the engine's socket is in the container: on no path that an image may have made a link of.
const SOCKET: &str = "/stagefreight-crucible/docker.sock";
/// The largest answer, as an archive.
const LARGEST: usize = 4 << 20;
/// How much of what the program says about itself is kept.
const SAID: usize = 64 << 10;
/// What is about this machine and no other.
const OURS: [&str; 15] = [
    "BUILDKIT_CERT_PATH",
    "BUILDKIT_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "PATH",
    "RUNNER_TEMP",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
];

/// Runs the pass. Whatever happens, no container and no image of it stays.
pub(super) async fn run(
    pass: Pass<'_>,
    handover: Handover,
    engine: &Engine,
    prover: Prover<'_>,
) -> Result<Rebuilt, Failure> {
    let image = crucible_tag(Purpose::Candidate, pass.run_id);
    let worker = container(Purpose::Pass, pass.run_id);
    let done = work(pass, handover, engine, prover, &image, &worker).await;
    engine.remove(&worker).await;
    engine.untag(&image).await;
    done
}

async fn work(
    pass: Pass<'_>,
    handover: Handover,
    engine: &Engine,
    prover: Prover<'_>,
    image: &str,
    worker: &str,
) -> Result<Rebuilt, Failure> {
    let alone = alone(pass, &pass.shop.run.scratch(&format!("candidate-{}", pass.run_id)))?;
    let names = [full_name(image)];
    unless_stopped(pass, engine.load_image(move |sink| save_archive(&alone, &names, sink))).await?;
    let program = &pass.program.path;
    let question = Container {
        name: container(Purpose::Version, pass.run_id),
        image: image.to_owned(),
        program: program.clone(),
        args: QUESTION.map(str::to_owned).to_vec(),
        ..Container::default()
    };
    let answered = ask(pass, engine, &question).await;
    // Not at the end: little time is left there after a signal.
    engine.remove(&question.name).await;
    answered?;
    let (handover, reach, freight) = packed(pass, handover, engine, prover).await;
    let container = pass_container(worker, image, program, pass.run_id, &handover.root, reach);
    engine.create(&container).await.map_err(verification)?;
    unless_stopped(pass, engine.upload(worker, move |sink| freight.write(sink))).await?;
    let mut relay = Relay::new(pass.shop.events);
    let ended = unless_stopped(pass, engine.run_to_end(worker, async |_, piece| relay.push(piece).await)).await;
    relay.finish().await;
    let code = ended?;
    let answer = unless_stopped(pass, engine.download(worker, &format!("{HOME}/result.json"), LARGEST)).await?;
    let none = || Problem::new("it left no result");
    let answer = answer.ok_or_else(none).and_then(|archive| Answer::parse(&only_file(&archive), pass.run_id));
    taken(answer, pass, &format!("exit code {code}"))
}

/// What may take long ends with a signal. What is short does not: a container that is being made could not be removed yet.
async fn unless_stopped<T>(pass: Pass<'_>, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done.map_err(verification),
        () = pass.shop.cancel.cancelled() => Err(stopped()),
    }
}

/// The image of one platform, as a layout of its own that shares the blobs.
fn alone(pass: Pass<'_>, dir: &Path) -> Result<Layout, Failure> {
    let write = || {
        std::fs::create_dir_all(dir)?;
        let blobs = std::path::absolute(pass.layout.dir())?.join("blobs");
        std::os::unix::fs::symlink(blobs, dir.join("blobs"))?;
        std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": [pass.program.manifest] });
        std::fs::write(dir.join("index.json"), index.to_string())
    };
    write().map_err(|e| verification(Problem::new(format!("the candidate cannot be handed over: {e}"))))?;
    Layout::open(dir).map_err(|e| verification(e.problem()))
}

/// Asks the program what it is: before it is given anything, in a container without network.
async fn ask(pass: Pass<'_>, engine: &Engine, question: &Container) -> Result<(), Failure> {
    engine.create(question).await.map_err(verification)?;
    let mut said = Vec::new();
    let run = engine.run_to_end(&question.name, async |stream, piece| {
        if stream == Stream::Out && said.len() < SAID {
            said.extend_from_slice(piece);
        }
    });
    let answered = match unless_stopped(pass, async { Ok(tokio::time::timeout(ANSWER, run).await) }).await? {
        Err(_) => format!("nothing within {} s", ANSWER.as_secs()),
        Ok(Err(problem)) => format!("nothing: {}", problem.what),
        Ok(Ok(0)) => match version(&said) {
            Ok(version) => {
                let says = format!("the candidate is stagefreight {version}; it runs the second pass in a container");
                pass.shop.events.info(says).await;
                return Ok(());
            }
            Err(answered) => answered,
        },
        Ok(Ok(code)) => format!("with exit code {code}"),
    };
    Err(not_ours(pass.build, &pass.program.path, &answered))
}

/// How a container reaches its engine.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reach {
    vars: BTreeMap<String, String>,
    binds: Vec<(String, String)>,
    hosts: Vec<String>,
}

/// The handover as it reads in the container, how that reaches the engine, and everything that goes in.
async fn packed(
    pass: Pass<'_>,
    mut handover: Handover,
    engine: &Engine,
    prover: Prover<'_>,
) -> (Handover, Reach, Freight) {
    let address = &engine.address;
    let host = match address.host.strip_prefix("unix://") {
        // Where we run in a container ourselves, the socket lies elsewhere on the engine's machine.
        Some(socket) => format!("unix://{}", engine.outside(socket).await),
        None => address.host.clone(),
    };
    let reach = reach(&host, address.certs.is_some(), resolved(&host).await.as_deref());
    let mut freight = Freight { trees: trees(&handover), ..Freight::default() };
    let step = prover.plan.steps.iter().find(|step| step.id == pass.build);
    for file in beside(&handover, prover, step).into_iter().filter(|file| file.is_file()) {
        freight.files.insert(file.clone(), file);
    }
    if let Some(dir) = &address.certs {
        let files = ["ca.pem", "cert.pem", "key.pem"].map(|name| (Path::new(HOME).join(name), dir.join(name)));
        freight.files.extend(files);
    }
    handover.vars.retain(|name, _| !OURS.contains(&name.as_str()));
    handover.vars.extend(reach.vars.clone());
    // The candidate's container is another one than ours; its BuildKit must be the same.
    let own = pass.shop.builder.own.as_ref().map(OwnImage::word).unwrap_or_default();
    handover.vars.insert(HANDED.to_owned(), own);
    freight.documents.insert(Path::new(HOME).join("handover.json"), handover.to_bytes());
    (handover, reach, freight)
}

/// Over its socket, or over the network of its machine. A name is resolved here: the container may ask others for names.
fn reach(host: &str, tls: bool, address: Option<&str>) -> Reach {
    let var = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    if let Some(socket) = host.strip_prefix("unix://") {
        let vars = [var("DOCKER_HOST", &format!("unix://{SOCKET}"))].into();
        return Reach { vars, binds: vec![(socket.to_owned(), SOCKET.to_owned())], hosts: Vec::new() };
    }
    let mut vars: BTreeMap<_, _> = [var("DOCKER_HOST", host)].into();
    if tls {
        vars.extend([var("DOCKER_TLS_VERIFY", "1"), var("DOCKER_CERT_PATH", HOME)]);
    }
    let name = name_of(host).filter(|name| *name != "localhost" && name.parse::<std::net::IpAddr>().is_err());
    let hosts = name.zip(address).map(|(name, address)| format!("{name}:{address}"));
    Reach { vars, binds: Vec::new(), hosts: hosts.into_iter().collect() }
}

/// The host of `tcp://host:port`.
fn name_of(host: &str) -> Option<&str> {
    let rest = host.split_once("://").map_or(host, |(_, rest)| rest);
    rest.rsplit_once(':').map(|(name, _)| name.trim_matches(['[', ']']))
}

async fn resolved(host: &str) -> Option<String> {
    let name = name_of(host).filter(|_| !host.starts_with("unix://"))?;
    let found = tokio::net::lookup_host((name, 0)).await.ok()?.next()?;
    Some(found.ip().to_string())
}

/// Directories the pass reads: the checkout, and layouts of other builds.
fn trees(handover: &Handover) -> Vec<PathBuf> {
    let layouts = handover.order.dependencies.iter().filter_map(|(_, value)| {
        let path = value.strip_prefix("oci-layout://")?;
        Some(PathBuf::from(path.rsplit_once('@').map_or(path, |(path, _)| path)))
    });
    let layouts = layouts.filter(|dir| dir.is_absolute() && !dir.starts_with(&handover.root));
    std::iter::once(handover.root.clone()).chain(layouts).collect()
}

/// Files the pass reads that do not lie in the checkout.
fn beside(handover: &Handover, prover: Prover<'_>, step: Option<&Step>) -> Vec<PathBuf> {
    let config = &prover.request.config;
    let authorities = config.registries.values().filter_map(|r| r.ca.as_deref()).chain(config.network.ca.as_deref());
    let secrets = step.into_iter().flat_map(|step| &step.secrets).filter_map(|spec| {
        let source =
            |field: &str| ["src=", "source="].iter().find_map(|key| field.strip_prefix(key).map(str::to_owned));
        spec.split(',').find_map(|field| source(field.trim_matches('"')))
    });
    let event = handover.vars.get("GITHUB_EVENT_PATH").cloned();
    let dockerfile = step.map(|step| step.dockerfile.clone());
    let named = authorities.map(str::to_owned).chain(secrets).chain(event).chain(dockerfile);
    let files = named.map(|path| handover.root.join(path));
    files.filter(|path| path.is_absolute() && !path.starts_with(&handover.root)).collect()
}

/// The container of the pass. Its environment says only what it is.
fn pass_container(name: &str, image: &str, program: &str, run_id: &str, root: &Path, reach: Reach) -> Container {
    let file = |name: &str| format!("{HOME}/{name}");
    Container {
        name: name.to_owned(),
        image: image.to_owned(),
        program: program.to_owned(),
        args: vec![
            COMMAND.to_owned(),
            "--handover".to_owned(),
            file("handover.json"),
            "--result".to_owned(),
            file("result.json"),
        ],
        env: vec![format!("{GUARD}=1"), format!("{RUN_ID}={run_id}")],
        cwd: root.display().to_string(),
        host_network: true,
        binds: reach.binds,
        hosts: reach.hosts,
    }
}

/// The one file of an archive; nothing where there is none.
fn only_file(archive: &[u8]) -> Vec<u8> {
    let read = || -> Option<Vec<u8>> {
        let mut tar = tar::Archive::new(archive);
        let entry = tar.entries().ok()?.filter_map(Result::ok).find(|entry| entry.header().entry_type().is_file())?;
        let mut bytes = Vec::new();
        entry.take(LARGEST as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_reaches_its_engine_by_socket_or_by_network() {
        let by_socket = reach("unix:///run/d.sock", false, None);
        assert_eq!(by_socket.vars["DOCKER_HOST"], "unix:///stagefreight-crucible/docker.sock");
        assert_eq!(
            (by_socket.binds, by_socket.hosts),
            (vec![("/run/d.sock".to_owned(), SOCKET.to_owned())], Vec::new())
        );
        let by_name = reach("tcp://docker:2376", true, Some("172.17.0.2"));
        assert_eq!((by_name.vars.len(), by_name.vars["DOCKER_CERT_PATH"].as_str()), (3, HOME));
        assert_eq!((by_name.binds, by_name.hosts), (Vec::new(), vec!["docker:172.17.0.2".to_owned()]));
        for host in ["tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375"] {
            assert_eq!(reach(host, false, Some("127.0.0.1")).hosts, [""; 0], "{host}");
        }
    }

    #[test]
    fn the_container_is_called_with_two_files_and_told_nothing_else() {
        let reach = reach("unix:///s", false, None);
        let container =
            pass_container("n", "i", "/usr/local/bin/stagefreight", "0123456789ab", Path::new("/work"), reach);
        let (home, path) = ("/stagefreight-crucible", |name: &str| format!("/stagefreight-crucible/{name}"));
        assert!(path("").starts_with(home));
        assert_eq!(
            container.args,
            ["crucible-pass", "--handover", &path("handover.json"), "--result", &path("result.json")]
        );
        assert_eq!(container.env, ["STAGEFREIGHT_CRUCIBLE=1", "STAGEFREIGHT_CRUCIBLE_RUN_ID=0123456789ab"]);
        assert_eq!((container.cwd.as_str(), container.host_network), ("/work", true));
    }

    #[test]
    fn an_answer_that_is_no_archive_is_no_answer() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        tar.append_data(&mut header, "result.json", &b"{}"[..]).unwrap();
        let archive = tar.into_inner().unwrap();
        assert_eq!(only_file(&archive), b"{}");
        assert_eq!(only_file(&archive[..512]), b"");
        assert_eq!(only_file(b"{}"), b"");
    }
}
