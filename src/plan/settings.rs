//! Single settings of a build, checked: platforms, attestations, modes.

use super::facts::{Facts, Findings};
use super::spec::fields;
use super::{BuildMode, CruciblePlan, CrucibleRunner};
use crate::config::model::{Build, Reproducible};
use crate::problem::Problem;

/// The settings of one build.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) platforms: Vec<String>,
    pub(crate) build_mode: BuildMode,
    pub(crate) crucible: Option<CruciblePlan>,
    pub(crate) provenance: String,
    pub(crate) sbom: String,
    pub(crate) rewrite_timestamp: bool,
}

impl Settings {
    pub(crate) fn of(build: &Build, facts: &Facts<'_>, found: &mut Findings) -> Self {
        let build_mode = build_mode(build, facts, found);
        Self {
            platforms: platforms(build, facts, found),
            provenance: provenance(facts, found),
            sbom: sbom(facts, found),
            rewrite_timestamp: rewrite_timestamp(build.reproducible, build_mode),
            crucible: (build_mode == BuildMode::Crucible).then(|| crucible(build, facts, found)),
            build_mode,
        }
    }

    /// The image will be an index: several platforms, or attestations beside one. Those of a crucible are taken off again, and its
    /// second pass makes none.
    pub(crate) fn indexed(&self) -> bool {
        let attested = self.provenance != "false" || self.sbom != "false";
        self.platforms.len() > 1 || (attested && self.build_mode == BuildMode::Plain)
    }
}

/// Platforms: the input's, else the config's, else this machine's; sorted, without duplicates.
///
/// A local run loads into one engine, which takes one platform: of the config's several it builds this machine's.
fn platforms(build: &Build, facts: &Facts<'_>, found: &mut Findings) -> Vec<String> {
    let inputs = &facts.request.inputs;
    let asked = !inputs.platforms.is_empty();
    let (written, what) = match asked {
        true => (&inputs.platforms, "input `platforms`".to_owned()),
        false => (&build.platforms, format!("builds.{}.platforms", build.id)),
    };
    let words = written.iter().flat_map(|entry| entry.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let mut platforms: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    for bad in platforms.iter().filter(|platform| !is_platform(platform)) {
        let problem = Problem::new(format!("{what}: `{}` is no platform", bad.escape_debug()))
            .hint("a platform is `os/arch` or `os/arch/variant`: linux/amd64, linux/arm64, linux/arm/v7");
        found.problems.push(facts.placed(problem, &what));
    }
    platforms.sort();
    platforms.dedup();
    let host = &facts.request.host_platform;
    if platforms.is_empty() && !host.is_empty() {
        return vec![host.clone()];
    }
    if inputs.local && !asked && platforms.len() > 1 && platforms.contains(host) {
        found.note(format!("build `{}` is built for {host} only: a local run loads one platform", build.id));
        return vec![host.clone()];
    }
    platforms
}

fn is_platform(platform: &str) -> bool {
    let parts: Vec<&str> = platform.split('/').collect();
    let word = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    matches!(parts.len(), 2 | 3) && parts.iter().all(word)
}

/// `provenance` as buildx takes it: `false` unless asked for; `max` and `min` are short for `mode=…`.
fn provenance(facts: &Facts<'_>, found: &mut Findings) -> String {
    match facts.request.inputs.provenance.as_deref().map(str::trim) {
        Some(mode @ ("max" | "min")) => format!("mode={mode}"),
        value => attestation("provenance", value, "`true`, `false`, `mode=max` or `mode=min`", found),
    }
}

/// `sbom` as buildx takes it: `false` unless asked for.
fn sbom(facts: &Facts<'_>, found: &mut Findings) -> String {
    let value = facts.request.inputs.sbom.as_deref().map(str::trim);
    attestation("sbom", value, "`true`, `false` or `generator=<image>`", found)
}

fn attestation(input: &str, value: Option<&str>, wanted: &str, found: &mut Findings) -> String {
    let value = value.unwrap_or("false");
    match value.to_ascii_lowercase().as_str() {
        "" | "false" => return "false".to_owned(),
        "true" => return "true".to_owned(),
        _ => {}
    }
    let pair = |field: &String| field.split_once('=').is_some_and(|(key, _)| !key.is_empty());
    let legal = fields(value).is_some_and(|fields| fields.iter().all(pair)) && !value.chars().any(char::is_control);
    if !legal {
        let problem = Problem::new(format!("input `{input}`: `{}` is not understood", value.escape_debug()));
        found.problems.push(problem.hint(format!("write {wanted}")));
    }
    value.to_owned()
}

/// How a build is proven: the input's word before the config's.
fn build_mode(build: &Build, facts: &Facts<'_>, found: &mut Findings) -> BuildMode {
    match facts.request.inputs.build_mode.as_deref().map(str::trim) {
        None | Some("") => build.build_mode,
        Some("crucible") => BuildMode::Crucible,
        Some("plain") => BuildMode::Plain,
        Some(other) => {
            let problem = Problem::new(format!("input `build-mode`: `{}` is no mode", other.escape_debug()));
            found.problems.push(problem.hint("write `crucible`, or `plain` to switch off what the config says"));
            build.build_mode
        }
    }
}

/// The build's own crucible settings before the defaults of the file. What a stranger's code makes is built, and never run by us
/// outside the builder: it could read whatever the job can.
fn crucible(build: &Build, facts: &Facts<'_>, found: &mut Findings) -> CruciblePlan {
    let (own, defaults) = (&build.crucible, &facts.request.config.crucible);
    let mut runner = own.runner.or(defaults.runner).unwrap_or_default();
    if let (CrucibleRunner::Candidate, Some(reason)) = (runner, facts.untrusted()) {
        runner = CrucibleRunner::Rebuild;
        found.note(format!(
            "build {}: the second pass is run by this program, not by the candidate, which is not to be trusted: {reason}",
            build.id
        ));
    }
    let list = |own: &[String], default: &[String]| if own.is_empty() { default.to_vec() } else { own.to_vec() };
    CruciblePlan {
        min_trust: own.min_trust.or(defaults.min_trust).unwrap_or_default(),
        runner,
        binaries: list(&own.binaries, &defaults.binaries),
        version_command: list(&own.version_command, &defaults.version_command),
        ignore: list(&own.compare.ignore, &defaults.compare.ignore),
    }
}

/// Whether timestamps are rewritten. It needs an epoch, and re-compresses every layer: only crucible mode does it unasked.
fn rewrite_timestamp(reproducible: Reproducible, mode: BuildMode) -> bool {
    match reproducible {
        Reproducible::On => true,
        Reproducible::Off => false,
        Reproducible::Auto => mode == BuildMode::Crucible,
    }
}

/// `cache-from` and `cache-to` entries as given, checked for what would become another flag's text.
pub(crate) fn cache_specs(input: &str, given: &[String], found: &mut Findings) -> Vec<String> {
    let (good, bad): (Vec<_>, Vec<_>) = given
        .iter()
        .cloned()
        .partition(|entry| !entry.trim().is_empty() && !entry.chars().any(char::is_control) && fields(entry).is_some());
    for entry in bad {
        let problem = Problem::new(format!("input `{input}`: `{}` is no cache", entry.escape_debug()));
        found.problems.push(problem.hint("write one cache on each line, `type=registry,ref=host/path:tag`"));
    }
    good
}
