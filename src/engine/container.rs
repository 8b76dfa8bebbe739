//! One container of ours in the engine: made, given files, run to its end, read, removed. Whoever makes one removes it.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptions, LogsOptions, RemoveContainerOptions,
    UploadToContainerOptions, WaitContainerOptions,
};
use futures::TryStreamExt as _;

use super::{Engine, REQUEST, first_line, innermost, piped};
use crate::problem::Problem;

/// How long removing a container may take: a checkout in it is removed file by file, and the image it was made of only after it.
const REMOVAL: Duration = Duration::from_secs(120);

/// A container to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Image it is made of, which the engine has.
    pub image: String,
    /// The program, absolute in the image.
    pub program: String,
    /// Its arguments. Never a secret.
    pub args: Vec<String>,
    /// More environment, `NAME=value`: the engine shows it to everybody, so never a secret.
    pub env: Vec<String>,
    /// Where it runs; `/` if empty.
    pub cwd: String,
    /// It runs in the network of the engine's machine; otherwise in none.
    pub host_network: bool,
    /// What it sees of the engine's machine: path there, path in the container.
    pub binds: Vec<(String, String)>,
    /// Names it finds, `name:address`.
    pub hosts: Vec<String>,
}

/// Where a container printed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Container {
    fn body(&self) -> ContainerCreateBody {
        let network = if self.host_network { "host" } else { "none" };
        // The log is read back through the engine, whatever it does with logs otherwise.
        let log = HostConfigLogConfig { typ: Some("json-file".to_owned()), config: None };
        ContainerCreateBody {
            image: Some(self.image.clone()),
            entrypoint: Some(vec![self.program.clone()]),
            cmd: Some(self.args.clone()),
            env: Some(self.env.clone()),
            user: Some("0:0".to_owned()),
            working_dir: (!self.cwd.is_empty()).then(|| self.cwd.clone()),
            host_config: Some(HostConfig {
                network_mode: Some(network.to_owned()),
                mounts: Some(self.binds.iter().map(|(from, to)| bind(from, to)).collect()),
                extra_hosts: Some(self.hosts.clone()),
                log_config: Some(log),
                init: Some(true),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

/// A mount, which unlike a `bind` makes no directory where nothing is.
fn bind(from: &str, to: &str) -> Mount {
    let (source, target) = (Some(from.to_owned()), Some(to.to_owned()));
    Mount { typ: Some(MountType::BIND), source, target, ..Mount::default() }
}

impl Engine {
    /// Makes a container. It does not run yet.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn create(&self, container: &Container) -> Result<(), Problem> {
        let options = CreateContainerOptions { name: Some(container.name.clone()), ..Default::default() };
        let made = tokio::time::timeout(REQUEST, self.client.create_container(Some(options), container.body())).await;
        made.map_err(|_| refused("made", "no answer"))?.map(drop).map_err(|e| refused("made", &innermost(&e)))
    }

    /// Puts files into a container: `write` writes them as a tar archive with paths from the root, on a thread of its own.
    ///
    /// # Errors
    /// When the archive cannot be written, or the engine does not take it.
    pub async fn upload<E: std::fmt::Display + Send + 'static>(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn std::io::Write) -> Result<(), E> + Send + 'static,
    ) -> Result<(), Problem> {
        let (writer, body) = piped(write);
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let taken = self.client.upload_to_container(name, Some(options), bollard::body_try_stream(body)).await;
        let written = writer.await.map_err(|e| e.to_string()).and_then(|written| written);
        // An engine that refuses breaks the pipe: its reason is the better one.
        taken.map_err(|e| refused("given files", &innermost(&e)))?;
        written.map_err(|why| refused("given files", &why))
    }

    /// Runs a container to its end, handing over what it prints as it comes. Returns its exit code.
    ///
    /// # Errors
    /// When the engine does not start it, or contact is lost.
    pub async fn run_to_end<F>(&self, name: &str, mut sink: F) -> Result<i64, Problem>
    where
        F: AsyncFnMut(Stream, &[u8]),
    {
        let lost = |e: Error| refused("followed", &innermost(&e));
        let started = tokio::time::timeout(REQUEST, self.client.start_container(name, None)).await;
        started.map_err(|_| refused("started", "no answer"))?.map_err(|e| refused("started", &innermost(&e)))?;
        let options =
            LogsOptions { follow: true, stdout: true, stderr: true, tail: "all".to_owned(), ..Default::default() };
        let mut log = std::pin::pin!(self.client.logs(name, Some(options)));
        while let Some(piece) = log.try_next().await.map_err(lost)? {
            match piece {
                bollard::container::LogOutput::StdErr { message } => sink(Stream::Err, &message).await,
                other => sink(Stream::Out, other.as_ref()).await,
            }
        }
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut ended = std::pin::pin!(self.client.wait_container(name, Some(options)));
        match ended.try_next().await {
            Ok(Some(answer)) => Ok(answer.status_code),
            Ok(None) => Err(refused("followed", "the engine does not tell how it ended")),
            Err(Error::DockerContainerWaitError { code, .. }) => Ok(code),
            Err(error) => Err(lost(error)),
        }
    }

    /// A file out of a container, as the tar archive the engine sends, cut at `limit` bytes. `None` where there is no such file.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn download(&self, name: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Problem> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let mut stream = std::pin::pin!(self.client.download_from_container(name, Some(options)));
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            match tokio::time::timeout(REQUEST, stream.try_next()).await.map_err(|_| refused("read", "no answer"))? {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(limit - bytes.len())]),
                Ok(None) => break,
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
                Err(error) => return Err(refused("read", &innermost(&error))),
            }
        }
        Ok(Some(bytes))
    }

    /// Ends and removes a container and its anonymous volumes. Absent is fine.
    pub async fn remove(&self, name: &str) {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        // Best effort: it is called on every way out, and the way out is told of in its own right.
        let _ = tokio::time::timeout(REMOVAL, self.client.remove_container(name, Some(options))).await;
    }
}

fn refused(what: &str, why: &str) -> Problem {
    Problem::new(format!("the container for the second pass cannot be {what}: {}", first_line(why)))
        .hint("check the docker engine and the space it has left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_gets_a_network_only_when_it_is_meant_to() {
        let lonely =
            Container { image: "i".into(), program: "/p".into(), args: vec!["a".into()], ..Default::default() };
        let body = lonely.body();
        assert_eq!(
            (body.entrypoint.as_deref(), body.cmd.as_deref()),
            (Some(&["/p".to_owned()][..]), Some(&["a".to_owned()][..]))
        );
        let host = body.host_config.unwrap();
        assert_eq!(
            (host.network_mode.as_deref(), host.privileged, host.mounts),
            (Some("none"), None, Some(Vec::new()))
        );
        let body = Container { host_network: true, ..lonely }.body();
        assert_eq!(body.host_config.unwrap().network_mode.as_deref(), Some("host"));
    }
}
