//! Looks for logins where people keep them. An untrusted run finds none.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::forge_login;
use crate::buildx::tool::docker_config;
use crate::credentials::{self, DockerConfig, Login, Lookup};
use crate::environment::Vars;
use crate::plan::TargetPlan;
use crate::problem::Problem;
use crate::process::{self, Spec};
use crate::request::Request;
use crate::runner;

/// How long a credential helper may take.
const HELPER: Duration = Duration::from_secs(30);

pub(super) struct Finder<'a> {
    pub(super) request: &'a Request,
    pub(super) cancel: &'a CancellationToken,
    pub(super) users: Option<DockerConfig>,
    pub(super) notes: Vec<Problem>,
    pub(super) problems: Vec<Problem>,
}

impl Finder<'_> {
    fn trusted(&self) -> bool {
        self.request.context.trust == runner::Trust::Trusted
    }

    /// `DOCKER_AUTH_CONFIG` as docker reads it: logins that go before those of the file. GitLab's users keep them there.
    pub(super) fn read_variable(&mut self) {
        let Some(text) = self.request.vars.get("DOCKER_AUTH_CONFIG") else { return };
        match DockerConfig::parse(text, "DOCKER_AUTH_CONFIG") {
            Ok(config) if self.trusted() => {
                self.users = Some(match self.users.take() {
                    Some(file) => file.overlaid(&config),
                    None => config,
                });
            }
            Ok(_) => {
                let what = "the logins in DOCKER_AUTH_CONFIG are withheld from this run";
                self.notes.push(Problem::new(what).hint("runs of code from forks get no credentials"));
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Docker's own configuration. Code somebody else proposes gets nothing of it: it decides itself where to push.
    pub(super) fn read_users(&mut self) {
        let Some(dir) = docker_config(&self.request.vars) else { return };
        match DockerConfig::read(&dir) {
            Ok(Some(config)) if self.trusted() => self.users = Some(config),
            Ok(Some(config)) if config.hosts().next().is_some() => {
                let what = format!("the logins in {} are withheld from this run", dir.join("config.json").display());
                self.notes.push(Problem::new(what).hint("runs of code from forks get no credentials"));
            }
            Ok(_) => {}
            Err(problem) => self.problems.push(problem),
        }
    }

    /// The login of each target, and the first found for each host.
    pub(super) async fn logins<'t>(
        &mut self,
        wanted: impl Iterator<Item = &'t TargetPlan>,
    ) -> (BTreeMap<String, Option<Login>>, BTreeMap<String, Login>) {
        self.read_users();
        self.read_variable();
        let (mut targets, mut hosts) = (BTreeMap::new(), BTreeMap::new());
        for target in wanted {
            let login = self.login(target.repository.host(), target.credentials.as_deref()).await;
            if let Some(login) = &login {
                hosts.entry(login.host.clone()).or_insert_with(|| login.clone());
            }
            targets.insert(target.id.clone(), login);
        }
        (targets, hosts)
    }

    pub(super) async fn login(&mut self, host: &str, prefix: Option<&str>) -> Option<Login> {
        if !self.trusted() {
            return None;
        }
        let request = self.request;
        let prefix = prefix.or_else(|| request.config.registries.get(host)?.credentials.as_deref());
        if let Some(prefix) = prefix {
            return match credentials::from_prefix(&request.vars, prefix, host) {
                Ok(found) => {
                    self.notes.extend(found.note.filter(|note| !self.notes.contains(note)));
                    Some(found.login)
                }
                Err(problem) => {
                    if !self.problems.contains(&problem) {
                        self.problems.push(problem);
                    }
                    None
                }
            };
        }
        let users = self.users.as_ref().map(|config| config.lookup(host));
        let found = match users {
            Some(Ok(Lookup::Login(login))) => Some(login),
            Some(Ok(Lookup::Helper { program, key })) => self.ask_helper(host, &program, &key).await,
            Some(Ok(Lookup::None)) | None => None,
            Some(Err(problem)) => {
                self.problems.push(problem);
                return None;
            }
        };
        found.or_else(|| forge_login(&request.context).filter(|login| login.host == host))
    }

    /// A helper that cannot be run is told, and is no error: the registry may not need a login.
    async fn ask_helper(&mut self, host: &str, program: &str, key: &str) -> Option<Login> {
        let (vars, cwd) = (&self.request.vars, &self.request.source.root);
        match ask_helper((vars, cwd), host, (program, key), self.cancel).await {
            Ok(login) => login,
            Err(problem) => {
                self.notes.push(problem);
                None
            }
        }
    }
}

/// The login a credential helper has for a registry.
///
/// # Errors
/// When the helper is not there, or gives no answer that can be used.
pub(super) async fn ask_helper(
    (vars, cwd): (&Vars, &Path),
    host: &str,
    (program, key): (&str, &str),
    cancel: &CancellationToken,
) -> Result<Option<Login>, Problem> {
    let Some(path) = process::find(program, vars, &[]) else {
        let what = format!("docker's configuration names {program} for {host}, and it is not on PATH");
        return Err(Problem::new(what));
    };
    let env = vars.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let spec = Spec::new(path, vec!["get".to_owned()], env, cwd);
    let (success, stdout) = match process::capture(&spec, key.as_bytes(), HELPER, cancel).await {
        Ok(captured) => (true, captured.stdout),
        // Helpers say "no such login" on standard output, with a bad exit.
        Err(process::ProcessError::Failed { stdout, .. }) => (false, stdout),
        Err(error) => return Err(Problem::new(format!("the login for {host} could not be read: {error}"))),
    };
    credentials::helper_answer(host, program, success, &stdout)
}
