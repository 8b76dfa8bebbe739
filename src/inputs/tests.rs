use super::*;

fn vars(pairs: &[(&str, &str)]) -> Vars {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn resolve(cli: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Inputs, Failure> {
    let lookup = |name: &str| {
        let found: Vec<_> = cli.iter().filter(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()).collect();
        (!found.is_empty()).then_some(found)
    };
    Inputs::resolve(&lookup, &vars(env))
}

#[test]
fn command_line_wins_over_input_wins_over_twin() {
    let env = [("INPUT_BUILD-ID", "input"), ("STAGEFREIGHT_BUILD_ID", "twin")];
    assert_eq!(resolve(&[("build-id", "cli")], &env).unwrap().build_id.as_deref(), Some("cli"));
    assert_eq!(resolve(&[], &env).unwrap().build_id.as_deref(), Some("input"));
    assert_eq!(resolve(&[], &env[1..]).unwrap().build_id.as_deref(), Some("twin"));
    assert_eq!(resolve(&[], &[("INPUT_BUILD_ID", "mapped")]).unwrap().build_id.as_deref(), Some("mapped"));
    assert_eq!(resolve(&[], &[("INPUT_BUILD-ID", "")]).unwrap().build_id, None, "runners set unset inputs to nothing");
}

#[test]
fn every_input_of_the_table_is_read() {
    for spec in INPUTS.iter().filter(|spec| !spec.token) {
        let value = if spec.kind == InputKind::Bool { "true" } else { "x=y" };
        let got = resolve(&[], &[(&input_variable(spec.name), value)]).unwrap();
        assert_ne!(got, Inputs::default(), "{} changes nothing", spec.name);
        assert_eq!(got, resolve(&[(spec.name, value)], &[]).unwrap(), "{}", spec.name);
        assert_eq!(got, resolve(&[], &[(&twin_variable(spec.name), value)]).unwrap(), "{}", spec.name);
    }
}

#[test]
fn lists_are_read_as_build_push_action_reads_them() {
    let tags = resolve(&[], &[("INPUT_TAGS", "a/b:1, a/b:2\n\n  c/d:3  \r\n")]).unwrap().tags;
    assert_eq!(tags, ["a/b:1", "a/b:2", "c/d:3"]);
    let args = resolve(&[], &[("INPUT_BUILD-ARGS", "A=1,2\n\"B=x\ny \"\"z\"\"\"\nC=say \"hi\"")]).unwrap().build_args;
    assert_eq!(args, ["A=1,2", "B=x\ny \"z\"", "C=say \"hi\""]);
    assert_eq!(resolve(&[("tags", "a:1"), ("tags", "b:1,c:1")], &[]).unwrap().tags, ["a:1", "b:1", "c:1"]);
}

#[test]
fn mistakes_are_told_together_under_the_name_the_user_wrote() {
    let failure =
        resolve(&[("push", "perhaps")], &[("INPUT_LOAD", "si"), ("STAGEFREIGHT_SECRETS", "\"A=1")]).unwrap_err();
    let said: Vec<_> = failure.problems.iter().map(|p| p.what.as_str()).collect();
    assert_eq!(
        said,
        [
            "STAGEFREIGHT_SECRETS: a double quote is opened and never closed",
            "--push is neither true nor false",
            "INPUT_LOAD is neither true nor false",
        ]
    );
    assert_eq!(failure.kind.exit_code(), 2);
}

#[test]
fn secret_values_stay_unseen() {
    let inputs = resolve(&[], &[("INPUT_SECRETS", "token=hunter2")]).unwrap();
    assert_eq!(inputs.secrets[0].reveal(), "token=hunter2");
    assert!(!format!("{inputs:?}").contains("hunter2"));
}
