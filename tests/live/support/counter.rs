//! A wire that keeps count: TCP, passed on as it comes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands before an address and counts the bytes that come back from there. Ends with the test's process.
pub(crate) struct Counter {
    /// `ip:port`.
    pub(crate) host: String,
    down: Arc<AtomicU64>,
}

impl Counter {
    pub(crate) fn before(address: &str) -> Self {
        Self::at("127.0.0.1", address)
    }

    /// The same at another address of this machine.
    pub(crate) fn at(ip: &str, address: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap_or_else(|error| panic!("{ip}: {error}"));
        let host = listener.local_addr().unwrap().to_string();
        let (address, down) = (address.to_owned(), Arc::<AtomicU64>::default());
        let count = Arc::clone(&down);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&address) else { continue };
                let (near2, far2) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let count = Arc::clone(&count);
                std::thread::spawn(move || copy(near2, far2, &AtomicU64::new(0)));
                std::thread::spawn(move || copy(far, near, &count));
            }
        });
        Self { host, down }
    }

    /// Bytes that came from the address so far.
    pub(crate) fn down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
