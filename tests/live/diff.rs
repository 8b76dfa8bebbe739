//! `stagefreight diff` with images that are somewhere else: what it fetches is counted at the registry.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use stagefreight::credentials::Login;
use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::{Layout, Repository, Tag};
use stagefreight::registry::{HostSettings, Registry, upload_layout};
use stagefreight::secret::Secret;

use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::scenery::images::{archive, files, image, layout};
use crate::support::{Sandbox, Testbed};

/// Two images that share their base and differ above it.
fn layers(sandbox: &Sandbox, content: &str) -> Vec<Vec<u8>> {
    vec![files(&[("base", &sandbox.id), ("etc/motd", "hello")]), files(&[("app", content), ("same", "1")])]
}

/// Stores an image in a registry under a tag, and in a layout of the checkout under the same name.
fn push(sandbox: &Sandbox, (host, login): (&str, Option<Login>), tag: &str, layers: &[Vec<u8>], level: u32) -> Value {
    let dir = sandbox.workspace().join(tag);
    let root = image(&dir, layers, level);
    layout(&dir, &[("one", root.clone())]);
    let repository = Repository::new(host, &format!("live/{}", sandbox.id)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clients = Clients::new(HttpSettings::default());
        let registry = Registry::new(host, login, &HostSettings::default(), clients).unwrap();
        let layout = Layout::open(&dir).unwrap();
        let root = layout.root().unwrap();
        upload_layout(&layout, root, (&registry, &repository)).await.unwrap();
        let tag: Tag = tag.parse().unwrap();
        registry.put_manifest(&repository, &tag, &layout.manifest(root).unwrap()).await.unwrap();
    });
    root
}

/// Digests of the layers of an image in a layout.
fn blobs(dir: &Path, root: &Value) -> Vec<String> {
    let hex = root["digest"].as_str().unwrap().trim_start_matches("sha256:");
    let manifest: Value = serde_json::from_slice(&std::fs::read(dir.join("blobs/sha256").join(hex)).unwrap()).unwrap();
    manifest["layers"].as_array().unwrap().iter().map(|l| l["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn of_registry_images_only_what_differs_is_fetched() {
    let sandbox = Sandbox::new();
    let host = sandbox.testbed.registry.clone();
    let proxy = FaultProxy::start(&host, []);
    let name = |tag: &str| format!("docker://{}/live/{}:{tag}", proxy.host(), sandbox.id);
    let one = push(&sandbox, (&host, None), "one", &layers(&sandbox, "1"), 6);
    let two = push(&sandbox, (&host, None), "two", &layers(&sandbox, "2"), 6);
    push(&sandbox, (&host, None), "packed", &layers(&sandbox, "1"), 9);
    let (ones, twos) = (blobs(&sandbox.workspace().join("one"), &one), blobs(&sandbox.workspace().join("two"), &two));
    assert_eq!(ones[0], twos[0]);

    let run = sandbox.run(&["diff", &name("one"), &name("two"), "--format", "json"]).exits(1);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let layer = &document["platforms"][0]["layers"][0];
    assert_eq!((&layer["index"], &layer["changes"][0]["path"]), (&json!([1, 1]), &json!("app")));
    assert_eq!((proxy.count("GET", &ones[1]), proxy.count("GET", &twos[1])), (1, 1));
    assert_eq!(proxy.count("GET", &ones[0]), 0, "the base was fetched although it is the same");
    sandbox.assert_tidy(&run);

    // By digest, against a layout on disk: one side comes from here.
    let by_digest = format!("{}/live/{}@{}", proxy.host(), sandbox.id, one["digest"].as_str().unwrap());
    sandbox.run(&["diff", &by_digest, "oci:two"]).exits(1).says(&["app  content", "layer 2  RUN step 2"]);
    assert_eq!((proxy.count("GET", &ones[1]), proxy.count("GET", &twos[1])), (2, 1));

    // Nothing at all of what is the same, whatever its compression.
    let before = proxy.seen().len();
    sandbox.run(&["diff", &name("one"), "one"]).exits(0).says(&["✓ identical"]);
    sandbox.run(&["diff", &name("one"), &name("packed")]).exits(0).says(&["✓ the same content"]);
    let packed = blobs(&sandbox.workspace().join("packed"), &root_of(&sandbox.workspace().join("packed")));
    for seen in &proxy.seen()[before..] {
        assert!(!ones.iter().chain(&packed).any(|blob| seen.path.contains(blob)), "{} was fetched", seen.path);
    }
}

fn root_of(dir: &Path) -> Value {
    let index: Value = serde_json::from_slice(&std::fs::read(dir.join("index.json")).unwrap()).unwrap();
    index["manifests"][0].clone()
}

#[test]
fn a_broken_connection_is_tried_again_and_a_lie_is_not_believed() {
    let sandbox = Sandbox::new();
    let host = sandbox.testbed.registry.clone();
    push(&sandbox, (&host, None), "one", &layers(&sandbox, "1"), 6);
    let two = push(&sandbox, (&host, None), "two", &layers(&sandbox, "2"), 6);
    let top = blobs(&sandbox.workspace().join("two"), &two)[1].clone();
    let proxy = FaultProxy::start(&host, [Rule::new(Fault::Truncate(20)).on("GET").at(&top).times(1)]);
    let name = format!("docker://{}/live/{}:two", proxy.host(), sandbox.id);
    sandbox.run(&["diff", "one", &name]).exits(1).says(&["app  content"]);
    assert_eq!(proxy.count("GET", &top), 2);
    proxy.rule(Rule::new(Fault::Answer(200, vec![], "other bytes".into())).on("GET").at(&top));
    let run = sandbox.run(&["diff", "one", &name]).exits(2);
    run.says(&[&top[..19]]);
    sandbox.assert_tidy(&run);
}

#[test]
fn logins_are_those_that_docker_has() {
    let sandbox = Sandbox::new();
    let (host, user, password) =
        (sandbox.testbed.registry_auth.clone(), sandbox.testbed.user.clone(), sandbox.testbed.password.clone());
    let login = Login { host: host.clone(), user: user.clone(), secret: Secret::new(&password), source: "test".into() };
    push(&sandbox, (&host, Some(login)), "one", &layers(&sandbox, "1"), 6);
    let name = format!("docker://{host}/live/{}:one", sandbox.id);
    sandbox.run(&["diff", &name, "one"]).exits(2).says(&[&host]);
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let config = json!({"auths": {host.clone(): {"auth": auth}}}).to_string();
    let sandbox = sandbox.secret("DOCKER_AUTH_CONFIG", &config);
    let run = sandbox.run(&["diff", &name, "one"]).exits(0);
    sandbox.assert_tidy(&run);
}

/// The same image in an engine, a registry, a file and a layout.
fn engine_images(sandbox: Sandbox) {
    let host = sandbox.testbed.registry.clone();
    let (one, two) = (layers(&sandbox, "1"), layers(&sandbox, "2"));
    push(&sandbox, (&host, None), "one", &one, 6);
    push(&sandbox, (&host, None), "two", &two, 6);
    archive(&sandbox.workspace().join("one.tar"), &one);
    let engine = sandbox.the_engine().host.clone();
    let name = format!("{host}/live/{}:one", sandbox.id);
    Testbed::tool("docker", &["--host", &engine, "pull", "--quiet", &name]);
    let here = format!("docker-daemon:{name}");
    for same in [format!("docker://{name}"), "oci:one".into(), "docker-archive:one.tar".into()] {
        let run = sandbox.run(&["diff", &here, &same]).exits(0);
        run.says(&["✓"]).is_silent_about(&["app  "]);
        sandbox.assert_no_secret();
    }
    let run = sandbox.run(&["diff", &here, "oci:two"]).exits(1);
    run.says(&["app  content", "1 of 2 layers differ"]);
    sandbox.run(&["diff", "docker-daemon:no/such:image", "one"]).exits(2).says(&["no/such:image"]);
    sandbox.assert_tidy(&run);
    sandbox.the_engine().remove_image(&name);
}

#[test]
fn images_of_an_engine_with_the_overlay2_store() {
    engine_images(Sandbox::new().docker());
}

#[test]
fn images_of_an_engine_with_the_containerd_store() {
    engine_images(Sandbox::new().containerd());
}

#[test]
fn a_signal_while_it_fetches_leaves_nothing() {
    let sandbox = Sandbox::new();
    let host = sandbox.testbed.registry.clone();
    push(&sandbox, (&host, None), "one", &layers(&sandbox, "1"), 6);
    let two = push(&sandbox, (&host, None), "two", &layers(&sandbox, "2"), 6);
    let top = blobs(&sandbox.workspace().join("two"), &two)[1].clone();
    let proxy = FaultProxy::start(&host, [Rule::new(Fault::Hang).on("GET").at(&top)]);
    let running = sandbox.start(&["diff", "one", &format!("docker://{}/live/{}:two", proxy.host(), sandbox.id)]);
    crate::support::within(Duration::from_secs(120), "the blob is asked for", || {
        (proxy.count("GET", &top) > 0).then_some(())
    });
    let run = running.stop(rustix::process::Signal::INT).exits(130);
    sandbox.assert_tidy(&run);
}
