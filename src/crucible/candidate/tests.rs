use super::*;

#[test]
fn only_stagefreight_is_stagefreight() {
    let ours = crate::cli::version_json().to_string();
    assert_eq!(version(ours.as_bytes()).as_deref(), Ok(crate::cli::version_line()));
    let table = [
        ("", "nothing"),
        ("  \n", "nothing"),
        ("BusyBox v1.36", "`BusyBox v1.36`"),
        (r#"{"name":"other","version":"1"}"#, r#"`{"name":"other","version":"1"}`"#),
        (r#"{"name":"stagefreight"}"#, r#"`{"name":"stagefreight"}`"#),
        (r#"["stagefreight","1"]"#, r#"`["stagefreight","1"]`"#),
    ];
    for (answer, answered) in table {
        assert_eq!(version(answer.as_bytes()), Err(answered.to_owned()));
    }
    assert!(version(&[0xff; 4096]).unwrap_err().chars().count() < 300);
}

#[test]
fn another_program_is_a_mistake_of_the_configuration() {
    let failure = not_ours("app", "/bin/tool", "`tool 1`");
    assert_eq!(failure.kind, FailureKind::Config);
    insta::assert_snapshot!(failure.problems[0].what, @"build app: crucible.runner: candidate needs an image that contains StageFreight, and /bin/tool in it, asked `version --format json`, answered `tool 1`");
    assert!(failure.problems[0].hint.is_some());
}

#[test]
fn a_crucible_starts_no_crucible() {
    let plain = crate::buildx::argv::tests::step();
    let crucible = Step { crucible: Some(crate::plan::CruciblePlan::default()), ..plain.clone() };
    let vars = |value: &str| Vars::from_iter([(handover::GUARD.to_owned(), value.to_owned())]);
    for (steps, guard, refused) in [
        (vec![plain.clone()], "1", false),
        (vec![crucible.clone()], "", false),
        (vec![plain, crucible.clone()], "1", true),
        (vec![crucible], "anything", true),
    ] {
        assert_eq!(refuse_nested(&steps, &vars(guard)).is_err(), refused, "{guard}");
    }
}

#[test]
fn what_no_container_can_be_given_is_refused_at_once() {
    let plan = crate::plan::CruciblePlan { runner: CrucibleRunner::Candidate, ..Default::default() };
    let step = Step { crucible: Some(plan), ..crate::buildx::argv::tests::step() };
    let agent = Step { ssh: vec!["default".into()], ..step.clone() };
    let rebuild = Step { crucible: Some(crate::plan::CruciblePlan::default()), ..agent.clone() };
    let admitted = |step: &Step, driver, root: &str| admit(std::slice::from_ref(step), driver, Path::new(root)).is_ok();
    let bare = Step { ssh: Vec::new(), ..step };
    assert!(admitted(&bare, Driver::Container, "/work/app") && admitted(&bare, Driver::Remote, "/usr/src/app"));
    assert!(!admitted(&bare, Driver::Engine, "/usr/src/app"));
    assert!(!admitted(&agent, Driver::Container, "/work/app") && admitted(&agent, Driver::Remote, "/work/app"));
    assert!(admitted(&rebuild, Driver::Container, "/usr/src/app"));
}
