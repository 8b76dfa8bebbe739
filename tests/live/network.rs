//! Registries behind a private CA, mirrors, private base images, proxies, a corporate CA, an engine over TLS: configured
//! once, and seen to reach our client, the builder and its RUN steps alike.

#[path = "../support/mod.rs"]
mod scenery;

use crate::support::sandbox::Sandbox;
use crate::support::{Finished, Registry};

use super::publish::small;
use scenery::tls_front::TlsFront;

/// A BuildKit container of this sandbox's own, and a target in a registry.
fn to(host: &str, dockerfile: &str, more: &str) -> Sandbox {
    let sandbox = small(Sandbox::new());
    let (id, host) = (sandbox.id.clone(), host.to_owned());
    let sandbox = if dockerfile.is_empty() { sandbox } else { sandbox.file("Dockerfile", dockerfile) };
    sandbox.config(&format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: hub, kind: registry, build: app, url: '{host}', path: 'live/{id}', tags: [latest]}}
build_cache: {{builder: {{image: '{{buildkit_image}}', name: 'sf-{id}'}}}}
{more}
"
    ))
}

/// The image stands in the registry behind.
fn published(sandbox: &Sandbox, run: &Finished) {
    let digest = sandbox.registry().digest(&format!("live/{}", sandbox.id), "latest");
    run.says(&[&digest]);
    assert_eq!(sandbox.result()["builds"][0]["digest"], digest);
}

#[test]
fn a_registry_behind_a_private_ca() {
    let front = TlsFront::start(&Sandbox::new().testbed.registry.replace("localhost", "127.0.0.1"));
    let host = &front.host;
    let sandbox = to(host, "", &format!("registries: {{'{host}': {{ca: certs/ca.pem}}}}")).docker();
    let sandbox = sandbox.file("certs/ca.pem", std::str::from_utf8(&front.ca_pem).unwrap());
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &run);
    sandbox.assert_tidy(&run);
}

#[test]
fn any_certificate_where_the_configuration_says_so() {
    let front = TlsFront::start(&Sandbox::new().testbed.registry.replace("localhost", "127.0.0.1"));
    let host = &front.host;
    let sandbox = to(host, "", &format!("registries: {{'{host}': {{insecure: true}}}}")).docker();
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &run);
    sandbox.assert_tidy(&run);
}
