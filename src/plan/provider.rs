//! Kinds of registries, told by the config or by the host.

use super::Provider;
use crate::config::model::RegistryProvider;

/// The kind the config names; `None` for `local`, which is no registry.
pub(crate) fn named(provider: RegistryProvider) -> Option<Provider> {
    Some(match provider {
        RegistryProvider::Docker => Provider::DockerHub,
        RegistryProvider::Ghcr => Provider::Ghcr,
        RegistryProvider::Gitlab => Provider::GitLab,
        RegistryProvider::Jfrog => Provider::Jfrog,
        RegistryProvider::Harbor => Provider::Harbor,
        RegistryProvider::Quay => Provider::Quay,
        RegistryProvider::Gitea => Provider::Gitea,
        RegistryProvider::Generic => Provider::Generic,
        RegistryProvider::Local => return None,
    })
}

/// The host of a kind that has only one.
pub(crate) fn only_host(provider: RegistryProvider) -> Option<&'static str> {
    match provider {
        RegistryProvider::Docker => Some("docker.io"),
        RegistryProvider::Ghcr => Some("ghcr.io"),
        RegistryProvider::Quay => Some("quay.io"),
        _ => None,
    }
}

/// The kind a host tells; the port is no part of it.
pub(crate) fn of_host(host: &str) -> Provider {
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    let has = |part: &str| host.contains(part);
    match host.as_str() {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => Provider::DockerHub,
        "ghcr.io" => Provider::Ghcr,
        "quay.io" => Provider::Quay,
        _ if has(".dkr.ecr.") || host == "public.ecr.aws" => Provider::Ecr,
        _ if host.ends_with(".pkg.dev") => Provider::Gar,
        _ if host.ends_with(".azurecr.io") || host.ends_with(".azurecr.cn") => Provider::Acr,
        _ if has("gitlab") => Provider::GitLab,
        _ if has("jfrog") || has("artifactory") || host.split('.').any(|part| part == "jcr") => Provider::Jfrog,
        _ if has("harbor") => Provider::Harbor,
        _ if has("gitea") || has("forgejo") || host == "codeberg.org" => Provider::Gitea,
        _ => Provider::Generic,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("docker.io", Provider::DockerHub)]
    #[case("ghcr.io", Provider::Ghcr)]
    #[case("quay.io", Provider::Quay)]
    #[case("registry.gitlab.com", Provider::GitLab)]
    #[case("gitlab.example.com:5050", Provider::GitLab)]
    #[case("acme.jfrog.io", Provider::Jfrog)]
    #[case("artifactory.example.com", Provider::Jfrog)]
    #[case("jcr.example.com", Provider::Jfrog)]
    #[case("HARBOR.example.com", Provider::Harbor)]
    #[case("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Provider::Ecr)]
    #[case("europe-docker.pkg.dev", Provider::Gar)]
    #[case("acme.azurecr.io", Provider::Acr)]
    #[case("codeberg.org", Provider::Gitea)]
    #[case("ghcr.io.example.com", Provider::Generic)]
    #[case("localhost:5000", Provider::Generic)]
    #[case("[::1]:5000", Provider::Generic)]
    fn hosts_tell_their_kind(#[case] host: &str, #[case] provider: Provider) {
        assert_eq!(of_host(host), provider);
    }
}
