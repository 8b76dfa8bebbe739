//! The files of a build context, for naming the one an error stands in: what its ignore file leaves out is not among them.
//!
//! Reads names only, follows no links, and ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::context::{DEPTH, read_ignore};
use super::dockerignore::{DockerIgnore, Verdict};

/// How many entries are looked at.
const ENTRIES: usize = 100_000;

/// Files below `context`, relative to it, with `/`. A Dockerfile's own ignore file goes before that of the context. What
/// cannot be read, and what comes after very many files, is not among them.
pub fn files(context: &Path, dockerfile: &Path) -> BTreeSet<String> {
    let ignore = DockerIgnore::parse(&read_ignore(context, dockerfile).unwrap_or_default());
    let mut found = BTreeSet::new();
    let mut left = ENTRIES;
    let mut todo = vec![(context.to_owned(), String::new(), Verdict::default(), 0)];
    while let Some((path, name, verdict, depth)) = todo.pop() {
        let Ok(entries) = fs::read_dir(&path) else { continue };
        for entry in entries.flatten() {
            let Some(rest) = left.checked_sub(1) else { return found };
            left = rest;
            let (Ok(kind), Ok(own)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
            let name = if name.is_empty() { own } else { format!("{name}/{own}") };
            let verdict = ignore.judge(&name, &verdict);
            if kind.is_dir() && name != ".git" && depth < DEPTH && (!verdict.ignored || ignore.may_take_back(&name)) {
                todo.push((entry.path(), name, verdict, depth + 1));
            } else if kind.is_file() && !verdict.ignored {
                found.insert(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_not_listed_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.go", "dist/app.js", "dist/keep/x.js", "cmd/main.go", ".git/config"] {
            fs::create_dir_all(root.path().join(name).parent().unwrap()).unwrap();
            fs::write(root.path().join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.path().join("etc")).unwrap();
        fs::write(root.path().join(".dockerignore"), "dist\n!dist/keep\n").unwrap();
        let found = files(root.path(), &root.path().join("Dockerfile"));
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            [".dockerignore", "a.go", "cmd/main.go", "dist/keep/x.js"]
        );
    }
}
