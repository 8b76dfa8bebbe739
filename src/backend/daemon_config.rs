//! `buildkitd.toml` for a BuildKit container of ours: what the configuration says of registries, in the daemon's words
//! (`moby/buildkit` docs/buildkitd.toml.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::config::model::{Network, RegistrySettings};

/// The file, or `None` where nothing needs saying. `hosts` are the registries the run talks to: a corporate CA has to be
/// named for each, and for their mirrors.
pub(super) fn toml(
    registries: &BTreeMap<String, RegistrySettings>,
    network: &Network,
    hosts: &BTreeSet<String>,
    root: &Path,
) -> Option<String> {
    let mut names: BTreeSet<&str> = registries.keys().map(String::as_str).collect();
    if network.ca.is_some() {
        names.extend(hosts.iter().map(String::as_str));
        let mirrors = registries.values().flat_map(|settings| &settings.mirrors);
        // A mirror may be a path on a host.
        names.extend(mirrors.map(|mirror| mirror.split('/').next().unwrap_or(mirror)));
    }
    let mut text = String::new();
    for name in names {
        let settings = registries.get(name).cloned().unwrap_or_default();
        let _ = writeln!(text, "[registry.{}]", string(name));
        if settings.http {
            text.push_str("  http = true\n");
        } else if settings.insecure || settings.ca.is_some() {
            // Who speaks of certificates means TLS, on this very machine too, where the daemon would try plain http first.
            text.push_str("  http = false\n");
        }
        if settings.insecure {
            text.push_str("  insecure = true\n");
        }
        if !settings.mirrors.is_empty() {
            let _ = writeln!(
                text,
                "  mirrors = [{}]",
                settings.mirrors.iter().map(|m| string(m)).collect::<Vec<_>>().join(", ")
            );
        }
        let cas: Vec<_> = [&settings.ca, &network.ca]
            .into_iter()
            .flatten()
            .map(|ca| string(&root.join(ca).display().to_string()))
            .collect();
        if !cas.is_empty() {
            let _ = writeln!(text, "  ca = [{}]", cas.join(", "));
        }
    }
    (!text.is_empty()).then_some(text)
}

/// A TOML basic string.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_and_the_corporate_ca_are_said_in_the_daemons_words() {
        let settings = RegistrySettings { http: true, mirrors: vec!["m:5000/hub".into()], ..Default::default() };
        let tls = RegistrySettings { ca: Some("tls.pem".into()), ..Default::default() };
        let registries = BTreeMap::from([("r.corp:5000".to_owned(), settings), ("localhost:5443".to_owned(), tls)]);
        let network = Network { ca: Some("certs/\"corp\".pem".into()), ..Default::default() };
        let hosts = BTreeSet::from(["docker.io".to_owned()]);
        let text = toml(&registries, &network, &hosts, Path::new("/w")).unwrap();
        insta::assert_snapshot!(text, @r#"
        [registry."docker.io"]
          ca = ["/w/certs/\"corp\".pem"]
        [registry."localhost:5443"]
          http = false
          ca = ["/w/tls.pem", "/w/certs/\"corp\".pem"]
        [registry."m:5000"]
          ca = ["/w/certs/\"corp\".pem"]
        [registry."r.corp:5000"]
          http = true
          mirrors = ["m:5000/hub"]
          ca = ["/w/certs/\"corp\".pem"]
        "#);
        assert_eq!(toml(&BTreeMap::new(), &Network::default(), &hosts, Path::new("/w")), None);
    }
}
