//! The run's private directory: logins, builder definitions, secrets, metadata. Mode 0700, gone on every exit path.
//!
//! A run that was killed outright cannot clean up; the next one on the same machine does, and knows a dead run by its
//! lock, which the kernel released.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const PREFIX: &str = "stagefreight-run-";

/// A private directory that vanishes with the value.
#[derive(Debug)]
pub struct RunDir {
    dir: tempfile::TempDir,
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
        let private = fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(parent)?;
        let lock = private_file(&dir.path().join("lock"))?;
        lock.lock()?;
        for name in ["docker", "buildx", "secrets", "metadata"] {
            DirBuilder::new().mode(0o700).create(dir.path().join(name))?;
        }
        Ok(Self { dir, _lock: lock })
    }

    /// `DOCKER_CONFIG`: logins of this run only.
    pub fn docker(&self) -> PathBuf {
        self.dir.path().join("docker")
    }

    /// `BUILDX_CONFIG`: builder definitions of this run only.
    pub fn buildx(&self) -> PathBuf {
        self.dir.path().join("buildx")
    }

    /// A file for the metadata of a build.
    pub fn metadata(&self, build: usize) -> PathBuf {
        self.dir.path().join("metadata").join(format!("{build}.json"))
    }

    /// Lower-case letters and digits nobody else has: for names outside this directory.
    pub fn nonce(&self) -> String {
        let name = self.dir.path().file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        name.chars().skip(PREFIX.len()).filter(char::is_ascii_alphanumeric).collect()
    }

    /// A path for what is being moved; nothing is there yet.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file only we can read, and tells where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn secret(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.dir.path().join("secrets").join(name);
        private_file(&path)?.write_all(content)?;
        Ok(path)
    }

    /// Removes it now, telling of trouble that dropping would swallow.
    ///
    /// # Errors
    /// When something of it stays behind.
    pub fn close(self) -> io::Result<()> {
        self.dir.close()
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Removes directories of runs that are no more: ours by owner, and nobody holds their lock.
fn sweep(parent: &Path) {
    let me = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let ours = fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir() && m.uid() == me);
        let Ok(lock) = File::open(path.join("lock")) else { continue };
        match lock.try_lock() {
            // Trouble while sweeping is no trouble of this run's.
            Ok(()) if ours => drop(fs::remove_dir_all(&path)),
            Ok(()) | Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
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
        assert_eq!(fs::metadata(run.docker().parent().unwrap()).unwrap().mode() & 0o777, 0o700);
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
}
