//! Who may enter where: logins and network settings of a run, found once, before anything is built.
//!
//! A target's own `credentials` win over those of its registry, these over docker's own configuration, and that over the job's
//! token for the forge's registry. Untrusted runs get none of them. Nothing here writes outside the run's private directory.

mod finder;
mod network;
mod visitor;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::model::RegistrySettings;
use crate::credentials::{self, DockerConfig, Login};
use crate::environment::Environment;
use crate::http::{Clients, ProxySettings};
use crate::image::Repository;
use crate::plan::{Output, Plan, TargetPlan};
use crate::problem::{Failure, FailureKind, Problem};
use crate::registry::{Catalog, HostSettings, Provider, Registry};
use crate::request::Request;
use crate::rundir::RunDir;
use crate::runner::{self, CiContext, ForgeKind};
use crate::secret::Secret;

pub use network::CA_SECRET;
pub use visitor::Visitor;

use finder::Finder;

/// Logins and network settings of a run.
#[derive(Debug)]
pub struct Access {
    targets: BTreeMap<String, Option<Login>>,
    hosts: BTreeMap<String, Login>,
    users: Option<DockerConfig>,
    registries: BTreeMap<String, (RegistrySettings, Option<Vec<u8>>)>,
    forge: Option<ForgeApi>,
    proxy: ProxySettings,
    bundle: Option<Vec<u8>>,
    children: Option<Vec<u8>>,
    /// HTTP clients for this network.
    pub clients: Arc<Clients>,
    /// What a person should know: passwords where tokens would do, what was withheld.
    pub notes: Vec<Problem>,
}

/// The forge that runs the job, its own registry, and where its API is. The login for the one is a login for the other.
#[derive(Debug)]
struct ForgeApi {
    host: String,
    provider: Provider,
    url: String,
}

/// Every secret this run could know, before it knows which it needs: for the redactor.
pub fn secrets(request: &Request) -> (Vec<Login>, Vec<Secret>) {
    let config = &request.config;
    let prefixes = config.targets.iter().filter_map(|t| t.credentials.as_deref());
    let prefixes: BTreeSet<_> =
        prefixes.chain(config.registries.values().filter_map(|r| r.credentials.as_deref())).collect();
    let mut logins: Vec<_> =
        prefixes.iter().filter_map(|p| Some(credentials::from_prefix(&request.vars, p, "").ok()?.login)).collect();
    logins.extend(forge_login(&request.context));
    let mut secrets: Vec<_> = request.inputs.secrets.iter().map(secret_value).collect();
    let named = prefixes.iter().flat_map(|p| ["TOKEN", "PASS", "PASSWORD"].map(|suffix| format!("{p}_{suffix}")));
    let from_inputs =
        request.inputs.secret_envs.iter().filter_map(|spec| spec.split_once('=')).map(|(_, name)| name.to_owned());
    let usual = runner::SECRET_VARIABLES.iter().map(|name| (*name).to_owned());
    secrets.extend(named.chain(from_inputs).chain(usual).filter_map(|name| request.vars.get(&name).map(Secret::new)));
    secrets.extend(network::proxy_secrets(Some(config), &request.vars));
    secrets.extend(signing_keys(request));
    (logins, secrets)
}

/// Keys that stand in variables as text. A path is no secret.
fn signing_keys(request: &Request) -> Vec<Secret> {
    let vars = &request.vars;
    let places = [request.config.sign.key.as_deref(), vars.get("COSIGN_KEY")];
    let values = places.into_iter().flatten().filter_map(|key| match key.trim().strip_prefix("env://") {
        Some(name) => vars.get(name),
        None => Some(key),
    });
    let lines = values.filter(|text| text.contains("PRIVATE KEY-----")).flat_map(str::lines);
    lines.map(str::trim).filter(|line| line.len() > 16 && !line.starts_with("-----")).map(Secret::new).collect()
}

/// The secrets a runner hands out by itself: for the redactor, when there is no request.
pub fn known_secrets(env: &Environment, context: &CiContext) -> (Vec<Login>, Vec<Secret>) {
    let values = runner::SECRET_VARIABLES.iter().filter_map(|name| env.vars.get(name));
    let values = values.map(Secret::new).chain(network::proxy_secrets(None, &env.vars));
    (forge_login(context).into_iter().collect(), values.collect())
}

/// The value of an `id=value` secret input.
fn secret_value(input: &Secret) -> Secret {
    Secret::new(input.reveal().split_once('=').map_or(input.reveal(), |(_, value)| value))
}

/// Finds every login the plan needs.
///
/// # Errors
/// Every login that is configured and missing, at once.
pub async fn resolve(request: &Request, plan: &Plan, cancel: &CancellationToken) -> Result<Access, Failure> {
    let mut finder = Finder { request, cancel, users: None, notes: Vec::new(), problems: Vec::new() };
    let (targets, mut hosts) = finder.logins(published(plan)).await;
    let mut others: Vec<(String, Option<String>)> = Vec::new();
    others.extend(plan.cache.registry.iter().map(|r| (r.repository.host().to_owned(), r.credentials.clone())));
    others.extend(request.config.registries.keys().map(|host| (host.clone(), None)));
    others.extend(base_hosts(plan).into_iter().map(|host| (host, None)));
    for (host, prefix) in others {
        match (hosts.get(&host), prefix) {
            (Some(login), Some(prefix)) if !login.source.starts_with(&format!("{prefix}_")) => {
                let what = format!("the builder has one login for {host}, that from {}: not {prefix}_*", login.source);
                finder
                    .notes
                    .push(Problem::new(what).hint("give the cache and the target on one host the same credentials"));
            }
            (Some(_), _) => {}
            (None, prefix) => {
                if let Some(login) = finder.login(&host, prefix.as_deref()).await {
                    hosts.insert(host, login);
                }
            }
        }
    }
    let Finder { users, mut notes, mut problems, .. } = finder;
    let network::Network { registries, http, bundle, children } = network::read(request, &mut problems);
    match network::recorded(plan, &http.proxy, users.as_ref().map(DockerConfig::value)) {
        Some(Ok(note)) => notes.push(note),
        Some(Err(problem)) => problems.push(problem),
        None => {}
    }
    if !problems.is_empty() {
        return Err(Failure::many(FailureKind::Credentials, problems));
    }
    let proxy = http.proxy.clone();
    let forge = forge_api(&request.context);
    Ok(Access { targets, hosts, users, registries, forge, proxy, bundle, children, clients: Clients::new(http), notes })
}

/// Finds the logins of these targets alone: for what needs no builder.
///
/// # Errors
/// Every login that is configured and missing, at once.
pub async fn of_targets(
    request: &Request,
    targets: &[TargetPlan],
    cancel: &CancellationToken,
) -> Result<Access, Failure> {
    let mut finder = Finder { request, cancel, users: None, notes: Vec::new(), problems: Vec::new() };
    let (targets, hosts) = finder.logins(targets.iter()).await;
    let Finder { users, notes, mut problems, .. } = finder;
    let network::Network { registries, http, bundle, children } = network::read(request, &mut problems);
    if !problems.is_empty() {
        return Err(Failure::many(FailureKind::Credentials, problems));
    }
    let (proxy, forge) = (http.proxy.clone(), forge_api(&request.context));
    Ok(Access { targets, hosts, users, registries, forge, proxy, bundle, children, clients: Clients::new(http), notes })
}

/// Clients for the forge's API, which is told of a run before its logins are found.
pub fn forge_clients(request: &Request) -> Arc<Clients> {
    Clients::new(network::of_forge(request))
}

/// What a process of our own is given by the one that started it: a docker configuration made by [`Access::pull_config`], and
/// no other login.
///
/// # Errors
/// When the configuration or a certificate cannot be used.
pub fn handed_over(request: &Request, docker_config: &Value) -> Result<Access, Failure> {
    let mut problems = Vec::new();
    let users = DockerConfig::parse(&docker_config.to_string(), "the handover").map_err(|problem| vec![problem]);
    let network::Network { registries, http, bundle, children } = network::read(request, &mut problems);
    let users = match users {
        Ok(users) if problems.is_empty() => Some(users),
        Ok(_) => return Err(Failure::many(FailureKind::Credentials, problems)),
        Err(more) => return Err(Failure::many(FailureKind::Credentials, [problems, more].concat())),
    };
    let proxy = http.proxy.clone();
    let (targets, hosts, forge, notes) = Default::default();
    Ok(Access { targets, hosts, users, registries, forge, proxy, bundle, children, clients: Clients::new(http), notes })
}

impl Access {
    /// The login for a target; `None` is anonymous.
    pub fn login(&self, target: &TargetPlan) -> Option<&Login> {
        self.targets.get(&target.id).and_then(Option::as_ref)
    }

    /// The builder has one login a host. Whether it is this target's, so that the build itself can put the content there.
    pub fn builder_can_push(&self, target: &TargetPlan) -> bool {
        match (self.login(target), self.hosts.get(target.repository.host())) {
            (Some(own), Some(builders)) => own.user == builders.user && own.secret == builders.secret,
            (None, None) => true,
            _ => false,
        }
    }

    /// The registry of a target, seen with the target's login.
    ///
    /// # Errors
    /// When its name or settings are unusable.
    pub fn registry(&self, target: &TargetPlan) -> Result<Registry, Problem> {
        let host = target.repository.host();
        let login = self.login(target).cloned();
        Registry::new(host, login, &self.settings(host), Arc::clone(&self.clients)).map_err(|e| e.problem())
    }

    /// How a registry is reached.
    pub fn settings(&self, host: &str) -> HostSettings {
        let settings = self.registries.get(host).map(|(settings, ca)| HostSettings {
            http: settings.http,
            insecure: settings.insecure,
            ca_pem: ca.clone(),
        });
        settings.unwrap_or_default()
    }

    /// The registry of a target with what is known about its kind, to list and to delete.
    ///
    /// # Errors
    /// As [`Access::registry`].
    pub fn catalog(&self, target: &TargetPlan) -> Result<Catalog, Problem> {
        let registry = self.registry(target)?;
        let own = self.forge.as_ref().filter(|forge| forge.host == target.repository.host());
        // A forge on a host of one's own does not show in the host's name.
        let provider = match (target.provider, own) {
            (Provider::Generic, Some(forge)) => forge.provider,
            (provider, _) => provider,
        };
        let catalog = Catalog::new(registry, provider);
        Ok(match own.filter(|forge| forge.provider == provider) {
            Some(forge) => catalog.with_api(&forge.url),
            None => catalog,
        })
    }

    /// Proxies, from the configuration or the environment.
    pub fn proxy(&self) -> &ProxySettings {
        &self.proxy
    }

    /// The authorities a RUN step should trust, as PEM: ours and this machine's. `None` where no corporate CA is configured.
    pub fn ca_bundle(&self) -> Option<&[u8]> {
        self.bundle.as_deref()
    }

    /// Every configured authority, as PEM: to tell whether a builder was made with these.
    pub fn certificates(&self) -> Vec<&[u8]> {
        let own = self.registries.values().filter_map(|(_, ca)| ca.as_deref());
        own.chain(self.clients.settings().extra_ca_pem.iter().map(Vec::as_slice)).collect()
    }

    /// The builder must be told to reach this host without verified TLS.
    pub fn is_insecure(&self, host: &str) -> bool {
        self.registries.get(host).is_some_and(|(settings, _)| settings.http || settings.insecure)
    }

    /// A docker configuration for another process of this run, that only pulls, and only from these hosts. Helpers are programs
    /// of this machine: without them it serves elsewhere, with the logins that they gave.
    pub fn pull_config(&self, hosts: &BTreeSet<String>, helpers: bool) -> Value {
        let mut config = self.docker_config(self.hosts.values().filter(|login| hosts.contains(&login.host)));
        credentials::only_for(&mut config, hosts, helpers);
        config
    }

    /// The user's logins where the run is trusted, ours on top, and proxies.
    fn docker_config<'a>(&self, logins: impl Iterator<Item = &'a Login>) -> Value {
        let logins: Vec<_> = logins.cloned().collect();
        let mut config = credentials::private_config(self.users.as_ref().map(DockerConfig::value), &logins);
        let pairs =
            [("httpProxy", &self.proxy.http), ("httpsProxy", &self.proxy.https), ("noProxy", &self.proxy.no_proxy)];
        let proxies: serde_json::Map<_, _> =
            pairs.into_iter().filter_map(|(k, v)| Some((k.to_owned(), json!(v.as_ref()?)))).collect();
        if !proxies.is_empty() {
            config["proxies"] = json!({ "default": proxies });
        }
        config
    }

    /// Writes the private docker configuration: the user's logins where the run is trusted, ours on top, and proxies, which
    /// buildx hands to RUN steps as build args that are neither in the image nor in the cache key. Returns what buildx needs in
    /// its environment.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write(&self, run: &RunDir) -> Result<Vec<(String, String)>, Failure> {
        let config = self.docker_config(self.hosts.values());
        let write = || -> std::io::Result<_> {
            credentials::write_private(&run.docker(), &config)?;
            self.children.as_deref().map(|pem| run.secret("authorities.pem", pem)).transpose()
        };
        let authorities = write().map_err(|e| {
            let what = format!("the run's private docker configuration cannot be written: {e}");
            Failure::new(
                FailureKind::Credentials,
                Problem::new(what).hint("check the space left and the permissions of the runner's temporary directory"),
            )
        })?;
        // As Go's programs take it (crypto/x509, root_unix.go).
        Ok(authorities.map(|path| ("SSL_CERT_FILE".to_owned(), path.display().to_string())).into_iter().collect())
    }
}

/// The targets of a plan that are published to.
pub fn published(plan: &Plan) -> impl Iterator<Item = &TargetPlan> {
    plan.steps.iter().flat_map(|step| match &step.output {
        Output::Publish { targets } => targets.as_slice(),
        _ => &[],
    })
}

/// Registries a plan talks to, as far as it is known.
pub fn hosts(plan: &Plan) -> BTreeSet<String> {
    published(plan).map(|t| t.repository.host().to_owned()).chain(pull_hosts(plan)).collect()
}

/// Those it reads from: of base images and of caches.
pub fn pull_hosts(plan: &Plan) -> BTreeSet<String> {
    let cache = plan.cache.registry.iter().map(|r| r.repository.host().to_owned());
    base_hosts(plan).into_iter().chain(cache).collect()
}

fn base_hosts(plan: &Plan) -> BTreeSet<String> {
    let images = plan.steps.iter().flat_map(|step| &step.base_images);
    let names = images.map(|image| image.split('@').next().unwrap_or(image));
    names
        .filter_map(|name| crate::image::reference::parse_tagged(name).ok())
        .map(|(r, _): (Repository, _)| r.host().to_owned())
        .collect()
}

fn forge_api(context: &CiContext) -> Option<ForgeApi> {
    let provider = match context.forge {
        ForgeKind::GitHub => Provider::Ghcr,
        ForgeKind::GitLab => Provider::GitLab,
        ForgeKind::Gitea | ForgeKind::Forgejo => Provider::Gitea,
        ForgeKind::Local => return None,
    };
    Some(ForgeApi { host: context.registry.as_ref()?.host.clone(), provider, url: context.api_url.clone()? })
}

fn forge_login(context: &CiContext) -> Option<Login> {
    let registry = context.registry.as_ref()?;
    let (host, user, secret) = (registry.host.clone(), registry.user.clone(), registry.secret.clone());
    Some(Login { host, user, secret, source: registry.variable.clone() })
}
