//! A step of a job: what it is for, and the lines it stands in.

use super::cloud;
use super::edit::{self, Item};
use super::yaml;
use crate::config::load::tree::Node;
use crate::init::files::scalar;

/// How a job comes to a cloud's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloud {
    /// aws-actions/configure-aws-credentials.
    Aws,
    /// aws-actions/amazon-ecr-login.
    Ecr,
    /// google-github-actions/auth.
    Google,
    /// azure/login.
    Azure,
    /// `run:` that lets a cloud's program log docker in, and does nothing else.
    Script,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Checkout,
    /// A login with a user and a password.
    Login,
    /// What gets a token from a cloud.
    Cloud(Cloud),
    Qemu,
    Buildx,
    Metadata,
    Build,
    CosignInstaller,
    /// `run:` that signs and does nothing else.
    CosignSign,
    Attest,
    Bake,
    Other,
}

/// A step.
#[derive(Debug)]
pub(super) struct Step<'n> {
    pub(super) node: &'n Node,
    pub(super) role: Role,
    /// `None` where it is not written in lines of its own.
    pub(super) item: Option<Item>,
}

impl<'n> Step<'n> {
    pub(super) fn read(node: &'n Node, source: &[&str]) -> Self {
        let line = yaml::entries(node).first().map_or(node.place.line, |(key, _)| key.place.line);
        Self { node, role: role(node), item: edit::item(source, line) }
    }

    pub(super) fn text(&self, key: &str) -> Option<&'n str> {
        yaml::get(self.node, key).and_then(yaml::text)
    }

    pub(super) fn with(&self) -> Option<&'n Node> {
        yaml::get(self.node, "with")
    }

    /// An input of the step.
    pub(super) fn input(&self, name: &str) -> Option<&'n str> {
        self.with().and_then(|with| yaml::get(with, name)).and_then(yaml::text)
    }

    pub(super) fn line(&self) -> usize {
        yaml::entries(self.node).first().map_or(self.node.place.line, |(key, _)| key.place.line)
    }

    /// Its keys stand in lines of their own, so that one can be added or replaced: it is not written as `{uses: …}`.
    pub(super) fn in_lines(&self, source: &[&str]) -> bool {
        let line = |n: usize| source.get(n.wrapping_sub(1)).copied().unwrap_or_default();
        let after_dash = |item: Item| line(item.first).get(item.dash + 1..).unwrap_or_default().trim_start();
        let before = |n: usize, column: usize| line(n).chars().take(column.saturating_sub(1)).any(|c| c == '{');
        self.item.is_some_and(|item| !after_dash(item).starts_with('{'))
            && yaml::entries(self.node).iter().all(|(key, _)| !before(key.place.line, key.place.column))
    }

    /// The lines of an input, without their indentation; made anew where it is not written in lines of its own.
    pub(super) fn kept(&self, name: &str, value: &Node, source: &[&str]) -> Vec<String> {
        let key = self.with().and_then(|with| yaml::entry(with, name)).map(|(key, _)| key.place.line);
        let own = key.filter(|line| source.get(line - 1).is_some_and(|text| text.trim_start().starts_with(name)));
        let Some(first) = own else {
            return vec![format!("{name}: {}", scalar(yaml::text(value).unwrap_or_default()))];
        };
        let column = edit::indent(source[first - 1]);
        let last = edit::end(source, first, column);
        // What is said about it stays with it.
        let said = source[..first - 1]
            .iter()
            .rev()
            .take_while(|line| line.trim_start().starts_with('#') && edit::indent(line) == column);
        let first = first - said.count();
        source[first - 1..last]
            .iter()
            .map(|line| line.get(column..).unwrap_or_default().trim_end().to_owned())
            .collect()
    }
}

fn role(node: &Node) -> Role {
    let text = |key: &str| yaml::get(node, key).and_then(yaml::text).unwrap_or_default();
    let uses = text("uses").to_ascii_lowercase();
    match uses.split('@').next().unwrap_or_default() {
        "actions/checkout" => Role::Checkout,
        "docker/login-action" | "azure/docker-login" => Role::Login,
        "aws-actions/configure-aws-credentials" => Role::Cloud(Cloud::Aws),
        "aws-actions/amazon-ecr-login" => Role::Cloud(Cloud::Ecr),
        "google-github-actions/auth" => Role::Cloud(Cloud::Google),
        "azure/login" => Role::Cloud(Cloud::Azure),
        "docker/setup-qemu-action" => Role::Qemu,
        "docker/setup-buildx-action" => Role::Buildx,
        "docker/metadata-action" => Role::Metadata,
        "docker/build-push-action" => Role::Build,
        "docker/bake-action" => Role::Bake,
        "sigstore/cosign-installer" => Role::CosignInstaller,
        "actions/attest-build-provenance" | "actions/attest" => Role::Attest,
        "" if signs_only(text("run")) => Role::CosignSign,
        "" if cloud::logs_in(text("run")) => Role::Cloud(Cloud::Script),
        _ => Role::Other,
    }
}

/// A script of which every line belongs to signing images.
fn signs_only(script: &str) -> bool {
    let mut signs = false;
    let fine = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).all(|line| {
        signs |= line.contains("cosign sign ");
        let chained = line.contains("&&")
            || line.contains("; rm")
            || line.contains("cosign verify")
            || line.contains("cosign attest");
        let begins = [
            "cosign sign ",
            "for ",
            "do",
            "done",
            "images=",
            "images+=",
            "echo \"$",
            "echo ${",
            "echo \"${",
            "set -",
            "--",
            "\"$",
            "\"${",
            "${",
            "| xargs",
        ];
        !chained && begins.iter().any(|begin| line.starts_with(begin))
    });
    fine && signs
}
