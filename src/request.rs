//! What the user asked for, fully explicit: inputs over config over defaults, with where we run and what the checkout holds.

use std::path::Path;

use jiff::Timestamp;

use crate::cache;
use crate::config::load;
use crate::config::model::{CacheMode, Config};
use crate::environment::{Environment, Vars};
use crate::forge::Wanted;
use crate::inputs::Inputs;
use crate::problem::{Failure, FailureKind, Problem};
use crate::runner::CiContext;
use crate::source::{self, Source};

/// The request: the pure input of `plan::resolve`.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where we run.
    pub context: CiContext,
    /// The configuration; the default where there is no file.
    pub config: Config,
    /// Path of the configuration file as read, relative to the root, if there is one.
    pub config_file: Option<String>,
    /// Flags, action inputs and environment twins, merged.
    pub inputs: Inputs,
    /// The checkout.
    pub source: Source,
    /// For `{env:NAME}` templates and credentials.
    pub vars: Vars,
    /// The run's one clock reading.
    pub now: Timestamp,
    /// The platform of this machine, `linux/amd64`.
    pub host_platform: String,
    /// Whether the local cache directory can be written; looked at before planning.
    pub local_cache_writable: bool,
    /// What loading the configuration has to say: sections that are not ours.
    pub notes: Vec<String>,
}

impl Request {
    /// Reads what there is to read: the configuration and the checkout. Afterwards nothing but registries and builders is asked.
    ///
    /// # Errors
    /// Everything wrong with the configuration, at once; or why the checkout cannot be read.
    pub fn gather(env: &Environment, context: CiContext, inputs: Inputs) -> Result<Self, Failure> {
        Self::read(env.vars.clone(), env.now, context, inputs)
    }

    /// The same request from what the checkout holds now: the same inputs, variables and clock, every file read again.
    ///
    /// # Errors
    /// As [`Request::gather`].
    pub fn again(&self) -> Result<Self, Failure> {
        Self::read(self.vars.clone(), self.now, self.context.clone(), self.inputs.clone())
    }

    fn read(vars: Vars, now: Timestamp, context: CiContext, inputs: Inputs) -> Result<Self, Failure> {
        let root = context.workspace.clone();
        let read = load::read(&root, inputs.config.as_deref()).map_err(|p| Failure::new(FailureKind::Config, p))?;
        let (config_file, loaded) = match read {
            Some((file, text)) => {
                let loaded =
                    load::load(&text, &file).map_err(|problems| Failure::many(FailureKind::Config, problems))?;
                (Some(file), loaded)
            }
            None => (None, load::Loaded::default()),
        };
        let config = loaded.config;
        Wanted::of(&config.report, &inputs.report).map_err(|p| Failure::new(FailureKind::Input, p))?;
        let named = config.builds.iter().filter_map(|b| b.dockerfile.clone()).chain(inputs.file.clone());
        let source = source::read(&root, &named.collect::<Vec<_>>()).map_err(|p| Failure::new(FailureKind::Plan, p))?;
        let context = context.complete(&source);
        Ok(Self {
            context,
            local_cache_writable: cache_is_writable(&config, &root),
            config,
            config_file,
            inputs,
            source,
            vars,
            now,
            host_platform: host_platform().map_err(|p| Failure::new(FailureKind::Plan, p))?,
            notes: loaded.notes,
        })
    }
}

/// Whether the local cache could be written, touching nothing: the nearest directory that exists decides.
fn cache_is_writable(config: &Config, root: &Path) -> bool {
    if !matches!(config.build_cache.mode, CacheMode::Local | CacheMode::Hybrid) {
        return false;
    }
    let base = root.join(config.build_cache.local.path.as_deref().unwrap_or(cache::flags::LOCAL_BASE));
    let nearest = base.ancestors().find(|dir| dir.exists());
    nearest.is_some_and(|dir| dir.is_dir() && rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok())
}

/// The platform of this machine in BuildKit's words.
fn host_platform() -> Result<String, Problem> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm/v7",
        "powerpc64" => "ppc64le",
        other @ ("riscv64" | "s390x") => other,
        "x86" => "386",
        other => {
            return Err(
                Problem::new(format!("images for {other} machines are unknown to BuildKit")).hint("set platforms")
            );
        }
    };
    Ok(format!("linux/{arch}"))
}
