use rstest::rstest;

use super::*;

fn dockerfile(mut request: Request, text: &str) -> Request {
    request.source.dockerfiles.insert("Dockerfile".into(), text.into());
    request
}

fn map(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

const DECLARED: &str = "FROM a\nARG VERSION\nARG COMMIT\nARG BUILD_DATE\n";

#[test]
fn a_dockerfile_is_told_what_it_declares() {
    let step = step_of(&dockerfile(request(""), DECLARED));
    let told = [("BUILD_DATE", "2026-01-02T03:04:05Z"), ("COMMIT", SHA), ("VERSION", "1.2.2-dev+4f4112d")];
    assert_eq!(step.build_args, map(&told), "the true version, and the time of the commit");
    assert_eq!(step_of(&request("")).build_args, map(&[]), "nothing it does not ask for");
    assert_eq!(step_of(&dockerfile(request(""), "FROM a\nRUN <<X\nARG VERSION\nX\n")).build_args, map(&[]));
    let mut dated = dockerfile(request(""), DECLARED);
    dated.vars = [("STAGEFREIGHT_BUILD_DATE".to_owned(), "yesterday".to_owned())].into_iter().collect();
    assert_eq!(step_of(&dated).build_args["BUILD_DATE"], "yesterday");
    let mut bare = dockerfile(request(""), DECLARED);
    (bare.source.git, bare.context.commit) = (None, None);
    assert_eq!(step_of(&bare).build_args, map(&[("VERSION", "0.0.0-dev")]), "nothing is made up without git");
}

#[test]
fn inputs_come_before_config_and_config_before_what_is_told() {
    let config = "
version: 1
vars: {name: 'app-{version}'}
builds: [{id: app, kind: docker, build_args: {VERSION: 'v{base}', NAME: '{var:name}', JSON: '{\"a\": 1}', BOTH: config}}]
";
    let mut asked = dockerfile(request(config), DECLARED);
    asked.vars = [("FROM_ENV".to_owned(), "x=y".to_owned())].into_iter().collect();
    asked.inputs.build_args = strings(&["BOTH=input=1", "EMPTY=", "FROM_ENV", "UNSET", "BRACES={version}"]);
    let plan = planned(&asked);
    let args = &plan.steps[0].build_args;
    let expected = [
        ("BOTH", "input=1"),
        ("BRACES", "{version}"),
        ("EMPTY", ""),
        ("FROM_ENV", "x=y"),
        ("JSON", "{\"a\": 1}"),
        ("NAME", "app-1.2.2-dev+4f4112d"),
        ("VERSION", "v1.2.2"),
    ];
    for (name, value) in expected {
        assert_eq!(args.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!args.contains_key("UNSET"));
    assert_eq!(plan.notes, ["build arg `UNSET` is left out: it has no value in this run"]);
    assert!(!planned(&from_fork(asked)).steps[0].build_args.contains_key("FROM_ENV"));
}

#[rstest]
#[case(&["=x"])]
#[case(&["A B=x"])]
#[case(&["A\u{1b}[2J=x"])]
fn bad_build_args_are_problems(#[case] args: &[&str]) {
    let mut request = request("");
    request.inputs.build_args = strings(args);
    let problems = refused(&request);
    assert!(problems[0].contains("is not `NAME=value`") && !problems[0].contains('\u{1b}'), "{problems:?}");
}

#[test]
fn labels_describe_the_image() {
    let config = "
version: 1
project: {license: MIT, description: A small thing}
builds: [{id: app, kind: docker, labels: {team: 'core-{branch}', org.opencontainers.image.title: Config}}]
";
    let mut asked = request(config);
    asked.inputs.labels = strings(&["org.opencontainers.image.url=https://acme.example/?a=b", "bare"]);
    let step = step_of(&asked);
    let expected = map(&[
        ("bare", ""),
        ("org.opencontainers.image.created", "2026-01-02T03:04:05Z"),
        ("org.opencontainers.image.description", "A small thing"),
        ("org.opencontainers.image.licenses", "MIT"),
        ("org.opencontainers.image.revision", SHA),
        ("org.opencontainers.image.source", "https://github.com/acme/app"),
        ("org.opencontainers.image.title", "Config"),
        ("org.opencontainers.image.url", "https://acme.example/?a=b"),
        ("org.opencontainers.image.version", "1.2.2-dev+4f4112d"),
        ("org.stagefreight.plan.sha256", &step.plan_hash),
        ("team", "core-main"),
    ]);
    assert_eq!(step.labels, expected);
}

#[test]
fn the_same_commit_gives_the_same_content_whatever_the_clock_says() {
    let first = dockerfile(request(""), DECLARED);
    let mut later = first.clone();
    later.now = time("2030-01-01T00:00:00Z");
    later.context.pipeline = Some("78".into());
    assert_eq!(step_of(&first), step_of(&later));
    let mut proven = first.clone();
    proven.inputs.build_mode = Some("crucible".into());
    let (plain, proven) = (step_of(&first), step_of(&proven));
    assert_eq!((plain.labels, plain.plan_hash), (proven.labels, proven.plan_hash), "the mode is no part of the image");
    assert_eq!((proven.build_mode, proven.rewrite_timestamp), (BuildMode::Crucible, true));
    assert_eq!(
        (plain.build_mode, plain.rewrite_timestamp, plain.epoch),
        (BuildMode::Plain, false, Some(1_767_323_045))
    );
}

#[test]
fn annotations_go_on_an_index_where_there_will_be_one() {
    assert_eq!(step_of(&request("")).annotations, map(&[]), "one platform without attestations is a plain manifest");
    let mut several = request("");
    several.inputs.platforms = strings(&["linux/arm64", "linux/amd64"]);
    several.inputs.annotations = strings(&[
        "index:org.opencontainers.image.title=Mine",
        "index,manifest[linux/amd64]:org.opencontainers.image.url=u:v=w",
        "com.acme.x=y",
    ]);
    let annotations = step_of(&several).annotations;
    assert_eq!(annotations["index:org.opencontainers.image.title"], "Mine");
    assert_eq!(annotations["index,manifest[linux/amd64]:org.opencontainers.image.url"], "u:v=w");
    assert!(!annotations.contains_key("index:org.opencontainers.image.url"), "the input takes its place");
    assert_eq!(annotations["com.acme.x"], "y");
    assert_eq!(annotations["index:org.opencontainers.image.revision"], SHA);
    let mut attested = request("");
    attested.inputs.provenance = Some("mode=max".into());
    assert!(step_of(&attested).annotations.contains_key("index:org.opencontainers.image.revision"));
}

#[rstest]
#[case("no pair", "input `annotations`: `no pair` is not `key=value`")]
#[case("index:=x", "input `annotations`: `index:=x` is not `key=value`")]
#[case("index:a=b", "input `annotations`: `index:a=b` is for an index, and this build makes none")]
fn bad_annotations_are_problems(#[case] given: &str, #[case] problem: &str) {
    let mut request = request("");
    request.inputs.annotations = strings(&[given]);
    assert!(refused(&request)[0].starts_with(problem), "{:?}", refused(&request));
}

#[rstest]
#[case(None, "false")]
#[case(Some(""), "false")]
#[case(Some("False"), "false")]
#[case(Some("true"), "true")]
#[case(Some("max"), "mode=max")]
#[case(Some("mode=max,version=v1"), "mode=max,version=v1")]
fn provenance_is_off_unless_asked_for(#[case] given: Option<&str>, #[case] value: &str) {
    let mut request = request("");
    request.inputs.provenance = given.map(Into::into);
    assert_eq!(step_of(&request).provenance, value);
}

#[rstest]
#[case(|i: &mut Inputs| i.provenance = Some("yes please".into()), "input `provenance`: `yes please` is not understood | write `true`, `false`, `mode=max` or `mode=min`")]
#[case(|i: &mut Inputs| i.sbom = Some("spdx".into()), "input `sbom`: `spdx` is not understood | write `true`, `false` or `generator=<image>`")]
#[case(|i: &mut Inputs| i.backend = Some("podman".into()), "input `backend`: `podman` is no backend | write `buildkitd`, `docker` or `rootless`, or leave it out to take what is there")]
#[case(|i: &mut Inputs| i.build_mode = Some("fast".into()), "input `build-mode`: `fast` is no mode | write `crucible`, or `plain` to switch off what the config says")]
#[case(|i: &mut Inputs| i.platforms = strings(&["amd64"]), "input `platforms`: `amd64` is no platform | a platform is `os/arch` or `os/arch/variant`: linux/amd64, linux/arm64, linux/arm/v7")]
#[case(|i: &mut Inputs| i.platforms = strings(&["linux/amd64;id"]), "input `platforms`: `linux/amd64;id` is no platform | a platform is `os/arch` or `os/arch/variant`: linux/amd64, linux/arm64, linux/arm/v7")]
#[case(|i: &mut Inputs| i.labels = strings(&["=x"]), "input `labels`: `=x` is not `key=value` | write one pair on each line, `org.opencontainers.image.title=App`")]
fn bad_settings_are_problems_and_said_once(#[case] set: fn(&mut Inputs), #[case] problem: &str) {
    let mut request = request("version: 1\nbuilds: [{id: a, kind: docker}, {id: b, kind: docker}]");
    set(&mut request.inputs);
    assert_eq!(refused(&request), [problem]);
}

#[test]
fn platforms_are_sorted_and_local_runs_take_one() {
    let config = "version: 1\nbuilds: [{id: a, kind: docker, platforms: [linux/arm64, linux/AMD64, linux/arm64]}]";
    assert_eq!(step_of(&request(config)).platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(step_of(&request("")).platforms, ["linux/amd64"]);
    let mut local = request(config);
    local.inputs.local = true;
    let plan = planned(&local);
    assert_eq!(plan.steps[0].platforms, ["linux/amd64"]);
    assert_eq!(plan.notes, ["build `a` is built for linux/amd64 only: a local run loads one platform"]);
    local.inputs.platforms = strings(&["linux/amd64", "linux/arm64"]);
    assert_eq!(step_of(&local).platforms.len(), 2, "what is asked for is done");
}

#[test]
fn what_strangers_made_is_not_run_outside_the_builder() {
    let config = "version: 1\nbuilds: [{id: a, kind: docker, build_mode: crucible, crucible: {runner: candidate}}]";
    let runner = |request: &Request| step_of(request).crucible.unwrap().runner;
    let mut request = request(config);
    assert_eq!(runner(&request), CrucibleRunner::Candidate);
    request.context.trust = Trust::Untrusted { reason: "pull request from the fork evil/app".into() };
    assert_eq!(runner(&request), CrucibleRunner::Rebuild);
    let notes = resolve(&request).unwrap().notes.join("\n");
    assert!(
        notes.contains(
            "run by this program, not by the candidate, which is not to be trusted: pull request from the fork"
        ),
        "{notes}"
    );
}

#[test]
fn modes_come_from_the_config_and_inputs_override() {
    let config = "version: 1\nbuilds: [{id: a, kind: docker, build_mode: crucible, reproducible: off}]";
    let step = step_of(&request(config));
    assert_eq!((step.build_mode, step.rewrite_timestamp), (BuildMode::Crucible, false));
    let mut asked = request(config);
    asked.inputs.build_mode = Some("plain".into());
    assert_eq!(step_of(&asked).build_mode, BuildMode::Plain);
    let config = "version: 1\nbuilds: [{id: a, kind: docker, reproducible: on}]";
    assert!(step_of(&request(config)).rewrite_timestamp);
}

#[test]
fn identity_comes_from_the_best_source() {
    let id = |request: &Request| planned(request).repo_id;
    let mut asked = request("");
    assert_eq!(id(&asked), "https://github.com/acme/app");
    asked.context.repository_url = None;
    assert_eq!(id(&asked), "https://github.com/acme/app", "server and repository");
    asked.context.repository = None;
    assert_eq!(id(&asked), "app", "the root's name");
    asked.source.git.as_mut().unwrap().remote = Some("git@example.com:acme/app.git".into());
    assert_eq!(id(&asked), "git@example.com:acme/app.git");
    asked.config.sources.primary.url = Some("HTTPS://Git.example/acme/App.git".into());
    let plan = planned(&asked);
    assert_eq!(plan.repo_id, "HTTPS://Git.example/acme/App.git", "verbatim: caches of 0.5 are named by it");
    assert_eq!(plan.builder.name, cache::builder_name("HTTPS://Git.example/acme/App.git"));
    let label = |name: &str| plan.steps[0].labels[&format!("org.opencontainers.image.{name}")].clone();
    assert_eq!((label("title").as_str(), label("source").as_str()), ("App", "https://Git.example/acme/App"));
}

#[test]
fn a_shallow_checkout_or_another_commit_is_noted() {
    let mut asked = request("");
    let git = asked.source.git.as_mut().unwrap();
    (git.shallow, git.tags) = (true, Vec::new());
    asked.context.commit = Some("feedface".repeat(5));
    let plan = planned(&asked);
    assert_eq!(plan.commit.as_deref(), Some(SHA), "the image is made of what is checked out");
    assert!(plan.notes[0].starts_with("the checkout is shallow and holds no tag"), "{:?}", plan.notes);
    assert!(plan.notes[1].starts_with(&format!("the checkout is at {SHA}, not at")), "{:?}", plan.notes);
    assert!(planned(&on_tag(asked, "v1.0.0")).version.release);
}

#[test]
fn the_builder_is_as_configured() {
    let config = "version: 1\nbuild_cache: {builder: {backend: dind, name: sf-builder, driver: docker, image: local/buildkit:1}}";
    let mut asked = request(config);
    asked.inputs.builder = Some("mine".into());
    let expected = BuilderPlan {
        backend: Some(BackendChoice::Docker),
        name: "sf-builder".into(),
        existing: Some("mine".into()),
        named: true,
        driver: "docker".into(),
        image: Some("local/buildkit:1".into()),
    };
    assert_eq!(planned(&asked).builder, expected);
    asked.inputs.backend = Some("buildkitd".into());
    assert_eq!(planned(&asked).builder.backend, Some(BackendChoice::Buildkitd), "the input before the file");
    let plan = planned(&request(""));
    assert_eq!((plan.builder.backend, plan.builder.driver.as_str()), (None, "docker-container"));
}
