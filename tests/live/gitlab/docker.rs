//! The docker executor: the jobs run in our own image, as on most runners, with each backend that the component offers.

use super::{Project, docker_in_docker};
use crate::support::act::OurImage;
use crate::support::{Counter, Engine};

/// What a runner allows with `security_opt`, and nothing more.
const NAMESPACES: [&str; 2] = ["--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"];

fn project() -> Project {
    Project::new()
        .file("Dockerfile", "FROM busybox\nCOPY hello.txt /hello.txt\nRUN cat /hello.txt\n")
        .file("hello.txt", "{id}")
}

/// A configuration for a BuildKit that the run starts itself: where images and the testbed's registry are.
fn config(registry: &str) -> String {
    format!(
        "version: 1
registries: {{docker.io: {{mirrors: ['{registry}']}}, '{registry}': {{http: true}}}}
builds:
  - {{id: app, kind: docker}}
"
    )
}

/// A pipeline with a job behind the image's that sees what it left.
fn pipeline(inputs: &str) -> String {
    pipeline_to("{registry}", inputs)
}

/// The same, which publishes to the testbed's registry under another address of it.
fn pipeline_to(registry: &str, inputs: &str) -> String {
    let image = &OurImage::get().by_digest;
    format!(
        "include:
  - component: @build
    inputs:
      image: {image}
      tags: '{registry}/live/{{id}}:1'
      {inputs}
deploy:
  stage: deploy
  image: '{{registry}}/library/busybox'
  script:
    - echo \"deploys $STAGEFREIGHT_IMAGE\"
"
    )
}

fn is_published(project: &Project) {
    is_published_to(&project.registry().host, project);
}

fn is_published_to(host: &str, project: &Project) {
    let (registry, repository) = (project.registry(), project.repository());
    let digest = registry.digest(&repository, "1");
    let log = project.log("deploy");
    assert!(log.contains(&format!("deploys {host}/{repository}@{digest}")), "{log}");
    let result = project.document("build-image", "result.json");
    assert_eq!((&result["status"], &result["context"]["forge"]), (&"success".into(), &"gitlab".into()));
    assert_eq!(project.document("build-image", "codequality.json"), serde_json::json!([]));
    assert!(registry.config(&repository, "1").is_object());
}

#[test]
fn in_our_image_with_a_buildkit_daemon() {
    let project = project();
    let text = pipeline("backend: buildkitd\n      buildkit-host: $TB_HOST");
    let certs = format!("{}:/buildkit-certs:ro", project.sandbox.testbed.buildkit_certs.display());
    let host = project.sandbox.testbed.buildkit_host.clone();
    let project = project.pipeline(&text).in_containers(&[&certs]).variable("TB_HOST", &host);
    project.run().succeeds();
    is_published(&project);
    project.sandbox.assert_no_secret();
}

#[test]
fn in_our_image_with_the_runners_docker_socket() {
    // What builds is a container of the engine, which knows no mirror.
    let project = project().file("Dockerfile", "FROM scratch\nCOPY hello.txt /hello.txt\n");
    let text = pipeline("backend: runner");
    let socket = project.sandbox.testbed.docker_host.trim_start_matches("unix://").to_owned();
    let project = project.pipeline(&text).in_containers(&[&format!("{socket}:/run/docker.sock")]);
    project.run().succeeds();
    is_published(&project);
    // It is there for the next run, and here is none.
    let builder = &project.document("build-image", "result.json")["builder"]["name"];
    let engine = Engine::new(&project.sandbox.testbed.docker_host);
    engine.remove_builder(&format!("buildx_buildkit_{}0", builder.as_str().unwrap()));
}

/// The default. The engine is a service of the job that starts beside it, makes its own certificates, and has no image yet; the
/// registry is one that both reach over their network.
#[test]
fn in_our_image_with_docker_in_docker() {
    docker_in_docker();
    let project = project();
    let engine = Engine::new(&project.sandbox.testbed.docker_host);
    let registry = Counter::at(&engine.gateway(), &project.sandbox.testbed.registry).host;
    let beside = |name: &str| project.sandbox.path().join(name);
    let (certs, settings) = (beside("certs"), beside("daemon.json"));
    std::fs::create_dir(&certs).unwrap();
    let mirrors = serde_json::json!({"registry-mirrors": [format!("http://{registry}")]});
    std::fs::write(&settings, mirrors.to_string()).unwrap();
    let volumes =
        [format!("{}:/certs/client", certs.display()), format!("{}:/etc/docker/daemon.json:ro", settings.display())];
    let project = project
        .file(".stagefreight.yml", &config(&registry))
        .pipeline(&pipeline_to(&registry, "build-mode: crucible"))
        .in_privileged_containers(&volumes.each_ref().map(String::as_str));
    project.run().succeeds();
    is_published_to(&registry, &project);
    let log = project.log("build-image");
    assert!(log.contains("docker at tcp://docker:2376, driver docker-container, created"), "{log}");
    let proof = &project.document("build-image", "result.json")["builds"][0]["proof"];
    assert_eq!((&proof["trust"], &proof["passed"]), (&"reproducible".into(), &true.into()), "{proof}");
    engine.assert_no_services();
}

#[test]
fn in_our_image_with_buildkit_in_the_job_itself() {
    let text = pipeline("backend: rootless");
    let project = project().file(".stagefreight.yml", &config("{registry}")).pipeline(&text);
    let project = project.in_containers(&[]).made_with(&NAMESPACES);
    project.run().succeeds();
    is_published(&project);
    assert_eq!(project.document("build-image", "result.json")["builder"]["backend"], "rootless");
    let log = project.log("build-image");
    assert!(log.contains("rootless at unix://") && log.contains("started in this job"), "{log}");
}

#[test]
fn a_failing_build_is_red_here_too() {
    let project = project().file("Dockerfile", "FROM busybox\nRUN cat /no-such-file\n");
    let text = pipeline("backend: buildkitd\n      buildkit-host: $TB_HOST");
    let certs = format!("{}:/buildkit-certs:ro", project.sandbox.testbed.buildkit_certs.display());
    let host = project.sandbox.testbed.buildkit_host.clone();
    let project = project.pipeline(&text).in_containers(&[&certs]).variable("TB_HOST", &host);
    project.run().exits(1);
    let quality = project.document("build-image", "codequality.json");
    assert_eq!(quality[0]["location"]["path"], "Dockerfile", "{quality}");
    assert_eq!(quality[0]["location"]["lines"]["begin"], 2, "{quality}");
    assert_eq!(project.registry().tags(&project.repository()), [""; 0]);
}
