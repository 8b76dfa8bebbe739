//! One road to the forge's API for all its clients: who asks, how long, how often, and what an answer means.
//!
//! A write is never repeated where that would write it twice. Limits are obeyed; a wait that does not fit into the time that
//! is left is not begun. Redirects are followed within the same origin only, with the method and the token they came with.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use url::Url;

use super::trouble::{Said, Trouble};
use crate::http::{Clients, Trust};
use crate::runner::ForgeKind;
use crate::secret::Secret;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// The longest wait that a limit is obeyed by; past it nothing more is written.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// The largest answer read: a hundred comments of 64 KiB.
const LARGEST: usize = 8 << 20;

/// The road. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Wire(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ForgeKind,
    base: Url,
    token: Secret,
    clients: Arc<Clients>,
    deadline: Mutex<Instant>,
    /// The last answer said that it was the last one for now.
    spent: AtomicBool,
}

/// One request, as it can be sent again.
#[derive(Debug, Clone)]
struct Ask {
    method: Method,
    url: Url,
    kind: Option<HeaderValue>,
    body: Bytes,
}

impl Wire {
    /// A road to this API. Nothing is asked yet, and no client made.
    pub(super) fn new(kind: ForgeKind, base: Url, token: Secret, clients: Arc<Clients>) -> Self {
        let deadline = Mutex::new(Instant::now() + PATIENCE);
        Self(Arc::new(Inner { kind, base, token, clients, deadline, spent: AtomicBool::new(false) }))
    }

    /// Everything asked from now on must be answered by then.
    pub(super) fn until(&self, deadline: Instant) {
        *self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
        self.0.spent.store(false, Ordering::Relaxed);
    }

    /// An address below the API's: a path as clients write it, encoded where need be.
    pub(super) fn below(&self, path: &str) -> Result<Url, url::ParseError> {
        self.0.base.join(path.trim_start_matches('/'))
    }

    /// Asks, and asks again where that can do no harm and there is time. Only success is an answer; all else is trouble.
    pub(super) async fn call(
        &self,
        method: Method,
        url: Url,
        kind: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Response<Bytes>, Trouble> {
        let mut ask = Ask { method, url, kind, body };
        let mut tries = 0;
        let mut redirected = false;
        loop {
            let left = self.left();
            if left.is_zero() {
                return Err(Trouble::Late);
            }
            if self.0.spent.load(Ordering::Relaxed) {
                return Err(Trouble::Limited { status: "its limit is used up".to_owned(), wait: None });
            }
            tries += 1;
            let patience = left.min(PATIENCE);
            let answer = match tokio::time::timeout(patience, self.once(&ask)).await {
                Ok(answer) => answer,
                Err(_) => return Err(Trouble::Late),
            };
            let (trouble, pause) = match answer {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    if let Some(url) = self.elsewhere(&ask, &response).filter(|_| !redirected) {
                        redirected = true;
                        ask.url = url;
                        continue;
                    }
                    (trouble(&response), pause(&response, &ask))
                }
                Err(Unsent { trouble, harmless }) => {
                    (trouble, (harmless || repeatable(&ask)).then_some(Duration::from_millis(300)))
                }
            };
            let most = if matches!(&trouble, Trouble::Refused(Said { status: 409, .. })) { 3 } else { 2 };
            match pause {
                Some(pause) if tries < most && pause < self.left() => tokio::time::sleep(pause).await,
                _ => return Err(trouble),
            }
        }
    }

    fn left(&self) -> Duration {
        let deadline = *self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.saturating_duration_since(Instant::now())
    }

    async fn once(&self, ask: &Ask) -> Result<Response<Bytes>, Unsent> {
        let plain = ask.url.scheme() == "http";
        let client = self.0.clients.get(&Trust { plain, stays: true, ..Trust::default() });
        let client = client.map_err(|error| Unsent::never(Trouble::Unusable(error.to_string())))?;
        let mut request = client.request(ask.method.clone(), ask.url.clone()).headers(self.headers()?);
        if let Some(kind) = &ask.kind {
            request = request.header(CONTENT_TYPE, kind).body(ask.body.clone());
        }
        let mut answer = request.send().await.map_err(|error| Unsent::of(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0") && status.is_success() {
            self.0.spent.store(true, Ordering::Relaxed);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| Unsent::of(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(Unsent::never(Trouble::Unusable(format!("it sent more than {LARGEST} bytes"))));
            }
        }
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Who asks, and for what: each forge in its own words.
    fn headers(&self) -> Result<HeaderMap, Unsent> {
        let mut headers = HeaderMap::new();
        let github = self.0.kind == ForgeKind::GitHub;
        let accept = if github { "application/vnd.github+json" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let token = self.0.token.reveal();
        let (name, value) = match self.0.kind {
            ForgeKind::GitLab => (http::HeaderName::from_static("private-token"), token.to_owned()),
            ForgeKind::Gitea | ForgeKind::Forgejo => (AUTHORIZATION, format!("token {token}")),
            ForgeKind::GitHub | ForgeKind::Local => (AUTHORIZATION, format!("Bearer {token}")),
        };
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| Unsent::never(Trouble::Unusable("the token is none that a header can carry".to_owned())))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        if github {
            headers.insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
        }
        Ok(headers)
    }

    /// Where a redirect leads, if that is the same origin: the token and the method may go there.
    fn elsewhere(&self, ask: &Ask, response: &Response<Bytes>) -> Option<Url> {
        if !matches!(response.status().as_u16(), 301 | 302 | 307 | 308) {
            return None;
        }
        let to = ask.url.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
        (to.origin() == self.0.base.origin()).then_some(to)
    }
}

/// No whole answer came.
struct Unsent {
    trouble: Trouble,
    /// Nothing was sent that could have been obeyed.
    harmless: bool,
}

impl Unsent {
    fn never(trouble: Trouble) -> Self {
        Self { trouble, harmless: false }
    }

    fn of(error: &reqwest::Error) -> Self {
        let mut text = String::from(if error.is_connect() { "it cannot be reached" } else { "it broke off" });
        if error.is_timeout() {
            return Self { trouble: Trouble::Late, harmless: false };
        }
        // The outer layers only repeat the address.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let _ = write!(text, ": {}", clean(&cause.to_string()));
        Self { trouble: Trouble::Down(text), harmless: error.is_connect() }
    }
}

/// Would the same request once more leave the same state? A status takes the place of the one before, an edit of a note that of the
/// text before. Check runs, their annotations and new notes would be there twice.
fn repeatable(ask: &Ask) -> bool {
    let path = ask.url.path();
    match ask.method {
        Method::GET | Method::PUT => true,
        Method::POST => path.contains("/statuses/"),
        Method::PATCH => path.contains("/comments/"),
        _ => false,
    }
}

/// How long to wait before asking again; `None` where that is no use or could do harm.
fn pause(response: &Response<Bytes>, ask: &Ask) -> Option<Duration> {
    let status = response.status();
    if is_limit(response) {
        // A request refused for a limit was not obeyed. Without a word on how long, at least a minute is asked for.
        return asked_wait(response.headers()).filter(|wait| *wait <= LONGEST_WAIT);
    }
    if status == StatusCode::CONFLICT && repeatable(ask) {
        return Some(Duration::from_millis(250));
    }
    (status.is_server_error() && repeatable(ask)).then_some(Duration::from_millis(500))
}

fn trouble(response: &Response<Bytes>) -> Trouble {
    let status = response.status();
    let said = Said { status: status.as_u16(), words: words(response.body()) };
    match status {
        _ if is_limit(response) => {
            Trouble::Limited { status: format!("HTTP {}", status.as_u16()), wait: asked_wait(response.headers()) }
        }
        StatusCode::UNAUTHORIZED => Trouble::Unauthorized(said),
        StatusCode::FORBIDDEN => Trouble::Forbidden(said),
        StatusCode::NOT_FOUND => Trouble::NotFound(said),
        _ if status.is_server_error() => Trouble::Down(format!("it answered {said}")),
        _ => Trouble::Refused(said),
    }
}

/// GitHub says 403 or 429 for both of its limits, and sometimes only the words tell.
fn is_limit(response: &Response<Bytes>) -> bool {
    let headers = response.headers();
    let spent = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => {
            spent || headers.contains_key(RETRY_AFTER) || words(response.body()).to_lowercase().contains("rate limit")
        }
        _ => false,
    }
}

/// `Retry-After` in seconds, else the moment when the limit starts anew.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    let reset = UNIX_EPOCH.checked_add(Duration::from_secs(number("x-ratelimit-reset")?))?;
    Some(reset.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What a forge says about a refusal: `message`, or GitLab's `error`; lists and objects as they are.
fn words(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else { return String::new() };
    let said = ["message", "error_description", "error"].into_iter().find_map(|name| value.get(name));
    match said {
        Some(serde_json::Value::String(text)) => clean(text),
        Some(other) => clean(&other.to_string()),
        None => String::new(),
    }
}

fn clean(text: &str) -> String {
    super::word::clip_chars(&text.chars().filter(|c| !c.is_control()).take(400).collect::<String>(), 200)
}

#[cfg(test)]
mod tests;
