//! The network as the configuration and the environment describe it: certificates read from their files, proxies, and the
//! secrets in their addresses. Sends nothing; of a file named as a certificate only certificates leave this module, for
//! whoever wrote the configuration may not be trusted with our files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::config::model::{Config, RegistrySettings};
use crate::environment::Vars;
use crate::http::{HttpSettings, ProxySettings, Timeouts};
use crate::plan::Plan;
use crate::problem::Problem;
use crate::request::Request;
use crate::runner::Trust;
use crate::secret::Secret;

/// Id of the build secret that holds the certificate authorities of this network.
pub const CA_SECRET: &str = "ca-certificates";
/// BuildKit takes no larger secret (`moby/buildkit` session/secrets/secretsprovider: 500 KiB).
const SECRET_LIMIT: usize = 500 << 10;
/// Largest file that is read as certificates.
const FILE_LIMIT: u64 = 1 << 20;
/// Where systems keep the authorities they trust, as one file: Debian and Alpine, Fedora, SUSE, others.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What is known of the network.
#[derive(Debug)]
pub(super) struct Network {
    /// Settings of registries, with their CA as PEM.
    pub(super) registries: BTreeMap<String, (RegistrySettings, Option<Vec<u8>>)>,
    /// For HTTP clients.
    pub(super) http: HttpSettings,
    /// What a RUN step should trust, where a corporate CA is configured.
    pub(super) bundle: Option<Vec<u8>>,
    /// What our children should trust, where any CA is configured: buildx itself fetches the tokens of registries.
    pub(super) children: Option<Vec<u8>>,
}

/// Reads it. Files that cannot be used are told together.
pub(super) fn read(request: &Request, problems: &mut Vec<Problem>) -> Network {
    let (config, root) = (&request.config, &request.source.root);
    let mut certificates = |path: &Option<String>, key: &str| {
        let path = path.as_deref()?;
        let hint = format!("give a file with one or more `-----BEGIN CERTIFICATE-----` blocks in {key}");
        let told = |why: &str| Problem::new(format!("{key}: {path} {why}")).hint(hint.clone());
        match read_bounded(&root.join(path)) {
            Ok(bytes) => {
                let found = only_certificates(&bytes);
                if found.is_none() {
                    problems.push(told("holds no certificate that can be read"));
                }
                found
            }
            Err(error) => {
                problems.push(told(&format!("cannot be read: {error}")));
                None
            }
        }
    };
    let mut registries = BTreeMap::new();
    for (host, settings) in &config.registries {
        let ca = certificates(&settings.ca, &format!("registries.{host}.ca"));
        registries.insert(host.clone(), (settings.clone(), ca));
    }
    let ours = certificates(&config.network.ca, "network.ca");
    let all: Vec<u8> = registries.values().filter_map(|(_, ca)| ca.as_ref()).chain(&ours).flatten().copied().collect();
    let system =
        if all.is_empty() { None } else { system(request.vars.get("SSL_CERT_FILE").into_iter().chain(SYSTEM)) };
    let children = (!all.is_empty()).then(|| [all.as_slice(), system.as_deref().unwrap_or_default()].concat());
    let bundle = ours.as_ref().map(|ours| bundle(ours, system.as_deref()));
    let http = HttpSettings {
        extra_ca_pem: ours.into_iter().collect(),
        proxy: proxies(config, &request.vars),
        timeouts: config.network.timeout.map(|timeout| Timeouts::silent_for(timeout.0)).unwrap_or_default(),
    };
    Network { registries, http, bundle, children }
}

/// How the forge's API is reached. A run for somebody else's code does not obey that code's configuration here: its CA and its proxy
/// would see the token. Files that cannot be used are told by [`read`].
pub(super) fn of_forge(request: &Request) -> HttpSettings {
    let trusted = request.context.trust == Trust::Trusted;
    let ours = request.config.network.ca.as_deref().filter(|_| trusted);
    let ours = ours.map(|path| request.source.root.join(path));
    // GitLab's runner hands out the authority of a server that has one of its own.
    let of_server = request.vars.get("CI_SERVER_TLS_CA_FILE").map(|path| request.source.root.join(path));
    let files = ours.into_iter().chain(of_server);
    let proxy =
        if trusted { proxies(&request.config, &request.vars) } else { proxies(&Config::default(), &request.vars) };
    HttpSettings {
        extra_ca_pem: files.filter_map(|path| only_certificates(&read_bounded(&path).ok()?)).collect(),
        proxy,
        timeouts: Timeouts::default(),
    }
}

/// Proxies of the configuration, else those of the environment, in either case of letters.
pub(super) fn proxies(config: &Config, vars: &Vars) -> ProxySettings {
    let proxy = &config.network.proxy;
    let or_env = |configured: &Option<String>, name: &str| {
        let lower = name.to_ascii_lowercase();
        configured.clone().or_else(|| vars.get(name).or_else(|| vars.get(&lower)).map(str::to_owned))
    };
    ProxySettings {
        http: or_env(&proxy.http, "HTTP_PROXY"),
        https: or_env(&proxy.https, "HTTPS_PROXY"),
        no_proxy: or_env(&proxy.no_proxy, "NO_PROXY"),
    }
}

/// Passwords that stand in the addresses of proxies, as written and as meant: for the redactor.
pub(super) fn proxy_secrets(configured: Option<&Config>, vars: &Vars) -> Vec<Secret> {
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let proxy = configured.map(|config| &config.network.proxy);
    let written = proxy.into_iter().flat_map(|proxy| [&proxy.http, &proxy.https]).flatten().map(String::as_str);
    let addresses = written.chain(names.into_iter().filter_map(|name| vars.get(name)));
    addresses
        .filter_map(crate::http::proxy_login)
        .flat_map(|login| {
            let password = login.split_once(':').map_or(login, |(_, password)| password);
            let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
            [Secret::new(password), Secret::new(&decoded)]
        })
        .collect()
}

/// BuildKit writes all build arguments into provenance with `mode=max`, and the addresses of proxies travel as such. That is
/// worth a note, and with a login in one of them a mistake.
pub(super) fn recorded(plan: &Plan, proxy: &ProxySettings, users: Option<&Value>) -> Option<Result<Problem, Problem>> {
    let step = plan.steps.iter().find(|step| step.provenance.contains("max"))?;
    let of_users = users.and_then(|config| config["proxies"].as_object());
    let of_users = of_users.into_iter().flat_map(|hosts| hosts.values()).filter_map(Value::as_object).flatten();
    let of_users = of_users.filter(|(name, _)| *name != "noProxy").filter_map(|(_, address)| address.as_str());
    let mut addresses =
        [&proxy.http, &proxy.https].into_iter().flatten().map(String::as_str).chain(of_users).peekable();
    addresses.peek()?;
    let what = format!("provenance with mode=max (build {}) records the address of the proxy", step.id);
    let hint = "use `provenance: mode=min`, which does not";
    Some(match addresses.any(|address| crate::http::proxy_login(address).is_some()) {
        true => Err(Problem::new(format!("{what}, and that address holds a login")).hint(hint)),
        false => Ok(Problem::new(what).hint(hint)),
    })
}

/// Our authorities and, if the whole fits into a secret, those this machine trusts: what a RUN step mounts takes the place
/// of what its image trusts.
fn bundle(ours: &[u8], system: Option<&[u8]>) -> Vec<u8> {
    let system = system.filter(|system| system.len() + ours.len() <= SECRET_LIMIT);
    [ours, system.unwrap_or_default()].concat()
}

/// The authorities of the first of these files that holds any.
fn system<'a>(mut files: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    files.find_map(|path| only_certificates(&read_bounded(Path::new(path)).ok()?))
}

/// The certificates of a PEM file written anew; `None` if there are none, or one of them is damaged.
fn only_certificates(pem: &[u8]) -> Option<Vec<u8>> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().ok()?;
    let mut text = String::new();
    for der in &certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(der);
        for line in encoded.as_bytes().chunks(64) {
            let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    (!text.is_empty()).then(|| text.into_bytes())
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";

    #[test]
    fn only_certificates_leave_a_file() {
        let text = |pem: &str| only_certificates(pem.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(text(PEM).as_deref(), Some(PEM));
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        assert_eq!(text(&format!("password=1\n{key}{PEM}")).as_deref(), Some(PEM));
        for nothing in ["", "root:x:0:0", key, "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n"] {
            assert_eq!(text(nothing), None, "{nothing}");
        }
        let long = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "A".repeat(160));
        assert_eq!(text(&long).unwrap().lines().map(str::len).max(), Some(64));
    }

    #[test]
    fn the_bundle_holds_the_systems_authorities_where_they_fit() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (none, there) = (at("none", "nothing"), at("system", PEM));
        assert_eq!(system(["/no/such/file", &none, &there].into_iter()).as_deref(), Some(PEM.as_bytes()));
        assert_eq!(system([none.as_str()].into_iter()), None);
        assert_eq!(bundle(b"ours\n", Some(PEM.as_bytes())), format!("ours\n{PEM}").into_bytes());
        assert_eq!(bundle(b"ours\n", Some(PEM.repeat(9000).as_bytes())), b"ours\n");
        assert_eq!(bundle(b"ours\n", None), b"ours\n");
    }

    #[test]
    fn passwords_of_proxies_are_known_to_the_redactor() {
        let pairs = [("https_proxy", "corp\\ada:p%40ss@proxy:3128"), ("HTTP_PROXY", "http://proxy:3128")];
        let vars: Vars = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut config = Config::default();
        config.network.proxy.http = Some("http://bob:hunter2@proxy".into());
        let secrets = proxy_secrets(Some(&config), &vars);
        let revealed: Vec<_> = secrets.iter().map(Secret::reveal).collect();
        assert_eq!(revealed, ["hunter2", "hunter2", "p%40ss", "p@ss"]);
    }
}
