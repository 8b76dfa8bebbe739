//! cosign itself, of either generation: makes the keys of tests, and says whether a signature is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use serde_json::Value;

use super::{Registry, Testbed};

/// A cosign, with a key pair of its own.
pub(crate) struct Cosign {
    pub(crate) generation: u32,
    program: PathBuf,
    dir: tempfile::TempDir,
    pub(crate) password: String,
}

impl Cosign {
    /// The generation that is asked for, with a new key that has this password.
    pub(crate) fn new(generation: u32, password: &str) -> Self {
        let testbed = Testbed::get();
        let program = match generation {
            2 => testbed.cosign2,
            3 => testbed
                .path
                .split(':')
                .map(|dir| Path::new(dir).join("cosign"))
                .find(|path| path.exists())
                .expect("cosign"),
            other => panic!("there is no cosign {other}"),
        };
        let dir = tempfile::Builder::new().prefix("sf-cosign-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(&program, dir.path().join("bin/cosign")).unwrap();
        let cosign = Self { generation, program, dir, password: password.to_owned() };
        cosign.login(&[]);
        let made = cosign.call(&["generate-key-pair", "--output-key-prefix", "cosign"]);
        assert!(made.status.success(), "{made:?}");
        cosign
    }

    /// Another generation, with the same key.
    pub(crate) fn again(&self, generation: u32) -> Self {
        let other = Self::new(generation, &self.password);
        for name in ["cosign.key", "cosign.pub"] {
            std::fs::copy(self.file(name), other.file(name)).unwrap();
        }
        other
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Path of the private key.
    pub(crate) fn key(&self) -> String {
        self.file("cosign.key").to_str().unwrap().to_owned()
    }

    /// Path of the public key.
    pub(crate) fn public(&self) -> String {
        self.file("cosign.pub").to_str().unwrap().to_owned()
    }

    /// A `PATH` on which this one is the cosign.
    pub(crate) fn path(&self) -> String {
        format!("{}:{}", self.dir.path().join("bin").display(), Testbed::get().path)
    }

    /// The logins it has; each is host, user, password.
    pub(crate) fn login(&self, logins: &[(&str, &str, &str)]) {
        let token =
            |user: &str, password: &str| base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let auths: serde_json::Map<_, _> = logins
            .iter()
            .map(|(host, user, password)| ((*host).to_owned(), serde_json::json!({"auth": token(user, password)})))
            .collect();
        let docker = self.file("docker");
        std::fs::create_dir_all(&docker).unwrap();
        std::fs::write(docker.join("config.json"), serde_json::json!({"auths": auths}).to_string()).unwrap();
    }

    pub(crate) fn call(&self, args: &[&str]) -> Output {
        Command::new(&self.program)
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("DOCKER_CONFIG", self.file("docker"))
            .env("COSIGN_PASSWORD", &self.password)
            .output()
            .unwrap()
    }

    /// Whether this cosign finds a valid signature of this key.
    pub(crate) fn verifies(&self, image: &str) -> bool {
        let said = self.call(&["verify", "--key", &self.public(), "--insecure-ignore-tlog", image]);
        said.status.success()
    }

    /// The statements of this type that this key signed, as this cosign verified them.
    pub(crate) fn attestations(&self, image: &str, kind: &str) -> Vec<Value> {
        let args = ["verify-attestation", "--key", &self.public(), "--insecure-ignore-tlog", "--type", kind, image];
        let said = self.call(&args);
        let text = String::from_utf8(said.stdout).unwrap();
        let statements = text.lines().map(|line| {
            let envelope: Value = serde_json::from_str(line).unwrap();
            let payload = base64::engine::general_purpose::STANDARD.decode(envelope["payload"].as_str().unwrap());
            serde_json::from_slice(&payload.unwrap()).unwrap()
        });
        statements.collect()
    }
}

/// What hangs on a manifest: signatures and attestations, of both generations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) signatures: usize,
    pub(crate) attestations: usize,
}

impl Attached {
    /// Counts in the registry itself. `digest` with its algorithm.
    pub(crate) fn count(registry: &Registry, repository: &str, digest: &str) -> Self {
        let tag = digest.replace(':', "-");
        let layers = |suffix: &str| {
            let manifest = registry.manifest(repository, &format!("{tag}.{suffix}"));
            manifest.map_or(0, |m| m.body["layers"].as_array().unwrap().len())
        };
        let mut found = Self { signatures: layers("sig"), attestations: layers("att") };
        let listing = registry.manifest(repository, &tag).map(|listing| listing.body).unwrap_or_default();
        for entry in listing["manifests"].as_array().into_iter().flatten() {
            let manifest =
                registry.manifest(repository, entry["digest"].as_str().unwrap()).expect("what is listed is there");
            match manifest.body["annotations"]["dev.sigstore.bundle.predicateType"].as_str() {
                Some("https://sigstore.dev/cosign/sign/v1") => found.signatures += 1,
                Some(_) => found.attestations += 1,
                None => {}
            }
        }
        found
    }
}
