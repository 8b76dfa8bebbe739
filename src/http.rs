//! The only maker of HTTP clients: time limits, roots of trust, proxies and the user agent are decided here, once.
//!
//! Reads no environment: proxies and certificates come as values. Knows no forge and no registry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, Client, NoProxy, Proxy, redirect};

use crate::problem::Problem;

/// What every request says it comes from.
pub const USER_AGENT: &str = concat!("stagefreight/", env!("CARGO_PKG_VERSION"));

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// Hosts that are never reached through a proxy, as Go's programs (docker, buildx) have it.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1";

/// The network a run lives in.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// PEM files with certificate authorities trusted beside the system's.
    pub extra_ca_pem: Vec<Vec<u8>>,
    /// Proxies.
    pub proxy: ProxySettings,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// Proxies, as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` write them. A password may stand in the address.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// For http addresses.
    pub http: Option<String>,
    /// For https addresses.
    pub https: Option<String>,
    /// Hosts reached directly: names, suffixes, addresses and networks, comma separated. Loopback always is.
    pub no_proxy: Option<String>,
}

/// Time limits. None limits how long a transfer takes as long as it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For DNS, TCP and TLS together.
    pub connect: Duration,
    /// For the next bytes of an answer, or for an upload to take its next bytes.
    pub idle: Duration,
    /// For the answer after the last byte of an upload: registries move and hash the whole blob then.
    pub commit: Duration,
}

/// How far one host is trusted. Equal values share one client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Trust {
    /// Accept any certificate.
    pub insecure: bool,
    /// PEM with the authority of this host's certificate, beside all others.
    pub ca_pem: Option<Vec<u8>>,
    /// Only plain http will be spoken: no roots are loaded (which takes milliseconds, and fails in an image without them).
    pub plain: bool,
    /// The caller bounds the wait for answers itself. Needed to stream uploads: the client's own limit on reading
    /// counts from the start of the request, and would end every upload that takes longer.
    pub patient: bool,
    /// Redirects are not followed. For headers with secrets that the library does not know to drop on the way to another
    /// host (`JOB-TOKEN`).
    pub stays: bool,
}

/// Why no client could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// A PEM file holds no certificate, or not one that can be read.
    #[error("a configured CA file holds no usable PEM certificate")]
    Ca,
    /// A proxy address is none. The address is not repeated: it may hold a password.
    #[error("the {0} proxy is not a usable address")]
    Proxy(&'static str),
    /// No certificate authorities on this machine, most likely.
    #[error("no HTTPS client can be made: {0}")]
    Tls(String),
}

/// Clients, made when first needed and kept: one for each kind of trust. Share it in an `Arc`.
#[derive(Debug, Default)]
pub struct Clients {
    settings: HttpSettings,
    made: Mutex<HashMap<Trust, Client>>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(30), commit: Duration::from_secs(300) }
    }
}

impl Timeouts {
    /// All limits in proportion to how long an answer may take.
    pub fn silent_for(idle: Duration) -> Self {
        let usual = Self::default();
        Self { connect: usual.connect.min(idle), idle, commit: idle.saturating_mul(10) }
    }
}

impl std::fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hidden = |proxy: &Option<String>| proxy.as_ref().map(|_| "***");
        f.debug_struct("ProxySettings")
            .field("http", &hidden(&self.http))
            .field("https", &hidden(&self.https))
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

impl HttpError {
    /// For people.
    pub fn problem(&self) -> Problem {
        Problem::new(self.to_string()).hint(match self {
            Self::Ca => "Give a file with one or more `-----BEGIN CERTIFICATE-----` blocks.",
            Self::Proxy(_) => "Write it as http://host:port, with user:password@ before the host if it needs a login.",
            Self::Tls(_) => {
                "Install the system's CA certificates (Debian: ca-certificates), or configure `network.ca`."
            }
        })
    }
}

impl Clients {
    /// No client is made yet.
    pub fn new(settings: HttpSettings) -> Arc<Self> {
        Arc::new(Self { settings, made: Mutex::default() })
    }

    /// What the clients are made with.
    pub fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    /// The client for this trust.
    ///
    /// # Errors
    /// When settings are unusable or the machine has no certificate authorities.
    pub fn get(&self, trust: &Trust) -> Result<Client, HttpError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(trust) {
            return Ok(client.clone());
        }
        let client = client(&self.settings, trust)?;
        made.insert(trust.clone(), client.clone());
        Ok(client)
    }
}

/// Makes a client. Loading roots of trust costs some milliseconds: prefer [`Clients::get`].
///
/// Redirects: at most five, never from https to http; credentials are dropped when host, port or scheme change.
///
/// # Errors
/// When settings are unusable or the machine has no certificate authorities.
#[allow(clippy::disallowed_methods, reason = "the only maker of HTTP clients")]
pub fn client(settings: &HttpSettings, trust: &Trust) -> Result<Client, HttpError> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(settings.timeouts.connect)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(16)
        .redirect(if trust.stays { redirect::Policy::none() } else { redirect::Policy::custom(follow) })
        // Otherwise the library would read the environment itself.
        .no_proxy()
        .referer(false);
    if !trust.patient {
        builder = builder.read_timeout(settings.timeouts.idle);
    }
    for proxy in proxies(&settings.proxy)? {
        builder = builder.proxy(proxy);
    }
    builder = if trust.insecure {
        builder.tls_danger_accept_invalid_certs(true)
    } else if trust.plain {
        builder.tls_certs_only([])
    } else {
        builder.tls_certs_merge(authorities(settings, trust)?)
    };
    builder.build().map_err(|error| HttpError::Tls(innermost(&error)))
}

/// Within the bound and never down to plain http.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let downgrade =
        attempt.url().scheme() != "https" && attempt.previous().last().is_some_and(|from| from.scheme() == "https");
    if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("too many redirects")
    } else if downgrade {
        attempt.error("redirected from https to plain http")
    } else {
        attempt.follow()
    }
}

fn proxies(settings: &ProxySettings) -> Result<Vec<Proxy>, HttpError> {
    let direct = match &settings.no_proxy {
        Some(list) => format!("{list},{NEVER_PROXIED}"),
        None => NEVER_PROXIED.to_owned(),
    };
    let direct = NoProxy::from_string(&direct);
    let mut all = Vec::new();
    if let Some(url) = &settings.http {
        all.push(Proxy::http(url.as_str()).map_err(|_| HttpError::Proxy("http"))?.no_proxy(direct.clone()));
    }
    if let Some(url) = &settings.https {
        all.push(Proxy::https(url.as_str()).map_err(|_| HttpError::Proxy("https"))?.no_proxy(direct));
    }
    Ok(all)
}

/// The login in the address of a proxy, `user:password` as written, with or without `http://` before it.
pub fn proxy_login(address: &str) -> Option<&str> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[..end].rsplit_once('@').map(|(login, _)| login).filter(|login| !login.is_empty())
}

/// `host:port` in the address of a proxy.
pub fn proxy_host(address: &str) -> Option<String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    (!host.is_empty()).then(|| host.to_owned())
}

fn authorities(settings: &HttpSettings, trust: &Trust) -> Result<Vec<Certificate>, HttpError> {
    let mut all = Vec::new();
    for pem in settings.extra_ca_pem.iter().chain(&trust.ca_pem) {
        let found = Certificate::from_pem_bundle(pem).map_err(|_| HttpError::Ca)?;
        if found.is_empty() {
            return Err(HttpError::Ca);
        }
        all.extend(found);
    }
    Ok(all)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_are_named_without_their_secrets() {
        let with = |proxy: ProxySettings| {
            client(&HttpSettings { proxy, ..HttpSettings::default() }, &Trust { plain: true, ..Trust::default() })
        };
        let bad = ProxySettings { http: Some("http://user:hunter2@[bad".into()), ..ProxySettings::default() };
        assert_eq!(with(bad.clone()).err(), Some(HttpError::Proxy("http")));
        assert!(!format!("{bad:?}").contains("hunter2"));
        let good = ProxySettings { https: Some("proxy.example.com:3128".into()), ..ProxySettings::default() };
        assert!(with(good).is_ok());

        for pem in [&b""[..], b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let settings = HttpSettings { extra_ca_pem: vec![pem.to_vec()], ..HttpSettings::default() };
            assert!(client(&settings, &Trust::default()).is_err(), "{pem:?}");
        }
    }

    #[test]
    fn logins_are_seen_in_every_way_an_address_is_written() {
        for address in ["http://ada:pw@proxy:3128", "ada:pw@proxy:3128", "socks5h://ada:pw@proxy/"] {
            assert_eq!(proxy_login(address), Some("ada:pw"), "{address}");
            assert!(proxy_host(address).unwrap().starts_with("proxy"), "{address}");
        }
        assert_eq!(proxy_login("http://token@proxy"), Some("token"));
        for address in ["http://proxy:3128", "proxy", "http://proxy/a@b", "http://@proxy", ""] {
            assert_eq!(proxy_login(address), None, "{address}");
        }
    }

    #[test]
    fn one_client_for_each_trust() {
        let clients = Clients::new(HttpSettings::default());
        let plain = Trust { plain: true, ..Trust::default() };
        let insecure = Trust { insecure: true, ..Trust::default() };
        for _ in 0..3 {
            clients.get(&plain).unwrap();
            clients.get(&insecure).unwrap();
        }
        assert_eq!(clients.made.lock().unwrap().len(), 2);
    }
}
