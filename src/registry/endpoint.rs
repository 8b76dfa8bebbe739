//! Where a registry's API is, given its name in images.

use url::Url;

use crate::image::reference::{DOCKER_HUB, is_loopback};

/// What a registry needs beyond its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Speak plain http.
    pub http: bool,
    /// Accept any certificate.
    pub insecure: bool,
    /// PEM with the authority of its certificate.
    pub ca_pem: Option<Vec<u8>>,
}

/// The API's base address, ending in `/`. Plain http where settings say so, and on this machine itself unless they
/// speak of certificates.
pub(super) fn base(host: &str, settings: &HostSettings) -> Option<Url> {
    let tls_meant = settings.insecure || settings.ca_pem.is_some();
    let scheme = if settings.http || (is_loopback(host) && !tls_meant) { "http" } else { "https" };
    // Docker Hub's API lives elsewhere than its name says.
    let host = if host == DOCKER_HUB { "registry-1.docker.io" } else { host };
    Url::parse(&format!("{scheme}://{host}/")).ok()
}

/// Whether an address belongs to the same server, so that credentials may go there.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("localhost:5000", HostSettings::default(), "http://localhost:5000/")]
    #[case("127.0.0.1", HostSettings::default(), "http://127.0.0.1/")]
    #[case("[::1]:5000", HostSettings::default(), "http://[::1]:5000/")]
    #[case("localhost:5000", HostSettings { insecure: true, ..HostSettings::default() }, "https://localhost:5000/")]
    #[case("reg.lan", HostSettings { http: true, ..HostSettings::default() }, "http://reg.lan/")]
    #[case("reg.lan:443", HostSettings::default(), "https://reg.lan/")]
    #[case("127.0.0.1.example.com", HostSettings::default(), "https://127.0.0.1.example.com/")]
    #[case("docker.io", HostSettings::default(), "https://registry-1.docker.io/")]
    fn a_name_has_an_address(#[case] host: &str, #[case] settings: HostSettings, #[case] url: &str) {
        assert_eq!(base(host, &settings).unwrap().as_str(), url);
    }

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        let url = |s: &str| Url::parse(s).unwrap();
        let home = url("https://reg.example.com/v2/");
        assert!(same_origin(&home, &url("https://REG.example.com:443/x?y")));
        for other in ["http://reg.example.com/", "https://reg.example.com:8443/", "https://evil.example.com/"] {
            assert!(!same_origin(&home, &url(other)), "{other}");
        }
    }
}
