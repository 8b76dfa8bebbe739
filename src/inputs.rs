//! Flags, action inputs and environment twins: one table, three ways in.
//!
//! Precedence: command line, then `INPUT_*`, then `STAGEFREIGHT_*`; config and defaults come below, in `plan`. Names and
//! list syntax are those of docker/build-push-action where it has the same notion. This room only reads what was
//! written; what it means is decided in `plan`.

mod reader;
mod written;

use crate::environment::Vars;
use crate::problem::{Failure, FailureKind};
use crate::secret::Secret;
use reader::Reader;

/// How the text of an input is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// One value.
    Text,
    /// `true` or `false`.
    Bool,
    /// Values separated by commas or line ends; CSV quoting.
    List,
    /// One value a line, commas belong to the value; CSV quoting, so a quoted value may span lines.
    Lines,
}

/// One input: the single definition of its name, its syntax and its help.
#[derive(Debug, Clone, Copy)]
pub struct InputSpec {
    /// Name with dashes: flag `--name`, action input `name`, variable `STAGEFREIGHT_NAME`.
    pub name: &'static str,
    /// One-letter flag.
    pub short: Option<char>,
    /// Other spellings of the flag, as docker's command line has them.
    pub aliases: &'static [&'static str],
    /// How it is read.
    pub kind: InputKind,
    /// What stands for the value in `--help`.
    pub value: &'static str,
    /// Heading in `--help`.
    pub group: &'static str,
    /// One or two sentences for people.
    pub help: &'static str,
    /// Never a flag: a token, which `runner` reads beside the variables that runners set. A command line is read by everyone.
    pub token: bool,
}

const WHAT: &str = "What to build";
const HOW: &str = "How to build it";
const WHERE: &str = "Where it goes";
const RUN: &str = "This run";

const fn input(
    name: &'static str,
    kind: InputKind,
    value: &'static str,
    group: &'static str,
    help: &'static str,
) -> InputSpec {
    InputSpec { name, short: None, aliases: &[], kind, value, group, help, token: false }
}

const fn flag(
    name: &'static str,
    short: Option<char>,
    aliases: &'static [&'static str],
    kind: InputKind,
    value: &'static str,
    group: &'static str,
    help: &'static str,
) -> InputSpec {
    InputSpec { name, short, aliases, kind, value, group, help, token: false }
}

/// Every input there is. `action.yml`, the README and `--help` list exactly these.
pub const INPUTS: &[InputSpec] = &[
    input(
        "config",
        InputKind::Text,
        "FILE",
        RUN,
        "Configuration file, relative to the checkout. Default: .stagefreight.yml, if there is one.",
    ),
    input("build-id", InputKind::Text, "ID", WHAT, "Only this build of the configuration, and what it depends on."),
    input(
        "build-mode",
        InputKind::Text,
        "MODE",
        HOW,
        "`plain`, or `crucible`: prove the image by a second, cold build, and publish exactly what was proven.",
    ),
    input("context", InputKind::Text, "DIR|URL", WHAT, "Build context. Default: the checkout."),
    flag(
        "file",
        Some('f'),
        &["dockerfile"],
        InputKind::Text,
        "FILE",
        WHAT,
        "Dockerfile. Default: the first one found.",
    ),
    input("target", InputKind::Text, "STAGE", WHAT, "Stage of the Dockerfile to build. Default: the last."),
    flag(
        "platforms",
        None,
        &["platform"],
        InputKind::List,
        "OS/ARCH,…",
        WHAT,
        "Platforms to build for, such as linux/amd64,linux/arm64. Default: this machine's.",
    ),
    input(
        "platform-leg",
        InputKind::Text,
        "OS/ARCH",
        WHAT,
        "Build only this one of the platforms and put no tag: `stagefreight merge` makes one image of all legs.",
    ),
    flag(
        "tags",
        Some('t'),
        &["tag"],
        InputKind::List,
        "REF,…",
        WHERE,
        "Where to publish, as full references (host/path:tag); or bare tags, which replace those of the configuration's targets.",
    ),
    flag(
        "labels",
        None,
        &["label"],
        InputKind::Lines,
        "KEY=VALUE",
        HOW,
        "Labels for the image, one a line. They win over those we set.",
    ),
    flag(
        "annotations",
        None,
        &["annotation"],
        InputKind::Lines,
        "[TYPE:]KEY=VALUE",
        HOW,
        "Annotations for the manifest or index, one a line.",
    ),
    flag("build-args", None, &["build-arg"], InputKind::Lines, "NAME=VALUE", HOW, "Build arguments, one a line."),
    flag(
        "build-contexts",
        None,
        &["build-context"],
        InputKind::Lines,
        "NAME=VALUE",
        HOW,
        "Additional named contexts, one a line.",
    ),
    flag(
        "secrets",
        None,
        &["secret"],
        InputKind::Lines,
        "ID=VALUE",
        HOW,
        "Build secrets by value, one a line; quote a value to span lines. They reach BuildKit through a private file.",
    ),
    flag(
        "secret-envs",
        None,
        &["secret-env"],
        InputKind::List,
        "ID=VARIABLE,…",
        HOW,
        "Build secrets read from environment variables.",
    ),
    flag(
        "secret-files",
        None,
        &["secret-file"],
        InputKind::Lines,
        "ID=PATH",
        HOW,
        "Build secrets read from files, one a line.",
    ),
    input("ssh", InputKind::List, "ID[=SOCKET|KEY],…", HOW, "SSH agent sockets or keys for RUN --mount=type=ssh."),
    input(
        "cache-from",
        InputKind::Lines,
        "SPEC",
        HOW,
        "Caches to read, in buildx syntax, one a line. They replace the configuration's.",
    ),
    input(
        "cache-to",
        InputKind::Lines,
        "SPEC",
        HOW,
        "Caches to write, in buildx syntax, one a line. They replace the configuration's.",
    ),
    input("no-cache", InputKind::Bool, "BOOL", HOW, "Use no cache at all."),
    input("pull", InputKind::Bool, "BOOL", HOW, "Ask the registry for newer base images even if the builder has them."),
    input("push", InputKind::Bool, "BOOL", WHERE, "Publish. Default: yes, wherever there is a target."),
    input("load", InputKind::Bool, "BOOL", WHERE, "Load the image into the docker engine."),
    input(
        "provenance",
        InputKind::Text,
        "SPEC",
        HOW,
        "BuildKit's own provenance attestation, in buildx syntax. Default: false.",
    ),
    input("sbom", InputKind::Text, "SPEC", HOW, "BuildKit's own SBOM attestation, in buildx syntax. Default: false."),
    input(
        "backend",
        InputKind::Text,
        "WORD",
        HOW,
        "What builds: `buildkitd`, `docker` or `rootless`; it must be there then. Default: the configuration's, else what is found.",
    ),
    input(
        "builder",
        InputKind::Text,
        "NAME",
        HOW,
        "An existing buildx builder, used as it is. Default: one of our own.",
    ),
    input("dry-run", InputKind::Bool, "BOOL", RUN, "Show the whole plan and touch nothing."),
    input(
        "local",
        InputKind::Bool,
        "BOOL",
        WHERE,
        "Load into the docker engine and push nothing, whatever the configuration says.",
    ),
    input(
        "report",
        InputKind::List,
        "WHAT,…",
        RUN,
        "What is written to the forge beside the log: any of `status`, `checks` and `comment`, or `off`. Default: `status,checks`, or as the configuration says.",
    ),
    InputSpec {
        token: true,
        ..input(
            "github-token",
            InputKind::Text,
            "TOKEN",
            RUN,
            "Token for the forge: its own registry, the commit status, the check run, the note. GitHub's, Gitea's or Forgejo's; never a flag. GitLab's is the variable `GITLAB_TOKEN`.",
        )
    },
    flag("verbose", Some('v'), &[], InputKind::Bool, "BOOL", RUN, "Say more: every line of every step, every command."),
];

/// What was asked for beside the config file. `None` and empty lists mean "not said".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// Config file, relative to the workspace.
    pub config: Option<String>,
    /// Only this build.
    pub build_id: Option<String>,
    /// `crucible` or empty.
    pub build_mode: Option<String>,
    /// Context directory or URL.
    pub context: Option<String>,
    /// Dockerfile.
    pub file: Option<String>,
    /// Stage.
    pub target: Option<String>,
    /// Platforms.
    pub platforms: Vec<String>,
    /// One of the platforms, built as a leg.
    pub platform_leg: Option<String>,
    /// Full references (`host/path:tag`), or bare tags that replace those of the config's targets.
    pub tags: Vec<String>,
    /// `key=value`.
    pub labels: Vec<String>,
    /// `[type:]key=value`, buildx syntax.
    pub annotations: Vec<String>,
    /// `NAME=value`.
    pub build_args: Vec<String>,
    /// `name=value`.
    pub build_contexts: Vec<String>,
    /// `id=value`, the value itself.
    pub secrets: Vec<Secret>,
    /// `id=ENV_NAME`.
    pub secret_envs: Vec<String>,
    /// `id=path`.
    pub secret_files: Vec<String>,
    /// `default|id[=socket|key]`.
    pub ssh: Vec<String>,
    /// buildx `--cache-from`.
    pub cache_from: Vec<String>,
    /// buildx `--cache-to`.
    pub cache_to: Vec<String>,
    /// Ignore every cache.
    pub no_cache: Option<bool>,
    /// Always ask for newer base images.
    pub pull: Option<bool>,
    /// Publish. Default: where there are targets.
    pub push: Option<bool>,
    /// Load into the engine.
    pub load: Option<bool>,
    /// buildx `--provenance`.
    pub provenance: Option<String>,
    /// buildx `--sbom`.
    pub sbom: Option<String>,
    /// What builds.
    pub backend: Option<String>,
    /// An existing buildx builder.
    pub builder: Option<String>,
    /// What is written to the forge, in words that `forge` reads; empty where that was not said.
    pub report: Vec<String>,
    /// Show the plan, touch nothing.
    pub dry_run: bool,
    /// Load into the engine, push nothing.
    pub local: bool,
    /// Say more.
    pub verbose: bool,
}

impl Inputs {
    /// Merges the three ways in. `cli` gives the values of a flag by its name, in order, or `None` if it was not given.
    ///
    /// # Errors
    /// Every input that cannot be read, at once, named as the user wrote it.
    pub fn resolve(cli: &dyn Fn(&str) -> Option<Vec<String>>, vars: &Vars) -> Result<Self, Failure> {
        let mut reader = Reader { cli, vars, problems: Vec::new() };
        let inputs = Self {
            config: reader.text("config"),
            build_id: reader.text("build-id"),
            build_mode: reader.text("build-mode"),
            context: reader.text("context"),
            file: reader.text("file"),
            target: reader.text("target"),
            platforms: reader.list("platforms"),
            platform_leg: reader.text("platform-leg"),
            tags: reader.list("tags"),
            labels: reader.list("labels"),
            annotations: reader.list("annotations"),
            build_args: reader.list("build-args"),
            build_contexts: reader.list("build-contexts"),
            secrets: reader.list("secrets").into_iter().map(Secret::new).collect(),
            secret_envs: reader.list("secret-envs"),
            secret_files: reader.list("secret-files"),
            ssh: reader.list("ssh"),
            cache_from: reader.list("cache-from"),
            cache_to: reader.list("cache-to"),
            no_cache: reader.bool("no-cache"),
            pull: reader.bool("pull"),
            push: reader.bool("push"),
            load: reader.bool("load"),
            provenance: reader.text("provenance"),
            sbom: reader.text("sbom"),
            backend: reader.text("backend"),
            builder: reader.text("builder"),
            report: reader.list("report"),
            dry_run: reader.bool("dry-run").unwrap_or(false),
            local: reader.bool("local").unwrap_or(false),
            verbose: reader.bool("verbose").unwrap_or(false),
        };
        if reader.problems.is_empty() { Ok(inputs) } else { Err(Failure::many(FailureKind::Input, reader.problems)) }
    }
}

/// The variable GitHub's runner sets for an input: upper case, spaces to underscores, dashes kept
/// (`actions/runner` src/Runner.Worker/Handlers/Handler.cs).
pub fn input_variable(name: &str) -> String {
    format!("INPUT_{}", name.to_ascii_uppercase())
}

/// The environment twin of an input.
pub fn twin_variable(name: &str) -> String {
    format!("STAGEFREIGHT_{}", name.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests;
