//! The workflow or pipeline as text: the least permissions, and nothing that the configuration says already.

use std::fmt::Write as _;

use super::config::{self, PREFIX};
use super::files::{Change, scalar};
use super::look::{Forge, Seen};

/// The file for the forge.
pub(super) fn change(seen: &Seen) -> Option<Change> {
    let forge = seen.forge?;
    let path = match forge {
        Forge::GitHub => ".github/workflows/image.yml",
        Forge::Gitea => ".gitea/workflows/image.yml",
        Forge::Forgejo => ".forgejo/workflows/image.yml",
        Forge::GitLab => return Some(Change::create(".gitlab-ci.yml", pipeline())),
    };
    Some(Change::create(path, workflow(seen, forge)))
}

/// What nobody but a person can do.
pub(super) fn by_hand(seen: &Seen) -> Vec<String> {
    match seen.forge {
        Some(Forge::Gitea | Forge::Forgejo) => vec![
            format!(
                "make an access token with write:package, and store it as the secret {PREFIX}_TOKEN of the repository"
            ),
            format!("store the name of its owner as the variable {PREFIX}_USER"),
        ],
        Some(Forge::GitLab) => {
            vec!["see that the project's container registry is on (Settings, General, Visibility)".to_owned()]
        }
        Some(Forge::GitHub) | None => Vec::new(),
    }
}

fn workflow(seen: &Seen, forge: Forge) -> String {
    let mut out = String::from(
        "# Builds the container image on every change and publishes it; written by `stagefreight init`.\n\
         # What is built and where it goes stands in .stagefreight.yml.\nname: image\n\non:\n  push:\n",
    );
    let _ = writeln!(out, "    branches: [{}]", scalar(&seen.default_branch));
    let mut tags = vec![scalar(seen.versions.scheme.glob())];
    tags.extend(seen.versions.scoped.iter().map(|id| scalar(&format!("{id}-v*"))));
    let _ = writeln!(out, "    tags: [{}]", tags.join(", "));
    out.push_str("  pull_request:           # built, and not published\n\n");
    if forge == Forge::GitHub {
        out.push_str("# Nothing by default; the job asks for what it needs.\npermissions: {}\n\n");
    }
    out.push_str(
        "# A newer push to a pull request ends the run of the older one. Nothing else is ever cut off.\n\
         concurrency:\n  group: image-${{ github.ref }}\n  cancel-in-progress: ${{ github.event_name == 'pull_request' }}\n\n\
         jobs:\n  image:\n",
    );
    let _ = writeln!(out, "    runs-on: {}", if forge == Forge::Forgejo { "docker" } else { "ubuntu-latest" });
    out.push_str("    timeout-minutes: 60\n");
    if forge == Forge::GitHub {
        out.push_str(
            "    permissions:\n\
             \x20     contents: read        # check out\n\
             \x20     packages: write       # push to the registry\n\
             \x20     statuses: write       # the commit's status\n\
             \x20     checks: write         # errors on the lines they belong to\n\
             \x20     # id-token: write     # sign without a key of your own\n",
        );
    }
    out.push_str(
        "    steps:\n\
         \x20     - uses: actions/checkout@v6\n\
         \x20       with:\n\
         \x20         fetch-depth: 0            # tags and history: {version}, and tags that only move forward\n\
         \x20         persist-credentials: false\n\
         \x20     - id: image\n",
    );
    let _ = writeln!(out, "        uses: {}", action(forge));
    if config::home(seen).is_some_and(|home| home.credentials.is_some()) {
        let _ = writeln!(
            out,
            "        env:\n          {PREFIX}_USER: ${{{{ vars.{PREFIX}_USER }}}}\n          {PREFIX}_TOKEN: ${{{{ secrets.{PREFIX}_TOKEN }}}}   # an access token with write:package"
        );
    }
    out.push_str("      # What was published, for steps after this one: ${{ steps.image.outputs.tags }}, ${{ steps.image.outputs.digest }}\n");
    out
}

/// Runners of other forges look for actions at home first.
fn action(forge: Forge) -> &'static str {
    match forge {
        Forge::GitHub => "stagefreight/action@v1",
        _ => "https://github.com/stagefreight/action@v1",
    }
}

fn pipeline() -> String {
    "# Builds the container image on every change and publishes it; written by `stagefreight init`.\n\
     # What is built and where it goes stands in .stagefreight.yml. The component's inputs: docs/gitlab.md.\n\
     include:\n\
     \x20 - component: $CI_SERVER_FQDN/stagefreight/action/build@1\n\
     \x20   inputs:\n\
     \x20     backend: dind   # docker-in-docker with TLS, on a privileged runner; or buildkitd, rootless, runner\n"
        .to_owned()
}
