//! A proxy before a real registry that fails on purpose, and keeps count.
//!
//! Everything no rule speaks of passes through unchanged, streamed. Runs in a thread of its own, so it serves tests of
//! the library and of the program alike.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use futures::StreamExt as _;
use stagefreight::http::{HttpSettings, Trust};

/// What is done instead of, or to, an exchange.
#[derive(Clone)]
pub enum Fault {
    /// Answer this; the registry hears nothing.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Close the connection without an answer; the registry hears nothing.
    Close,
    /// Let the registry do it, and close the connection without telling.
    CloseAfter,
    /// Answer this after so long; the registry hears nothing.
    AnswerLate(Duration, u16, String),
    /// Let the registry do it, and answer this all the same.
    AnswerAfter(u16, String),
    /// Take so many bytes of the request's body, and close the connection.
    CloseInside(usize),
    /// The token is not taken any more: ask for another one.
    LoggedOut,
    /// Never answer.
    Hang,
    /// Pass on after so long.
    Slow(Duration),
    /// Pass on, and break off after so many bytes of the answer.
    Truncate(usize),
    /// Pass on, and put this header into the answer.
    Header(&'static str, String),
    /// Answer with so many bytes of nothing.
    Huge(u64),
    /// Pass on, and let so many bytes of the answer go each time this has passed.
    Trickle(usize, Duration),
}

/// When which fault happens.
pub struct Rule {
    fault: Fault,
    method: Option<&'static str>,
    path: String,
    skip: usize,
    times: usize,
}

/// One request as it passed.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    pub user_agent: Option<String>,
    /// Status sent back; 0 where there was none.
    pub status: u16,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

/// The proxy. Stops when dropped.
pub struct FaultProxy {
    host: String,
    shared: Arc<Shared>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    tokens: Mutex<Option<Tokens>>,
    realm: Mutex<String>,
}

/// A token server in front of the registry, as Docker Hub or GitLab have it.
struct Tokens {
    user: String,
    pass: String,
    life: Duration,
    /// What the login may do; `None` is everything.
    allowed: Option<Vec<&'static str>>,
    /// Tokens say what they allow, as Docker Hub's do; else nobody can read them.
    legible: bool,
    given: HashMap<String, (Vec<String>, Instant)>,
}

impl Rule {
    /// A fault for every request until restricted.
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, path: String::new(), skip: 0, times: usize::MAX }
    }

    /// Only for this method.
    pub fn on(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    /// Only where the path contains this.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Only so many times.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Only after so many requests that it would have been for.
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }
}

impl Seen {
    fn of(request: &Request) -> Self {
        let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            authorization: text("authorization"),
            user_agent: text("user-agent"),
            status: 0,
            up: Arc::default(),
            down: Arc::default(),
        }
    }

    /// Bytes of its body that came so far.
    pub fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    /// Bytes of the answer that went so far.
    pub fn down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }
}

impl FaultProxy {
    /// Starts before `upstream` (`host:port`, plain http).
    pub fn start(upstream: &str, rules: impl IntoIterator<Item = Rule>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let trust = Trust { plain: true, patient: true, ..Trust::default() };
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: stagefreight::http::client(&HttpSettings::default(), &trust).unwrap(),
            rules: Mutex::new(rules.into_iter().collect()),
            seen: Mutex::default(),
            tokens: Mutex::default(),
            realm: Mutex::new(format!("http://{host}")),
        });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let app = axum::Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::ZERO);
        });
        Self { host, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Wants Bearer tokens from now on, and gives them for this login; without one, for reading only.
    pub fn with_tokens(self, user: &str, pass: &str, life: Duration) -> Self {
        let (user, pass) = (user.to_owned(), pass.to_owned());
        *self.shared.tokens.lock().unwrap() =
            Some(Tokens { user, pass, life, allowed: None, legible: false, given: HashMap::new() });
        self
    }

    /// The login may do only this, and whether its tokens say so.
    pub fn allowing(self, actions: &[&'static str], legible: bool) -> Self {
        if let Some(tokens) = self.shared.tokens.lock().unwrap().as_mut() {
            tokens.allowed = Some(actions.to_vec());
            tokens.legible = legible;
        }
        self
    }

    /// Says that tokens are to be had below this address: that of a front of its own.
    pub fn tokens_at(&self, address: &str) {
        address.clone_into(&mut self.shared.realm.lock().unwrap());
    }

    /// `127.0.0.1:port`: a registry host for image names.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Adds a rule.
    pub fn rule(&self, rule: Rule) {
        self.shared.rules.lock().unwrap().push(rule);
    }

    /// Everything that passed so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests of a method came whose path contains this.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method == method && seen.path.contains(path)).count()
    }

    /// Body bytes that came with a method to paths that contain this.
    pub fn bytes_up(&self, method: &str, path: &str) -> u64 {
        self.seen().iter().filter(|seen| seen.method == method && seen.path.contains(path)).map(Seen::up).sum()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let seen = Seen::of(&request);
    let at = {
        let mut all = shared.seen.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    let answer = respond(&shared, request, &seen).await;
    shared.seen.lock().unwrap()[at].status = answer.status().as_u16();
    answer
}

async fn respond(shared: &Shared, request: Request, seen: &Seen) -> Response {
    let fault = shared.fault_for(seen);
    match &fault {
        Some(Fault::Answer(status, headers, body)) => return answer(*status, headers, body.clone()),
        Some(Fault::AnswerLate(time, status, body)) => {
            tokio::time::sleep(*time).await;
            return answer(*status, &[], body.clone());
        }
        Some(Fault::Close) => close(),
        Some(Fault::CloseInside(bytes)) => {
            let mut body = request.into_body().into_data_stream();
            let mut taken = 0;
            while taken < *bytes
                && let Some(Ok(chunk)) = body.next().await
            {
                taken += chunk.len();
            }
            close()
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Slow(time)) => tokio::time::sleep(*time).await,
        Some(Fault::Huge(bytes)) => {
            let chunk = bytes::Bytes::from(vec![b' '; 64 << 10]);
            let chunks = usize::try_from(bytes / chunk.len() as u64).unwrap();
            let stream = futures::stream::iter(0..chunks).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
            return Response::new(counted(stream, &seen.down));
        }
        _ => {}
    }
    let logged_out = matches!(fault, Some(Fault::LoggedOut));
    let gated = shared.gate(seen, logged_out);
    let mut response = match gated {
        Some(answer) => answer,
        None => forward(shared, request, seen).await,
    };
    match fault {
        Some(Fault::CloseAfter) => close(),
        Some(Fault::AnswerAfter(status, body)) => return answer(status, &[], body),
        Some(Fault::Header(name, value)) => {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Some(Fault::Trickle(bytes, pause)) => {
            let (parts, body) = response.into_parts();
            let whole = axum::body::to_bytes(body, 64 << 20).await.unwrap();
            let pieces: Vec<_> =
                (0..whole.len()).step_by(bytes).map(|at| whole.slice(at..whole.len().min(at + bytes))).collect();
            let slow = futures::stream::iter(pieces).then(move |piece| async move {
                tokio::time::sleep(pause).await;
                Ok::<_, std::io::Error>(piece)
            });
            response = Response::from_parts(parts, Body::from_stream(slow));
        }
        Some(Fault::Truncate(bytes)) => {
            let (parts, body) = response.into_parts();
            let mut left = bytes;
            let cut = body.into_data_stream().map(move |chunk| {
                let chunk = chunk.map_err(std::io::Error::other)?;
                if left == 0 {
                    return Err(std::io::Error::other("cut off on purpose"));
                }
                let part = chunk.slice(..chunk.len().min(left));
                left -= part.len();
                Ok(part)
            });
            // A small answer comes in one piece: the cut must come after it, not never.
            let cut = cut.chain(futures::stream::once(async { Err(std::io::Error::other("cut off on purpose")) }));
            response = Response::from_parts(parts, Body::from_stream(cut));
        }
        _ => {}
    }
    response
}

/// Ends this connection as a crash would: no answer, no panic message.
fn close() -> ! {
    std::panic::resume_unwind(Box::new(()))
}

fn answer(status: u16, headers: &[(&'static str, String)], body: String) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body)).unwrap()
}

async fn forward(shared: &Shared, request: Request, seen: &Seen) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut sent = shared.client.request(parts.method, format!("http://{}{path}", shared.upstream));
    let gated = shared.tokens.lock().unwrap().is_some();
    for (name, value) in &parts.headers {
        // `Host` stays ours: the addresses the registry gives then lead back here.
        let dropped = matches!(name.as_str(), "connection" | "transfer-encoding") || (gated && name == "authorization");
        if !dropped {
            sent = sent.header(name, value);
        }
    }
    let up = Arc::clone(&seen.up);
    let body = body.into_data_stream().inspect(move |chunk| {
        up.fetch_add(chunk.as_ref().map_or(0, bytes::Bytes::len) as u64, Ordering::Relaxed);
    });
    let has_body = parts.headers.get("content-length").is_some_and(|length| length != "0");
    let has_body = has_body || parts.headers.contains_key("transfer-encoding");
    let sent = if has_body { sent.body(reqwest::Body::wrap_stream(body)) } else { sent };
    match sent.send().await {
        Ok(found) => {
            let mut response = Response::builder().status(found.status());
            for (name, value) in found.headers() {
                if !matches!(name.as_str(), "connection" | "transfer-encoding") {
                    response = response.header(name, value);
                }
            }
            let body = found.bytes_stream().map(|chunk| chunk.map_err(std::io::Error::other));
            response.body(counted(body, &seen.down)).unwrap()
        }
        Err(error) => answer(502, &[], format!("{error:?}")),
    }
}

fn counted(
    stream: impl futures::Stream<Item = std::io::Result<bytes::Bytes>> + Send + 'static,
    count: &Arc<AtomicU64>,
) -> Body {
    let count = Arc::clone(count);
    Body::from_stream(stream.inspect(move |chunk| {
        count.fetch_add(chunk.as_ref().map_or(0, bytes::Bytes::len) as u64, Ordering::Relaxed);
    }))
}

impl Shared {
    fn fault_for(&self, seen: &Seen) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        for rule in rules.iter_mut() {
            if rule.method.is_some_and(|method| method != seen.method) || !seen.path.contains(&rule.path) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                return Some(rule.fault.clone());
            }
        }
        None
    }

    /// The token server's own answer, or its refusal; nothing where the request may pass.
    fn gate(&self, seen: &Seen, logged_out: bool) -> Option<Response> {
        let mut tokens = self.tokens.lock().unwrap();
        let tokens = tokens.as_mut()?;
        let query: Vec<(String, String)> = url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
        if seen.path == "/token" && seen.method == "POST" {
            // As most token servers: not by OAuth 2. BuildKit asks in this way first.
            return Some(answer(405, &[], String::new()));
        }
        if seen.path == "/token" {
            return Some(tokens.give(seen, &query));
        }
        let path = seen.path.trim_start_matches("/v2/");
        let end = ["/manifests/", "/blobs/", "/tags/"].iter().find_map(|part| path.find(part)).unwrap_or(path.len());
        let action = if matches!(seen.method.as_str(), "GET" | "HEAD") { "pull" } else { "push" };
        let action = if seen.method == "DELETE" { "delete" } else { action };
        let need = format!("repository:{}:{action}", &path[..end]);
        let token = seen.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let allowed = !logged_out
            && tokens.given.get(token).is_some_and(|(scopes, until)| *until > Instant::now() && scopes.contains(&need));
        let realm = self.realm.lock().unwrap();
        let challenge = format!("Bearer realm=\"{realm}/token\",service=\"testbed\",scope=\"{need}\"");
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        (!allowed).then(|| answer(401, &[("www-authenticate", challenge)], body.to_owned()))
    }
}

impl Tokens {
    fn give(&mut self, seen: &Seen, query: &[(String, String)]) -> Response {
        let right = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.user, self.pass));
        let known = match seen.authorization.as_deref() {
            Some(value) if value == format!("Basic {right}") => true,
            Some(_) => return answer(401, &[], r#"{"details":"incorrect username or password"}"#.to_owned()),
            None => false,
        };
        let (mut scopes, mut access) = (Vec::new(), Vec::new());
        for (_, scope) in query.iter().filter(|(name, _)| name == "scope") {
            let Some((resource, actions)) = scope.rsplit_once(':') else { continue };
            let right = |action: &&str| self.allowed.as_ref().is_none_or(|allowed| allowed.contains(action));
            let allowed: Vec<_> =
                actions.split(',').filter(|action| known && right(action) || *action == "pull").collect();
            scopes.extend(allowed.iter().map(|action| format!("{resource}:{action}")));
            if let Some(name) = resource.strip_prefix("repository:").filter(|name| !name.is_empty()) {
                access.push(serde_json::json!({"type": "repository", "name": name, "actions": allowed}));
            }
        }
        let mut token = format!("token-{}", self.given.len());
        if self.legible {
            let encode = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
            let claims = serde_json::json!({"jti": token, "access": access});
            token =
                format!("{}.{}.{}", encode(r#"{"alg":"none"}"#.into()), encode(claims.to_string()), encode("s".into()));
        }
        self.given.insert(token.clone(), (scopes, Instant::now() + self.life));
        let body = serde_json::json!({"token": token, "expires_in": 300});
        answer(200, &[], body.to_string())
    }
}
