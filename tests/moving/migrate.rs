//! The corpus of workflows: what each becomes is a snapshot; what it publishes is what metadata-action would have, by its documented
//! rules, written down here by hand.

use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::support::{Repository, validate};

/// What all workflows of the corpus build.
const FILES: &[(&str, &str)] = &[
    ("Dockerfile", "FROM scratch AS binaries\nFROM scratch AS production\n"),
    ("Dockerfile.alpine", "FROM scratch\n"),
    ("app/Dockerfile", "FROM scratch\n"),
    ("server/Dockerfile", "FROM scratch AS production\n"),
    ("docs/Dockerfile", "FROM scratch\n"),
];

fn corpus() -> Vec<PathBuf> {
    files_of("tests/corpus/migrate", 31)
}

fn files_of(directory: &str, least: usize) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut found: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    found.sort();
    assert!(found.len() >= least, "the corpus shrank");
    found
}

/// A repository with a workflow of the corpus.
fn repository(name: &str) -> Repository {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/migrate/{name}.yml")))
            .unwrap();
    let made = Repository::new(FILES);
    made.write(workflow(name), &text);
    made
}

/// Where a workflow of the corpus lies.
fn workflow(name: &str) -> &'static str {
    if name == "gitea" { ".gitea/workflows/docker.yml" } else { ".github/workflows/docker.yml" }
}

#[test]
fn each_workflow_becomes_what_its_snapshot_says() {
    for path in corpus() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let made = repository(name);
        let before = made.git(&["status", "--porcelain"]);
        let (code, out, err) = made.run(&["migrate", workflow(name)]);
        insta::assert_snapshot!(name, format!("exit code {code}\n{out}{err}"));
        assert_eq!(made.git(&["status", "--porcelain"]), before, "{name}: something was written without --write");
    }
}

#[test]
fn what_is_written_is_accepted_by_the_forges_own_validators() {
    for path in corpus() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let made = repository(name);
        let workflow = workflow(name);
        let (code, out, err) = made.run(&["migrate", workflow, "--write"]);
        if code == 2 {
            assert!(["digest-by-hand", "bake", "files-out"].contains(&name), "{name}: {err}");
            continue;
        }
        assert!(out.contains("wrote     .stagefreight.yml"), "{name}: {out}");
        validate(&made.root(), "check-jsonschema", &["--builtin-schema", "vendor.github-workflows", workflow]);
        // Gitea's own context is unknown to GitHub's linter; the action itself is not published where this test runs.
        if name != "gitea" {
            validate(&made.root(), "actionlint", &["-shellcheck=", "-pyflakes=", workflow]);
        }
        // The step's variables that the configuration reads; those of an `env:` are the runner's or the step's.
        let config = made.read(".stagefreight.yml");
        let vars = config.split("{env:").skip(1).filter_map(|part| Some((part.split_once('}')?.0, "some-value")));
        let (code, plan) = made.plan(&vars.collect::<Vec<_>>());
        assert_eq!(code, 0, "{name}: {plan}");
        // On a laptop, where none of these are: nothing is published, and nothing is missing but what a run by hand is told.
        if name != "secrets-and-args" {
            let (code, plan) = made.plan(&[]);
            assert_eq!(code, 0, "{name}: {plan}");
            assert!(!plan.contains("publish to"), "{name}: {plan}");
        }
        // A second time there is nothing left to move.
        assert_eq!(made.run(&["migrate", workflow]).0, 2, "{name}");
    }
}

#[test]
fn pipelines_of_gitlab_become_what_their_snapshots_say_and_stay_pipelines() {
    for path in files_of("tests/corpus/migrate/gitlab", 5) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let made = Repository::new(FILES);
        made.write(".gitlab-ci.yml", &std::fs::read_to_string(&path).unwrap());
        let (code, out, err) = made.run(&["migrate", ".gitlab-ci.yml"]);
        insta::assert_snapshot!(format!("gitlab-{name}"), format!("exit code {code}\n{out}{err}"));
        if made.run(&["migrate", ".gitlab-ci.yml", "--write"]).0 < 2 {
            let schema = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", ".gitlab-ci.yml"];
            validate(&made.root(), "check-jsonschema", &schema);
            assert!(!made.root().join(".stagefreight.yml").exists());
        }
    }
}

/// `SHA` and `SHA7` stand for the commit, `DAY` for today.
#[rstest]
#[case("hub-simple", "github-push", &[], &["docker.io/acme/website:latest"])]
#[case("ghcr-starter", "github-push", &[("GITHUB_REF", "refs/heads/release")], &["ghcr.io/acme/app:release"])]
#[case("semver-two-registries", "github-push", &[], &["docker.io/acme/app:main", "docker.io/acme/app:sha-SHA7", "ghcr.io/acme/app:main", "ghcr.io/acme/app:sha-SHA7"])]
#[case("semver-two-registries", "github-push", &[("GITHUB_REF", "refs/heads/release/2.x")], &["docker.io/acme/app:release-2.x", "docker.io/acme/app:sha-SHA7", "ghcr.io/acme/app:release-2.x", "ghcr.io/acme/app:sha-SHA7"])]
#[case("semver-two-registries", "github-tag", &[], &[
    "docker.io/acme/app:1", "docker.io/acme/app:1.4", "docker.io/acme/app:1.4.0", "docker.io/acme/app:latest", "docker.io/acme/app:sha-SHA7",
    "ghcr.io/acme/app:1", "ghcr.io/acme/app:1.4", "ghcr.io/acme/app:1.4.0", "ghcr.io/acme/app:latest", "ghcr.io/acme/app:sha-SHA7",
])]
#[case("semver-two-registries", "github-tag", &[("GITHUB_REF", "refs/tags/v0.9.1")], &[
    "docker.io/acme/app:0.9", "docker.io/acme/app:0.9.1", "docker.io/acme/app:latest", "docker.io/acme/app:sha-SHA7",
    "ghcr.io/acme/app:0.9", "ghcr.io/acme/app:0.9.1", "ghcr.io/acme/app:latest", "ghcr.io/acme/app:sha-SHA7",
])]
#[case("semver-two-registries", "github-tag", &[("GITHUB_REF", "refs/tags/v2.0.0-rc.1")], &[
    "docker.io/acme/app:2.0.0-rc.1", "docker.io/acme/app:sha-SHA7", "ghcr.io/acme/app:2.0.0-rc.1", "ghcr.io/acme/app:sha-SHA7",
])]
#[case("semver-two-registries", "github-pull-request", &[], &[])]
#[case("nightly", "github-schedule", &[], &["ghcr.io/acme/tool:DAY", "ghcr.io/acme/tool:edge", "ghcr.io/acme/tool:latest", "ghcr.io/acme/tool:nightly"])]
#[case("nightly", "github-push", &[], &["ghcr.io/acme/tool:edge", "ghcr.io/acme/tool:latest"])]
#[case("nightly", "github-tag", &[], &["ghcr.io/acme/tool:v1.4.0"])]
#[case("nightly", "github-dispatch", &[], &[])]
#[case("nightly", "github-dispatch", &[("GITHUB_REF", "refs/heads/main")], &["ghcr.io/acme/tool:edge", "ghcr.io/acme/tool:latest"])]
#[case("matrix", "github-push", &[("FROM_MATRIX_NAME", "api")], &["ghcr.io/acme/app/api:main", "ghcr.io/acme/app/api:sha-SHA"])]
#[case("matrix", "github-pull-request", &[("FROM_MATRIX_NAME", "api")], &[])]
#[case("two-jobs", "github-tag", &[], &["quay.io/acme/docs:latest", "quay.io/acme/docs:v1.4.0", "quay.io/acme/server:1.4", "quay.io/acme/server:1.4.0", "quay.io/acme/server:latest"])]
#[case("two-jobs", "github-tag", &[("GITHUB_REF", "refs/tags/v2.0.0-rc.1")], &["quay.io/acme/docs:latest", "quay.io/acme/docs:v2.0.0-rc.1", "quay.io/acme/server:2.0.0-rc.1"])]
#[case("load-then-push", "github-push", &[], &["docker.io/acme/app:SHA", "docker.io/acme/app:latest"])]
#[case("signed", "github-push", &[], &["ghcr.io/acme/app:main"])]
#[case("signed", "github-tag", &[], &["ghcr.io/acme/app:latest", "ghcr.io/acme/app:v1.4.0"])]
#[case("signed", "github-pull-request", &[], &[])]
#[case("signed-with-key", "github-release", &[], &["registry.example.com:5000/team/app:latest", "registry.example.com:5000/team/app:v1.4.0"])]
#[case("secrets-and-args", "github-push", &[], &["ghcr.io/acme/app:SHA", "ghcr.io/acme/app:main"])]
#[case("secrets-and-args", "github-dispatch", &[("FROM_INPUTS_TAG", "try-1")], &["ghcr.io/acme/app:try-1"])]
#[case("flavors", "github-push", &[("GITHUB_REF", "refs/heads/master")], &["docker.io/acme/app:edge-alpine"])]
#[case("flavors", "github-push", &[("GITHUB_REF", "refs/heads/develop")], &["docker.io/acme/app:dev"])]
#[case("flavors", "github-tag", &[], &["docker.io/acme/app:1.4-alpine", "docker.io/acme/app:1.4.0-alpine", "docker.io/acme/app:latest-alpine", "docker.io/acme/app:m-1.4.0-alpine"])]
#[case("pull-request-images", "github-pull-request", &[], &["registry.acme.dev/preview/web:pr-17"])]
#[case("pull-request-images", "github-fork-pr", &[], &[])]
#[case("pull-request-images", "github-push", &[], &["registry.acme.dev/preview/web:main"])]
#[case("pull-request-images", "github-tag", &[], &["registry.acme.dev/preview/web:latest", "registry.acme.dev/preview/web:v1.4.0"])]
#[case("ecr", "github-push", &[], &["123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:main"])]
#[case("ecr", "github-tag", &[], &["123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1.4.0", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:latest"])]
#[case("ecr", "github-pull-request", &[], &[])]
#[case("ecr-secret-role", "github-push", &[("FROM_STEPS_ECR_OUTPUTS_REGISTRY", "123456789012.dkr.ecr.us-east-1.amazonaws.com")], &[
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:SHA", "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:latest",
])]
#[case("gar", "github-push", &[], &["europe-west3-docker.pkg.dev/acme-prod/images/web:SHA", "europe-west3-docker.pkg.dev/acme-prod/images/web:latest"])]
#[case("gar-helper", "github-push", &[], &["gcr.io/acme/app:SHA", "us-docker.pkg.dev/acme/images/web:SHA"])]
#[case("acr", "github-push", &[], &["acmeprod.azurecr.io/web:SHA", "acmeprod.azurecr.io/web:latest", "acmetools.azurecr.io/tools:SHA"])]
#[case("hub-user", "github-push", &[("DOCKERHUB_USERNAME", "ada")], &["docker.io/ada/app:latest"])]
#[case("three-metas", "github-push", &[], &["ghcr.io/acme/api:main", "ghcr.io/acme/web:main"])]
#[case("early-readers", "github-tag", &[], &[
    "ghcr.io/acme/alpine:latest", "ghcr.io/acme/alpine:v1.4.0", "ghcr.io/acme/app:latest", "ghcr.io/acme/app:v1.4.0",
    "ghcr.io/acme/docs:latest", "ghcr.io/acme/docs:v1.4.0", "ghcr.io/acme/server:latest", "ghcr.io/acme/server:v1.4.0",
])]
#[case("dash-first", "github-push", &[], &["ghcr.io/acme/app:main", "ghcr.io/acme/app:main-SHA7"])]
#[case("dash-first", "github-dispatch", &[("GITHUB_REF", "refs/tags/v1.0.0")], &[])]
#[case("load-only", "github-push", &[], &[])]
#[case("gitea", "github-tag", &[("GITHUB_REF", "refs/tags/1.4.0")], &["git.example.org/team/app:1.4.0"])]
fn a_plan_has_the_tags_that_metadata_action_would_have(
    #[case] workflow: &str,
    #[case] fixture: &str,
    #[case] extra: &[(&str, &str)],
    #[case] expected: &[&str],
) {
    let made = repository(workflow);
    made.git(&["add", "."]);
    made.git(&["commit", "--quiet", "--message", "workflow"]);
    let (code, _, err) = made.run(&["migrate", crate::migrate::workflow(workflow), "--write"]);
    assert!(code < 2, "{err}");
    let commit = made.git(&["rev-parse", "HEAD"]);
    let day = jiff::Timestamp::now().strftime("%Y%m%d").to_string();
    let filled = |name: &&str| name.replace("SHA7", &commit[..7]).replace("SHA", &commit).replace("DAY", &day);
    let mut expected: Vec<String> = expected.iter().map(filled).collect();
    expected.sort();
    let vars: Vec<(&str, &str)> = extra
        .iter()
        .flat_map(|(name, value)| {
            let short = value.strip_prefix("refs/heads/").or(value.strip_prefix("refs/tags/"));
            std::iter::once((*name, *value))
                .chain(short.filter(|_| *name == "GITHUB_REF").map(|short| ("GITHUB_REF_NAME", short)))
        })
        .collect();
    assert_eq!(made.published(fixture, &vars), expected);
}

#[rstest]
#[case::bomb(
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\njobs: *e\n",
    "not YAML: "
)]
#[case::deep(&"[".repeat(5000), "not YAML")]
#[case::no_yaml("jobs:\n\t- x\n", "not YAML")]
#[case::no_jobs("name: x\non: push\n", "this is no workflow: it has no `jobs`")]
#[case::empty("", "this is no workflow: it has no `jobs`")]
#[case::gitlab(
    "stages: [build]\nimage: docker:27\ntest:\n  script: make\n",
    "no job of this pipeline builds with docker, buildah or kaniko"
)]
#[case::gitlab_that_does_more(
    "build:\n  script:\n    - docker build -t a/b:c .\n    - docker run a/b:c > log\n",
    "nothing of this pipeline can be moved as it is"
)]
#[case::composite_action(
    "name: Build\ninputs:\n  tag: {}\nruns:\n  using: composite\n  steps:\n    - uses: docker/build-push-action@v6\n",
    "this is an action, and no workflow: only workflows are moved\n  → docs/migrating.md, “Composite actions”, has"
)]
#[case::called(
    "on:\n  workflow_call:\n    inputs: {image: {type: string}}\njobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n          push: true\n          tags: ${{ inputs.image }}\n",
    "when and what it publishes stands in the callers, so it stays as it is\n        do: docs/migrating.md, “Workflows that are called”, has"
)]
#[case::nothing(
    "on: push\njobs:\n  a:\n    steps:\n      - run: make\n",
    "nothing in this workflow builds with docker/build-push-action"
)]
#[case::strange_steps(
    "on: push\njobs:\n  a:\n    steps: 7\n  b: [1]\n  c:\n",
    "nothing in this workflow builds with docker/build-push-action"
)]
fn hostile_workflows_end_in_one_clear_error(#[case] text: &str, #[case] expected: &str) {
    let made = Repository::new(FILES);
    made.write("w.yml", text);
    let (code, out, err) = made.run(&["migrate", "w.yml", "--write"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains(expected), "{err}");
    assert_eq!(err.lines().filter(|line| line.starts_with("  w.yml")).count(), 1, "{err}");
    assert!(err.len() < 4000, "{}", err.len());
    assert!(!made.root().join(".stagefreight.yml").exists());
}

/// A heading that a message names is there.
#[test]
fn messages_name_headings_of_the_guide() {
    let guide = include_str!("../../docs/migrating.md");
    let mut named = 0;
    for source in [include_str!("../../src/migrate.rs"), include_str!("../../src/migrate/job.rs")] {
        for part in source.split("docs/migrating.md, “").skip(1) {
            let heading = part.split('”').next().unwrap();
            let is_it =
                |line: &str| line.starts_with('#') && line.trim_start_matches('#').trim().replace('`', "") == heading;
            assert!(guide.lines().any(is_it), "{heading}");
            named += 1;
        }
    }
    assert!(named >= 3);
}

#[test]
fn jobs_that_do_not_move_stay_byte_for_byte() {
    let made = repository("three-metas");
    let job = |text: &str| text[text.find("  by-hand:\n").unwrap()..].to_owned();
    let before = job(&made.read(".github/workflows/docker.yml"));
    let (code, out, err) = made.run(&["migrate", ".github/workflows/docker.yml", "--write"]);
    assert_eq!(code, 0, "{out}{err}");
    let after = made.read(".github/workflows/docker.yml");
    assert_eq!(job(&after), before);
    assert_eq!(after.matches("steps.meta.").count(), before.matches("steps.meta.").count(), "{after}");
}

#[test]
fn lines_that_end_as_windows_has_it_are_shown_and_written_so() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/migrate/hub-user.yml"));
    let made = Repository::new(FILES);
    made.write("w.yml", &text.unwrap().replace('\n', "\r\n"));
    let (code, out, err) = made.run(&["migrate", "w.yml"]);
    assert_eq!(code, 0, "{err}");
    assert!(!out.contains('\u{fffd}') && out.contains("jobs:\r\n  docker:\r\n"), "{out}");
    assert_eq!(made.run(&["migrate", "w.yml", "--write"]).0, 0);
    let written = made.read("w.yml");
    assert_eq!(written.matches('\n').count(), written.matches("\r\n").count());
    assert!(written.contains("stagefreight/action@v1\r\n"));
}

/// What stays on the step publishes what it did: `tags` as it is filled in by the forge.
#[rstest]
#[case("tags-elsewhere", "build", "ghcr.io/acme/app:main\nghcr.io/acme/app:edge", &["ghcr.io/acme/app:edge", "ghcr.io/acme/app:main"])]
#[case("metadata-variables", "build", "acme/app:main", &["docker.io/acme/app:main"])]
#[case("registry-from-step", "step", "registry.example.com/app:1\nacme/app:latest", &["docker.io/acme/app:latest", "registry.example.com/app:1"])]
fn tags_that_stay_on_the_step_are_published(
    #[case] name: &str,
    #[case] job: &str,
    #[case] tags: &str,
    #[case] expected: &[&str],
) {
    let made = repository(name);
    assert!(made.run(&["migrate", ".github/workflows/docker.yml", "--write"]).0 < 2);
    let workflow = made.read(".github/workflows/docker.yml");
    let after = &workflow[workflow.find(&format!("\n  {job}:\n")).unwrap()..];
    let id = after.split("build-id: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let mut inputs = vec![("INPUT_TAGS", tags)];
    inputs.extend(id.map(|id| ("INPUT_BUILD-ID", id)));
    assert_eq!(made.published("github-push", &inputs), expected, "{workflow}");
}

/// No line of such a step could be replaced and leave YAML behind.
#[rstest]
#[case::build("- {uses: docker/build-push-action@v6, with: {push: true, context: ., tags: a/b}}")]
#[case::ecr("- {uses: aws-actions/amazon-ecr-login@v2, with: {registry-type: public}}")]
#[case::azure("- { run: az acr login -n acme }")]
#[case::lines("-\n        {\n          run: az acr login -n acme\n        }")]
fn a_step_in_braces_keeps_its_job_as_it_is(#[case] step: &str) {
    let made = Repository::new(FILES);
    let build = "- uses: docker/build-push-action@v6\n        with: {push: true, context: ., tags: a/b}";
    made.write("w.yml", &format!("on: push\njobs:\n  a:\n    steps:\n      {step}\n      {build}\n"));
    let (code, out, err) = made.run(&["migrate", "w.yml", "--write"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("steps of the job `a` are written in one line"), "{err}");
}

#[test]
fn what_is_there_is_not_written_over() {
    let made = repository("hub-simple");
    made.write(".stagefreight.yml", "version: 1\n");
    let workflow = made.read(".github/workflows/docker.yml");
    let (code, out, _) = made.run(&["migrate", ".github/workflows/docker.yml", "--write"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("kept      .stagefreight.yml"), "{out}");
    assert_eq!(
        (made.read(".stagefreight.yml").as_str(), made.read(".github/workflows/docker.yml")),
        ("version: 1\n", workflow)
    );
    assert_eq!(made.run(&["migrate", ".github/workflows/docker.yml", "--write", "--force"]).0, 0);
    assert!(made.read(".stagefreight.yml").contains("acme/website"));
}

#[test]
fn text_of_a_workflow_cannot_write_to_the_terminal_or_into_the_configuration() {
    let made = Repository::new(FILES);
    made.write("w.yml", "on: push\njobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n          push: true\n          target: \"x\\n  - id: evil\"\n          tags: \"ghcr.io/a/b:\\e[2Jx\"\n");
    let (_, out, err) = made.run(&["migrate", "w.yml"]);
    assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{out}{err}");
    assert!(!out.contains("\n  - id: evil"), "{out}");
}
