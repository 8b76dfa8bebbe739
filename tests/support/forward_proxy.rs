//! A company's forward proxy: CONNECT for https, absolute addresses for http. It knows a few names that mean nothing
//! anywhere else, so whoever reaches them came through here. Small requests only, one a connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Most bytes of a request's head.
const HEAD: usize = 32 << 10;
/// How long a connection may live.
const LIFE: Duration = Duration::from_secs(120);

/// The proxy. Stops when dropped.
pub struct ForwardProxy {
    /// `127.0.0.1:port`.
    pub host: String,
    seen: Arc<Mutex<Vec<String>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Rules {
    names: BTreeMap<String, String>,
    authorization: Option<String>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    /// Starts, for names (with port) that lead to addresses. With a login (`user:password`), only for those who have it.
    pub fn start(names: &[(&str, &str)], login: Option<&str>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let encode = |login: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login));
        let rules = Arc::new(Rules {
            names: names.iter().map(|(name, to)| ((*name).to_owned(), to.replace("localhost", "127.0.0.1"))).collect(),
            authorization: login.map(encode),
            seen: Arc::clone(&seen),
        });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serve = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let rules = Arc::clone(&rules);
                        tokio::spawn(tokio::time::timeout(LIFE, async move { exchange(stream, &rules).await }));
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::ZERO);
        });
        Self { host, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// `METHOD address` of every request it let pass, then the program that sent it.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests of a method came for this address, or part of it, from programs whose name begins so.
    pub fn count(&self, method: &str, address: &str, agent: &str) -> usize {
        let matching = |line: &&String| {
            let mut words = line.splitn(3, ' ');
            words.next() == Some(method)
                && words.next().is_some_and(|target| target.contains(address))
                && words.next().is_some_and(|said| said.starts_with(agent))
        };
        self.seen().iter().filter(matching).count()
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn exchange(mut client: TcpStream, rules: &Rules) -> std::io::Result<()> {
    let (head, rest) = read_head(&mut client).await?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: Vec<(&str, &str)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect();
    let header = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, v)| *v);
    if rules.authorization.as_deref().is_some_and(|right| header("proxy-authorization") != Some(right)) {
        return refuse(client, "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"company\"")
            .await;
    }
    let plain = target.strip_prefix("http://");
    let (authority, path) = match plain {
        Some(rest) => rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned())),
        None => (target, String::new()),
    };
    let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let Some(address) = rules.names.get(&authority) else { return refuse(client, "502 Unknown Name").await };
    rules.seen.lock().unwrap().push(format!("{method} {target} {}", header("user-agent").unwrap_or("-")));
    let mut server = TcpStream::connect(address).await?;
    if plain.is_none() {
        client.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").await?;
    } else {
        let mut request = format!("{method} /{path} HTTP/1.1\r\n");
        let kept =
            |name: &str| !name.to_ascii_lowercase().starts_with("proxy-") && !name.eq_ignore_ascii_case("connection");
        for (name, value) in headers.iter().filter(|(name, _)| kept(name)) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        // One request a connection: nothing after it needs to be understood.
        request.push_str("Connection: close\r\n\r\n");
        server.write_all(request.as_bytes()).await?;
    }
    server.write_all(&rest).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The head of a request, and what came with it of the body.
async fn read_head(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            bytes.truncate(end);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if bytes.len() > HEAD || client.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
}

async fn refuse(mut client: TcpStream, status: &str) -> std::io::Result<()> {
    client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).await
}
