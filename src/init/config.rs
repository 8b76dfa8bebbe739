//! The configuration as text: each part with the reason why it is there.

use std::fmt::Write as _;

use super::builds::{Found, legal};
use super::files::{flow, scalar};
use super::look::{Forge, Seen, is_elsewhere};
use super::versions::Scheme;

/// Variables of the login where the job's own token may not push packages.
pub(super) const PREFIX: &str = "PACKAGES";

/// Where images go.
pub(super) struct Home {
    pub(super) url: String,
    pub(super) path: String,
    /// Login by variables of that prefix.
    pub(super) credentials: Option<&'static str>,
    why: &'static str,
}

/// The registry that belongs to the forge; none where nobody can tell. Never a name that may be somebody else's: ghcr.io belongs to
/// github.com alone, and a path of another host is no path of this one.
pub(super) fn home(seen: &Seen) -> Option<Home> {
    let forge = seen.forge?;
    let remote = seen.remote.as_ref().filter(|(host, _)| !is_elsewhere(host, forge));
    let path = remote.map(|(_, path)| image_path(path));
    let host = remote.map(|(host, _)| host.as_str());
    Some(match forge {
        Forge::GitHub => Home {
            url: match host {
                Some(host) if host != "github.com" => format!("containers.{host}"),
                _ => "ghcr.io".to_owned(),
            },
            path: path.unwrap_or_else(|| "{env:GITHUB_REPOSITORY}".to_owned()),
            credentials: None,
            why: "GitHub's own registry; the job's token may push there",
        },
        Forge::GitLab => Home {
            url: match host {
                Some("gitlab.com") => "registry.gitlab.com".to_owned(),
                _ => "{env:CI_REGISTRY}".to_owned(),
            },
            path: path.unwrap_or_else(|| "{env:CI_PROJECT_PATH}".to_owned()),
            credentials: None,
            why: "the project's own registry; every job is logged in there",
        },
        Forge::Gitea | Forge::Forgejo => Home {
            url: host.unwrap_or("{env:REGISTRY}").to_owned(),
            path: path.unwrap_or_else(|| "{env:GITHUB_REPOSITORY}".to_owned()),
            credentials: Some(PREFIX),
            why: "the packages of the forge itself",
        },
    })
}

/// The repository's path as registries take it.
fn image_path(path: &str) -> String {
    path.split('/').map(legal_part).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// Registries take single dots and underscores, too.
fn legal_part(part: &str) -> String {
    let lower = part.to_ascii_lowercase();
    let fine = crate::image::Repository::new("localhost", &format!("x/{lower}")).is_ok();
    if fine { lower } else { legal(&lower) }
}

/// The whole file.
pub(super) fn text(seen: &Seen) -> String {
    let mut out = String::from(
        "# What to build and where to publish it; written by `stagefreight init`. Every key: `stagefreight schema`, or docs/config.md of\n\
         # https://github.com/stagefreight/action. `stagefreight plan` shows what a run would do with it, and why.\nversion: 1\n",
    );
    policies(&mut out, seen);
    out.push_str("\nbuilds:\n");
    for build in &seen.builds {
        let _ = writeln!(out, "  - id: {}", scalar(&build.id));
        out.push_str("    kind: docker\n");
        let _ = writeln!(out, "    dockerfile: {}", scalar(&build.dockerfile));
        let _ = writeln!(out, "    context: {:<20} # {}", scalar(&build.context), comment(&build.why));
    }
    out.push_str(
        "    # platforms: [linux/amd64, linux/arm64]   # default: that of the machine\n\
         \x20   # build_mode: crucible                    # build twice, cold, compare, and publish exactly what was proven\n",
    );
    let Some(home) = home(seen) else {
        nowhere(&mut out, &seen.builds[0].id);
        return out;
    };
    out.push_str("\ntargets:\n");
    for (n, build) in seen.builds.iter().enumerate() {
        targets(&mut out, seen, &home, build, n == 0);
    }
    cache(&mut out, seen, &home);
    out
}

/// Where nobody can tell which registry images go to.
fn nowhere(out: &mut String, build: &str) {
    let _ = write!(
        out,
        "\n# Where images go, nothing here tells: there is no target yet, and a run publishes nothing. As an example:\n\
         # targets:\n\
         #   - id: edge\n\
         #     kind: registry\n\
         #     build: {}\n\
         #     url: registry.example.com\n\
         #     path: team/app\n\
         #     credentials: REGISTRY   # the job's REGISTRY_USER and REGISTRY_TOKEN\n\
         #     tags: [edge, \"sha-{{sha:8}}\"]\n\
         #     when: {{ branches: [default], events: [push] }}\n",
        scalar(build)
    );
}

fn policies(out: &mut String, seen: &Seen) {
    let pattern = seen.versions.scheme.pattern();
    let _ = writeln!(out, "\npolicies:\n  branches:\n    default: {}", exactly(&seen.default_branch));
    if seen.versions.scheme == Scheme::Other {
        return;
    }
    let _ = writeln!(out, "  git_tags:\n    stable: {}", scalar(&format!("{pattern}$")));
    if seen.versions.prereleases {
        let _ = writeln!(out, "    prerelease: {}", scalar(&format!("{pattern}-")));
    }
}

/// A pattern that matches a name and nothing else.
fn exactly(name: &str) -> String {
    scalar(&format!("^{}$", escaped(name)))
}

/// Only what is special in a name git can have.
pub(crate) fn escaped(name: &str) -> String {
    let special =
        |c: char| matches!(c, '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' | '^' | '*' | '?' | '[' | ']' | '\\');
    name.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn targets(out: &mut String, seen: &Seen, home: &Home, build: &Found, first: bool) {
    let several = seen.builds.len() > 1;
    let id = |name: &str| if several { format!("{}-{name}", build.id) } else { name.to_owned() };
    let own_name = home.path.rsplit('/').next() == Some(build.id.as_str());
    let path = if several && !own_name { format!("{}/{}", home.path, build.id) } else { home.path.clone() };
    let mut target = |name: &str, why: &str, tags: &[&str], when: &str| {
        let _ = writeln!(out, "  # {why}\n  - id: {}\n    kind: registry\n    build: {}", id(name), scalar(&build.id));
        let note = if first && name == "release" { format!("   # {}", home.why) } else { String::new() };
        let _ = writeln!(out, "    url: {}{note}\n    path: {}", scalar(&home.url), scalar(&path));
        if let Some(prefix) = home.credentials {
            let _ = writeln!(out, "    credentials: {prefix}   # the job's {prefix}_USER and {prefix}_TOKEN");
        }
        let _ = writeln!(out, "    tags: {}\n    when: {when}", flow(tags));
    };
    let scope = if seen.versions.scoped.contains(&build.id) { format!(":{}", build.id) } else { String::new() };
    let of = |name: &str| format!("{{{name}{scope}}}");
    let (version, minor) = (of("version"), format!("{}.{}", of("major"), of("minor")));
    if !scope.is_empty() {
        let pattern = scalar(&format!(r"re:^{}-v\d+\.\d+\.\d+$", escaped(&build.id)));
        let why = format!("A tag {}-v1.2.3 gives 1.2.3, 1.2 and latest.", build.id);
        target("release", &why, &[&version, &minor, "latest"], &format!("{{ git_tags: [{pattern}] }}"));
    } else if seen.versions.scheme == Scheme::Other {
        let why = "A git tag gives its own name and latest. `latest` never goes back to an older commit.";
        target("release", why, &["{tag}", "latest"], r#"{ git_tags: [".*"] }"#);
    } else {
        let why = "A tag v1.2.3 gives 1.2.3, 1.2 and latest; 1.1.9 put later takes no `latest` away.";
        target("release", why, &[&version, &minor, "latest"], "{ git_tags: [stable] }");
        if seen.versions.prereleases {
            target(
                "prerelease",
                "A tag v1.2.3-rc.1 gives its own name alone.",
                &[&version],
                "{ git_tags: [prerelease] }",
            );
        }
    }
    let why = format!(
        "Every push to {} gives edge, and the commit's own tag. {} are built, not published.",
        comment(&seen.default_branch),
        if seen.forge == Some(Forge::GitLab) { "Other branches" } else { "Pull requests" }
    );
    target("edge", &why, &["edge", "sha-{sha:8}"], "{ branches: [default], events: [push] }");
}

fn cache(out: &mut String, seen: &Seen, home: &Home) {
    let target = if seen.builds.len() > 1 { format!("{}-edge", seen.builds[0].id) } else { "edge".to_owned() };
    let block = format!("build_cache:\n  mode: shared\n  external: {{ target: {target} }}\n");
    // The cache's place has to be known in every run, also where no job variables are.
    if [&home.url, &home.path].iter().any(|text| text.contains("{env:")) {
        out.push_str("\n# Layers of former runs, kept in the registry beside the image. Write the registry's real host and path above first.\n");
        for line in block.lines() {
            let _ = writeln!(out, "# {line}");
        }
    } else {
        out.push_str("\n# Layers of former runs, kept in the registry beside the image: runners forget theirs.\n");
        out.push_str(&block);
    }
}

/// Text from elsewhere in a comment: one line.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
