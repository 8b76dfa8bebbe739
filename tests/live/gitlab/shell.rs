//! The shell executor: what a job reads, leaves behind, and hands on.

use super::Project;
use crate::support::outputs;

const DOCKERFILE: &str = "FROM busybox\nCOPY hello.txt /hello.txt\nRUN cat /hello.txt\n";

const BUILDKITD: &str = "backend: buildkitd
      buildkit-host: $TB_HOST
      buildkit-certs: $TB_CERTS
      git-depth: 0";

#[test]
fn an_image_is_published_and_later_jobs_know_it() {
    let project = Project::on_buildkitd(DOCKERFILE).pipeline(&format!(
        "include:
  - component: @build
    inputs:
      {BUILDKITD}
      tags: |
        {{registry}}/live/{{id}}:1.0
        {{registry}}/live/$CI_PROJECT_NAME:$CI_COMMIT_REF_SLUG
deploy:
  stage: deploy
  script:
    - echo \"deploys $STAGEFREIGHT_IMAGE\"
    - echo \"tagged $STAGEFREIGHT_IMAGE_TAGS\"
"
    ));
    project.run().succeeds();
    let (registry, repository) = (project.registry(), project.repository());
    assert_eq!(registry.tags(&repository), ["1.0", "main"]);
    let digest = registry.digest(&repository, "1.0");
    let image = format!("{}/{repository}@{digest}", registry.host);
    let log = project.log("deploy");
    assert!(log.contains(&format!("deploys {image}")), "{log}");
    let tags = ["1.0", "main"].map(|tag| format!("{}/{repository}:{tag}", registry.host)).join(",");
    assert!(log.contains(&format!("tagged {tags}")), "{log}");

    let result = project.document("build-image", "result.json");
    assert_eq!((&result["status"], &result["context"]["forge"]), (&"success".into(), &"gitlab".into()));
    assert_eq!(result["context"]["repository"], format!("live/{}", project.sandbox.id));
    assert_eq!(result["builds"][0]["digest"], digest);
    let dotenv = project.artifact("build-image", ".gitlab-ci-reports/dotenv/.stagefreight/outputs.env");
    assert_eq!(outputs::dotenv(&dotenv)["STAGEFREIGHT_DIGEST"], digest);
    let quality = project.document("build-image", "codequality.json");
    assert_eq!(quality, serde_json::json!([]));
    assert!(project.document("build-image", "annotations.json").is_object());
    let pulled = registry.config(&repository, &digest);
    assert_eq!(
        pulled["config"]["Labels"]["org.opencontainers.image.revision"],
        project.sandbox.git(&["rev-parse", "HEAD"])
    );
    project.sandbox.assert_no_secret();
}

#[test]
fn the_outputs_of_one_image_are_not_the_inputs_of_the_next() {
    let project = Project::on_buildkitd(DOCKERFILE)
        .file("second/Dockerfile", "FROM scratch\nCOPY hello.txt /second.txt\n")
        .pipeline(&format!(
            "include:
  - component: @build
    inputs:
      {BUILDKITD}
      tags: '{{registry}}/live/{{id}}:first'
  - component: @build
    inputs:
      job-name: second-image
      stage: test
      {BUILDKITD}
      file: second/Dockerfile
      tags: '{{registry}}/live/{{id}}:second'
"
        ));
    project.run().succeeds();
    let (registry, repository) = (project.registry(), project.repository());
    assert_eq!(registry.tags(&repository), ["first", "second"]);
    assert_ne!(registry.digest(&repository, "first"), registry.digest(&repository, "second"));
    assert!(project.log("second-image").contains(&format!("{repository}:second")));
}

#[test]
fn values_of_inputs_run_nothing() {
    let project = Project::on_buildkitd(DOCKERFILE).pipeline(&format!(
        r#"include:
  - component: @build
    inputs:
      {BUILDKITD}
      tags: '{{registry}}/live/{{id}}:1'
      labels: |
        quotes=it's "quoted"; touch pwned-a
        substitution=`touch pwned-b`$(touch pwned-c)
        dollars=costs 5$$ and $$HOME
        "lines=one
        two"
        include=$[[ inputs.tags ]] \n \\ && touch pwned-d #
      build-args: |
        A=' ; touch pwned-e ; '
"#
    ));
    project.run().succeeds();
    let config = project.registry().config(&project.repository(), "1");
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["quotes"], "it's \"quoted\"; touch pwned-a");
    assert_eq!(labels["substitution"], "`touch pwned-b`$(touch pwned-c)");
    assert_eq!(labels["dollars"], "costs 5$ and $HOME");
    assert_eq!(labels["lines"], "one\ntwo");
    assert_eq!(labels["include"], "$[[ inputs.tags ]] \\n \\\\ && touch pwned-d #");
    let left =
        std::process::Command::new("find").arg(project.sandbox.path()).args(["-name", "pwned*"]).output().unwrap();
    assert_eq!(String::from_utf8(left.stdout).unwrap(), "");
}

#[test]
fn a_build_that_fails_ends_the_pipeline_red_with_the_line() {
    let project = Project::on_buildkitd(DOCKERFILE)
        .file("Dockerfile", "FROM busybox\n\nRUN echo before && cat /no-such-file\n")
        .pipeline(&format!(
            "include:
  - component: @build
    inputs:
      {BUILDKITD}
      tags: '{{registry}}/live/{{id}}:1'
deploy:
  stage: deploy
  script: [touch deployed]
"
        ));
    let run = project.run().exits(1);
    run.says(&["FAIL", "build-image"]);
    assert_eq!(project.registry().tags(&project.repository()), [""; 0]);
    assert_eq!(project.document("build-image", "result.json")["status"], "failure");
    let quality = project.document("build-image", "codequality.json");
    let entries = quality.as_array().unwrap();
    assert!(!entries.is_empty());
    for entry in entries {
        for key in ["description", "fingerprint", "severity"] {
            assert!(entry[key].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
        }
    }
    let place =
        |entry: &serde_json::Value| (entry["location"]["path"].clone(), entry["location"]["lines"]["begin"].clone());
    assert!(entries.iter().any(|entry| place(entry) == ("Dockerfile".into(), 3.into())), "{quality}");
    assert!(!project.sandbox.workspace().join(".gitlab-ci-local/output/deploy.log").exists(), "the pipeline went on");
}

#[test]
fn what_is_not_to_be_pushed_is_not() {
    let project = Project::on_buildkitd(DOCKERFILE).pipeline(&format!(
        "include:
  - component: @build
    inputs:
      {BUILDKITD}
      push: false
      tags: '{{registry}}/live/{{id}}:1'
"
    ));
    project.run().succeeds();
    assert_eq!(project.registry().tags(&project.repository()), [""; 0]);
    assert_eq!(project.document("build-image", "result.json")["builds"][0]["state"], "done");
}

#[test]
fn old_tags_go_on_a_schedule() {
    let config = |keep: &str| {
        format!(
            "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: ci, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: ['{{version}}']{keep}}}
"
        )
    };
    let mut project = Project::on_buildkitd(DOCKERFILE).file(".stagefreight.yml", &config(""));
    for (day, version) in ["1.0.0", "1.0.1", "1.0.2"].iter().enumerate() {
        let date = format!("2024-05-{:02}T00:00:00Z", day + 1);
        project.sandbox.write("hello.txt", version);
        project.sandbox.git(&["add", "--all"]);
        project.sandbox.git(&["commit", "--quiet", "--message", version, &format!("--date={date}")]);
        project.sandbox.git(&["tag", &format!("v{version}")]);
        project.sandbox = project.sandbox.buildkitd();
        project.sandbox.run(&["run", "--annotation", &format!("org.opencontainers.image.created={date}")]).succeeds();
    }
    assert_eq!(project.registry().tags(&project.repository()), ["1.0.0", "1.0.1", "1.0.2"]);
    let mode = |mode: &str| {
        format!(
            "include:\n  - component: @cleanup\n    inputs: {{targets: ci, mode: {mode}}}\nother: {{script: [echo other]}}\n"
        )
    };
    let project = project
        .file(".stagefreight.yml", &config(", retention: {keep_last: 1}"))
        .pipeline(&mode("plan"))
        .variable("GCL", "1");
    // Not in other pipelines.
    let run = project.run().succeeds();
    assert!(!run.stdout.contains("cleanup-images"), "{}", run.stdout);
    let scheduled = project.variable("CI_PIPELINE_SOURCE", "schedule");
    let options = ["--ignore-predefined-vars", "CI_PIPELINE_SOURCE"];
    scheduled.call(&options).succeeds();
    assert!(scheduled.log("cleanup-images").contains("1.0.0"));
    assert_eq!(scheduled.registry().tags(&scheduled.repository()).len(), 3, "a plan deletes nothing");
    let scheduled = scheduled.pipeline(&mode("apply"));
    scheduled.call(&options).succeeds();
    assert_eq!(scheduled.registry().tags(&scheduled.repository()), ["1.0.2"]);
}
