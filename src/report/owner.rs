//! What a run leaves in the workspace belongs to whoever the workspace belongs to. In a container action we are root, the checkout is
//! not, and the runner's next checkout could not remove what is root's (actions/runner#434).

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};

use super::document::Document;
use super::write::DIRECTORY;

/// Gives away what this run made below the workspace, where we are root and the workspace is somebody else's.
pub fn give_back(document: &Document, workspace: &Path) {
    let Ok(theirs) = workspace.metadata() else { return };
    if !rustix::process::geteuid().is_root() || theirs.uid() == 0 {
        return;
    }
    let layouts = document.builds.iter().filter_map(|build| build.layout.as_deref());
    // The directory that layouts are in was made for them.
    let tops = layouts.filter_map(|layout| Path::new(layout).components().next()).map(|top| workspace.join(top));
    for top in tops.chain([workspace.join(DIRECTORY)]) {
        give(&top, theirs.uid(), theirs.gid());
    }
}

/// Follows no link. Best effort: the run is over, and who can remove what it left is no part of its result.
fn give(top: &Path, uid: u32, gid: u32) {
    let walk = ignore::WalkBuilder::new(top).standard_filters(false).follow_links(false).build();
    for entry in walk.flatten() {
        if entry.path().symlink_metadata().is_ok_and(|found| found.uid() == 0) {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            let _ = chownat(CWD, entry.path(), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_made_is_given_away_and_nothing_else() {
        assert!(rustix::process::geteuid().is_root(), "this test needs root, as all of them do here");
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        let top = dir.path().join("top");
        std::fs::create_dir_all(top.join("legs")).unwrap();
        std::fs::write(top.join("legs/a.json"), "{}").unwrap();
        std::fs::write(top.join("theirs"), "").unwrap();
        std::fs::write(&outside, "").unwrap();
        std::os::unix::fs::symlink(&outside, top.join("link")).unwrap();
        std::os::unix::fs::chown(top.join("theirs"), Some(7), Some(7)).unwrap();
        give(&top, 1000, 1001);
        let owner = |path: &Path| path.symlink_metadata().map(|found| (found.uid(), found.gid())).unwrap();
        for ours in ["", "legs", "legs/a.json", "link"] {
            assert_eq!(owner(&top.join(ours)), (1000, 1001), "{ours}");
        }
        assert_eq!(owner(&top.join("theirs")), (7, 7));
        assert_eq!(owner(&outside), (0, 0), "a link is not followed");
    }
}
