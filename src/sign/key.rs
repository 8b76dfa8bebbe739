//! Where the key is: in the order of the documentation, as a value. Reads no key and starts nothing.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::config::model::Sign;
use crate::environment::Vars;
use crate::problem::Problem;
use crate::runner::{CiContext, ForgeKind};
use crate::secret::Secret;

/// Variable with the key.
pub(super) const VARIABLE: &str = "COSIGN_KEY";
/// The key of a workspace, relative to it.
pub(super) const FILE: &str = ".stagefreight/cosign.key";
/// Issuer of the tokens of GitHub's jobs.
const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";

/// What signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A file.
    File {
        /// Absolute.
        path: PathBuf,
        /// For people: `the key in COSIGN_KEY`.
        named: String,
    },
    /// The text of a key, as a variable holds it.
    Text {
        /// PEM.
        pem: Secret,
        /// For people.
        named: String,
    },
    /// What cosign itself knows how to reach: `env://NAME`, `awskms://…`.
    Address {
        /// As it is given to cosign.
        uri: String,
        /// For people.
        named: String,
    },
    /// The job itself, by the OIDC token of its runner.
    Job(Identity),
}

/// Who a job is, in the certificate that it signs with. Contract: `sigstore/fulcio` docs/oidc.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A workflow of a repository. Which one the certificate says; the runner does not always.
    GitHub {
        /// `owner/name`.
        repository: String,
    },
    /// Exactly this.
    Exact {
        /// The subject of the certificate.
        subject: String,
        /// Who vouches for it.
        issuer: String,
    },
}

impl Identity {
    /// For people.
    pub fn describe(&self) -> String {
        match self {
            Self::GitHub { repository } => format!("a workflow of {repository}, vouched for by {GITHUB_ISSUER}"),
            Self::Exact { subject, issuer } => format!("{subject}, vouched for by {issuer}"),
        }
    }

    /// How cosign is told whom to believe.
    pub(super) fn args(&self) -> Vec<String> {
        match self {
            Self::GitHub { repository } => vec![
                "--certificate-identity-regexp=.*".into(),
                format!("--certificate-oidc-issuer={GITHUB_ISSUER}"),
                format!("--certificate-github-workflow-repository={repository}"),
            ],
            Self::Exact { subject, issuer } => {
                vec![format!("--certificate-identity={subject}"), format!("--certificate-oidc-issuer={issuer}")]
            }
        }
    }
}

/// The first of: `sign.key`, `COSIGN_KEY`, the file of the workspace, the job's own token. `None` where there is none of them.
///
/// # Errors
/// When one is named and is not there.
pub(super) fn find(sign: &Sign, vars: &Vars, root: &Path, context: &CiContext) -> Result<Option<Source>, Problem> {
    if let Some(key) = sign.key.as_deref().filter(|key| !key.trim().is_empty()) {
        return written(key, vars, root, "sign.key").map(Some);
    }
    if let Some(key) = vars.get(VARIABLE) {
        return written(key, vars, root, VARIABLE).map(Some);
    }
    let path = root.join(FILE);
    if path.is_file() {
        return Ok(Some(Source::File { path, named: format!("the key in {FILE}") }));
    }
    Ok(identity(vars, context).map(Source::Job))
}

/// A key as people write it: its text, an address, or a path.
fn written(text: &str, vars: &Vars, root: &Path, place: &str) -> Result<Source, Problem> {
    let text = text.trim();
    let named = format!("the key in {place}");
    if text.starts_with("-----BEGIN ") {
        if !text.contains("PRIVATE KEY-----") {
            let what = format!("{place} holds something in PEM form that is no private key");
            return Err(
                Problem::new(what).hint("give the private half, which `cosign generate-key-pair` writes to cosign.key")
            );
        }
        return Ok(Source::Text { pem: Secret::new(format!("{text}\n")), named });
    }
    if let Some(name) = text.strip_prefix("env://") {
        if vars.get(name).is_none() {
            let what = format!("{place} names the variable {name}, and it is not set");
            return Err(Problem::new(what)
                .hint("hand the key to the job under that name; runners hand none to pipelines of forks"));
        }
        return Ok(Source::Address { uri: text.to_owned(), named: format!("the key in the variable {name}") });
    }
    if text.contains("://") || text.starts_with("pkcs11:") {
        let service = text.split(':').next().unwrap_or_default();
        return Ok(Source::Address { uri: text.to_owned(), named: format!("the key in {service} that {place} names") });
    }
    let path = root.join(text);
    if path.is_file() {
        return Ok(Source::File { path, named });
    }
    // The value may be a key that lost its line breaks: it is not repeated.
    let shown =
        if text.len() > 200 || text.contains('\n') { "a value that is no path".to_owned() } else { text.to_owned() };
    Err(Problem::new(format!("{place} names no key: {shown} is not a file, and no address that cosign knows")).hint(
        "give the path of a key of `cosign generate-key-pair`, its text, env://NAME, or the address of a key service",
    ))
}

/// The job, where its runner offers a token that the public certificate authority takes.
fn identity(vars: &Vars, context: &CiContext) -> Option<Identity> {
    match context.forge {
        // An enterprise server is its own issuer, which that authority does not know.
        ForgeKind::GitHub if context.server_url.as_deref().is_none_or(|url| url == "https://github.com") => {
            vars.get("ACTIONS_ID_TOKEN_REQUEST_URL").and(vars.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))?;
            Some(Identity::GitHub { repository: context.repository.clone()? })
        }
        ForgeKind::GitLab => gitlab(vars.get("SIGSTORE_ID_TOKEN")?),
        _ => None,
    }
}

/// What a GitLab token says of the job. It is not checked here: the certificate authority does.
fn gitlab(token: &str) -> Option<Identity> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        ci_config_ref_uri: String,
    }
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()?;
    Some(Identity::Exact { subject: format!("https://{}", claims.ci_config_ref_uri), issuer: claims.iss })
}

#[cfg(test)]
mod tests;
