//! What a stage holds at some point: where its files came from, its directory, its variables.

use std::collections::BTreeMap;

use super::Origins;
use crate::plan::dockerfile::history::platform_args;
use crate::plan::dockerfile::instructions::{Instruction, Keyword};
use crate::plan::dockerfile::{declared, words};

/// More than a Dockerfile has; the rest is not looked at.
const PLACED: usize = 2_000;

#[derive(Debug, Clone, Default)]
pub(super) struct Scene {
    /// In the order in which they were put there.
    pub(super) placed: Vec<Placed>,
    /// The directory; `None` once it is not certain.
    pub(super) workdir: Option<String>,
    /// Something was put below the base image's own directory, which we take for the root.
    pub(super) assumed: bool,
    /// Variables.
    pub(super) values: BTreeMap<String, String>,
    /// The directory is still the base image's.
    base_workdir: bool,
}

/// Files or a file at an absolute path, clean, without `/` at its end.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) at: String,
    pub(super) from: From,
}

#[derive(Debug, Clone)]
pub(super) enum From {
    /// A path of a context, relative to it; `None` is the build's own context.
    Context { name: Option<String>, path: String },
    /// An absolute path of another stage.
    Stage { stage: usize, path: String },
    /// A here-document.
    Document { line: u32 },
}

impl Origins<'_> {
    /// What a stage holds before its instruction number `before`, or at its end. `None` where the stage is not known.
    pub(super) fn scene(&self, stage: usize, before: Option<usize>) -> Option<Scene> {
        let globals = self.dockerfile.values(self.build_args);
        let mut from = globals.clone();
        from.extend(platform_args(self.platform));
        let chain = self.dockerfile.chain(stage, &from)?;
        let mut scene = Scene { workdir: Some("/".to_owned()), base_workdir: chain.base.is_some(), ..Scene::default() };
        let end = before.and_then(|at| self.dockerfile.stages[stage].instructions.get(at)).map(|i| i.line);
        for (at, step) in &chain.steps {
            if *at == stage && end.is_some_and(|end| step.line >= end) {
                break;
            }
            match step.keyword {
                Keyword::Arg => self.arg(step, &from, &mut scene),
                Keyword::Env => env(step, &mut scene),
                Keyword::Workdir => workdir(step, &mut scene),
                Keyword::Copy | Keyword::Add if scene.placed.len() < PLACED => self.copy(*at, step, &mut scene),
                _ => {}
            }
        }
        Some(scene)
    }

    fn arg(&self, step: &Instruction, globals: &BTreeMap<String, String>, scene: &mut Scene) {
        for arg in declared(&step.arguments, step.line) {
            let default = || words::expand(arg.default.as_deref()?, &scene.values);
            let value = self.build_args.get(&arg.name).cloned().or_else(default);
            if let Some(value) = value.or_else(|| globals.get(&arg.name).cloned()) {
                scene.values.insert(arg.name, value);
            }
        }
    }
}

/// `ENV A=1 B="x y"`, and the old `ENV A the rest`.
fn env(step: &Instruction, scene: &mut Scene) {
    let words = words::split(&step.arguments);
    let pairs: Vec<(String, String)> = match words.first() {
        Some(first) if first.contains('=') => words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), words::unquote(value)))
            .collect(),
        Some(first) => {
            vec![(first.clone(), step.arguments.trim_start()[first.len()..].trim().to_owned())]
        }
        None => Vec::new(),
    };
    // All of one instruction see the values from before it.
    let before = scene.values.clone();
    for (name, value) in pairs {
        match words::expand(&value, &before) {
            Some(value) => drop(scene.values.insert(name, value)),
            None => drop(scene.values.remove(&name)),
        }
    }
}

fn workdir(step: &Instruction, scene: &mut Scene) {
    let written = words::expand(&words::unquote(step.arguments.trim()), &scene.values);
    scene.base_workdir &= written.as_ref().is_some_and(|dir| !dir.starts_with('/'));
    let from = scene.workdir.clone();
    scene.workdir = written.and_then(|dir| join(from.as_deref().or(dir.starts_with('/').then_some("/"))?, &dir));
}

impl Scene {
    /// An absolute path, clean, of one that may be relative to the directory.
    pub(super) fn absolute(&mut self, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return clean(path);
        }
        self.assumed |= self.base_workdir;
        join(self.workdir.as_deref()?, path)
    }

    pub(super) fn put(&mut self, at: String, from: From) {
        self.placed.push(Placed { at, from });
    }
}

/// An absolute path without `.`, `..` and doubled slashes; the root is empty. `None` for one that is not absolute.
pub(super) fn clean(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.iter().flat_map(|part| ["/", *part]).collect())
}

/// `path` seen from the absolute directory `dir`, clean.
pub(super) fn join(dir: &str, path: &str) -> Option<String> {
    if path.starts_with('/') { clean(path) } else { clean(&format!("/{}/{path}", dir.trim_matches('/'))) }
}

/// What of a clean path lies below another: empty for the same.
pub(super) fn below<'p>(path: &'p str, dir: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(dir)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Two relative paths, either of which may be empty.
pub fn append(dir: &str, path: &str) -> String {
    match (dir, path) {
        ("", path) => path.to_owned(),
        (dir, "") => dir.to_owned(),
        (dir, path) => format!("{dir}/{path}"),
    }
}
