//! Where commits are compared: the checkout, then the forge's API, then a bounded fetch. Each pair is asked about once a run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::compare::Forge;
use super::fetch::Fetch;
use super::{ONCE, short};
use crate::access::Access;
use crate::problem::Problem;
use crate::request::Request;
use crate::rundir::RunDir;
use crate::runner::{ForgeKind, Trust};
use crate::source::{self, Ancestry};

/// How the commit a tag names stands to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is behind ours, or ours itself.
    Earlier,
    /// Ours is behind it.
    Later,
    /// It is not behind ours: of another branch, of one that was rewritten, or of another repository.
    Apart,
}

/// What is asked, and what was answered. Made in no time: nothing is read or sent before the first question.
#[derive(Debug)]
pub struct History {
    checkout: PathBuf,
    kind: ForgeKind,
    forge: Option<Forge>,
    fetch: Option<Fetch>,
    cancel: CancellationToken,
    answers: Mutex<HashMap<(String, String), Result<Relation, Problem>>>,
}

impl History {
    /// For a run. A run that is not trusted asks its checkout only.
    pub fn new(request: &Request, access: &Access, private: &RunDir, cancel: &CancellationToken) -> Self {
        let context = &request.context;
        let trusted = context.trust == Trust::Trusted;
        let checkout = request.source.root.clone();
        Self {
            kind: context.forge,
            forge: trusted.then(|| Forge::of(context, &request.vars, Arc::clone(&access.clients))).flatten(),
            fetch: trusted.then(|| Fetch::new(&checkout, &request.vars, private)).flatten(),
            checkout,
            cancel: cancel.clone(),
            answers: Mutex::default(),
        }
    }

    /// How an older commit, as one supposes, stands to a newer one.
    ///
    /// # Errors
    /// Why it cannot be told, and the cure.
    pub async fn relation(&self, older: &str, newer: &str) -> Result<Relation, Problem> {
        // Held while asking: whoever has the same question waits for its answer.
        let mut answers = self.answers.lock().await;
        let key = (older.to_owned(), newer.to_owned());
        if let Some(known) = answers.get(&key) {
            return known.clone();
        }
        let answer = tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                return Err(Problem::new("a signal stopped the run before the commits were compared"));
            }
            answer = self.ask(older, newer) => answer,
        };
        answers.insert(key, answer.clone());
        answer
    }

    async fn ask(&self, older: &str, newer: &str) -> Result<Relation, Problem> {
        let mut reasons = Vec::new();
        let checkout = self.checkout.clone();
        let (old, new) = (older.to_owned(), newer.to_owned());
        let read = tokio::task::spawn_blocking(move || source::ancestry(&checkout, &old, &new)).await;
        // A checkout with all of our history that lacks the other commit: what is left to learn is only what to call it.
        let mut settled = false;
        match read.map(relation) {
            Ok(Ok(relation)) => return Ok(relation),
            Ok(Err(None)) => settled = true,
            Ok(Err(Some(why))) => reasons.push(why),
            Err(_) => reasons.push("reading the checkout failed".to_owned()),
        }
        if let Some(forge) = &self.forge {
            match forge.relation(older, newer).await {
                Ok(relation) => return Ok(relation),
                Err(silence) => reasons.push(format!("{} {silence}", forge.name())),
            }
        }
        if settled {
            return Ok(Relation::Apart);
        }
        if let Some(fetch) = &self.fetch {
            match fetch.ancestry(older, newer, &self.cancel).await.map(relation) {
                Ok(Ok(relation)) => return Ok(relation),
                Ok(Err(None)) => return Ok(Relation::Apart),
                Ok(Err(Some(why))) => reasons.push(format!("of what git fetched, {why}")),
                Err(why) => reasons.push(why),
            }
        }
        Err(self.unknown(older, newer, &reasons))
    }

    fn unknown(&self, older: &str, newer: &str, reasons: &[String]) -> Problem {
        let (old, new) = (short(older), short(newer));
        let what = format!("whether {old}, which it names, is behind {new} cannot be told: {}", reasons.join("; "));
        let cure = match self.kind {
            ForgeKind::GitHub => {
                "check out the whole history (`fetch-depth: 0` for actions/checkout), or give the job `permissions: contents: read` and a `github-token`"
            }
            ForgeKind::Gitea | ForgeKind::Forgejo => {
                "check out the whole history (`fetch-depth: 0` for actions/checkout)"
            }
            ForgeKind::GitLab => "set the variable `GIT_DEPTH: 0`, or `GITLAB_TOKEN` to a token that may `read_api`",
            ForgeKind::Local => "fetch the whole history (`git fetch --unshallow`)",
        };
        Problem::new(what).hint(format!("{cure}; if that commit is gone for good, {ONCE}"))
    }
}

/// What an answer means for the tag; without a reason: certainly not behind ours, and nothing more is known.
fn relation(ancestry: Ancestry) -> Result<Relation, Option<String>> {
    match ancestry {
        Ancestry::Ancestor => Ok(Relation::Earlier),
        Ancestry::Descendant => Ok(Relation::Later),
        Ancestry::Diverged => Ok(Relation::Apart),
        Ancestry::Elsewhere => Err(None),
        Ancestry::Unknown(gap) => Err(Some(gap.to_string())),
    }
}

#[cfg(test)]
pub(super) mod tests;
