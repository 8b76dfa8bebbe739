//! What can be seen of a repository: its forge, where its images would go, what it builds, how its releases are called.
//!
//! Every conclusion comes with its reason, for the person who has to believe it.

use std::path::{Path, PathBuf};

use super::builds::{self, Found};
use super::versions::{self, Versions};
use crate::environment::Environment;
use crate::problem::Problem;
use crate::source::{self, Source};

/// A forge whose runners we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// github.com and Enterprise Server.
    GitHub,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// GitLab.
    GitLab,
}

impl Forge {
    /// Every one, in the order of the command line.
    pub const ALL: [Self; 4] = [Self::GitHub, Self::Gitea, Self::Forgejo, Self::GitLab];

    /// As written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Gitea => "gitea",
            Self::Forgejo => "forgejo",
            Self::GitLab => "gitlab",
        }
    }

    /// As its people write it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
            Self::GitLab => "GitLab",
        }
    }

    /// What people there look at.
    pub(super) fn pipeline(self) -> &'static str {
        if self == Self::GitLab { "pipeline" } else { "workflow's summary" }
    }

    /// What tells it in a checkout.
    fn marker(self) -> &'static str {
        match self {
            Self::GitHub => ".github/workflows",
            Self::Gitea => ".gitea",
            Self::Forgejo => ".forgejo",
            Self::GitLab => ".gitlab-ci.yml",
        }
    }
}

/// Hosts of repositories that none of these forges runs.
const OTHERS: [&str; 4] = ["bitbucket.org", "dev.azure.com", "visualstudio.com", "sr.ht"];

/// Everything seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) root: PathBuf,
    /// None where nothing tells.
    pub(super) forge: Option<Forge>,
    /// Host of `origin`, and `owner/name`, where there is one.
    pub(super) remote: Option<(String, String)>,
    pub(super) default_branch: String,
    pub(super) builds: Vec<Found>,
    pub(super) versions: Versions,
    pub(super) source: Source,
    /// What was concluded, and why.
    pub(super) reasons: Vec<(String, String)>,
}

/// Looks at the repository that holds the working directory.
///
/// # Errors
/// Where there is nothing to build, or the checkout cannot be read.
pub(super) fn look(env: &Environment, asked: Option<Forge>) -> Result<Seen, Problem> {
    let root = env.cwd.ancestors().find(|directory| directory.join(".git").symlink_metadata().is_ok());
    let root = root.unwrap_or(&env.cwd);
    let source = source::read(root, &[])?;
    let git = source.git.as_ref();
    let address = git.and_then(|git| git.remote.as_deref()).and_then(source::web_url);
    let remote = address.as_deref().and_then(split);
    let mut reasons = Vec::new();

    let host = remote.as_ref().map(|(host, _)| host.as_str());
    let (forge, why) = forge(asked, host, &source.root);
    reasons.push((forge.map_or("no forge".to_owned(), |forge| format!("forge {}", forge.title())), why));
    match &remote {
        Some((host, path)) => reasons.push((format!("repository {path}"), format!("`origin` is at {host}"))),
        None => reasons.push((
            "no repository address".to_owned(),
            "there is no remote `origin`; the job's own variables say it".to_owned(),
        )),
    }
    let (default_branch, why) = default_branch(git);
    reasons.push((format!("default branch {default_branch}"), why));
    let project = remote.as_ref().map(|(_, path)| path.as_str()).and_then(|path| path.rsplit('/').next());
    let project = project.map(str::to_owned).or_else(|| Some(source.root.file_name()?.to_str()?.to_owned()));
    let builds = builds::find(&source, &project.unwrap_or_default(), &mut reasons)?;
    let versions = versions::read(git, &builds);
    reasons.push(versions.reason());
    if let Some(language) = source.language() {
        reasons.push((format!("language {language}"), format!("there is {}", source.markers.join(", "))));
    }
    Ok(Seen { root: source.root.clone(), forge, remote, default_branch, builds, versions, source, reasons })
}

/// Host and path of a web address.
fn split(address: &str) -> Option<(String, String)> {
    let (host, path) = address.split_once("://")?.1.split_once('/')?;
    Some((host.to_ascii_lowercase(), path.trim_matches('/').to_owned()))
}

fn forge(asked: Option<Forge>, host: Option<&str>, root: &Path) -> (Option<Forge>, String) {
    if let Some(forge) = asked {
        return (Some(forge), "asked for by --forge".to_owned());
    }
    if let Some((forge, host)) = host.and_then(|host| Some((of_host(host)?, host))) {
        return (Some(forge), format!("`origin` is at {host}"));
    }
    if let Some(host) = host.filter(|host| is_other(host)) {
        return (None, format!("{host} has runners of its own; `--forge` tells where else it is built"));
    }
    // A forge that is there beside GitHub's folder is the one in use: the imitators read GitHub's folder, too.
    let order = [Forge::Forgejo, Forge::Gitea, Forge::GitLab, Forge::GitHub];
    if let Some(forge) = order.into_iter().find(|forge| root.join(forge.marker()).exists()) {
        return (Some(forge), format!("there is {}", forge.marker()));
    }
    match host {
        Some(host) => (None, format!("{host} is none that is known by its name; `--forge` tells")),
        None => (Some(Forge::GitHub), "nothing here tells another; `--forge` does".to_owned()),
    }
}

/// Whether a host is known to be something else than a forge: the forge in use has a copy, under a name that nobody knows here.
pub(super) fn is_elsewhere(host: &str, forge: Forge) -> bool {
    let imitators = [Forge::Gitea, Forge::Forgejo];
    let same = |other: Forge| other == forge || (imitators.contains(&other) && imitators.contains(&forge));
    of_host(host).is_some_and(|other| !same(other)) || is_other(host)
}

fn is_other(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or(host);
    OTHERS.iter().any(|other| name == *other || name.ends_with(&format!(".{other}")))
}

/// Whether a host is GitHub's by its name.
pub(super) fn is_github(host: &str) -> bool {
    host.ends_with(".ghe.com") || host.split('.').any(|label| label.split('-').any(|part| part == "github"))
}

fn of_host(host: &str) -> Option<Forge> {
    let name = host.split(':').next().unwrap_or(host);
    let labels = |word: &str| name.split('.').any(|label| label.split('-').any(|part| part == word));
    match name {
        "codeberg.org" => Some(Forge::Forgejo),
        _ if is_github(name) => Some(Forge::GitHub),
        _ if labels("gitlab") => Some(Forge::GitLab),
        _ if labels("forgejo") => Some(Forge::Forgejo),
        _ if labels("gitea") => Some(Forge::Gitea),
        _ => None,
    }
}

fn default_branch(git: Option<&source::Git>) -> (String, String) {
    let usable = |name: &&str| !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace());
    let told = git.and_then(|git| git.default_branch.as_deref()).filter(usable);
    if let Some(name) = told {
        return (name.to_owned(), "the HEAD of `origin`".to_owned());
    }
    match git.and_then(|git| git.branch.as_deref()).filter(usable) {
        Some(name @ ("main" | "master" | "trunk" | "develop")) => {
            (name.to_owned(), "the branch that is checked out".to_owned())
        }
        Some(name) => {
            ("main".to_owned(), format!("a guess: {name} is checked out, and nobody knows the HEAD of `origin`"))
        }
        None => ("main".to_owned(), "a guess: no branch is checked out".to_owned()),
    }
}
