//! Workflows that mean more than their lines say: what is written for each, and what is told. Nothing may become silent.

use rstest::rstest;

use crate::support::Repository;

/// A workflow of one job, `b`, with a step of metadata-action and a build that takes all of it.
fn with_metadata(on: &str, env: &str, inputs: &str) -> String {
    format!(
        "on: {on}\njobs:\n  b:\n    steps:\n      - uses: actions/checkout@v4\n      - id: meta\n        uses: docker/metadata-action@v5\n{env}        with:\n          images: ghcr.io/acme/app\n{inputs}      - uses: docker/build-push-action@v6\n        with:\n          context: .\n          push: true\n          tags: ${{{{ steps.meta.outputs.tags }}}}\n          labels: ${{{{ steps.meta.outputs.labels }}}}\n          annotations: ${{{{ steps.meta.outputs.annotations }}}}\n"
    )
}

/// A workflow of one job with these steps before the build, and this tag.
fn with_steps(on: &str, job: &str, steps: &str, tag: &str) -> String {
    format!(
        "on: {on}\njobs:\n  b:\n{job}    steps:\n{steps}      - uses: docker/build-push-action@v6\n        with:\n          context: .\n          push: true\n          tags: {tag}\n"
    )
}

/// Moves it. Returns the exit code and what was said.
fn moved(workflow: &str) -> (i32, String) {
    let made = Repository::new(&[("Dockerfile", "FROM scratch\n")]);
    made.write("w.yml", workflow);
    let (code, out, err) = made.run(&["migrate", "w.yml"]);
    (code, out + &err)
}

#[rstest]
#[case("semver", "^api-v(.*)$")]
#[case("pep440", "api-(.*)")]
fn a_match_of_its_own_is_not_left_out_in_silence(#[case] kind: &str, #[case] pattern: &str) {
    let inputs = format!("          tags: type={kind},pattern={{{{version}}}},match={pattern}\n");
    let (code, said) = moved(&with_metadata("{push: {tags: ['api-v*']}}", "", &inputs));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("w.yml:10: `type={kind},match={pattern}` is left out")), "{said}");
    assert!(said.contains("do: use `{version:SCOPE}` for tags SCOPE-v1.2.3"), "{said}");
    assert!(!said.contains("\ntargets:"), "{said}");
}

#[rstest]
#[case("failure()")]
#[case("${{ cancelled() }}")]
#[case("failure() && github.event_name == 'push'")]
fn a_build_after_a_failure_publishes_as_it_did(#[case] condition: &str) {
    let build = |condition: &str, tag: &str| {
        format!(
            "      - uses: docker/build-push-action@v6\n{condition}        with:\n          context: .\n          push: true\n          tags: ghcr.io/acme/app:{tag}\n"
        )
    };
    let condition = format!("        if: {condition}\n");
    let head = "on: {push: {branches: [main]}}\njobs:\n  b:\n    steps:\n      - uses: actions/checkout@v4\n";
    let (code, said) = moved(&format!("{head}{}", build(&condition, "debug")));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&condition) && said.contains("    tags: [debug]\n"), "{said}");
    // Beside a build that always runs, neither publishes for the other.
    let (code, said) = moved(&format!("{head}{}{}", build(&condition, "debug"), build("", "latest")));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("    build: app\n    url: ghcr.io\n    path: acme/app\n    tags: [debug]\n"), "{said}");
    assert!(said.contains("    build: app-2\n    url: ghcr.io\n    path: acme/app\n    tags: [latest]\n"), "{said}");
    assert!(said.contains("          build-id: app\n") && said.contains("          build-id: app-2\n"), "{said}");
}

#[rstest]
#[case("{path: src}", Some("a run looks for .stagefreight.yml in the workspace's root alone"))]
#[case("{repository: acme/other, ref: v2}", Some("it builds another repository"))]
#[case("{path: .}", None)]
#[case("{repository: '${{ github.repository }}'}", None)]
fn a_checkout_that_lies_elsewhere_keeps_its_job_as_it_is(#[case] inputs: &str, #[case] why: Option<&str>) {
    let checkout = format!("      - uses: actions/checkout@v4\n        with: {inputs}\n");
    let workflow = with_steps("{push: {branches: [main]}}", "", &checkout, "ghcr.io/acme/app:latest");
    let (code, said) = moved(&workflow);
    assert_eq!(code, if why.is_some() { 2 } else { 0 }, "{said}");
    if let Some(why) = why {
        assert!(said.contains("w.yml:5: the job `b` stays as it is: ") && said.contains(why), "{said}");
    }
    // Beside one of this repository, in the root, it takes nothing away.
    let (code, said) = moved(&workflow.replace(
        "    steps:\n",
        "    steps:\n      - uses: actions/checkout@v4\n      - uses: actions/checkout@v4\n        with: {repository: acme/lib, path: lib}\n",
    ));
    assert_eq!(code, if why.is_some_and(|why| why.contains("another")) { 2 } else { 0 }, "{said}");
}

#[test]
fn expressions_of_labels_become_templates_or_are_told() {
    let inputs = "          tags: type=ref,event=branch\n          labels: |\n            org.opencontainers.image.created={{commit_date 'YYYY-MM-DDTHH:mm:ss.SSS[Z]'}}\n            build.branch={{branch}}\n            build.day={{commit_date 'YYYY-MM-DD' tz='Asia/Tokyo'}}\n            build.team=core\n          annotations: |\n            manifest:build.commit={{sha}}\n";
    let (code, said) = moved(&with_metadata("{push: {branches: [main]}}", "", inputs));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("    labels:\n      build.branch: \"{branch}\"\n      build.team: core\n"), "{said}");
    assert!(said.contains("w.yml:12: `org.opencontainers.image.created` is gone: the run sets it"), "{said}");
    assert!(
        said.contains("w.yml:14: `build.day={{commit_date 'YYYY-MM-DD' tz='Asia/Tokyo'}}` is left out of the labels")
    );
    assert!(said.contains("w.yml:17: `manifest:build.commit={{sha}}` is left out of the annotations"), "{said}");
    let written = &said[said.find("# ---- w.yml").unwrap()..];
    assert!(!written.contains("{{branch}}") && !written.contains("{{commit_date"), "{said}");
    // A run for a git tag has no branch.
    let inputs = "          labels: build.branch={{branch}}\n";
    let (code, said) = moved(&with_metadata("push", "", inputs));
    assert!(code == 1 && said.contains("`build.branch={{branch}}` is left out of the labels"), "{said}");
}

#[rstest]
#[case("        env: {DOCKER_METADATA_SHORT_SHA_LENGTH: 12}\n", "push", 0, "sha-{sha:12}\", \"{branch}-{sha:12}\"")]
#[case("        env: {DOCKER_METADATA_SHORT_SHA_LENGTH: '${{ vars.N }}'}\n", "push", 1, "sha-{sha:7}\"")]
#[case(
    "        env: {DOCKER_METADATA_PR_HEAD_SHA: 'true'}\n",
    "pull_request",
    1,
    "`DOCKER_METADATA_PR_HEAD_SHA` is not carried over"
)]
#[case("        env: {DOCKER_METADATA_PR_HEAD_SHA: 'false'}\n", "pull_request", 0, "sha-{sha:7}\"")]
fn variables_of_metadata_action_are_minded(
    #[case] env: &str,
    #[case] on: &str,
    #[case] expected: i32,
    #[case] words: &str,
) {
    let branch = if on == "push" { "            type=raw,value={{branch}}-{{sha}},priority=1\n" } else { "" };
    let on = if on == "push" { "{push: {branches: [main]}}" } else { on };
    let inputs = format!("          tags: |\n            type=sha\n{branch}");
    let workflow = with_metadata(on, env, &inputs);
    let (code, said) = moved(&workflow);
    assert_eq!(code, expected, "{said}");
    assert!(said.contains(words), "{said}");
    // The same from the job's and the workflow's `env`.
    let own = env.trim();
    for (place, pad) in [("    steps:\n", "    "), ("jobs:\n", "")] {
        let (code, said) = moved(&workflow.replace(env, "").replace(place, &format!("{pad}{own}\n{place}")));
        assert_eq!(code, expected, "{said}");
        assert!(said.contains(words), "{said}");
    }
}

const MAIN: &str = "{push: {branches: [main]}}";
const MATRIX: &str = "    strategy: {matrix: {image: [api, web], node: [18, 20], os: [linux]}}\n";

#[rstest]
#[case::version("ghcr.io/acme/app:1.2.3", MAIN, "", true)]
#[case::version_with_more("ghcr.io/acme/app:v1.2.3-alpine", MAIN, "", true)]
#[case::version_at_a_git_tag("ghcr.io/acme/app:1.2.3", "{push: {tags: ['v*']}}", "", false)]
#[case::series("ghcr.io/acme/app:1.2", MAIN, "", false)]
#[case::commit("ghcr.io/acme/app:${{ github.sha }}", MAIN, "", false)]
#[case::timer(
    "ghcr.io/acme/app:${{ github.sha }}",
    "{push: {branches: [main]}, schedule: [{cron: '0 3 * * *'}]}",
    "",
    true
)]
#[case::by_hand("ghcr.io/acme/app:${{ github.sha }}", "{push: {branches: [main]}, workflow_dispatch: {}}", "", true)]
#[case::number_of_the_run(
    "ghcr.io/acme/app:${{ github.sha }}-${{ github.run_id }}",
    "{push: {branches: [main]}, workflow_dispatch: {}}",
    "",
    false
)]
#[case::matrix("ghcr.io/acme/app:${{ github.sha }}", MAIN, MATRIX, true)]
#[case::half_of_a_matrix("ghcr.io/acme/${{ matrix.image }}:${{ github.sha }}", MAIN, MATRIX, true)]
#[case::whole_matrix("ghcr.io/acme/${{ matrix.image }}:${{ matrix.node }}-${{ github.sha }}", MAIN, MATRIX, false)]
#[case::matrix_by_index(
    "ghcr.io/acme/${{ matrix['image'] }}:${{ matrix['node'] }}-${{ github.sha }}",
    MAIN,
    MATRIX,
    false
)]
#[case::a_longer_name(
    "ghcr.io/acme/${{ matrix.image_base }}:${{ github.sha }}",
    MAIN,
    "    strategy: {matrix: {image: [api, web], image_base: [a, b]}}\n",
    true
)]
#[case::included(
    "ghcr.io/acme/${{ matrix.name }}:${{ github.sha }}",
    MAIN,
    "    strategy: {matrix: {include: [{name: a, file: b}, {name: c, file: d}]}}\n",
    false
)]
#[case::unknown_matrix(
    "ghcr.io/acme/app:${{ github.sha }}",
    MAIN,
    "    strategy: {matrix: '${{ fromJSON(needs.a.outputs.b) }}'}\n",
    true
)]
fn tags_that_were_put_again_still_are(#[case] tag: &str, #[case] on: &str, #[case] job: &str, #[case] expected: bool) {
    let (code, said) = moved(&with_steps(on, job, "      - uses: actions/checkout@v4\n", tag));
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.contains("\npublish:\n  fixed_tags: replace\n"), expected, "{said}");
    let note =
        "several runs put one tag that names a commit or a version, so `publish: {fixed_tags: replace}` was written";
    assert_eq!(said.contains(note), expected, "{said}");
}
