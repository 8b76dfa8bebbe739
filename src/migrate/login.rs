//! Logins, builders and signatures of a job: the steps around its builds, and what of them the configuration says.

use std::collections::BTreeMap;

use super::cloud;
use super::edit::Edit;
use super::names;
use super::report::Report;
use super::step::{Role, Step};
use super::value::Judge;
use super::world::Run;
use super::yaml;

/// What the steps around a build become.
#[derive(Debug, Default, Clone)]
pub(super) struct Around {
    /// Registry (as a template) to prefix of variables.
    pub(super) logins: Vec<(String, String)>,
    /// Variables of the new step.
    pub(super) env: BTreeMap<String, String>,
    /// The key to sign with; empty without one.
    pub(super) sign: Option<String>,
    /// `build_cache.builder` as YAML lines.
    pub(super) builder: Vec<String>,
    /// Changes to steps that stay.
    pub(super) edits: Vec<Edit>,
}

/// docker/login-action and azure/docker-login. `stays`: the step itself does, because others may use it.
pub(super) fn login(
    step: &Step<'_>,
    stays: bool,
    run: &Run,
    judge: &mut Judge<'_>,
    around: &mut Around,
    report: &mut Report,
) {
    let line = step.line();
    let host = match judge.template(bare(registry(step).unwrap_or("docker.io")), run) {
        host if is_hub(&host) => "docker.io".to_owned(),
        host => host,
    };
    let (user, password) = (step.input("username").unwrap_or_default(), step.input("password").unwrap_or_default());
    for name in ["scope", "registry-auth"] {
        if let Some((key, _)) = step.with().and_then(|with| yaml::entry(with, name)) {
            report.lost(
                key.place.line,
                &format!("login-action's `{name}` is not carried over"),
                "give the registry `credentials: PREFIX`, and the step PREFIX_USER and PREFIX_TOKEN",
            );
        }
    }
    if cloud::exchanges(step, &host) {
        return cloud::exchanged(step, &host, around, report);
    }
    let own_token = ["${{secrets.GITHUB_TOKEN}}", "${{github.token}}", "${{secrets.GITEA_TOKEN}}"];
    if own_token.contains(&names::squeezed(password).as_str()) && host == "ghcr.io" {
        report.changed(
            line,
            match stays {
                true => "the build needs no login to ghcr.io: the action takes the job's token by itself",
                false => "the login to ghcr.io is gone: the action takes the job's token by itself",
            },
        );
        return;
    }
    if user.is_empty() || password.is_empty() {
        report.lost(
            line,
            &format!("the login to {host} has no user or no password that could be carried over"),
            "give the registry `credentials: PREFIX`, and the step PREFIX_USER and PREFIX_TOKEN",
        );
        return;
    }
    let prefix = around.known(&host);
    around.variables(&prefix, user, password);
    report.changed(line, &format!("the login to {host} became `credentials: {prefix}`, with {prefix}_USER and {prefix}_TOKEN on the step; it lives in a private file, and as long as the run"));
    if !password.contains("${{") {
        report.lost(
            line,
            "the password of this login stands in the workflow itself",
            "make it a secret, and revoke the one that was published",
        );
    }
}

/// What a login step logs in to.
fn registry<'n>(step: &Step<'n>) -> Option<&'n str> {
    step.input("registry").or_else(|| step.input("login-server"))
}

pub(super) fn bare(registry: &str) -> &str {
    registry.trim().trim_start_matches("https://").trim_end_matches('/')
}

pub(super) fn is_hub(host: &str) -> bool {
    matches!(host, "" | "docker.io" | "index.docker.io/v1" | "registry-1.docker.io" | "index.docker.io")
}

impl Around {
    /// The prefix of a registry's login; from now on the registry has one.
    pub(super) fn known(&mut self, host: &str) -> String {
        self.known_as(host, &prefix(host))
    }

    /// The same, with the prefix it would like to have.
    pub(super) fn known_as(&mut self, host: &str, plain: &str) -> String {
        if let Some((_, prefix)) = self.logins.iter().find(|(known, _)| *known == host) {
            return prefix.clone();
        }
        let taken = |name: &String| self.logins.iter().any(|(_, known)| known == name);
        let names = std::iter::once(plain.to_owned()).chain((2..100).map(|n| format!("{plain}_{n}")));
        let prefix = names.into_iter().find(|name| !taken(name)).unwrap_or_else(|| plain.to_owned());
        self.logins.push((host.to_owned(), prefix.clone()));
        prefix
    }

    /// What a login is made of, as variables of the new step.
    pub(super) fn variables(&mut self, prefix: &str, user: &str, token: &str) {
        for (name, value) in [("USER", user), ("TOKEN", token)] {
            self.env.insert(format!("{prefix}_{name}"), value.trim().to_owned());
        }
    }
}

/// The prefix that the variables of a registry's login would best have.
pub(super) fn prefix(host: &str) -> String {
    match host {
        "public.ecr.aws" => "ECR_PUBLIC".to_owned(),
        _ if cloud::is_ecr(host) => "ECR".to_owned(),
        "docker.io" => "DOCKERHUB".to_owned(),
        "ghcr.io" => "GHCR".to_owned(),
        "quay.io" => "QUAY".to_owned(),
        _ if host.contains(['{', '$']) => "REGISTRY".to_owned(),
        _ => {
            let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            let name: String = host.split(':').next().unwrap_or(host).chars().map(word).take(60).collect();
            if name.starts_with(|c: char| c.is_ascii_digit()) { format!("R_{name}") } else { name }
        }
    }
}

/// docker/setup-buildx-action. `stays`: the step itself does, because others may use its builder.
pub(super) fn buildx(step: &Step<'_>, stays: bool, around: &mut Around, report: &mut Report) {
    let own = "the run makes its own builder, on the engine that is there, and keeps its cache for the next run on that machine";
    match stays {
        true => report.changed(step.line(), own),
        false => report.changed(step.line(), &format!("setup-buildx-action is gone: {own}")),
    }
    for (key, value) in step.with().map(yaml::entries).unwrap_or_default() {
        let (line, text) = (key.place.line, yaml::text(value).unwrap_or_default());
        match (key.name.as_str(), text) {
            ("version" | "name" | "install" | "use" | "cleanup" | "cache-binary" | "keep-state", _)
            | ("driver", "docker-container") => {}
            ("driver", "docker") => around.builder.push("driver: docker".to_owned()),
            ("driver-opts", _) => {
                for option in text.split([',', '\n']).map(str::trim).filter(|option| !option.is_empty()) {
                    match option.split_once('=') {
                        Some(("image", image)) => around.builder.push(format!("image: {}", crate::init::files::scalar(image))),
                        _ => report.lost(line, &format!("the builder's option `{option}` is not carried over"), "proxies and CAs go under `network:`; a builder with settings of its own can be named by the input `builder`"),
                    }
                }
            }
            ("endpoint", _) | ("driver", "remote") => {
                report.lost(line, &format!("the remote builder, `{}: {text}`, is not carried over", key.name), "set BUILDKIT_HOST, and BUILDKIT_CERT_PATH to a directory with ca.pem, cert.pem and key.pem, on the step");
            }
            ("buildkitd-config" | "config" | "buildkitd-config-inline" | "config-inline", _) => {
                report.lost(
                    line,
                    &format!("`{}` is not carried over", key.name),
                    "mirrors, plain http and CAs of registries go under `registries:`",
                );
            }
            (name, _) => report.lost(
                line,
                &format!("setup-buildx-action's `{name}` is not carried over"),
                "a builder of your own can be named by the input `builder`",
            ),
        }
    }
}

/// cosign, if all that signs is understood.
pub(super) fn sign(steps: &[Step<'_>], around: &mut Around, report: &mut Report) -> bool {
    let signing: Vec<_> = steps.iter().filter(|step| step.role == Role::CosignSign).collect();
    let others = steps
        .iter()
        .filter(|step| step.role == Role::Other && step.text("run").is_some_and(|run| run.contains("cosign ")));
    let installer = steps.iter().find(|step| step.role == Role::CosignInstaller);
    if let Some(other) = others.into_iter().next() {
        report.lost(other.line(), "this script uses cosign for more than signing, so cosign stays as it is", "images are signed by the run itself once there is a key in COSIGN_KEY, or `id-token: write`; take the signing out of the script then");
        return false;
    }
    for step in &signing {
        let script = step.text("run").unwrap_or_default();
        let key = script.split_whitespace().skip_while(|word| *word != "--key").nth(1);
        let key = key.or_else(|| script.split_whitespace().find_map(|word| word.strip_prefix("--key=")));
        let key = key.unwrap_or_default().trim_matches(['"', '\'']).to_owned();
        report.changed(step.line(), "the signing became `sign: {mode: required}`: every image is signed by its digest before a tag names it, and a run that cannot sign fails before it builds");
        for (name, value) in yaml::get(step.node, "env").map(yaml::entries).unwrap_or_default() {
            if name.name.starts_with("COSIGN_")
                && let Some(text) = yaml::text(value)
            {
                around.env.insert(name.name.clone(), text.to_owned());
            }
        }
        around.sign = Some(key);
    }
    if let Some(installer) = installer.filter(|_| !signing.is_empty()) {
        report.changed(installer.line(), "cosign-installer is gone: cosign is in the action's image");
    }
    !signing.is_empty()
}

/// Registries that steps log in to, as templates.
pub(super) fn hosts(steps: &[Step<'_>], run: &Run, judge: &mut Judge<'_>) -> Vec<String> {
    let named = steps.iter().filter(|step| step.role == Role::Login).filter_map(registry).map(bare);
    let hosts = named.map(|registry| judge.template(registry, run));
    hosts
        .filter(|host| {
            host.contains('{') || names::repository("", &format!("{host}/x"), &names::Places::default()).is_ok()
        })
        .collect()
}

/// Users of Docker Hub that steps log in as, as written.
pub(super) fn users(steps: &[Step<'_>]) -> Vec<String> {
    let logins =
        steps.iter().filter(|step| step.role == Role::Login && is_hub(bare(registry(step).unwrap_or_default())));
    logins.filter_map(|step| step.input("username")).filter(|user| user.contains("${{")).map(names::squeezed).collect()
}
