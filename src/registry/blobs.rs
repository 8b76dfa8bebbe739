//! Blobs: looked for, streamed down, streamed up. Never held in memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use reqwest::header::LOCATION;
use reqwest::{Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio_util::io::ReaderStream;
use url::Url;

use super::auth::scope;
use super::client::Registry;
use super::error::{Attempt, Fault, RegistryError};
use super::retry::retry;
use super::transport::{Body, ByteStream, Request};
use crate::image::{Descriptor, Digest, Repository};

/// How much of a file is read at a time.
const CHUNK: usize = 64 << 10;

/// How a blob got where it had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The registry took it from another repository of its own.
    Mounted,
    /// So many bytes were sent.
    Bytes(u64),
}

/// Where a blob's bytes are.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A file of exactly the blob's size.
    File(PathBuf),
    /// In memory: for what is small.
    Bytes(Bytes),
    /// Another registry, or the same with another login.
    Repository(Registry, Repository),
}

/// The trouble a stream had at its source: whoever reads it sees a broken upload only.
#[derive(Clone)]
struct Trouble {
    attempt: Box<Attempt>,
    seen: Arc<Mutex<Option<RegistryError>>>,
}

impl Registry {
    /// The size of a blob; `None` where there is none.
    ///
    /// # Errors
    /// When the registry does not say.
    pub async fn head_blob(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let attempt = self.attempt(repository, format!("looking for blob {} in", digest.short()));
        let request = self.blob_request(&attempt, repository, digest, Method::HEAD)?;
        match retry(|| self.transport.send(&attempt, &request)).await {
            Ok(response) => {
                let size = response.headers().get("content-length").and_then(|value| value.to_str().ok());
                Ok(Some(size.and_then(|text| text.parse().ok()).unwrap_or_default()))
            }
            Err(error) if matches!(error.fault, Fault::NotFound | Fault::NameUnknown) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A blob's bytes as they come. The stream ends in an error where size or digest are not the blob's, so nothing is
    /// to be believed before its end. Asking is retried; a stream that breaks is not.
    ///
    /// # Errors
    /// When it is not there or not to be had.
    pub async fn get_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<impl Stream<Item = Result<Bytes, RegistryError>> + Send + use<>, RegistryError> {
        let attempt = self.attempt(repository, format!("reading blob {} of", blob.digest.short()));
        let request = self.blob_request(&attempt, repository, &blob.digest, Method::GET)?;
        let response = retry(|| self.transport.send(&attempt, &request)).await?;
        let check = Check { blob: blob.clone(), attempt, hash: Sha256::new(), count: 0 };
        Ok(checked(self.transport.stream(response), check))
    }

    /// Uploads a file of exactly the blob's size.
    ///
    /// # Errors
    /// When the registry does not take it, or says it stored something else.
    pub async fn put_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        file: &Path,
    ) -> Result<Sent, RegistryError> {
        self.upload(repository, blob, &Source::File(file.to_owned()), None).await
    }

    /// Uploads from a source, unless the registry can take it from another repository of its own.
    pub(super) async fn upload(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        source: &Source,
        mount: Option<&Repository>,
    ) -> Result<Sent, RegistryError> {
        let attempt = self.attempt(repository, format!("uploading blob {} to", blob.digest.short()));
        let mut rights = scope(repository.path(), "pull,push");
        if let Some(from) = mount {
            rights = format!("{rights} {}", scope(from.path(), "pull"));
        }
        retry(|| async {
            let Some(mut url) = self.start_upload(&attempt, repository, blob, mount, &rights).await? else {
                return Ok(Sent::Mounted);
            };
            url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
            let trouble = Trouble { attempt: attempt.clone(), seen: Arc::default() };
            let open = || source.open(blob, &trouble);
            let body = Body::Stream(blob.size, &open);
            let request = Request { method: Method::PUT, url, scope: rights.clone(), accept: None, body };
            match self.transport.send(&attempt, &request).await {
                Ok(response) => stored(&response, &blob.digest)
                    .map_err(|fault| RegistryError { attempt: attempt.clone(), fault })
                    .map(|()| Sent::Bytes(blob.size)),
                Err(error) => Err(trouble.take().unwrap_or(error)),
            }
        })
        .await
    }

    /// Opens an upload: where to send the bytes, or nothing where the registry mounted the blob.
    async fn start_upload(
        &self,
        attempt: &Attempt,
        repository: &Repository,
        blob: &Descriptor,
        mount: Option<&Repository>,
        rights: &str,
    ) -> Result<Option<Url>, RegistryError> {
        let fail = |fault| RegistryError { attempt: Box::new(attempt.clone()), fault };
        let mut url = self.url(attempt, repository, "blobs/uploads/")?;
        if let Some(from) = mount {
            url.query_pairs_mut().append_pair("mount", blob.digest.as_str()).append_pair("from", from.path());
        }
        let (method, scope) = (Method::POST, rights.to_owned());
        let request = Request { method, url, scope, accept: None, body: Body::None };
        let response = self.transport.send(attempt, &request).await?;
        match response.status() {
            StatusCode::CREATED => Ok(None),
            StatusCode::ACCEPTED => self.upload_location(&response, &request.url).map(Some).map_err(fail),
            other => Err(fail(Fault::Protocol(format!("status {other} for the start of an upload")))),
        }
    }

    fn upload_location(&self, response: &Response, asked: &Url) -> Result<Url, Fault> {
        let given = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(mut url) = given.and_then(|given| asked.join(given).ok()) else {
            return Err(Fault::Protocol("no address to upload to".into()));
        };
        // A registry behind a proxy may not know that it is spoken to by https: content does not go down to http.
        if self.transport.base.scheme() == "https" && url.scheme() == "http" {
            let upgraded = url.host() == asked.host() && url.set_scheme("https").is_ok();
            if !upgraded {
                return Err(Fault::Protocol("the address to upload to is not encrypted".into()));
            }
        }
        match url.scheme() {
            "http" | "https" => Ok(url),
            _ => Err(Fault::Protocol("the address to upload to is none".into())),
        }
    }

    fn blob_request(
        &self,
        attempt: &Attempt,
        repository: &Repository,
        digest: &Digest,
        method: Method,
    ) -> Result<Request<'static>, RegistryError> {
        let url = self.url(attempt, repository, &format!("blobs/{digest}"))?;
        Ok(Request { method, url, scope: scope(repository.path(), "pull"), accept: None, body: Body::None })
    }
}

/// What the registry says it stored.
fn stored(response: &Response, digest: &Digest) -> Result<(), Fault> {
    if response.status() != StatusCode::CREATED {
        return Err(Fault::Protocol(format!("status {} for an upload", response.status())));
    }
    match response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()) {
        Some(claimed) if claimed.starts_with("sha256:") && claimed != digest.as_str() => {
            Err(Fault::Protocol(format!("it stored other content than was sent as {digest}")))
        }
        _ => Ok(()),
    }
}

/// What a blob's stream has to be in the end.
struct Check {
    blob: Descriptor,
    attempt: Box<Attempt>,
    hash: Sha256,
    count: u64,
}

impl Check {
    fn take(&mut self, chunk: &Bytes) -> Result<(), RegistryError> {
        self.hash.update(chunk);
        self.count += chunk.len() as u64;
        if self.count > self.blob.size {
            return Err(self.wrong(format!("more than the {} bytes of blob {}", self.blob.size, self.blob.digest)));
        }
        Ok(())
    }

    fn end(self) -> Result<(), RegistryError> {
        let found = Digest::from_sha256(&self.hash.clone().finalize());
        if found == self.blob.digest && self.count == self.blob.size {
            return Ok(());
        }
        Err(self.wrong(format!("{} bytes with digest {found} for blob {}", self.count, self.blob.digest)))
    }

    fn wrong(&self, why: String) -> RegistryError {
        RegistryError { attempt: self.attempt.clone(), fault: Fault::Protocol(why) }
    }
}

/// A stream that fails at its end, or as soon as it is too long, where it is not the blob.
fn checked(
    stream: impl Stream<Item = Result<Bytes, Fault>> + Send + 'static,
    check: Check,
) -> impl Stream<Item = Result<Bytes, RegistryError>> + Send {
    futures::stream::try_unfold((stream.boxed(), check), async |(mut stream, mut check)| match stream.next().await {
        Some(Ok(chunk)) => {
            check.take(&chunk)?;
            Ok(Some((chunk, (stream, check))))
        }
        Some(Err(fault)) => Err(RegistryError { attempt: check.attempt, fault }),
        None => check.end().map(|()| None),
    })
}

impl Source {
    /// The bytes, from the start. Whatever goes wrong is left in `trouble`, too.
    fn open(&self, blob: &Descriptor, trouble: &Trouble) -> ByteStream {
        let (blob, trouble) = (blob.clone(), trouble.clone());
        match self.clone() {
            Self::File(path) => {
                let open = tokio::fs::File::open(path.clone()).map_ok(|file| ReaderStream::with_capacity(file, CHUNK));
                futures::stream::once(open).try_flatten().map_err(move |error| trouble.file(&path, &error)).boxed()
            }
            Self::Bytes(bytes) => futures::stream::once(async { Ok(bytes) }).boxed(),
            Self::Repository(from, repository) => {
                let open = async move { from.get_blob(&repository, &blob).await };
                futures::stream::once(open).try_flatten().map_err(move |error| trouble.put(error)).boxed()
            }
        }
    }
}

impl Trouble {
    fn put(&self, error: RegistryError) -> io::Error {
        let text = error.to_string();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        io::Error::other(text)
    }

    fn file(&self, path: &Path, error: &io::Error) -> io::Error {
        let fault = Fault::Local(format!("{}: {error}", path.display()));
        self.put(RegistryError { attempt: self.attempt.clone(), fault })
    }

    fn take(&self) -> Option<RegistryError> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
