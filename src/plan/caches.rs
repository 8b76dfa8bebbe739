//! The caches of a run: which mode, whose branch, and the flags of each build.

use super::facts::{Facts, Findings};
use super::{CachePlan, CacheRegistry, Output, provider, settings, targets};
use crate::cache;
use crate::config::model::{CacheMode, RegistryProvider, Target, TargetKind};

/// What is the same for all builds of a run.
#[derive(Debug)]
pub(crate) struct Caches {
    pub(crate) plan: CachePlan,
    local_dir: String,
    from: Vec<String>,
    to: Vec<String>,
}

impl Caches {
    /// Resolves mode, branches and registry.
    pub(crate) fn of(facts: &Facts<'_>, found: &mut Findings) -> Self {
        let (config, inputs) = (&facts.request.config.build_cache, &facts.request.inputs);
        let fallback = fallback(facts).filter(|branch| facts.branch != Some(*branch));
        let mode = match config.mode {
            CacheMode::Unset | CacheMode::Off => "off",
            CacheMode::Local => "local",
            CacheMode::Shared => "shared",
            CacheMode::Hybrid => "hybrid",
        };
        let registry = matches!(config.mode, CacheMode::Shared | CacheMode::Hybrid).then(|| registry(facts, found));
        Self {
            plan: CachePlan {
                mode: mode.to_owned(),
                branch: facts.branch.unwrap_or_default().to_owned(),
                fallback: fallback.map(str::to_owned),
                skipped: Vec::new(),
                registry: registry.flatten(),
            },
            local_dir: cache::local_dir(config, &facts.repo_id, &facts.request.source.root).display().to_string(),
            from: settings::cache_specs("cache-from", &inputs.cache_from, found),
            to: settings::cache_specs("cache-to", &inputs.cache_to, found),
        }
    }

    /// `--cache-from` and `--cache-to` of one build. An input takes the place of what the config says, each for itself.
    pub(crate) fn flags(
        &mut self,
        build: Option<&str>,
        output: &Output,
        facts: &Facts<'_>,
    ) -> (Vec<String>, Vec<String>) {
        let untrusted = facts.untrusted();
        let published = matches!(output, Output::Publish { .. });
        let flags = cache::flags(&cache::flags::Facts {
            config: &facts.request.config.build_cache,
            repo_id: &facts.repo_id,
            branch: facts.branch,
            fallback: self.plan.fallback.as_deref(),
            local_dir: &self.local_dir,
            local_writable: facts.request.local_cache_writable,
            registry: self.plan.registry.as_ref(),
            build,
            read_only: untrusted.is_some() || !published,
        });
        let (own_from, own_to) = (self.from.is_empty(), self.to.is_empty());
        if own_from || own_to {
            flags.skipped.into_iter().for_each(|why| self.skip(why));
        }
        match untrusted {
            Some(reason) if !own_to => self.skip(format!("the input `cache-to` is not used: {reason}")),
            Some(reason) if !flags.from.is_empty() => self.skip(format!("no cache is written: {reason}")),
            None if own_to && !published && !flags.from.is_empty() => {
                let of = build.map(|id| format!(" of build `{id}`")).unwrap_or_default();
                self.skip(format!("no cache{of} is written: nothing is published"));
            }
            _ => {}
        }
        let to = match (own_to, untrusted) {
            (true, _) => flags.to,
            (false, None) => self.to.clone(),
            (false, Some(_)) => Vec::new(),
        };
        (if own_from { flags.from } else { self.from.clone() }, to)
    }

    /// No cache at all: both passes of a proof are cold.
    pub(crate) fn none(&mut self, build: &str) -> (Vec<String>, Vec<String>) {
        if self.plan.mode != "off" || !self.from.is_empty() || !self.to.is_empty() {
            self.skip(format!("build `{build}` is proven, so it neither reads nor writes a cache"));
        }
        (Vec::new(), Vec::new())
    }

    fn skip(&mut self, why: String) {
        if !self.plan.skipped.contains(&why) {
            self.plan.skipped.push(why);
        }
    }
}

/// The branch whose cache others read: the config's, else the repository's default branch.
fn fallback<'f>(facts: &Facts<'f>) -> Option<&'f str> {
    let (request, config) = (facts.request, &facts.request.config);
    let configured = config.build_cache.external.fallback.as_ref().or(config.sources.primary.default_branch.as_ref());
    let known = || request.source.git.as_ref().and_then(|git| git.default_branch.as_ref());
    configured.or(request.context.default_branch.as_ref()).or_else(known).map(String::as_str).filter(|b| !b.is_empty())
}

/// The repository of the target that caches live beside. Trouble with it costs the cache, not the build.
fn registry(facts: &Facts<'_>, found: &mut Findings) -> Option<CacheRegistry> {
    let id = facts.request.config.build_cache.external.target.as_deref()?;
    let ours =
        |target: &&Target| target.kind == TargetKind::Registry && target.provider != Some(RegistryProvider::Local);
    let target = facts.request.config.targets.iter().filter(ours).find(|target| target.id == id)?;
    match targets::repository(target, facts) {
        Ok(repository) => Some(CacheRegistry {
            target: id.to_owned(),
            insecure: facts.request.config.registries.get(repository.host()).is_some_and(|r| r.http || r.insecure),
            provider: target.provider.and_then(provider::named).unwrap_or_else(|| provider::of_host(repository.host())),
            repository,
            credentials: target.credentials.clone().filter(|prefix| !prefix.is_empty()),
        }),
        Err(problem) => {
            found.note(format!("the external cache is not used: {}", problem.what));
            None
        }
    }
}
