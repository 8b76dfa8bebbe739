//! A stateful API in memory behind real HTTP: what every fake of ours has in common.
//!
//! It reads a request, hands it to the fake, sends the fake's answer, and keeps what was done. A request the fake does not know is a
//! violation. Either that or a write that no test asserted fails the test when the server goes; so does a fake that broke off.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;

/// The largest body read.
const LARGEST: usize = 4 << 20;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// As sent: encoded parts stay so.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An answer: status, headers, body.
#[derive(Debug)]
pub(crate) struct Reply(pub(crate) u16, pub(crate) Vec<(&'static str, String)>, pub(crate) Vec<u8>);

/// What was done, until somebody looks.
#[derive(Debug)]
pub(crate) struct Journal<W> {
    pub(crate) writes: Vec<W>,
    pub(crate) violations: Vec<String>,
}

impl<W> Default for Journal<W> {
    fn default() -> Self {
        Self { writes: Vec::new(), violations: Vec::new() }
    }
}

/// A fake's own part.
pub(crate) trait Api: Send + 'static {
    /// How a write is remembered.
    type Write: Debug + Send;

    /// Obeys a request, or does not. `None`: no answer, ever.
    fn handle(&mut self, seen: Seen) -> Option<Reply>;

    fn journal(&mut self) -> &mut Journal<Self::Write>;

    /// How long an answer takes.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }

    /// What a test prepared and nobody asked for.
    fn unasked(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A fake, serving until it goes out of scope.
pub(crate) struct Server<A: Api> {
    /// Its address, as `127.0.0.1:PORT`.
    pub(crate) host: String,
    api: Arc<Mutex<A>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl<A: Api> Server<A> {
    /// Serves on a thread of its own, so that tests with and without a runtime can use it. `api` is made for an address.
    pub(crate) fn start(api: impl FnOnce(&str) -> A) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let api = Arc::new(Mutex::new(api(&host)));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&api);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = axum::Router::new().fallback(serve::<A>).with_state(shared);
                tokio::select! {
                    served = async { axum::serve(listener, router).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { host, api, stop: Some(stop), thread: Some(thread) }
    }

    #[track_caller]
    pub(crate) fn state(&self) -> MutexGuard<'_, A> {
        self.api.lock().expect("the fake broke off while it answered")
    }

    /// What was written since the last look. Looking is asserting: what is left fails the test.
    pub(crate) fn writes(&self) -> Vec<A::Write> {
        std::mem::take(&mut self.state().journal().writes)
    }
}

impl<A: Api> Drop for Server<A> {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if !std::thread::panicking() {
            assert!(!self.api.is_poisoned(), "the fake broke off while it answered");
            let mut api = self.api.lock().unwrap_or_else(PoisonError::into_inner);
            let unasked = api.unasked();
            let Journal { writes, violations } = std::mem::take(api.journal());
            drop(api);
            assert!(violations.is_empty(), "against the contract: {violations:#?}");
            assert!(writes.is_empty(), "written, and nobody asserted it: {writes:#?}");
            assert!(unasked.is_empty(), "never asked: {unasked:?}");
        }
    }
}

async fn serve<A: Api>(Shared(api): Shared<Arc<Mutex<A>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: query.into_owned().collect(),
        headers: parts.headers,
        body: to_bytes(body, LARGEST).await.unwrap().to_vec(),
    };
    let (reply, delay) = {
        let mut api = api.lock().expect("the fake broke off while it answered");
        (api.handle(seen), api.delay())
    };
    tokio::time::sleep(delay).await;
    let Some(Reply(status, headers, body)) = reply else {
        std::future::pending::<()>().await;
        unreachable!()
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}
