//! `pipeline`, and `build` with `merge`: a job for each platform, and one that joins what they built.

use super::Project;

const DOCKERFILE: &str = "FROM busybox\nCOPY hello.txt /hello.txt\nRUN cat /hello.txt && uname -m > /machine\n";

const BUILDKITD: &str = "backend: buildkitd
      buildkit-host: $TB_HOST
      buildkit-certs: $TB_CERTS
      platforms: linux/amd64,linux/arm64";

/// Both platforms stand in one index, under the tag and under the digest that later jobs know.
fn is_one_image(project: &Project, tag: &str, last: &str) {
    let (registry, repository) = (project.registry(), project.repository());
    let index = registry.manifest(&repository, tag).unwrap();
    let platforms: Vec<_> = index.body["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|manifest| manifest["platform"]["architecture"].as_str().unwrap())
        .filter(|architecture| *architecture != "unknown")
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"], "{}", index.body);
    let log = project.log("deploy");
    assert!(log.contains(&format!("deploys {}/{repository}@{}", registry.host, index.digest)), "{log}");
    assert_eq!(project.document(last, "result.json")["builds"][0]["digest"], index.digest);
}

const DEPLOY: &str = "deploy:
  stage: deploy
  script: ['echo \"deploys $STAGEFREIGHT_IMAGE\"']
";

/// A leg for each platform, in the component that chains them all.
fn in_a_pipeline(dockerfile: &str) -> Project {
    Project::on_buildkitd(dockerfile).pipeline(&format!(
        "include:
  - component: @pipeline
    inputs:
      {BUILDKITD}
      tags: '{{registry}}/live/{{id}}:1'
      legs:
        - {{STAGEFREIGHT_PLATFORM_LEG: linux/amd64, STAGEFREIGHT_RUNNER_TAG: x86}}
        - {{STAGEFREIGHT_PLATFORM_LEG: linux/arm64, STAGEFREIGHT_RUNNER_TAG: arm}}
{DEPLOY}"
    ))
}

#[test]
fn a_pipeline_builds_each_platform_in_a_job_of_its_own() {
    let project = in_a_pipeline(DOCKERFILE);
    let run = project.run().succeeds();
    run.says(&["build-image-leg: [linux/amd64,x86]", "build-image-leg: [linux/arm64,arm]"]);
    is_one_image(&project, "1", "build-image");
    assert_eq!(project.registry().tags(&project.repository()), ["1"], "legs put no tags");
}

#[test]
fn legs_by_hand_are_joined() {
    let leg = |name: &str| {
        format!(
            "  - component: @build
    inputs:
      job-name: build-{name}
      platform-leg: linux/{name}
      {BUILDKITD}
      tags: '{{registry}}/live/{{id}}:1'
"
        )
    };
    let project = Project::on_buildkitd(DOCKERFILE).pipeline(&format!(
        "include:
{}{}  - component: @merge
    inputs:
      legs: [build-amd64, build-arm64]
      platforms: linux/amd64,linux/arm64
      tags: '{{registry}}/live/{{id}}:1'
{DEPLOY}  needs: [merge-image]
",
        leg("amd64"),
        leg("arm64")
    ));
    project.run().succeeds();
    is_one_image(&project, "1", "merge-image");
}

#[test]
fn a_leg_that_fails_leaves_nothing_published() {
    let text = DOCKERFILE.replace("uname -m > /machine", "uname -m | grep x86");
    let project = in_a_pipeline(&text);
    let run = project.run().exits(1);
    run.says(&["FAIL", "build-image-leg: [linux/arm64,arm]"]);
    assert_eq!(project.registry().tags(&project.repository()), [""; 0]);
}
