//! `registries` and `network`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a registry needs beside a login.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySettings {
    /// Speak plain http to it.
    pub http: bool,
    /// Accept any certificate it shows.
    pub insecure: bool,
    /// PEM file with the CA of its certificate, relative to the repository's root.
    pub ca: Option<String>,
    /// Hosts asked first for its images, `host` or `host:port`.
    pub mirrors: Vec<String>,
    /// Prefix of the variables that hold the login for pulling base images: `PREFIX_USER` with `PREFIX_TOKEN`, `PREFIX_PASS` or `PREFIX_PASSWORD`.
    pub credentials: Option<String>,
}

/// Corporate network settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// PEM file with additional CAs, relative to the repository's root.
    pub ca: Option<String>,
    /// Proxies. Default: those of the environment.
    pub proxy: Proxy,
}

/// Proxies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// Proxy for http, as a URL.
    pub http: Option<String>,
    /// Proxy for https, as a URL.
    pub https: Option<String>,
    /// Hosts reached directly, separated by commas.
    pub no_proxy: Option<String>,
}
