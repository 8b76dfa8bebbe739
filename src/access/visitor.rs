//! Logins and network of a command that is no run: docker's own configuration and the environment, nothing else.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::finder::ask_helper;
use super::network;
use crate::buildx::tool::docker_config;
use crate::config::model::Config;
use crate::credentials::{DockerConfig, Login, Lookup};
use crate::environment::Environment;
use crate::http::{Clients, HttpSettings};
use crate::problem::Problem;
use crate::registry::{HostSettings, Registry};

/// Somebody at a keyboard, who reads registries with the logins that docker has.
#[derive(Debug)]
pub struct Visitor<'a> {
    env: &'a Environment,
    cancel: &'a CancellationToken,
    users: Option<DockerConfig>,
    clients: Arc<Clients>,
}

impl<'a> Visitor<'a> {
    /// Reads docker's configuration: the file, and `DOCKER_AUTH_CONFIG` on top.
    ///
    /// # Errors
    /// When one is there and cannot be used.
    pub fn new(env: &'a Environment, cancel: &'a CancellationToken) -> Result<Self, Problem> {
        let file = docker_config(&env.vars).map(|dir| DockerConfig::read(&dir)).transpose()?.flatten();
        let variable = env.vars.get("DOCKER_AUTH_CONFIG");
        let variable = variable.map(|text| DockerConfig::parse(text, "DOCKER_AUTH_CONFIG")).transpose()?;
        let users = match (file, variable) {
            (Some(file), Some(variable)) => Some(file.overlaid(&variable)),
            (file, variable) => file.or(variable),
        };
        let http = HttpSettings { proxy: network::proxies(&Config::default(), &env.vars), ..HttpSettings::default() };
        Ok(Self { env, cancel, users, clients: Clients::new(http) })
    }

    /// A registry, with the login docker has for it, if any.
    ///
    /// # Errors
    /// When the login cannot be read, or the name is none.
    pub async fn registry(&self, host: &str) -> Result<Registry, Problem> {
        let login = self.login(host).await?;
        Registry::new(host, login, &HostSettings::default(), Arc::clone(&self.clients)).map_err(|e| e.problem())
    }

    /// The login docker has for a registry, if any.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn login(&self, host: &str) -> Result<Option<Login>, Problem> {
        match self.users.as_ref().map(|users| users.lookup(host)).transpose()? {
            Some(Lookup::Login(login)) => Ok(Some(login)),
            Some(Lookup::Helper { program, key }) => {
                ask_helper((&self.env.vars, &self.env.cwd), host, (&program, &key), self.cancel).await
            }
            Some(Lookup::None) | None => Ok(None),
        }
    }
}
