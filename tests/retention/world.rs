//! A registry of a test's own, whose storage can be looked into, and repositories with a history.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::manifest::{Children, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use stagefreight::image::{Descriptor, Digest, Manifest, Repository, Tag};
use stagefreight::registry::{Catalog, HostSettings, Provider, Registry};

/// A distribution registry in a process of its own. Gone when dropped.
pub struct Private {
    child: Option<Child>,
    pub host: String,
    pub dir: tempfile::TempDir,
}

impl Private {
    pub fn start(deletes: bool) -> Self {
        // In memory where there is such a place: the registry waits for the disk after each file.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let port = crate::support::free_port();
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: '{}'}}\n  \
             delete: {{enabled: {deletes}}}\n  maintenance: {{uploadpurging: {{enabled: false}}}}\nhttp: {{addr: '127.0.0.1:{port}', \
             secret: 'x'}}\n",
            dir.path().join("data").display()
        );
        std::fs::write(dir.path().join("config.yml"), config).unwrap();
        let mut private = Self { child: None, host: format!("localhost:{port}"), dir };
        private.run(port);
        private
    }

    fn run(&mut self, port: u16) {
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(self.config()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("docker-registry: run `eval \"$(ci/testbed env)\"`"));
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.yml")
    }

    /// Ends it and lets it collect its garbage.
    pub fn collect_garbage(&mut self) {
        self.stop();
        let mut command = Command::new("docker-registry");
        let output = command.arg("garbage-collect").arg(self.config()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn storage(&self) -> Storage {
        Storage(self.dir.path().join("data/docker/registry/v2"))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn registry(host: &str) -> Registry {
    Registry::new(host, None, &HostSettings::default(), Clients::new(HttpSettings::default())).unwrap()
}

pub fn catalog(host: &str) -> Catalog {
    Catalog::new(registry(host), Provider::Generic)
}

/// The files of a registry, read without it.
pub struct Storage(PathBuf);

/// What a repository holds, by its files.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub tags: BTreeMap<String, String>,
    pub manifests: BTreeMap<String, Value>,
}

impl Storage {
    pub fn snapshot(&self, repository: &Repository) -> Snapshot {
        let dir = self.0.join("repositories").join(repository.path()).join("_manifests");
        let link = |path: PathBuf| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let tags = names(&dir.join("tags")).into_iter().filter_map(|tag| {
            let digest = link(dir.join("tags").join(&tag).join("current/link"))?;
            Some((tag, digest))
        });
        let revisions = names(&dir.join("revisions/sha256")).into_iter().filter_map(|hex| {
            let digest = link(dir.join("revisions/sha256").join(&hex).join("link"))?;
            let bytes = std::fs::read(self.blob(&digest)).unwrap();
            Some((digest, serde_json::from_slice(&bytes).unwrap()))
        });
        Snapshot { tags: tags.collect(), manifests: revisions.collect() }
    }

    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.0.join("blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }

    /// Every blob there is.
    pub fn blobs(&self) -> BTreeSet<String> {
        let dir = self.0.join("blobs/sha256");
        let all = names(&dir).into_iter().flat_map(|two| names(&dir.join(two)));
        all.map(|hex| format!("sha256:{hex}")).filter(|digest| self.blob(digest).exists()).collect()
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn digests(value: &Value) -> Vec<String> {
    let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|entry| entry["digest"].as_str().map(str::to_owned)).collect()
}

impl Snapshot {
    pub fn children(&self, digest: &str) -> Vec<String> {
        self.manifests.get(digest).map(|manifest| digests(&manifest["manifests"])).unwrap_or_default()
    }

    pub fn subject(&self, digest: &str) -> Option<String> {
        self.manifests.get(digest)?["subject"]["digest"].as_str().map(str::to_owned)
    }

    /// The blobs a manifest names.
    pub fn blobs_of(&self, digest: &str) -> Vec<String> {
        let manifest = &self.manifests[digest];
        let config = manifest["config"]["digest"].as_str().map(str::to_owned);
        config.into_iter().chain(digests(&manifest["layers"])).collect()
    }

    /// What a tag `sha256-<hex>…` speaks of.
    pub fn speaks_of(tag: &str) -> Option<String> {
        tag.starts_with("sha256-").then(|| format!("sha256:{}", &tag["sha256-".len()..][..64]))
    }

    /// Everything these bring with them: what is below, and what is said about it. `subjects`: and what it speaks of.
    pub fn closure(&self, roots: impl IntoIterator<Item = String>, subjects: bool) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut stack: Vec<String> = roots.into_iter().collect();
        while let Some(digest) = stack.pop() {
            if !self.manifests.contains_key(&digest) || !all.insert(digest.clone()) {
                continue;
            }
            stack.extend(self.children(&digest));
            stack.extend(self.subject(&digest).filter(|_| subjects));
            stack.extend(self.manifests.keys().filter(|m| self.subject(m).as_deref() == Some(&digest)).cloned());
            let attached = self.tags.iter().filter(|(tag, _)| Self::speaks_of(tag).as_deref() == Some(&digest));
            stack.extend(attached.map(|(_, root)| root.clone()));
        }
        all
    }
}

/// A repository that is written to.
pub struct World {
    pub registry: Registry,
    pub repository: Repository,
    scratch: tempfile::TempDir,
    /// Blobs that are there.
    sent: RefCell<BTreeSet<Digest>>,
    /// Manifests that are there.
    put: RefCell<BTreeMap<String, Manifest>>,
}

impl World {
    pub fn new(host: &str, path: &str) -> Self {
        let (registry, repository) = (registry(host), Repository::new(host, path).unwrap());
        Self {
            registry,
            repository,
            scratch: tempfile::tempdir().unwrap(),
            sent: RefCell::default(),
            put: RefCell::default(),
        }
    }

    pub async fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let value = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        let descriptor: Descriptor = serde_json::from_value(value.clone()).unwrap();
        if self.sent.borrow_mut().insert(digest.clone()) {
            let path = self.scratch.path().join(digest.hex());
            std::fs::write(&path, bytes).unwrap();
            self.registry.put_blob(&self.repository, &descriptor, &path).await.unwrap();
            std::fs::remove_file(path).unwrap();
        }
        value
    }

    pub async fn put(&self, value: &Value) -> Value {
        let manifest = Manifest::new(Bytes::from(value.to_string()), value["mediaType"].as_str().unwrap()).unwrap();
        let value = json!({"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.bytes.len()});
        if !self.put.borrow().contains_key(manifest.digest.as_str()) {
            self.registry.put_manifest(&self.repository, &manifest.digest, &manifest).await.unwrap();
            self.put.borrow_mut().insert(manifest.digest.to_string(), manifest);
        }
        value
    }

    /// An image of one platform; the same words are the same image. `created` is RFC 3339, or nothing.
    pub async fn image(&self, architecture: &str, words: &str, created: &str) -> Value {
        // Few layers, so that images share some.
        let layer = format!("layer {} of {}", words.len() % 3, self.repository.path());
        let layer = self.blob("application/vnd.oci.image.layer.v1.tar+gzip", layer.as_bytes()).await;
        let mut config = json!({"os": "linux", "architecture": architecture, "of": words});
        if !created.is_empty() {
            config["created"] = json!(created);
        }
        let config = self.blob(OCI_CONFIG, config.to_string().as_bytes()).await;
        self.put(&json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]})).await
    }

    pub async fn index(&self, children: &[Value]) -> Value {
        self.put(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})).await
    }

    /// Two platforms and what BuildKit attests about them.
    pub async fn attested(&self, words: &str, created: &str) -> Value {
        let mut children = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let mut image = self.image(architecture, &format!("{words} {architecture}"), created).await;
            image["platform"] = json!({"os": "linux", "architecture": architecture});
            let statement =
                self.blob("application/vnd.in-toto+json", format!("says {words} {architecture}").as_bytes()).await;
            let config = self.blob(OCI_CONFIG, b"{}").await;
            let mut said = self
                .put(&json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [statement]}))
                .await;
            said["platform"] = json!({"os": "unknown", "architecture": "unknown"});
            said["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image["digest"]});
            children.extend([image, said]);
        }
        self.index(&children).await
    }

    pub async fn tag(&self, tag: &str, descriptor: &Value) {
        let known = self.put.borrow().get(descriptor["digest"].as_str().unwrap()).cloned();
        let manifest = match known {
            Some(manifest) => manifest,
            None => self.registry.get_manifest(&self.repository, &digest(descriptor)).await.unwrap(),
        };
        self.registry.put_manifest(&self.repository, &name(tag), &manifest).await.unwrap();
    }

    pub async fn tags(&self) -> BTreeSet<String> {
        let listed = self.registry.tags(&self.repository).await.unwrap_or_default();
        listed.into_iter().map(|tag| tag.to_string()).collect()
    }

    /// Pulls whatever is below a digest, all platforms, every byte checked. Returns how many things that were.
    pub async fn pull(&self, root: &Digest) -> usize {
        let (mut stack, mut seen) = (vec![root.clone()], BTreeSet::new());
        let broken = |what: &Digest, error: &dyn std::fmt::Display| -> ! {
            panic!("{}@{root} cannot be pulled: {what}: {error}", self.repository)
        };
        while let Some(digest) = stack.pop() {
            if !seen.insert(digest.clone()) {
                continue;
            }
            let manifest = self.registry.get_manifest(&self.repository, &digest).await;
            let manifest = manifest.unwrap_or_else(|error| broken(&digest, &error));
            let blobs = match manifest.children().unwrap() {
                Children::Index(children) => {
                    stack.extend(children.into_iter().map(|child| child.digest));
                    continue;
                }
                Children::Image { config, layers } => [vec![config], layers].concat(),
            };
            for blob in blobs.into_iter().filter(|blob| seen.insert(blob.digest.clone())) {
                let read = async {
                    let stream = self.registry.get_blob(&self.repository, &blob).await?;
                    stream.try_for_each(|_| async { Ok(()) }).await
                };
                read.await.unwrap_or_else(|error| broken(&blob.digest, &error));
            }
        }
        seen.len()
    }
}

pub fn name(tag: &str) -> Tag {
    tag.parse().unwrap()
}

pub fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}
