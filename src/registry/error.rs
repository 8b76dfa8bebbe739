//! What can go wrong between us and a registry, told apart by what a person or a retry would do about it.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::http::Timeouts;
use crate::problem::Problem;

/// Error answers are read no further than this.
pub(super) const MAX_ERROR_BODY: usize = 8 << 10;

/// A manifest speaks of a blob that is not there (distribution specification, error codes).
const BLOB_MISSING: &str = "MANIFEST_BLOB_UNKNOWN";

/// Something asked of a registry did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {}: {fault}", attempt.doing, attempt.place())]
pub struct RegistryError {
    /// What was attempted.
    pub attempt: Box<Attempt>,
    /// Why it failed.
    pub fault: Fault,
}

/// What was attempted, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Registry host, as in an image name.
    pub registry: String,
    /// Repository path.
    pub repository: String,
    /// `reading manifest v1 of`, `uploading blob sha256:… to`.
    pub doing: String,
    /// Where the login was read, if there is one.
    pub login: Option<String>,
    /// What this needs where the registry's kind wants more than a login: a sentence for whoever is refused.
    pub needs: Option<&'static str>,
}

/// Why a registry did not do it. Texts from registries are bounded and hold no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 401: the login is missing, wrong, or not enough.
    #[error("the registry wants a login ({0})")]
    Unauthorized(String),
    /// 403: logged in, but not allowed.
    #[error("the registry does not allow it ({0})")]
    Denied(String),
    /// The repository is not there.
    #[error("no such repository")]
    NameUnknown,
    /// The manifest, tag or blob is not there.
    #[error("not found")]
    NotFound,
    /// 405 and `UNSUPPORTED`: this registry does not do that, or has it switched off.
    #[error("the registry does not support it ({0})")]
    Unsupported(String),
    /// No room left for this account or project.
    #[error("the quota is used up ({0})")]
    Quota(String),
    /// It would have taken more than was asked, so it was not done; or it was done by half. Says what and what stands now.
    #[error("{0}")]
    Unsafe(String),
    /// Somebody else moved the tag between our looking and our acting; it was left alone.
    #[error("somebody else moved it just now; it was left as it is")]
    Moved,
    /// 413, or an answer larger than any honest one.
    #[error("too large: {0}")]
    TooLarge(String),
    /// 429.
    #[error("the registry is refusing requests for now: too many came from here")]
    TooManyRequests {
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("the registry failed with status {status} ({message})")]
    Server {
        /// The status.
        status: u16,
        /// Its words.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// A manifest's blob is not there although it was sent: a registry that is still writing it (for us, or for another job
    /// that sends the same), or one that lost it.
    #[error("the registry does not find a part of it ({0})")]
    Incomplete(String),
    /// Another 4xx: it understood and refused.
    #[error("the registry refused with status {status} ({message})")]
    Rejected {
        /// The status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The name has no address.
    #[error("the host name cannot be resolved ({0})")]
    Dns(String),
    /// No trust.
    #[error("no trusted TLS connection ({0})")]
    Tls(String),
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// No way there: no route, a proxy that will not.
    #[error("cannot be reached ({0})")]
    Unreachable(String),
    /// The connection broke in the middle.
    #[error("the connection broke ({0})")]
    Broken(String),
    /// An answer that the distribution specification does not allow.
    #[error("the registry answered wrongly: {0}")]
    Protocol(String),
    /// Ours: a client that cannot be made, a file that cannot be read.
    #[error("{0}")]
    Local(String),
}

impl Attempt {
    /// Registry, and repository where there is one.
    fn place(&self) -> String {
        let Self { registry, repository, .. } = self;
        if repository.is_empty() { registry.clone() } else { format!("{registry}/{repository}") }
    }
}

impl RegistryError {
    /// Trying again soon may help.
    pub fn is_transient(&self) -> bool {
        self.fault.is_transient()
    }

    /// The registry answered, and does not want this login.
    pub fn is_refusal(&self) -> bool {
        matches!(self.fault, Fault::Unauthorized(_) | Fault::Denied(_))
    }

    /// One sentence and its cure.
    pub fn problem(&self) -> Problem {
        Problem::new(self.to_string()).hint(self.cure())
    }

    fn cure(&self) -> String {
        let Attempt { registry, repository, login, needs, .. } = &*self.attempt;
        // What an API says does not exist is often what this login may not see.
        let refused = self.is_refusal() || matches!(self.fault, Fault::NotFound | Fault::NameUnknown);
        if let Some(needs) = needs.filter(|_| refused) {
            return match login {
                Some(source) => format!("{needs} The login used is that from {source}."),
                None => needs.to_owned(),
            };
        }
        match &self.fault {
            Fault::Unauthorized(_) => match login {
                Some(source) => format!(
                    "Check that the login from {source} is valid, has not expired, and has access to {repository}."
                ),
                None => format!("Give a login for {registry}: set `credentials:` of the target, or log in before."),
            },
            Fault::Denied(_) => match login {
                Some(source) => format!("Give the account of {source} access to {repository}."),
                None => format!("Give a login for {registry} that has the right."),
            },
            Fault::NameUnknown => format!(
                "Check the spelling of {repository}; some registries want the project or repository created first."
            ),
            Fault::NotFound => "Check the name; it may have been deleted, or never been pushed.".into(),
            Fault::Unsupported(_) => format!("Ask whoever runs {registry} to enable it (deletes often are disabled)."),
            Fault::Quota(_) => format!(
                "Delete what is no longer needed (`retention` of the target does that in every run), or raise the quota at {registry}."
            ),
            Fault::Unsafe(_) => {
                format!("Look at the tags of {repository} at {registry}, and set it right there by hand.")
            }
            Fault::Moved => "Run this again: it will see what the tag holds now.".into(),
            Fault::TooLarge(_) => format!("Raise the body size limit of {registry} or of the proxy before it."),
            Fault::TooManyRequests { .. } => {
                "Log in if this was anonymous (limits are higher then), or run fewer jobs at a time.".into()
            }
            Fault::Server { .. } => format!("It was tried several times. Look at the state and log of {registry}."),
            Fault::Incomplete(_) => format!(
                "It was tried several times. Run this again; if it stays so, look whether {registry} collects garbage meanwhile."
            ),
            Fault::Rejected { .. } => format!("Look at the log of {registry} for the reason."),
            Fault::Timeout(_) | Fault::Broken(_) => format!(
                "It was tried several times. Check the network and any proxy between this runner and {registry}."
            ),
            Fault::Dns(_) => format!("Check the spelling of {registry}, and the runner's DNS."),
            Fault::Tls(_) => format!(
                "For a private CA give its certificate in `registries: {registry}: ca:`; for plain http say `http: true` there."
            ),
            Fault::Refused => format!("Check host and port, and that {registry} is running."),
            Fault::Unreachable(_) => "Check the network, firewall and proxy settings of the runner.".into(),
            Fault::Protocol(_) => format!("Check that {registry} is a registry and that no proxy changes its answers."),
            Fault::Local(_) => "This is on our side of the network: check the runner.".into(),
        }
    }
}

impl Fault {
    /// Trying again soon may help: 408, 429, 5xx, timeouts, connections that broke, and blobs not found yet; nothing else.
    pub fn is_transient(&self) -> bool {
        match self {
            // Not implemented, and wrong HTTP version, stay so.
            Self::Server { status, .. } => !matches!(status, 501 | 505),
            Self::TooManyRequests { .. } | Self::Timeout(_) | Self::Broken(_) | Self::Incomplete(_) => true,
            _ => false,
        }
    }

    /// When the registry wants to be asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after } | Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// From an error answer.
    pub(super) fn from_answer(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let (code, words) = Self::read_body(body);
        let message = match (code.as_str(), words.as_str()) {
            ("", "") => status.canonical_reason().unwrap_or("no reason given").to_owned(),
            ("", words) => words.to_owned(),
            (code, "") => code.to_owned(),
            (code, words) => format!("{code}: {words}"),
        };
        match (status.as_u16(), code.as_str()) {
            (429, _) | (_, "TOOMANYREQUESTS") => Self::TooManyRequests { retry_after },
            (400..=499 | 507, _) if is_quota(status, &message) => Self::Quota(message),
            (401, _) => Self::Unauthorized(message),
            (403, _) => Self::Denied(message),
            (400 | 404, BLOB_MISSING) => Self::Incomplete(message),
            (404, "NAME_UNKNOWN") => Self::NameUnknown,
            (404, _) => Self::NotFound,
            (405, _) | (400, "UNSUPPORTED") => Self::Unsupported(message),
            (413, _) => Self::TooLarge(message),
            (408, _) => Self::Broken("the registry gave up waiting, status 408".into()),
            (500..=599, _) => Self::Server { status: status.as_u16(), message, retry_after },
            (400..=499, _) => Self::Rejected { status: status.as_u16(), message },
            (other, _) => Self::Protocol(format!("unexpected status {other}")),
        }
    }

    /// Code and words of the first error in a body, by the distribution specification; else the body's own words. Beside a
    /// missing blob other codes only confuse: a registry that looks at a blob while another job's upload of it ends speaks of
    /// wrong digests, too.
    fn read_body(body: &[u8]) -> (String, String) {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            errors: Vec<One>,
            // Token servers and proxies write these.
            #[serde(default, alias = "error", alias = "details", alias = "detail")]
            message: Option<serde_json::Value>,
        }
        #[derive(Deserialize)]
        struct One {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: String,
            #[serde(default)]
            detail: serde_json::Value,
        }
        match serde_json::from_slice::<Answer>(body) {
            Ok(Answer { errors, message }) => {
                match errors.iter().find(|one| one.code == BLOB_MISSING).or(errors.first()) {
                    // Which blob is missing. Elsewhere the detail repeats the request.
                    Some(one) if one.code == BLOB_MISSING => {
                        let detail = if one.detail.is_null() { String::new() } else { one.detail.to_string() };
                        (clean(&one.code, 40), clean(&format!("{} {detail}", one.message), 300))
                    }
                    Some(one) => (clean(&one.code, 40), clean(&one.message, 200)),
                    None => (String::new(), clean(message.as_ref().and_then(|m| m.as_str()).unwrap_or_default(), 200)),
                }
            }
            // A page of HTML says nothing to anybody.
            Err(_) if body.trim_ascii_start().starts_with(b"<") => (String::new(), String::new()),
            Err(_) => (String::new(), clean(&String::from_utf8_lossy(body), 200)),
        }
    }

    /// From a failed exchange. The address is dropped: signatures stand in redirected ones.
    pub(super) fn from_transport(error: reqwest::Error, timeouts: &Timeouts) -> Self {
        let patience = if error.is_connect() { timeouts.connect } else { timeouts.idle };
        let error = error.without_url();
        if error.is_timeout() {
            return Self::Timeout(patience);
        }
        if error.is_redirect() {
            return Self::Protocol(clean(&last_words(&error), 200));
        }
        if error.is_builder() {
            return Self::Local(clean(&last_words(&error), 200));
        }
        let words = clean(&last_words(&error), 200);
        for cause in causes(&error) {
            // hyper-util names this kind of connect error by its text alone.
            if cause.to_string() == "dns error" {
                return Self::Dns(words);
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Self::Tls(clean(&tls.to_string(), 200));
            }
            match cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
                Some(std::io::ErrorKind::ConnectionRefused) => return Self::Refused,
                Some(std::io::ErrorKind::TimedOut) => return Self::Timeout(patience),
                _ => {}
            }
        }
        match error.is_connect() {
            true => Self::Unreachable(words),
            false => Self::Broken(words),
        }
    }
}

/// Whether a refusal speaks of room that is used up. Registries have no code of their own for it: Harbor says `DENIED` with 403
/// (1.x: 412) and "will exceed the configured upper limit" (`goharbor/harbor` src/server/middleware/quota), Quay `DENIED` with
/// 403 and "Quota has been exceeded on namespace" (`quay/quay` endpoints/v2/errors.py), proxies 507.
fn is_quota(status: StatusCode, message: &str) -> bool {
    let words = message.to_ascii_lowercase();
    status == StatusCode::INSUFFICIENT_STORAGE
        || words.contains("quota")
        || words.contains("exceed the configured upper limit")
        || words.contains("storage limit")
}

/// The error and what it came from. An `io::Error` does not count what it wraps among its sources.
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    type Cause<'a> = &'a (dyn std::error::Error + 'static);
    std::iter::successors(Some(error as Cause<'a>), |error| {
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as Cause<'a>),
            None => error.source(),
        }
    })
}

fn last_words(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Text of a stranger's in one bounded line without control characters.
pub(super) fn clean(text: &str, limit: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(limit).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
