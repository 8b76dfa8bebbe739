//! BuildKit in the job itself: in our image, with neither an engine nor a daemon, as root and as an ordinary user.

use std::time::Duration;

use crate::support::{LongStep, Sandbox, within};

use super::image::{Job, alone, checkout};

/// User namespaces are allowed, nothing else.
const NAMESPACES: [&str; 2] = ["--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"];
/// The user of the image that has a range of ids.
const USER: &str = "--user=1000:1000";

fn published(sandbox: &Sandbox) -> String {
    sandbox.registry().digest(&format!("image/{}", sandbox.id), "latest")
}

#[test]
fn root_with_all_rights_builds_plainly() {
    let sandbox = checkout("");
    let run = alone(&sandbox).with(&["--privileged"]).run(&["run"]).succeeds();
    run.says(&["rootless at unix://", "started in this job"]);
    assert_eq!(sandbox.result()["builder"]["backend"], "rootless");
    assert_ne!(published(&sandbox), "");
}

#[test]
fn root_without_them_builds_in_a_user_namespace() {
    let sandbox = checkout("");
    alone(&sandbox).with(&NAMESPACES).run(&["run"]).succeeds().says(&["started in this job"]);
    assert_ne!(published(&sandbox), "");
}

/// Proven, too; and what it built is there for the next run.
#[test]
fn an_ordinary_user_builds_and_proves_and_keeps_the_cache() {
    let sandbox = checkout(", build_mode: crucible");
    let cache = sandbox.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let kept = format!("--volume={}:/cache", cache.display());
    let job = || alone(&sandbox).with(&NAMESPACES).with(&[USER, &kept, "--env=XDG_CACHE_HOME=/cache"]);
    job().run(&["run"]).succeeds();
    let proof = &sandbox.result()["builds"][0]["proof"];
    assert_eq!((&proof["trust"], &proof["passed"]), (&"reproducible".into(), &true.into()), "{proof}");
    assert!(cache.join("stagefreight/buildkit/0").is_dir());
    let first = published(&sandbox);
    job().run(&["run"]).succeeds();
    assert!(!cache.join("stagefreight/buildkit/1").exists(), "the first run let go of it");
    assert_eq!(published(&sandbox), first);
}

#[test]
fn a_job_that_may_make_no_namespace_is_told_what_it_needs() {
    let sandbox = checkout("");
    let run = alone(&sandbox).run(&["run"]).exits(1);
    run.says(&[
        "our own BuildKit (rootless) ended while starting",
        "may not create user namespaces",
        "seccomp=unconfined",
    ]);
    let nameless = alone(&sandbox).with(&NAMESPACES).with(&["--user=12345"]).run(&["run"]).exits(1);
    nameless.says(&["unknown userid 12345", "uid 1000"]);
    let asked = alone(&sandbox).run(&["doctor"]).exits(1);
    asked.says(&["may not create user namespaces"]);
}

#[test]
fn doctor_tells_of_it() {
    let sandbox = checkout("");
    let run = alone(&sandbox).with(&["--privileged"]).run(&["doctor"]).succeeds();
    run.says(&["rootless at unix://", "started in this job"]);
}

/// Processes in the job's container that are not its shell's.
fn daemons(job: &Job) -> Vec<String> {
    let listed = job.inside("cat /proc/[0-9]*/comm 2>/dev/null");
    let ours = ["buildkitd", "rootlesskit", "buildkit-runc", "docker-buildx"];
    listed.lines().filter(|name| ours.contains(name)).map(str::to_owned).collect()
}

fn leaves_nothing(options: &[&str]) {
    let step = LongStep::new();
    let sandbox = checkout("").file("Dockerfile", &step.dockerfile());
    let job = alone(&sandbox).with(options);
    let script = "stagefreight run >/tmp/log 2>&1 & echo $! >/tmp/pid; sleep 300";
    let mut child = job.command(&[], &["sh", "-c", script]).spawn().unwrap();
    step.runs();
    assert!(daemons(&job).iter().any(|name| name == "buildkitd"), "{:?}", daemons(&job));
    job.inside("kill -KILL $(cat /tmp/pid)");
    within(Duration::from_secs(60), "nothing of the daemon is left", || daemons(&job).is_empty().then_some(()));
    step.ends();
    job.docker(&["kill", &job.name]);
    child.wait().unwrap();
}

#[test]
fn a_run_that_is_killed_leaves_nothing_of_it_as_root() {
    leaves_nothing(&["--privileged"]);
}

#[test]
fn a_run_that_is_killed_leaves_nothing_of_it_as_a_user() {
    leaves_nothing(&[NAMESPACES[0], NAMESPACES[1], USER]);
}
