//! What the runner did not say and the checkout does: added to the context once the checkout was read.

use super::context::{CiContext, ForgeKind, Trust};
use super::{github, names};
use crate::source::{Git, Source, web_url};

impl CiContext {
    /// Fills what is still unknown from the checkout and settles the trust of runs that depend on what was checked out.
    /// Says nothing else than the runner where the runner spoke.
    ///
    /// - Commit, default branch and repository address come from git wherever they are missing.
    /// - Branch and tag only on a laptop: in CI their absence has a meaning. A laptop is on a tag when the tag is checked
    ///   out (detached), as it is in a tag's pipeline; a branch whose tip happens to be tagged is a branch.
    /// - `pull_request_target`, `workflow_run` and `issue_comment` hold credentials although strangers cause them. They
    ///   are trusted exactly when the checkout is the commit of the repository itself they were started on. That says
    ///   nothing about a second checkout in a subdirectory: who fetches a fork's code there must not build it.
    #[must_use]
    pub fn complete(mut self, source: &Source) -> Self {
        let Some(git) = &source.git else { return self };
        self.trust = self.settled_trust(git);
        if self.forge == ForgeKind::Local {
            self.tag = git.checked_out_tag().and_then(names::reference);
            self.branch = git.branch.as_deref().and_then(names::reference);
        }
        self.commit = self.commit.or_else(|| git.head.clone());
        self.default_branch = self.default_branch.or_else(|| git.default_branch.as_deref().and_then(names::reference));
        self.repository_url = self.repository_url.or_else(|| git.remote.as_deref().and_then(web_url));
        self.repository = self.repository.or_else(|| {
            let path = self.repository_url.as_deref()?.split_once("://")?.1.split_once('/')?.1;
            Some(path.to_owned()).filter(|path| !path.is_empty())
        });
        self
    }

    /// Did GitHub's Dependabot start the run? Its runs hold no secrets, whatever they run on.
    pub(super) fn dependabot(&self) -> bool {
        self.forge == ForgeKind::GitHub && self.actor.as_deref() == Some("dependabot[bot]")
    }

    fn settled_trust(&self, git: &Git) -> Trust {
        let at_own_commit = self.commit.is_some() && git.head == self.commit;
        if github::is_privileged(&self.event_name) && at_own_commit && !self.dependabot() && self.actions() {
            return Trust::Trusted;
        }
        self.trust.clone()
    }

    fn actions(&self) -> bool {
        matches!(self.forge, ForgeKind::GitHub | ForgeKind::Gitea | ForgeKind::Forgejo)
    }
}
