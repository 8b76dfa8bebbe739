//! Registry logins: from variables by prefix, from docker's own configuration, and into a private one for our children.
//!
//! Runs no helper program (callers do) and knows no registry client. Secrets leave only through [`Secret::reveal`].

mod docker_config;
mod private_config;

pub use docker_config::{DockerConfig, Lookup, helper_answer};
pub use private_config::{only_for, private_config, write_private};

use crate::environment::Vars;
use crate::problem::Problem;
use crate::secret::Secret;

/// The user name that says the secret is an identity token, to be exchanged and never sent as a password. Docker's word.
pub const IDENTITY_TOKEN_USER: &str = "<token>";

/// What a registry is logged in to with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Registry host with its port, as in an image name.
    pub host: String,
    /// User name; [`IDENTITY_TOKEN_USER`] where the secret is an identity token.
    pub user: String,
    /// Password or token.
    pub secret: Secret,
    /// Where it was read, for people: variable names or a file, never values.
    pub source: String,
}

/// A login read by prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromPrefix {
    /// The login.
    pub login: Login,
    /// Advice that fails nothing: a token is better than a password.
    pub note: Option<Problem>,
}

impl Login {
    /// The secret is an identity token.
    pub fn is_identity_token(&self) -> bool {
        self.user == IDENTITY_TOKEN_USER
    }
}

/// The login for `host` that `credentials: PREFIX` means: `PREFIX_USER` with the first set of `PREFIX_TOKEN`,
/// `PREFIX_PASS` and `PREFIX_PASSWORD`. Empty variables count as unset: that is how runners hand over a missing secret.
///
/// # Errors
/// When either half is missing: a configured login that is not there is a mistake, not an anonymous push.
pub fn from_prefix(vars: &Vars, prefix: &str, host: &str) -> Result<FromPrefix, Problem> {
    let user_name = format!("{prefix}_USER");
    let secret_names = ["TOKEN", "PASS", "PASSWORD"].map(|suffix| format!("{prefix}_{suffix}"));
    let user = vars.get(&user_name);
    let secret = secret_names.iter().find_map(|name| Some((name, vars.get(name)?)));
    let [token, pass, password] = &secret_names;
    let hint = "Hand the secrets to the job as variables of these names; runners hand none to pipelines of forks.";
    match (user, secret) {
        (Some(user), Some((secret_name, secret))) => {
            let login = Login {
                host: host.to_owned(),
                user: user.to_owned(),
                secret: Secret::new(secret),
                source: format!("{user_name} and {secret_name}"),
            };
            let note = (secret_name != token).then(|| {
                Problem::new(format!("{secret_name} is used to log in to {host}"))
                    .hint(format!("An access token limited to this registry, in {token}, is safer than a password."))
            });
            Ok(FromPrefix { login, note })
        }
        (None, Some((secret_name, _))) => {
            Err(Problem::new(format!("{secret_name} is set, but {user_name} is not: the login to {host} needs both"))
                .hint(hint))
        }
        (Some(_), None) => Err(Problem::new(format!(
            "{user_name} is set, but none of {token}, {pass} and {password} is: the login to {host} needs one"
        ))
        .hint(hint)),
        (None, None) => Err(Problem::new(format!(
            "the login to {host} needs {user_name} and {token} (or {pass}, or {password}), and none of them is set"
        ))
        .hint(hint)),
    }
}

/// What a registry is called in docker's configuration. Docker Hub has a name of its own there.
fn config_key(host: &str) -> &str {
    if is_docker_hub(host) { "https://index.docker.io/v1/" } else { host }
}

/// Whether a key of docker's configuration means this registry: with or without scheme and path, as docker reads it
/// (`docker/cli` cli/config/credentials/file_store.go: ConvertToHostname).
fn means(key: &str, host: &str) -> bool {
    let name = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let name = name.split('/').next().unwrap_or_default();
    name.eq_ignore_ascii_case(host) || (is_docker_hub(name) && is_docker_hub(host))
}

fn is_docker_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io")
}

#[cfg(test)]
mod tests;
