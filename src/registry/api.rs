//! Vendors' own APIs: JSON over HTTP, one page at a time, bounded, their refusals classified like those of a registry.
//!
//! Knows no vendor. A login goes to the address given here and nowhere else: no redirect is followed, and a list that goes on at
//! another host is read on at this one or not at all.

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::auth;
use super::client::Registry;
use super::endpoint::same_origin;
use super::error::{Attempt, Fault, RegistryError, clean};
use super::retry::retry;
use super::transport::{local, sensitive};
use crate::credentials::Login;
use crate::http::Trust;
use crate::image::Repository;
use crate::secret::Secret;

/// The largest page taken. Docker Hub describes every platform of a hundred tags in one.
const MAX_PAGE: usize = 8 << 20;
/// A list is not followed further.
const MAX_PAGES: usize = 2500;
/// Nor is more kept of it.
const MAX_ITEMS: usize = 200_000;

/// What stays as it is in one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One segment of a path: slashes and all else that means something are encoded.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// An API's address, reached with a registry's login and network settings.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) registry: Registry,
    /// Ends in `/`.
    pub(super) base: Url,
}

/// A header that says who asks.
#[derive(Debug, Clone)]
pub(super) struct Credential(pub(super) HeaderName, pub(super) Secret);

/// What is asked.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) credential: Option<&'a Credential>,
    pub(super) json: Option<&'a Value>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Part of a list, and where it goes on.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<Url>,
}

impl Credential {
    pub(super) fn basic(login: &Login) -> Self {
        Self(AUTHORIZATION, auth::basic(login))
    }

    pub(super) fn bearer(token: &Secret) -> Self {
        Self(AUTHORIZATION, Secret::new(format!("Bearer {}", token.reveal())))
    }
}

impl Api {
    /// An API at the registry's own address.
    pub(super) fn beside(registry: &Registry) -> Self {
        Self { base: registry.transport.base.clone(), registry: registry.clone() }
    }

    /// An API elsewhere.
    pub(super) fn at(registry: &Registry, base: &str) -> Option<Self> {
        let base = Url::parse(base).ok().filter(|base| matches!(base.scheme(), "http" | "https"))?;
        let base = if base.path().ends_with('/') { base } else { Url::parse(&format!("{base}/")).ok()? };
        Some(Self { registry: registry.clone(), base })
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.registry.transport.login.as_ref()
    }

    /// For messages; `needs` is what this API wants beyond a login.
    pub(super) fn attempt(&self, repository: &Repository, doing: String, needs: &'static str) -> Box<Attempt> {
        let mut attempt = self.registry.attempt(repository, doing);
        attempt.needs = Some(needs);
        attempt
    }

    /// An address below the base. `path` is encoded already.
    pub(super) fn url(&self, attempt: &Attempt, path: &str) -> Result<Url, RegistryError> {
        let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
        // The address of a repository elsewhere must not be asked with this login.
        self.base.join(path).map_err(|error| fail(Fault::Local(error.to_string())))
    }

    /// Asks, and again where that may help.
    pub(super) async fn send(&self, attempt: &Attempt, call: &Call<'_>) -> Result<Answer, RegistryError> {
        retry(|| async {
            let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
            if !same_origin(&call.url, &self.base) {
                return Err(fail(Fault::Protocol("its API goes on at another host".into())));
            }
            let response = self.exchange(call).await.map_err(fail)?;
            if !response.status().is_success() {
                return Err(fail(self.fault_of(response).await));
            }
            let headers = response.headers().clone();
            let body = self.registry.transport.read(response, MAX_PAGE).await.map_err(fail)?;
            Ok(Answer { headers, body })
        })
        .await
    }

    /// Asks for something that is there to be read.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        attempt: &Attempt,
        url: Url,
        credential: Option<&Credential>,
    ) -> Result<T, RegistryError> {
        let answer = self.send(attempt, &Call { method: Method::GET, url, credential, json: None }).await?;
        read(&answer.body).map_err(|fault| RegistryError { attempt: Box::new(attempt.clone()), fault })
    }

    /// Asks for something to be deleted, once its address is known.
    pub(super) async fn delete(
        &self,
        attempt: &Attempt,
        path: &str,
        credential: Option<&Credential>,
    ) -> Result<(), RegistryError> {
        let url = self.url(attempt, path)?;
        self.send(attempt, &Call { method: Method::DELETE, url, credential, json: None }).await.map(drop)
    }

    /// A whole list, page by page, until `stop` has seen enough. All of it or an error.
    pub(super) async fn list<T>(
        &self,
        attempt: &Attempt,
        first: Url,
        credential: Option<&Credential>,
        page: impl Fn(&Answer, &Url) -> Result<Page<T>, Fault>,
        stop: impl Fn(&[T]) -> bool,
    ) -> Result<Vec<T>, RegistryError> {
        let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
        let (mut all, mut next, mut last) = (Vec::new(), Some(first), Vec::new());
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { return Ok(all) };
            let call = Call { method: Method::GET, url, credential, json: None };
            let answer = self.send(attempt, &call).await?;
            let Page { items, next: following } = page(&answer, &call.url).map_err(fail)?;
            // Some servers give the same page for every address, or an empty one for ever.
            if following.is_some() && (items.is_empty() || answer.body == last) {
                return Err(fail(Fault::Protocol("its API's list does not go on as it says".into())));
            }
            if stop(&items) {
                all.extend(items);
                return Ok(all);
            }
            all.extend(items);
            // A proxy that drops `Link` would make the first page look like the whole.
            if following.is_none() && total(&answer.headers).is_some_and(|total| total > all.len()) {
                return Err(fail(Fault::Protocol("its API's list is shorter than it says".into())));
            }
            if all.len() > MAX_ITEMS {
                return Err(fail(Fault::TooLarge(format!("more than {MAX_ITEMS} entries in a list"))));
            }
            (next, last) = (following, answer.body);
        }
        Err(fail(Fault::Protocol(format!("its API's list has more than {MAX_PAGES} pages"))))
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Response, Fault> {
        let timeouts = *self.registry.transport.timeouts();
        let mut built =
            self.client()?.request(call.method.clone(), call.url.clone()).header(ACCEPT, "application/json");
        if let Some(Credential(name, value)) = call.credential {
            built = built.header(name, sensitive(value)?);
        }
        built = match call.json {
            Some(value) => built.json(value),
            None if call.method == Method::POST => built.header(CONTENT_LENGTH, 0),
            None => built,
        };
        tokio::time::timeout(timeouts.connect + timeouts.idle, built.send())
            .await
            .map_err(|_| Fault::Timeout(timeouts.idle))?
            .map_err(|error| Fault::from_transport(error, &timeouts))
    }

    fn client(&self) -> Result<Client, Fault> {
        let transport = &self.registry.transport;
        // A registry's own certificate settings are for that registry.
        let trust = match same_origin(&self.base, &transport.base) {
            true => Trust { stays: true, ..transport.trust.clone() },
            false => Trust { stays: true, patient: true, plain: self.base.scheme() == "http", ..Trust::default() },
        };
        transport.clients.get(&trust).map_err(local)
    }

    async fn fault_of(&self, response: Response) -> Fault {
        let limited = rate_limit(response.status(), response.headers());
        match self.registry.transport.fault_of(response).await {
            Fault::Denied(_) | Fault::Rejected { .. } if limited.is_some() => {
                Fault::TooManyRequests { retry_after: limited }
            }
            fault => fault,
        }
    }
}

/// How many entries a whole list has, as Harbor, Gitea (`X-Total-Count`) and GitLab (`X-Total`) say.
fn total(headers: &HeaderMap) -> Option<usize> {
    ["x-total-count", "x-total"].iter().find_map(|name| headers.get(*name)?.to_str().ok()?.parse().ok())
}

/// GitHub refuses with 403 what others refuse with 429: `x-ratelimit-remaining: 0` with the second when it ends, or
/// `retry-after` for its secondary limits (`github/docs` content/rest/using-the-rest-api/rate-limits-for-the-rest-api.md).
fn rate_limit(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if status != StatusCode::FORBIDDEN {
        return None;
    }
    if let Some(wait) = number(RETRY_AFTER.as_str()) {
        return u64::try_from(wait).ok().map(Duration::from_secs);
    }
    let end = number("x-ratelimit-reset").filter(|_| number("x-ratelimit-remaining") == Some(0))?;
    Some(Duration::from_secs(u64::try_from(end - Timestamp::now().as_second()).unwrap_or_default()))
}

/// JSON of a known form. Nothing else will do: a guess at what a list says deletes the wrong things.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::Protocol(match body.trim_ascii_start().starts_with(b"<") {
            true => "its API gave a web page".to_owned(),
            false => format!("the answer of its API cannot be read: {}", clean(&error.to_string(), 200)),
        })
    })
}

/// A time of an API's, where it is one: some write the year 1 for "never".
pub(super) fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|time: &Timestamp| time.as_second() > 0)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_str(v).unwrap())).collect()
    }

    #[test]
    fn githubs_way_of_saying_later() {
        let soon = (Timestamp::now().as_second() + 30).to_string();
        let limit = |status, pairs: &[_]| rate_limit(StatusCode::from_u16(status).unwrap(), &headers(pairs));
        let wait = limit(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &soon)]).unwrap();
        assert!((25..=30).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(limit(403, &[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(limit(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")]), Some(Duration::ZERO));
        assert_eq!(limit(403, &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", &soon)]), None);
        assert_eq!(limit(404, &[("retry-after", "7")]), None);
    }

    #[test]
    fn times_that_are_none_are_left_out() {
        assert!(time(Some("2019-01-06T16:49:51.272+00:00")).is_some());
        for none in [None, Some("0001-01-01T00:00:00.000Z"), Some("yesterday"), Some("")] {
            assert_eq!(time(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("a/b c%2f../é"), "a%2Fb%20c%252f..%2F%C3%A9");
    }
}
