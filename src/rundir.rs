//! The run's private directory: logins, builder definitions, secrets, metadata. Mode 0700, gone on every exit path.
//!
//! A run that was killed outright cannot clean up; the next one on the same machine does, and knows a dead run by its
//! lock, which the kernel released.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "stagefreight-run-";
/// Directories that hold secrets: the first to go.
const SECRET: [&str; 3] = ["secrets", "docker", "buildx"];
/// How old a directory without a lock is before it counts as a dead run's: a living one has its lock within moments.
const LOCKLESS: Duration = Duration::from_secs(3600);

/// A private directory that vanishes with the value.
#[derive(Debug)]
pub struct RunDir {
    dir: Option<tempfile::TempDir>,
    path: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Makes one below `parent`, and removes what runs that were killed left there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        sweep(parent);
        let dir =
            tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)?;
        // The lock gets its name when it is held: a run that sweeps meanwhile must not find it free.
        let (unnamed, named) = (dir.path().join("lock.new"), dir.path().join("lock"));
        let lock = private_file(&unnamed)?;
        lock.lock()?;
        fs::rename(unnamed, named)?;
        for name in SECRET.iter().chain(&["metadata"]) {
            DirBuilder::new().mode(0o700).create(dir.path().join(name))?;
        }
        Ok(Self { path: dir.path().to_owned(), dir: Some(dir), _lock: lock })
    }

    /// `DOCKER_CONFIG`: logins of this run only.
    pub fn docker(&self) -> PathBuf {
        self.path.join("docker")
    }

    /// `BUILDX_CONFIG`: builder definitions of this run only.
    pub fn buildx(&self) -> PathBuf {
        self.path.join("buildx")
    }

    /// A file for the metadata of a build.
    pub fn metadata(&self, build: usize) -> PathBuf {
        self.path.join("metadata").join(format!("{build}.json"))
    }

    /// Lower-case letters and digits nobody else has: for names outside this directory.
    pub fn nonce(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        name.chars().skip(PREFIX.len()).filter(char::is_ascii_alphanumeric).collect()
    }

    /// A path for what is being moved; nothing is there yet.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file only we can read, and tells where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn secret(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join("secrets").join(name);
        private_file(&path)?.write_all(content)?;
        Ok(path)
    }

    /// Removes it now, telling of trouble that dropping would swallow.
    ///
    /// # Errors
    /// When something of it stays behind.
    pub fn close(mut self) -> io::Result<()> {
        self.remove_secrets();
        self.dir.take().map_or(Ok(()), tempfile::TempDir::close)
    }

    /// Somebody may still be writing here, an export that was just cancelled for one, and make removing the whole fail:
    /// that must not keep the secrets.
    fn remove_secrets(&self) {
        for name in SECRET {
            // What is left of it, removing the whole will tell.
            let _ = fs::remove_dir_all(self.path.join(name));
        }
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        self.remove_secrets();
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Removes directories of runs that are no more. Trouble while sweeping is no trouble of this run's.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        if is_ours(&path) && is_dead(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// In a directory for everybody's temporary files, only what we own is looked into.
fn is_ours(path: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|m| m.is_dir() && m.uid() == me)
}

/// Nobody holds its lock, or it lost it while it was being removed.
fn is_dead(path: &Path) -> bool {
    let lock = path.join("lock");
    match fs::symlink_metadata(&lock) {
        Ok(found) => found.is_file() && File::open(lock).is_ok_and(|lock| lock.try_lock().is_ok()),
        Err(_) => {
            let age = fs::symlink_metadata(path).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
            age.is_some_and(|age| age > LOCKLESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_and_vanishes() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDir::create(parent.path()).unwrap();
        let secret = run.secret("token", b"hunter2").unwrap();
        assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(run.docker()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(run.scratch("")).unwrap().mode() & 0o777, 0o700);
        drop(run);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_run_left_is_swept_and_a_living_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = RunDir::create(parent.path()).unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lock"), "").unwrap();
        fs::write(dead.join("config.json"), "secret").unwrap();
        let stranger = parent.path().join("other");
        fs::create_dir(&stranger).unwrap();
        let next = RunDir::create(parent.path()).unwrap();
        assert!(living.docker().is_dir() && next.docker().is_dir() && stranger.is_dir());
        assert!(!dead.exists());
    }

    #[test]
    fn runs_that_begin_at_the_same_moment_leave_each_other_alone() {
        let parent = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let run = RunDir::create(parent.path()).unwrap();
                        run.secret("token", b"x").unwrap();
                        run.close().unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn half_a_directory_is_swept_when_it_is_old() {
        let parent = tempfile::tempdir().unwrap();
        let [young, old] = ["young", "old"].map(|name| parent.path().join(format!("{PREFIX}{name}")));
        fs::create_dir(&young).unwrap();
        fs::create_dir(&old).unwrap();
        let yesterday = std::time::SystemTime::now() - Duration::from_secs(24 * 3600);
        File::open(&old).unwrap().set_modified(yesterday).unwrap();
        drop(RunDir::create(parent.path()).unwrap());
        assert!(young.exists() && !old.exists());
    }

    #[test]
    fn secrets_go_even_when_something_else_stays() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDir::create(parent.path()).unwrap();
        let secret = run.secret("token", b"hunter2").unwrap();
        let busy = run.scratch("layout");
        fs::create_dir(&busy).unwrap();
        // A directory that cannot be emptied stands for one that somebody writes to; root empties it all the same.
        fs::write(busy.join("blob"), "").unwrap();
        fs::set_permissions(&busy, Permissions::from_mode(0o500)).unwrap();
        let closed = run.close();
        assert!(!secret.exists());
        assert!(closed.is_err() || !busy.exists());
        let _ = fs::set_permissions(&busy, Permissions::from_mode(0o700));
    }
}
