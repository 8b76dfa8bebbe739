//! What the configuration says of the network and this builder cannot be told: a daemon that is not ours is configured by
//! whoever runs it. Silence would leave a person looking for a mistake in a file that has none. Pure.

use super::builder::{Driver, Surroundings};
use super::daemon_config;
use crate::config::model::RegistrySettings;
use crate::problem::Problem;

/// One note for each thing the builder's owner has to configure.
pub(super) fn notes(driver: Driver, endpoint: &str, around: Surroundings<'_>) -> Vec<Problem> {
    let (who, how) = match driver {
        // A container of ours is given all of it.
        Driver::Container => return Vec::new(),
        Driver::Remote => {
            (format!("the BuildKit daemon at {endpoint}"), "its buildkitd.toml needs, with paths on its machine")
        }
        Driver::Existing => ("a builder made by somebody else".to_owned(), "its buildkitd.toml needs"),
        Driver::Engine => return of_engine(endpoint, around),
    };
    let registries = relevant(around, |settings, pulled| {
        // Pushes are told by an option of the exporter that they may be insecure.
        let lax = pulled && (settings.http || settings.insecure);
        lax || settings.ca.is_some() || !settings.mirrors.is_empty()
    });
    let mut notes = Vec::new();
    if let Some(text) = daemon_config::toml(&registries, around.network, around.hosts, std::path::Path::new("")) {
        let what = format!(
            "registries and network.ca of the configuration do not reach {who}, which is not ours to configure"
        );
        notes.push(Problem::new(what).hint(format!("{how}: {}", in_one_line(&text))));
    }
    let proxy = &around.network.proxy;
    if proxy.http.is_some() || proxy.https.is_some() {
        let what = format!("network.proxy reaches RUN steps and our own requests, not {who}");
        notes.push(Problem::new(what).hint("start it with HTTP_PROXY, HTTPS_PROXY and NO_PROXY in its environment if it needs the proxy to reach registries"));
    }
    notes
}

/// `[table] key = …, key = …; [table] …`: a hint is a line.
fn in_one_line(toml: &str) -> String {
    let tables = toml.split("\n[").map(|table| {
        let (name, keys) = table.split_once('\n').unwrap_or((table, ""));
        format!("{name} {}", keys.lines().map(str::trim).collect::<Vec<_>>().join(", "))
    });
    tables.collect::<Vec<_>>().join("; [")
}

/// The engine's own BuildKit pulls by the engine's settings; what is pushed goes through our client.
fn of_engine(endpoint: &str, around: Surroundings<'_>) -> Vec<Problem> {
    let registries = relevant(around, |_, pulled| pulled);
    let hosts: Vec<_> = registries.keys().map(String::as_str).collect();
    if hosts.is_empty() && around.network.ca.is_none() {
        return Vec::new();
    }
    let named = if hosts.is_empty() { "network.ca".to_owned() } else { format!("`registries` ({})", hosts.join(", ")) };
    let what = format!("what {named} says does not reach the BuildKit of the docker engine at {endpoint}");
    let hint = "give the engine `registry-mirrors` and `insecure-registries` in its daemon.json and CAs in /etc/docker/certs.d/HOST/ca.crt, or use the docker-container driver (build_cache.builder.driver)";
    vec![Problem::new(what).hint(hint)]
}

/// The settings of registries this run has to do with, where they matter.
fn relevant(
    around: Surroundings<'_>,
    matters: impl Fn(&RegistrySettings, bool) -> bool,
) -> std::collections::BTreeMap<String, RegistrySettings> {
    let known = around.registries.iter().filter(|(host, _)| around.hosts.contains(*host));
    known
        .filter(|(host, settings)| {
            let special = RegistrySettings { credentials: None, ..(*settings).clone() } != RegistrySettings::default();
            special && matters(settings, around.pulls.contains(*host))
        })
        .map(|(host, settings)| (host.clone(), settings.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;
    use crate::config::model::Network;
    use crate::http::ProxySettings;

    fn said(driver: Driver, network: &Network) -> String {
        let plain = RegistrySettings { http: true, ..Default::default() };
        let private = RegistrySettings { ca: Some("ca.pem".into()), ..Default::default() };
        let mirrored = RegistrySettings { mirrors: vec!["m:5000".into()], ..Default::default() };
        let login = RegistrySettings { credentials: Some("X".into()), ..Default::default() };
        let named = [("push.lan", plain.clone()), ("pull.lan", plain), ("tls.lan", private), ("docker.io", mirrored)];
        let unused = ("unused.lan", RegistrySettings { insecure: true, ..Default::default() });
        let registries: BTreeMap<_, _> =
            named.into_iter().chain([unused, ("login.lan", login)]).map(|(k, v)| (k.to_owned(), v)).collect();
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let around = Surroundings {
            registries: &registries,
            network,
            proxy: &ProxySettings::default(),
            hosts: &set(&["push.lan", "pull.lan", "tls.lan", "docker.io", "login.lan"]),
            pulls: &set(&["pull.lan", "docker.io", "login.lan"]),
            certificates: &[],
            root: Path::new("/w"),
        };
        let notes = notes(driver, "tcp://b:1234", around);
        notes.iter().map(|n| format!("{}\n  {}\n", n.what, n.hint.as_deref().unwrap_or_default())).collect()
    }

    #[test]
    fn what_a_daemon_must_be_told_by_its_owner() {
        insta::assert_snapshot!(said(Driver::Remote, &Network::default()), @r#"
        registries and network.ca of the configuration do not reach the BuildKit daemon at tcp://b:1234, which is not ours to configure
          its buildkitd.toml needs, with paths on its machine: [registry."docker.io"] mirrors = ["m:5000"]; [registry."pull.lan"] http = true; [registry."tls.lan"] http = false, ca = ["ca.pem"]
        "#);
        let mut network = Network { ca: Some("corp.pem".into()), ..Network::default() };
        network.proxy.https = Some("http://proxy:3128".into());
        insta::assert_snapshot!(said(Driver::Existing, &network), @r#"
        registries and network.ca of the configuration do not reach a builder made by somebody else, which is not ours to configure
          its buildkitd.toml needs: [registry."docker.io"] mirrors = ["m:5000"], ca = ["corp.pem"]; [registry."login.lan"] ca = ["corp.pem"]; [registry."m:5000"] ca = ["corp.pem"]; [registry."pull.lan"] http = true, ca = ["corp.pem"]; [registry."push.lan"] ca = ["corp.pem"]; [registry."tls.lan"] http = false, ca = ["ca.pem", "corp.pem"]
        network.proxy reaches RUN steps and our own requests, not a builder made by somebody else
          start it with HTTP_PROXY, HTTPS_PROXY and NO_PROXY in its environment if it needs the proxy to reach registries
        "#);
        insta::assert_snapshot!(said(Driver::Engine, &Network::default()), @"
        what `registries` (docker.io, pull.lan) says does not reach the BuildKit of the docker engine at tcp://b:1234
          give the engine `registry-mirrors` and `insecure-registries` in its daemon.json and CAs in /etc/docker/certs.d/HOST/ca.crt, or use the docker-container driver (build_cache.builder.driver)
        ");
        assert_eq!(said(Driver::Container, &network), "");
    }
}
