//! The buildx builder of a run: made (or taken as it is), described, and recorded in `builder.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use semver::Version;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Backend, Daemon, Kind, daemon_config, rootless, sidecar, unreached};
use crate::buildx::argv::{self, ContainerOptions};
use crate::buildx::inspect::parse_inspect;
use crate::buildx::tool::Buildx;
use crate::config::model::{Network, RegistrySettings};
use crate::engine::{Engine, OwnImage};
use crate::environment::Vars;
use crate::http::{self, ProxySettings};
use crate::image::reference::is_loopback;
use crate::outcome::BuilderFacts;
use crate::plan::BuilderPlan;
use crate::problem::{Failure, FailureKind, Problem};
use crate::rundir::RunDir;

/// The builder the docker CLI calls the engine's own BuildKit by.
const ENGINES_OWN: &str = "default";

/// The variable by which a container of a fixed name tells what it was made with.
const SETTINGS: &str = "STAGEFREIGHT_SETTINGS";

/// How buildx drives BuildKit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// A daemon over the network or a socket.
    Remote,
    /// A BuildKit container on a docker engine.
    Container,
    /// The engine's own BuildKit, which can neither push by digest nor write OCI layouts.
    Engine,
    /// A builder the user made; what it can do is the user's business.
    Existing,
}

/// A builder, ready to build.
#[derive(Debug, Clone)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// How it is driven.
    pub driver: Driver,
    /// Our own image, where its container is made of that.
    pub own: Option<OwnImage>,
    /// The daemon, where it is our child.
    pub daemon: Option<Daemon>,
    /// What a person should know: settings that do not reach it.
    pub notes: Vec<Problem>,
    /// What is known before asking it.
    facts: BuilderFacts,
    /// When we began to prepare it.
    started: Instant,
}

/// What the builder needs to know of the network.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Registries with special settings.
    pub registries: &'a BTreeMap<String, RegistrySettings>,
    /// The corporate CA.
    pub network: &'a Network,
    /// Proxies, from the configuration or the environment.
    pub proxy: &'a ProxySettings,
    /// Registries this run talks to.
    pub hosts: &'a BTreeSet<String>,
    /// Those of them it pulls from.
    pub pulls: &'a BTreeSet<String>,
    /// What is in the CA files.
    pub certificates: &'a [&'a [u8]],
    /// Root that CA paths are relative to.
    pub root: &'a Path,
}

/// Makes the builder. A daemon is not asked again (the first build is), a new container is started: half a builder is removed
/// rather than left.
///
/// # Errors
/// When buildx or the engine refuses.
pub async fn prepare(
    backend: &Backend,
    wanted: &BuilderPlan,
    around: Surroundings<'_>,
    vars: &Vars,
    buildx: &Buildx,
    run: &RunDir,
    cancel: &CancellationToken,
) -> Result<Builder, Failure> {
    let started = Instant::now();
    let mut facts = BuilderFacts { name: wanted.name.clone(), action: "created".to_owned(), ..Default::default() };
    let (mut young, mut own, mut daemon, mut notes) = (None, None, None, Vec::new());
    let (driver, create) = match (&backend.kind, &backend.engine) {
        (Kind::Existing(name), _) => {
            facts.name = name.clone();
            "used as it is".clone_into(&mut facts.action);
            (Driver::Existing, None)
        }
        (Kind::Buildkitd { endpoint, certs }, _) => {
            facts.backend = "buildkitd".to_owned();
            facts.endpoint = endpoint.url();
            (Driver::Remote, Some(argv::create_remote(&facts.name, &endpoint.url(), certs.as_ref())))
        }
        (Kind::Own(programs), _) => {
            let toml = daemon_config::toml(around.registries, around.network, around.hosts, around.root);
            let started = rootless::start(programs, toml.as_deref(), around.proxy, vars, run, cancel).await;
            let started = started.map_err(super::backend)?;
            facts.backend = "rootless".to_owned();
            "started in this job".clone_into(&mut facts.action);
            facts.endpoint = started.endpoint.url();
            notes.extend(started.notes.clone());
            daemon = Some(started);
            (Driver::Remote, Some(argv::create_remote(&facts.name, &facts.endpoint, None)))
        }
        (Kind::Docker, Some(engine)) => {
            facts.backend = "docker".to_owned();
            facts.endpoint.clone_from(&engine.address.host);
            if wanted.driver == "docker" {
                facts.name = ENGINES_OWN.to_owned();
                "used as it is".clone_into(&mut facts.action);
                (Driver::Engine, None)
            } else {
                let mut options = container_options(wanted, around, run)?;
                let context = docker_context(engine, run)?;
                // An image that the user names is the user's wish.
                own = backend.own.clone().filter(|_| options.image.is_none());
                facts.name = container_builder_name(wanted, &mut options, around, own.as_ref());
                let name = format!("buildx_buildkit_{}0", facts.name);
                let found = engine.find(&name).await.map_err(super::backend)?;
                match (&found, &own) {
                    (Some(found), _) => {
                        "reused".clone_into(&mut facts.action);
                        notes.extend(outdated(&name, &found.env, &options));
                    }
                    (None, Some(own)) => {
                        sidecar::make(engine, own, &name, &options, around).await.map_err(super::backend)?;
                        "created of this job's own image, nothing was pulled".clone_into(&mut facts.action);
                    }
                    (None, None) => {}
                }
                young = found.is_none_or(|found| !found.settled).then_some(name);
                (Driver::Container, Some(argv::create_container(&facts.name, &options, context.as_deref())))
            }
        }
        (Kind::Docker, None) => {
            return Err(Failure::new(
                FailureKind::Internal,
                Problem::new("a docker backend without an engine; please file a bug"),
            ));
        }
    };
    let young = young.as_deref().zip(backend.engine.as_ref());
    if let Some(create) = create {
        introduce(create, young, buildx, cancel).await?;
    }
    if let Some((container, engine)) = young {
        start(container, &facts.name, engine, buildx, cancel).await?;
    }
    facts.driver = match driver {
        Driver::Remote => "remote",
        Driver::Container => "docker-container",
        Driver::Engine => "docker",
        Driver::Existing => "",
    }
    .to_owned();
    // One of our own is told everything.
    if daemon.is_none() {
        notes.extend(unreached::notes(driver, &facts.endpoint, around));
    }
    Ok(Builder { name: facts.name.clone(), driver, own, daemon, notes, facts, started })
}

/// Makes the builder known to buildx, which looks at a container that runs. One that another run has just started runs before its
/// daemon answers, and buildx takes it for broken: it is told again when the daemon is there.
async fn introduce(
    create: Vec<String>,
    young: Option<(&str, &Engine)>,
    buildx: &Buildx,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let mut made = buildx.ask(create.clone(), cancel).await;
    if made.is_err()
        && let Some((container, engine)) = young
        && matches!(engine.find(container).await, Ok(Some(found)) if found.running)
    {
        wait(container, engine, cancel).await?;
        made = buildx.ask(create, cancel).await;
    }
    made.map(drop).map_err(|e| super::backend(Problem::new(format!("the builder cannot be made: {e}"))))
}

/// Starts the container of a builder, unless another run does at the same moment, and waits for its daemon.
async fn start(
    container: &str,
    builder: &str,
    engine: &Engine,
    buildx: &Buildx,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    if let Err(error) = buildx.start(builder, cancel).await {
        engine.remove_broken_container(container).await;
        let what = format!("the BuildKit container does not start: {error}");
        return Err(super::backend(Problem::new(what).hint(
            "check that the engine can pull the image of the builder (build_cache.builder.image) and may run privileged containers",
        )));
    }
    wait(container, engine, cancel).await
}

/// Waits until the daemon in a started container answers. A stopped run builds nothing, and waits for nothing.
async fn wait(container: &str, engine: &Engine, cancel: &CancellationToken) -> Result<(), Failure> {
    let waited = cancel.run_until_cancelled(engine.wait_for_buildkit(container)).await;
    waited.unwrap_or(Ok(())).map_err(super::backend)
}

impl Builder {
    /// Asks buildx about the builder, starting it if it does not run; meant to run beside the first build. What cannot be
    /// understood is kept as it was printed: a builder that builds needs no description.
    pub async fn describe(&self, buildx: &Buildx, version: &Version, cancel: &CancellationToken) -> BuilderFacts {
        let mut facts = self.facts.clone();
        facts.buildx = version.to_string();
        match buildx.ask(argv::inspect(&self.name), cancel).await {
            Ok(printed) => {
                let found = parse_inspect(&String::from_utf8_lossy(&printed.stdout));
                if self.driver == Driver::Existing {
                    facts.driver = found.driver;
                    facts.endpoint = found.endpoint;
                }
                facts.status = found.status;
                facts.buildkit = found.buildkit;
                facts.platforms = found.platforms;
                facts.gc_rules = found.gc_rules;
                facts.raw = found.raw;
            }
            Err(error) => facts.raw = Some(error.to_string()),
        }
        facts.seconds = self.started.elapsed().as_secs_f64();
        facts
    }

    /// In one line, for the log.
    pub fn headline(&self) -> String {
        let BuilderFacts { backend, endpoint, driver, action, .. } = &self.facts;
        match self.driver {
            Driver::Existing => format!("builder {}, {action}", self.name),
            _ => format!("builder {}: {backend} at {endpoint}, driver {driver}, {action}", self.name),
        }
    }
}

fn container_options(
    wanted: &BuilderPlan,
    around: Surroundings<'_>,
    run: &RunDir,
) -> Result<ContainerOptions, Failure> {
    let config = match daemon_config::toml(around.registries, around.network, around.hosts, around.root) {
        Some(text) => Some(run.secret("buildkitd.toml", text.as_bytes()).map_err(|e| cannot_write(&e))?),
        None => None,
    };
    let proxy = around.proxy;
    let pairs = [("HTTP_PROXY", &proxy.http), ("HTTPS_PROXY", &proxy.https), ("NO_PROXY", &proxy.no_proxy)];
    let env: Vec<_> = pairs.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v.clone()?))).collect();
    if [&proxy.http, &proxy.https].into_iter().flatten().any(|url| http::proxy_login(url).is_some()) {
        let what = "the address of the proxy holds a login, which would stand on the command line that starts the BuildKit container and in the container's settings";
        return Err(super::backend(Problem::new(what).hint(
            "leave user and password out of network.proxy (or HTTP_PROXY and HTTPS_PROXY), or build with a BuildKit daemon (BUILDKIT_HOST) that has the proxy in its own environment",
        )));
    }
    let mirrors = around.registries.values().flat_map(|settings| &settings.mirrors).cloned();
    let proxies = [&proxy.http, &proxy.https].into_iter().flatten().filter_map(|url| http::proxy_host(url));
    Ok(ContainerOptions {
        image: wanted.image.clone(),
        // What is on `localhost` is this machine's, which a container sees only in the host's network.
        host_network: around
            .hosts
            .iter()
            .cloned()
            .chain(mirrors)
            .chain(proxies)
            .any(|h| is_loopback(h.split('/').next().unwrap_or(&h))),
        env,
        config,
    })
}

/// A default name tells containers with different settings apart, for a running one keeps the settings it was made with. One
/// with a name of the user's is told by a mark among its variables.
///
/// Of our own image the version of BuildKit counts: each release of ours would otherwise begin with an empty cache.
fn container_builder_name(
    wanted: &BuilderPlan,
    options: &mut ContainerOptions,
    around: Surroundings<'_>,
    own: Option<&OwnImage>,
) -> String {
    if ContainerOptions::default() == *options && own.is_none() {
        return wanted.name.clone();
    }
    // What is in the CA files counts, not where the checkout lies.
    let toml = daemon_config::toml(around.registries, around.network, around.hosts, Path::new(""));
    let mut settings = format!("{:?}{:?}{:?}{toml:?}", options.image, options.host_network, options.env);
    settings.extend(own.map(|own| format!("of our own image: {}", own.buildkit)));
    let mut hash = Sha256::new_with_prefix(settings.as_bytes());
    around.certificates.iter().for_each(|pem| hash.update(pem));
    let hash = &hex::encode(hash.finalize())[..6];
    if !wanted.named {
        return format!("{}-{hash}", wanted.name);
    }
    options.env.push((SETTINGS.to_owned(), hash.to_owned()));
    wanted.name.clone()
}

/// The container runs with other settings than it would be made with now. It is not ended: another run may be using it.
fn outdated(container: &str, env: &[String], options: &ContainerOptions) -> Option<Problem> {
    let made = env.iter().find_map(|pair| pair.strip_prefix(SETTINGS)?.strip_prefix('='))?;
    let now = options.env.iter().find(|(name, _)| name == SETTINGS).map_or("", |(_, hash)| hash.as_str());
    (made != now).then(|| {
        let what = format!("the container {container} was made with other settings of registries, network or image than the configuration has now, and keeps them");
        Problem::new(what).hint(format!("remove it when no build runs: docker rm --force {container} (its cache stays), then run again"))
    })
}

/// buildx refuses to take TLS data from the environment; a docker context in the run's private configuration carries it
/// (`docker/cli` cli/context/store: meta and tls directories named by the sha256 of the context's name).
fn docker_context(engine: &Engine, run: &RunDir) -> Result<Option<String>, Failure> {
    let Some(certs) = &engine.address.certs else { return Ok(None) };
    let name = "stagefreight";
    let id = hex::encode(Sha256::digest(name.as_bytes()));
    let endpoint = serde_json::json!({ "Host": engine.address.host, "SkipTLSVerify": false });
    let meta = serde_json::json!({ "Name": name, "Metadata": {}, "Endpoints": { "docker": endpoint } });
    let write = || -> std::io::Result<()> {
        let contexts = run.docker().join("contexts");
        let (meta_dir, tls_dir) = (contexts.join("meta").join(&id), contexts.join("tls").join(&id).join("docker"));
        std::fs::create_dir_all(&meta_dir)?;
        std::fs::create_dir_all(&tls_dir)?;
        std::fs::write(meta_dir.join("meta.json"), meta.to_string())?;
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            std::fs::copy(certs.join(file), tls_dir.join(file))?;
        }
        Ok(())
    };
    write().map_err(|e| cannot_write(&e))?;
    Ok(Some(name.to_owned()))
}

fn cannot_write(error: &std::io::Error) -> Failure {
    super::backend(
        Problem::new(format!("the run's private directory cannot be written: {error}"))
            .hint("check the space left and the permissions of the runner's directory for temporary files"),
    )
}

/// Where the record of the builder goes, below the workspace.
pub const RECORD: &str = ".stagefreight/runtime/docker/builder.json";
