//! A web server of a test's own on this machine's loopback. RUN steps reach it: the testbed's BuildKit daemons share this
//! machine's network. So a test knows when a step runs, may do something meanwhile, and decides what the step gets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Answers each request with what a function says for its number, from 1; 503 where it says nothing.
pub(crate) struct Web {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Web {
    pub(crate) fn start(mut answer: impl FnMut(usize) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (calls, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, end) = (Arc::clone(&calls), Arc::clone(&ended));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                // Whoever asked may be gone already.
                let _ = serve(&stream, || answer(number));
            }
        });
        Self { address, calls, ended }
    }

    /// `http://127.0.0.1:port/`
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many requests came.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: &TcpStream, answer: impl FnOnce() -> Option<String>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = match answer() {
        Some(body) => ("200 OK", body),
        None => ("503 Service Unavailable", String::new()),
    };
    write!(stream, "HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
