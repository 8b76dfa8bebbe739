//! What a container is given of this machine, as one archive: the checkout and the few files beside it, each under the path it has
//! here, so that every path in the handover means the same on both sides. Streaming, blocking.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

/// Directories that belong to the image: a checkout there would bury its programs.
const SYSTEM: [&str; 12] =
    ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/run"];
/// More entries than a checkout has.
const MAX_ENTRIES: usize = 2_000_000;

/// Everything that goes in.
#[derive(Debug, Default)]
pub(super) struct Freight {
    /// Directories, with all that is in them.
    pub(super) trees: Vec<PathBuf>,
    /// Single files, under another path: where it goes, where it is.
    pub(super) files: BTreeMap<PathBuf, PathBuf>,
    /// Documents made here, which only root may read.
    pub(super) documents: BTreeMap<PathBuf, Vec<u8>>,
}

/// Whether a directory can be put into a container at its own path.
pub(super) fn fits(dir: &Path) -> bool {
    dir.is_absolute() && dir.parent().is_some() && !SYSTEM.iter().any(|system| dir.starts_with(system))
}

impl Freight {
    /// Writes the archive, with paths from the root.
    ///
    /// # Errors
    /// When something cannot be read, or the sink takes no more.
    pub(super) fn write(&self, sink: impl Write) -> io::Result<()> {
        let mut tar = Builder::new(sink);
        tar.follow_symlinks(false);
        for (to, bytes) in &self.documents {
            let mut header = header(EntryType::Regular, bytes.len() as u64, 0o600);
            tar.append_data(&mut header, inside(to), bytes.as_slice())?;
        }
        for (to, from) in &self.files {
            let mut file = std::fs::File::open(from).map_err(|e| at(from, &e))?;
            let mut header = header(EntryType::Regular, file.metadata()?.len(), 0o600);
            tar.append_data(&mut header, inside(to), &mut file).map_err(|e| at(from, &e))?;
        }
        for tree in &self.trees {
            tar.append_data(&mut header(EntryType::Directory, 0, 0o755), inside(tree), io::empty())?;
            append(&mut tar, tree)?;
        }
        tar.into_inner()?.flush()
    }
}

/// A tree, without recursion. Sockets, pipes and devices are no part of a checkout. What vanishes meanwhile or may not be read is
/// left out: a build that needs it says so.
fn append(tar: &mut Builder<impl Write>, tree: &Path) -> io::Result<()> {
    let mut waiting = vec![tree.to_owned()];
    let mut count = 0_usize;
    while let Some(dir) = waiting.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Err(error) if dir != tree && is_out_of_reach(&error) => continue,
            entries => entries.map_err(|e| at(&dir, &e))?,
        };
        for entry in entries {
            let path = entry?.path();
            let Ok(metadata) = path.symlink_metadata() else { continue };
            count += 1;
            if count > MAX_ENTRIES {
                return Err(io::Error::other(format!("{} has more than {MAX_ENTRIES} entries", tree.display())));
            }
            let kind = metadata.file_type();
            let mut header = Header::new_gnu();
            header.set_metadata(&metadata);
            header.set_uid(0);
            header.set_gid(0);
            let appended = if kind.is_dir() {
                waiting.push(path.clone());
                tar.append_data(&mut header, inside(&path), io::empty())
            } else if kind.is_symlink() {
                std::fs::read_link(&path).and_then(|target| tar.append_link(&mut header, inside(&path), target))
            } else if kind.is_file() {
                std::fs::File::open(&path).and_then(|file| {
                    // A file that is being written must not break the archive: as long as it said, no longer.
                    let exact = Exact { inner: file, left: metadata.len() };
                    tar.append_data(&mut header, inside(&path), exact)
                })
            } else {
                continue;
            };
            match appended {
                Err(error) if is_out_of_reach(&error) => {}
                appended => appended.map_err(|e| at(&path, &e))?,
            }
        }
    }
    Ok(())
}

fn is_out_of_reach(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// Gives exactly so many bytes: no more than asked for, zeros where the file ends early.
struct Exact {
    inner: std::fs::File,
    left: u64,
}

impl io::Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let mut n = self.inner.read(&mut buffer[..room])?;
        if n == 0 {
            buffer[..room].fill(0);
            n = room;
        }
        self.left -= n as u64;
        Ok(n)
    }
}

fn header(kind: EntryType, size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header
}

fn inside(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_checkout_arrives_as_it_is() {
        let from = tempfile::tempdir().unwrap();
        let root = from.path().join("app");
        std::fs::create_dir_all(root.join("deep/er")).unwrap();
        std::fs::write(root.join("deep/er/run.sh"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(root.join("deep/er/run.sh"), std::fs::Permissions::from_mode(0o751)).unwrap();
        std::fs::File::open(root.join("deep/er/run.sh"))
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(86_400))
            .unwrap();
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
        std::fs::create_dir_all(root.join(&long).parent().unwrap()).unwrap();
        std::fs::write(root.join(&long), "long").unwrap();
        std::os::unix::fs::symlink("deep/er/run.sh", root.join("link")).unwrap();
        std::os::unix::fs::symlink("/no/such", root.join("dangling")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let freight = Freight {
            trees: vec![root.clone()],
            files: [("/certs/ca.pem".into(), root.join("link"))].into(),
            documents: [("/h.json".into(), b"{}".to_vec())].into(),
        };
        let mut archive = Vec::new();
        freight.write(&mut archive).unwrap();
        let to = tempfile::tempdir().unwrap();
        let mut tar = tar::Archive::new(archive.as_slice());
        tar.set_preserve_mtime(true);
        tar.unpack(to.path()).unwrap();
        let there = to.path().join(root.strip_prefix("/").unwrap());
        let script = std::fs::metadata(there.join("deep/er/run.sh")).unwrap();
        assert_eq!(script.permissions().mode() & 0o777, 0o751);
        let age = script.modified().unwrap().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(age.as_secs(), 86_400);
        assert_eq!(std::fs::read_to_string(there.join(&long)).unwrap(), "long");
        assert_eq!(std::fs::read_link(there.join("link")).unwrap(), Path::new("deep/er/run.sh"));
        assert_eq!(std::fs::read_link(there.join("dangling")).unwrap(), Path::new("/no/such"));
        assert!(!there.join("socket").exists());
        assert_eq!(std::fs::read_to_string(to.path().join("certs/ca.pem")).unwrap(), "#!/bin/sh\n");
        let document = std::fs::metadata(to.path().join("h.json")).unwrap();
        assert_eq!((document.permissions().mode() & 0o777, document.len()), (0o600, 2));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_breaks_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), "12345").unwrap();
        for (left, want) in [(3, "123"), (5, "12345"), (7, "12345\0\0")] {
            let mut exact = Exact { inner: std::fs::File::open(dir.path().join("f")).unwrap(), left };
            let mut text = String::new();
            io::Read::read_to_string(&mut exact, &mut text).unwrap();
            assert_eq!(text, want);
        }
    }

    #[test]
    fn a_checkout_that_would_bury_the_image_does_not_fit() {
        for (dir, want) in
            [("/", false), ("/usr/src/app", false), ("/etc", false), ("/work/app", true), ("relative", false)]
        {
            assert_eq!(fits(Path::new(dir)), want, "{dir}");
        }
        assert!(fits(Path::new("/usrland/app")) && fits(Path::new("/github/workspace")));
    }
}
