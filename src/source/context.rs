//! What a local build context would carry into an image that its commit does not say: the times of its files.
//!
//! BuildKit clamps times to `SOURCE_DATE_EPOCH`, it does not set them: what is older keeps its own time, in directories
//! and links too, and another checkout gives another digest. Reads metadata only, follows no links, and ends.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::Timestamp;

use super::dockerignore::{DockerIgnore, Verdict};
use crate::problem::Problem;

/// How many paths are named.
const NAMED: usize = 5;
/// How many entries are looked at.
const ENTRIES: usize = 200_000;
/// Deeper directories are not looked into.
pub(super) const DEPTH: usize = 64;
/// A larger ignore file is none.
const IGNORE_LIMIT: u64 = 1 << 20;

/// Entries of a build context that are older than a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OldFiles {
    /// How many.
    pub count: u64,
    /// Some of them, relative to the context, with `/`. At most five.
    pub first: Vec<String>,
    /// The context has more entries than were looked at: there may be more.
    pub bounded: bool,
}

/// Looks for files, directories and links that are older than `epoch`, in whole seconds. `ignore` is the text of the
/// context's ignore file. What cannot be read is passed over: BuildKit will say so.
pub fn older_than(context: &Path, ignore: &str, epoch: Timestamp) -> OldFiles {
    let mut walk = Walk {
        ignore: DockerIgnore::parse(ignore),
        epoch: epoch.as_second(),
        left: ENTRIES,
        found: OldFiles::default(),
    };
    walk.directory(context, "", &Verdict::default(), 0);
    walk.found
}

/// What people are told when a context holds files older than the epoch; `None` where it holds none. A Dockerfile's own
/// ignore file goes before that of the context.
pub fn too_old(context: &Path, dockerfile: &Path, epoch: Timestamp) -> Option<Problem> {
    let old = older_than(context, &read_ignore(context, dockerfile).unwrap_or_default(), epoch);
    (old.count > 0).then(|| problem(&old, epoch))
}

/// The ignore file that counts for a context and a Dockerfile.
pub(super) fn read_ignore(context: &Path, dockerfile: &Path) -> Option<String> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    read_bounded(Path::new(&own)).or_else(|| read_bounded(&context.join(".dockerignore")))
}

fn problem(old: &OldFiles, epoch: Timestamp) -> Problem {
    let many = if old.bounded { "at least " } else { "" };
    let (noun, verb) = if old.count == 1 { ("file", "is") } else { ("files", "are") };
    let what = format!(
        "{many}{} {noun} in the build context {verb} older than the commit's time ({epoch}): they keep their own times in \
         the image, and another checkout gives another digest",
        old.count
    );
    let mut names = old.first.join("\n");
    let more = old.count.saturating_sub(old.first.len() as u64);
    if more > 0 {
        names.push_str(&format!("\n… and {more} more"));
    }
    let hint = "after the checkout, make every file new, which the build then sets to the commit's time: \
                `find . -path ./.git -prune -o -exec touch -h {} +`";
    Problem::new(what).snippet(names).hint(hint)
}

struct Walk {
    ignore: DockerIgnore,
    epoch: i64,
    left: usize,
    found: OldFiles,
}

impl Walk {
    /// Whether anything in it belongs to the context.
    fn directory(&mut self, path: &Path, name: &str, verdict: &Verdict, depth: usize) -> bool {
        if depth > DEPTH {
            self.found.bounded = true;
            return false;
        }
        let mut any = false;
        let Ok(entries) = fs::read_dir(path) else { return false };
        let mut names: Vec<_> = entries.take(self.left + 1).filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        names.sort();
        for entry in names {
            if self.left == 0 {
                self.found.bounded = true;
                break;
            }
            self.left -= 1;
            let path = path.join(&entry);
            let entry = entry.to_string_lossy();
            let name = if name.is_empty() { entry.into_owned() } else { format!("{name}/{entry}") };
            any |= self.entry(&path, &name, verdict, depth);
        }
        any
    }

    fn entry(&mut self, path: &Path, name: &str, directory: &Verdict, depth: usize) -> bool {
        let Ok(metadata) = fs::symlink_metadata(path) else { return false };
        let kind = metadata.file_type();
        if !(kind.is_dir() || kind.is_file() || kind.is_symlink()) {
            return false;
        }
        let verdict = self.ignore.judge(name, directory);
        let mut belongs = !verdict.ignored;
        // Told before what is in it, unless only that brings it in.
        if belongs {
            self.note(name, metadata.mtime());
        }
        if kind.is_dir() && (belongs || self.ignore.may_take_back(name)) {
            let inside = self.directory(path, name, &verdict, depth + 1);
            if inside && !belongs {
                belongs = true;
                self.note(name, metadata.mtime());
            }
        }
        belongs
    }

    fn note(&mut self, name: &str, mtime: i64) {
        if mtime < self.epoch {
            self.found.count += 1;
            if self.found.first.len() < NAMED {
                self.found.first.push(name.to_owned());
            }
        }
    }
}

fn read_bounded(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    (metadata.is_file() && metadata.len() <= IGNORE_LIMIT)
        .then(|| fs::read(path).ok())?
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const EPOCH: i64 = 1_700_000_000;

    fn epoch() -> Timestamp {
        Timestamp::from_second(EPOCH).unwrap()
    }

    fn write(root: &Path, name: &str, age: i64) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(EPOCH - age).unwrap());
        fs::File::create(&path).unwrap().set_modified(time).unwrap();
    }

    fn age(root: &Path, directory: &str, age: i64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(EPOCH - age).unwrap());
        fs::File::open(root.join(directory)).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn old_files_and_directories_are_counted() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "new", -5);
        write(root.path(), "same", 0);
        write(root.path(), "old", 1);
        write(root.path(), "d/old", 9);
        age(root.path(), "d", 9);
        age(root.path(), "", 9);
        std::os::unix::fs::symlink("/", root.path().join("link")).unwrap();
        let old = older_than(root.path(), "", epoch());
        // Not the context itself: BuildKit does not send its time.
        assert_eq!(old, OldFiles { count: 3, first: vec!["d".into(), "d/old".into(), "old".into()], bounded: false });
    }

    #[test]
    fn ignored_files_do_not_count_and_directories_on_the_way_do() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a/deep/keep", "a/other", "b/x", "c"] {
            write(root.path(), name, 1);
        }
        for directory in ["a/deep", "a", "b"] {
            age(root.path(), directory, 1);
        }
        let old = older_than(root.path(), "*\n!a/deep/keep\n", epoch());
        assert_eq!(old.first, ["a/deep/keep", "a/deep", "a"]);
    }

    #[test]
    fn the_dockerfiles_own_ignore_file_goes_first() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "old", 1);
        fs::write(root.path().join(".dockerignore"), "old\n").unwrap();
        let dockerfile = root.path().join("ci/Dockerfile");
        assert_eq!(too_old(root.path(), &dockerfile, epoch()), None);
        fs::create_dir(root.path().join("ci")).unwrap();
        fs::write(root.path().join("ci/Dockerfile.dockerignore"), "# nothing\n").unwrap();
        let problem = too_old(root.path(), &dockerfile, epoch()).unwrap();
        insta::assert_snapshot!(problem.what, @r"
    1 file in the build context is older than the commit's time (2023-11-14T22:13:20Z): they keep their own times in the image, and another checkout gives another digest
    ");
        assert_eq!(problem.snippet.as_deref(), Some("old"));
        assert!(problem.hint.unwrap().contains("touch -h"));
    }

    #[test]
    fn of_many_some_are_named() {
        let root = tempfile::tempdir().unwrap();
        (0..9).for_each(|i| write(root.path(), &format!("f{i}"), 1));
        let problem = too_old(root.path(), &root.path().join("Dockerfile"), epoch()).unwrap();
        assert!(problem.what.starts_with("9 files "), "{}", problem.what);
        assert_eq!(problem.snippet.as_deref(), Some("f0\nf1\nf2\nf3\nf4\n… and 4 more"));
    }

    #[test]
    fn a_huge_context_is_not_walked_to_its_end() {
        let root = tempfile::tempdir().unwrap();
        (0..9).for_each(|i| write(root.path(), &format!("f{i}"), 1));
        let mut walk = Walk { ignore: DockerIgnore::default(), epoch: EPOCH, left: 4, found: OldFiles::default() };
        walk.directory(root.path(), "", &Verdict::default(), 0);
        assert_eq!((walk.found.count, walk.found.bounded), (4, true));
        let problem = problem(&walk.found, epoch());
        assert!(problem.what.starts_with("at least 4 files "), "{}", problem.what);
    }

    #[test]
    fn a_context_that_is_not_there_is_empty() {
        assert_eq!(older_than(Path::new("/nonexistent/context"), "", epoch()), OldFiles::default());
    }
}
