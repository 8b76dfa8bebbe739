use rstest::rstest;

use super::*;

fn asking() -> Request {
    let mut request = request("");
    request.vars = [("NPM".to_owned(), "hush".to_owned()), ("EMPTY".to_owned(), String::new())].into_iter().collect();
    request.inputs.secrets = vec![Secret::new("gh=hush=hush")];
    request.inputs.secret_envs = strings(&["npm=NPM", "empty=EMPTY"]);
    request.inputs.secret_files = strings(&["cert=/run/secrets/a,b.pem"]);
    request.inputs.ssh = strings(&["default", "deploy=/tmp/agent.sock"]);
    request.inputs.build_contexts =
        strings(&["lib=./libs//x", "base=docker-image://alpine:3", "src=https://github.com/acme/x.git"]);
    request
}

#[test]
fn names_and_paths_go_into_specs_and_values_never() {
    let plan = planned(&asking());
    let step = &plan.steps[0];
    assert_eq!(step.secrets, ["id=npm,env=NPM", "id=empty,env=EMPTY", "id=cert,\"src=/run/secrets/a,b.pem\""]);
    assert_eq!(step.secret_values, [("gh".to_owned(), Secret::new("hush=hush"))]);
    assert_eq!(step.ssh, ["default", "deploy=/tmp/agent.sock"]);
    let contexts: Vec<_> = step.build_contexts.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        contexts,
        [("base", "docker-image://alpine:3"), ("lib", "libs/x"), ("src", "https://github.com/acme/x.git")]
    );
    for seen in [serde_json::to_string(&plan).unwrap(), format!("{plan:?}"), crate::plan::render::text(&plan)] {
        assert!(!seen.contains("hush"), "{seen}");
    }
}

#[test]
fn a_fork_gets_what_its_workflow_hands_over_and_nothing_of_the_process() {
    let plan = planned(&from_fork(asking()));
    let step = &plan.steps[0];
    assert_eq!(step.secrets, ["id=cert,\"src=/run/secrets/a,b.pem\""]);
    assert_eq!((step.secret_values.len(), step.ssh.len()), (1, 0));
    assert!(plan.notes.iter().any(|n| n.starts_with("secrets from environment variables and ssh agents are withheld")));
    let mut unset = asking();
    unset.inputs.secret_envs = strings(&["x=UNSET"]);
    assert!(resolve(&from_fork(unset)).is_ok(), "what is withheld need not be there");
}

#[rstest]
#[case(|i: &mut Inputs| i.secrets = vec![Secret::new("topsecret")], "input `secrets`: an entry is not `id=value` | write one secret on each line, `npm=…`")]
#[case(|i: &mut Inputs| i.secret_envs = strings(&["x=UNSET"]), "input `secret-envs`: the environment variable `UNSET` of the secret `x` is not set | set UNSET in the job's environment")]
#[case(|i: &mut Inputs| i.secret_envs = strings(&["x"]), "input `secret-envs`: `x` is not `id=VARIABLE` | write one entry on each line")]
#[case(|i: &mut Inputs| i.secret_envs = strings(&["a,b=NPM"]), "input `secret-envs`: `a,b=NPM` is not `id=VARIABLE` | write one entry on each line")]
#[case(|i: &mut Inputs| i.secret_files = strings(&["x="]), "input `secret-files`: `x=` is not `id=path` | write one entry on each line")]
#[case(|i: &mut Inputs| i.ssh = strings(&["=x"]), "input `ssh`: `=x` is not `default`, or `id=socket` or `id=key` | write one entry on each line")]
#[case(|i: &mut Inputs| i.build_contexts = strings(&["lib"]), "input `build-contexts`: `lib` is not `name=directory` or `name=address` | write one entry on each line")]
#[case(|i: &mut Inputs| i.build_contexts = strings(&["lib=../../etc"]), "input `build-contexts` `../../etc` lies outside the workspace | only files of the checkout can be built; move it there, or give a path relative to the root")]
fn malformed_entries_are_problems(#[case] set: fn(&mut Inputs), #[case] problem: &str) {
    let mut request = asking();
    set(&mut request.inputs);
    assert_eq!(refused(&request), [problem]);
}
