//! A BuildKit container made by us, as buildx's `docker-container` driver would make it (docker/buildx
//! driver/docker-container/driver.go), so that buildx finds it by its name and neither makes nor pulls one. It outlives the run:
//! the next one uses it again.

use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, RestartPolicy, RestartPolicyNameEnum, SystemInfoCgroupDriverEnum,
};
use bollard::query_parameters::{CreateContainerOptions, RenameContainerOptions};

use super::{Engine, REQUEST, innermost};
use crate::problem::Problem;

/// Where BuildKit keeps what it has built.
const STATE: &str = "/var/lib/buildkit";
/// Where its configuration lies in the container.
pub const CONFIG: &str = "/etc/buildkit/buildkitd.toml";

/// The container to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sidecar {
    /// Its name, `buildx_buildkit_<builder>0`.
    pub name: String,
    /// Id of its image, which the engine has.
    pub image: String,
    /// Environment of the daemon, `NAME=value`.
    pub env: Vec<String>,
    /// It runs in the network of the engine's machine.
    pub host_network: bool,
    /// It is given a configuration.
    pub configured: bool,
}

impl Sidecar {
    fn body(&self, cgroupfs: bool, remapped: bool) -> ContainerCreateBody {
        let config = self.configured.then(|| ["--config".to_owned(), CONFIG.to_owned()]).into_iter().flatten();
        let state = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(format!("{}_state", self.name)),
            target: Some(STATE.to_owned()),
            ..Mount::default()
        };
        ContainerCreateBody {
            image: Some(self.image.clone()),
            entrypoint: Some(vec!["buildkitd".to_owned()]),
            // What buildx adds for every container of its own.
            cmd: Some(config.chain(["--allow-insecure-entitlement=network.host".to_owned()]).collect()),
            env: Some(self.env.clone()),
            user: Some("0:0".to_owned()),
            working_dir: Some("/".to_owned()),
            host_config: Some(HostConfig {
                privileged: Some(true),
                init: Some(true),
                network_mode: self.host_network.then(|| "host".to_owned()),
                mounts: Some(vec![state]),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                    maximum_retry_count: None,
                }),
                cgroup_parent: cgroupfs.then(|| "/docker/buildx".to_owned()),
                userns_mode: remapped.then(|| "host".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

impl Engine {
    /// Makes the container, unless another run makes it at the same moment: then that one is as good. It does not run yet; buildx
    /// starts it. It gets its name only when its files are in it, so that nobody starts it without them.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn make_sidecar<E: std::fmt::Display + Send + 'static>(
        &self,
        sidecar: &Sidecar,
        files: impl FnOnce(&mut dyn std::io::Write) -> Result<(), E> + Send + 'static,
    ) -> Result<(), Problem> {
        let info = self.client.info().await.map_err(|e| refused(&innermost(&e)))?;
        let cgroupfs = info.cgroup_driver == Some(SystemInfoCgroupDriverEnum::CGROUPFS);
        let remapped = info.security_options.unwrap_or_default().iter().any(|option| option.starts_with("name=userns"));
        let working = format!("{}_{:08x}", sidecar.name, rand::random::<u32>());
        let options = CreateContainerOptions { name: Some(working.clone()), ..Default::default() };
        let body = sidecar.body(cgroupfs, remapped);
        let made = tokio::time::timeout(REQUEST, self.client.create_container(Some(options), body)).await;
        made.map_err(|_| refused("no answer"))?.map_err(|e| refused(&innermost(&e)))?;
        let named = async {
            self.upload(&working, files).await?;
            let options = RenameContainerOptions { name: sidecar.name.clone() };
            match self.client.rename_container(&working, options).await {
                Ok(()) => Ok(true),
                Err(Error::DockerResponseServerError { status_code: 409, .. }) => Ok(false),
                Err(error) => Err(refused(&innermost(&error))),
            }
        };
        let named = named.await;
        if !matches!(named, Ok(true)) {
            self.remove(&working).await;
        }
        named.map(drop)
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(format!("the BuildKit container cannot be made of our own image: {}", super::first_line(why)))
        .hint("check that the engine may run privileged containers, or name another image in build_cache.builder.image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_as_buildx_would_make_it() {
        let sidecar = Sidecar { name: "buildx_buildkit_b0".into(), image: "sha256:1".into(), ..Sidecar::default() };
        let body = sidecar.body(false, false);
        assert_eq!(body.cmd.unwrap(), ["--allow-insecure-entitlement=network.host"]);
        let host = body.host_config.unwrap();
        assert_eq!(
            (host.privileged, host.init, host.network_mode, host.cgroup_parent),
            (Some(true), Some(true), None, None)
        );
        let mounts = host.mounts.unwrap();
        assert_eq!(mounts[0].source.as_deref(), Some("buildx_buildkit_b0_state"));
        assert_eq!(mounts[0].target.as_deref(), Some("/var/lib/buildkit"));
        let body = Sidecar { configured: true, host_network: true, ..sidecar }.body(true, true);
        assert_eq!(body.cmd.unwrap()[..2], ["--config", "/etc/buildkit/buildkitd.toml"]);
        let host = body.host_config.unwrap();
        assert_eq!(
            (host.network_mode.as_deref(), host.cgroup_parent.as_deref(), host.userns_mode.as_deref()),
            (Some("host"), Some("/docker/buildx"), Some("host"))
        );
    }
}
