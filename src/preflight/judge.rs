//! Answers of registries to checks. Pure.

use super::{Aspect, Check, State, Subject};
use crate::problem::Problem;
use crate::registry::{Fault, Grant, Provider, RegistryError};

/// One registry seen with one login, for judging.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) subject: &'a Subject,
    /// `host/path`.
    pub(super) place: &'a str,
    pub(super) provider: Provider,
    /// Where the login was read, if there is one.
    pub(super) login: Option<&'a str>,
}

/// What a question came to; `None` where no answer came in time.
pub(super) type Answer<T> = Option<Result<T, RegistryError>>;

/// How the right to push is found out where no token tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    /// An upload that nobody began is gone on with, which leaves nothing.
    Upload,
    /// The same, but only where the repository is there already: some programs create what is not.
    UploadIfThere,
    /// Not at all: what such a registry does then is not known.
    Never,
}

/// Which trial is harmless where. Harbor, GitLab, Docker Hub, Quay and ACR give tokens that tell, so that none is needed.
pub(super) fn trial(provider: Provider) -> Trial {
    match provider {
        // Packages are made when a blob is finished, and rights looked at before uploads.
        Provider::Gitea => Trial::Upload,
        // `distribution` makes nothing of it, zot the repository.
        Provider::Generic => Trial::UploadIfThere,
        _ => Trial::Never,
    }
}

/// Whether manifests are deleted as the distribution specification has it, and can be tried so.
pub(super) fn deletes_by_specification(provider: Provider) -> bool {
    use Provider::{DockerHub, Ecr, Ghcr, GitLab, Jfrog, Quay};
    !matches!(provider, DockerHub | Ghcr | GitLab | Quay | Ecr | Jfrog)
}

impl Seen<'_> {
    pub(super) fn check(&self, aspect: Aspect, state: State, says: impl Into<String>) -> Check {
        Check::new(self.subject, aspect, state, says)
    }

    fn failed(&self, aspect: Aspect, error: &RegistryError) -> Check {
        Check::of(self.subject, aspect, State::Failed, error.problem())
    }

    fn unknown(&self, aspect: Aspect, error: &RegistryError) -> Check {
        Check::of(self.subject, aspect, State::Unknown, error.problem())
    }

    fn silent(&self, aspect: Aspect) -> Check {
        let says = format!("{} gave no answer in time", self.place);
        self.check(aspect, State::Unknown, says).cure("check the network and any proxy between here and the registry")
    }

    /// Whether the registry is there and takes the login.
    pub(super) fn door(&self, answer: &Answer<Grant>) -> Vec<Check> {
        let reachable = || self.check(Aspect::Reachable, State::Ok, format!("{} answers", self.host()));
        let error = match answer {
            None => return vec![self.silent(Aspect::Reachable)],
            Some(Ok(grant)) => return vec![reachable(), self.login(grant)],
            Some(Err(error)) => error,
        };
        match &error.fault {
            Fault::Unauthorized(_) | Fault::Denied(_) => vec![reachable(), self.failed(Aspect::Login, error)],
            Fault::Dns(_) | Fault::Tls(_) | Fault::Refused | Fault::Unreachable(_) | Fault::Local(_) => {
                vec![self.failed(Aspect::Reachable, error)]
            }
            // It may be over in a minute, or be a way of a registry we do not know.
            _ => vec![self.unknown(Aspect::Reachable, error)],
        }
    }

    fn login(&self, grant: &Grant) -> Check {
        match (self.login, grant) {
            (None, _) => self.check(Aspect::Login, State::NotNeeded, format!("{} lets everybody in", self.host())),
            (Some(source), Grant::NotAsked) => {
                let says = format!("{} asked for no login at its door, so that of {source} was not tried", self.host());
                self.check(Aspect::Login, State::Unknown, says)
            }
            (Some(source), _) => {
                self.check(Aspect::Login, State::Ok, format!("{} takes the login from {source}", self.host()))
            }
        }
    }

    /// What the token says about pushing; `None` where it says nothing.
    pub(super) fn grant(&self, grant: &Grant) -> Option<Check> {
        if grant.allows("push")? {
            return Some(self.check(Aspect::Push, State::Ok, format!("a push to {} is granted", self.place)));
        }
        if self.provider == Provider::Harbor {
            let says = format!("no push to {} is granted: the project is not there yet, or the right is", self.place);
            let cure = "a run creates the project if the account may; else give the account the role Developer there";
            return Some(self.check(Aspect::Push, State::Unknown, says).cure(cure));
        }
        Some(match self.login {
            Some(source) => {
                let says = format!("the login from {source} is not allowed to push to {}", self.place);
                let cure =
                    format!("give the account of {source} the right to push to {}, or another login", self.place);
                self.check(Aspect::Push, State::Failed, says).cure(cure)
            }
            None => {
                let says = format!("nobody may push to {} without a login", self.place);
                let cure = format!("give a login for {}: set `credentials:` of the target", self.host());
                self.check(Aspect::Push, State::Failed, says).cure(cure)
            }
        })
    }

    /// What going on with an upload that nobody began came to.
    pub(super) fn upload(&self, answer: &Answer<()>) -> Check {
        match answer {
            None => self.silent(Aspect::Push),
            Some(Ok(())) => self.check(Aspect::Push, State::Ok, format!("{} takes uploads from us", self.place)),
            Some(Err(error)) if error.is_refusal() => self.failed(Aspect::Push, error),
            Some(Err(error)) => self.unknown(Aspect::Push, error),
        }
    }

    /// The right to push was not tried.
    pub(super) fn untried(&self, why: &str) -> Check {
        self.check(Aspect::Push, State::Unknown, format!("not tried: {why}")).cure("the push itself will tell")
    }

    /// Whether manifests can be deleted; `needed` by the target's retention.
    pub(super) fn deletes(&self, answer: &Answer<()>, needed: bool) -> Check {
        let error = match answer {
            None => return self.silent(Aspect::Deletes),
            Some(Ok(())) => {
                return self.check(Aspect::Deletes, State::Ok, format!("{} deletes manifests", self.place));
            }
            Some(Err(error)) => error,
        };
        let certain = error.is_refusal() || matches!(error.fault, Fault::Unsupported(_));
        match (certain, needed) {
            (true, true) => {
                let says = format!("the retention of {} cannot delete: {}", self.place, error.fault);
                Check::of(self.subject, Aspect::Deletes, State::Failed, Problem { what: says, ..error.problem() })
            }
            (true, false) => {
                let says = format!("nothing can be deleted ({}); what a failed run leaves there stays", error.fault);
                self.check(Aspect::Deletes, State::NotNeeded, says)
            }
            (false, _) => self.unknown(Aspect::Deletes, error),
        }
    }

    /// Deletes go through the vendor's own API.
    pub(super) fn deletes_elsewhere(&self, needed: bool) -> Check {
        let says = "deleting goes through the vendor's own API there, and was not tried";
        self.check(Aspect::Deletes, if needed { State::Unknown } else { State::NotNeeded }, says)
    }

    pub(super) fn referrers(&self, answer: &Answer<bool>) -> Check {
        match answer {
            None => self.silent(Aspect::Referrers),
            Some(Ok(true)) => self.check(Aspect::Referrers, State::Ok, format!("{} lists referrers", self.host())),
            Some(Ok(false)) => {
                let says = format!("{} has no referrers API: a tag sha256-… will list them", self.host());
                self.check(Aspect::Referrers, State::Ok, says)
            }
            Some(Err(error)) if matches!(error.fault, Fault::NameUnknown) => {
                self.check(Aspect::Referrers, State::Unknown, "not told while the repository is not there yet")
            }
            Some(Err(error)) => self.unknown(Aspect::Referrers, error),
        }
    }

    fn host(&self) -> &str {
        self.place.split('/').next().unwrap_or(self.place)
    }
}
