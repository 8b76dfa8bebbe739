//! `registries` and `network`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::Age;

/// What a registry needs beside a login.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySettings {
    /// Speak plain http to it. Registries on this machine (`localhost`, 127.0.0.0/8) are spoken to so without it.
    pub http: bool,
    /// Accept any certificate it shows.
    pub insecure: bool,
    /// PEM file with the CA of its certificate, relative to the repository's root. It reaches our own requests and a builder
    /// that this run starts; a BuildKit daemon or engine of your own needs it in its own configuration, and a note says what.
    pub ca: Option<String>,
    /// Hosts asked first for its images, `host` or `host:port`, with a path if need be. For a builder that this run starts, as
    /// `ca`.
    pub mirrors: Vec<String>,
    /// Prefix of the variables that hold the login for pulling base images: `PREFIX_USER` with `PREFIX_TOKEN`, `PREFIX_PASS` or `PREFIX_PASSWORD`.
    pub credentials: Option<String>,
}

/// Corporate network settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// PEM file with additional CAs, relative to the repository's root. They are trusted beside the system's, for every
    /// registry. RUN steps get them, with the CAs this machine trusts, as the build secret `ca-certificates`: mount it where
    /// the image looks, `RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt …`, and nothing
    /// of it stays in the image. A secret of your own with this id goes before it.
    pub ca: Option<String>,
    /// Proxies. Default: those of the environment.
    pub proxy: Proxy,
    /// How long a registry may be silent before a request counts as failed and is tried again; ten times as long while it stores
    /// a large upload. At least `1s`. Default: `30s`.
    pub timeout: Option<Age>,
}

/// Proxies for our own requests, for a builder that this run starts, and for RUN steps, which see them as `HTTP_PROXY`,
/// `HTTPS_PROXY` and `NO_PROXY` in both cases of letters; neither the image nor the cache key holds them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// Proxy for http, as a URL. Default: `HTTP_PROXY` of the environment, which is also the place for one with a password.
    pub http: Option<String>,
    /// Proxy for https, as a URL. Default: `HTTPS_PROXY` of the environment.
    pub https: Option<String>,
    /// Hosts reached directly, separated by commas. Default: `NO_PROXY` of the environment. This machine always is.
    pub no_proxy: Option<String>,
}
