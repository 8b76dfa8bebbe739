//! Why our own BuildKit did not start, from what it and rootlesskit said. Pure.

use crate::problem::Problem;

/// What they say, and what to do about it. The first that fits.
const CURES: [(&str, &str); 7] = [
    (
        "unknown userid",
        "this user has no name: run the job as root or as uid 1000 (the image has names and ranges for both), or add the uid to /etc/passwd, /etc/subuid and /etc/subgid",
    ),
    (
        "No subuid ranges",
        "this user has no range of ids to hand out: add `NAME:100000:65536` to /etc/subuid and /etc/subgid, or run the job as root or as uid 1000 of the StageFreight image",
    ),
    (
        "newuidmap",
        "newuidmap may not hand out ids here: it must be setuid root, the container must not run with no-new-privileges, and its runtime must allow SETUID and SETGID",
    ),
    (
        "operation not permitted",
        "this job may not create user namespaces: run its container with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined` (GitLab: `security_opt` in the runner's config.toml), or privileged, or build with a BuildKit daemon (BUILDKIT_HOST) or a docker engine (DOCKER_HOST)",
    ),
    (
        "no space left on device",
        "the kernel grants no more user namespaces (sysctl user.max_user_namespaces), or the disk is full",
    ),
    (
        "permission denied",
        "something of the kernel is closed to this job: run its container with `--security-opt apparmor=unconfined` and `--security-opt systempaths=unconfined`, or privileged; on Ubuntu also see sysctl kernel.apparmor_restrict_unprivileged_userns",
    ),
    ("could not lock", "another BuildKit uses that directory: end it, or set XDG_CACHE_HOME to another one"),
];
const OTHERWISE: &str = "build with a BuildKit daemon (BUILDKIT_HOST) or a docker engine (DOCKER_HOST), or run the job's container privileged";

/// The problem.
pub(super) fn told(said: &str, late: bool, rootless: bool) -> Problem {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    // Warnings come before what it ended for.
    let worst = lines.clone().rev().find(|line| CURES.iter().any(|(sign, _)| contains(line, sign)));
    let line = worst.or_else(|| lines.next_back()).unwrap_or("it said nothing");
    let line: String = message(line).chars().filter(|c| !c.is_control()).take(300).collect();
    let cure = CURES.iter().find(|(sign, _)| contains(said, sign)).map_or(OTHERWISE, |(_, cure)| cure);
    let how = if rootless { "rootless" } else { "as root" };
    let when = if late { "did not listen in time" } else { "ended while starting" };
    Problem::new(format!("our own BuildKit ({how}) {when}: {line}")).hint(cure)
}

fn contains(text: &str, sign: &str) -> bool {
    text.to_ascii_lowercase().contains(&sign.to_ascii_lowercase())
}

/// The message of a line in logrus' form.
fn message(line: &str) -> &str {
    line.split_once("msg=\"").and_then(|(_, rest)| rest.rsplit_once('"')).map_or(line, |(message, _)| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_cure() {
        let told = |said: &str| {
            let problem = told(said, false, true);
            format!("{}\n{}", problem.what, problem.hint.unwrap_or_default())
        };
        let refused = told(
            "time=\"x\" level=warning msg=\"something\"\n[rootlesskit:parent] error: failed to start the child: fork/exec /proc/self/exe: operation not permitted\n",
        );
        assert!(
            refused.contains("ended while starting: [rootlesskit:parent] error: failed to start the child"),
            "{refused}"
        );
        assert!(refused.contains("seccomp=unconfined"), "{refused}");
        let nameless = told("time=\"x\" level=fatal msg=\"user: unknown userid 12345\"");
        assert!(nameless.contains(": user: unknown userid 12345\n") && nameless.contains("uid 1000"), "{nameless}");
        assert!(told("No subuid ranges found for user 7 (\"x\")").contains("/etc/subuid"));
        assert!(told("").contains("it said nothing"));
        assert!(super::told("x", true, false).what.contains("(as root) did not listen in time"));
    }
}
