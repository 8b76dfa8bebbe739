//! TLS before a plain registry or an engine's socket, with a certificate nobody knows. Like many a proxy it does not tell
//! what stands behind that it is spoken to by https.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

/// The front. Stops when dropped.
pub struct TlsFront {
    /// `127.0.0.1:port`.
    pub host: String,
    /// Its certificate, which vouches for itself.
    pub ca_pem: Vec<u8>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What stands behind.
#[derive(Clone)]
enum Upstream {
    Tcp(String),
    Unix(PathBuf),
}

impl TlsFront {
    /// Starts before `upstream` (`host:port`, plain http), known as `127.0.0.1`.
    pub fn start(upstream: &str) -> Self {
        Self::serve(Upstream::Tcp(upstream.to_owned()), "IP:127.0.0.1", None)
    }

    /// The same, with a certificate for a name.
    pub fn named(name: &str, upstream: &str) -> Self {
        Self::serve(Upstream::Tcp(upstream.to_owned()), &format!("DNS:{name},IP:127.0.0.1"), None)
    }

    /// Before a socket, and only for those whose certificate this authority signed.
    pub fn mutual(socket: &str, clients: &[u8]) -> Self {
        Self::serve(Upstream::Unix(socket.into()), "IP:127.0.0.1", Some(clients))
    }

    fn serve(upstream: Upstream, names: &str, clients: Option<&[u8]>) -> Self {
        let (ca_pem, key_pem) = certificate(names);
        let certificate = CertificateDer::from_pem_slice(&ca_pem).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&key_pem).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(pem) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                config.with_client_cert_verifier(verifier)
            }
        };
        let config = config.with_single_cert(vec![certificate], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, acceptor, upstream) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(std::time::Duration::ZERO);
        });
        Self { host, ca_pem, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, acceptor: TlsAcceptor, upstream: Upstream) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
        tokio::spawn(async move {
            let mut client = acceptor.accept(stream).await?;
            match upstream {
                Upstream::Tcp(address) => {
                    let mut behind = tokio::net::TcpStream::connect(address).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut behind).await
                }
                Upstream::Unix(path) => {
                    let mut behind = tokio::net::UnixStream::connect(path).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut behind).await
                }
            }
        });
    }
}

#[allow(clippy::disallowed_methods, reason = "test scenery")]
fn certificate(names: &str) -> (Vec<u8>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("openssl")
        .current_dir(dir.path())
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=stagefreight test", "-addext", &format!("subjectAltName={names}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    (read("cert.pem"), read("key.pem"))
}
