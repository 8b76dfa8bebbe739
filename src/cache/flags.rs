//! Which caches a build reads and writes, as the specs of `--cache-from` and `--cache-to`.
//!
//! The rules: local before external, the branch before its fallback, the fallback never written, nothing written where
//! nothing is published, an export never fails a build. Whether a cache is hit is BuildKit's to say.

use super::tag::CacheTag;
use crate::config::model::{BuildCache, CacheExport, CacheMode};
use crate::plan::CacheRegistry;
use crate::plan::spec::spec;

/// Where local caches live unless the config says so: a volume of the runner, never a temporary directory.
pub const LOCAL_BASE: &str = "/stagefreight/cache/buildkit";

/// The prefix of cache tags unless the config says so.
pub const PREFIX: &str = "cache";

/// What the caches of one build are decided from.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The config's section.
    pub config: &'a BuildCache,
    /// Id of the repository.
    pub repo_id: &'a str,
    /// Branch of the run; `None` for a tag: it reads the fallback's cache and writes none.
    pub branch: Option<&'a str>,
    /// Branch whose cache is read after one's own.
    pub fallback: Option<&'a str>,
    /// Directory of this repository's local cache.
    pub local_dir: &'a str,
    /// It is there and can be written.
    pub local_writable: bool,
    /// Where external caches live.
    pub registry: Option<&'a CacheRegistry>,
    /// Id of the build, where the config has several: they must not overwrite each other's cache.
    pub build: Option<&'a str>,
    /// Caches are read, not written: nothing is published, or the run may not.
    pub read_only: bool,
}

/// Specs in order, and why a plane is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--cache-from`.
    pub from: Vec<String>,
    /// `--cache-to`.
    pub to: Vec<String>,
    /// One sentence each.
    pub skipped: Vec<String>,
}

/// The directory of a repository's local cache: `<base>/<16 hex digits>`. A relative base is relative to the root.
pub fn local_dir(config: &BuildCache, repo_id: &str, root: &std::path::Path) -> std::path::PathBuf {
    root.join(config.local.path.as_deref().unwrap_or(LOCAL_BASE)).join(super::repo_hash(repo_id))
}

/// The flags for one build.
pub fn flags(facts: &Facts<'_>) -> Flags {
    let mode = facts.config.mode;
    let mut flags = Flags::default();
    if matches!(mode, CacheMode::Local | CacheMode::Hybrid) {
        local(facts, &mut flags);
    }
    if matches!(mode, CacheMode::Shared | CacheMode::Hybrid) {
        external(facts, &mut flags);
    }
    flags
}

fn local(facts: &Facts<'_>, flags: &mut Flags) {
    let dir = facts.local_dir;
    if !facts.local_writable {
        flags.skipped.push(format!("local: {dir} is not there or cannot be written"));
        return;
    }
    // One directory serves all builds of a repository; a tag of its own keeps each one's manifest.
    let tag = facts.build.map(|id| ("tag", id));
    let mut from = vec![("type", "local"), ("src", dir)];
    from.extend(tag);
    flags.from.push(spec(&from));
    if !facts.read_only {
        let mut to = vec![("type", "local"), ("dest", dir)];
        to.extend(tag);
        flags.to.push(export(&to, CacheExport::Max));
    }
}

fn external(facts: &Facts<'_>, flags: &mut Flags) {
    let Some(registry) = facts.registry else {
        flags.skipped.push("external: build_cache.external.target names no registry target".to_owned());
        return;
    };
    let prefix = facts.config.external.path.as_deref().unwrap_or(PREFIX);
    let prefix = facts.build.map_or_else(|| prefix.to_owned(), |id| format!("{prefix}-{id}"));
    let reference = |branch: &str| match CacheTag::new(&prefix, facts.repo_id, branch) {
        Ok(tag) => Ok(format!("{}:{tag}", registry.repository)),
        Err(bad) => Err(format!("external: {bad}")),
    };
    let fallback = facts.fallback.filter(|fallback| facts.branch != Some(*fallback));
    for branch in facts.branch.into_iter().chain(fallback) {
        match reference(branch) {
            Ok(reference) => {
                // A daemon of somebody else's has nobody but us to say that this registry may be spoken to without TLS.
                let insecure = registry.insecure.then_some(("registry.insecure", "true"));
                let place = [("type", "registry"), ("ref", reference.as_str())].into_iter().chain(insecure);
                let place: Vec<_> = place.collect();
                flags.from.push(spec(&place));
                if facts.branch == Some(branch) && !facts.read_only {
                    flags.to.push(export(&place, facts.config.external.mode.unwrap_or(CacheExport::Max)));
                }
            }
            Err(why) => {
                flags.skipped.push(why);
                return;
            }
        }
    }
    if facts.branch.is_none() {
        flags.skipped.push("external: nothing is written, because this run has no branch".to_owned());
    }
}

/// An export, with everything explicit that builders have different defaults for, and never able to fail the build.
fn export(fields: &[(&str, &str)], mode: CacheExport) -> String {
    let mode = match mode {
        CacheExport::Max => "max",
        CacheExport::Min => "min",
    };
    let mut fields = fields.to_vec();
    fields.extend([("mode", mode), ("image-manifest", "true"), ("oci-mediatypes", "true"), ("ignore-error", "true")]);
    spec(&fields)
}

#[cfg(test)]
mod tests;
