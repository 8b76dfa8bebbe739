//! Puts a finished OCI layout where the user wants it: in one move, replacing an older layout and nothing else.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::problem::{Failure, FailureKind, Problem};

/// What a layout holds; `ingest` is where containerd's and BuildKit's writers keep unfinished blobs.
const PARTS: [&str; 4] = ["blobs", "index.json", "ingest", "oci-layout"];
/// How often another run may get in between.
const TRIES: usize = 10;
/// How often we look before we believe what we see.
const LOOKS: u64 = 3;

/// Moves the layout at `from` to `to`.
///
/// # Errors
/// When something that is no layout is there, or the disk refuses.
pub(super) fn place(from: &Path, to: &Path) -> Result<(), Failure> {
    let trouble = |why: &str, hint: &str| {
        let what = format!("the OCI layout cannot be put at {}: {why}", to.display());
        Failure::new(FailureKind::Report, Problem::new(what).hint(hint))
    };
    if !is_settled_replaceable(to) {
        let hint = "move it away, or let the layout go to another directory";
        return Err(trouble("something that is not an OCI layout is there", hint));
    }
    swap_in(from, to)
        .map_err(|e| trouble(&e.to_string(), "check the space left on the disk and who owns the directory"))
}

/// While another run puts its own there, the directory may look like anything for a moment.
fn is_settled_replaceable(to: &Path) -> bool {
    (0..LOOKS).any(|n| {
        std::thread::sleep(Duration::from_millis(20 * n));
        is_replaceable(to)
    })
}

/// Nothing, an empty directory, or an older layout with nothing beside it. A link is somebody's intention: it stays.
fn is_replaceable(to: &Path) -> bool {
    match fs::symlink_metadata(to) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(found) => found.is_dir() && holds_only_a_layout(to),
    }
}

fn holds_only_a_layout(dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    let names: Vec<_> = entries.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>().unwrap_or_default();
    let known = |name: &std::ffi::OsString| PARTS.iter().any(|part| name == part);
    names.iter().all(known) && (names.is_empty() || names.iter().any(|name| name == "oci-layout"))
}

/// A reader sees the old layout or the new one; of two runs the later one wins.
fn swap_in(from: &Path, to: &Path) -> io::Result<()> {
    let parent = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    // On the same file system as the goal, which the runner's temporary directory may not be.
    let beside = tempfile::Builder::new().prefix(".stagefreight-").tempdir_in(parent)?;
    let (new, old) = (beside.path().join("new"), beside.path().join("old"));
    fs::rename(from, &new).or_else(|_| copy_dir(from, &new))?;
    fs::create_dir(&old)?;
    for n in 0..TRIES {
        // There may be nothing to move away.
        let _ = fs::rename(to, old.join(n.to_string()));
        match fs::rename(&new, to) {
            // Another run was faster: once more.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && n + 1 < TRIES => {}
            result => return result,
        }
    }
    Err(io::Error::other("other runs put theirs there all the time"))
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dir: &Path, mark: &str) -> std::path::PathBuf {
        fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        fs::write(dir.join("oci-layout"), "{}").unwrap();
        fs::write(dir.join("index.json"), mark).unwrap();
        fs::write(dir.join("blobs/sha256").join(mark), mark).unwrap();
        dir.to_owned()
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn it_replaces_nothing_an_empty_directory_and_an_older_layout_whole() {
        let root = tempfile::tempdir().unwrap();
        let to = root.path().join("out/dist");
        place(&layout(&root.path().join("a"), "a"), &to).unwrap();
        place(&layout(&root.path().join("b"), "b"), &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("index.json")).unwrap(), "b");
        assert_eq!(names(&to.join("blobs/sha256")), ["b"]);
        assert_eq!(names(&root.path().join("out")), ["dist"], "nothing is left beside it");
        fs::create_dir(root.path().join("empty")).unwrap();
        place(&layout(&root.path().join("c"), "c"), &root.path().join("empty")).unwrap();
        assert_eq!(names(&root.path().join("empty")), ["blobs", "index.json", "oci-layout"]);
    }

    #[test]
    fn it_never_takes_anything_else_away() {
        let root = tempfile::tempdir().unwrap();
        let theirs = root.path().join("theirs");
        layout(&theirs, "old");
        fs::write(theirs.join("app.js"), "precious").unwrap();
        let file = root.path().join("file");
        fs::write(&file, "precious").unwrap();
        let link = root.path().join("link");
        layout(&root.path().join("elsewhere"), "elsewhere");
        std::os::unix::fs::symlink(root.path().join("elsewhere"), &link).unwrap();
        for to in [&theirs, &file, &link] {
            let from = layout(&root.path().join("new"), "new");
            let failure = place(&from, to).unwrap_err();
            assert!(failure.to_string().contains("not an OCI layout"), "{failure}");
        }
        assert_eq!(names(&theirs), ["app.js", "blobs", "index.json", "oci-layout"]);
        assert_eq!(fs::read_to_string(link.join("index.json")).unwrap(), "elsewhere");
    }

    #[test]
    fn of_two_runs_one_wins_whole() {
        let root = tempfile::tempdir().unwrap();
        let to = root.path().join("dist");
        std::thread::scope(|scope| {
            for mark in ["a", "b"] {
                let (root, to) = (root.path(), &to);
                scope.spawn(move || {
                    for n in 0..20 {
                        // The check may see the other's directory in the moment it is empty or gone; never half of it.
                        place(&layout(&root.join(format!("{mark}{n}")), mark), to).unwrap();
                    }
                });
            }
        });
        let won = fs::read_to_string(to.join("index.json")).unwrap();
        assert_eq!(names(&to.join("blobs/sha256")), [won]);
        assert_eq!(names(root.path()), ["dist"]);
    }
}
