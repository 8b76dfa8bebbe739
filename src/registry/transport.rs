//! One exchange with a registry: authorised, bounded in time, its failure classified. Every request passes here.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use tokio::sync::Mutex;
use url::Url;

use super::auth::{self, Challenge, Known, TokenRequest};
use super::endpoint::{HostSettings, base, same_origin};
use super::error::{Attempt, Fault, MAX_ERROR_BODY, RegistryError};
use super::moving::Moving;
use crate::credentials::Login;
use crate::http::{Clients, Timeouts, Trust};
use crate::image::reference::is_loopback;
use crate::secret::Secret;

/// A registry's address, login and client.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) host: String,
    pub(super) base: Url,
    pub(super) login: Option<Login>,
    pub(super) clients: Arc<Clients>,
    pub(super) trust: Trust,
    client: OnceLock<Client>,
    pub(super) known: Mutex<Known>,
    /// Held while a list of referrers is read, changed and written: registries have no lock for it.
    pub(super) listing: Mutex<()>,
}

/// What is sent.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Scopes that a token must have, see [`auth::scope`].
    pub(super) scope: String,
    pub(super) accept: Option<&'static str>,
    pub(super) body: Body<'a>,
}

/// What goes with it. A body may be sent twice, before and after the registry has asked for a login.
pub(super) enum Body<'a> {
    None,
    Bytes(&'a Bytes, &'a str),
    /// Makes a new stream of exactly so many bytes.
    Stream(u64, &'a (dyn Fn() -> ByteStream + Send + Sync)),
}

/// Bytes of a blob.
pub(super) type ByteStream = std::pin::Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl Transport {
    pub(super) fn new(
        host: &str,
        login: Option<Login>,
        settings: &HostSettings,
        clients: Arc<Clients>,
    ) -> Result<Self, Fault> {
        let base = base(host, settings).ok_or_else(|| Fault::Local(format!("`{host}` is not a registry host")))?;
        let trust = Trust {
            insecure: settings.insecure,
            ca_pem: settings.ca_pem.clone(),
            plain: base.scheme() == "http" && is_loopback(host),
            patient: true,
            stays: false,
        };
        Ok(Self {
            host: host.to_owned(),
            base,
            login,
            clients,
            trust,
            client: OnceLock::new(),
            known: Mutex::default(),
            listing: Mutex::default(),
        })
    }

    pub(super) fn attempt(&self, repository: &str, doing: String) -> Box<Attempt> {
        let login = self.login.as_ref().map(|login| login.source.clone());
        Box::new(Attempt { registry: self.host.clone(), repository: repository.to_owned(), doing, login, needs: None })
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.clients.settings().timeouts
    }

    /// How requests of this scope are authorised, as far as the registry has asked for it.
    pub(super) async fn authorization(&self, scope: &str) -> Option<Secret> {
        self.known.lock().await.header(self.login.as_ref(), scope)
    }

    /// Sends, answers one demand for a login, and returns any answer that is not an error.
    pub(super) async fn send(&self, attempt: &Attempt, request: &Request<'_>) -> Result<Response, RegistryError> {
        let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
        // An upload may be continued on another server; it gets no credentials of ours.
        let ours = same_origin(&request.url, &self.base);
        let header = if ours { self.known.lock().await.header(self.login.as_ref(), &request.scope) } else { None };
        let mut response = self.exchange(request, header.as_ref()).await.map_err(fail)?;
        if response.status() == StatusCode::UNAUTHORIZED && ours {
            match self.answer(response, &request.scope, header.as_ref()).await.map_err(fail)? {
                Ok(header) => response = self.exchange(request, Some(&header)).await.map_err(fail)?,
                Err(refused) => response = refused,
            }
        }
        let status = response.status();
        // A redirect that was not followed: the body cannot be sent twice, or there was no address.
        if status.is_success() {
            return Ok(response);
        }
        Err(fail(self.fault_of(response).await))
    }

    /// One exchange, given up when nothing moves.
    async fn exchange(&self, request: &Request<'_>, authorization: Option<&Secret>) -> Result<Response, Fault> {
        let moving = Arc::new(Moving::new(*self.timeouts()));
        let mut built = self.client()?.request(request.method.clone(), request.url.clone());
        if let Some(value) = authorization {
            built = built.header(AUTHORIZATION, sensitive(value)?);
        }
        if let Some(accept) = request.accept {
            built = built.header(reqwest::header::ACCEPT, accept);
        }
        built = match &request.body {
            // Some proxies insist on a length.
            Body::None if request.method == Method::POST => built.header(CONTENT_LENGTH, 0),
            Body::None => built,
            Body::Bytes(bytes, media_type) => built.header(CONTENT_TYPE, *media_type).body((*bytes).clone()),
            Body::Stream(size, open) => {
                let (noting, size) = (Arc::clone(&moving), *size);
                let stream = open().inspect(move |chunk| noting.sent(chunk.as_ref().map_or(0, Bytes::len), size));
                built
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .header(CONTENT_LENGTH, size)
                    .body(reqwest::Body::wrap_stream(stream))
            }
        };
        tokio::select! {
            answer = built.send() => answer.map_err(|error| Fault::from_transport(error, self.timeouts())),
            patience = moving.stalled() => Err(Fault::Timeout(patience)),
        }
    }

    /// The header that answers a 401, or the 401 where there is nothing more to say.
    async fn answer(
        &self,
        refused: Response,
        wanted: &str,
        sent: Option<&Secret>,
    ) -> Result<Result<Secret, Response>, Fault> {
        let mut known = self.known.lock().await;
        // Another request may have been answered while this one waited.
        let fresh = known.header(self.login.as_ref(), wanted).filter(|fresh| Some(fresh) != sent);
        if let Some(fresh) = fresh {
            return Ok(Ok(fresh));
        }
        let headers = refused.headers().get_all(WWW_AUTHENTICATE);
        match Challenge::read(headers.iter().filter_map(|value| value.to_str().ok())) {
            Some(Challenge::Basic) => match self.login.as_ref().filter(|login| !login.is_identity_token()) {
                Some(login) if sent.is_none() => {
                    known.use_basic();
                    Ok(Ok(auth::basic(login)))
                }
                _ => Ok(Err(refused)),
            },
            Some(Challenge::Bearer { realm, service, scope }) => {
                let plain = self.base.scheme() == "http";
                let login = self.login.as_ref();
                let request = auth::token_request(&realm, &service, &[wanted, &scope], login, plain)?;
                known.set_realm(&realm);
                let (token, life) = self.fetch_token(request).await?;
                let header = Secret::new(format!("Bearer {}", token.reveal()));
                known.keep(wanted, token, life);
                Ok(Ok(header))
            }
            None => Ok(Err(refused)),
        }
    }

    async fn fetch_token(&self, request: TokenRequest) -> Result<(Secret, Duration), Fault> {
        let client = match request.url.scheme() {
            // A registry on this machine may have its token server elsewhere.
            "https" => self.clients.get(&Trust { plain: false, ..self.trust.clone() }).map_err(local)?,
            _ => self.client()?.clone(),
        };
        let mut built = match &request.form {
            Some(form) => client
                .post(request.url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.reveal().to_owned()),
            None => client.get(request.url),
        };
        if let Some(value) = &request.authorization {
            built = built.header(AUTHORIZATION, sensitive(value)?);
        }
        let idle = self.timeouts().idle;
        let response = tokio::time::timeout(idle, built.send())
            .await
            .map_err(|_| Fault::Timeout(idle))?
            .map_err(|error| Fault::from_transport(error, self.timeouts()))?;
        match response.status() {
            StatusCode::OK => auth::token_answer(&self.read(response, auth::MAX_TOKEN_ANSWER).await?),
            // Docker Hub and others say 401 or 403 here for a wrong password.
            StatusCode::FORBIDDEN => match self.fault_of(response).await {
                Fault::Denied(words) => Err(Fault::Unauthorized(words)),
                other => Err(other),
            },
            _ => Err(self.fault_of(response).await),
        }
    }

    /// A whole answer of at most `limit` bytes.
    pub(super) async fn read(&self, response: Response, limit: usize) -> Result<Vec<u8>, Fault> {
        let mut stream = self.stream(response);
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > limit {
                return Err(Fault::TooLarge(format!("an answer of more than {limit} bytes")));
            }
        }
        Ok(bytes)
    }

    /// An answer's bytes, given up when none come.
    pub(super) fn stream(&self, response: Response) -> impl Stream<Item = Result<Bytes, Fault>> + Send + use<> {
        let timeouts = *self.timeouts();
        futures::stream::try_unfold(response, move |mut response| async move {
            match tokio::time::timeout(timeouts.idle, response.chunk()).await {
                Ok(Ok(Some(chunk))) => Ok(Some((chunk, response))),
                Ok(Ok(None)) => Ok(None),
                Ok(Err(error)) => Err(Fault::from_transport(error, &timeouts)),
                Err(_) => Err(Fault::Timeout(timeouts.idle)),
            }
        })
        .boxed()
    }

    /// What an answer that is no success says.
    pub(super) async fn fault_of(&self, response: Response) -> Fault {
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let mut body = Vec::new();
        let mut stream = self.stream(response);
        while let Some(Ok(chunk)) = stream.next().await {
            let room = MAX_ERROR_BODY - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_ERROR_BODY {
                break;
            }
        }
        Fault::from_answer(status, wait, &body)
    }

    fn client(&self) -> Result<&Client, Fault> {
        match self.client.get() {
            Some(client) => Ok(client),
            None => {
                let made = self.clients.get(&self.trust).map_err(local)?;
                Ok(self.client.get_or_init(|| made))
            }
        }
    }
}

pub(super) fn local(error: crate::http::HttpError) -> Fault {
    Fault::Local(error.to_string())
}

/// A header value that debug output does not show.
pub(super) fn sensitive(value: &Secret) -> Result<HeaderValue, Fault> {
    let mut header = HeaderValue::from_str(value.reveal())
        .map_err(|_| Fault::Local("the login holds characters that no header can carry".into()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let when = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(when.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}
