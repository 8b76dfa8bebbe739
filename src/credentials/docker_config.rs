//! An existing docker configuration (`config.json`), honoured and never written: `auths`, `credHelpers`, `credsStore`
//! (`docker/cli` cli/config/configfile/file.go).

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{IDENTITY_TOKEN_USER, Login, config_key, means};
use crate::problem::{Location, Problem};
use crate::secret::Secret;

const MAX_CONFIG: u64 = 1 << 20;

/// A docker configuration as read. `Debug` shows where from, never what: there are passwords in it.
#[derive(Clone)]
pub struct DockerConfig {
    value: Value,
    source: String,
}

/// What a configuration says about one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The login stands in the file.
    Login(Login),
    /// A helper has it: run `program get`, write `key` to its standard input, and give its output to [`helper_answer`].
    Helper {
        /// `docker-credential-…`, to be found on the `PATH`.
        program: String,
        /// What the helper knows the registry by.
        key: String,
    },
    /// Nothing.
    None,
}

impl DockerConfig {
    /// Reads `config.json` in a directory; `None` where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be used: going on without would push anonymously.
    pub fn read(dir: &Path) -> Result<Option<Self>, Problem> {
        let path = dir.join("config.json");
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Problem::new(format!(
                    "the docker configuration {} cannot be read: {error}",
                    path.display()
                ))
                .hint("Let this user read it, or point DOCKER_CONFIG elsewhere."));
            }
        };
        let mut text = String::new();
        if let Err(error) = file.take(MAX_CONFIG).read_to_string(&mut text) {
            return Err(Problem::new(format!("the docker configuration {} cannot be read: {error}", path.display())));
        }
        Self::parse(&text, &path.display().to_string()).map(Some)
    }

    /// From text: a file's, or that of `DOCKER_AUTH_CONFIG`. `source` says for people where it came from.
    ///
    /// # Errors
    /// When it is not a JSON object. The text is not repeated: it holds passwords.
    pub fn parse(text: &str, source: &str) -> Result<Self, Problem> {
        let refused = |why: &str, at: Option<Location>| {
            let problem = Problem::new(format!("the docker configuration in {source} is unusable: {why}"))
                .hint("Mend it, or log in again with `docker login`.");
            Problem { location: at, ..problem }
        };
        // Windows editors and GitLab file variables leave these.
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Ok(Self { value: Value::Object(Map::new()), source: source.to_owned() });
        }
        match serde_json::from_str::<Value>(text) {
            Ok(value @ Value::Object(_)) => Ok(Self { value, source: source.to_owned() }),
            Ok(_) => Err(refused("it is not a JSON object", None)),
            Err(error) => {
                let at = Location {
                    file: source.to_owned(),
                    line: u32::try_from(error.line()).ok(),
                    column: u32::try_from(error.column()).ok(),
                };
                Err(refused(&format!("it is not JSON (line {}, column {})", error.line(), error.column()), Some(at)))
            }
        }
    }

    /// The same with the `auths` of another on top.
    #[must_use]
    pub fn overlaid(mut self, other: &Self) -> Self {
        let theirs = other.value.get("auths").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(ours) = self.value.as_object_mut() {
            let auths = ours.entry("auths").or_insert_with(|| Value::Object(Map::new()));
            if let Some(auths) = auths.as_object_mut() {
                auths.extend(theirs);
            }
        }
        self
    }

    /// The whole, for [`private_config`](super::private_config).
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Every host with an entry of its own in `auths` or `credHelpers`, as written.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let keys = |section: &str| self.value.get(section).and_then(Value::as_object).into_iter().flat_map(Map::keys);
        keys("auths").chain(keys("credHelpers")).map(String::as_str)
    }

    /// The login for a registry host, in docker's order: its own helper, the store for all, the file.
    ///
    /// # Errors
    /// When its entry is there and cannot be understood.
    pub fn lookup(&self, host: &str) -> Result<Lookup, Problem> {
        let (key, helper) = match self.find("credHelpers", host) {
            Some((key, helper)) => (key, helper.as_str().unwrap_or_default()),
            None => (config_key(host), self.value.get("credsStore").and_then(Value::as_str).unwrap_or_default()),
        };
        if !helper.is_empty() {
            return match is_program_suffix(helper) {
                true => Ok(Lookup::Helper { program: format!("docker-credential-{helper}"), key: key.to_owned() }),
                false => Err(Problem::new(format!("{} names a credential helper that is no name", self.source))),
            };
        }
        self.find("auths", host).map_or(Ok(Lookup::None), |(_, entry)| self.entry(host, entry))
    }

    fn entry(&self, host: &str, entry: &Value) -> Result<Lookup, Problem> {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let login = |user: &str, secret: &str| {
            Lookup::Login(Login {
                host: host.to_owned(),
                user: user.to_owned(),
                secret: Secret::new(secret),
                source: self.source.clone(),
            })
        };
        if let Some(token) = field("identitytoken") {
            return Ok(login(IDENTITY_TOKEN_USER, token));
        }
        if let Some(auth) = field("auth") {
            let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            return match decoded.as_deref().and_then(|pair| pair.split_once(':')) {
                Some((user, secret)) if !user.is_empty() => Ok(login(user, secret.trim_matches('\0'))),
                _ => {
                    Err(Problem::new(format!("the `auth` of {host} in {} is not base64 of user:password", self.source))
                        .hint("Log in again with `docker login`."))
                }
            };
        }
        match (field("username"), field("password")) {
            (Some(user), Some(secret)) => Ok(login(user, secret)),
            // `docker login` with a store leaves an empty entry behind.
            _ => Ok(Lookup::None),
        }
    }

    /// The entry of a registry in a section: under its proper name if there, else under any name that means it.
    fn find(&self, section: &str, host: &str) -> Option<(&str, &Value)> {
        let section = self.value.get(section)?.as_object()?;
        let proper = section.get_key_value(config_key(host));
        let found = proper.or_else(|| section.iter().find(|(key, _)| means(key, host)));
        found.map(|(key, value)| (key.as_str(), value))
    }
}

impl std::fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerConfig").field("source", &self.source).finish_non_exhaustive()
    }
}

/// What a credential helper printed on standard output (`docker/docker-credential-helpers`): a JSON object with
/// `Username` and `Secret`. `None`: it has no login for this registry, which helpers say in words and with status 1.
///
/// # Errors
/// When the answer is neither.
pub fn helper_answer(host: &str, program: &str, success: bool, stdout: &[u8]) -> Result<Option<Login>, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        username: String,
        #[serde(default)]
        secret: String,
    }
    let refused = || {
        Problem::new(format!("{program} gave no usable login for {host}"))
            .hint("Run it by hand with `get` to see why, or log in again with `docker login`.")
    };
    if !success {
        let said = String::from_utf8_lossy(&stdout[..stdout.len().min(1024)]).to_lowercase();
        let nothing = said.contains("credentials not found") || said.contains("no credentials");
        return if nothing { Ok(None) } else { Err(refused()) };
    }
    let answer: Answer = serde_json::from_slice(stdout).map_err(|_| refused())?;
    if answer.username.is_empty() && answer.secret.is_empty() {
        return Ok(None);
    }
    Ok(Some(Login {
        host: host.to_owned(),
        user: answer.username,
        secret: Secret::new(answer.secret),
        source: program.to_owned(),
    }))
}

/// Helpers are named by a suffix; anything with a separator in it could name any program.
fn is_program_suffix(helper: &str) -> bool {
    helper.len() <= 64 && helper.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
