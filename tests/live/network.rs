//! Registries behind a private CA, mirrors, private base images, proxies, a corporate CA, an engine over TLS: configured
//! once, and seen to reach our client, the builder and its RUN steps alike.

use base64::Engine as _;

use crate::support::extras::{PrivateBuildkitd, PrivateRegistry, copied_certs, strangers_certs};
use crate::support::sandbox::Sandbox;
use crate::support::{Engine, Finished, Registry, Testbed};

use super::publish::small;
use crate::scenery::fault_proxy::FaultProxy;
use crate::scenery::forward_proxy::ForwardProxy;
use crate::scenery::tls_front::TlsFront;

/// A name that means nothing but to a proxy of ours.
const FAR: &str = "registry.corp.example:8443";

/// A BuildKit container of the sandbox's own, and a target in a registry.
fn to(host: &str, more: &str) -> Sandbox {
    let sandbox = small(Sandbox::new());
    let id = sandbox.id.clone();
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

fn ip(host: &str) -> String {
    host.replace("localhost", "127.0.0.1")
}

/// The image stands in the registry behind, and the run says so.
fn published(sandbox: &Sandbox, behind: &str, run: &Finished) -> serde_json::Value {
    let registry = Registry::new(behind);
    let repository = format!("live/{}", sandbox.id);
    let digest = registry.digest(&repository, "latest");
    run.says(&[&digest]);
    assert_eq!(sandbox.result()["builds"][0]["digest"], digest);
    sandbox.assert_tidy(run);
    registry.config(&repository, "latest")
}

#[test]
fn a_registry_behind_a_private_ca() {
    let registry = PrivateRegistry::start(&[]);
    let front = TlsFront::start(&ip(&registry.host));
    let host = &front.host;
    let sandbox = to(host, &format!("registries: {{'{host}': {{ca: certs/ca.pem}}}}")).docker();
    let sandbox = sandbox.file("certs/ca.pem", std::str::from_utf8(&front.ca_pem).unwrap());
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &registry.host, &run);
}

#[test]
fn tokens_of_a_registry_behind_a_private_ca() {
    let registry = PrivateRegistry::start(&[]);
    let server = FaultProxy::start(&ip(&registry.host), []);
    let server = server.with_tokens("ada", "t0ken-pass", std::time::Duration::from_secs(300));
    let front = TlsFront::start(server.host());
    server.tokens_at(&format!("https://{}", front.host));
    let host = &front.host;
    let sandbox = to(host, &format!("registries: {{'{host}': {{ca: ca.pem, credentials: ADA}}}}")).docker();
    let sandbox = sandbox.file("ca.pem", std::str::from_utf8(&front.ca_pem).unwrap());
    let sandbox = sandbox.var("ADA_USER", "ada").secret("ADA_TOKEN", "t0ken-pass");
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &registry.host, &run);
    let ours = |agent: Option<&str>| agent.is_some_and(|agent| agent.starts_with("stagefreight/"));
    let builders = server.seen().iter().filter(|s| s.path == "/token" && !ours(s.user_agent.as_deref())).count();
    assert!(builders > 0, "{:?}", server.seen());
}

#[test]
fn any_certificate_where_the_configuration_says_so() {
    let registry = PrivateRegistry::start(&[]);
    let front = TlsFront::start(&ip(&registry.host));
    let host = &front.host;
    let sandbox = to(host, &format!("registries: {{'{host}': {{insecure: true}}}}")).docker();
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &registry.host, &run);
}

#[test]
fn a_certificate_file_that_is_none_is_told_before_the_build() {
    let sandbox =
        to("reg.example", "registries: {'reg.example': {ca: Dockerfile}}\nnetwork: {ca: no/such.pem}").docker();
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["registries.reg.example.ca: Dockerfile holds no certificate", "network.ca: no/such.pem cannot be read"]);
    sandbox.assert_tidy(&run);
}

/// A registry that only a proxy leads to, its certificate known to those who have the corporate CA.
struct Company {
    registry: PrivateRegistry,
    front: TlsFront,
    proxy: ForwardProxy,
}

impl Company {
    fn new(login: Option<&str>) -> Self {
        let registry = PrivateRegistry::start(&[]);
        let front = TlsFront::named("registry.corp.example", &ip(&registry.host));
        let proxy = ForwardProxy::start(&[(FAR, &front.host)], login);
        Self { registry, front, proxy }
    }

    /// Its CA in the checkout.
    fn known_to(&self, sandbox: Sandbox) -> Sandbox {
        sandbox.file("corp.pem", std::str::from_utf8(&self.front.ca_pem).unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}", self.proxy.host)
    }
}

#[test]
fn a_company_with_a_proxy_and_a_ca_of_its_own() {
    let company = Company::new(None);
    let url = company.url();
    let sandbox = to(
        FAR,
        &format!(
            "registries: {{docker.io: {{mirrors: ['{{registry}}']}}}}\nnetwork: {{ca: corp.pem, proxy: {{https: '{url}', no_proxy: 'internal.example'}}}}"
        ),
    );
    let sandbox = company.known_to(sandbox).docker().file(
        "Dockerfile",
        "FROM busybox
RUN echo \"$https_proxy $HTTPS_PROXY $NO_PROXY\" | sha256sum > /proxies
RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt grep -c BEGIN /etc/ssl/certs/ca-certificates.crt > /authorities; sha256sum < /etc/ssl/certs/ca-certificates.crt >> /authorities
CMD [\"sh\", \"-c\", \"cat /proxies /authorities; ls -A /etc/ssl/certs 2>/dev/null; true\"]
",
    );
    let run = sandbox.run(&["run"]).succeeds();
    let config = published(&sandbox, &company.registry.host, &run);
    assert!(company.proxy.count("CONNECT", FAR, "stagefreight/") > 0, "ours: {:?}", company.proxy.seen());
    assert!(company.proxy.count("CONNECT", FAR, "Go-http-client") > 0, "the builder: {:?}", company.proxy.seen());
    let text = config.to_string();
    for trace in [&url, "internal.example", "HTTPS_PROXY=", "CERTIFICATE"] {
        assert!(!text.contains(trace), "{trace} stands in the image: {text}");
    }

    // What the RUN steps saw, and what is left of it.
    let from = format!("{}/live/{}:latest", company.registry.host, sandbox.id);
    let engine = Engine::new(&sandbox.testbed.docker_host);
    let said = engine.run(&from, &[]);
    engine.remove_image(&from);
    let mut lines = said.lines();
    use sha2::Digest as _;
    let expected = hex::encode(sha2::Sha256::digest(format!("{url} {url} internal.example\n")));
    assert_eq!(lines.next().unwrap().split(' ').next(), Some(expected.as_str()), "{said}");
    let authorities: usize = lines.next().unwrap().parse().unwrap();
    assert!(authorities > 1, "the system's too: {said}");
    assert_eq!(lines.count(), 1, "nothing is left of the secret: {said}");

    // Another proxy: the builder of this name keeps the old one, which is told; made anew, it builds no layer again.
    let other = ForwardProxy::start(&[(FAR, &company.front.host)], None);
    let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let sandbox = sandbox.file(".stagefreight.yml", &text.replace(&company.proxy.host, &other.host));
    let container = sandbox.builder_container();
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&[&container, "other settings", "docker rm --force"]);
    Testbed::tool("docker", &["--host", &sandbox.testbed.docker_host, "rm", "--force", &container]);
    let run = sandbox.run(&["run"]).succeeds();
    run.is_silent_about(&["other settings"]);
    assert!(other.count("CONNECT", FAR, "Go-http-client") > 0, "{:?}", other.seen());
    let layers = sandbox.result()["builds"][0]["layers"].clone();
    let steps = layers.as_array().unwrap().iter().filter(|l| l["instruction"] == "RUN");
    assert!(steps.clone().count() == 2 && steps.clone().all(|l| l["cached"] == true), "{layers}");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_stranger_to_the_company_is_told_what_is_missing() {
    let company = Company::new(None);
    let sandbox = to(FAR, &format!("network: {{proxy: {{https: '{}'}}}}", company.url())).docker();
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["no trusted TLS connection", "registries: registry.corp.example:8443: ca:"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_daemon_of_somebody_elses_is_not_configured_and_we_say_so() {
    let company = Company::new(None);
    let daemon = PrivateBuildkitd::start_with(&[("HTTPS_PROXY", &company.url()), ("HTTP_PROXY", &company.url())]);
    let more = format!("registries: {{docker.io: {{mirrors: ['m.example:5000']}}, '{FAR}': {{insecure: true}}}}");
    let sandbox = to(FAR, &more).file("Dockerfile", "FROM busybox\nRUN true\n").buildkitd();
    let sandbox = sandbox.var("BUILDKIT_HOST", &daemon.host).var("HTTPS_PROXY", &company.url());
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&["buildkitd.toml", "[registry.\"docker.io\"] mirrors = [\"m.example:5000\"]"]);
    published(&sandbox, &company.registry.host, &run);

    // With the CA instead: the daemon does not have it, which is told, with the cure.
    let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let text = text.replace("insecure: true", "ca: corp.pem");
    let sandbox = company.known_to(sandbox).file(".stagefreight.yml", &text);
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["does not trust the certificate", FAR, "buildkitd.toml", "ca = [\"corp.pem\"]"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_daemon_pushes_to_a_plain_registry_of_any_name() {
    let registry = PrivateRegistry::start(&[]);
    let plain = "plain.corp.example:5000";
    let proxy = ForwardProxy::start(&[(plain, &registry.host)], None);
    let url = format!("http://{}", proxy.host);
    let daemon = PrivateBuildkitd::start_with(&[("HTTP_PROXY", &url), ("HTTPS_PROXY", &url)]);
    let sandbox = to(plain, &format!("registries: {{'{plain}': {{http: true}}}}")).buildkitd();
    let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let text = text.replace("build_cache: {", "build_cache: {mode: shared, external: {target: hub}, ");
    let sandbox = sandbox.file(".stagefreight.yml", &text);
    let sandbox = sandbox.var("BUILDKIT_HOST", &daemon.host).var("http_proxy", &url);
    let run = sandbox.run(&["run"]).succeeds();
    let tags = Registry::new(&registry.host).tags(&format!("live/{}", sandbox.id));
    assert!(tags.iter().any(|tag| tag.starts_with("cache-")), "its cache too: {tags:?}");
    published(&sandbox, &registry.host, &run);
    assert!(proxy.count("PUT", plain, "stagefreight/") > 0, "ours puts the tag: {:?}", proxy.seen());
    assert!(proxy.count("PUT", plain, "") > proxy.count("PUT", plain, "stagefreight/"), "{:?}", proxy.seen());
}

#[test]
fn a_mirror_is_asked_first() {
    let sandbox = Sandbox::new();
    let mirror = FaultProxy::start(&ip(&sandbox.testbed.registry), []);
    let registry = sandbox.testbed.registry.clone();
    let sandbox = to(&registry, &format!("registries: {{docker.io: {{mirrors: ['{}']}}}}", mirror.host()))
        .file("Dockerfile", "FROM busybox\nRUN true\n")
        .docker();
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &registry, &run);
    assert!(
        mirror.count("HEAD", "/library/busybox/manifests/") + mirror.count("GET", "/library/busybox/manifests/") > 0
    );
    assert!(mirror.count("GET", "/library/busybox/blobs/") > 0, "{:?}", mirror.seen());
}

/// A base image in the registry with a password; nothing else of the run is there.
fn private_base(settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let base = format!("live/{}/base:1", sandbox.id);
    let testbed = sandbox.testbed.clone();
    copy_busybox(&testbed, &base);
    let (id, registry) = (sandbox.id.clone(), testbed.registry);
    sandbox.file("Dockerfile", &format!("FROM {}/{base}\nRUN true\n", testbed.registry_auth)).config(&format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: hub, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}}
build_cache: {{builder: {{image: '{{buildkit_image}}', name: 'sf-{id}'}}}}
{settings}
"
    ))
}

fn copy_busybox(testbed: &Testbed, to: &str) {
    let (from, to) =
        (format!("{}/library/busybox:latest", testbed.registry), format!("{}/{to}", testbed.registry_auth));
    let dir = tempfile::tempdir().unwrap();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", testbed.user, testbed.password));
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, testbed.registry_auth);
    std::fs::write(dir.path().join("config.json"), config).unwrap();
    let dir = format!("DOCKER_CONFIG={}", dir.path().display());
    Testbed::tool("env", &[&dir, "crane", "copy", "--insecure", &from, &to]);
}

#[test]
fn a_private_base_image_with_the_login_of_its_registry() {
    for backend in [Sandbox::buildkitd, Sandbox::docker] {
        let sandbox = backend(private_base("registries: {'{registry_auth}': {credentials: BASE}}"));
        let testbed = sandbox.testbed.clone();
        let sandbox = sandbox.var("BASE_USER", &testbed.user).secret("BASE_TOKEN", &testbed.password);
        let run = sandbox.run(&["run"]).succeeds();
        published(&sandbox, &testbed.registry, &run);
    }
}

#[test]
fn a_private_base_image_with_dockers_own_login() {
    let sandbox = private_base("").docker();
    let testbed = sandbox.testbed.clone();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", testbed.user, testbed.password));
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, testbed.registry_auth);
    // Outside the sandbox, so that the search for leftovers does not find what we put there.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), config).unwrap();
    let sandbox = sandbox.hidden(&auth).var("DOCKER_CONFIG", dir.path().to_str().unwrap());
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &testbed.registry, &run);
}

#[test]
fn a_private_base_image_without_a_login_is_told() {
    let sandbox = private_base("").docker();
    let base = format!("{}/live/{}/base:1", sandbox.testbed.registry_auth, sandbox.id);
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&[&format!("image `{base}` may not be pulled"), "credentials", "Dockerfile:1"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn the_password_of_a_proxy_stays_with_those_who_need_it() {
    let company = Company::new(Some("ada:pr0xy-p%40ss"));
    let proxy = format!("http://ada:pr0xy-p%40ss@{}", company.proxy.host);
    let sandbox = company.known_to(to(FAR, "network: {ca: corp.pem}")).on("github-push").buildkitd();
    let sandbox = sandbox
        .file("Dockerfile", "FROM busybox\nRUN env | grep -i proxy; env | grep -i https_proxy | sha256sum > /seen\n");
    let registry = sandbox.testbed.registry.clone();
    let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap().replace(FAR, &registry);
    let sandbox = sandbox.file(".stagefreight.yml", &text).secret("HTTPS_PROXY", &proxy).hidden("pr0xy-p");
    for provenance in ["false", "mode=min"] {
        let run = sandbox.run(&["run", "--verbose", "--provenance", provenance, "--no-cache"]).succeeds();
        run.says(&["HTTPS_PROXY=", "***"]);
        sandbox.assert_tidy(&run);
        let manifest = Registry::new(&registry).manifest(&format!("live/{}", sandbox.id), "latest").unwrap();
        for blob in blobs(&Registry::new(&registry), &format!("live/{}", sandbox.id), &manifest.body) {
            let at = blob.find("pr0xy-p").map(|at| &blob[at.saturating_sub(300)..]);
            assert_eq!(at, None, "{provenance}");
        }
    }
    // BuildKit would write it down.
    let run = sandbox.run(&["run", "--provenance", "mode=max"]).exits(1);
    run.says(&["records the address of the proxy, and that address holds a login", "mode=min"]);
    sandbox.assert_tidy(&run);
}

/// Every document below a manifest or index that is text.
fn blobs(registry: &Registry, repository: &str, manifest: &serde_json::Value) -> Vec<String> {
    let mut found = vec![manifest.to_string()];
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        let child = registry.manifest(repository, child["digest"].as_str().unwrap()).unwrap();
        found.extend(blobs(registry, repository, &child.body));
    }
    let layers = manifest["layers"].as_array().into_iter().flatten().chain([&manifest["config"]]);
    for digest in layers.filter_map(|layer| layer["digest"].as_str()) {
        found.push(String::from_utf8_lossy(&registry.blob(repository, digest).unwrap()).into_owned());
    }
    found
}

#[test]
fn a_builder_container_is_not_started_with_a_password_in_its_settings() {
    let company = Company::new(Some("ada:pr0xy-pass"));
    let proxy = format!("ada:pr0xy-pass@{}", company.proxy.host);
    let sandbox = to(FAR, "").docker().secret("HTTPS_PROXY", &proxy).hidden("pr0xy-pass");
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["the address of the proxy holds a login", "BUILDKIT_HOST"]);
    sandbox.assert_tidy(&run);
}

/// The engine of the testbed over TLS, for those with a certificate of this directory.
pub(crate) fn engine_over_tls(sandbox: &Sandbox) -> (TlsFront, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    strangers_certs(dir.path());
    let clients = std::fs::read(dir.path().join("ca.pem")).unwrap();
    let socket = sandbox.testbed.docker_host.strip_prefix("unix://").unwrap();
    let front = TlsFront::mutual(socket, &clients);
    std::fs::write(dir.path().join("ca.pem"), &front.ca_pem).unwrap();
    (front, dir)
}

#[test]
fn an_engine_over_tls_builds_and_loads() {
    let sandbox = to("{registry}", "").docker();
    let (front, certs) = engine_over_tls(&sandbox);
    let sandbox = sandbox
        .var("DOCKER_HOST", &format!("tcp://{}", front.host))
        .var("DOCKER_TLS_VERIFY", "1")
        .var("DOCKER_CERT_PATH", certs.path().to_str().unwrap());
    let registry = sandbox.testbed.registry.clone();
    let run = sandbox.run(&["run", "--load"]).succeeds();
    published(&sandbox, &registry, &run);
    let builder = sandbox.document("runtime/docker/builder.json");
    assert_eq!(builder["driver"], "docker-container", "{builder}");
    assert_eq!(builder["endpoint"], format!("tcp://{}", front.host));
    let engine = Engine::new(&sandbox.testbed.docker_host);
    for name in sandbox.result()["builds"][0]["loaded"].as_array().unwrap() {
        assert!(engine.image(name.as_str().unwrap()).is_some(), "{name}");
        engine.remove_image(name.as_str().unwrap());
    }
}

#[test]
fn an_engine_over_tls_builds_itself() {
    let sandbox = to("{registry}", "").docker();
    let (front, certs) = engine_over_tls(&sandbox);
    let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let text = text.replace("builder: {image", "builder: {driver: docker, image");
    let sandbox = sandbox
        .file(".stagefreight.yml", &text)
        .var("DOCKER_HOST", &format!("tcp://{}", front.host))
        .var("DOCKER_TLS_VERIFY", "1")
        .var("DOCKER_CERT_PATH", certs.path().to_str().unwrap());
    let registry = sandbox.testbed.registry.clone();
    let run = sandbox.run(&["run"]).succeeds();
    published(&sandbox, &registry, &run);
}

#[test]
fn an_engine_over_tls_that_does_not_want_us_is_told() {
    let sandbox = to("{registry}", "").docker();
    let (front, certs) = engine_over_tls(&sandbox);
    strangers_certs(&certs.path().join("other"));
    let others = |file: &str| {
        std::fs::copy(certs.path().join("other").join(file), certs.path().join(file)).unwrap();
    };
    let address = format!("tcp://{}", front.host);
    let sandbox = sandbox
        .var("DOCKER_HOST", &address)
        .var("DOCKER_TLS_VERIFY", "1")
        .var("DOCKER_CERT_PATH", certs.path().to_str().unwrap());
    let told = |sandbox: &Sandbox, texts: &[&str]| {
        let run = sandbox.run(&["run"]).exits(1);
        run.says(&[&address, "DOCKER_CERT_PATH"]).says(texts).faster_than(std::time::Duration::from_secs(20));
        sandbox.assert_tidy(&run);
    };
    others("cert.pem");
    others("key.pem");
    told(&sandbox, &["alert"]);
    others("ca.pem");
    told(&sandbox, &["UnknownIssuer"]);
    std::fs::remove_file(certs.path().join("key.pem")).unwrap();
    told(&sandbox, &["key.pem"]);
}

#[test]
fn what_is_no_buildkit_daemon_is_told_apart() {
    let sandbox = small(Sandbox::new()).buildkitd();
    let certs = sandbox.path().join("certs");
    copied_certs(&sandbox.testbed, &certs);
    let plain = format!("tcp://{}", ip(&sandbox.testbed.registry));
    let address = sandbox.testbed.buildkit_host.clone();
    let told = |sandbox: &Sandbox, texts: &[&str]| {
        let run = sandbox.run(&["run", "--local"]).exits(1);
        run.faster_than(std::time::Duration::from_secs(20)).says(texts);
        sandbox.assert_tidy(&run);
    };
    let at_plain = sandbox.var("BUILDKIT_HOST", &plain);
    told(&at_plain, &[&plain, "not a BuildKit daemon"]);
    let without = at_plain.without("BUILDKIT_CERT_PATH");
    told(&without, &[&plain, "not a BuildKit daemon"]);
    let without = without.var("BUILDKIT_HOST", &address);
    told(&without, &[&address, "it expects TLS"]);
}
