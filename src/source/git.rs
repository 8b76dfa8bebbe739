//! What git knows, read from the repository itself: no git program, no global configuration, no environment.

use std::path::{Path, PathBuf};

use gix::open::{Options, Permissions};
use jiff::Timestamp;

use super::{Git, remote, tags};
use crate::environment::Vars;
use crate::problem::Problem;

/// Reads the repository that holds the directory; nothing if none does.
pub(super) fn read(root: &Path) -> Result<Option<Git>, Problem> {
    let Some(worktree) = worktree(root) else { return Ok(None) };
    let broken = |error: gix::Error| {
        Problem::new(format!("the git repository at {} cannot be read: {error}", worktree.display()))
            .hint("`git status` there should tell more; in a container, a linked worktree or submodule needs the repository it points to mounted at the same path")
    };
    let repository = open(worktree).map_err(broken)?;
    describe(&repository).map(Some).map_err(broken)
}

/// Opens the repository that holds the directory; nothing if none does.
pub(super) fn find(root: &Path) -> Option<Result<gix::Repository, gix::Error>> {
    worktree(root).map(open)
}

/// Environment that lets a child's git read a checkout owned by somebody else, as checkouts in CI containers are: the
/// variables that name it a `safe.directory`, counted on from those the child inherits.
pub fn child_git_env(root: &Path, inherited: &Vars) -> Vec<(String, String)> {
    let given: usize = inherited.get("GIT_CONFIG_COUNT").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut directories: Vec<PathBuf> = vec![root.to_owned()];
    directories.extend(root.canonicalize().ok());
    directories.extend(worktree(root).map(Path::to_owned));
    directories.dedup();
    let pairs = directories.iter().filter_map(|d| d.to_str()).enumerate().flat_map(|(i, directory)| {
        let n = given + i;
        [
            (format!("GIT_CONFIG_KEY_{n}"), "safe.directory".to_owned()),
            (format!("GIT_CONFIG_VALUE_{n}"), directory.to_owned()),
        ]
    });
    let mut env: Vec<_> = pairs.collect();
    env.push(("GIT_CONFIG_COUNT".to_owned(), (given + env.len() / 2).to_string()));
    env
}

/// The nearest directory upward that holds a `.git`: a directory, or the file of a linked worktree or submodule.
fn worktree(root: &Path) -> Option<&Path> {
    root.ancestors().find(|directory| directory.join(".git").symlink_metadata().is_ok())
}

/// Opens a repository as it is, whoever owns it. That is safe because nothing in it is executed: we read objects,
/// references and the address of `origin`.
pub(super) fn open(worktree: &Path) -> Result<gix::Repository, gix::Error> {
    let options = Options::default().permissions(Permissions::isolated()).with(gix::sec::Trust::Full);
    let mut repository = gix::open_opts(worktree, options)?;
    repository.object_cache_size_if_unset(4 * 1024 * 1024);
    Ok(repository)
}

fn describe(repository: &gix::Repository) -> Result<Git, gix::Error> {
    let head = repository.head()?;
    let branch = head.referent_name().map(|name| name.shorten().to_string());
    let commit = match head.is_unborn() {
        true => None,
        false => Some(repository.head_commit()?),
    };
    let commit_time = commit.as_ref().map(gix::Commit::time).transpose()?;
    Ok(Git {
        branch,
        commit_time: commit_time.and_then(|time| Timestamp::from_second(time.seconds).ok()),
        shallow: repository.is_shallow()?,
        remote: origin(repository),
        default_branch: default_branch(repository),
        tags: match &commit {
            Some(commit) => tags::reachable(repository, commit.id)?,
            None => Vec::new(),
        },
        head: commit.map(|commit| commit.id.to_string()),
    })
}

fn origin(repository: &gix::Repository) -> Option<String> {
    let url = repository.config_snapshot().string("remote.origin.url")?.to_string();
    Some(remote::strip_credentials(&url))
}

fn default_branch(repository: &gix::Repository) -> Option<String> {
    let head = repository.try_find_reference("refs/remotes/origin/HEAD").ok()??;
    let target = head.target().try_name()?.as_bstr().to_string();
    target.strip_prefix("refs/remotes/origin/").map(str::to_owned)
}
