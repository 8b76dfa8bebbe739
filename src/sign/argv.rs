//! What cosign is told, as pure functions: the two generations differ, and each has traps (`docs/signing.md`).

use std::path::PathBuf;

use super::key::Identity;

/// A cosign, as far as it matters for what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// 2.x: signatures under the tags `sha256-<hex>.sig` and `.att`.
    Two,
    /// 3.x: signatures as referrers.
    Three {
        /// It knows `--trusted-root`. Without that it asks for the public one over the network, even when it signs with a file.
        trusted_root: bool,
    },
}

/// What signs, as cosign takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// A path or an address.
    Named(String),
    /// The token that cosign finds in its environment.
    Job,
}

/// How a call signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) generation: Generation,
    pub(super) key: Key,
    /// It is entered in the public log.
    pub(super) log: bool,
    /// A signing configuration that names no service.
    pub(super) no_services: PathBuf,
    /// A trusted root that trusts nobody.
    pub(super) no_root: PathBuf,
}

/// Who is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Believed {
    /// A public key: a path or an address.
    Key {
        /// As cosign takes it.
        public: String,
        /// The signature must be in the public log, too.
        log: bool,
    },
    /// The identity of a job.
    Job(Identity),
    /// An identity as it was asked for: flags of cosign.
    Flags(Vec<String>),
}

/// How a registry is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// Without TLS.
    pub http: bool,
    /// With TLS that is not checked.
    pub insecure: bool,
}

/// `cosign sign`. `image` is `host/path@digest`; `whole` also signs each manifest of an index.
pub(super) fn sign(manner: &Manner, reach: Reach, image: &str, whole: bool) -> Vec<String> {
    let mut args = signing("sign", manner, reach);
    if whole {
        args.push("--recursive".into());
    }
    args.push(image.into());
    args
}

/// `cosign attest`: `predicate` is a file with the bare predicate. A whole statement would be signed as an empty one.
pub(super) fn attest(manner: &Manner, reach: Reach, image: &str, kind: &str, predicate: &str) -> Vec<String> {
    let mut args = signing("attest", manner, reach);
    args.extend([format!("--type={kind}"), format!("--predicate={predicate}"), image.into()]);
    args
}

/// `cosign verify`.
pub fn verify(believed: &Believed, reach: Reach, image: &str) -> Vec<String> {
    let mut args = vec!["verify".to_owned()];
    args.extend(believing(believed));
    args.extend(reaching(reach));
    args.push(image.into());
    args
}

/// `cosign verify-attestation`: prints one envelope a line.
pub fn verify_attestation(believed: &Believed, reach: Reach, image: &str, kind: &str) -> Vec<String> {
    let mut args = vec!["verify-attestation".to_owned(), format!("--type={kind}")];
    args.extend(believing(believed));
    args.extend(reaching(reach));
    args.push(image.into());
    args
}

/// `cosign public-key`: prints the public half.
pub(super) fn public_key(key: &str) -> Vec<String> {
    vec!["public-key".into(), format!("--key={key}")]
}

fn signing(verb: &str, manner: &Manner, reach: Reach) -> Vec<String> {
    let mut args = vec![verb.to_owned(), "--yes".into()];
    if let Key::Named(key) = &manner.key {
        args.push(format!("--key={key}"));
    }
    match (manner.generation, manner.log) {
        (_, true) => {}
        (Generation::Two, false) => args.push("--tlog-upload=false".into()),
        (Generation::Three { trusted_root }, false) => {
            args.push(format!("--signing-config={}", manner.no_services.display()));
            if trusted_root {
                args.push(format!("--trusted-root={}", manner.no_root.display()));
            }
        }
    }
    args.extend(reaching(reach));
    args
}

fn believing(believed: &Believed) -> Vec<String> {
    match believed {
        Believed::Key { public, log: true } => vec![format!("--key={public}")],
        Believed::Key { public, log: false } => vec![format!("--key={public}"), "--insecure-ignore-tlog=true".into()],
        Believed::Job(identity) => identity.args(),
        Believed::Flags(flags) => flags.clone(),
    }
}

fn reaching(reach: Reach) -> Vec<String> {
    let flag = |on: bool, name: &str| on.then(|| name.to_owned());
    flag(reach.http, "--allow-http-registry")
        .into_iter()
        .chain(flag(reach.insecure, "--allow-insecure-registry"))
        .collect()
}

#[cfg(test)]
mod tests;
