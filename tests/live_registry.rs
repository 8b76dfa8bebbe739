//! The registry client against real registries, directly and through a proxy that fails on purpose.
//! Needs the testbed: `eval "$(ci/testbed env)"`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::json;
use stagefreight::credentials::Login;
use stagefreight::http::{Clients, HttpSettings, Timeouts};
use stagefreight::image::manifest::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use stagefreight::image::{Descriptor, Digest, Layout, Manifest, Repository, Tag};
use stagefreight::registry::{Copied, Fault, HostSettings, Registry, TransferError, copy, upload_layout};
use stagefreight::secret::Secret;
use support::fault_proxy::{Fault as Make, FaultProxy, Rule};
use support::testbed;
use support::tls_front::TlsFront;
use tempfile::TempDir;

fn clients() -> Arc<Clients> {
    Clients::new(HttpSettings::default())
}

fn impatient(idle: Duration) -> Arc<Clients> {
    let timeouts = Timeouts { connect: Duration::from_millis(200), idle, commit: idle };
    Clients::new(HttpSettings { timeouts, ..HttpSettings::default() })
}

fn anonymous(host: &str) -> Registry {
    Registry::new(host, None, &HostSettings::default(), clients()).unwrap()
}

fn login(host: &str, user: &str, secret: &str) -> Login {
    Login { host: host.into(), user: user.into(), secret: Secret::new(secret), source: "T_USER and T_TOKEN".into() }
}

fn logged_in(host: &str, user: &str, secret: &str) -> Registry {
    Registry::new(host, Some(login(host, user, secret)), &HostSettings::default(), clients()).unwrap()
}

/// The registry with a password, logged in to.
fn private() -> Registry {
    let host = testbed("TESTBED_REGISTRY_AUTH");
    logged_in(&host, &testbed("TESTBED_REGISTRY_USER"), &testbed("TESTBED_REGISTRY_PASS"))
}

/// A repository nobody else uses.
fn fresh(host: &str) -> Repository {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let path = format!("registry-tests/{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Repository::new(host, &path).unwrap()
}

fn same_path(repository: &Repository, host: &str) -> Repository {
    Repository::new(host, repository.path()).unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// An image as a layout, with so many bytes of layer that nobody has seen before.
struct Image {
    dir: TempDir,
    root: Descriptor,
    layer: Descriptor,
}

impl Image {
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (root, layer) = write_image(dir.path(), size);
        write_entry_point(dir.path(), &root);
        Self { dir, root, layer }
    }

    /// An index over two images.
    fn index() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (one, layer) = write_image(dir.path(), 1000);
        let (two, _) = write_image(dir.path(), 2000);
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [one, two]});
        let root = write_blob(dir.path(), OCI_INDEX, index.to_string().as_bytes());
        write_entry_point(dir.path(), &root);
        Self { dir, root, layer }
    }

    fn layout(&self) -> Layout {
        Layout::open(self.dir.path()).unwrap()
    }

    fn manifest(&self) -> Manifest {
        self.layout().manifest(&self.root).unwrap()
    }

    async fn upload(&self, registry: &Registry, repository: &Repository) -> Result<Copied, TransferError> {
        upload_layout(&self.layout(), &self.root, (registry, repository)).await
    }
}

fn write_image(dir: &Path, size: usize) -> (Descriptor, Descriptor) {
    let mut content = vec![0; size];
    rand::fill(&mut content[..]);
    let layer = write_blob(dir, "application/vnd.oci.image.layer.v1.tar+gzip", &content);
    let text = json!({"os": "linux", "architecture": "amd64", "of": layer.digest}).to_string();
    let config = write_blob(dir, OCI_CONFIG, text.as_bytes());
    let text = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}).to_string();
    (write_blob(dir, OCI_MANIFEST, text.as_bytes()), layer)
}

fn write_blob(dir: &Path, media_type: &str, bytes: &[u8]) -> Descriptor {
    let digest = Digest::of(bytes);
    let path = dir.join("blobs/sha256").join(digest.hex());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    serde_json::from_value(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})).unwrap()
}

fn write_entry_point(dir: &Path, root: &Descriptor) {
    let index = json!({"schemaVersion": 2, "manifests": [root]});
    std::fs::write(dir.join("index.json"), index.to_string()).unwrap();
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

fn registry_fault(error: TransferError) -> Fault {
    match error {
        TransferError::Registry(error) => error.fault,
        TransferError::Layout(error) => panic!("{error}"),
    }
}

// ---- what works ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_image_goes_up_by_digest_gets_a_tag_and_goes_away() {
    let registry = anonymous(&testbed("TESTBED_REGISTRY"));
    let repository = fresh(registry.host());
    let image = Image::new(100_000);

    let copied = image.upload(&registry, &repository).await.unwrap();
    assert_eq!((copied.sent, copied.present), (2, 0));
    assert!(copied.bytes > 100_000);
    // Content is there, and no tag: this registry then says that it knows no such name.
    assert_eq!(registry.tags(&repository).await.unwrap_err().fault, Fault::NameUnknown);
    let found = registry.get_manifest(&repository, &image.root.digest).await.unwrap();
    assert_eq!(found, image.manifest());

    let v1 = tag("v1");
    assert_eq!(registry.head_manifest(&repository, &v1).await.unwrap(), None);
    let digest = registry.put_manifest(&repository, &v1, &found).await.unwrap();
    assert_eq!(digest, image.root.digest);
    let head = registry.head_manifest(&repository, &v1).await.unwrap().unwrap();
    assert_eq!(
        (head.digest, head.media_type.as_str(), head.size),
        (Some(digest.clone()), OCI_MANIFEST, Some(image.root.size))
    );
    assert_eq!(registry.tags(&repository).await.unwrap(), std::slice::from_ref(&v1));

    let blob: Vec<Bytes> = registry.get_blob(&repository, &image.layer).await.unwrap().try_collect().await.unwrap();
    assert_eq!(Digest::of(&blob.concat()), image.layer.digest);
    assert_eq!(registry.head_blob(&repository, &image.layer.digest).await.unwrap(), Some(100_000));

    registry.delete_manifest(&repository, &digest).await.unwrap();
    assert_eq!(registry.head_manifest(&repository, &v1).await.unwrap(), None);
    let again = registry.delete_manifest(&repository, &digest).await.unwrap_err();
    assert_eq!(again.fault, Fault::NotFound);
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let registry = anonymous(proxy.host());
    let (repository, image) = (fresh(proxy.host()), Image::new(50_000));
    image.upload(&registry, &repository).await.unwrap();
    let sent = proxy.bytes_up("PUT", "/blobs/");
    assert!(sent > 50_000);

    let copied = image.upload(&registry, &repository).await.unwrap();
    assert_eq!(copied, Copied::default());
    assert_eq!(proxy.bytes_up("PUT", "/blobs/"), sent);
    assert!(proxy.seen().iter().all(|seen| seen.user_agent.as_deref().unwrap().starts_with("stagefreight/")));
}

#[tokio::test]
async fn inside_one_registry_blobs_are_mounted_not_moved() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let registry = anonymous(proxy.host());
    let (from, to, image) = (fresh(proxy.host()), fresh(proxy.host()), Image::new(50_000));
    image.upload(&registry, &from).await.unwrap();
    let sent = proxy.bytes_up("PUT", "/blobs/");

    let copied = copy((&registry, &from), (&registry, &to), &image.root.digest).await.unwrap();
    assert_eq!((copied.mounted, copied.sent, copied.bytes), (2, 0, 0));
    assert_eq!(proxy.bytes_up("PUT", "/blobs/"), sent);
    assert_eq!(registry.get_manifest(&to, &image.root.digest).await.unwrap(), image.manifest());
    // A second time only looks.
    assert_eq!(copy((&registry, &from), (&registry, &to), &image.root.digest).await.unwrap(), Copied::default());
}

#[tokio::test]
async fn an_index_is_copied_to_another_registry_children_first() {
    let (from, to) = (anonymous(&testbed("TESTBED_REGISTRY")), private());
    let proxy = FaultProxy::start(to.host(), []);
    let (user, pass) = (testbed("TESTBED_REGISTRY_USER"), testbed("TESTBED_REGISTRY_PASS"));
    let through = logged_in(proxy.host(), &user, &pass);
    let (source, target) = (fresh(from.host()), fresh(proxy.host()));
    let image = Image::index();
    image.upload(&from, &source).await.unwrap();

    // In a task of its own: several registries are written at a time.
    let (digest, into) = (image.root.digest.clone(), target.clone());
    let task = tokio::spawn(async move { copy((&from, &source), (&through, &into), &digest).await });
    assert_eq!(task.await.unwrap().unwrap().sent, 4);
    let found = to.get_manifest(&same_path(&target, to.host()), &image.root.digest).await.unwrap();
    assert_eq!(found, image.manifest());
    let order: Vec<_> = proxy.seen().into_iter().filter(|s| s.method == "PUT").map(|s| s.path).collect();
    assert!(order.last().unwrap().ends_with(image.root.digest.as_str()), "{order:?}");
    let first_manifest = order.iter().position(|path| path.contains("/manifests/")).unwrap();
    assert!(order[first_manifest..].iter().all(|path| path.contains("/manifests/")), "{order:?}");
}

#[tokio::test]
async fn a_list_of_tags_goes_on_over_pages() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let registry = anonymous(proxy.host());
    let (repository, image) = (fresh(proxy.host()), Image::new(10));
    image.upload(&registry, &repository).await.unwrap();
    for name in ["a", "b", "c"] {
        registry.put_manifest(&repository, &tag(name), &image.manifest()).await.unwrap();
    }
    // The first page as a registry with smaller pages gives it, the second from the real one.
    let link = format!("</v2/{}/tags/list?last=a&n=1000>; rel=\"next\"", repository.path());
    let page = Make::Answer(200, vec![("link", link)], r#"{"tags":["a"]}"#.into());
    proxy.rule(Rule::new(page).at("/tags/list").times(1));
    let mut tags = registry.tags(&repository).await.unwrap();
    tags.sort();
    assert_eq!(tags, ["a", "b", "c"].map(tag));

    // One page lost is a list lost.
    let link = format!("</v2/{}/tags/list?last=a&n=1000>; rel=\"next\"", repository.path());
    proxy
        .rule(Rule::new(Make::Answer(200, vec![("link", link)], r#"{"tags":["a"]}"#.into())).at("/tags/list").times(1));
    proxy.rule(Rule::new(Make::Answer(404, vec![], String::new())).at("/tags/list").times(1));
    assert!(registry.tags(&repository).await.is_err());
}

// ---- who may --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_password_registry_wants_the_right_one() {
    let host = testbed("TESTBED_REGISTRY_AUTH");
    let (right, wrong, none) = (private(), logged_in(&host, "testbed", "wrong"), anonymous(&host));
    let (repository, image) = (fresh(&host), Image::new(1000));

    for (registry, cure) in [(&wrong, "T_USER and T_TOKEN"), (&none, "Give a login")] {
        let error = image.upload(registry, &repository).await.unwrap_err();
        assert!(error.problem().hint.unwrap().contains(cure));
        assert!(matches!(registry_fault(error), Fault::Unauthorized(_)));
    }
    image.upload(&right, &repository).await.unwrap();
    assert!(right.head_manifest(&repository, &image.root.digest).await.unwrap().is_some());
    // Two logins to one host at the same time: each is only itself.
    assert!(wrong.head_manifest(&repository, &image.root.digest).await.is_err());
}

#[tokio::test]
async fn a_wrong_login_is_tried_once_and_never_again() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY_AUTH"), []);
    let registry = logged_in(proxy.host(), "testbed", "wrong");
    let repository = fresh(proxy.host());
    assert!(registry.tags(&repository).await.is_err());
    // Asked, asked with the login, and no more: accounts are locked for less.
    assert_eq!(proxy.seen().len(), 2);
}

#[tokio::test]
async fn tokens_are_fetched_once_for_each_right_and_used_for_all() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []).with_tokens("bot", "pass", Duration::from_secs(60));
    let registry = logged_in(proxy.host(), "bot", "pass");
    let (repository, other, image) = (fresh(proxy.host()), fresh(proxy.host()), Image::index());
    image.upload(&registry, &repository).await.unwrap();
    // One to look (pull), one to write (pull,push).
    assert_eq!(proxy.count("GET", "/token"), 2);
    let copied = copy((&registry, &repository), (&registry, &other), &image.root.digest).await.unwrap();
    assert_eq!((copied.mounted, copied.bytes), (4, 0), "the token for mounting reaches both repositories");
    let seen = proxy.seen();
    let token_requests: Vec<_> = seen.iter().filter(|s| s.path == "/token").collect();
    assert!(token_requests.iter().all(|s| s.authorization.as_deref().unwrap().starts_with("Basic ")));
    assert!(token_requests.iter().all(|s| !s.query.contains("pass")));
    let sent_basic = seen.iter().filter(|s| s.path != "/token").filter_map(|s| s.authorization.as_deref());
    assert!(sent_basic.into_iter().all(|value| value.starts_with("Bearer ")));
}

#[tokio::test]
async fn a_token_that_expires_early_is_fetched_anew() {
    // The server says 300 s and means 600 ms: while the blob is on its way the token dies.
    let proxy =
        FaultProxy::start(&testbed("TESTBED_REGISTRY"), []).with_tokens("bot", "pass", Duration::from_millis(600));
    proxy.rule(Rule::new(Make::Slow(Duration::from_millis(400))).on("PUT"));
    let registry = logged_in(proxy.host(), "bot", "pass");
    let (repository, image) = (fresh(proxy.host()), Image::index());
    image.upload(&registry, &repository).await.unwrap();
    assert!(proxy.count("GET", "/token") > 2);
}

#[tokio::test]
async fn without_a_login_a_token_is_for_reading() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []).with_tokens("bot", "pass", Duration::from_secs(60));
    let (bot, nobody) = (logged_in(proxy.host(), "bot", "pass"), anonymous(proxy.host()));
    let (repository, image) = (fresh(proxy.host()), Image::new(100));
    image.upload(&bot, &repository).await.unwrap();
    assert_eq!(nobody.get_manifest(&repository, &image.root.digest).await.unwrap(), image.manifest());
    let refused = nobody.put_manifest(&repository, &tag("v1"), &image.manifest()).await.unwrap_err();
    assert!(matches!(refused.fault, Fault::Unauthorized(_)));

    let wrong = logged_in(proxy.host(), "bot", "guess");
    let refused = wrong.get_manifest(&repository, &image.root.digest).await.unwrap_err();
    assert_eq!(refused.fault, Fault::Unauthorized("incorrect username or password".into()));
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let store = FaultProxy::start(&testbed("TESTBED_REGISTRY_AUTH"), []);
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY_AUTH"), []);
    let registry = logged_in(proxy.host(), &testbed("TESTBED_REGISTRY_USER"), &testbed("TESTBED_REGISTRY_PASS"));
    let (repository, image) = (fresh(proxy.host()), Image::new(1000));
    image.upload(&registry, &repository).await.unwrap();
    let path = format!("/v2/{}/blobs/{}", repository.path(), image.layer.digest);
    let elsewhere = vec![("location", format!("http://{}{path}", store.host()))];
    proxy.rule(Rule::new(Make::Answer(307, elsewhere, String::new())).on("GET").at("/blobs/"));

    // The store is the same registry and wants the password: it does not get it.
    let error = registry.get_blob(&repository, &image.layer).await.err().unwrap();
    assert!(matches!(error.fault, Fault::Unauthorized(_)), "{error}");
    assert!(!store.seen().is_empty());
    assert!(store.seen().iter().all(|seen| seen.authorization.is_none()), "{:?}", store.seen());
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_configured() {
    let front = TlsFront::start(&testbed("TESTBED_REGISTRY"));
    let open = |settings: HostSettings| Registry::new(&front.host, None, &settings, clients()).unwrap();
    let image = Image::new(200_000);

    let bundle = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap();
    let end = bundle.find("-----END CERTIFICATE-----").unwrap() + "-----END CERTIFICATE-----\n".len();
    let other = open(HostSettings { ca_pem: Some(bundle.as_bytes()[..end].to_vec()), ..HostSettings::default() });
    let error = image.upload(&other, &fresh(&front.host)).await.unwrap_err();
    assert!(error.problem().hint.unwrap().contains("private CA"));
    assert!(matches!(registry_fault(error), Fault::Tls(why) if why.contains("UnknownIssuer")));

    // The registry behind it gives addresses with http for the uploads: they are taken for https.
    for settings in [
        HostSettings { ca_pem: Some(front.ca_pem.clone()), ..HostSettings::default() },
        HostSettings { insecure: true, ..HostSettings::default() },
    ] {
        let (registry, repository) = (open(settings), fresh(&front.host));
        image.upload(&registry, &repository).await.unwrap();
        assert_eq!(registry.get_manifest(&repository, &image.root.digest).await.unwrap(), image.manifest());
    }
}

// ---- what goes wrong ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for make in [
        Make::Answer(500, vec![], "boom".into()),
        Make::Answer(503, vec![], String::new()),
        Make::Answer(429, vec![], String::new()),
        Make::Answer(408, vec![], String::new()),
        Make::Close,
        Make::CloseAfter,
    ] {
        let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
        let registry = anonymous(proxy.host());
        let (repository, image) = (fresh(proxy.host()), Image::new(30_000));
        for (method, path) in [("HEAD", "/blobs/"), ("POST", "/uploads/"), ("PUT", "/uploads/"), ("PUT", "/manifests/")]
        {
            proxy.rule(Rule::new(make.clone()).on(method).at(path).times(1));
        }
        image.upload(&registry, &repository).await.unwrap();
        assert_eq!(registry.get_manifest(&repository, &image.root.digest).await.unwrap(), image.manifest());
        assert_eq!(proxy.count("PUT", "/manifests/"), 2);
    }
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again() {
    for (status, body) in [(400, ""), (401, ""), (403, ""), (404, ""), (405, ""), (413, ""), (501, "")] {
        let answer = Make::Answer(status, vec![], body.into());
        let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), [Rule::new(answer).on("PUT").at("/manifests/")]);
        let registry = anonymous(proxy.host());
        let (repository, image) = (fresh(proxy.host()), Image::new(10));
        let error = image.upload(&registry, &repository).await.unwrap_err();
        assert!(!registry_fault(error).is_transient());
        assert_eq!(proxy.count("PUT", "/manifests/"), 1, "{status}");
    }
}

#[tokio::test]
async fn trying_again_ends() {
    let down = Rule::new(Make::Answer(503, vec![], "<html>".into()));
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), [down]);
    let registry = anonymous(proxy.host());
    let error = registry.tags(&fresh(proxy.host())).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Server { status: 503, .. }));
    assert_eq!(proxy.seen().len(), 6);
}

#[tokio::test]
async fn retry_after_is_honoured_within_reason() {
    let busy = |seconds: &str| Make::Answer(429, vec![("retry-after", seconds.into())], String::new());
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), [Rule::new(busy("2")).times(1)]);
    let (registry, repository) = (anonymous(proxy.host()), fresh(proxy.host()));
    let started = Instant::now();
    assert_eq!(registry.tags(&repository).await.unwrap_err().fault, Fault::NameUnknown);
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());

    proxy.rule(Rule::new(busy("3600")).times(1));
    let started = Instant::now();
    let error = registry.tags(&repository).await.unwrap_err();
    assert_eq!(error.fault, Fault::TooManyRequests { retry_after: Some(Duration::from_secs(3600)) });
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_registry_that_lies_about_content_is_not_believed() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let registry = anonymous(proxy.host());
    let (repository, image, other) = (fresh(proxy.host()), Image::new(10), Image::new(10));
    image.upload(&registry, &repository).await.unwrap();
    let v1 = tag("v1");

    let lie = Make::Header("docker-content-digest", other.root.digest.to_string());
    proxy.rule(Rule::new(lie.clone()).on("PUT").at("/manifests/").times(1));
    let error = registry.put_manifest(&repository, &v1, &image.manifest()).await.unwrap_err();
    assert!(error.to_string().contains("it says the digest is"), "{error}");

    proxy.rule(Rule::new(lie.clone()).on("GET").at("/manifests/").times(1));
    assert!(matches!(registry.get_manifest(&repository, &v1).await.unwrap_err().fault, Fault::Protocol(_)));

    proxy.rule(Rule::new(lie).on("PUT").at("/uploads/").times(1));
    assert!(matches!(registry_fault(other.upload(&registry, &repository).await.unwrap_err()), Fault::Protocol(_)));

    // Other bytes than asked for, whatever the headers say.
    let text = String::from_utf8(other.manifest().bytes.to_vec()).unwrap();
    proxy.rule(Rule::new(Make::Answer(200, vec![], text)).on("GET").at("/manifests/").times(1));
    assert!(registry.get_manifest(&repository, &image.root.digest).await.is_err());
    proxy.rule(Rule::new(Make::Answer(200, vec![], "otherbytes".into())).on("GET").at("/blobs/").times(1));
    let stream = registry.get_blob(&repository, &image.layer).await.unwrap();
    assert!(stream.try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn endless_answers_end() {
    let endless = Rule::new(Make::Huge(1 << 30));
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), [endless]);
    let registry = anonymous(proxy.host());
    let (repository, image) = (fresh(proxy.host()), Image::new(10));
    for error in [
        registry.get_manifest(&repository, &tag("v1")).await.unwrap_err(),
        registry.tags(&repository).await.unwrap_err(),
    ] {
        assert!(matches!(error.fault, Fault::TooLarge(_)), "{error}");
    }
    let stream = registry.get_blob(&repository, &image.layer).await.unwrap();
    assert!(stream.try_collect::<Vec<_>>().await.is_err());
    assert!(proxy.seen().iter().all(|seen| seen.down() < 32 << 20));
}

#[tokio::test]
async fn silence_ends_and_slowness_does_not() {
    let upstream = testbed("TESTBED_REGISTRY");
    let (quiet, target) = (FaultProxy::start(&upstream, []), FaultProxy::start(&upstream, []));
    let patience = Duration::from_millis(1500);
    let open = |host: &str| Registry::new(host, None, &HostSettings::default(), impatient(patience)).unwrap();
    let (from, to) = (open(quiet.host()), open(target.host()));
    let (source, image) = (fresh(quiet.host()), Image::new(100_000));
    image.upload(&from, &source).await.unwrap();

    // A blob that comes in pieces for three times as long as an answer is waited for, and goes on at that pace.
    quiet.rule(Rule::new(Make::Trickle(2_500, Duration::from_millis(120))).on("GET").at(image.layer.digest.hex()));
    let started = Instant::now();
    copy((&from, &source), (&to, &fresh(target.host())), &image.root.digest).await.unwrap();
    assert!(started.elapsed() > patience * 2, "{:?}", started.elapsed());

    let worked = quiet.count("GET", "/manifests/");
    quiet.rule(Rule::new(Make::Hang).on("GET").at("/manifests/"));
    let call = from.get_manifest(&source, &image.root.digest);
    let error = tokio::time::timeout(Duration::from_secs(60), call).await.unwrap().unwrap_err();
    assert!(matches!(error.fault, Fault::Timeout(_)), "{error}");
    assert_eq!(quiet.count("GET", "/manifests/") - worked, 6);
}

#[tokio::test]
async fn an_upload_nobody_takes_ends() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), [Rule::new(Make::Hang).on("PUT").at("/uploads/")]);
    let clients = impatient(Duration::from_millis(300));
    let registry = Registry::new(proxy.host(), None, &HostSettings::default(), clients).unwrap();
    let image = Image::new(8 << 20);
    let repository = fresh(proxy.host());
    let call = image.upload(&registry, &repository);
    let error = tokio::time::timeout(Duration::from_secs(60), call).await.unwrap().unwrap_err();
    assert!(matches!(registry_fault(error), Fault::Timeout(_)));
}

#[tokio::test]
async fn a_source_that_breaks_is_named_not_the_target() {
    let source = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let (from, to) = (anonymous(source.host()), anonymous(&testbed("TESTBED_REGISTRY2")));
    let (repository, image) = (fresh(source.host()), Image::new(200_000));
    image.upload(&from, &repository).await.unwrap();
    source.rule(Rule::new(Make::Truncate(1000)).on("GET").at(image.layer.digest.hex()));

    let target = fresh(to.host());
    let error = copy((&from, &repository), (&to, &target), &image.root.digest).await.unwrap_err();
    let TransferError::Registry(error) = error else { panic!("{error}") };
    assert_eq!(error.attempt.registry, source.host());
    assert!(matches!(error.fault, Fault::Broken(_)), "{error}");
    assert_eq!(to.head_manifest(&target, &image.root.digest).await.unwrap(), None);
}

#[tokio::test]
async fn a_layout_that_is_damaged_is_not_uploaded() {
    let proxy = FaultProxy::start(&testbed("TESTBED_REGISTRY"), []);
    let registry = anonymous(proxy.host());
    let (repository, image) = (fresh(proxy.host()), Image::new(1000));
    let layer = image.layout().blob_path(&image.layer.digest);
    std::fs::write(&layer, vec![0; 1000]).unwrap();
    // The right size and other bytes: the registry finds out, and says so at once.
    let error = image.upload(&registry, &repository).await.unwrap_err();
    assert!(error.to_string().contains("DIGEST_INVALID"), "{error}");

    std::fs::remove_file(layer).unwrap();
    let before = proxy.seen().len();
    assert!(matches!(image.upload(&registry, &repository).await, Err(TransferError::Layout(_))));
    assert_eq!(proxy.seen().len(), before);
}

#[tokio::test]
async fn registries_that_cannot_be_reached_are_told_apart_at_once() {
    let started = Instant::now();
    let fault = |host: String, settings: HostSettings| async move {
        let registry = Registry::new(&host, None, &settings, clients()).unwrap();
        let error = registry.tags(&Repository::new(&host, "a").unwrap()).await.unwrap_err();
        error.fault
    };
    assert_eq!(fault(support::dead_address(), HostSettings::default()).await, Fault::Refused);
    let dns = fault("no-such-host.invalid".into(), HostSettings::default()).await;
    assert!(matches!(dns, Fault::Dns(_)), "{dns:?}");

    // Plain http where TLS is meant.
    let plain = fault(testbed("TESTBED_REGISTRY"), HostSettings { insecure: true, ..HostSettings::default() }).await;
    assert!(matches!(plain, Fault::Tls(_)), "{plain:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
