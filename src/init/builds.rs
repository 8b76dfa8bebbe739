//! One build for each Dockerfile that looks like an image of the project: its name, and the directory its COPY lines mean.

use std::path::Path;

use crate::plan::dockerfile::{self, Keyword};
use crate::problem::Problem;
use crate::source::Source;

/// More Dockerfiles than a project publishes.
const MOST: usize = 20;
/// Directories of Dockerfiles that are no images of the project.
const ASIDE: [&str; 11] = [
    "test",
    "tests",
    "testdata",
    "fixtures",
    "example",
    "examples",
    "samples",
    "docs",
    ".devcontainer",
    "e2e",
    "third_party",
];
/// Parts of names, `Dockerfile.dev`, that say the same.
const ASIDE_BY_NAME: [&str; 16] = [
    "dev",
    "devel",
    "development",
    "devcontainer",
    "local",
    "debug",
    "test",
    "tests",
    "testing",
    "e2e",
    "bench",
    "ci",
    "lint",
    "docs",
    "example",
    "sample",
];
/// Directories that say where Dockerfiles are kept, and nothing of what they build.
const KEPT_IN: [&str; 9] =
    ["docker", ".docker", "build", "deploy", "deployment", "container", "containers", "ci", "packaging"];

/// An image to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) dockerfile: String,
    pub(super) context: String,
    /// Why that context.
    pub(super) why: String,
}

/// Finds them, in the order of preference. Those that are left out are told.
pub(super) fn find(source: &Source, project: &str, reasons: &mut Vec<(String, String)>) -> Result<Vec<Found>, Problem> {
    let (aside, ours): (Vec<&str>, Vec<&str>) = source.dockerfile_paths().into_iter().partition(|path| is_aside(path));
    // BuildKit's client takes no such path.
    let (odd, ours): (Vec<&str>, Vec<&str>) =
        ours.into_iter().partition(|path| path.contains(|c: char| c.is_control()));
    // Where there are no others, these are the project's.
    let (ours, aside) = if ours.is_empty() { (aside, ours) } else { (ours, aside) };
    if ours.is_empty() {
        return Err(Problem::new("there is no Dockerfile here to build").hint(
            "write one first: StageFreight builds what a Dockerfile says; it was looked for 4 directories deep",
        ));
    }
    let mut found: Vec<Found> = Vec::new();
    for path in ours.iter().take(MOST) {
        let text = source.dockerfile(path).unwrap_or_default();
        let (context, why) = context(&source.root, path, text);
        let name = id(path, project);
        let clashes =
            found.iter().filter(|other| other.id == name || other.id.starts_with(&format!("{name}-"))).count();
        let id = if clashes == 0 { name } else { format!("{name}-{}", clashes + 1) };
        reasons.push((format!("build {id}"), format!("{path}; context {context}: {why}")));
        found.push(Found { id, dockerfile: (*path).to_owned(), context, why });
    }
    for path in ours.iter().skip(MOST) {
        reasons.push((format!("left out {path}"), format!("more than {MOST} Dockerfiles; add it under `builds`")));
    }
    for path in odd {
        reasons.push((format!("left out {path}"), "its path holds a control character".to_owned()));
    }
    for path in aside {
        reasons.push((
            format!("left out {path}"),
            "it looks like no image of the project; add it under `builds` if it is".to_owned(),
        ));
    }
    Ok(found)
}

/// Whether a Dockerfile builds no image of the project, by its name or by where it lies.
fn is_aside(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let told = suffix(name).unwrap_or_default().to_ascii_lowercase();
    directory.split('/').any(|part| ASIDE.contains(&part))
        || told.split(['.', '-', '_']).any(|part| ASIDE_BY_NAME.contains(&part))
}

/// What a Dockerfile's name says beside that it is one.
fn suffix(name: &str) -> Option<&str> {
    name.strip_prefix("Dockerfile.")
        .or_else(|| name.strip_prefix("Containerfile."))
        .or_else(|| name.strip_suffix(".Dockerfile"))
        .or_else(|| name.strip_suffix(".dockerfile"))
}

/// The name of what a Dockerfile builds, from where it lies.
fn id(path: &str, project: &str) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let suffix = suffix(name);
    let part = directory.rsplit('/').find(|part| !part.is_empty() && !KEPT_IN.contains(part));
    let told = suffix.or(part).map(legal).filter(|id| !id.is_empty());
    told.or_else(|| Some(legal(project)).filter(|id| !id.is_empty())).unwrap_or_else(|| "app".to_owned())
}

/// A name that can stand in an image's path: lower case, no separator at its ends or twice.
pub(crate) fn legal(text: &str) -> String {
    let lower: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    let parts: Vec<_> = lower.split('-').filter(|part| !part.is_empty()).collect();
    let cut: String = parts.join("-").chars().take(60).collect();
    cut.trim_end_matches('-').to_owned()
}

/// The directory that the Dockerfile's COPY lines mean: its own if what they name lies there, else the root.
fn context(root: &Path, path: &str, text: &str) -> (String, String) {
    let Some((directory, _)) = path.rsplit_once('/') else {
        return (".".to_owned(), "it lies in the root".to_owned());
    };
    let sources = copied(text);
    let all_in = |base: &Path| sources.iter().all(|name| base.join(name).exists());
    match sources.first() {
        None => (directory.to_owned(), "it copies nothing by name, so its own directory is enough".to_owned()),
        Some(first) if all_in(&root.join(directory)) => {
            (directory.to_owned(), format!("`{first}`, which it copies, lies there"))
        }
        Some(first) if all_in(root) => (".".to_owned(), format!("`{first}`, which it copies, lies in the root")),
        Some(first) => (".".to_owned(), format!("a guess: `{first}`, which it copies, is nowhere to be found")),
    }
}

/// What COPY and ADD take from the context, as far as it is a plain path.
fn copied(text: &str) -> Vec<String> {
    let read = dockerfile::read(text);
    let copies = read.stages.iter().flat_map(|stage| &stage.instructions).filter(|at| {
        matches!(at.keyword, Keyword::Copy | Keyword::Add) && at.flag("from").is_none() && at.heredocs.is_empty()
    });
    let mut names = Vec::new();
    for copy in copies {
        let (_, rest) = copy.split_flags();
        let words: Vec<String> =
            serde_json::from_str(rest).unwrap_or_else(|_| rest.split_whitespace().map(str::to_owned).collect());
        let sources = words.split_last().map(|(_, sources)| sources).unwrap_or_default();
        names.extend(sources.iter().map(|word| word.trim_matches('"').trim_start_matches('/').to_owned()));
    }
    names.retain(|name| {
        !name.is_empty()
            && name != "."
            && !name.contains(['*', '?', '[', '$', ':', '\\'])
            && !name.split('/').any(|part| part == "..")
    });
    names
}
