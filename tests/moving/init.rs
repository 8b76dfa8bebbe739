//! `stagefreight init`: repositories of many kinds, and what is written for them.

use rstest::rstest;

use crate::support::{Repository, validate};

const GO: &[(&str, &str)] = &[
    ("Dockerfile", "FROM golang AS build\nCOPY . .\nFROM scratch\nCOPY --from=build /app /app\n"),
    ("go.mod", "module x\n"),
];

fn with_remote(files: &[(&str, &str)], remote: &str) -> Repository {
    let made = Repository::new(files);
    made.git(&["remote", "add", "origin", remote]);
    made
}

#[rstest]
#[case::github("github", "git@github.com:Acme/My_App.git", &["v1.0.0", "v1.1.0-rc.1"], GO)]
#[case::gitlab("gitlab", "https://gitlab.com/group/sub/app.git", &["1.0.0"], GO)]
#[case::gitlab_self_managed("gitlab-self-managed", "ssh://git@gitlab.corp.example:2222/team/app.git", &[], GO)]
#[case::codeberg("codeberg", "https://codeberg.org/ada/tool.git", &["2024.05", "release-3"], GO)]
#[case::gitea("gitea", "https://gitea.example.org:3000/Team/app", &[], GO)]
#[case::monorepo("monorepo", "https://github.com/acme/mono", &["api-v1.2.3", "v0.1.0"], &[
    ("api/Dockerfile", "FROM scratch\nCOPY main.go .\n"), ("api/main.go", ""),
    ("web/Dockerfile", "FROM scratch\nCOPY web/index.html /\n"), ("web/index.html", ""),
    ("docker/worker.Dockerfile", "FROM scratch\nCOPY api/main.go /\n"),
    ("tests/e2e/Dockerfile", "FROM scratch\n"),
])]
fn what_is_written_loads_plans_and_passes_the_forges_validators(
    #[case] name: &str,
    #[case] remote: &str,
    #[case] tags: &[&str],
    #[case] files: &[(&str, &str)],
) {
    let made = with_remote(files, remote);
    for tag in tags {
        made.git(&["tag", tag]);
    }
    let (code, dry, err) = made.run(&["init", "--dry-run"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(made.git(&["status", "--porcelain"]), "", "a dry run wrote something");
    insta::assert_snapshot!(name, dry.replace(made.root().to_str().unwrap(), "ROOT"));

    let (code, out, err) = made.run(&["init"]);
    assert_eq!(code, 0, "{out}{err}");
    let (code, plan, err) = made.run(&["plan"]);
    assert_eq!(code, 0, "{plan}{err}");
    assert!(!err.contains("note") && !plan.contains("not handled"), "{plan}{err}");
    let workflow = [".github/workflows/image.yml", ".gitea/workflows/image.yml", ".forgejo/workflows/image.yml"]
        .into_iter()
        .find(|path| made.root().join(path).exists());
    match workflow {
        Some(path) => {
            validate(&made.root(), "check-jsonschema", &["--builtin-schema", "vendor.github-workflows", path]);
            validate(
                &made.root(),
                "actionlint",
                &[
                    "-shellcheck=",
                    "-pyflakes=",
                    "-ignore",
                    "label \"docker\" is unknown",
                    "-ignore",
                    "specifying action \"https://",
                    path,
                ],
            );
        }
        None => validate(
            &made.root(),
            "check-jsonschema",
            &["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", ".gitlab-ci.yml"],
        ),
    }
    // A second time there is nothing to do, and nothing is lost.
    let (code, again, _) = made.run(&["init"]);
    assert_eq!(code, 0, "{again}");
    assert!(!again.contains("wrote ") && !again.contains("added to"), "{again}");
}

#[rstest]
#[case("github-push", &[], &["ghcr.io/acme/my_app:edge", "ghcr.io/acme/my_app:sha-SHA8"])]
#[case("github-tag", &[], &["ghcr.io/acme/my_app:1.4", "ghcr.io/acme/my_app:1.4.0", "ghcr.io/acme/my_app:latest"])]
#[case("github-tag", &[("GITHUB_REF", "refs/tags/v1.5.0-rc.1")], &["ghcr.io/acme/my_app:1.5.0-rc.1"])]
#[case("github-pull-request", &[], &[])]
fn what_is_written_publishes_what_its_comments_say(
    #[case] fixture: &str,
    #[case] extra: &[(&str, &str)],
    #[case] expected: &[&str],
) {
    let made = with_remote(GO, "git@github.com:Acme/My_App.git");
    made.git(&["tag", "v1.0.0-rc.1"]);
    assert_eq!(made.run(&["init"]).0, 0);
    let commit = made.git(&["rev-parse", "HEAD"]);
    let expected: Vec<String> = expected.iter().map(|name| name.replace("SHA8", &commit[..8])).collect();
    assert_eq!(made.published(fixture, extra), expected);
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let made = with_remote(GO, "https://gitlab.com/group/app.git");
    made.write(".gitlab-ci.yml", "test:\n  script: make test\n");
    made.write(".gitignore", "target\n/dist");
    made.write(".dockerignore", ".git\n.stagefreight/\n");
    let (code, out, _) = made.run(&["init"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("kept      .gitlab-ci.yml") && out.contains("include:"), "{out}");
    assert_eq!(made.read(".gitlab-ci.yml"), "test:\n  script: make test\n");
    assert_eq!(made.read(".gitignore"), "target\n/dist\n# What StageFreight writes\n.stagefreight/\n");
    assert_eq!(made.read(".dockerignore"), ".git\n.stagefreight/\n# What StageFreight writes\ndist/\n");
    assert_eq!(made.run(&["init", "--force"]).0, 0);
    assert!(made.read(".gitlab-ci.yml").contains("component: $CI_SERVER_FQDN/stagefreight/action/build@1"));
}

#[test]
fn without_anything_to_build_there_is_one_clear_error() {
    let made = Repository::new(&[("README.md", "x")]);
    let (code, out, err) = made.run(&["init"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("there is no Dockerfile here to build") && err.contains("→"), "{err}");
    assert_eq!(made.git(&["status", "--porcelain"]), "");
}

#[test]
fn hostile_names_stay_names() {
    let files: &[(&str, &str)] = &[
        ("a\u{1b}[2J: [b/Dockerfile", "FROM scratch\n"),
        ("--flag/Dockerfile", "FROM scratch\n"),
        ("Ünï/Dockerfile.#x", "FROM scratch\n"),
    ];
    let made = with_remote(files, "https://github.com/acme/app");
    let (code, out, err) = made.run(&["init"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(!out.contains('\u{1b}'), "{out}");
    assert_eq!(made.run(&["plan"]).0, 0, "{}", made.read(".stagefreight.yml"));
}

#[test]
fn a_link_out_of_the_checkout_is_not_followed() {
    let made = with_remote(GO, "https://github.com/acme/app");
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), made.root().join(".github")).unwrap();
    let (code, out, _) = made.run(&["init"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("its directory leads out of the checkout"), "{out}");
    assert!(std::fs::read_dir(outside.path().join("workflows")).map_or(true, |mut dir| dir.next().is_none()));
}

/// Never a name on ghcr.io, which may be somebody else's; a configuration that loads all the same.
#[rstest]
#[case::bitbucket("git@bitbucket.org:team/app.git", "bitbucket.org has runners of its own", &[])]
#[case::azure("https://dev.azure.com/o/p/_git/r", "dev.azure.com has runners of its own", &[])]
#[case::corporate("https://code.corp.example/team/app.git", "code.corp.example is none that is known by its name", &[])]
#[case::bitbucket_beside_a_copy("https://bitbucket.org/team/app", "bitbucket.org has runners", &[(".github/workflows/x.yml", "")])]
fn where_the_forge_is_unknown_there_is_a_configuration_alone(
    #[case] remote: &str,
    #[case] why: &str,
    #[case] more: &[(&str, &str)],
) {
    let made = with_remote(&[GO, more].concat(), remote);
    let (code, dry, _) = made.run(&["init", "--dry-run"]);
    assert_eq!(code, 1, "{dry}");
    assert!(dry.contains("init --force --forge FORGE"), "{dry}");
    let (code, out, err) = made.run(&["init"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains(&format!("no forge: {why}")) && out.contains("\nno workflow: nothing tells"), "{out}");
    assert!(out.contains("init --force --forge FORGE"), "{out}");
    let config = made.read(".stagefreight.yml");
    assert!(!config.contains("ghcr.io") && !config.contains("\ntargets:"), "{config}");
    let (code, plan, err) = made.run(&["plan"]);
    assert_eq!(code, 0, "{plan}{err}");
    let new = made.git(&["status", "--porcelain", "--untracked-files=all"]);
    assert_eq!(new, "?? .dockerignore\n?? .gitignore\n?? .stagefreight.yml");
    for forge in ["github", "gitea", "forgejo", "gitlab"] {
        let (code, out, err) = made.run(&["init", "--force", "--forge", forge]);
        assert_eq!(code, 0, "{out}{err}");
        let (code, plan, err) = made.run(&["plan"]);
        assert_eq!(code, 0, "{plan}{err}");
    }
}

/// A server of one's own has a registry of its own; of a repository elsewhere nobody knows the path here.
#[rstest]
#[case("https://code.corp.example/Team/app.git", "github", "url: containers.code.corp.example", "path: team/app")]
#[case("https://github.corp.example/team/app.git", "github", "url: containers.github.corp.example", "path: team/app")]
#[case("https://bitbucket.org/team/app.git", "github", "url: ghcr.io", "path: \"{env:GITHUB_REPOSITORY}\"")]
#[case("https://gitlab.com/team/app.git", "github", "url: ghcr.io", "path: \"{env:GITHUB_REPOSITORY}\"")]
#[case("https://github.com/team/app.git", "gitlab", "url: \"{env:CI_REGISTRY}\"", "path: \"{env:CI_PROJECT_PATH}\"")]
#[case("https://codeberg.org/team/app.git", "gitea", "url: codeberg.org", "path: team/app")]
fn names_of_images_belong_to_the_forge_that_was_asked_for(
    #[case] remote: &str,
    #[case] forge: &str,
    #[case] url: &str,
    #[case] path: &str,
) {
    let made = with_remote(GO, remote);
    let (code, out, err) = made.run(&["init", "--forge", forge]);
    assert_eq!(code, 0, "{out}{err}");
    let config = made.read(".stagefreight.yml");
    assert!(config.contains(url) && config.contains(path), "{config}");
    let (code, plan, err) = made.run(&["plan"]);
    assert_eq!(code, 0, "{plan}{err}");
}

#[test]
fn dockerfiles_of_developers_and_tests_are_no_images() {
    let aside =
        ["Dockerfile.dev", "Dockerfile.test", "api.test.Dockerfile", "app/Dockerfile.local", "Dockerfile.api-dev"];
    let mut files: Vec<(&str, &str)> = aside.iter().map(|path| (*path, "FROM scratch\n")).collect();
    files.extend([("Dockerfile", "FROM scratch\n"), ("Dockerfile.alpine", "FROM scratch\n")]);
    let made = with_remote(&files, "https://github.com/acme/app");
    let (code, out, err) = made.run(&["init"]);
    assert_eq!(code, 0, "{out}{err}");
    let config = made.read(".stagefreight.yml");
    let built: Vec<&str> = config.lines().filter_map(|line| line.trim().strip_prefix("dockerfile: ")).collect();
    assert_eq!(built, ["Dockerfile", "Dockerfile.alpine"]);
    for path in aside {
        assert!(out.contains(&format!("left out {path}: it looks like no image of the project")), "{out}");
    }
    assert_eq!(made.run(&["plan"]).0, 0);

    // Where there is no other, it is the one.
    let made = with_remote(&[("Dockerfile.dev", "FROM scratch\n")], "https://github.com/acme/app");
    assert_eq!(made.run(&["init"]).0, 0);
    assert!(made.read(".stagefreight.yml").contains("dockerfile: Dockerfile.dev"));
}
