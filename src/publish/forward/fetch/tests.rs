use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::source::tests::support::{commit, git, repository};

fn vars(more: &[(&str, &str)]) -> Vars {
    let base = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent")];
    base.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// A repository, a clone of its last commit, and the run's private directory.
struct Scene {
    full: tempfile::TempDir,
    part: tempfile::TempDir,
    private: RunDir,
    _parent: tempfile::TempDir,
    commits: Vec<String>,
}

fn scene(commits: usize) -> Scene {
    let [full, part, parent] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    repository(full.path());
    let commits = (0..commits).map(|_| commit(full.path())).collect();
    let url = format!("file://{}", full.path().display());
    git(part.path(), &["clone", "--quiet", "--depth", "1", &url, "."]);
    Scene { private: RunDir::create(parent.path()).unwrap(), full, part, _parent: parent, commits }
}

/// Every file with its content: what must be the same afterwards.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push((entry.path(), std::fs::read(entry.path()).unwrap())),
        }
    }
    all.sort();
    all
}

async fn ask(scene: &Scene, more: &[(&str, &str)], older: &str, newer: &str) -> Result<Ancestry, String> {
    let fetch = Fetch::new(scene.part.path(), &vars(more), &scene.private).unwrap();
    fetch.ancestry(older, newer, &CancellationToken::new()).await
}

#[tokio::test]
async fn both_histories_are_fetched_and_the_checkout_is_left_alone() {
    let scene = scene(4);
    let before = files(scene.part.path());
    let (old, new) = (&scene.commits[0], &scene.commits[3]);
    assert_eq!(ask(&scene, &[], old, new).await, Ok(Ancestry::Ancestor));
    assert_eq!(ask(&scene, &[], new, old).await, Ok(Ancestry::Descendant));
    assert_eq!(files(scene.part.path()), before);
    assert!(!scene.private.scratch("secrets").join("history").exists());
}

#[tokio::test]
async fn one_round_is_not_enough_for_a_long_history() {
    let scene = scene(1);
    let at = scene.full.path();
    let tree = git(at, &["rev-parse", "HEAD^{tree}"]);
    let mut input = String::new();
    for i in 0..120 {
        let from = if i == 0 { "from refs/heads/main^0\n" } else { "" };
        input.push_str(&format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 1\nx\n{from}",
            1_763_643_800 + i
        ));
    }
    crate::source::tests::support::git_with_input(at, &["fast-import", "--quiet"], input.as_bytes());
    let head = git(at, &["rev-parse", "main"]);
    assert_eq!(git(at, &["rev-parse", "main^{tree}"]), tree);
    assert_eq!(ask(&scene, &[], &scene.commits[0], &head).await, Ok(Ancestry::Ancestor));
}

#[tokio::test]
async fn unrelated_histories_are_told_apart() {
    let scene = scene(2);
    let at = scene.full.path();
    git(at, &["checkout", "--quiet", "--orphan", "island"]);
    git(at, &["commit", "--quiet", "--allow-empty", "--message", "island"]);
    let island = git(at, &["rev-parse", "HEAD"]);
    assert_eq!(ask(&scene, &[], &island, &scene.commits[1]).await, Ok(Ancestry::Diverged));
}

#[tokio::test]
async fn a_commit_that_is_gone() {
    let scene = scene(2);
    let said = ask(&scene, &[], &"1".repeat(40), &scene.commits[1]).await;
    assert_eq!(said, Err("the remote `origin` does not have 1111111".to_owned()));
}

#[tokio::test]
async fn no_remote_a_dead_one_and_one_with_a_password_in_it() {
    let scene = scene(2);
    let at = scene.part.path();
    let (old, new) = (&scene.commits[0], &scene.commits[1]);
    git(at, &["config", "remote.origin.url", "http://user:hunter2@127.0.0.1:9/a.git"]);
    let said = ask(&scene, &[], old, new).await.unwrap_err();
    assert!(said.starts_with("git could not fetch it: unable to access … "), "{said}");
    assert!(!said.contains("hunter2"));
    git(at, &["remote", "remove", "origin"]);
    assert_eq!(ask(&scene, &[], old, new).await, Err("the checkout has no remote `origin` to fetch from".to_owned()));
}

#[tokio::test]
async fn hooks_and_variables_that_lead_elsewhere_do_nothing() {
    let scene = scene(3);
    let at = scene.part.path();
    let trap = at.join(".git/hooks/reference-transaction");
    std::fs::create_dir_all(trap.parent().unwrap()).unwrap();
    std::fs::write(&trap, format!("#!/bin/sh\ntouch {}\n", at.join("sprung").display())).unwrap();
    std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();
    git(at, &["config", "core.fsmonitor", trap.to_str().unwrap()]);
    git(at, &["config", "core.hooksPath", trap.parent().unwrap().to_str().unwrap()]);
    let elsewhere =
        [("GIT_DIR", "/nonexistent"), ("GIT_OBJECT_DIRECTORY", "/nonexistent"), ("GIT_TRACE", "/nonexistent")];
    assert_eq!(ask(&scene, &elsewhere, &scene.commits[0], &scene.commits[2]).await, Ok(Ancestry::Ancestor));
    assert!(!at.join("sprung").exists());
}

#[tokio::test]
async fn a_remote_that_never_answers_is_cut_off_with_its_children() {
    let scene = scene(2);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.git", listener.local_addr().unwrap());
    git(scene.part.path(), &["config", "remote.origin.url", &url]);
    let fetch = Fetch::new(scene.part.path(), &vars(&[]), &scene.private).unwrap();
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
    });
    let began = std::time::Instant::now();
    let said = fetch.ancestry(&scene.commits[0], &scene.commits[1], &cancel).await;
    assert_eq!(said, Err("a signal stopped git".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn logins_of_the_checkout_come_along_and_nothing_that_runs() {
    let listed = b"core.bare\nfalse\0core.fsmonitor\n/bin/evil\0core.hookspath\n/x\0remote.origin.url\nhttps://h/a.git\0\
        http.https://h/.extraheader\nAUTHORIZATION: basic abc\0url.https://token@h/.insteadof\nhttps://h/\0\
        credential.helper\n\0credential.https://h.helper\n!f() { :; }; f\0filter.lfs.process\ngit-lfs\0remote.origin.uploadpack\nevil\0\
        core.sshcommand\nssh -i key\0include.path\n/x\0alias.x\n!evil\0remote.other.url\nhttps://o/\0flag\0";
    let kept: Vec<_> = settings(listed).into_iter().map(|(key, _)| key).collect();
    let expected = [
        "remote.origin.url",
        "http.https://h/.extraheader",
        "url.https://token@h/.insteadof",
        "credential.helper",
        "credential.https://h.helper",
        "core.sshcommand",
    ];
    assert_eq!(kept, expected);
    let env = with_settings(
        environment(Path::new("/w"), &vars(&[("GIT_CONFIG_COUNT", "1"), ("INPUT_X", "s")])),
        &settings(listed),
    );
    // One of the run, one for the owner of the checkout, six of the checkout.
    assert_eq!(env["GIT_CONFIG_COUNT"], "8");
    assert_eq!(env["GIT_CONFIG_KEY_2"], "remote.origin.url");
    assert_eq!(env["GIT_CONFIG_VALUE_3"], "AUTHORIZATION: basic abc");
    assert_eq!((env["GIT_TERMINAL_PROMPT"].as_str(), env["GIT_ASKPASS"].as_str()), ("0", ""));
    assert!(!env.contains_key("INPUT_X"));
}

/// actions/checkout since version 6 keeps its login in a file of its own, included for one directory.
#[tokio::test]
async fn settings_are_read_through_includes() {
    let scene = scene(2);
    let at = scene.part.path();
    let more = at.join("more.config");
    std::fs::write(&more, "[http \"https://h/\"]\n\textraheader = AUTHORIZATION: basic abc\n").unwrap();
    let condition = format!("includeIf.gitdir:{}/.git.path", at.canonicalize().unwrap().display());
    git(at, &["config", &condition, more.to_str().unwrap()]);
    let fetch = Fetch::new(at, &vars(&[]), &scene.private).unwrap();
    let listed = fetch.git(settings_args(), &fetch.env, &CancellationToken::new()).await.unwrap();
    let found = settings(&listed);
    assert!(
        found.iter().any(|(key, value)| key == "http.https://h/.extraheader" && value.contains("abc")),
        "{found:?}"
    );
}

#[test]
fn what_git_is_told_to_do() {
    insta::assert_snapshot!(init_args("/run/history").join(" "), @"init --quiet --bare --template= --object-format=sha1 /run/history");
    insta::assert_snapshot!(settings_args().join(" "), @"config --local --includes --null --list");
    insta::assert_snapshot!(fetch_args("/run/history", 50, "aaa", "bbb").join("\n"), @r"
    --git-dir=/run/history
    -c
    core.hooksPath=/dev/null
    -c
    gc.auto=0
    -c
    maintenance.auto=false
    -c
    protocol.version=2
    fetch
    --quiet
    --no-tags
    --no-recurse-submodules
    --filter=tree:0
    --depth=50
    origin
    +aaa:refs/heads/older
    +bbb:refs/heads/newer
    ");
}

#[test]
fn without_git_there_is_no_fetch() {
    let parent = tempfile::tempdir().unwrap();
    let private = RunDir::create(parent.path()).unwrap();
    let nowhere: Vars = [("PATH".to_owned(), "/nonexistent".to_owned())].into_iter().collect();
    assert!(Fetch::new(Path::new("/"), &nowhere, &private).is_none());
}
