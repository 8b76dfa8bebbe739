//! Is a BuildKit daemon there, and does it take our certificate? Asked before buildx, whose every answer to a bad
//! endpoint is twenty seconds and `context deadline exceeded`.
//!
//! Speaks just enough HTTP/2 to be answered: with TLS 1.3 a refused client certificate shows only at the first read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::buildx::argv::ClientCerts;
use crate::image::reference::is_loopback;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a daemon that takes connections may take to answer: one with much to do answers late.
const ANSWER: Duration = Duration::from_secs(20);
/// Connection preface and an empty SETTINGS frame (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Where a BuildKit daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `tcp://host:port`.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// `unix:///path`.
    Unix(PathBuf),
}

/// Why a daemon cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The text is no address we know.
    #[error("`{0}` is not an address of a BuildKit daemon")]
    BadAddress(String),
    /// The host name means nothing here.
    #[error("the name {0} cannot be resolved")]
    UnknownHost(String),
    /// Nobody listens, or a firewall is in between.
    #[error("nothing answers: {0}")]
    Unreachable(String),
    /// Plain TCP to another machine.
    #[error("it would be reached without TLS over the network")]
    TlsRequired,
    /// A certificate file of ours is missing or unreadable.
    #[error("the client certificate cannot be used: {0}")]
    OurCertificate(String),
    /// The daemon's certificate is not to be trusted.
    #[error("its certificate is not to be trusted: {0}")]
    ServerCertificate(String),
    /// It does not want our certificate.
    #[error("it refuses our client certificate: {0}")]
    ClientRefused(String),
    /// Something else is listening there.
    #[error("what listens there is not a BuildKit daemon{0}")]
    NotBuildkit(&'static str),
}

impl ProbeError {
    /// Nobody is there at all: another backend may be used instead. Anything else is a mistake to be mended.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::UnknownHost(_) | Self::Unreachable(_))
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BadAddress(_) => "set BUILDKIT_HOST to tcp://host:port or unix:///path/to/buildkitd.sock",
            Self::UnknownHost(_) => "check BUILDKIT_HOST, and that the job has the buildkitd service under that name",
            Self::Unreachable(_) => "check that buildkitd runs and that its port can be reached from this job",
            Self::TlsRequired => {
                "put ca.pem, cert.pem and key.pem into a directory and set BUILDKIT_CERT_PATH to it; plain TCP is accepted only for this very machine"
            }
            Self::OurCertificate(_) => {
                "BUILDKIT_CERT_PATH must hold ca.pem, cert.pem and key.pem, readable by this user"
            }
            Self::ServerCertificate(_) => {
                "ca.pem must be the CA that signed the daemon's certificate, and the certificate must name the host in BUILDKIT_HOST"
            }
            Self::ClientRefused(_) => {
                "cert.pem must be a client certificate signed by the CA that the daemon was started with"
            }
            Self::NotBuildkit(_) => "check the port in BUILDKIT_HOST, and whether the daemon expects TLS",
        }
    }
}

impl Endpoint {
    /// Reads `tcp://host:port` or `unix:///path`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, ProbeError> {
        let bad = || ProbeError::BadAddress(text.chars().take(200).collect());
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(bad()) };
        }
        let url = url::Url::parse(text).map_err(|_| bad())?;
        let plain = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
        match (url.scheme(), url.host_str(), url.port()) {
            ("tcp", Some(host), Some(port)) if plain => Ok(Self::Tcp { host: host.to_owned(), port }),
            _ => Err(bad()),
        }
    }

    /// As buildx takes it.
    pub fn url(&self) -> String {
        match self {
            Self::Tcp { host, port } => format!("tcp://{host}:{port}"),
            Self::Unix(path) => format!("unix://{}", path.display()),
        }
    }

    /// It is on this machine, so that nobody can listen in.
    fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => is_loopback(host),
        }
    }
}

/// Asks a daemon whether it would talk to us.
///
/// # Errors
/// Why it would not, told apart.
pub(super) async fn probe(endpoint: &Endpoint, certs: Option<&ClientCerts>) -> Result<(), ProbeError> {
    if certs.is_none() && !endpoint.is_local() {
        return Err(ProbeError::TlsRequired);
    }
    let asked = async {
        match endpoint {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|e| ProbeError::Unreachable(e.to_string()))?;
                greet(stream, false).await
            }
            Endpoint::Tcp { host, port } => {
                let connected = tokio::time::timeout(CONNECT, connect(host, *port)).await;
                let stream = connected.unwrap_or_else(|_| Err(late(CONNECT)))?;
                match certs {
                    None => greet(stream, false).await,
                    Some(certs) => greet(handshake(stream, host, certs).await?, true).await,
                }
            }
        }
    };
    tokio::time::timeout(ANSWER, asked).await.unwrap_or_else(|_| Err(late(ANSWER)))
}

fn late(limit: Duration) -> ProbeError {
    ProbeError::Unreachable(format!("no answer within {} s", limit.as_secs()))
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, ProbeError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> =
        tokio::net::lookup_host((bare, port)).await.map_err(|_| ProbeError::UnknownHost(host.to_owned()))?.collect();
    TcpStream::connect(addresses.as_slice()).await.map_err(|e| ProbeError::Unreachable(e.to_string()))
}

async fn handshake(
    stream: TcpStream,
    host: &str,
    certs: &ClientCerts,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ProbeError> {
    let config = tls_config(certs)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|_| ProbeError::UnknownHost(host.to_owned()))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(|e| tls_error(&e))
}

fn tls_config(certs: &ClientCerts) -> Result<rustls::ClientConfig, ProbeError> {
    let mut roots = rustls::RootCertStore::empty();
    for ca in read_certificates(&certs.ca)? {
        roots.add(ca).map_err(|e| ProbeError::OurCertificate(format!("{}: {e}", certs.ca.display())))?;
    }
    let chain = read_certificates(&certs.cert)?;
    let key = PrivateKeyDer::from_pem_file(&certs.key)
        .map_err(|e| ProbeError::OurCertificate(format!("{}: {e}", certs.key.display())))?;
    let ours = |e: rustls::Error| ProbeError::OurCertificate(e.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(key).map_err(ours)?;
    let certified = CertifiedKey::new(chain, key);
    // Whether the certificate is any good is the daemon's to say: buildx uses X.509 v1 ones too, which rustls cannot read.
    if let Err(error @ rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) = certified.keys_match() {
        return Err(ours(error));
    }
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ours)?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ProbeError> {
    let problem = |why: String| ProbeError::OurCertificate(format!("{}: {why}", path.display()));
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|e| problem(e.to_string()))?;
    if certificates.is_empty() { Err(problem("no certificate in it".to_owned())) } else { Ok(certificates) }
}

/// Sends the preface and waits for the daemon's SETTINGS.
async fn greet(mut stream: impl AsyncRead + AsyncWrite + Unpin, tls: bool) -> Result<(), ProbeError> {
    let mut head = [0; 9];
    let exchange = async {
        stream.write_all(PREFACE).await?;
        stream.flush().await?;
        stream.read_exact(&mut head).await
    };
    match exchange.await {
        Ok(_) if head[3] == 4 => Ok(()),
        Ok(_) => Err(ProbeError::NotBuildkit("")),
        Err(error) if tls => Err(tls_error(&error)),
        // A TLS server hangs up on plain text.
        Err(_) => Err(ProbeError::NotBuildkit(", or it expects TLS")),
    }
}

fn tls_error(error: &std::io::Error) -> ProbeError {
    use rustls::{AlertDescription as Alert, Error};
    let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<Error>()) else {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => {
                ProbeError::NotBuildkit(" that speaks TLS")
            }
            _ => ProbeError::Unreachable(error.to_string()),
        };
    };
    match tls {
        Error::InvalidCertificate(why) => ProbeError::ServerCertificate(format!("{why:?}").chars().take(200).collect()),
        Error::AlertReceived(
            alert @ (Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::AccessDenied
            | Alert::UnsupportedCertificate
            | Alert::DecryptError),
        ) => ProbeError::ClientRefused(format!("{alert:?}")),
        Error::InvalidMessage(_) => ProbeError::NotBuildkit(" that speaks TLS"),
        other => ProbeError::ServerCertificate(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        assert_eq!(Endpoint::parse("tcp://buildkitd:1234"), Ok(Endpoint::Tcp { host: "buildkitd".into(), port: 1234 }));
        assert_eq!(Endpoint::parse("unix:///run/b.sock").unwrap().url(), "unix:///run/b.sock");
        assert_eq!(Endpoint::parse("tcp://[::1]:1234").unwrap().url(), "tcp://[::1]:1234");
        for bad in
            ["", "buildkitd:1234", "tcp://host", "tcp://u:p@host:1", "http://host:1", "unix://relative", "tcp://h:1/x"]
        {
            assert!(matches!(Endpoint::parse(bad), Err(ProbeError::BadAddress(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn plain_tcp_leaves_this_machine_only_over_tls() {
        let away = Endpoint::parse("tcp://buildkitd:1234").unwrap();
        assert_eq!(probe(&away, None).await, Err(ProbeError::TlsRequired));
    }

    #[tokio::test]
    async fn absence_and_strangers_are_told_apart() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let here = Endpoint::Tcp { host: "127.0.0.1".into(), port };
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        };
        let (answer, ()) = tokio::join!(probe(&here, None), server);
        assert_eq!(answer, Err(ProbeError::NotBuildkit("")));
        // Bound and not listened on: refused, and no other test is given the port.
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = held.local_addr().unwrap().port();
        let gone = probe(&Endpoint::Tcp { host: "127.0.0.1".into(), port }, None).await.unwrap_err();
        assert!(gone.is_absence(), "{gone}");
    }
}
