//! What signs, found and tried before anything is built: a missing program, a missing key and a wrong password cost no build.

use tokio_util::sync::CancellationToken;

use super::argv::{self, Believed, Key, Manner};
use super::cosign::{Cosign, Place};
use super::key::{self, Source};
use super::{Signer, Signing, trouble};
use crate::access::{self, Access};
use crate::config::model::SignMode;
use crate::plan::Plan;
use crate::problem::{Failure, FailureKind, Problem};
use crate::request::Request;
use crate::rundir::RunDir;
use crate::runner::Trust;

/// A signing configuration that names no service: no log, no time stamps (`sigstore/protobuf-specs` SigningConfig).
const NO_SERVICES: &str =
    r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}"#;
/// A trusted root that trusts nobody: a signature of one's own key needs none.
const NO_ROOT: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

/// Finds what signs, and tries it: a missing program, a missing key and a wrong password are told before anything is built.
///
/// # Errors
/// When it was to sign and cannot.
pub async fn resolve(
    request: &Request,
    plan: &Plan,
    access: &Access,
    run: &RunDir,
    trust: &[(String, String)],
    cancel: &CancellationToken,
) -> Result<Signing, Failure> {
    let sign = &plan.sign;
    if access::published(plan).next().is_none() {
        return Ok(Signing::Off { why: None });
    }
    let off = |why: &str| Ok(Signing::Off { why: Some(why.to_owned()) });
    let failed = |problem| Failure::new(FailureKind::Credentials, problem);
    let required = sign.mode == SignMode::Required;
    let refuse =
        |what: &str, hint: &str| Err(failed(Problem::new(format!("sign.mode is `required`, and {what}")).hint(hint)));
    if plan.steps.iter().any(|step| step.leg.is_some()) {
        return off("this run is a leg; the image is signed when it is merged");
    }
    if sign.mode == SignMode::Off {
        return off("sign.mode is `off`");
    }
    if let Trust::Untrusted { reason } = &request.context.trust {
        return match required {
            true => {
                refuse(&format!("this run may not see a key: {reason}"), "publish from runs of the repository itself")
            }
            false => off("runs of code from forks see no key"),
        };
    }
    let root = &request.source.root;
    let Some(source) = key::find(sign, &request.vars, root, &request.context).map_err(failed)? else {
        return match required {
            true => refuse(
                "there is no key",
                "set COSIGN_KEY or sign.key, or let the job have an OIDC token (GitHub: `id-token: write`; GitLab: SIGSTORE_ID_TOKEN)",
            ),
            false => off("no key (sign.key, COSIGN_KEY, .stagefreight/cosign.key) and no OIDC token of the job"),
        };
    };
    let place = Place { vars: &request.vars, run, cwd: root, proxy: access.proxy(), more: trust };
    let Some(cosign) = Cosign::find(place, cancel).await.map_err(failed)? else {
        let what = format!("images are to be signed with {}, and there is no cosign on PATH", describe(&source));
        let hint = "install cosign 2 or 3, or switch signing off with `sign: {mode: off}`";
        return Err(failed(Problem::new(what).hint(hint)));
    };
    signer(source, cosign, sign.transparency_log, run, cancel)
        .await
        .map(|signer| Signing::With(Box::new(signer)))
        .map_err(failed)
}

fn describe(source: &Source) -> String {
    match source {
        Source::File { named, .. } | Source::Text { named, .. } | Source::Address { named, .. } => named.clone(),
        Source::Job(identity) => format!("the job's identity ({})", identity.describe()),
    }
}

async fn signer(
    source: Source,
    cosign: Cosign,
    log: Option<bool>,
    run: &RunDir,
    cancel: &CancellationToken,
) -> Result<Signer, Problem> {
    let unwritable = |e: std::io::Error| {
        Problem::new(format!("what cosign needs cannot be written to the run's private directory: {e}"))
            .hint("check the space left and the permissions of the runner's temporary directory")
    };
    let keyless = matches!(source, Source::Job(_));
    let log = log.unwrap_or(keyless);
    if keyless && !log {
        return Err(Problem::new("sign.transparency_log is false, and there is no key").hint(
            "give a key: without one, only the log proves that the signature was made while its certificate was valid",
        ));
    }
    let how = describe(&source);
    let no_services = run.secret("no-services.json", NO_SERVICES.as_bytes()).map_err(unwritable)?;
    let no_root = run.secret("no-root.json", NO_ROOT.as_bytes()).map_err(unwritable)?;
    let nobody = cosign.login("nobody", None).map_err(unwritable)?;
    let key = match source {
        Source::File { path, .. } => Ok(path.display().to_string()),
        Source::Text { pem, .. } => {
            Ok(run.secret("cosign.key", pem.reveal().as_bytes()).map_err(unwritable)?.display().to_string())
        }
        Source::Address { uri, .. } => Ok(uri),
        Source::Job(identity) => Err(identity),
    };
    let (key, believed) = match key {
        Ok(key) => {
            let doing = format!("reading {how}");
            let public = cosign.call(argv::public_key(&key), &nobody, cancel).await;
            let public = public.map_err(|e| trouble::problem(&doing, &e, cosign.has_password()))?;
            let public = run.secret("cosign.pub", &public.stdout).map_err(unwritable)?;
            (Key::Named(key), Believed::Key { public: public.display().to_string(), log })
        }
        Err(identity) => (Key::Job, Believed::Job(identity)),
    };
    let manner = Manner { generation: cosign.generation, key, log, no_services, no_root };
    Ok(Signer { cosign, manner, believed, how })
}
