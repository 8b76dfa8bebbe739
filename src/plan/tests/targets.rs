use rstest::rstest;

use super::*;

const TWO: &str = "
version: 1
policies: {git_tags: {stable: '^v\\d+\\.\\d+\\.\\d+$'}}
builds: [{id: app, kind: docker}]
targets:
  - {id: ghcr, kind: registry, build: app, url: ghcr.io, path: Acme/App, credentials: GHCR, tags: ['{version}', '{branch}-{sha:8}', main-4f4112d1]}
  - {id: hub, kind: registry, build: app, provider: dockerhub, path: acme/app, tags: [latest, '{version}'], when: {git_tags: [stable], events: [tag]}}
  - {id: readme, kind: docker-readme}
";

fn decision<'s>(step: &'s Step, id: &str) -> (bool, &'s str) {
    let found = step.targets.iter().find(|d| d.id == id).unwrap_or_else(|| panic!("{id}: {:?}", step.targets));
    (found.included, &found.why)
}

#[test]
fn targets_are_in_or_out_with_a_reason() {
    let step = step_of(&request(TWO));
    assert_eq!(
        published(&step),
        ["ghcr.io/acme/app:1.2.2-dev-4f4112d", "ghcr.io/acme/app:main-4f4112d1"],
        "a tag holds no `+`, small letters, and nothing twice"
    );
    assert_eq!(decision(&step, "ghcr"), (true, "it has no conditions"));
    assert_eq!(decision(&step, "hub"), (false, "event push is none of when.events [tag]"));
    assert_eq!(step.targets.len(), 2, "other kinds of targets are not ours");

    let step = step_of(&on_tag(request(&TWO.replace("'{branch}-{sha:8}', main-4f4112d1", "edge")), "v1.3.0"));
    assert_eq!(
        published(&step),
        ["ghcr.io/acme/app:1.3.0", "ghcr.io/acme/app:edge", "docker.io/acme/app:latest", "docker.io/acme/app:1.3.0"]
    );
    let Output::Publish { targets } = &step.output else { panic!() };
    assert_eq!((targets[0].provider, targets[0].credentials.as_deref()), (Provider::Ghcr, Some("GHCR")));
    assert_eq!((targets[1].provider, targets[1].credentials.as_deref()), (Provider::DockerHub, None));
}

#[test]
fn a_fork_publishes_nothing_but_is_built() {
    let request = from_fork(request(TWO));
    let plan = planned(&request);
    let step = &plan.steps[0];
    let why = "credentials are withheld from this run (pull request from the fork mallory/app); nothing is published";
    assert_eq!(decision(step, "ghcr"), (false, why));
    assert!(matches!(step.output, Output::LoadOrLayout { .. }));
    assert_eq!(
        plan.notes,
        ["credentials are withheld (GHCR_*, GITHUB_TOKEN), nothing is published, caches are read only: pull request \
          from the fork mallory/app"]
    );
    let mut anonymous = from_fork(super::request(""));
    anonymous.inputs.tags = strings(&["localhost:5000/app:main"]);
    assert_eq!(decision(&step_of(&anonymous), "input-1"), (false, why));
}

#[test]
fn a_fork_cannot_write_a_credential_into_a_tag() {
    let config = "
version: 1
builds: [{id: app, kind: docker, labels: {x: '{env:DEPLOY_TOKEN}', y: '{env:CLONE}', z: '{env:RUNNER_OS}'}}]
";
    let mut request = request(config);
    request.vars = [("DEPLOY_TOKEN", "hush"), ("CLONE", "https://u:hush@x/y"), ("RUNNER_OS", "Linux")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into_iter()
        .collect();
    assert_eq!(step_of(&request).labels["x"], "hush");
    let problems = refused(&from_fork(request));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].ends_with("| DEPLOY_TOKEN is set, but looks like a credential and is withheld from this run"));
}

#[rstest]
#[case::switched_off(|i: &mut Inputs| i.push = Some(false), "push is switched off")]
#[case::local(|i: &mut Inputs| i.local = true, "a local run publishes nothing")]
#[case::replaced(|i: &mut Inputs| i.tags = strings(&["a.io/b:c"]), "the input `tags` says where the image goes")]
fn inputs_leave_targets_out(#[case] set: fn(&mut Inputs), #[case] why: &str) {
    let mut request = request(TWO);
    set(&mut request.inputs);
    assert_eq!(decision(&step_of(&request), "ghcr"), (false, why));
}

#[test]
fn references_in_tags_replace_the_targets_of_the_config() {
    let mut request = request(TWO);
    request.inputs.tags = strings(&[
        "ghcr.io/Acme/Other:{version}",
        "localhost:5000/x:{sha:7}",
        "ghcr.io/acme/other",
        "ghcr.io/acme/other:latest",
        "acme/hub:{date:2006/01}",
    ]);
    request.config.registries =
        config_of("{version: 1, registries: {'localhost:5000': {credentials: LAB}}}").registries;
    let step = step_of(&request);
    assert_eq!(
        published(&step),
        [
            "ghcr.io/acme/other:1.2.2-dev-4f4112d",
            "ghcr.io/acme/other:latest",
            "localhost:5000/x:4f4112d",
            "docker.io/acme/hub:2026-03"
        ]
    );
    let Output::Publish { targets } = &step.output else { panic!() };
    let ids: Vec<_> = targets.iter().map(|t| (t.id.as_str(), t.credentials.as_deref())).collect();
    assert_eq!(ids, [("input-1", None), ("input-2", Some("LAB")), ("input-3", None)]);
    assert_eq!(decision(&step, "input-1"), (true, "asked for by the input `tags`"));
}

#[test]
fn bare_tags_replace_those_of_each_target() {
    let mut request = on_tag(request(TWO), "v1.3.0");
    request.inputs.tags = strings(&["{version}", "edge", "edge"]);
    assert_eq!(
        published(&step_of(&request)),
        ["ghcr.io/acme/app:1.3.0", "ghcr.io/acme/app:edge", "docker.io/acme/app:1.3.0", "docker.io/acme/app:edge"]
    );
}

#[rstest]
#[case(&["x:y", "z"], "input `tags` mixes references (`x:y`) and bare tags (`z`) | write all of them as `host/path:tag`, or all as tags for the targets of the config")]
#[case(&["z"], "input `tags`: `z` names no repository, and no target says one | write a whole reference, `ghcr.io/acme/app:1.2.3`, or configure a target")]
#[case(&["a/b@sha256:00"], "input `tags`: `a/b@sha256:00` is a reference by digest, and nothing can be published to a digest | write `host/path:tag`")]
#[case(&["a/b:-x"], "input `tags`: `a/b:-x`: not a legal tag: it cannot start with `-` | a tag is 1 to 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`")]
#[case(&["a//b:c"], "input `tags`: `a//b:c`: `a//b` is not a repository path: lower-case letters, digits and single separators `.`, `_`, `-`, in parts joined by `/` | an image is named `host[:port]/path:tag`, `ghcr.io/acme/app:1.2.3`")]
#[case(&["a/b:{vrsion}"], "input `tags`: `a/b:{vrsion}`: `{vrsion}` is not a template variable | did you mean `{version}`?")]
fn bad_tags_are_problems(#[case] tags: &[&str], #[case] problem: &str) {
    let mut request = request("");
    request.inputs.tags = strings(tags);
    assert_eq!(refused(&request), [problem]);
}

#[rstest]
#[case::no_registry("path: a/b, tags: [x]", "target `t` names no registry | add `url: host` or `host:port`")]
#[case::no_path("url: example.com, tags: [x]", "target `t` names no repository | add `path: team/app`")]
#[case::no_tags(
    "url: example.com, path: a/b",
    "target `t` has no tags | add `tags: [\"{version}\"]`, or give them as the input `tags`"
)]
#[case::bad_path(
    "url: example.com, path: 'a b', tags: [x]",
    "target `t`: `a b` is not a repository path: lower-case letters, digits and single separators `.`, `_`, `-`, in parts joined by `/` | an image is named `host[:port]/path:tag`, `ghcr.io/acme/app:1.2.3`"
)]
#[case::bad_host(
    "url: 'http://x', path: a, tags: [x]",
    "target `t`: `http://x` is not a registry host: expected host or host:port, without scheme or path | an image is named `host[:port]/path:tag`, `ghcr.io/acme/app:1.2.3`"
)]
fn incomplete_targets_are_problems(#[case] target: &str, #[case] problem: &str) {
    let mut request = request(&format!("version: 1\ntargets: [{{id: t, kind: registry, {target}}}]"));
    request.context.registry = None;
    assert_eq!(refused(&request), [format!(".stagefreight.yml: {problem}")]);
}

#[test]
fn the_forges_own_registry_needs_no_address() {
    let step = step_of(&request("version: 1\ntargets: [{id: t, kind: registry, tags: [x]}]"));
    assert_eq!(published(&step), ["ghcr.io/acme/app:x"]);
}

#[test]
fn targets_for_the_engine_are_loaded() {
    let config = "
version: 1
builds: [{id: app, kind: docker}]
targets:
  - {id: here, kind: registry, build: app, provider: local, path: acme/app, tags: ['{branch}']}
  - {id: there, kind: registry, build: app, url: example.com, path: acme/app, tags: [x], when: {branches: [main]}}
";
    let step = step_of(&request(config));
    assert_eq!(
        (published(&step), &step.also_load),
        (strings(&["example.com/acme/app:x"]), &strings(&["acme/app:main"]))
    );
    assert_eq!(decision(&step, "there").1, "branch main matches `main`");
    let mut other = request(config);
    other.context.branch = Some("feature/x".into());
    let step = step_of(&other);
    assert_eq!(step.output, Output::Load { names: strings(&["acme/app:feature-x"]) });
    assert!(step.also_load.is_empty());
    assert!(!decision(&step_of(&from_fork(request(config))), "here").0, "a fork names no image of the host");
}

#[rstest]
#[case::nothing_said(|_: &mut Inputs| {}, Output::LoadOrLayout { names: strings(&["stagefreight:dev"]), dir: "dist".into() })]
#[case::no_push(|i: &mut Inputs| { i.push = Some(false); i.tags = strings(&["acme/App:t"]) }, Output::LoadOrLayout { names: strings(&["acme/app:t"]), dir: "dist".into() })]
#[case::local(|i: &mut Inputs| i.local = true, Output::Load { names: strings(&["stagefreight:dev"]) })]
#[case::local_named(|i: &mut Inputs| { i.local = true; i.tags = strings(&["acme/app", "x:y"]) }, Output::Load { names: strings(&["acme/app:latest", "x:y"]) })]
#[case::local_bare(|i: &mut Inputs| { i.local = true; i.tags = strings(&["try"]) }, Output::Load { names: strings(&["stagefreight:try"]) })]
#[case::local_beats_push(|i: &mut Inputs| { i.local = true; i.push = Some(true) }, Output::Load { names: strings(&["stagefreight:dev"]) })]
#[case::load(|i: &mut Inputs| { i.load = Some(true); i.push = Some(false); i.tags = strings(&["acme/app:t"]) }, Output::Load { names: strings(&["acme/app:t"]) })]
#[case::several_platforms(|i: &mut Inputs| i.platforms = strings(&["linux/amd64,linux/arm64"]), Output::Layout { dir: "dist".into() })]
fn without_a_push_the_image_stays_here(#[case] set: fn(&mut Inputs), #[case] output: Output) {
    let mut request = request("");
    set(&mut request.inputs);
    assert_eq!(step_of(&request).output, output);
}

#[test]
fn push_and_load_are_both_done() {
    let mut request = request("");
    request.inputs.tags = strings(&["ghcr.io/acme/app:a", "ghcr.io/acme/app:b"]);
    request.inputs.load = Some(true);
    let step = step_of(&request);
    assert_eq!(published(&step), step.also_load);
}

#[test]
fn push_without_a_target_is_a_problem_but_not_where_conditions_leave_it_out() {
    let mut asked = request("");
    asked.inputs.push = Some(true);
    assert_eq!(
        refused(&asked),
        [
            "`push` was asked for, but build `default` has no registry target | give the input `tags` a whole reference, \
          `ghcr.io/acme/app:1.2.3`, or configure a target"
        ]
    );
    let mut asked = request(
        "version: 1\ntargets: [{id: t, kind: registry, url: a.io, path: b, tags: [x], when: {branches: [release]}}]",
    );
    asked.inputs.push = Some(true);
    assert!(matches!(step_of(&asked).output, Output::LoadOrLayout { .. }));
}

#[test]
fn several_builds_have_their_own_names() {
    let plan = planned(&request("version: 1\nbuilds: [{id: web, kind: docker}, {id: a/b, kind: docker}]"));
    let outputs: Vec<_> = plan.steps.into_iter().map(|s| s.output).collect();
    assert_eq!(
        outputs,
        [
            Output::LoadOrLayout { names: strings(&["stagefreight:dev-web"]), dir: "dist/web".into() },
            Output::LoadOrLayout { names: strings(&["stagefreight:dev-a-b"]), dir: "dist/a-b".into() },
        ]
    );
}

#[test]
fn one_name_for_two_builds_is_a_problem_and_for_two_targets_of_one_a_note() {
    let config = "
version: 1
builds: [{id: a, kind: docker}, {id: b, kind: docker}]
targets:
  - {id: t1, kind: registry, build: a, url: x.io, path: p, tags: ['{branch}']}
  - {id: t2, kind: registry, build: b, url: x.io, path: p, tags: [main]}
";
    assert_eq!(
        refused(&request(config)),
        [
            "builds `a` (target `t1`) and `b` (target `t2`) both make x.io/p:main | give one of them another repository or \
          tag, or build them one at a time with `build-id`"
        ]
    );
    let plan = planned(&request(&config.replace("build: b", "build: a")));
    assert_eq!(plan.notes, ["x.io/p:main is published twice, by target `t1` and target `t2`"]);
    assert_eq!(published(&plan.steps[0]), ["x.io/p:main", "x.io/p:main"], "two targets stay two: two logins");
}

#[test]
fn hostile_branches_make_legal_tags() {
    let config = "version: 1\ntargets: [{id: t, kind: registry, url: a.io, path: b, tags: ['{branch}', 'x-{branch}']}]";
    for branch in ["a/b", "../../x", "x;$(id)", "--flag", "äb", "a\nb::error::", &"l".repeat(300)] {
        let mut request = request(config);
        request.context.branch = Some(branch.into());
        for tag in published(&step_of(&request)) {
            assert!(tag.is_ascii() && !tag.contains(['\n', ' ', '$']), "{tag}");
        }
    }
}
