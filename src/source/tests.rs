use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;

#[path = "../../tests/support/git.rs"]
pub(crate) mod support;

use support::{TIME, commit, git, git_with_input, repository};

use super::{Git, Source, child_git_env, clean_path, detect_language, read, strip_credentials, web_url};
use crate::environment::Vars;

fn source(root: &Path) -> Source {
    read(root, &[]).unwrap()
}

fn git_of(root: &Path) -> Git {
    source(root).git.unwrap()
}

fn tags(root: &Path) -> Vec<(String, u32)> {
    git_of(root).tags.into_iter().map(|tag| (tag.name, tag.distance)).collect()
}

fn owned(tags: &[(&str, u32)]) -> Vec<(String, u32)> {
    tags.iter().map(|(name, distance)| ((*name).to_owned(), *distance)).collect()
}

#[test]
fn a_directory_without_git() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(source(dir.path()).git, None);
}

#[test]
fn a_missing_root_says_what_to_do() {
    let problem = read(Path::new("/no/such/workspace"), &[]).unwrap_err();
    insta::assert_snapshot!(problem.what, @"the workspace /no/such/workspace cannot be read: No such file or directory (os error 2)");
    assert!(problem.hint.unwrap().contains("check the repository out"));
}

#[test]
fn a_repository_without_commits() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "--quiet", "--initial-branch=trunk"]);
    let git = git_of(dir.path());
    assert_eq!((git.head, git.branch.as_deref(), git.commit_time, git.tags), (None, Some("trunk"), None, vec![]));
}

#[test]
fn a_branch_and_a_detached_head() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    git(dir.path(), &["checkout", "--quiet", "-b", "feature/a-b"]);
    let head = commit(dir.path());
    let on_branch = git_of(dir.path());
    assert_eq!(on_branch.head, Some(head.clone()));
    assert_eq!(on_branch.branch.as_deref(), Some("feature/a-b"));
    assert_eq!(on_branch.commit_time.unwrap().as_second(), TIME);
    assert!(!on_branch.shallow);

    git(dir.path(), &["checkout", "--quiet", "--detach"]);
    let detached = git_of(dir.path());
    assert_eq!((detached.head, detached.branch), (Some(head), None));
}

#[test]
fn tags_of_all_kinds_nearest_first() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    git(dir.path(), &["tag", "v0.9.0"]);
    commit(dir.path());
    git(dir.path(), &["tag", "--annotate", "--message", "1.0.0", "v1.0.0"]);
    for tag in ["v1.0.0-rc.1", "v1.10.0", "v1.9.0", "stable", "api-v2.0.0"] {
        git(dir.path(), &["tag", tag]);
    }
    git(dir.path(), &["tag", "nested", "v1.0.0"]);
    git(dir.path(), &["tag", "of-a-tree", "HEAD^{tree}"]);
    commit(dir.path());
    commit(dir.path());
    let expected = owned(&[
        ("api-v2.0.0", 2),
        ("v1.10.0", 2),
        ("v1.9.0", 2),
        ("v1.0.0", 2),
        ("v1.0.0-rc.1", 2),
        ("nested", 2),
        ("stable", 2),
        ("v0.9.0", 3),
    ]);
    assert_eq!(tags(dir.path()), expected);

    git(dir.path(), &["pack-refs", "--all"]);
    git(dir.path(), &["gc", "--quiet"]);
    assert_eq!(tags(dir.path()), expected, "packed");
    git(dir.path(), &["commit-graph", "write"]);
    assert_eq!(tags(dir.path()), expected, "with a commit graph");

    git(dir.path(), &["checkout", "--quiet", "v1.10.0"]);
    assert_eq!(git_of(dir.path()).checked_out_tag(), Some("api-v2.0.0"));
    git(dir.path(), &["checkout", "--quiet", "main"]);
    assert_eq!(git_of(dir.path()).checked_out_tag(), None);
}

/// A history with branches and merges, where the order of the walk matters: every distance is what git itself counts.
#[test]
fn distances_are_those_of_git() {
    let dir = tempfile::tempdir().unwrap();
    let mut stream = String::new();
    let mut write = |mark: u32, branch: &str, from: &[u32], at: u32| {
        stream.push_str(&format!(
            "commit refs/heads/{branch}\nmark :{mark}\ncommitter A <a@e.org> {at} +0000\ndata 1\nx\n"
        ));
        for (i, parent) in from.iter().enumerate() {
            stream.push_str(&format!("{} :{parent}\n", if i == 0 { "from" } else { "merge" }));
        }
    };
    write(1, "main", &[], 100);
    write(2, "main", &[1], 200);
    write(3, "side", &[1], 250);
    write(4, "side", &[3], 300);
    write(5, "main", &[2], 310);
    write(6, "main", &[5, 4], 400);
    write(7, "other", &[2], 410);
    write(8, "main", &[6], 500);
    write(9, "main", &[8, 7], 600);
    write(10, "unreachable", &[1], 700);
    for (tag, mark) in [("v1", 1), ("v2", 2), ("side", 4), ("v5", 5), ("v7", 7), ("v8", 8), ("away", 10)] {
        stream.push_str(&format!("reset refs/tags/{tag}\nfrom :{mark}\n\n"));
    }
    git(dir.path(), &["init", "--quiet", "--initial-branch=main"]);
    git_with_input(dir.path(), &["fast-import", "--quiet"], stream.as_bytes());
    let found = tags(dir.path());
    let names: std::collections::BTreeSet<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["side", "v1", "v2", "v5", "v7", "v8"].into());
    for (name, distance) in &found {
        let counted = git(dir.path(), &["rev-list", "--count", &format!("{name}..HEAD")]);
        assert_eq!(distance.to_string(), counted, "{name}");
    }
    assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{found:?}");
}

#[test]
fn a_long_history_is_walked_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "--quiet", "--initial-branch=main"]);
    let mut stream = String::new();
    for n in 1..=25_000 {
        stream.push_str(&format!("commit refs/heads/main\nmark :{n}\ncommitter A <a@e.org> {n} +0000\ndata 1\nx\n"));
    }
    for (tag, mark) in [("v0.1.0", 1), ("v1.0.0", 18_000), ("v2.0.0", 21_000), ("v2.1.0", 22_000), ("nightly", 24_990)]
    {
        stream.push_str(&format!("reset refs/tags/{tag}\nfrom :{mark}\n\n"));
    }
    git_with_input(dir.path(), &["fast-import", "--quiet"], stream.as_bytes());
    // From the first version on another 2 000 commits are looked at; a nightly tag is none.
    assert_eq!(tags(dir.path()), owned(&[("nightly", 10), ("v2.1.0", 3_000), ("v2.0.0", 4_000)]));
    git(dir.path(), &["tag", "--delete", "v1.0.0", "v2.0.0", "v2.1.0", "nightly"]);
    assert_eq!(tags(dir.path()), []);
}

#[test]
fn a_shallow_clone_says_so_and_knows_its_origin() {
    let origin = tempfile::tempdir().unwrap();
    repository(origin.path());
    git(origin.path(), &["tag", "v1.0.0"]);
    let head = commit(origin.path());
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", origin.path().display());
    git(dir.path(), &["clone", "--quiet", "--depth=1", &url, "clone"]);
    let root = dir.path().join("clone");
    let shallow = git_of(&root);
    assert!(shallow.shallow);
    assert_eq!((shallow.head, shallow.tags), (Some(head), vec![]));
    assert_eq!(shallow.remote, Some(url));
    assert_eq!(shallow.default_branch.as_deref(), Some("main"));
}

#[test]
fn credentials_of_the_remote_are_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    git(dir.path(), &["remote", "add", "origin", "https://x-access-token:sesame@example.org/acme/app.git"]);
    assert_eq!(git_of(dir.path()).remote.as_deref(), Some("https://example.org/acme/app.git"));
}

#[test]
fn a_subdirectory_a_worktree_and_a_submodule() {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("main");
    std::fs::create_dir_all(main.join("services/api")).unwrap();
    repository(&main);
    let head = git(&main, &["rev-parse", "HEAD"]);
    assert_eq!(git_of(&main.join("services/api")).head, Some(head.clone()));

    git(&main, &["tag", "v1.0.0"]);
    git(&main, &["remote", "add", "origin", "git@example.org:acme/app.git"]);
    git(&main, &["worktree", "add", "--quiet", "-b", "elsewhere", "../linked"]);
    let linked = git_of(&dir.path().join("linked"));
    assert_eq!((linked.head.as_ref(), linked.branch.as_deref()), (Some(&head), Some("elsewhere")));
    assert_eq!(linked.remote.as_deref(), Some("git@example.org:acme/app.git"));
    assert_eq!(linked.tags.len(), 1);

    let outer = dir.path().join("outer");
    std::fs::create_dir(&outer).unwrap();
    repository(&outer);
    git(&outer, &["submodule", "--quiet", "add", main.to_str().unwrap(), "sub"]);
    assert_eq!(git_of(&outer.join("sub")).head, Some(head));
}

#[rstest]
#[case::head_is_garbage(|git: &Path| std::fs::write(git.join("HEAD"), "garbage").unwrap())]
#[case::no_head(|git: &Path| std::fs::remove_file(git.join("HEAD")).unwrap())]
#[case::objects_gone(|git: &Path| std::fs::remove_dir_all(git.join("objects")).unwrap())]
#[case::commit_gone(|git: &Path| {
    std::fs::remove_dir_all(git.join("objects")).unwrap();
    std::fs::create_dir_all(git.join("objects/pack")).unwrap();
})]
#[case::config_broken(|git: &Path| std::fs::write(git.join("config"), "[core\n\0").unwrap())]
#[case::branch_broken(|git: &Path| std::fs::write(git.join("refs/heads/main"), "xyz").unwrap())]
#[case::empty(|git: &Path| {
    std::fs::remove_dir_all(git).unwrap();
    std::fs::create_dir(git).unwrap();
})]
#[case::points_nowhere(|git: &Path| {
    std::fs::remove_dir_all(git).unwrap();
    std::fs::write(git, "gitdir: /nowhere/.git/worktrees/x").unwrap();
})]
fn a_broken_repository_is_an_error_that_names_it(#[case] damage: fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    damage(&dir.path().join(".git"));
    let problem = read(dir.path(), &[]).unwrap_err();
    assert!(problem.what.starts_with("the git repository at /"), "{}", problem.what);
    assert!(problem.hint.is_some());
}

#[test]
fn damage_that_does_not_matter_is_overlooked() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    let head = git(dir.path(), &["rev-parse", "HEAD"]);
    git(dir.path(), &["tag", "good"]);
    let refs = dir.path().join(".git/refs/tags");
    std::fs::write(refs.join("broken"), "xyz").unwrap();
    std::fs::write(refs.join("dangling"), "1111111111111111111111111111111111111111\n").unwrap();
    assert_eq!(tags(dir.path()), owned(&[("good", 0)]));
    assert_eq!(git_of(dir.path()).head, Some(head));
}

/// Checkouts in CI containers belong to another user than the job's.
#[test]
fn a_checkout_of_somebody_else_is_read_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    git(dir.path(), &["tag", "v1.0.0"]);
    git(dir.path(), &["remote", "add", "origin", "https://example.org/acme/app"]);
    let before = git_of(dir.path());
    give_away(dir.path());
    assert_eq!(git_of(dir.path()), before);

    let status = |extra: &[(String, String)]| {
        let mut command = support::command(dir.path(), &["status", "--porcelain"]);
        // For users who may not give files away: git pretends.
        command.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
        command.envs(extra.iter().map(|(k, v)| (k, v))).output().unwrap().status.success()
    };
    assert!(!status(&[]), "git refuses without help");
    assert!(status(&child_git_env(dir.path(), &Vars::default())));
}

fn give_away(path: &Path) {
    if std::os::unix::fs::lchown(path, Some(12_345), Some(12_345)).is_err() {
        return; // only root can; `git status` below is the whole test then
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            give_away(&entry.path());
        } else {
            std::os::unix::fs::lchown(entry.path(), Some(12_345), Some(12_345)).unwrap();
        }
    }
}

#[test]
fn the_environment_of_a_child_counts_on_from_what_it_inherits() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join(".git")).unwrap();
    std::fs::create_dir_all(root.join("sub")).unwrap();
    let inherited: Vars = [("GIT_CONFIG_COUNT".to_owned(), "2".to_owned())].into_iter().collect();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let expected = [
        ("GIT_CONFIG_KEY_2", "safe.directory".to_owned()),
        ("GIT_CONFIG_VALUE_2", text(&root.join("sub"))),
        ("GIT_CONFIG_KEY_3", "safe.directory".to_owned()),
        ("GIT_CONFIG_VALUE_3", text(&root)),
        ("GIT_CONFIG_COUNT", "4".to_owned()),
    ];
    assert_eq!(child_git_env(&root.join("sub"), &inherited), expected.map(|(k, v)| (k.to_owned(), v)));
}

#[rstest]
#[case("https://example.org/acme/app.git", Some("https://example.org/acme/app"))]
#[case("https://user:pass@example.org:8443/acme/app.git/", Some("https://example.org:8443/acme/app"))]
#[case("http://example.org/acme/app?token=x#y", Some("http://example.org/acme/app"))]
#[case("git@example.org:acme/platform/app.git", Some("https://example.org/acme/platform/app"))]
#[case("example.org:acme/app", Some("https://example.org/acme/app"))]
#[case("ssh://git@example.org:2222/acme/app.git", Some("https://example.org/acme/app"))]
#[case("ssh://git@[2001:db8::1]/acme/app", Some("https://[2001:db8::1]/acme/app"))]
#[case("git://example.org/acme/app.git", Some("https://example.org/acme/app"))]
#[case("/srv/git/app.git", None)]
#[case("../app", None)]
#[case("file:///srv/git/app.git", None)]
#[case("C:/src/app", None)]
#[case("./a:b", None)]
#[case("https://example.org/", None)]
#[case("https://example.org/a\nb", None)]
#[case("javascript://example.org/x", None)]
#[case("", None)]
fn web_addresses(#[case] address: &str, #[case] expected: Option<&str>) {
    assert_eq!(web_url(address).as_deref(), expected);
}

#[rstest]
#[case("https://user:pass@example.org/a", "https://example.org/a")]
#[case("https://tok@en@example.org/a", "https://example.org/a")]
#[case("https://example.org/a@b", "https://example.org/a@b")]
#[case("ssh://git:pass@example.org/a", "ssh://git@example.org/a")]
#[case("git@example.org:a/b", "git@example.org:a/b")]
#[case("/srv/git/a", "/srv/git/a")]
fn addresses_without_credentials(#[case] address: &str, #[case] expected: &str) {
    assert_eq!(strip_credentials(address), expected);
}

fn file(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn dockerfiles_are_found_by_name_nearest_first() {
    let dir = tempfile::tempdir().unwrap();
    for path in [
        "Dockerfile",
        "Dockerfile.dev",
        "api/Dockerfile",
        "api/Containerfile",
        "web/prod.Dockerfile",
        "a/b/c/Dockerfile",
        "a/b/c/d/Dockerfile",
        "Dockerfile.dockerignore",
        "MyDockerfile",
        ".hidden/Dockerfile",
        "node_modules/x/Dockerfile",
        "vendor/x/Dockerfile",
        "services/target/Dockerfile",
        "ignored/Dockerfile",
        "Dockerfile.d/readme",
    ] {
        file(dir.path(), path, &format!("# {path}\nFROM scratch\n"));
    }
    file(dir.path(), ".gitignore", "ignored/\n");
    let source = source(dir.path());
    assert_eq!(
        source.dockerfile_paths(),
        [
            "Dockerfile",
            "Dockerfile.dev",
            "api/Dockerfile",
            "api/Containerfile",
            "web/prod.Dockerfile",
            "a/b/c/Dockerfile"
        ]
    );
    assert_eq!(source.dockerfile("./api//Dockerfile"), Some("# api/Dockerfile\nFROM scratch\n"));
}

#[test]
fn a_checkout_in_a_directory_that_another_one_ignores() {
    let outer = tempfile::tempdir().unwrap();
    file(outer.path(), ".gitignore", "builds/\n");
    file(outer.path(), "builds/.gitignore", "*\n");
    file(outer.path(), "builds/job/Dockerfile", "FROM scratch\n");
    assert_eq!(source(&outer.path().join("builds/job")).dockerfile_paths(), ["Dockerfile"]);
}

#[test]
fn wanted_dockerfiles_are_read_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("checkout");
    file(&root, "docker/image.txt", "FROM a\n");
    file(&root, "a/b/c/d/e/Dockerfile", "FROM b\n");
    file(dir.path(), "outside/Dockerfile", "FROM c\n");
    let wanted =
        ["./docker/image.txt", "a/b/c/d/e/Dockerfile", "../outside/Dockerfile", "missing/Dockerfile", "docker"];
    let source = read(&root, &wanted.map(str::to_owned)).unwrap();
    assert_eq!(source.dockerfile_paths(), ["docker/image.txt", "../outside/Dockerfile", "a/b/c/d/e/Dockerfile"]);
}

#[test]
fn what_is_no_text_file_within_bounds_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    file(outside.path(), "secret", "s3cret");
    file(dir.path(), "Dockerfile.huge", &"#".repeat(1024 * 1024 + 1));
    std::fs::write(dir.path().join("Dockerfile.latin"), b"# \xe9\nFROM scratch\n").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("Dockerfile.out")).unwrap();
    file(dir.path(), "docker/real", "FROM scratch\n");
    std::os::unix::fs::symlink("docker/real", dir.path().join("Dockerfile")).unwrap();
    std::os::unix::fs::symlink("Dockerfile.loop", dir.path().join("Dockerfile.loop")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("Dockerfile.pipe"), 0o600.into()).unwrap();
    let source = source(dir.path());
    assert_eq!(source.dockerfile_paths(), ["Dockerfile", "Dockerfile.latin"]);
    assert_eq!(source.dockerfile("Dockerfile.latin"), Some("# \u{fffd}\nFROM scratch\n"));
}

#[test]
fn a_full_directory_does_not_hide_the_root() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..6_000 {
        file(dir.path(), &format!("AAA/{n}"), "");
    }
    file(dir.path(), "Dockerfile", "FROM scratch\n");
    file(dir.path(), "zzz/Dockerfile", "FROM scratch\n");
    assert_eq!(source(dir.path()).dockerfile_paths(), ["Dockerfile"]);
}

#[test]
fn markers_tell_the_language() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["package.json", "go.mod", "README.md", "sub/Cargo.toml", "App.csproj"] {
        file(dir.path(), path, "");
    }
    std::fs::create_dir(dir.path().join("pom.xml")).unwrap();
    let source = source(dir.path());
    assert_eq!(source.markers, ["App.csproj", "go.mod", "package.json"]);
    assert_eq!(source.language(), Some("go"));
    let language = |markers: &[&str]| detect_language(&markers.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>());
    assert_eq!(language(&["App.csproj"]), Some("c#"));
    assert_eq!(language(&["package.json", "tsconfig.json"]), Some("typescript"));
    assert_eq!(language(&[]), None);
}

#[rstest]
#[case("Dockerfile", "Dockerfile")]
#[case("./a//b/./Dockerfile", "a/b/Dockerfile")]
#[case("a/../Dockerfile", "Dockerfile")]
#[case("../x", "../x")]
#[case("../../x/../y", "../../y")]
#[case("/abs//x", "/abs/x")]
#[case("/../x", "/../x")]
#[case(".", "")]
fn clean_paths(#[case] path: &str, #[case] expected: &str) {
    assert_eq!(clean_path(path), expected);
}

proptest! {
    #[test]
    fn cleaning_twice_changes_nothing(path in "[a./]{0,16}") {
        let once = clean_path(&path);
        prop_assert_eq!(clean_path(&once), once);
    }

    #[test]
    fn no_credentials_survive(user in "[a-z]{1,8}", password in "[a-zA-Z0-9:@!]{1,12}", scheme in "https?|ssh") {
        let address = format!("{scheme}://{user}:SECRET{password}@example.org/acme/app.git");
        prop_assert!(!strip_credentials(&address).contains("SECRET"));
        prop_assert_eq!(web_url(&address).map(|url| url.ends_with("://example.org/acme/app")), Some(true));
    }

    #[test]
    fn addresses_of_any_shape_are_taken(address in "[a-z:/@.\\[\\]?# ]{0,24}|(?s).{0,24}") {
        let _ = strip_credentials(&address);
        if let Some(url) = web_url(&address) {
            prop_assert!(url.starts_with("http"), "{}", url);
            prop_assert!(!url.contains(char::is_control));
        }
    }
}
