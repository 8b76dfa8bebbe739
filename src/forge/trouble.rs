//! Why something was not written to the forge, and the one warning it becomes. Pure.

use std::time::Duration;

use crate::problem::Problem;
use crate::runner::{ForgeKind, Trust};

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// 401: the forge does not take the token at all.
    #[error("it does not take the token: {0}")]
    Unauthorized(Said),
    /// 403 that is no limit: the token may not do this.
    #[error("the token may not: {0}")]
    Forbidden(Said),
    /// 404: not there, or not shown to this token.
    #[error("not found, or not shown to this token: {0}")]
    NotFound(Said),
    /// A limit, primary or secondary, and how long it asks to wait, if it says.
    #[error("it takes no more requests for now ({status}{})", .wait.map(|wait| format!(", try again in {} s", wait.as_secs())).unwrap_or_default())]
    Limited {
        /// `HTTP 429`.
        status: String,
        /// As the answer says.
        wait: Option<Duration>,
    },
    /// Any other answer that is no success.
    #[error("it answered {0}")]
    Refused(Said),
    /// No answer: unreachable, or broken off.
    #[error("{0}")]
    Down(String),
    /// Our own time for it was up.
    #[error("there was no answer in the time a report may take")]
    Late,
    /// It cannot be asked: an address, a token, a setting is unusable.
    #[error("it cannot be asked: {0}")]
    Unusable(String),
    /// There is no token to write with.
    #[error("the run has no token that may")]
    NoToken,
    /// A personal token, where only an App's is taken.
    #[error("the token is a personal one, and check runs are taken from GitHub Apps alone")]
    Personal,
    /// The requests of a person are more than are looked through.
    #[error("there are more comments than are looked through")]
    Crowded,
}

/// The forge's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) words: String,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.words.is_empty() {
            true => write!(f, "HTTP {}", self.status),
            false => write!(f, "HTTP {}, {}", self.status, self.words),
        }
    }
}

/// What was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Status,
    Check,
    Note,
}

impl Trouble {
    /// Nothing else would be taken either: asking on would be a storm.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Unauthorized(_) | Self::Limited { .. } | Self::Down(_) | Self::Late => true,
            Self::Unusable(_) | Self::NoToken => true,
            Self::Forbidden(_) | Self::NotFound(_) | Self::Refused(_) | Self::Personal | Self::Crowded => false,
        }
    }
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Status => "the commit status",
            Self::Check => "the check run",
            Self::Note => "the note on the request",
        }
    }

    /// The permission it takes.
    fn permission(self, forge: ForgeKind) -> &'static str {
        match (forge, self) {
            (ForgeKind::GitHub, Self::Status) => "statuses: write",
            (ForgeKind::GitHub, Self::Check) => "checks: write",
            (ForgeKind::GitHub, Self::Note) => "pull-requests: write",
            (ForgeKind::GitLab, _) => "the scope `api`, for somebody who is Developer of the project",
            (_, Self::Status) => "`write:repository`",
            (_, Self::Check | Self::Note) => "`write:issue`",
        }
    }
}

/// The forge's name, for people.
pub(super) fn name(forge: ForgeKind) -> &'static str {
    match forge {
        ForgeKind::GitHub => "GitHub",
        ForgeKind::GitLab => "GitLab",
        ForgeKind::Gitea => "Gitea",
        ForgeKind::Forgejo => "Forgejo",
        ForgeKind::Local => "the forge",
    }
}

/// One warning for everything that was not written.
pub(super) fn warning(forge: ForgeKind, trust: &Trust, variable: &str, all: &[(What, Trouble)]) -> Option<Problem> {
    let (_, first) = all.first()?;
    let alike: Vec<What> = all.iter().filter(|(_, trouble)| same(trouble, first)).map(|(what, _)| *what).collect();
    let were = if alike.len() == 1 { "was" } else { "were" };
    let mut text = format!("{} {were} not written to {}: {first}", names(&alike), name(forge));
    for (what, trouble) in all.iter().filter(|(_, trouble)| !same(trouble, first)) {
        text.push_str(&format!("; nor was {}: {trouble}", what.name()));
    }
    let mut cures: Vec<String> = Vec::new();
    for (_, trouble) in all {
        let of: Vec<What> = all.iter().filter(|(_, other)| same(other, trouble)).map(|(what, _)| *what).collect();
        let cure = cure(forge, trust, variable, trouble, &of);
        if !cures.contains(&cure) {
            cures.push(cure);
        }
    }
    Some(Problem::new(text).hint(cures.join("; ")))
}

/// The same thing in other words.
fn same(a: &Trouble, b: &Trouble) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn names(of: &[What]) -> String {
    let names: Vec<_> = of.iter().map(|what| what.name()).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn cure(forge: ForgeKind, trust: &Trust, variable: &str, trouble: &Trouble, of: &[What]) -> String {
    let mut permissions: Vec<_> = of.iter().map(|what| what.permission(forge)).collect();
    permissions.dedup();
    let permissions = permissions.join(", ");
    match (trouble, trust, forge) {
        (Trouble::Forbidden(_) | Trouble::NotFound(_), Trust::Untrusted { reason }, _) => format!(
            "nothing to mend: the token of this run may only read ({reason}); the job's own result and summary say the same"
        ),
        (Trouble::Forbidden(_) | Trouble::NotFound(_), _, ForgeKind::GitHub) => {
            format!("give the job `permissions: {permissions}`, or switch it off with `report`")
        }
        (Trouble::Forbidden(_) | Trouble::NotFound(_), ..) => {
            format!("{variable} needs {permissions}; or switch it off with `report`")
        }
        (Trouble::Unauthorized(_), ..) => {
            format!("{variable} has expired or was revoked: the token of a job ends with it, one of a person's needs a new one")
        }
        (Trouble::NoToken, _, ForgeKind::GitLab) => {
            "put a project access token with the scope `api` into the variable GITLAB_TOKEN: the job's own token may not write these"
                .to_owned()
        }
        (Trouble::NoToken, ..) => {
            "give the action `github-token: ${{ github.token }}`, or the step the variable GITHUB_TOKEN; or switch it off with `report`"
                .to_owned()
        }
        (Trouble::Personal, ..) => {
            "give the action `github-token: ${{ github.token }}` and the job `permissions: checks: write`, or set `report: {checks: off}`"
                .to_owned()
        }
        (Trouble::Limited { .. }, ..) => {
            "nothing to mend if it is rare: other jobs have used up the limit; let fewer of them report, with `report`".to_owned()
        }
        (Trouble::Down(_) | Trouble::Late, ..) => {
            "see whether this runner reaches the forge: proxy and CA are `network` in the configuration; the run itself is not touched"
                .to_owned()
        }
        (Trouble::Unusable(_) | Trouble::Refused(_) | Trouble::Crowded, ..) => {
            "docs/forge.md says what each of these means; switch it off with `report` if it is not wanted".to_owned()
        }
    }
}
