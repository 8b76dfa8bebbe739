//! What live tests share.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod fault_proxy;
pub mod forward_proxy;
pub mod images;
pub mod runner_model;
pub mod tls_front;

/// A port for a server that has to be told one, and not of those that others are given by the kernel.
pub fn free_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(25_000);
    let mut ports = std::iter::repeat_with(|| NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// An address where nobody listens, nor ever will while the tests run.
pub fn dead_address() -> String {
    use std::os::fd::IntoRawFd as _;
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = held.local_addr().unwrap().port();
    let _ = held.into_raw_fd();
    format!("localhost:{port}")
}

/// A variable of the testbed. A live test without its component fails; it never passes by being skipped.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "the testbed speaks to tests through variables")]
pub fn testbed(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run `ci/testbed up` and `eval \"$(ci/testbed env)\"` first"),
    }
}
