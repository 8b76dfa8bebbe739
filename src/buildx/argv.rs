//! The buildx command lines, as pure functions. What they return is pinned by tables; running them is `process`'s business.

use std::path::{Path, PathBuf};

use super::progress::Format;
use crate::image::Repository;
use crate::plan::Step;

/// What a build's command line needs beside the plan's step: where this run keeps things.
#[derive(Debug, Clone)]
pub struct Invocation<'a> {
    /// Builder to use.
    pub builder: &'a str,
    /// How progress is printed.
    pub format: Format,
    /// Root that relative paths are relative to; absolute.
    pub root: &'a Path,
    /// Where BuildKit's metadata goes; absolute.
    pub metadata: &'a Path,
    /// `--output` values, from [`Export::spec`].
    pub exports: &'a [Export],
    /// Named contexts for builds this one depends on: name (or reference) to value.
    pub dependencies: &'a [(String, String)],
    /// Private files holding secrets given by value: id and path.
    pub secret_files: &'a [(String, PathBuf)],
    /// A word only this solve knows: BuildKit then shares none of its commands with another solve, running or cached. It
    /// becomes a name in the commands' `/etc/hosts` and leaves the image's digest alone.
    pub nonce: Option<&'a str>,
}

/// One thing BuildKit makes of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// Content by digest in registries; no tag.
    Push {
        /// Where, without duplicates.
        repositories: Vec<Repository>,
        /// Reach them without verified TLS.
        insecure: bool,
        /// Rewrite timestamps to the epoch.
        rewrite_timestamp: bool,
    },
    /// Into the docker engine.
    Engine {
        /// `name:tag`.
        names: Vec<String>,
    },
    /// An OCI layout directory.
    Layout {
        /// Absolute.
        dir: PathBuf,
        /// Rewrite timestamps to the epoch.
        rewrite_timestamp: bool,
    },
    /// Nowhere: the image is only made, for its digest.
    Digest {
        /// Rewrite timestamps to the epoch.
        rewrite_timestamp: bool,
    },
}

impl Export {
    /// Where a push goes; `None` for the others.
    pub fn repositories(&self) -> Option<&[Repository]> {
        if let Self::Push { repositories, .. } = self { Some(repositories) } else { None }
    }

    /// The `--output` value: a CSV record, every option that decides a digest said aloud.
    pub fn spec(&self) -> String {
        let fields = match self {
            Self::Push { repositories, insecure, rewrite_timestamp } => {
                let names: Vec<_> = repositories.iter().map(ToString::to_string).collect();
                let mut fields =
                    vec!["type=image".to_owned(), format!("name={}", names.join(",")), "push=true".to_owned()];
                fields.push("push-by-digest=true".to_owned());
                if *insecure {
                    fields.push("registry.insecure=true".to_owned());
                }
                fields.extend(digest_options(*rewrite_timestamp));
                fields
            }
            Self::Engine { names } => vec!["type=docker".to_owned(), format!("name={}", names.join(","))],
            Self::Layout { dir, rewrite_timestamp } => {
                let mut fields = vec!["type=oci".to_owned(), "tar=false".to_owned(), format!("dest={}", dir.display())];
                fields.extend(digest_options(*rewrite_timestamp));
                fields
            }
            Self::Digest { rewrite_timestamp } => {
                // Unpacked, an engine's store would have it under timestamps of its own, and BuildKit refuses that.
                let mut fields = ["type=image", "push=false", "store=false"].map(str::to_owned).to_vec();
                fields.extend(digest_options(*rewrite_timestamp));
                fields
            }
        };
        csv_record(&fields)
    }
}

/// The exporter options that decide a manifest's bytes (`moby/buildkit` README, "image output options").
fn digest_options(rewrite_timestamp: bool) -> Vec<String> {
    let mut options = vec!["oci-mediatypes=true".to_owned(), "compression=gzip".to_owned()];
    if rewrite_timestamp {
        options.push("rewrite-timestamp=true".to_owned());
    }
    options
}

/// `buildx build …` for a step.
pub fn build(step: &Step, run: &Invocation<'_>) -> Vec<String> {
    let mut argv = Argv(vec!["build".to_owned()]);
    argv.pair("--builder", run.builder);
    argv.pair("--progress", run.format.flag());
    argv.pair("--metadata-file", &run.metadata.display().to_string());
    // Beside a remote context the Dockerfile is a path inside it.
    let root = if is_remote(&step.context) { Path::new("") } else { run.root };
    argv.pair("--file", &local_or_url(root, &step.dockerfile));
    if let Some(target) = &step.target {
        argv.pair("--target", target);
    }
    if !step.platforms.is_empty() {
        argv.pair("--platform", &step.platforms.join(","));
    }
    for (name, value) in &step.build_args {
        argv.pair("--build-arg", &format!("{name}={value}"));
    }
    for (name, value) in &step.labels {
        argv.pair("--label", &format!("{name}={value}"));
    }
    for (name, value) in &step.annotations {
        argv.pair("--annotation", &format!("{name}={value}"));
    }
    for (name, value) in run.dependencies {
        argv.pair("--build-context", &format!("{name}={value}"));
    }
    for (name, value) in &step.build_contexts {
        argv.pair("--build-context", &format!("{name}={value}"));
    }
    for spec in &step.secrets {
        argv.pair("--secret", spec);
    }
    for (id, path) in run.secret_files {
        argv.pair("--secret", &csv_record(&[format!("id={id}"), format!("src={}", path.display())]));
    }
    for spec in &step.ssh {
        argv.pair("--ssh", spec);
    }
    for spec in &step.cache_from {
        argv.pair("--cache-from", spec);
    }
    for spec in &step.cache_to {
        argv.pair("--cache-to", spec);
    }
    if let Some(nonce) = run.nonce {
        argv.pair("--add-host", &format!("sf-{nonce}:127.0.0.1"));
    }
    if step.no_cache {
        argv.0.push("--no-cache".to_owned());
    }
    if step.pull {
        argv.0.push("--pull".to_owned());
    }
    argv.0.push(format!("--provenance={}", step.provenance));
    argv.0.push(format!("--sbom={}", step.sbom));
    for export in run.exports {
        argv.pair("--output", &export.spec());
    }
    // After `--` a context that begins with a dash is still a context.
    argv.pair("--", &local_or_url(run.root, &step.context));
    argv.0
}

/// `buildx build --call check …` for a step: what its Dockerfile is checked with, and nothing built.
pub fn check(step: &Step, builder: &str, root: &Path) -> Vec<String> {
    let mut argv = Argv(vec!["build".to_owned()]);
    argv.pair("--builder", builder);
    argv.pair("--call", "check,format=json");
    let base = if is_remote(&step.context) { Path::new("") } else { root };
    argv.pair("--file", &local_or_url(base, &step.dockerfile));
    if let Some(target) = &step.target {
        argv.pair("--target", target);
    }
    for (name, value) in &step.build_args {
        argv.pair("--build-arg", &format!("{name}={value}"));
    }
    for (name, value) in &step.build_contexts {
        argv.pair("--build-context", &format!("{name}={value}"));
    }
    argv.pair("--", &local_or_url(root, &step.context));
    argv.0
}

/// How the `remote` driver reaches a BuildKit daemon over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCerts {
    /// CA that signed the daemon's certificate.
    pub ca: PathBuf,
    /// Our certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// `buildx create` for a BuildKit daemon.
pub fn create_remote(name: &str, endpoint: &str, certs: Option<&ClientCerts>) -> Vec<String> {
    let mut argv = Argv(vec!["create".to_owned()]);
    argv.pair("--name", name);
    argv.pair("--driver", "remote");
    if let Some(certs) = certs {
        let options = [("cacert", &certs.ca), ("cert", &certs.cert), ("key", &certs.key)];
        let fields: Vec<_> = options.iter().map(|(k, path)| format!("{k}={}", path.display())).collect();
        argv.pair("--driver-opt", &csv_record(&fields));
    }
    argv.0.push(endpoint.to_owned());
    argv.0
}

/// What a BuildKit container is started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerOptions {
    /// Its image; buildx's own choice if `None`.
    pub image: Option<String>,
    /// Share the host's network: registries on `localhost` are then the same for it as for us.
    pub host_network: bool,
    /// Environment of the daemon.
    pub env: Vec<(String, String)>,
    /// Its configuration file.
    pub config: Option<PathBuf>,
}

/// `buildx create` for a BuildKit container on a docker engine. `context` is a docker context, if the engine needs one.
pub fn create_container(name: &str, options: &ContainerOptions, context: Option<&str>) -> Vec<String> {
    let mut argv = Argv(vec!["create".to_owned()]);
    argv.pair("--name", name);
    argv.pair("--driver", "docker-container");
    if let Some(image) = &options.image {
        argv.pair("--driver-opt", &csv_record(&[format!("image={image}")]));
    }
    if options.host_network {
        argv.pair("--driver-opt", "network=host");
    }
    for (key, value) in &options.env {
        argv.pair("--driver-opt", &csv_record(&[format!("env.{key}={value}")]));
    }
    if let Some(config) = &options.config {
        argv.pair("--buildkitd-config", &config.display().to_string());
    }
    argv.0.extend(context.map(str::to_owned));
    argv.0
}

/// `buildx inspect`, starting the builder if it is not running.
pub fn inspect(name: &str) -> Vec<String> {
    ["inspect", "--bootstrap", name].map(str::to_owned).to_vec()
}

/// A list of fields as one CSV record, the form buildx reads `--output`, `--secret` and `--driver-opt` in.
pub fn csv_record(fields: &[String]) -> String {
    let quoted: Vec<_> = fields
        .iter()
        .map(|f| if f.contains([',', '"', '\n', '\r']) { format!("\"{}\"", f.replace('"', "\"\"")) } else { f.clone() })
        .collect();
    quoted.join(",")
}

/// Contexts and Dockerfiles may be URLs (`https://…`, `git@…`, `-` never); everything else is a path below the root.
fn local_or_url(root: &Path, given: &str) -> String {
    if is_remote(given) { given.to_owned() } else { root.join(given).display().to_string() }
}

/// Whether buildx would fetch this rather than read it.
pub fn is_remote(given: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@", "docker-image://", "oci-layout://", "target:"]
        .iter()
        .any(|p| given.starts_with(p))
}

struct Argv(Vec<String>);

impl Argv {
    fn pair(&mut self, flag: &str, value: &str) {
        self.0.extend([flag.to_owned(), value.to_owned()]);
    }
}

#[cfg(test)]
pub(crate) mod tests;
