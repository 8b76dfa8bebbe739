//! The crucible on every builder: those that can prove an image do, the one that cannot says so.

use rstest::rstest;

use crate::support::Sandbox;

use super::backends::{CONTAINER, DOCKER};
use super::crucible::{assert_nothing_published, assert_published, project, proof, published, random, sound};

/// With this builder.
fn built_by(sandbox: Sandbox, builder: &str) -> Sandbox {
    let sandbox = published(sandbox, ", crucible: {min_trust: deterministic}");
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    sandbox.config(&format!("{config}{builder}"))
}

/// A sound image is proven and published, then one that is not is found out.
#[rstest]
#[case::a_buildkit_container("docker-container", built_by(sound(), CONTAINER).docker())]
#[case::an_engine_with_the_containerd_store("docker", built_by(sound(), DOCKER).containerd())]
fn on_an_engine(#[case] driver: &str, #[case] sandbox: Sandbox) {
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(sandbox.result()["builder"]["driver"], driver);
    assert_eq!(proof(&sandbox)["trust"], "reproducible");
    assert_published(&sandbox);
    sandbox.assert_tidy(&run);

    let other = std::fs::read_to_string(random().workspace().join("Dockerfile")).unwrap();
    let sandbox = sandbox.file("Dockerfile", &other);
    let run = sandbox.run(&["run"]).succeeds();
    let proof = proof(&sandbox);
    assert_eq!(proof["trust"], "deterministic", "{proof:#}");
    let layers = proof["culprits"]["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[0]["files"][0]["path"]), (1, &"/random".into()), "{proof:#}");
    assert_published(&sandbox);
    sandbox.assert_tidy(&run);
}

#[test]
fn an_engine_that_keeps_neither_times_nor_digests_is_refused_before_anything_is_built() {
    let never = project("RUN echo this is never run >&2; exit 1");
    let sandbox = built_by(never, DOCKER).docker();
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["cannot prove", "BuildKit container", "containerd image store"]).is_silent_about(&["RUN echo"]);
    let result = sandbox.result();
    assert_eq!(result["failure"]["kind"], "backend");
    assert_nothing_published(&sandbox);
    sandbox.assert_tidy(&run);
}

/// Loaded into an engine, it is the proven image: by its config where the store knows no manifests.
#[rstest]
#[case::overlay2(sound().buildkitd().docker(), false)]
#[case::the_containerd_store(sound().buildkitd().containerd(), true)]
fn what_is_loaded_is_what_was_proven(#[case] sandbox: Sandbox, #[case] keeps_manifests: bool) {
    let sandbox = published(sandbox, "");
    let tag = sandbox.fill("live/{id}:dev");
    let run = sandbox.run(&["run", "--local", "--tags", &tag]).succeeds();
    let result = sandbox.result();
    let build = &result["builds"][0];
    assert_eq!(build["proof"]["trust"], "reproducible");
    assert_eq!(build["loaded"], serde_json::json!([tag]));
    let image = sandbox.the_engine().image(&tag).expect("it is loaded");
    let proven = if keeps_manifests { &build["proof"]["passes"][1]["digest"] } else { &build["image_id"] };
    assert_eq!(&image["Id"], proven);
    assert_eq!(sandbox.registry().tags(&format!("live/{}", sandbox.id)), [""; 0]);
    sandbox.assert_tidy(&run);
}
