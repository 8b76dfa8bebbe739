//! Dockerfiles of a checkout: found by name, within bounds, and those that were named.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path};

use ignore::WalkBuilder;

/// How many directories deep to look, the root being the first.
const DEPTH: usize = 4;
/// How many files and directories to look at.
const ENTRIES: usize = 5_000;
/// A larger file is no Dockerfile.
const SIZE_LIMIT: u64 = 1024 * 1024;
/// Directories full of other people's Dockerfiles.
const SKIPPED: [&str; 3] = ["node_modules", "vendor", "target"];

/// Path and text of every Dockerfile found, and of those wanted that exist.
pub(super) fn read(root: &Path, wanted: &[String]) -> BTreeMap<String, String> {
    let found = find(root).into_iter().filter_map(|path| {
        // A link may lead out of the checkout; what was found by chance must not.
        let inside = root.join(&path).canonicalize().is_ok_and(|real| real.starts_with(root));
        inside.then_some(path)
    });
    let wanted = wanted.iter().map(|path| clean_path(path));
    found
        .chain(wanted)
        .filter_map(|path| {
            let text = read_bounded(&root.join(&path))?;
            Some((path, text))
        })
        .collect()
}

/// A path as the keys of `Source::dockerfiles` spell it: no `.`, no double or trailing slash, `..` resolved as written.
pub fn clean_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.last().is_some_and(|last| !matches!(*last, ".." | "")) => {
                parts.pop();
            }
            Component::ParentDir => parts.push(".."),
            Component::RootDir => parts.push(""),
            Component::Normal(name) => parts.extend(name.to_str()),
            Component::Prefix(_) => {}
        }
    }
    parts.join("/")
}

/// Order of preference: depth, then directory, then `Dockerfile` before all other names.
pub(super) fn rank(path: &str) -> (usize, &str, bool, &str) {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    (path.matches('/').count(), directory, name != "Dockerfile", name)
}

fn find(root: &Path) -> Vec<String> {
    // The root first and alone: no directory, however full, may use up the bound before it was seen.
    let mut found = walk(root, 1);
    found.extend(walk(root, DEPTH));
    found
}

fn walk(root: &Path, depth: usize) -> Vec<String> {
    let walk = WalkBuilder::new(root)
        .max_depth(Some(depth))
        .follow_links(false)
        // A checkout may lie in a directory that another one ignores, as a runner's builds do.
        .parents(false)
        .ignore(false)
        .git_global(false)
        .require_git(false)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| {
            let directory = entry.file_type().is_some_and(|kind| kind.is_dir());
            !(directory && entry.depth() > 0 && SKIPPED.iter().any(|name| entry.file_name() == *name))
        })
        .build();
    walk.take(ENTRIES)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| !kind.is_dir()))
        .filter(|entry| entry.file_name().to_str().is_some_and(is_dockerfile))
        .filter_map(|entry| Some(clean_path(entry.path().strip_prefix(root).ok()?.to_str()?)))
        .collect()
}

fn is_dockerfile(name: &str) -> bool {
    // The ignore list of a Dockerfile is called after it.
    !name.ends_with(".dockerignore")
        && (matches!(name, "Dockerfile" | "Containerfile")
            || name.starts_with("Dockerfile.")
            || name.starts_with("Containerfile.")
            || name.ends_with(".Dockerfile")
            || name.ends_with(".dockerfile"))
}

/// The text of a regular file of moderate size. A pipe or device would block or never end.
fn read_bounded(path: &Path) -> Option<String> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= SIZE_LIMIT).then(|| String::from_utf8_lossy(&bytes).into_owned())
}
