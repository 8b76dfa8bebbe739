//! A BuildKit daemon of our own, where there is neither an engine nor a daemon: our child, listening in the run's private directory,
//! gone with us. As an ordinary user it runs in a user namespace that rootlesskit makes; as root with all rights it runs plainly.

mod trouble;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

use self::trouble::told;
use super::probe::Endpoint;
use crate::environment::Vars;
use crate::guard;
use crate::http::ProxySettings;
use crate::problem::Problem;
use crate::process::{self, Kept, Spec};
use crate::rundir::RunDir;

/// Tells a second pass run by the candidate where the first pass's daemon listens.
pub(crate) const HANDED: &str = "STAGEFREIGHT_CRUCIBLE_BUILDKIT";
/// How long it may take to listen.
const START: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const TICK: Duration = Duration::from_millis(25);
/// How much of what it says is kept.
const SAID: usize = 16 << 10;
/// Runs that may keep their state side by side.
const SLOTS: usize = 8;
/// Directories that may not be on `PATH`, and hold what daemons are made of.
const MORE: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/sbin"];
/// `CAP_SYS_ADMIN`: mounting.
const ADMIN: u32 = 21;

/// What is needed, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    buildkitd: PathBuf,
    /// `None` where we may do without.
    rootlesskit: Option<PathBuf>,
}

/// A daemon that listens. Dropped, it ends.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Where.
    pub endpoint: Endpoint,
    /// What a person should know.
    pub notes: Vec<Problem>,
    child: Arc<Mutex<Option<Kept>>>,
    _state: Arc<Option<File>>,
}

/// The programs, where they are.
///
/// # Errors
/// Names the one that is missing.
pub(super) fn programs(vars: &Vars) -> Result<Programs, Problem> {
    let more = MORE.map(PathBuf::from);
    let find = |name: &str| {
        process::find(name, vars, &more).ok_or_else(|| {
            Problem::new(format!("no {name} on PATH, which running BuildKit ourselves needs"))
                .hint("use the StageFreight image, which has it, or install it")
        })
    };
    find("buildkit-runc").or_else(|_| find("runc"))?;
    let rootlesskit = if may_mount() { None } else { Some(find("rootlesskit")?) };
    Ok(Programs { buildkitd: find("buildkitd")?, rootlesskit })
}

/// Root with the right to mount needs no user namespace.
fn may_mount() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    rustix::process::geteuid().is_root() && has_capability(&status, ADMIN)
}

fn has_capability(status: &str, number: u32) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|set| set >> number & 1 == 1)
}

/// Starts the daemon and waits until it listens.
///
/// # Errors
/// When it does not, with what it said and the cure.
pub(super) async fn start(
    programs: &Programs,
    config: Option<&str>,
    proxy: &ProxySettings,
    vars: &Vars,
    run: &RunDir,
    cancel: &CancellationToken,
) -> Result<Daemon, Problem> {
    let cannot = |e: std::io::Error| {
        Problem::new(format!("the directories of our own BuildKit cannot be made: {e}"))
            .hint("check the space left and the permissions of the runner's directory for temporary files")
    };
    let home = run.scratch("buildkitd");
    std::fs::create_dir_all(&home).map_err(cannot)?;
    let (state, lock) = state(vars, &home);
    let mut notes = Vec::new();
    if lock.is_none() {
        let what = "our own BuildKit keeps nothing for the next run: no directory for its state can be written to";
        notes.push(
            Problem::new(what).hint("set XDG_CACHE_HOME (or HOME) to a directory that stays and can be written to"),
        );
    }
    let toml = run.secret("own-buildkitd.toml", config.unwrap_or_default().as_bytes()).map_err(cannot)?;
    let socket = home.join("buildkitd.sock");
    let spec = command(programs, &Places { home: &home, state: &state, socket: &socket, config: &toml }, proxy, vars);
    let mut child = process::keep(&spec).map_err(|e| Problem::new(format!("BuildKit cannot be started: {e}")))?;
    let said = listen_to(&mut child);
    let endpoint = Endpoint::Unix(socket.clone());
    let deadline = Instant::now() + START;
    loop {
        if socket.exists() && super::answers(&endpoint).await.is_ok() {
            break;
        }
        let late = Instant::now() > deadline;
        if child.ended().is_some() || late || cancel.is_cancelled() {
            child.release(Duration::from_secs(3)).await;
            tokio::time::sleep(TICK).await;
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return Err(told(&String::from_utf8_lossy(&said), late, programs.rootlesskit.is_some()));
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(Daemon { endpoint, notes, child: Arc::new(Mutex::new(Some(child))), _state: Arc::new(lock) })
}

impl Daemon {
    /// Ends it in good order, so that what it keeps is whole; at most so long.
    pub async fn end(&self, limit: Duration) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(child) = child {
            child.release(limit).await;
        }
    }
}

/// Keeps the last of what it says, and reads on: a full pipe would stop it.
fn listen_to(child: &mut Kept) -> Arc<Mutex<Vec<u8>>> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let (kept, pipe) = (Arc::clone(&said), child.stderr.take());
    tokio::spawn(async move {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; 4 << 10];
        while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(&buffer[..n]);
            let over = kept.len().saturating_sub(SAID);
            kept.drain(..over);
        }
    });
    said
}

/// A directory for what BuildKit keeps that no other run uses now, and the lock that says so. Where none can be had, one that goes
/// with the run.
fn state(vars: &Vars, home: &Path) -> (PathBuf, Option<File>) {
    let base = match vars.get("XDG_CACHE_HOME") {
        Some(cache) => Some(PathBuf::from(cache)),
        None => vars.get("HOME").filter(|home| *home != "/").map(|home| Path::new(home).join(".cache")),
    };
    let base = base.filter(|base| base.is_absolute()).map(|base| base.join("stagefreight/buildkit"));
    let found = base.and_then(|base| {
        (0..SLOTS).find_map(|slot| {
            let dir = base.join(slot.to_string());
            std::fs::create_dir_all(&dir).ok()?;
            let lock = File::create(base.join(format!("{slot}.lock"))).ok()?;
            lock.try_lock().ok()?;
            Some((dir, lock))
        })
    });
    match found {
        Some((dir, lock)) => (dir, Some(lock)),
        None => (home.join("state"), None),
    }
}

struct Places<'a> {
    home: &'a Path,
    state: &'a Path,
    socket: &'a Path,
    config: &'a Path,
}

/// `stagefreight guard [rootlesskit …] buildkitd …`.
fn command(programs: &Programs, at: &Places<'_>, proxy: &ProxySettings, vars: &Vars) -> Spec {
    let path = |path: &Path| path.display().to_string();
    let mut args = vec![guard::WORD.to_owned()];
    if let Some(rootlesskit) = &programs.rootlesskit {
        // Its own network would need a device that jobs do not have; the state below /run must be ours.
        args.extend([path(rootlesskit), "--net=host".to_owned(), "--copy-up=/run".to_owned()]);
        args.push(format!("--state-dir={}", path(&at.home.join("rootlesskit"))));
    }
    args.push(path(&programs.buildkitd));
    args.extend([format!("--config={}", path(at.config)), format!("--root={}", path(at.state))]);
    args.extend([format!("--addr=unix://{}", path(at.socket)), "--containerd-worker=false".to_owned()]);
    args.extend(["--oci-worker=true", "--allow-insecure-entitlement=network.host"].map(str::to_owned));
    args.push(format!("--otel-socket-path={}", path(&at.home.join("otel.sock"))));
    if programs.rootlesskit.is_some() {
        // A container of its own for each command's processes would need a /proc that a container hides from us.
        args.push("--oci-worker-no-process-sandbox".to_owned());
    }
    let search = vars.get("PATH").unwrap_or_default().split(':').filter(|dir| dir.starts_with('/'));
    let search: Vec<_> = search.chain(MORE).collect();
    let mut env = BTreeMap::from(
        [
            ("PATH", search.join(":")),
            ("HOME", path(at.home)),
            ("TMPDIR", path(at.home)),
            ("XDG_RUNTIME_DIR", path(at.home)),
            ("BUILDKIT_STEP_LOG_MAX_SIZE", "-1".to_owned()),
            ("BUILDKIT_STEP_LOG_MAX_SPEED", "-1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let proxies = [("HTTP_PROXY", &proxy.http), ("HTTPS_PROXY", &proxy.https), ("NO_PROXY", &proxy.no_proxy)];
    env.extend(proxies.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    Spec::new("/proc/self/exe", args, env, Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_is_given_a_namespace_and_root_is_not() {
        let at = Places {
            home: Path::new("/r"),
            state: Path::new("/s"),
            socket: Path::new("/r/b.sock"),
            config: Path::new("/r/c.toml"),
        };
        let vars: Vars =
            [("PATH".to_owned(), "/a:b".to_owned()), ("TOKEN".to_owned(), "x".to_owned())].into_iter().collect();
        let proxy = ProxySettings { https: Some("http://p:1".into()), ..ProxySettings::default() };
        let user = Programs { buildkitd: "/b/buildkitd".into(), rootlesskit: Some("/b/rootlesskit".into()) };
        let spec = command(&user, &at, &proxy, &vars);
        assert_eq!(
            spec.args.join(" "),
            "guard /b/rootlesskit --net=host --copy-up=/run --state-dir=/r/rootlesskit /b/buildkitd --config=/r/c.toml --root=/s --addr=unix:///r/b.sock --containerd-worker=false --oci-worker=true --allow-insecure-entitlement=network.host --otel-socket-path=/r/otel.sock --oci-worker-no-process-sandbox"
        );
        assert_eq!(spec.env["PATH"], "/a:/usr/local/bin:/usr/bin:/usr/sbin:/sbin");
        assert_eq!((spec.env["HTTPS_PROXY"].as_str(), spec.env.get("TOKEN")), ("http://p:1", None));
        let root = command(&Programs { rootlesskit: None, ..user }, &at, &proxy, &vars);
        assert_eq!(root.args[..2], ["guard", "/b/buildkitd"]);
        assert!(!root.args.iter().any(|arg| arg.contains("sandbox")));
    }

    #[test]
    fn rights_are_read_from_the_kernels_words() {
        assert!(has_capability("Name:\tx\nCapEff:\t000001ffffffffff\n", ADMIN));
        assert!(!has_capability("CapEff:\t00000000a80425fb\n", ADMIN), "docker's usual set");
        assert!(!has_capability("", ADMIN));
    }

    #[test]
    fn runs_side_by_side_keep_their_state_apart() {
        let dir = tempfile::tempdir().unwrap();
        let vars: Vars = [("XDG_CACHE_HOME".to_owned(), dir.path().display().to_string())].into_iter().collect();
        let (first, lock) = state(&vars, Path::new("/h"));
        let (second, other) = state(&vars, Path::new("/h"));
        assert!(first.ends_with("stagefreight/buildkit/0") && second.ends_with("stagefreight/buildkit/1"));
        drop((lock, other));
        // A program that another test starts at this moment holds the lock until it has begun.
        let free = |_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            state(&vars, Path::new("/h")).0 == first
        };
        assert!((0..250).any(free));
        let nowhere: Vars = [("HOME".to_owned(), "/proc/none".to_owned())].into_iter().collect();
        let (with_the_run, lock) = state(&nowhere, Path::new("/h"));
        assert!(with_the_run == Path::new("/h/state") && lock.is_none());
    }
}
