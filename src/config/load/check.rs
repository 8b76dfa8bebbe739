//! What values mean: patterns, templates, tags, hosts, platforms. Works on the model and finds places by path.

use crate::config::clip;
use std::collections::BTreeMap;
use std::time::Duration;

use super::cycles::cycles;
use super::findings::Findings;
use super::names;
use crate::config::conditions::{BadPattern, check_entry, check_policy};
use crate::config::model::{Build, BuildKind, Config, Crucible, RegistryProvider, Target, TargetKind};
use crate::config::template::{Template, TemplateError, check_vars};
use crate::image::Repository;

/// Below it a busy registry looks like a dead one.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

type Named = BTreeMap<String, String>;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    names::check(config, findings);
    policies("policies.git_tags", &config.policies.git_tags, findings);
    policies("policies.branches", &config.policies.branches, findings);
    vars(&config.vars, findings);
    check_crucible("crucible", &config.crucible, findings);
    for (i, build) in config.builds.iter().enumerate().filter(|(_, b)| b.kind == BuildKind::Docker) {
        check_build(&format!("builds[{i}]"), build, config, findings);
    }
    for (i, target) in config.targets.iter().enumerate().filter(|(_, t)| t.kind == TargetKind::Registry) {
        check_target(&format!("targets[{i}]"), target, config, findings);
    }
    globs("build_cache.cleanup.protect.images.refs", &config.build_cache.cleanup.protect.images.refs, findings);
    if config.network.timeout.is_some_and(|timeout| timeout.0 < SHORTEST_TIMEOUT) {
        let hint = Some("write `1s` or more; the default is `30s`".to_owned());
        findings.add_at("network.timeout", "no registry answers in less than a second each time".to_owned(), hint);
    }
    if let Some(context) = &config.report.context {
        report_context(context, findings);
    }
    for (host, settings) in &config.registries {
        is_host(&format!("registries.{host}"), host, findings);
        for (i, mirror) in settings.mirrors.iter().enumerate() {
            is_host(&format!("registries.{host}.mirrors[{i}]"), mirror, findings);
        }
        prefix(&format!("registries.{host}.credentials"), settings.credentials.as_deref(), findings);
    }
}

/// The name of a status is matched by rules of branch protection, so it is never cut.
fn report_context(context: &str, findings: &mut Findings<'_>) {
    let fits = (1..=100).contains(&context.chars().count());
    if !fits || context.trim() != context || context.contains(char::is_control) {
        let what = format!("`{}` cannot name a commit status", clip(context));
        let hint = "write 1 to 100 characters on one line, without blanks around them".to_owned();
        findings.add_at("report.context", what, Some(hint));
    }
}

fn check_build(path: &str, build: &Build, config: &Config, findings: &mut Findings<'_>) {
    patterns(&format!("{path}.select_tags"), &build.select_tags, &config.policies.git_tags, findings);
    for (key, map) in [("build_args", &build.build_args), ("labels", &build.labels)] {
        for (name, text) in map {
            template(&format!("{path}.{key}.{name}"), text, &config.vars, findings);
        }
    }
    for (i, platform) in build.platforms.iter().enumerate() {
        if let Err(hint) = check_platform(platform) {
            let what = format!("`{}` is not a platform", clip(platform));
            findings.add_at(&format!("{path}.platforms[{i}]"), what, Some(hint));
        }
    }
    for (i, watch) in build.cache.watch.iter().enumerate() {
        globs(&format!("{path}.cache.watch[{i}].paths"), &watch.paths, findings);
    }
    check_crucible(&format!("{path}.crucible"), &build.crucible, findings);
}

fn check_crucible(path: &str, crucible: &Crucible, findings: &mut Findings<'_>) {
    for (i, binary) in crucible.binaries.iter().enumerate().filter(|(_, binary)| !binary.starts_with('/')) {
        let what = format!("`{}` is not an absolute path in the image", clip(binary));
        findings.add_at(&format!("{path}.binaries[{i}]"), what, Some("write it as `/usr/local/bin/app`".to_owned()));
    }
    globs(&format!("{path}.compare.ignore"), &crucible.compare.ignore, findings);
}

fn check_target(path: &str, target: &Target, config: &Config, findings: &mut Findings<'_>) {
    let tag_names = &config.policies.git_tags;
    patterns(&format!("{path}.when.branches"), &target.when.branches, &config.policies.branches, findings);
    patterns(&format!("{path}.when.git_tags"), &target.when.git_tags, tag_names, findings);
    patterns(&format!("{path}.select_tags"), &target.select_tags, tag_names, findings);
    if let Some(retention) = &target.retention {
        patterns(&format!("{path}.retention.protect"), &retention.protect, tag_names, findings);
    }
    prefix(&format!("{path}.credentials"), target.credentials.as_deref(), findings);
    for (i, tag) in target.tags.iter().enumerate() {
        let at = format!("{path}.tags[{i}]");
        if let Some(Err(error)) = template(&at, tag, &config.vars, findings).map(|tag| tag.check_tag()) {
            refuse(&at, &error, findings);
        }
    }
    let url = target.url.as_deref().and_then(|url| template(&format!("{path}.url"), url, &config.vars, findings));
    let repository =
        target.path.as_deref().and_then(|text| template(&format!("{path}.path"), text, &config.vars, findings));
    if let Some(url) = &url {
        check_host(&format!("{path}.url"), url, findings);
    }
    if let Some(text) = repository.as_ref().and_then(Template::as_literal).filter(|text| !text.is_empty())
        && let Err(error) = Repository::new("localhost", text)
    {
        let lower = text.to_lowercase();
        let hint = (Repository::new("localhost", &lower).is_ok()).then(|| format!("write `{lower}`"));
        findings.add_at(&format!("{path}.path"), error.to_string(), hint);
    }
    if target.provider != Some(RegistryProvider::Local) {
        what_a_registry_needs(path, target, findings);
    }
}

fn what_a_registry_needs(path: &str, target: &Target, findings: &mut Findings<'_>) {
    for (key, empty, example) in [
        ("url", target.url.as_deref().is_none_or(str::is_empty), "url: ghcr.io"),
        ("path", target.path.as_deref().is_none_or(str::is_empty), "path: team/app"),
        ("tags", target.tags.is_empty(), "tags: [\"{version}\"]"),
    ] {
        let at = format!("{path}.{key}");
        if empty && !findings.blamed(&at) {
            let what = format!("the target `{}` has no `{key}`", clip(&target.id));
            findings.add_at(&at, what, Some(format!("add `{example}`")));
        }
    }
}

fn policies(path: &str, named: &Named, findings: &mut Findings<'_>) {
    for (name, pattern) in named {
        if let Err(error) = check_policy(pattern) {
            findings.add_at(&format!("{path}.{name}"), error.to_string(), None);
        }
    }
}

fn patterns(path: &str, entries: &[String], names: &Named, findings: &mut Findings<'_>) {
    for (i, entry) in entries.iter().enumerate() {
        if let Err(error) = check_entry(entry, names) {
            let hint = match &error {
                BadPattern::Mistyped { written, nearest } => {
                    Some(format!("write `{nearest}`; if the name `{written}` itself is meant, write `re:^{written}$`"))
                }
                BadPattern::Regex { .. } => Some("`.*` is any text, `^` and `$` are the ends of the name".to_owned()),
                BadPattern::Empty => None,
            };
            findings.add_at(&format!("{path}[{i}]"), error.to_string(), hint);
        }
    }
}

fn vars(vars: &Named, findings: &mut Findings<'_>) {
    for (name, error) in check_vars(vars) {
        refuse(&format!("vars.{name}"), &error, findings);
    }
    let parsed: Vec<(&str, Template)> =
        vars.iter().filter_map(|(name, text)| Some((name.as_str(), Template::parse(text).ok()?))).collect();
    let needs = parsed.iter().map(|(name, template)| (*name, template.var_names().collect())).collect();
    for circle in cycles(&needs) {
        let error = TemplateError::Cycle(circle.iter().map(|name| (*name).to_owned()).collect());
        refuse(&format!("vars.{}", circle[0]), &error, findings);
    }
}

/// Reads a template and notes what is wrong with it.
fn template(path: &str, text: &str, vars: &Named, findings: &mut Findings<'_>) -> Option<Template> {
    match Template::parse(text).and_then(|template| template.check_names(vars).map(|()| template)) {
        Ok(template) => Some(template),
        Err(error) => {
            refuse(path, &error, findings);
            None
        }
    }
}

fn refuse(path: &str, error: &TemplateError, findings: &mut Findings<'_>) {
    findings.add_at(path, error.to_string(), error.hint());
}

/// A registry's address, as far as it stands there literally.
fn check_host(path: &str, url: &Template, findings: &mut Findings<'_>) {
    if let Some(text) = url.as_literal() {
        is_host(path, text, findings);
    } else if url.literals().any(|part| part.contains('/')) {
        let hint = "write the host alone; the path goes into `path`".to_owned();
        findings.add_at(path, "a registry's `url` is `host` or `host:port`, without scheme or path", Some(hint));
    }
}

fn is_host(path: &str, text: &str, findings: &mut Findings<'_>) {
    // Empty: said elsewhere.
    if text.is_empty() || Repository::new(text, "x").is_ok() {
        return;
    }
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (host, rest) = bare.split_once('/').unwrap_or((bare, ""));
    let hint = match (Repository::new(host, "x").is_ok(), rest.trim_matches('/')) {
        (false, _) => "write `host` or `host:port`".to_owned(),
        (true, "") => format!("write `{host}`"),
        (true, rest) => format!("write `{host}` here, and `{rest}` in `path`"),
    };
    let what = format!("`{}` is not a registry host: scheme and path do not belong here", clip(text));
    findings.add_at(path, what, Some(hint));
}

fn prefix(path: &str, prefix: Option<&str>, findings: &mut Findings<'_>) {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if let Some(prefix) = prefix.filter(|p| p.is_empty() || p.len() > 100 || !p.chars().all(legal)) {
        // What stands here may be a password put into the wrong place; the value is not repeated in the sentence.
        let bare = prefix.trim_start_matches('$');
        let hint = if bare.len() < prefix.len() && bare.chars().all(legal) {
            "leave out the `$`: the prefix alone is wanted"
        } else {
            "with `credentials: GHCR` the login is read from the variables GHCR_USER and GHCR_TOKEN"
        };
        findings.add_at(path, "`credentials` is the prefix of variable names, not a login", Some(hint.to_owned()));
    }
}

fn globs(path: &str, globs: &[String], findings: &mut Findings<'_>) {
    for (i, glob) in globs.iter().enumerate() {
        if let Err(error) = globset::Glob::new(glob) {
            let what = format!("`{}` is not a glob: {}", clip(glob), error.kind());
            findings.add_at(&format!("{path}[{i}]"), what, None);
        }
    }
}

/// `os/arch[/variant]`. Only the shape: which platforms exist is the builder's to say.
fn check_platform(text: &str) -> Result<(), String> {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    let parts: Vec<&str> = text.split('/').collect();
    if (2..=3).contains(&parts.len()) && parts.iter().all(|part| word(part)) {
        return Ok(());
    }
    Err(match parts.as_slice() {
        _ if text.contains(',') => "one platform for each item of the list".to_owned(),
        [arch] if word(arch) => format!("write `os/arch`, as in `linux/{arch}`"),
        _ => "write `os/arch` or `os/arch/variant`, as in `linux/amd64` or `linux/arm/v7`".to_owned(),
    })
}
