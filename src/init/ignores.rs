//! Lines for `.gitignore` and `.dockerignore`: what a run writes belongs into neither, and a file that changes with every run in
//! the build context undoes the cache of every `COPY . .`.

use std::path::Path;

use super::files::Change;
use super::look::Seen;

/// What runs write.
const OURS: &str = ".stagefreight/";
/// Where images without a registry go; also the name many projects use for their own output.
const OUTPUT: &str = "dist/";

/// The lines that are missing.
pub(super) fn changes(seen: &Seen) -> Vec<Change> {
    let mut files = vec![".gitignore".to_owned()];
    let in_root: Vec<_> = seen.builds.iter().filter(|build| build.context == ".").collect();
    // A list named after the Dockerfile takes the place of the general one.
    let own = in_root.iter().map(|build| format!("{}.dockerignore", build.dockerfile));
    let own: Vec<_> = own.filter(|path| seen.root.join(path).is_file()).collect();
    if in_root.len() > own.len() {
        files.push(".dockerignore".to_owned());
    }
    files.extend(own);
    files.iter().filter_map(|path| change(seen, path)).collect()
}

fn change(seen: &Seen, path: &str) -> Option<Change> {
    let there = read(&seen.root.join(path));
    let has = |line: &str| {
        let name = line.trim_end_matches('/');
        there.lines().any(|old| old.trim().trim_start_matches('/').trim_end_matches(['/', '*']) == name)
    };
    // A `dist` that is there, or that a Dockerfile names, is the project's own.
    let theirs = seen.root.join(OUTPUT).exists() || seen.source.dockerfiles.values().any(|text| text.contains("dist"));
    let wanted = [(OURS, true), (OUTPUT, !theirs)];
    let missing: Vec<_> = wanted.into_iter().filter(|(line, ours)| *ours && !has(line)).map(|(line, _)| line).collect();
    if missing.is_empty() {
        return None;
    }
    let text = format!("# What StageFreight writes\n{}\n", missing.join("\n"));
    Some(Change::append(path, text))
}

fn read(path: &Path) -> String {
    let small = std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= 1 << 20);
    small
        .then(|| std::fs::read(path).ok())
        .flatten()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
