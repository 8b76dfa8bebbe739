use std::collections::BTreeSet;
use std::time::Duration;

use rstest::rstest;

use super::judge::{Answer, Seen, Trial, deletes_by_specification, trial};
use super::*;
use crate::backend::builder::Driver;
use crate::buildx::argv::tests::step;
use crate::buildx::reach::Reach;
use crate::outcome::BuilderFacts;
use crate::plan::TargetPlan;
use crate::registry::{Attempt, Fault, Grant, Provider, RegistryError};

fn subject() -> Subject {
    Subject::Registry { target: "t".into(), repository: "reg.example.com/team/app".into() }
}

fn seen<'a>(subject: &'a Subject, provider: Provider, login: Option<&'a str>) -> Seen<'a> {
    Seen { subject, place: "reg.example.com/team/app", provider, login }
}

fn error(fault: Fault) -> RegistryError {
    let attempt = Attempt {
        registry: "reg.example.com".into(),
        repository: "team/app".into(),
        doing: "logging in to".into(),
        login: Some("HUB_TOKEN".into()),
        needs: None,
    };
    RegistryError { attempt: Box::new(attempt), fault }
}

fn told(actions: &[&str]) -> Grant {
    Grant::Told(actions.iter().map(|action| (*action).to_owned()).collect::<BTreeSet<_>>())
}

fn states(checks: &[Check]) -> Vec<(Aspect, State)> {
    checks.iter().map(|check| (check.aspect, check.state)).collect()
}

#[rstest]
#[case(Fault::Refused, Aspect::Reachable, State::Failed)]
#[case(Fault::Dns("no such host".into()), Aspect::Reachable, State::Failed)]
#[case(Fault::Tls("unknown issuer".into()), Aspect::Reachable, State::Failed)]
#[case(Fault::Unreachable("no route".into()), Aspect::Reachable, State::Failed)]
#[case(Fault::Unauthorized("wrong password".into()), Aspect::Login, State::Failed)]
#[case(Fault::Denied("suspended".into()), Aspect::Login, State::Failed)]
#[case(Fault::Timeout(Duration::from_secs(3)), Aspect::Reachable, State::Unknown)]
#[case(Fault::TooManyRequests { retry_after: None }, Aspect::Reachable, State::Unknown)]
#[case(Fault::Server { status: 503, message: String::new(), retry_after: None }, Aspect::Reachable, State::Unknown)]
#[case(Fault::Broken("reset".into()), Aspect::Reachable, State::Unknown)]
#[case(Fault::NotFound, Aspect::Reachable, State::Unknown)]
#[case(Fault::Protocol("gave no token".into()), Aspect::Reachable, State::Unknown)]
#[case(Fault::Rejected { status: 400, message: String::new() }, Aspect::Reachable, State::Unknown)]
fn what_is_said_at_the_door(#[case] fault: Fault, #[case] aspect: Aspect, #[case] state: State) {
    let subject = subject();
    let checks = seen(&subject, Provider::Generic, Some("HUB_TOKEN")).door(&Some(Err(error(fault))));
    let last = checks.last().unwrap();
    assert_eq!((last.aspect, last.state), (aspect, state));
    assert!(last.cure.is_some());
}

#[test]
fn a_login_that_was_not_asked_for_was_not_tried() {
    let subject = subject();
    let door = |login, grant| {
        let checks = seen(&subject, Provider::Generic, login).door(&Some(Ok(grant)));
        assert_eq!((checks[0].aspect, checks[0].state), (Aspect::Reachable, State::Ok));
        checks[1].state
    };
    assert_eq!(door(Some("HUB_TOKEN"), Grant::NotAsked), State::Unknown);
    assert_eq!(door(Some("HUB_TOKEN"), Grant::Untold), State::Ok);
    assert_eq!(door(Some("HUB_TOKEN"), told(&["pull"])), State::Ok);
    assert_eq!(door(None, Grant::NotAsked), State::NotNeeded);
    let silent = seen(&subject, Provider::Generic, None).door(&None);
    assert_eq!(states(&silent), [(Aspect::Reachable, State::Unknown)]);
}

#[rstest]
#[case(Provider::DockerHub, told(&["pull", "push"]), Some(State::Ok))]
#[case(Provider::DockerHub, told(&["pull"]), Some(State::Failed))]
#[case(Provider::DockerHub, told(&["*"]), Some(State::Ok))]
#[case(Provider::DockerHub, told(&[]), Some(State::Failed))]
// A project that is not there gives no rights, and a run makes it.
#[case(Provider::Harbor, told(&[]), Some(State::Unknown))]
#[case(Provider::Harbor, told(&["push"]), Some(State::Ok))]
#[case(Provider::Ghcr, Grant::Untold, None)]
#[case(Provider::Generic, Grant::NotAsked, None)]
fn what_a_token_says_of_pushing(#[case] provider: Provider, #[case] grant: Grant, #[case] state: Option<State>) {
    let subject = subject();
    for login in [Some("HUB_TOKEN"), None] {
        let check = seen(&subject, provider, login).grant(&grant);
        assert_eq!(check.as_ref().map(|check| check.state), state);
        let failed = check.filter(|check| check.state == State::Failed);
        assert!(failed.is_none_or(|check| check.cure.unwrap().contains(login.unwrap_or("credentials:"))));
    }
}

#[test]
fn uploads_are_tried_only_where_that_leaves_nothing() {
    use Provider::*;
    assert_eq!(trial(Gitea), Trial::Upload);
    assert_eq!(trial(Generic), Trial::UploadIfThere);
    for provider in [DockerHub, Ghcr, GitLab, Jfrog, Harbor, Quay, Ecr, Gar, Acr] {
        assert_eq!(trial(provider), Trial::Never, "{provider:?}");
    }
}

#[rstest]
#[case(None, State::Unknown)]
#[case(Some(Ok(())), State::Ok)]
#[case(Some(Err(error(Fault::Unauthorized(String::new())))), State::Failed)]
#[case(Some(Err(error(Fault::Denied(String::new())))), State::Failed)]
#[case(Some(Err(error(Fault::Unsupported(String::new())))), State::Unknown)]
#[case(Some(Err(error(Fault::NameUnknown))), State::Unknown)]
#[case(Some(Err(error(Fault::Broken(String::new())))), State::Unknown)]
fn what_an_upload_tells(#[case] answer: Answer<()>, #[case] state: State) {
    let subject = subject();
    assert_eq!(seen(&subject, Provider::Generic, None).upload(&answer).state, state);
}

#[rstest]
#[case(Some(Ok(())), State::Ok, State::Ok)]
#[case(Some(Err(error(Fault::Unsupported("disabled".into())))), State::NotNeeded, State::Failed)]
#[case(Some(Err(error(Fault::Denied("no".into())))), State::NotNeeded, State::Failed)]
#[case(Some(Err(error(Fault::Timeout(Duration::ZERO)))), State::Unknown, State::Unknown)]
#[case(None, State::Unknown, State::Unknown)]
fn deletes_matter_to_retention_alone(#[case] answer: Answer<()>, #[case] spare: State, #[case] needed: State) {
    let subject = subject();
    let seen = seen(&subject, Provider::Generic, None);
    assert_eq!(seen.deletes(&answer, false).state, spare);
    assert_eq!(seen.deletes(&answer, true).state, needed);
}

#[test]
fn vendors_with_an_api_of_their_own_are_not_tried() {
    let subject = subject();
    let seen = seen(&subject, Provider::DockerHub, None);
    assert!(!deletes_by_specification(Provider::DockerHub) && deletes_by_specification(Provider::Harbor));
    assert_eq!(seen.deletes_elsewhere(true).state, State::Unknown);
    assert_eq!(seen.deletes_elsewhere(false).state, State::NotNeeded);
}

#[test]
fn missing_referrers_are_no_fault() {
    let subject = subject();
    let seen = seen(&subject, Provider::Generic, None);
    assert_eq!(seen.referrers(&Some(Ok(true))).state, State::Ok);
    assert_eq!(seen.referrers(&Some(Ok(false))).state, State::Ok);
    assert_eq!(seen.referrers(&Some(Err(error(Fault::NameUnknown)))).state, State::Unknown);
    assert_eq!(seen.referrers(&None).state, State::Unknown);
}

#[test]
fn a_run_is_stopped_by_what_fails_and_told_the_rest() {
    let check = |aspect, state, cure: Option<&str>| {
        let check = Check::new(&subject(), aspect, state, format!("{aspect:?}"));
        Check { cure: cure.map(str::to_owned), ..check }
    };
    let unknown = [check(Aspect::Push, State::Unknown, Some("c")), check(Aspect::Login, State::NotNeeded, None)];
    assert_eq!(verdict(&unknown), Verdict::default());
    // Keeping order in a registry does not stop a publication.
    let soft = [check(Aspect::Deletes, State::Failed, Some("c")), check(Aspect::Platforms, State::Ok, Some("slow"))];
    let said = verdict(&soft);
    assert_eq!(said.failure, None);
    assert_eq!(said.notes.iter().map(|n| n.what.as_str()).collect::<Vec<_>>(), ["Deletes", "Platforms"]);
    let hard = [check(Aspect::Push, State::Failed, Some("c")), check(Aspect::Reachable, State::Failed, None)];
    let failure = verdict(&hard).failure.unwrap();
    assert_eq!((failure.kind, failure.problems.len()), (FailureKind::Credentials, 2));
    assert_eq!(failure.problems[0].hint.as_deref(), Some("c"));
}

#[rstest]
#[case("linux/amd64", State::Ok, false)]
#[case("linux/amd64/v1", State::Ok, false)]
#[case("linux/386", State::Ok, false)]
#[case("linux/arm64", State::Ok, true)]
#[case("linux/arm64/v8", State::Ok, true)]
#[case("linux/s390x", State::Unknown, true)]
#[case("windows/amd64", State::Unknown, true)]
fn platforms_are_native_or_emulated_or_not_named(#[case] wanted: &str, #[case] state: State, #[case] cure: bool) {
    let platforms = ["linux/amd64", "linux/amd64/v2", "linux/arm64", "linux/386"].map(str::to_owned).to_vec();
    let facts = BuilderFacts { platforms, ..BuilderFacts::default() };
    let mut step = step();
    step.platforms = vec![wanted.to_owned()];
    let checks = builder::platforms(&[step.clone()], &facts);
    assert_eq!(states(&checks), [(Aspect::Platforms, state)]);
    assert_eq!(checks[0].cure.is_some(), cure);
    let silent = builder::platforms(&[step.clone()], &BuilderFacts::default());
    assert_eq!(states(&silent), [(Aspect::Platforms, State::Unknown)]);
    step.platforms.clear();
    assert_eq!(builder::platforms(&[step], &BuilderFacts::default()), []);
}

#[test]
fn an_arm_machine_runs_its_own_kind() {
    let facts = BuilderFacts { platforms: vec!["linux/arm64".into(), "linux/arm/v7".into()], ..Default::default() };
    let mut step = step();
    step.platforms = vec!["linux/arm/v7".into(), "linux/arm64/v8".into()];
    let checks = builder::platforms(&[step], &facts);
    assert!(checks.iter().all(|check| check.state == State::Ok && !check.is_warning()), "{checks:?}");
}

#[test]
fn only_the_engines_own_builder_is_known_to_refuse_outputs() {
    let mut step = step();
    (step.sbom, step.provenance) = ("true".into(), "mode=max".into());
    step.cache_to = vec!["type=registry,ref=r/c".into()];
    step.platforms = vec!["linux/amd64".into(), "linux/arm64".into()];
    let steps = [step];
    assert_eq!(builder::outputs(&steps, Driver::Remote, false), []);
    assert_eq!(builder::outputs(&steps, Driver::Container, true), []);
    assert_eq!(builder::outputs(&steps, Driver::Engine, false).len(), 3);
    assert_eq!(builder::outputs(&steps, Driver::Engine, true).len(), 1);
    let mut plain = steps[0].clone();
    (plain.sbom, plain.provenance) = ("false".into(), "false".into());
    plain.cache_to = vec!["type=inline".into()];
    plain.platforms = vec!["linux/amd64".into()];
    assert_eq!(builder::outputs(&[plain], Driver::Engine, false), []);
}

#[rstest]
#[case("reg.example.com", Reach::Reached, false, State::Ok)]
#[case("reg.example.com", Reach::Untrusted("x509: unknown authority".into()), false, State::Failed)]
#[case("reg.example.com", Reach::Untrusted("x509: unknown authority".into()), true, State::Ok)]
#[case("reg.example.com:5000", Reach::Unreached("connection refused".into()), true, State::Failed)]
// Plain http: the question went to port 443.
#[case("reg.example.com", Reach::Unreached("connection refused".into()), true, State::Unknown)]
#[case("reg.example.com", Reach::Unreached("no such host".into()), true, State::Failed)]
#[case("reg.example.com", Reach::Unclear("i/o timeout".into()), false, State::Unknown)]
fn what_the_builder_says_of_a_registry(
    #[case] host: &str,
    #[case] reach: Reach,
    #[case] insecure: bool,
    #[case] state: State,
) {
    let repository = format!("{host}/team/app").parse().unwrap();
    let (tags, moving) = (Vec::new(), Vec::new());
    let target = TargetPlan {
        id: "t".into(),
        repository,
        provider: Provider::Generic,
        tags,
        moving,
        scan: false,
        credentials: None,
    };
    let check = builder::judge(&target, &reach, insecure);
    assert_eq!((check.aspect, check.state), (Aspect::FromBuilder, state), "{}", check.says);
}
