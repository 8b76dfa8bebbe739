//! Pipelines of GitLab: what a job says beside its script goes on to mean what it did.

use rstest::rstest;

use crate::support::{Repository, validate};

const LOGIN: &str = "docker login -u $CI_REGISTRY_USER -p $CI_REGISTRY_PASSWORD $CI_REGISTRY";

/// A pipeline with a job `img`, these lines before it and these in it: exit code, what was told, what was written.
fn migrated(before: &str, job: &str, login: &str) -> (i32, String, String) {
    let made = Repository::new(&[("Dockerfile", "FROM scratch\n")]);
    made.write(
        ".gitlab-ci.yml",
        &format!(
            "{before}img:\n{job}  script:\n    - {login}\n    - docker build -t $CI_REGISTRY_IMAGE:x .\n    - docker push $CI_REGISTRY_IMAGE:x\n"
        ),
    );
    let (code, out, err) = made.run(&["migrate", ".gitlab-ci.yml", "--write"]);
    if code < 2 {
        let schema = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", ".gitlab-ci.yml"];
        validate(&made.root(), "check-jsonschema", &schema);
    }
    (code, out + &err, made.read(".gitlab-ci.yml"))
}

/// The component for the job, with these inputs before its tags.
fn component(inputs: &str) -> String {
    format!(
        "include:\n  - component: $CI_SERVER_FQDN/stagefreight/action/build@1\n    inputs:\n      job-name: img\n{inputs}      tags: \"$CI_REGISTRY_IMAGE:x\"\n"
    )
}

const NO_MERGE_REQUESTS: &str = "        - if: $CI_PIPELINE_SOURCE == \"merge_request_event\"\n          when: never\n";

#[rstest]
#[case::manual("  when: manual\n", "        - when: manual\n          allow_failure: true\n", "  stage: build\n")]
#[case::blocking(
    "  when: manual\n  allow_failure: false\n",
    "        - when: manual\n",
    "  stage: build\n  allow_failure: false\n"
)]
#[case::delayed(
    "  when: delayed\n  start_in: 30 minutes\n",
    "        - when: delayed\n          start_in: \"30 minutes\"\n",
    "  stage: build\n"
)]
#[case::on_failure("  when: on_failure\n", "        - when: on_failure\n", "  stage: build\n")]
#[case::always("  when: always\n", "        - when: always\n", "  stage: build\n")]
fn when_goes_into_the_rules_that_would_win_over_it(#[case] job: &str, #[case] rule: &str, #[case] left: &str) {
    let (code, told, written) = migrated("", &format!("  stage: build\n{job}"), LOGIN);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains(".gitlab-ci.yml:3: `when: "), "{told}");
    assert!(told.contains("went into the input `rules`: a rule of the component would win over it"), "{told}");
    let inputs = format!("      rules:\n{NO_MERGE_REQUESTS}{rule}");
    assert_eq!(written, format!("{}\nimg:\n{left}", component(&inputs)));
}

#[test]
fn when_beside_rules_of_its_own_stays() {
    let job = "  stage: build\n  when: manual\n  rules:\n    - if: $CI_COMMIT_TAG\n";
    let (code, told, written) = migrated("", job, LOGIN);
    assert_eq!(code, 0, "{told}");
    assert_eq!(written, format!("{}\nimg:\n{job}", component("")));
}

#[test]
fn a_job_without_a_stage_stays_in_test() {
    let (code, told, written) = migrated("", "", LOGIN);
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains(".gitlab-ci.yml:1: the job names no `stage`, so it is in `test`: the input `stage` says so"),
        "{told}"
    );
    assert_eq!(written, component("      stage: test\n"));
}

#[rstest]
#[case::its_own("workflow:\n  rules:\n    - if: $CI_COMMIT_BRANCH\n", "", "        - when: on_success\n")]
#[case::a_name_alone(
    "workflow:\n  name: x\n",
    "  when: manual\n",
    &format!("{NO_MERGE_REQUESTS}        - when: manual\n          allow_failure: true\n")
)]
#[case::manual(
    "workflow:\n  rules:\n    - if: $CI_COMMIT_BRANCH\n",
    "  when: manual\n",
    "        - when: manual\n          allow_failure: true\n"
)]
fn with_rules_of_the_workflow_a_job_without_any_is_in_every_pipeline(
    #[case] workflow: &str,
    #[case] job: &str,
    #[case] rules: &str,
) {
    let (code, told, written) = migrated(workflow, &format!("  stage: build\n{job}"), LOGIN);
    assert_eq!(code, 0, "{told}");
    let inputs = format!("      rules:\n{rules}");
    assert_eq!(written, format!("{}\n{workflow}img:\n  stage: build\n", component(&inputs)));
    assert_eq!(told.contains("in every pipeline that those of `workflow` let through"), workflow.contains("rules"));
}

#[test]
fn a_template_for_workflows_has_such_rules() {
    let include = "include:\n  - template: Workflows/MergeRequest-Pipelines.gitlab-ci.yml\n\n";
    let (code, told, written) = migrated(include, "  stage: build\n", LOGIN);
    assert_eq!(code, 0, "{told}");
    assert!(written.contains("      rules:\n        - when: on_success\n"), "{written}");
}

#[rstest]
#[case::of_all("", "      runner-tags: [docker, \"arm 64\"]\n")]
#[case::its_own("  tags: [big]\n", "")]
fn tags_of_runners_stay(#[case] job: &str, #[case] inputs: &str) {
    let job = format!("  stage: build\n{job}");
    let default = "default:\n  tags: [docker, arm 64]\n";
    let (code, told, written) = migrated(default, &job, LOGIN);
    assert_eq!(code, 0, "{told}");
    assert_eq!(told.contains(".gitlab-ci.yml:2: these `tags` are the input `runner-tags`, too"), !inputs.is_empty());
    assert_eq!(written, format!("{}\n{default}img:\n{job}", component(inputs)));
}

#[rstest]
#[case::braces(
    "",
    "  variables: {DOCKER_BUILDKIT: \"0\", PLAT: linux/arm64, QUIET: \"0\"}\n",
    "  variables:\n    PLAT: linux/arm64\n    QUIET: \"0\"\n"
)]
#[case::braces_in_lines(
    "",
    "  variables: {\n    PLAT: linux/arm64,\n    DOCKER_BUILDKIT: \"0\"}\n",
    "  variables:\n    PLAT: linux/arm64\n"
)]
#[case::lines(
    "",
    "  variables:\n    PLAT: a\n    # old\n    DOCKER_BUILDKIT: \"0\"\n    B: c\n",
    "  variables:\n    PLAT: a\n    # old\n    B: c\n"
)]
#[case::nothing_of_ours("", "  variables: {PLAT: linux/arm64}\n", "  variables: {PLAT: linux/arm64}\n")]
#[case::ours_alone("", "  variables: {DOCKER_BUILDKIT: \"0\"}\n", "")]
#[case::anchor(
    ".v: &v\n  DOCKER_HOST: x\n  A: b\n",
    "  variables:\n    <<: *v\n    PLAT: c\n",
    "  variables:\n    A: b\n    PLAT: c\n"
)]
fn variables_beside_those_of_docker_stay(#[case] before: &str, #[case] job: &str, #[case] left: &str) {
    let (code, told, written) = migrated(before, &format!("  stage: build\n{job}"), LOGIN);
    assert_eq!(code, 0, "{told}");
    let (_, after) = written.split_once("\n\n").unwrap();
    let job = after.strip_prefix(before).unwrap_or_else(|| panic!("{written}"));
    let expected = format!("img:\n  stage: build\n{left}");
    // What an anchor brings may stand first or last.
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(job), sorted(&expected), "{written}");
}

#[rstest]
#[case::braces("", "img: {script: [docker build -t a/b .], stage: build}\n", "its keys share lines")]
#[case::anchor(
    ".d: &d\n  services: [docker:dind]\n",
    "img:\n  <<: *d\n  script: [docker build -t a/b .]\n",
    "`services` comes from an anchor, which others may use"
)]
#[case::template("", ".img:\n  script: [docker build -t a/b .]\n", "the template `.img` stays as it is")]
fn lines_that_others_share_are_not_taken_away(#[case] before: &str, #[case] job: &str, #[case] expected: &str) {
    let made = Repository::new(&[]);
    let text = format!("{before}{job}");
    made.write(".gitlab-ci.yml", &text);
    let (code, out, err) = made.run(&["migrate", ".gitlab-ci.yml", "--write"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains(expected), "{err}");
    assert_eq!(made.read(".gitlab-ci.yml"), text);
}

#[test]
fn comments_and_lists_at_the_margin_go_with_what_they_belong_to() {
    let job = "  services:\n  # the engine\n  - docker:dind\n# old: docker\n  stage: build\n";
    let (code, told, written) = migrated("", job, LOGIN);
    assert_eq!(code, 0, "{told}");
    assert_eq!(written, format!("{}\nimg:\n# old: docker\n  stage: build\n", component("")));
}

#[rstest]
#[case::command("{name: docker:dind, command: [--registry-mirror=https://m]}", &["`command` of the service `docker:dind` is not carried over\n    do: mirrors go to `registries: {docker.io: {mirrors: [HOST]}}`"])]
#[case::entrypoint("{name: docker:dind, entrypoint: [dockerd]}", &["`entrypoint` of the service `docker:dind` is not carried over\n    do: an image that starts so by itself can be named by the input `dind-image`"])]
#[case::variables("{name: docker:dind, variables: {HTTP_PROXY: x}}", &["`variables` of the service `docker:dind` is not carried over"])]
#[case::variables_of_ours("{name: docker:dind, alias: docker, variables: {DOCKER_TLS_CERTDIR: \"\"}}", &[])]
#[case::alias("{name: docker:dind, alias: engine}", &["`alias` of the service `docker:dind` is not carried over"])]
#[case::another("postgres:17", &["the service `postgres:17` is not carried over"])]
fn what_a_service_was_told_is_told(#[case] service: &str, #[case] expected: &[&str]) {
    for (before, job) in
        [("", format!("  services: [{service}]\n")), ("default:\n  services: [SERVICE]\n", String::new())]
    {
        let before = before.replace("SERVICE", service);
        let (code, told, written) = migrated(&before, &format!("  stage: build\n{job}"), LOGIN);
        assert_eq!(code, i32::from(!expected.is_empty()), "{told}");
        assert!(expected.iter().all(|text| told.contains(text)), "{told}");
        assert!(written.starts_with(&component("")), "{written}");
    }
}

#[test]
fn an_engine_from_elsewhere_stays_the_engine() {
    let (code, told, written) = migrated("", "  stage: build\n  services: [r.example.com/hub/docker:28-dind]\n", LOGIN);
    assert_eq!(code, 0, "{told}");
    assert!(written.starts_with(&component("      dind-image: \"r.example.com/hub/docker:28-dind\"\n")), "{written}");
}

#[rstest]
#[case(
    "docker login -u $U -p $P reg.example.com",
    "reg.example.com",
    "registries: {reg.example.com: {credentials: REG_EXAMPLE_COM}}",
    "REG_EXAMPLE_COM"
)]
#[case(
    "echo \"$P\" | docker login --username=$U --password-stdin https://reg.example.com:5000/",
    "reg.example.com:5000",
    "registries: {\"reg.example.com:5000\": {credentials: REG_EXAMPLE_COM}}",
    "REG_EXAMPLE_COM"
)]
#[case("docker login -u $U -p $P", "docker.io", "registries: {docker.io: {credentials: DOCKERHUB}}", "DOCKERHUB")]
#[case(
    "docker login -u $U -p $P \"$HOST\"",
    "$HOST",
    "registries: {\"$HOST\": {credentials: REGISTRY}}` (with what the variable holds)",
    "REGISTRY"
)]
#[case(
    "'echo \"{\\\"auths\\\":{\\\"$CI_REGISTRY\\\":{\\\"auth\\\":\\\"$A\\\"},\\\"quay.io\\\":{\\\"auth\\\":\\\"$B\\\"}}}\" > /kaniko/.docker/config.json'",
    "quay.io",
    "registries: {quay.io: {credentials: QUAY}}",
    "QUAY"
)]
#[case(
    "'echo \"{\\\"auths\\\":{\\\"$CI_REGISTRY\\\":{\\\"auth\\\":\\\"$A\\\"}},\\\"credHelpers\\\":{\\\"r.example.com:5000\\\":\\\"ecr-login\\\"}}\" > /kaniko/.docker/config.json'",
    "r.example.com:5000",
    "registries: {\"r.example.com:5000\": {credentials: R_EXAMPLE_COM}}",
    "R_EXAMPLE_COM"
)]
#[case(
    "'echo \"{\\\"credHelpers\\\":{\\\"r.example.com\\\":\\\"ecr-login\\\"}}\" > /kaniko/.docker/config.json'",
    "r.example.com",
    "registries: {r.example.com: {credentials: R_EXAMPLE_COM}}",
    "R_EXAMPLE_COM"
)]
fn a_login_elsewhere_is_lost_with_the_lines_to_write(
    #[case] login: &str,
    #[case] host: &str,
    #[case] line: &str,
    #[case] prefix: &str,
) {
    let (code, told, _) = migrated("", "  stage: build\n", login);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains(&format!(".gitlab-ci.yml:4: the login to {host} is not carried over\n")), "{told}");
    assert_eq!(told.matches(" is not carried over\n").count(), 1, "{told}");
    assert!(told.contains(line), "{told}");
    assert!(told.contains(&format!("set the variables {prefix}_USER and {prefix}_TOKEN, masked,")), "{told}");
}

#[rstest]
#[case("docker login -u $CI_REGISTRY_USER -p $CI_REGISTRY_PASSWORD ${CI_REGISTRY}")]
#[case("echo $CI_JOB_TOKEN | docker login -u gitlab-ci-token --password-stdin registry.gitlab.com")]
fn the_jobs_own_login_is_replaced(#[case] login: &str) {
    let (code, told, _) = migrated("", "  stage: build\n", login);
    assert_eq!(code, 0, "{told}");
    let expected = ".gitlab-ci.yml:4: the login is gone: the job's own is used for the project's registry\n";
    assert!(told.contains(expected), "{told}");
}
