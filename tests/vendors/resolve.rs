//! What ten thousand HEADs cost, many at a time and one at a time.

use std::time::{Duration, Instant};

use axum::response::Response;
use stagefreight::http::{Clients, HttpSettings};
use stagefreight::image::{Digest, Repository};
use stagefreight::registry::{Catalog, HostSettings, Listed, Provider, Registry};

use crate::fake::tag;

/// Answers every HEAD after `latency`, from a thread of its own.
fn registry(latency: Duration) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let digest = Digest::of(b"x").to_string();
            let router = axum::Router::new().fallback(move || {
                let digest = digest.clone();
                async move {
                    if !latency.is_zero() {
                        tokio::time::sleep(latency).await;
                    }
                    Response::builder().header("docker-content-digest", digest).body(axum::body::Body::empty()).unwrap()
                }
            });
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    host
}

async fn measure(latency: Duration, count: usize, limit: usize) -> Duration {
    let host = registry(latency);
    let registry = Registry::new(&host, None, &HostSettings::default(), Clients::new(HttpSettings::default())).unwrap();
    let catalog = Catalog::new(registry, Provider::Generic);
    let repository = Repository::new(&host, "team/app").unwrap();
    let listed: Vec<_> =
        (0..count).map(|n| Listed { tag: tag(&format!("v1.{n}")), digest: None, pushed: None }).collect();
    let before = Instant::now();
    let resolved = catalog.resolve(&repository, listed, limit).await.unwrap();
    let took = before.elapsed();
    assert_eq!(resolved.len(), count);
    took
}

#[tokio::test]
async fn many_at_a_time_take_a_fraction_of_the_time() {
    let latency = Duration::from_millis(10);
    let (one, many) = (measure(latency, 100, 1).await, measure(latency, 100, 16).await);
    println!("100 HEADs of 10 ms: one at a time {one:?}, 16 at a time {many:?}");
    assert!(many * 4 < one, "{many:?} against {one:?}");
}

/// `cargo test --release --test vendors -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn ten_thousand() {
    for latency in [0, 1, 5, 20] {
        let latency = Duration::from_millis(latency);
        let many = measure(latency, 10_000, 16).await;
        let some = if latency.as_millis() > 1 { 500 } else { 10_000 };
        let one = measure(latency, some, 1).await * (10_000 / u32::try_from(some).unwrap());
        let ratio = one.as_secs_f64() / many.as_secs_f64();
        println!("10 000 HEADs, latency {latency:?}: 16 at a time {many:?}, one at a time {one:?}, ratio {ratio:.1}");
    }
}
