//! A registry in memory that also serves a vendor's API: stateful, and strict about what it is asked.
//!
//! A request that the contract does not know, or with the wrong login, is a violation: `fake_api` fails the test for it, and for a
//! write that no test asserted.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stagefreight::credentials::Login;
use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::{Digest, Repository, Tag};
use stagefreight::registry::{Catalog, HostSettings, Provider, Registry};
use stagefreight::secret::Secret;

pub(crate) use crate::fake_api::{Reply, Seen};

use crate::fake_api::{self, Journal, Server};

pub(crate) const SECRET: &str = "s3cr3t-t0k3n";
pub(crate) const PATH: &str = "team/app";

/// What a vendor's API answers; `None` for what its contract does not know.
pub(crate) type Api = fn(&mut State, &Seen) -> Option<Reply>;

impl Seen {
    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    /// The value of a parameter; every parameter must be one of `known`.
    pub(crate) fn number(&self, name: &str, known: &[&str]) -> Option<usize> {
        assert!(self.query.iter().all(|(key, _)| known.contains(&key.as_str())), "unknown parameter: {:?}", self.query);
        self.query.iter().find(|(key, _)| key == name)?.1.parse().ok()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) fn status(status: u16) -> Option<Reply> {
    Some(Reply(status, Vec::new(), Vec::new()))
}

pub(crate) fn answer(status: u16, body: &Value) -> Option<Reply> {
    Some(Reply(status, vec![("content-type", "application/json".into())], body.to_string().into_bytes()))
}

/// A page of a list with `Link: rel="next"` as GitHub, GitLab, Gitea and Harbor send it.
pub(crate) fn linked(seen: &Seen, all: &[Value], size: usize) -> Option<Reply> {
    let number = |name: &str| seen.query.iter().find(|(key, _)| key == name).and_then(|(_, v)| v.parse().ok());
    let page: usize = number("page").unwrap_or(1);
    let items: Vec<_> = all.iter().skip((page - 1) * size).take(size).collect();
    let mut reply = answer(200, &json!(items))?;
    reply.1.push(("x-total-count", all.len().to_string()));
    if page * size < all.len() {
        let mut query = String::new();
        for (key, value) in seen.query.iter().filter(|(key, _)| key != "page") {
            write!(query, "{key}={value}&").unwrap();
        }
        // As a registry behind a proxy writes it.
        reply.1.push(("link", format!("<http://internal:8080{}?{query}page={}>; rel=\"next\"", seen.path, page + 1)));
    }
    Some(reply)
}

/// How the registry itself answers DELETE.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Deletes {
    Never,
    ByDigest,
    Both,
}

/// What is stored, and what was done.
pub(crate) struct State {
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) deletes: Deletes,
    pub(crate) realm: Option<&'static str>,
    /// Tag to digest.
    pub(crate) tags: BTreeMap<String, String>,
    /// In the order of their coming.
    pub(crate) manifests: Vec<(String, Vec<u8>)>,
    blobs: HashSet<String>,
    /// Set by tests: what the vendor's API is to answer instead.
    pub(crate) instead: Vec<Reply>,
    /// For what else a vendor knows.
    pub(crate) notes: BTreeMap<String, String>,
    api: Api,
    journal: Journal<String>,
}

impl fake_api::Api for State {
    type Write = String;

    fn handle(&mut self, seen: Seen) -> Option<Reply> {
        Some(self.reply(&seen))
    }

    fn journal(&mut self) -> &mut Journal<String> {
        &mut self.journal
    }
}

impl State {
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{SECRET}", self.user)))
    }

    pub(crate) fn tags_of(&self, digest: &str) -> Vec<String> {
        self.tags.iter().filter(|(_, held)| *held == digest).map(|(tag, _)| tag.clone()).collect()
    }

    pub(crate) fn remove(&mut self, digest: &str) -> bool {
        self.tags.retain(|_, held| held != digest);
        let before = self.manifests.len();
        self.manifests.retain(|(held, _)| held != digest);
        self.manifests.len() < before
    }

    fn reply(&mut self, seen: &Seen) -> Reply {
        let reply = if seen.path.starts_with("/v2/") { self.registry(seen) } else { self.vendor(seen) };
        let reply = reply.unwrap_or_else(|| {
            let what =
                format!("{} {} {:?} {:?}", seen.method, seen.path, seen.query, seen.headers.get("authorization"));
            self.journal.violations.push(what);
            Reply(418, Vec::new(), Vec::new())
        });
        let login = seen.path.ends_with("/auth/token");
        if !matches!(seen.method.as_str(), "GET" | "HEAD") && !login && reply.0 < 400 {
            self.journal.writes.push(format!("{} {}", seen.method, seen.path));
        }
        reply
    }

    fn vendor(&mut self, seen: &Seen) -> Option<Reply> {
        if seen.path == "/jwt/auth" && seen.header("authorization") == self.basic() {
            return answer(200, &json!({"token": "registry-jwt"}));
        }
        if !self.instead.is_empty() {
            return Some(self.instead.remove(0));
        }
        (self.api)(self, seen)
    }

    /// As much of the distribution specification as is needed.
    fn registry(&mut self, seen: &Seen) -> Option<Reply> {
        let (wanted, challenge) = match self.realm {
            Some(realm) => (
                "Bearer registry-jwt".to_owned(),
                format!("Bearer realm=\"http://{}{realm}\",service=\"registry\"", self.host),
            ),
            None => (self.basic(), "Basic realm=\"registry\"".to_owned()),
        };
        if seen.header("authorization") != wanted {
            return Some(Reply(401, vec![("www-authenticate", challenge)], Vec::new()));
        }
        let rest = seen.path.strip_prefix(&format!("/v2/{PATH}/"))?;
        if rest == "tags/list" {
            return answer(200, &json!({"name": PATH, "tags": self.tags.keys().collect::<Vec<_>>()}));
        }
        if let Some(reference) = rest.strip_prefix("manifests/") {
            return self.manifest(seen, reference);
        }
        match (seen.method.as_str(), rest.strip_prefix("blobs/")?) {
            ("HEAD", digest) => status(if self.blobs.contains(digest) { 200 } else { 404 }),
            ("POST", "uploads/") => Some(Reply(202, vec![("location", format!("/v2/{PATH}/blobs/uploads/1"))], vec![])),
            ("PUT", "uploads/1") => {
                let digest = Digest::of(&seen.body).to_string();
                assert!(seen.query.contains(&("digest".into(), digest.clone())));
                self.blobs.insert(digest.clone());
                Some(Reply(201, vec![("docker-content-digest", digest)], vec![]))
            }
            _ => None,
        }
    }

    fn manifest(&mut self, seen: &Seen, reference: &str) -> Option<Reply> {
        let digest = self.tags.get(reference).cloned().unwrap_or_else(|| reference.to_owned());
        let found = self.manifests.iter().find(|(held, _)| *held == digest).map(|(_, bytes)| bytes.clone());
        let is_digest = reference.starts_with("sha256:");
        match seen.method.as_str() {
            "PUT" => {
                let digest = Digest::of(&seen.body).to_string();
                if found.is_none() || !self.manifests.iter().any(|(held, _)| *held == digest) {
                    self.manifests.push((digest.clone(), seen.body.clone()));
                }
                if !is_digest {
                    self.tags.insert(reference.to_owned(), digest.clone());
                }
                Some(Reply(201, vec![("docker-content-digest", digest)], vec![]))
            }
            "DELETE" if self.deletes == Deletes::Never || (self.deletes == Deletes::ByDigest && !is_digest) => {
                answer(405, &json!({"errors": [{"code": "UNSUPPORTED", "message": "no"}]}))
            }
            "DELETE" if !is_digest => status(if self.tags.remove(reference).is_some() { 202 } else { 404 }),
            "DELETE" => status(if self.remove(&digest) { 202 } else { 404 }),
            "GET" | "HEAD" => Some(match found {
                Some(bytes) => {
                    let kind = "application/vnd.oci.image.manifest.v1+json".to_owned();
                    Reply(200, vec![("docker-content-digest", digest), ("content-type", kind)], bytes)
                }
                None => Reply(404, vec![], vec![]),
            }),
            _ => None,
        }
    }
}

/// The registry, serving.
pub(crate) struct Fake(Server<State>);

impl Deref for Fake {
    type Target = Server<State>;

    fn deref(&self) -> &Server<State> {
        &self.0
    }
}

impl Fake {
    pub(crate) fn start(user: &str, api: Api) -> Self {
        Self(Server::start(|host| State {
            host: host.to_owned(),
            user: user.to_owned(),
            deletes: Deletes::Never,
            realm: None,
            tags: BTreeMap::new(),
            manifests: Vec::new(),
            blobs: HashSet::new(),
            instead: Vec::new(),
            notes: BTreeMap::new(),
            api,
            journal: Journal::default(),
        }))
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::new(&self.host, PATH).unwrap()
    }

    /// The registry as seen with the right login, and its API where it follows from the registry's name.
    pub(crate) fn catalog(&self, provider: Provider) -> Catalog {
        let user = self.state().user.clone();
        let login =
            Login { host: self.host.clone(), user, secret: Secret::new(SECRET), source: "T_USER and T_TOKEN".into() };
        let clients = Clients::new(HttpSettings::default());
        Catalog::new(Registry::new(&self.host, Some(login), &HostSettings::default(), clients).unwrap(), provider)
    }

    /// An image of its own under these tags.
    pub(crate) fn image(&self, tags: &[&str]) -> Digest {
        let mut state = self.state();
        let config =
            json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"{}"), "size": 2});
        let number = state.manifests.len();
        let bytes =
            json!({"schemaVersion": 2, "config": config, "layers": [], "annotations": {"n": number.to_string()}});
        let bytes = bytes.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        state.manifests.push((digest.to_string(), bytes));
        state.tags.extend(tags.iter().map(|tag| ((*tag).to_owned(), digest.to_string())));
        digest
    }

    pub(crate) fn instead(&self, reply: Option<Reply>) {
        self.state().instead.extend(reply);
    }

    pub(crate) fn tags(&self) -> Vec<String> {
        self.state().tags.keys().cloned().collect()
    }
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// A request by hand; its answer is not looked at.
fn send(fake: &Fake, request: &str) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(&fake.host).unwrap();
    let login = fake.state().basic();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
#[should_panic(expected = "written, and nobody asserted it: [\n    \"POST /v2/team/app/blobs/uploads/\"")]
fn a_write_that_nobody_asserted_fails_its_test() {
    send(&Fake::start("ada", |_, _| None), "POST /v2/team/app/blobs/uploads/");
}

#[test]
#[should_panic(expected = "against the contract: [\n    \"GET /nothing")]
fn a_request_that_the_contract_does_not_know_fails_its_test() {
    send(&Fake::start("ada", |_, _| None), "GET /nothing");
}

#[test]
fn a_write_that_was_looked_at_does_not() {
    let fake = Fake::start("ada", |_, _| None);
    send(&fake, "POST /v2/team/app/blobs/uploads/");
    assert_eq!(fake.writes(), ["POST /v2/team/app/blobs/uploads/"]);
}
