//! A registry, asked in plain HTTP/1.0: what stands in it is what it says itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    pub(crate) host: String,
    authorization: Option<String>,
}

/// A manifest or index as the registry serves it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// Recomputed from the bytes.
    pub(crate) digest: String,
    pub(crate) body: Value,
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Registry {
    pub(crate) fn new(host: &str) -> Self {
        Self { host: host.to_owned(), authorization: None }
    }

    pub(crate) fn login(mut self, user: &str, password: &str) -> Self {
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.authorization = Some(format!("Authorization: Basic {token}\r\n"));
        self
    }

    /// Tags, sorted; none where the repository is unknown.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let response = self.get(&format!("/v2/{repository}/tags/list"), "*/*");
        if response.status == 404 {
            return Vec::new();
        }
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        let list: Value = serde_json::from_slice(&response.body).unwrap();
        let mut tags: Vec<String> =
            list["tags"].as_array().into_iter().flatten().map(|t| t.as_str().unwrap().to_owned()).collect();
        tags.sort();
        tags
    }

    /// What a tag or digest stands for, if it is there.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<Manifest> {
        let response = self.get(&format!("/v2/{repository}/manifests/{reference}"), TYPES);
        (response.status == 200)
            .then(|| Manifest { digest: digest(&response.body), body: serde_json::from_slice(&response.body).unwrap() })
    }

    /// The digest a tag points to.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> String {
        let manifest = self.manifest(repository, tag);
        manifest.unwrap_or_else(|| panic!("{}/{repository}:{tag} is not there", self.host)).digest
    }

    /// The image config of a single-platform image.
    pub(crate) fn config(&self, repository: &str, reference: &str) -> Value {
        let manifest = self.manifest(repository, reference).expect("manifest").body;
        let digest = manifest["config"]["digest"].as_str().expect("no index");
        self.blob(repository, digest).map(|bytes| serde_json::from_slice(&bytes).unwrap()).expect("config")
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        let response = self.get(&format!("/v2/{repository}/blobs/{digest}"), "*/*");
        (response.status == 200).then_some(response.body)
    }

    /// Deletes a manifest, and every tag that names it.
    pub(crate) fn delete(&self, repository: &str, digest: &str) {
        let response = self.send("DELETE", &format!("/v2/{repository}/manifests/{digest}"), "", b"");
        assert_eq!(response.status, 202, "{}", String::from_utf8_lossy(&response.body));
    }

    /// Puts an image of no layer under a tag, as another program would; what its labels say. Returns its digest.
    pub(crate) fn put_image(&self, repository: &str, tag: &str, labels: &Value) -> String {
        let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": []}});
        let config = self.put_blob(repository, config.to_string().as_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.0, "size": config.1}});
        self.put_manifest(repository, tag, IMAGE, manifest.to_string().as_bytes())
    }

    /// Puts a manifest under a tag or its digest. Returns its digest.
    pub(crate) fn put_manifest(&self, repository: &str, reference: &str, media_type: &str, bytes: &[u8]) -> String {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.send("PUT", &path, &format!("Content-Type: {media_type}\r\n"), bytes);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        digest(bytes)
    }

    /// Stores a blob. Returns its digest and size.
    pub(crate) fn put_blob(&self, repository: &str, bytes: &[u8]) -> (String, usize) {
        let digest = digest(bytes);
        let begun = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
        let at = begun.head.lines().find_map(|line| line.strip_prefix("Location: ")).expect("where to upload to");
        let at = at.split_once("/v2/").map(|(_, path)| format!("/v2/{path}")).unwrap();
        let joint = if at.contains('?') { '&' } else { '?' };
        let answer = self.send("PUT", &format!("{at}{joint}digest={digest}"), "", bytes);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        (digest, bytes.len())
    }

    fn get(&self, path: &str, accept: &str) -> Response {
        self.send("GET", path, &format!("Accept: {accept}\r\n"), b"")
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Response {
        let address = self.host.replace("localhost", "127.0.0.1");
        let mut stream = TcpStream::connect(&address).unwrap_or_else(|e| panic!("{address}: {e}"));
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let login = self.authorization.as_deref().unwrap_or_default();
        let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\n{headers}{length}{login}\r\n", self.host);
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let head_end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("an HTTP answer");
        let head = String::from_utf8_lossy(&answer[..head_end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Response { status, head, body: answer.split_off(head_end + 4) }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
