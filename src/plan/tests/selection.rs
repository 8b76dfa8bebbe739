use rstest::rstest;

use super::*;

const THREE: &str = "
version: 1
builds:
  - {id: app, kind: docker, depends_on: base}
  - {id: docs, kind: docker, select_tags: ['^v']}
  - {id: base, kind: docker, required: false}
  - {id: cli, kind: binary}
";

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

#[test]
fn builds_come_after_what_they_depend_on_and_otherwise_as_written() {
    let plan = planned(&on_tag(request(THREE), "v1.0.0"));
    assert_eq!(ids(&plan), ["base", "app", "docs"]);
    assert_eq!(plan.steps[1].depends_on, ["base"]);
    assert!(!plan.steps[0].required && plan.steps[1].required);
    assert_eq!(plan.left_out, []);
}

#[test]
fn select_tags_leave_builds_out_with_a_reason() {
    let plan = planned(&request(THREE));
    assert_eq!(ids(&plan), ["base", "app"]);
    assert_eq!(plan.left_out[0].id, "docs");
    assert_eq!(plan.left_out[0].why, "select_tags [^v] wants a git tag and this run has none");
}

#[test]
fn a_named_build_brings_what_it_depends_on() {
    let mut asked = request(THREE);
    asked.inputs.build_id = Some("app".into());
    asked.inputs.file = Some("Dockerfile".into());
    asked.inputs.target = Some("0".into());
    asked.inputs.platforms = strings(&["linux/arm64"]);
    let plan = planned(&asked);
    assert_eq!(ids(&plan), ["base", "app"]);
    assert_eq!(plan.steps[0].target, None, "`target` speaks of the named build alone");
    assert_eq!(plan.steps[1].target.as_deref(), Some("0"));
    assert_eq!(plan.steps[0].platforms, ["linux/arm64"], "platforms are for all of them: one starts from the other");
    assert_eq!(plan.left_out[0].why, "only `app` and what it depends on was asked for");
}

#[rstest]
#[case("apps", "build-id `apps` names no build | did you mean `app`?")]
#[case("zzzzz", "build-id `zzzzz` names no build | the builds are: app, docs, base")]
#[case("cli", "build-id `cli` names no build | the builds are: app, docs, base")]
fn unknown_builds_are_named_with_the_nearest(#[case] id: &str, #[case] expected: &str) {
    let mut asked = request(THREE);
    asked.inputs.build_id = Some(id.into());
    assert_eq!(refused(&asked), [expected]);
}

#[test]
fn inputs_that_can_mean_one_build_are_ambiguous_with_several() {
    let mut asked = request(THREE);
    asked.inputs.file = Some("Dockerfile".into());
    asked.inputs.context = Some(".".into());
    asked.inputs.target = Some("0".into());
    asked.inputs.tags = strings(&["ghcr.io/acme/app:1"]);
    let problems = refused(&asked);
    for (input, problem) in ["file", "context", "target", "tags"].iter().zip(&problems) {
        assert_eq!(
            *problem,
            format!(
                "input `{input}` can mean one build only, and there are several: app, docs, base | say which with \
                 `build-id`, or put it into the config file"
            )
        );
    }
}

#[test]
fn circles_are_problems_and_end() {
    let config = "
version: 1
builds:
  - {id: a, kind: docker, depends_on: b}
  - {id: b, kind: docker, depends_on: c}
  - {id: c, kind: docker, depends_on: a}
";
    let circle = "builds depend on each other in a circle: a → b → c | take one `depends_on` out";
    assert_eq!(refused(&request(config)), [format!(".stagefreight.yml: {circle}")]);
    let mut asked = request(config);
    asked.inputs.build_id = Some("b".into());
    assert_eq!(refused(&asked).len(), 1);
}

#[test]
fn what_is_not_built_is_not_waited_for() {
    let config = "
version: 1
builds:
  - {id: base, kind: docker, select_tags: ['^v']}
  - {id: app, kind: docker, depends_on: base}
  - {id: web, kind: docker, depends_on: cli}
  - {id: cli, kind: binary}
";
    let plan = planned(&request(config));
    assert_eq!(ids(&plan), ["app", "web"]);
    assert!(plan.steps.iter().all(|step| step.depends_on.is_empty()));
    assert_eq!(
        plan.notes,
        [
            "build `app` does not wait for `base`, which is not built in this run",
            "build `web` does not wait for `cli`, which is not built in this run"
        ]
    );
}

#[test]
fn a_run_may_have_nothing_to_build() {
    let plan = planned(&request("version: 1\nbuilds: [{id: app, kind: docker, select_tags: ['^v']}]"));
    assert!(plan.steps.is_empty());
    assert_eq!(plan.notes, ["nothing is built: every build is left out of this run"]);
}

#[test]
fn without_a_config_there_is_one_build() {
    let plan = planned(&request(""));
    assert_eq!(ids(&plan), ["default"]);
    assert_eq!(
        plan.steps[0].output,
        Output::LoadOrLayout { names: strings(&["stagefreight:dev"]), dir: "dist".into() }
    );
}

#[test]
fn a_long_chain_is_no_deep_recursion() {
    let builds: String =
        (0..2000).map(|i| format!("  - {{id: b{i}, kind: docker, depends_on: b{}}}\n", i + 1)).collect();
    let plan = planned(&request(&format!("version: 1\nbuilds:\n{builds}  - {{id: b2000, kind: docker}}\n")));
    assert_eq!((ids(&plan)[0], ids(&plan)[2000]), ("b2000", "b0"));
}
