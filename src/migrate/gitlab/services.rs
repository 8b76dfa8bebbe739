//! Services of a job. Docker's engine is the component's, and what a service was told beside its name is not carried over.

use super::super::yaml;
use super::SETTINGS;
use crate::config::load::tree::Node;

/// What of the services is worth a word.
#[derive(Debug, Default)]
pub(super) struct Services {
    /// The image of docker's engine, where it comes from elsewhere than Docker Hub.
    pub(super) engine: Option<String>,
    pub(super) lost: Vec<(usize, String, String)>,
}

/// Reads the job's services. `engine`: the component brings docker's, in place also of those that all jobs have.
pub(super) fn read(root: &Node, job: &Node, engine: bool) -> Services {
    let of_all = || {
        let default = yaml::get(root, "default").and_then(|default| yaml::get(default, "services"));
        default.or_else(|| yaml::get(root, "services")).filter(|_| engine)
    };
    let mut found = Services::default();
    for service in yaml::get(job, "services").or_else(of_all).map(yaml::items).unwrap_or_default() {
        let name = yaml::text(service).or_else(|| yaml::get(service, "name").and_then(yaml::text)).unwrap_or_default();
        let (from, last) = name.rsplit_once('/').unwrap_or(("", name));
        if !(last.starts_with("docker:") && last.contains("dind")) {
            found.lost.push((
                service.place.line,
                format!(
                    "the service `{name}` is not carried over: beside the component's job runs docker's engine alone"
                ),
                "move what needs it into a job of its own".to_owned(),
            ));
            continue;
        }
        if engine && !["", "library", "docker.io", "docker.io/library"].contains(&from) {
            found.engine = Some(name.to_owned());
        }
        for (key, value) in yaml::entries(service) {
            let told = match key.name.as_str() {
                "name" => false,
                "alias" => yaml::text(value) != Some("docker"),
                "variables" => !yaml::entries(value).iter().all(|(key, _)| SETTINGS.contains(&key.name.as_str())),
                _ => true,
            };
            if told {
                let what = format!("`{}` of the service `{name}` is not carried over", key.name);
                found.lost.push((key.place.line, what, cure(&key.name)));
            }
        }
    }
    found
}

/// Where the same is said, but for writing the service again.
fn cure(key: &str) -> String {
    let elsewhere = match key {
        "command" => {
            "mirrors go to `registries: {docker.io: {mirrors: [HOST]}}` in .stagefreight.yml, other options to a daemon.json that the runner mounts at /etc/docker/daemon.json"
        }
        "entrypoint" => "an image that starts so by itself can be named by the input `dind-image`",
        "alias" => "nothing, where docker alone went by that name: the component's engine is `docker`",
        _ => "look whether the engine needs it",
    };
    format!("{elsewhere}; or give the job these `services` again, with `alias: docker`")
}
