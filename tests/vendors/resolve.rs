//! What ten thousand HEADs cost, many at a time and one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::response::Response;
use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::{Digest, Repository};
use stagefreight::registry::{Catalog, HostSettings, Listed, Provider, Registry};

use crate::fake::tag;

/// Answers every HEAD after `latency`, from a thread of its own. `most` becomes how many it had before it at a time.
fn registry(latency: Duration, most: Arc<AtomicUsize>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let digest = Digest::of(b"x").to_string();
            let now = Arc::new(AtomicUsize::new(0));
            let router = axum::Router::new().fallback(move || {
                let (digest, now, most) = (digest.clone(), Arc::clone(&now), Arc::clone(&most));
                async move {
                    most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                    if !latency.is_zero() {
                        tokio::time::sleep(latency).await;
                    }
                    now.fetch_sub(1, Relaxed);
                    Response::builder().header("docker-content-digest", digest).body(axum::body::Body::empty()).unwrap()
                }
            });
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    host
}

/// How long it took, and how many were asked at a time.
async fn measure(latency: Duration, count: usize, limit: usize) -> (Duration, usize) {
    let most = Arc::default();
    let host = registry(latency, Arc::clone(&most));
    let registry = Registry::new(&host, None, &HostSettings::default(), Clients::new(HttpSettings::default())).unwrap();
    let catalog = Catalog::new(registry, Provider::Generic);
    let repository = Repository::new(&host, "team/app").unwrap();
    let listed: Vec<_> =
        (0..count).map(|n| Listed { tag: tag(&format!("v1.{n}")), digest: None, pushed: None }).collect();
    let before = Instant::now();
    let resolved = catalog.resolve(&repository, listed, limit).await.unwrap();
    let took = before.elapsed();
    assert_eq!(resolved.len(), count);
    (took, most.load(Relaxed))
}

#[tokio::test]
async fn as_many_are_asked_at_a_time_as_may_be() {
    for limit in [1, 16] {
        assert_eq!(measure(Duration::from_millis(50), 100, limit).await.1, limit);
    }
}

/// `cargo test --release --test vendors -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn ten_thousand() {
    for latency in [0, 1, 5, 20] {
        let latency = Duration::from_millis(latency);
        let many = measure(latency, 10_000, 16).await.0;
        let some = if latency.as_millis() > 1 { 500 } else { 10_000 };
        let one = measure(latency, some, 1).await.0 * (10_000 / u32::try_from(some).unwrap());
        let ratio = one.as_secs_f64() / many.as_secs_f64();
        println!("10 000 HEADs, latency {latency:?}: 16 at a time {many:?}, one at a time {one:?}, ratio {ratio:.1}");
    }
}
