//! One run told to the forge, from its first word to its last: one request after the other, the first beside the build.
//!
//! What does not come through is kept and becomes one warning. Nothing here fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::author::{Me, marker};
use super::gitea::Gitea;
use super::github::GitHub;
use super::gitlab::GitLab;
use super::place::{Place, Token};
use super::trouble::{Trouble, What, warning};
use super::wanted::Wanted;
use super::wire::Wire;
use super::word::{State, Word};
use crate::access;
use crate::problem::Problem;
use crate::request::Request;
use crate::runner::{ForgeKind, Trust};

/// How long the first word may take; the build goes on beside it.
const FIRST: Duration = Duration::from_secs(10);
/// How long everything at the end may take.
const LAST: Duration = Duration::from_secs(8);
/// How long after a signal the last word may take: a status that stays pending holds up whoever waits for it.
const HURRY: Duration = Duration::from_millis(1500);
/// So long it may take even where the build was slow to end.
const LEAST: Duration = Duration::from_millis(300);

/// A run that is being told.
#[derive(Debug)]
pub struct Session {
    kind: ForgeKind,
    trust: Trust,
    variable: String,
    wanted: Wanted,
    request: Option<u64>,
    api: Option<Api>,
    pending: Option<JoinHandle<Result<(), Trouble>>>,
    troubles: Vec<(What, Trouble)>,
    /// How it ended was told once. What follows corrects the status alone.
    told: bool,
    /// What is being written.
    telling: What,
    /// A check run carries the remarks.
    remarked: bool,
}

/// The forge of a run.
#[derive(Debug, Clone)]
struct Api {
    wire: Wire,
    forge: Arc<Forge>,
}

#[derive(Debug)]
enum Forge {
    GitHub(GitHub),
    GitLab(GitLab),
    Gitea(Gitea),
}

/// Begins to tell the forge of this run: the first word is on its way when this returns. `None` where nothing is to be told: on a laptop,
/// where it is switched off, in a leg, and on GitLab without a token, where the job's own state is all that a job may write.
pub fn start(request: &Request, description: &str) -> Option<Session> {
    let context = &request.context;
    let input = &request.inputs.report;
    let wanted = Wanted::of(&request.config.report, input).ok()?.for_trust(&context.trust, input);
    // A leg is a part of a run, whose last word is the merge's; reusable pipelines give both the same inputs.
    let leg = request.inputs.platform_leg.is_some();
    let alone = context.forge == ForgeKind::Local || request.inputs.local || request.inputs.dry_run || leg;
    if alone || wanted.is_nothing() {
        return None;
    }
    let mut session = Session {
        kind: context.forge,
        trust: context.trust.clone(),
        variable: String::new(),
        request: context.pull_request.as_ref().map(|request| request.number),
        wanted,
        api: None,
        pending: None,
        troubles: Vec::new(),
        told: false,
        telling: What::Status,
        remarked: false,
    };
    let Some(token) = Token::of(context, &request.vars) else {
        let asked = !input.is_empty() || session.wanted.comment;
        if context.forge == ForgeKind::GitLab && !asked {
            return None;
        }
        session.lose_all(&Trouble::NoToken);
        return Some(session);
    };
    session.variable.clone_from(&token.variable);
    match Api::new(request, token, &session.wanted.context) {
        Ok(api) => {
            session.pending = session.wanted.status.then(|| {
                let (api, description) = (api.clone(), description.to_owned());
                tokio::spawn(async move { api.forge.status(State::Pending, &description).await })
            });
            session.api = Some(api);
        }
        Err(trouble) => session.lose_all(&trouble),
    }
    Some(session)
}

impl Session {
    /// The remarks stand in a check run, on their lines.
    pub fn has_remarked(&self) -> bool {
        self.remarked
    }

    /// Tells how the run ended; `signalled` is when a signal came. Gives one warning, if something could not be written.
    pub async fn finish(
        &mut self,
        word: &Word,
        cancel: &CancellationToken,
        signalled: Option<Instant>,
    ) -> Option<Problem> {
        let hurried = word.state == State::Cancelled;
        let hurry = signalled.map_or(HURRY, |at| HURRY.saturating_sub(at.elapsed())).max(LEAST);
        if let Some(api) = self.api.clone() {
            api.wire.until(Instant::now() + if hurried { hurry } else { LAST });
            let late = async {
                cancel.cancelled().await;
                tokio::time::sleep(hurry).await;
            };
            let interrupted = tokio::select! {
                () = self.tell(&api.forge, word) => false,
                () = late => true,
            };
            if interrupted {
                self.lose(self.telling, Trouble::Late);
            }
        }
        warning(self.kind, &self.trust, &self.variable, &std::mem::take(&mut self.troubles))
    }

    /// Everything that is wanted, until nothing more would be taken. After a signal there is time for the status alone.
    async fn tell(&mut self, forge: &Forge, word: &Word) {
        self.telling = What::Status;
        if self.wanted.status
            && let Err(trouble) = self.tell_status(forge, word).await
        {
            let is_final = trouble.is_final();
            self.lose(What::Status, trouble);
            if is_final {
                return;
            }
        }
        if word.state == State::Cancelled || std::mem::replace(&mut self.told, true) {
            return;
        }
        if let (Forge::GitHub(github), true) = (forge, self.wanted.checks) {
            self.telling = What::Check;
            match github.check(word).await {
                Ok(()) => self.remarked = true,
                Err(trouble) => {
                    let is_final = trouble.is_final();
                    self.lose(What::Check, trouble);
                    if is_final {
                        return;
                    }
                }
            }
        }
        self.telling = What::Note;
        if let (Some(request), true) = (self.request, self.wanted.comment) {
            let marker = marker(&self.wanted.context);
            if let Err(trouble) = forge.note(request, &marker, &format!("{marker}\n{}", word.note)).await {
                self.lose(What::Note, trouble);
            }
        }
    }

    /// The last status, unless the first was refused for a reason that still stands.
    async fn tell_status(&mut self, forge: &Forge, word: &Word) -> Result<(), Trouble> {
        if let Some(pending) = self.pending.take()
            && let Ok(Err(first)) = pending.await
            && (matches!(first, Trouble::Unauthorized(_)) || !first.is_final())
        {
            return Err(first);
        }
        forge.status(word.state, &word.description).await
    }

    fn lose(&mut self, what: What, trouble: Trouble) {
        self.troubles.push((what, trouble));
    }

    fn lose_all(&mut self, trouble: &Trouble) {
        let wanted = [
            (What::Status, self.wanted.status),
            (What::Check, self.wanted.checks && self.kind == ForgeKind::GitHub),
            (What::Note, self.wanted.comment && self.request.is_some()),
        ];
        for (what, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            self.lose(what, trouble.clone());
        }
    }
}

impl Drop for Session {
    /// A first word that nobody waits for any more must not outlive the run.
    fn drop(&mut self) {
        if let Some(pending) = &self.pending {
            pending.abort();
        }
    }
}

impl Api {
    fn new(request: &Request, token: Token, context: &str) -> Result<Self, Trouble> {
        let kind = request.context.forge;
        let built = request.source.git.as_ref().and_then(|git| git.head.as_deref());
        let place = Place::of(&request.context, built, &request.vars)?;
        let wire = Wire::new(kind, place.api.clone(), token.secret.clone(), access::forge_clients(request));
        wire.until(Instant::now() + FIRST);
        let context = context.to_owned();
        let forge = match kind {
            ForgeKind::GitLab => Forge::GitLab(GitLab::new(wire.clone(), place, context)),
            ForgeKind::Gitea | ForgeKind::Forgejo => Forge::Gitea(Gitea::new(wire.clone(), place, context)?),
            ForgeKind::GitHub | ForgeKind::Local => Forge::GitHub(GitHub::new(wire.clone(), place, token, context)?),
        };
        Ok(Self { wire, forge: Arc::new(forge) })
    }
}

impl Forge {
    async fn status(&self, state: State, description: &str) -> Result<(), Trouble> {
        match self {
            Self::GitHub(forge) => forge.status(state, description).await,
            Self::GitLab(forge) => forge.status(state, description).await,
            Self::Gitea(forge) => forge.status(state, description).await,
        }
    }

    /// Writes the one note: anew where it stands, else a first one.
    async fn note(&self, request: u64, marker: &str, body: &str) -> Result<(), Trouble> {
        let me: Me = match self {
            Self::GitHub(forge) => forge.me().await,
            Self::GitLab(forge) => forge.me().await,
            Self::Gitea(forge) => forge.me().await,
        }?;
        let notes = match self {
            Self::GitHub(forge) => forge.notes(request).await,
            Self::GitLab(forge) => forge.notes(request).await,
            Self::Gitea(forge) => forge.notes(request).await,
        }?;
        let own = me.own(&notes, marker);
        match (self, own) {
            (_, Some(note)) if note.body.trim_end() == body.trim_end() => Ok(()),
            (Self::GitHub(forge), Some(note)) => forge.edit_note(note.id, body).await,
            (Self::GitLab(forge), Some(note)) => forge.edit_note(request, note.id, body).await,
            (Self::Gitea(forge), Some(note)) => forge.edit_note(note.id, body).await,
            (Self::GitHub(forge), None) => forge.add_note(request, body).await,
            (Self::GitLab(forge), None) => forge.add_note(request, body).await,
            (Self::Gitea(forge), None) => forge.add_note(request, body).await,
        }
    }
}
