//! Tables of what is judged and read; whole workflows are judged in `tests/moving`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::edit::{Edit, apply, item};
use super::expression::{Piece, parse, pieces};
use super::value::Judge;
use super::world::{Ref, Run, World};
use super::{cloud, metadata, migrate, names};
use crate::runner::EventKind;

fn world() -> World {
    World { runs: Vec::new(), default_branch: "main".to_owned(), v_tags: true, early: false, unread: Vec::new() }
}

/// Main, another branch, a release, a pull request: `+` holds, `-` does not, `?` is unknown.
#[rstest]
#[case("github.event_name != 'pull_request'", "+++-")]
#[case("github.event_name == 'push' && github.ref == 'refs/heads/main'", "+---")]
#[case("${{ github.ref_name == github.event.repository.default_branch }}", "+--?")]
#[case("startsWith(github.ref, 'refs/tags/')", "--+-")]
#[case("startsWith(github.ref, 'refs/tags/v')", "--+-")]
#[case("startsWith(github.ref, 'refs/tags/v1')", "--?-")]
#[case("!(github.event_name == 'pull_request' || startsWith(github.ref, 'refs/tags/'))", "++--")]
#[case("github.ref == format('refs/heads/{0}', 'main')", "+---")]
#[case("github.ref_type == 'tag'", "--+-")]
#[case("github.actor != 'dependabot[bot]'", "????")]
#[case("github.actor != 'x' && github.event_name != 'pull_request'", "???-")]
#[case("github.event_name == 'pull_request' || github.actor == 'x'", "???+")]
#[case("github.event.pull_request.head.repo.fork == false", "????")]
#[case("env.PUBLISH == 'yes'", "++++")]
#[case("env.UNKNOWN == 'yes'", "????")]
#[case("always()", "++++")]
#[case("contains(github.event.head_commit.message, '[ci]')", "????")]
#[case("toJSON(github) ==", "????")]
#[case("'it''s' == 'IT''S'", "++++")]
#[case("", "????")]
fn conditions_are_judged_for_each_kind_of_run(#[case] condition: &str, #[case] expected: &str) {
    let world = world();
    let env = BTreeMap::from([("PUBLISH".to_owned(), "yes".to_owned())]);
    let judge = Judge { world: &world, env: &env, outputs: BTreeMap::new(), carried: BTreeMap::new() };
    let runs = [
        (EventKind::Push, Ref::Branch("main".to_owned())),
        (EventKind::Push, Ref::OtherBranch),
        (EventKind::Tag, Ref::Release),
        (EventKind::PullRequest, Ref::Pull),
    ];
    let judged = runs.map(|(event, reference)| match judge.holds(condition, &Run { event, reference }) {
        Some(true) => '+',
        Some(false) => '-',
        None => '?',
    });
    assert_eq!(judged.iter().collect::<String>(), expected);
}

#[rstest]
#[case("ghcr.io/${{ github.repository }}:${{ github.sha }}", "ghcr.io/{env:GITHUB_REPOSITORY}:{sha:40}", &[])]
#[case("${{ env.IMAGE }}:x", "acme/{env:OWNER}:x", &["OWNER=${{ vars.OWNER }}"])]
#[case("a:${{ inputs.tag }}-${{ inputs.tag }}", "a:{env:FROM_INPUTS_TAG}-{env:FROM_INPUTS_TAG}", &["FROM_INPUTS_TAG=${{ inputs.tag }}"])]
#[case("a:${{ fromJSON(steps.x.outputs.y)[0] }}", "a:{env:FROM_EXPRESSION}", &["FROM_EXPRESSION=${{ fromJSON(steps.x.outputs.y)[0] }}"])]
#[case("a:${{ github.event_name == 'push' && 'yes' || 'no' }}", "a:yes", &[])]
#[case("a:${{ never closed", "a:${{ never closed", &[])]
#[case("a:${{ env.LOOP }}", "a:", &[])]
fn what_only_the_job_knows_goes_through_a_variable(
    #[case] text: &str,
    #[case] expected: &str,
    #[case] carried: &[&str],
) {
    let world = world();
    let env = [("IMAGE", "acme/${{ vars.OWNER }}"), ("LOOP", "${{ env.LOOP }}")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut judge = Judge { world: &world, env: &env, outputs: BTreeMap::new(), carried: BTreeMap::new() };
    let made = judge.template(text, &Run { event: EventKind::Push, reference: Ref::Branch("main".to_owned()) });
    if text.contains("LOOP") {
        // It ends, whatever it ends in.
        assert!(made.starts_with(expected) && made.len() < 200, "{made}");
        return;
    }
    assert_eq!(made, expected);
    let told: Vec<String> = judge.carried.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(told, carried);
}

#[rstest]
#[case("acme/app", &[], Some(("docker.io", "acme/app")))]
#[case("GHCR.io/Acme/App", &[], Some(("ghcr.io", "acme/app")))]
#[case("localhost/app", &[], Some(("localhost", "app")))]
#[case("host:5000/a/b", &[], Some(("host:5000", "a/b")))]
#[case("{env:FIRST}/app", &[], None)]
#[case("{env:FIRST}.azurecr.io/app", &[], None)]
#[case("{env:ALL}", &[], None)]
#[case("x{env:ALL}", &[], None)]
#[case("acme/{env:APP}", &[], Some(("docker.io", "acme/{env:APP}")))]
#[case("{env:REGISTRY}/team/app", &["{env:REGISTRY}"], Some(("{env:REGISTRY}", "team/app")))]
#[case("registry-1.docker.io/acme/app", &[], Some(("docker.io", "acme/app")))]
#[case("ghcr.io/", &[], None)]
#[case("ghcr.io/a b", &[], None)]
#[case("ghcr.io/a//b", &[], None)]
#[case("", &[], None)]
fn names_are_taken_apart(#[case] name: &str, #[case] hosts: &[&str], #[case] expected: Option<(&str, &str)>) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let found = names::repository("", name, &names::Places { hosts, users: Vec::new() });
    assert_eq!(found.as_ref().ok().map(|(url, path)| (url.as_str(), path.as_str())), expected);
}

#[rstest]
#[case("${{ secrets.HUB }}/app", true)]
#[case("${{secrets.HUB}}/app", true)]
#[case("${{ secrets.HUBS }}/app", false)]
#[case("${{ secrets.HUB }}", false)]
#[case("x${{ secrets.HUB }}/app", false)]
fn a_user_who_logs_in_to_docker_hub_is_no_registry(#[case] written: &str, #[case] expected: bool) {
    let places = names::Places { hosts: Vec::new(), users: vec!["${{secrets.HUB}}".to_owned()] };
    let found = names::repository(written, "{env:HUB}/app", &places);
    let hub = Ok(("docker.io".to_owned(), "{env:HUB}/app".to_owned()));
    assert_eq!(found, if expected { hub } else { Err(names::Untold::Registry) });
}

#[rstest]
#[case("123456789012.dkr.ecr.eu-central-1.amazonaws.com", true)]
#[case("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", true)]
#[case("123456789012.dkr-ecr.us-east-1.on.aws", true)]
#[case("public.ecr.aws", true)]
#[case("123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example", false)]
#[case("1234.dkr.ecr.us-east-1.amazonaws.com", false)]
#[case("ghcr.io", false)]
#[case("{env:FROM_STEPS_ECR_OUTPUTS_REGISTRY}", false)]
fn registries_of_amazon_are_known_by_name(#[case] host: &str, #[case] expected: bool) {
    assert_eq!(cloud::is_ecr(host), expected);
}

#[test]
fn fields_are_split_outside_of_expressions_and_quotes() {
    let fields =
        metadata::split("type=raw,value=a,enable=${{ format('{0},{1}', a, b) }},\"x,y\",pattern={{date 'YYYY,MM'}}");
    assert_eq!(
        fields,
        ["type=raw", "value=a", "enable=${{ format('{0},{1}', a, b) }}", "x,y", "pattern={{date 'YYYY,MM'}}"]
    );
    assert_eq!(names::tagged("{env:A}/b:{sha:40}"), ("{env:A}/b".to_owned(), vec!["{sha:40}".to_owned()]));
    assert_eq!(names::tagged("host:5000/b"), ("host:5000/b".to_owned(), vec!["latest".to_owned()]));
    assert_eq!(pieces("a${{ b }}c"), [Piece::Literal("a"), Piece::Expression("b"), Piece::Literal("c")]);
    assert_eq!(parse(&"(".repeat(10_000)), None);
    assert_eq!(parse(&"!".repeat(4_000)), None);
}

#[test]
fn only_the_lines_of_an_edit_change() {
    let text = "a\r\nb\r\nc\r\n";
    let edit = |from, until, lines: &[&str]| Edit {
        from,
        until,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(apply(text, vec![edit(2, 2, &["x", "y"])]), "a\r\nx\r\ny\r\nc\r\n");
    assert_eq!(apply("a\nb", vec![edit(2, 1, &["x"]), edit(2, 2, &[])]), "a\nx\n");
    assert_eq!(apply("a\nb\n", vec![edit(1, 2, &["x"]), edit(2, 2, &["lost"])]), "x\n");
    let lines =
        ["steps:", "  -", "    # why", "    name: x", "    run: |", "      y", "", "      z", "", "  - name: b"];
    let found = item(&lines, 4).unwrap();
    assert_eq!((found.first, found.dash, found.last), (2, 2, 8));
    assert_eq!(item(&["a: [", "x", "]"], 2), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_a_workflow_holds_breaks_it(
        text in "(\\$\\{\\{|\\}\\}|\\{\\{|'|\"|,|:|=|-| |\\n  |\\n        |type=raw|value|github\\.ref|images|tags|[a-z/]{1,4}){0,40}",
    ) {
        let block = text.replace('\n', "\n            ");
        let workflow = format!(
            "on: push\njobs:\n  a:\n    steps:\n      - id: m\n        uses: docker/metadata-action@v5\n        with:\n          images: a/b\n          tags: |\n            {block}\n      - uses: docker/build-push-action@v6\n        with:\n          push: true\n          tags: ${{{{ steps.m.outputs.tags }}}}\n          build-args: |\n            {block}\n"
        );
        if let Ok(made) = migrate(&workflow, "w.yml", None) {
            prop_assert!(made.workflow.contains("stagefreight/action@v1"));
            let loads = made.config.as_ref().is_some_and(|config| crate::config::load(config, "c").is_ok());
            prop_assert!(loads, "{:?}\n{}", made.config, made.report);
        }
    }
}
