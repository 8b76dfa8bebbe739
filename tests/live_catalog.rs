//! Listing and deleting on real registries: distribution 2 and 3, with deletes and without.
//! Needs the testbed: `eval "$(ci/testbed env)"`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use stagefreight::http::{Clients, HttpSettings, Timeouts};
use stagefreight::image::manifest::{Descriptor, Manifest, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use stagefreight::image::{Digest, Layout, Repository, Tag};
use stagefreight::registry::{Catalog, Fault, HostSettings, Provider, Registry, upload_layout};
use support::fault_proxy::{Fault as Make, FaultProxy, Rule};
use support::testbed;
use tempfile::TempDir;

/// Distribution as released.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Generation {
    Two,
    Three,
}

/// A registry of this test's own, ended with it.
struct Own {
    host: String,
    dir: TempDir,
    process: Child,
}

impl Own {
    #[allow(clippy::disallowed_methods, reason = "a test starts what it tests against")]
    fn start(generation: Generation, deletes: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = support::free_port();
        let config = json!({
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": {
                "filesystem": {"rootdirectory": dir.path().join("data")},
                "delete": {"enabled": deletes},
                "maintenance": {"uploadpurging": {"enabled": false}},
            },
            "http": {"addr": format!("127.0.0.1:{port}"), "secret": "test"},
        });
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new(program(generation));
        let command = command.arg("serve").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let own = Self { host: format!("127.0.0.1:{port}"), dir, process };
        for _ in 0..200 {
            if std::net::TcpStream::connect(&own.host).is_ok() {
                return own;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the registry does not come up");
    }

    /// Every manifest this registry ever took for a repository and has not deleted.
    fn revisions(&self, repository: &Repository) -> Vec<String> {
        let dir = self.dir.path().join("data/docker/registry/v2/repositories").join(repository.path());
        let mut names: Vec<_> = std::fs::read_dir(dir.join("_manifests/revisions/sha256"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("link").exists())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[allow(clippy::disallowed_methods, reason = "a test starts what it tests against")]
fn program(generation: Generation) -> PathBuf {
    if generation == Generation::Two {
        return "docker-registry".into();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/testbed");
    let output = Command::new(script).args(["registry3", "program"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().into()
}

fn catalog(host: &str) -> Catalog {
    with(host, Clients::new(HttpSettings::default()))
}

fn with(host: &str, clients: std::sync::Arc<Clients>) -> Catalog {
    let registry = Registry::new(host, None, &HostSettings::default(), clients).unwrap();
    Catalog::new(registry, Provider::Generic)
}

/// A repository nobody else uses.
fn fresh(host: &str) -> Repository {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    Repository::new(host, &format!("catalog-tests/{}-{now}", std::process::id())).unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn write_blob(dir: &Path, media_type: &str, bytes: &[u8]) -> Descriptor {
    let digest = Digest::of(bytes);
    let path = dir.join("blobs/sha256").join(digest.hex());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    serde_json::from_value(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})).unwrap()
}

/// An index over two images that nobody has seen before, stored by digest.
async fn seed(catalog: &Catalog, repository: &Repository) -> (Manifest, Vec<Digest>) {
    let dir = tempfile::tempdir().unwrap();
    let image = |_| {
        let mut content = [0; 500];
        rand::fill(&mut content[..]);
        let layer = write_blob(dir.path(), "application/vnd.oci.image.layer.v1.tar+gzip", &content);
        let config = json!({"os": "linux", "architecture": "amd64", "of": layer.digest}).to_string();
        let config = write_blob(dir.path(), OCI_CONFIG, config.as_bytes());
        let text = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]});
        write_blob(dir.path(), OCI_MANIFEST, text.to_string().as_bytes())
    };
    let images: Vec<_> = (0..2).map(image).collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": images});
    let root = write_blob(dir.path(), OCI_INDEX, index.to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [root]});
    std::fs::write(dir.path().join("index.json"), index.to_string()).unwrap();
    std::fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let layout = Layout::open(dir.path()).unwrap();
    upload_layout(&layout, &root, (catalog.registry(), repository)).await.unwrap();
    (layout.manifest(&root).unwrap(), images.into_iter().map(|image| image.digest).collect())
}

async fn put(catalog: &Catalog, repository: &Repository, names: &[&str], manifest: &Manifest) {
    for name in names {
        catalog.registry().put_manifest(repository, &tag(name), manifest).await.unwrap();
    }
}

/// Waits until it is so.
async fn until<F: Future<Output = bool>>(mut so: impl FnMut() -> F) {
    for _ in 0..3000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to this");
}

async fn held(catalog: &Catalog, repository: &Repository, name: &str) -> Option<Digest> {
    catalog.registry().head_manifest(repository, &tag(name)).await.unwrap().map(|head| head.digest.unwrap())
}

async fn names(catalog: &Catalog, repository: &Repository) -> Vec<String> {
    let mut names: Vec<_> = match catalog.tags(repository).await {
        Ok(listed) => listed.into_iter().map(|entry| entry.tag.to_string()).collect(),
        Err(error) => panic!("{error}"),
    };
    names.sort();
    names
}

#[tokio::test]
async fn a_tag_goes_and_its_siblings_stay() {
    for generation in [Generation::Two, Generation::Three] {
        let own = Own::start(generation, true);
        let (catalog, repository) = (catalog(&own.host), fresh(&own.host));
        let (image, children) = seed(&catalog, &repository).await;
        put(&catalog, &repository, &["1.0", "1", "latest"], &image).await;
        let before = own.revisions(&repository);

        catalog.untag(&repository, &tag("1")).await.unwrap();
        assert_eq!(names(&catalog, &repository).await, ["1.0", "latest"], "{generation:?}");
        for sibling in ["1.0", "latest"] {
            assert_eq!(held(&catalog, &repository, sibling).await.as_ref(), Some(&image.digest), "{generation:?}");
        }
        for child in &children {
            assert!(catalog.registry().head_manifest(&repository, child).await.unwrap().is_some());
        }
        let gone = catalog.untag(&repository, &tag("1")).await.unwrap_err();
        assert_eq!(gone.fault, Fault::NotFound, "{generation:?}");

        // The last tags, too: the image itself stays.
        for name in ["1.0", "latest"] {
            catalog.untag(&repository, &tag(name)).await.unwrap();
        }
        assert_eq!(catalog.registry().get_manifest(&repository, &image.digest).await.unwrap(), image);
        assert_eq!(own.revisions(&repository), before, "{generation:?}: something is left of the way it was done");
        // The tag can be used again.
        put(&catalog, &repository, &["1"], &image).await;
        assert_eq!(held(&catalog, &repository, "1").await, Some(image.digest));
    }
}

#[tokio::test]
async fn the_testbeds_registry_does_it_too() {
    let host = testbed("TESTBED_REGISTRY");
    let (catalog, repository) = (catalog(&host), fresh(&host));
    let (image, _) = seed(&catalog, &repository).await;
    put(&catalog, &repository, &["a", "b"], &image).await;
    catalog.untag(&repository, &tag("a")).await.unwrap();
    assert_eq!(names(&catalog, &repository).await, ["b"]);
}

#[tokio::test]
async fn many_tags_of_one_image_go_at_the_same_time() {
    let own = Own::start(Generation::Two, true);
    let (catalog, repository) = (catalog(&own.host), fresh(&own.host));
    let (image, _) = seed(&catalog, &repository).await;
    let all: Vec<_> = (0..40).map(|n| format!("t{n:02}")).collect();
    put(&catalog, &repository, &all.iter().map(String::as_str).collect::<Vec<_>>(), &image).await;
    let goes = all[..30].iter().map(|name| {
        let (catalog, repository, tag) = (catalog.clone(), repository.clone(), tag(name));
        async move { catalog.untag(&repository, &tag).await }
    });
    for done in futures::future::join_all(goes).await {
        done.unwrap();
    }
    assert_eq!(names(&catalog, &repository).await, &all[30..]);
}

#[tokio::test]
async fn images_and_tags_go_at_the_same_time() {
    for generation in [Generation::Two, Generation::Three] {
        let own = Own::start(generation, true);
        let (catalog, repository) = (catalog(&own.host), fresh(&own.host));
        let (mut work, mut left) = (Vec::new(), Vec::new());
        for n in 0..16 {
            let (image, _) = seed(&catalog, &repository).await;
            let (one, two) = (format!("{n:02}-a"), format!("{n:02}-b"));
            put(&catalog, &repository, &[&one, &two], &image).await;
            if n % 2 == 0 {
                left.push(two);
            }
            let (catalog, repository) = (catalog.clone(), repository.clone());
            work.push(async move {
                match n % 2 {
                    0 => catalog.untag(&repository, &tag(&one)).await,
                    _ => catalog.delete(&repository, &image.digest).await,
                }
            });
        }
        for done in futures::future::join_all(work).await {
            done.unwrap();
        }
        assert_eq!(names(&catalog, &repository).await, left, "{generation:?}");
        let listed = catalog.tags(&repository).await.unwrap();
        assert_eq!(catalog.resolve(&repository, listed, 16).await.unwrap().len(), left.len(), "none points to nothing");
    }
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags() {
    for generation in [Generation::Two, Generation::Three] {
        let own = Own::start(generation, true);
        let (catalog, repository) = (catalog(&own.host), fresh(&own.host));
        let (image, _) = seed(&catalog, &repository).await;
        let (other, _) = seed(&catalog, &repository).await;
        put(&catalog, &repository, &["a", "b"], &image).await;
        put(&catalog, &repository, &["c"], &other).await;
        catalog.delete(&repository, &image.digest).await.unwrap();
        assert_eq!(names(&catalog, &repository).await, ["c"], "{generation:?}");
        assert_eq!(catalog.delete(&repository, &image.digest).await.unwrap_err().fault, Fault::NotFound);
    }
}

#[tokio::test]
async fn where_deletes_are_off_nothing_is_touched_and_it_is_said() {
    let own = Own::start(Generation::Two, false);
    let (catalog, repository) = (catalog(&own.host), fresh(&own.host));
    let (image, _) = seed(&catalog, &repository).await;
    put(&catalog, &repository, &["1.0", "latest"], &image).await;
    let before = own.revisions(&repository);
    let refused = catalog.untag(&repository, &tag("latest")).await.unwrap_err();
    assert!(matches!(refused.fault, Fault::Unsupported(_)), "{refused}");
    println!("{}\n→ {}", refused.problem().what, refused.problem().hint.unwrap());
    assert_eq!(held(&catalog, &repository, "latest").await.as_ref(), Some(&image.digest));
    assert_eq!(own.revisions(&repository), before, "nothing was written to find out");
    let refused = catalog.delete(&repository, &image.digest).await.unwrap_err();
    assert!(matches!(refused.fault, Fault::Unsupported(_)), "{refused}");
}

#[tokio::test]
async fn distribution_3_untags_even_where_deletes_are_off() {
    let own = Own::start(Generation::Three, false);
    let (catalog, repository) = (catalog(&own.host), fresh(&own.host));
    let (image, _) = seed(&catalog, &repository).await;
    put(&catalog, &repository, &["1.0", "latest"], &image).await;
    catalog.untag(&repository, &tag("latest")).await.unwrap();
    assert_eq!(names(&catalog, &repository).await, ["1.0"]);
    let refused = catalog.delete(&repository, &image.digest).await.unwrap_err();
    assert!(matches!(refused.fault, Fault::Unsupported(_)), "{refused}");
}

/// Deletes work until the tag stands on the empty image.
fn breaks_half_way(own: &Own, fault: Make) -> FaultProxy {
    let proxy = FaultProxy::start(&own.host, []);
    // The first by digest asks for what is not there, the second proves, the third is for good.
    proxy.rule(Rule::new(fault).on("DELETE").at("/manifests/sha256:").after(2));
    proxy
}

#[tokio::test]
async fn a_tag_that_cannot_be_taken_away_after_all_is_put_back() {
    for fault in [Make::Answer(403, vec![], String::new()), Make::Answer(202, vec![], String::new())] {
        let own = Own::start(Generation::Two, true);
        let proxy = breaks_half_way(&own, fault);
        let (catalog, repository) = (catalog(proxy.host()), fresh(proxy.host()));
        let (image, _) = seed(&catalog, &repository).await;
        put(&catalog, &repository, &["1.0", "latest"], &image).await;
        let error = catalog.untag(&repository, &tag("latest")).await.unwrap_err();
        println!("{error}");
        for name in ["1.0", "latest"] {
            assert_eq!(held(&catalog, &repository, name).await.as_ref(), Some(&image.digest), "{name}");
        }
    }
}

#[tokio::test]
async fn a_tag_that_cannot_be_put_back_is_told() {
    let own = Own::start(Generation::Two, true);
    let proxy = breaks_half_way(&own, Make::Answer(403, vec![], String::new()));
    let (catalog, repository) = (catalog(proxy.host()), fresh(proxy.host()));
    let (image, _) = seed(&catalog, &repository).await;
    put(&catalog, &repository, &["latest"], &image).await;
    // Once for the empty image.
    proxy.rule(Rule::new(Make::Answer(403, vec![], String::new())).on("PUT").at("/manifests/latest").after(1));
    let error = catalog.untag(&repository, &tag("latest")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unsafe(_)), "{error}");
    println!("{}\n→ {}", error.problem().what, error.problem().hint.unwrap());
    assert!(error.to_string().contains(image.digest.as_str()), "{error}");
}

#[tokio::test]
async fn who_stops_waiting_half_way_leaves_no_tag_on_the_empty_image() {
    let own = Own::start(Generation::Two, true);
    let proxy = breaks_half_way(&own, Make::Slow(Duration::from_secs(3)));
    let (slow, repository) = (catalog(proxy.host()), fresh(proxy.host()));
    let direct = (catalog(&own.host), Repository::new(&own.host, repository.path()).unwrap());
    let (image, _) = seed(&slow, &repository).await;
    put(&slow, &repository, &["1.0", "latest"], &image).await;
    let half_way = until(|| async {
        let digest = held(&direct.0, &direct.1, "latest").await;
        digest.is_some_and(|digest| digest != image.digest)
    });
    let latest = tag("latest");
    tokio::select! {
        done = slow.untag(&repository, &latest) => panic!("this was to be interrupted half way: {done:?}"),
        () = half_way => {}
    }
    until(|| async { held(&direct.0, &direct.1, "latest").await.is_none() }).await;
    assert_eq!(held(&direct.0, &direct.1, "1.0").await, Some(image.digest));
}

#[tokio::test]
async fn what_somebody_else_put_there_meanwhile_stays() {
    let own = Own::start(Generation::Two, true);
    let proxy = FaultProxy::start(&own.host, []);
    proxy.rule(Rule::new(Make::Slow(Duration::from_secs(3))).on("DELETE").at("/manifests/sha256:").times(1));
    let (slow, repository) = (catalog(proxy.host()), fresh(proxy.host()));
    let direct = (catalog(&own.host), Repository::new(&own.host, repository.path()).unwrap());
    let (ours, _) = seed(&slow, &repository).await;
    let (theirs, _) = seed(&direct.0, &direct.1).await;
    put(&slow, &repository, &["latest"], &ours).await;
    let latest = tag("latest");
    let (done, ()) = tokio::join!(slow.untag(&repository, &latest), async {
        until(|| async { proxy.count("DELETE", "/manifests/sha256:") > 0 }).await;
        put(&direct.0, &direct.1, &["latest"], &theirs).await;
    });
    assert_eq!(done.unwrap_err().fault, Fault::Moved);
    assert_eq!(held(&direct.0, &direct.1, "latest").await, Some(theirs.digest));
}

#[tokio::test]
async fn many_tags_are_resolved_in_order_or_not_at_all() {
    let own = Own::start(Generation::Two, true);
    let (catalog, repository) = (catalog(&own.host), fresh(&own.host));
    let (image, _) = seed(&catalog, &repository).await;
    let all: Vec<_> = (0..300).map(|n| format!("t{n:03}")).collect();
    put(&catalog, &repository, &all.iter().map(String::as_str).collect::<Vec<_>>(), &image).await;
    let mut listed = catalog.tags(&repository).await.unwrap();
    let order: Vec<_> = listed.iter().map(|entry| entry.tag.clone()).collect();
    listed.insert(7, stagefreight::registry::Listed { tag: tag("gone"), digest: None, pushed: None });
    let resolved = catalog.resolve(&repository, listed, 16).await.unwrap();
    assert_eq!(resolved.iter().map(|entry| entry.tag.clone()).collect::<Vec<_>>(), order);
    assert!(resolved.iter().all(|entry| entry.digest.as_ref() == Some(&image.digest)));

    // A registry that fails on one fails the whole: half a list is none.
    let proxy = FaultProxy::start(&own.host, []);
    proxy.rule(Rule::new(Make::Answer(403, vec![], String::new())).on("HEAD").at("/manifests/t150"));
    let timeouts = Timeouts::default();
    let behind = with(proxy.host(), Clients::new(HttpSettings { timeouts, ..HttpSettings::default() }));
    let repository = Repository::new(proxy.host(), repository.path()).unwrap();
    let listed = behind.tags(&repository).await.unwrap();
    assert!(matches!(behind.resolve(&repository, listed, 16).await.unwrap_err().fault, Fault::Denied(_)));
}
