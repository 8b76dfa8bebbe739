//! The model, key by key. One function for each type of the model that is more than a few keys; the names here are the names there,
//! which a test holds together.

use super::findings::Findings;
use super::reader::Section;
use super::tree::Node;
use crate::config::model::*;

/// Sections of the file that belong to other StageFreight programs.
pub(crate) const OTHERS: &[&str] = &[
    "badges",
    "narrator",
    "lint",
    "security",
    "commit",
    "dependency",
    "docs",
    "manifest",
    "release",
    "lifecycle",
    "governance",
    "gitops",
    "docker",
    "glossary",
    "presentation",
    "tag",
];

const AGE: &str = "write it as `7d`, `72h` or `1h30m`";
const SIZE: &str = "write it as `15GB` or `500MB`";

/// The whole file, and what to tell a person about it.
pub(super) fn config(root: &Node, findings: &mut Findings<'_>) -> (Config, Vec<String>) {
    let mut notes = Vec::new();
    let config = Section::read(root, String::new(), findings, |s| {
        let config = Config {
            version: version(s),
            vars: s.text_map("vars"),
            policies: s.section("policies", |s| Policies {
                git_tags: s.text_map("git_tags"),
                branches: s.text_map("branches"),
            }),
            sources: s.section("sources", sources),
            builds: s.sections("builds", build),
            targets: s.sections("targets", target),
            crucible: s.section("crucible", crucible),
            publish: s.section("publish", publish),
            sign: s.section("sign", |s| Sign {
                mode: s.choice("mode").unwrap_or_default(),
                key: s.text("key"),
                transparency_log: s.flag("transparency_log"),
            }),
            build_cache: s.section("build_cache", build_cache),
            registries: s.section_map("registries", registry),
            network: s.section("network", |s| Network {
                ca: s.text("ca"),
                proxy: s.section("proxy", proxy),
                timeout: s.parsed("timeout", "write it as `30s` or `2m`"),
            }),
            report: s.section("report", report),
            project: s.section("project", project),
        };
        // Where anchors are kept; nothing in it means anything by itself.
        s.leave(&["defaults"]);
        notes.extend(note(&s.leave(OTHERS)));
        config
    });
    (config.unwrap_or_default(), notes)
}

fn note(others: &[&str]) -> Option<String> {
    let named: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
    match named.len() {
        0 => None,
        1 => Some(format!("section {} belongs to another StageFreight program and is not handled here", named[0])),
        _ => Some(format!(
            "sections {} belong to other StageFreight programs and are not handled here",
            named.join(", ")
        )),
    }
}

fn version(s: &mut Section<'_, '_>) -> u32 {
    let version = s.number("version");
    if !s.has("version") {
        s.mistake("version", "the key `version` is missing", Some("start the file with `version: 1`".to_owned()));
    } else if let Some(other) = version.filter(|v| *v != 1) {
        s.mistake(
            "version",
            format!("version {other} of the file format is not known"),
            Some("write `version: 1`".to_owned()),
        );
    }
    version.unwrap_or(1)
}

fn sources(s: &mut Section<'_, '_>) -> Sources {
    s.leave_the_rest();
    Sources {
        primary: s.section("primary", |s| {
            s.leave_the_rest();
            PrimarySource {
                kind: s.text("kind"),
                worktree: s.text("worktree"),
                url: s.text("url"),
                default_branch: s.text("default_branch"),
            }
        }),
    }
}

fn build(s: &mut Section<'_, '_>) -> Build {
    let named = Build { id: s.required_text("id"), depends_on: s.text("depends_on"), ..Build::default() };
    match s.required_choice("kind") {
        Some(BuildKind::Docker) => docker_build(s, named),
        Some(kind @ BuildKind::Binary) => {
            s.leave_the_rest();
            Build { kind, ..named }
        }
        // A kind nobody knows has keys nobody knows; one that is missing most likely is ours.
        None => {
            if s.has("kind") {
                s.leave_the_rest();
            }
            docker_build(s, named)
        }
    }
}

fn docker_build(s: &mut Section<'_, '_>, named: Build) -> Build {
    Build {
        kind: BuildKind::Docker,
        select_tags: s.texts("select_tags"),
        required: s.flag("required"),
        build_mode: s.choice("build_mode").unwrap_or_default(),
        dockerfile: s.text("dockerfile"),
        context: s.text("context"),
        target: s.text("target"),
        platforms: s.texts("platforms"),
        build_args: s.text_map("build_args"),
        labels: s.text_map("labels"),
        cache: s.section("cache", |s| BuildCacheRules {
            watch: s.sections("watch", |s| CacheWatch { paths: s.texts("paths"), invalidates: s.texts("invalidates") }),
            auto_detect: s.flag("auto_detect"),
        }),
        crucible: s.section("crucible", crucible),
        reproducible: s.choice("reproducible").unwrap_or_default(),
        ..named
    }
}

fn crucible(s: &mut Section<'_, '_>) -> Crucible {
    Crucible {
        toolchain_image: s.text("toolchain_image"),
        min_trust: s.choice("min_trust"),
        runner: s.choice("runner"),
        binaries: s.texts("binaries"),
        version_command: s.texts("version_command"),
        compare: s.section("compare", |s| Compare { ignore: s.texts("ignore") }),
    }
}

fn publish(s: &mut Section<'_, '_>) -> Publish {
    Publish {
        moving_tags: s.choice("moving_tags").unwrap_or_default(),
        on_conflict: s.choice("on_conflict").unwrap_or_default(),
        fixed_tags: s.choice("fixed_tags").unwrap_or_default(),
    }
}

fn target(s: &mut Section<'_, '_>) -> Target {
    let id = s.required_text("id");
    match s.required_choice("kind") {
        Some(TargetKind::Registry) => registry_target(s, id),
        Some(kind) => {
            s.leave_the_rest();
            Target { id, kind, ..Target::default() }
        }
        None => {
            if s.has("kind") {
                s.leave_the_rest();
            }
            registry_target(s, id)
        }
    }
}

fn registry_target(s: &mut Section<'_, '_>, id: String) -> Target {
    Target {
        id,
        kind: TargetKind::Registry,
        build: s.text("build"),
        when: s.section("when", |s| When {
            branches: s.texts("branches"),
            git_tags: s.texts("git_tags"),
            events: s.choices("events"),
        }),
        select_tags: s.texts("select_tags"),
        url: s.text("url"),
        provider: s.choice("provider"),
        path: s.text("path"),
        credentials: s.text("credentials"),
        description: s.text("description"),
        tags: s.texts("tags"),
        retention: s.number_or(
            "retention",
            |keep| Retention { keep_last: Some(keep), ..Retention::default() },
            |s| Retention {
                keep_last: s.number("keep_last"),
                keep_daily: s.number("keep_daily"),
                keep_weekly: s.number("keep_weekly"),
                keep_monthly: s.number("keep_monthly"),
                keep_yearly: s.number("keep_yearly"),
                protect: s.texts("protect"),
            },
        ),
        native_scan: s.flag("native_scan"),
    }
}

fn build_cache(s: &mut Section<'_, '_>) -> BuildCache {
    BuildCache {
        mode: s.choice("mode").unwrap_or_default(),
        builder: s.section("builder", |s| Builder {
            backend: s.choice("backend").unwrap_or_default(),
            name: s.text("name"),
            driver: s.choice("driver"),
            context: s.text("context"),
            image: s.text("image"),
        }),
        local: s.section("local", |s| LocalCache {
            path: s.text("path"),
            retention: s.section("retention", |s| LocalRetention {
                max_age: s.parsed("max_age", AGE),
                max_size: s.parsed("max_size", SIZE),
            }),
        }),
        external: s.section("external", |s| ExternalCache {
            target: s.text("target"),
            path: s.text("path"),
            fallback: s.text("fallback"),
            mode: s.choice("mode"),
            retention: s.section("retention", |s| ExternalRetention {
                max_refs: s.number("max_refs"),
                stale_age: s.parsed("stale_age", AGE),
            }),
        }),
        cleanup: s.section("cleanup", cleanup),
    }
}

fn cleanup(s: &mut Section<'_, '_>) -> Cleanup {
    Cleanup {
        enabled: s.flag("enabled").unwrap_or_default(),
        enforcement: s.choice("enforcement"),
        protect: s.section("protect", |s| CleanupProtect {
            images: s.section("images", |s| ProtectedImages { refs: s.texts("refs") }),
            volumes: s.section("volumes", |s| ProtectedVolumes { named: s.flag("named") }),
        }),
        prune: s.section("prune", |s| CleanupPrune {
            images: s.section("images", |s| PruneImages {
                dangling: s.optional("dangling", older_than),
                unreferenced: s.optional("unreferenced", older_than),
            }),
            build_cache: s.section("build_cache", |s| PruneBuildCache {
                older_than: s.parsed("older_than", AGE),
                keep_storage: s.parsed("keep_storage", SIZE),
            }),
            containers: s.section("containers", |s| PruneContainers { exited: s.optional("exited", older_than) }),
            networks: s.section("networks", |s| PruneNetworks { unused: s.flag("unused").unwrap_or_default() }),
        }),
    }
}

fn older_than(s: &mut Section<'_, '_>) -> OlderThan {
    OlderThan { older_than: s.parsed("older_than", AGE) }
}

fn registry(s: &mut Section<'_, '_>) -> RegistrySettings {
    RegistrySettings {
        http: s.flag("http").unwrap_or_default(),
        insecure: s.flag("insecure").unwrap_or_default(),
        ca: s.text("ca"),
        mirrors: s.texts("mirrors"),
        credentials: s.text("credentials"),
    }
}

fn proxy(s: &mut Section<'_, '_>) -> Proxy {
    Proxy { http: s.text("http"), https: s.text("https"), no_proxy: s.text("no_proxy") }
}

fn report(s: &mut Section<'_, '_>) -> Report {
    Report {
        status: s.choice("status").unwrap_or_default(),
        checks: s.choice("checks").unwrap_or_default(),
        comment: s.flag("comment").unwrap_or_default(),
        context: s.text("context"),
    }
}

fn project(s: &mut Section<'_, '_>) -> Project {
    Project {
        name: s.text("name"),
        url: s.text("url"),
        license: s.text("license"),
        language: s.text("language"),
        description: s.text("description"),
    }
}
