//! COPY, ADD and bind mounts: which paths of the image are which paths of a context or of another stage.

use regex::Regex;

use super::scene::{self, From, Scene};
use super::{Context, Origins};
use crate::plan::dockerfile::heredoc::Heredoc;
use crate::plan::dockerfile::instructions::Instruction;
use crate::plan::dockerfile::words;

/// Most files one pattern stands for.
const MATCHES: usize = 1_000;

/// Where a COPY puts its files.
#[derive(Clone, Copy)]
struct Goal<'a> {
    /// An absolute path, clean.
    at: &'a str,
    /// It is a directory for certain.
    into: bool,
    /// The sources keep their own directories.
    parents: bool,
}

impl Origins<'_> {
    pub(super) fn copy(&self, stage: usize, step: &Instruction, scene: &mut Scene) {
        let (flags, rest) = step.split_flags();
        let parents = flags.iter().any(|flag| matches!(*flag, "--parents" | "--parents=true"));
        let expanded = paths(rest).iter().map(|path| words::expand(path, &scene.values)).collect::<Vec<_>>();
        let Some((Some(dest), sources)) = expanded.split_last() else { return };
        let Some(at) = scene.absolute(dest) else { return };
        let into = dest.ends_with('/') || dest.ends_with('.') || sources.len() > 1 || parents;
        let to = Goal { at: &at, into, parents };
        let from = step.flag("from").map(|name| words::expand(&name, &scene.values));
        let mut documents = self.dockerfile.heredocs.get(step.heredocs.clone()).unwrap_or_default().iter();
        for source in sources.iter().flatten() {
            if source.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with("<<") {
                put_document(documents.next(), &at, into, scene);
                continue;
            }
            // Downloads and git repositories are no files of the checkout.
            if source.contains("://") || source.starts_with("git@") {
                continue;
            }
            match &from {
                None => self.put_context(None, source, to, scene),
                // A context of this name goes before a stage, as in BuildKit.
                Some(Some(name)) if self.named.contains_key(name) => self.put_context(Some(name), source, to, scene),
                Some(Some(name)) => self.put_stage(stage, name, source, &at, scene),
                Some(None) => {}
            }
        }
    }

    /// Files of another stage.
    fn put_stage(&self, stage: usize, name: &str, source: &str, at: &str, scene: &mut Scene) {
        let (Some(stage), Some(path)) = (self.dockerfile.source_stage(name, stage), scene::join("/", source)) else {
            return;
        };
        // Whether it is a directory is not known here; a path is either below the one or the other.
        if !has_pattern(&path) {
            let name = path.rsplit('/').next().unwrap_or_default();
            scene.put(format!("{at}/{name}"), From::Stage { stage, path: path.clone() });
            scene.put(at.to_owned(), From::Stage { stage, path });
        } else if let Some((dir, _)) = path.rsplit_once('/').filter(|(dir, _)| !has_pattern(dir)) {
            scene.put(at.to_owned(), From::Stage { stage, path: dir.to_owned() });
        }
    }

    fn put_context(&self, name: Option<&str>, source: &str, to: Goal<'_>, scene: &mut Scene) {
        let Goal { at, into, parents } = to;
        let Some(context) = self.named_context(name) else { return };
        // `a/./b` marks where the parents that are kept begin.
        let pivot = source.split_once("/./").map_or("", |(before, _)| before);
        let Some(source) = scene::clean(&format!("/{source}")) else { return };
        let source = source.trim_start_matches('/');
        let found = if has_pattern(source) { matches(context, source) } else { vec![source.to_owned()] };
        for path in found {
            let from = || From::Context { name: name.map(str::to_owned), path: path.clone() };
            if parents {
                let kept = path.strip_prefix(pivot.trim_matches('/')).unwrap_or(&path).trim_start_matches('/');
                scene.put(format!("{at}/{kept}"), from());
            } else if context.files.contains(&path) {
                let name = path.rsplit('/').next().unwrap_or(&path);
                scene.put(format!("{at}/{name}"), from());
                if !into {
                    scene.put(at.to_owned(), from());
                }
            } else if context.is_dir(&path) {
                scene.put(at.to_owned(), from());
            }
        }
    }

    /// `RUN --mount=type=bind,source=svc,target=/w[,from=stage]`: lies on top of everything else.
    pub(super) fn mounts(&self, stage: usize, step: &Instruction, scene: &mut Scene) {
        let (flags, _) = step.split_flags();
        for mount in flags.iter().filter_map(|flag| flag.strip_prefix("--mount=")) {
            let mount = words::unquote(mount);
            let field = |names: &[&str]| {
                let mut fields = mount.split(',').filter_map(|field| field.split_once('='));
                fields.find(|(name, _)| names.contains(name)).map(|(_, value)| value)
            };
            let expand = |value: &str| words::expand(value, &scene.values);
            let source = field(&["source", "src"]).map_or(Some("/".to_owned()), expand);
            let target = field(&["target", "dst", "destination"]).and_then(expand);
            let (Some(source), Some(target)) = (source, target) else { continue };
            let Some(at) = scene.absolute(&target) else { continue };
            if field(&["type"]).is_some_and(|kind| kind != "bind") {
                continue;
            }
            match field(&["from"]) {
                None => self.put_mounted(None, &source, at, scene),
                Some(name) if self.named.contains_key(name) => self.put_mounted(Some(name), &source, at, scene),
                Some(name) => {
                    let from = self.dockerfile.source_stage(name, stage).zip(scene::join("/", &source));
                    if let Some((stage, path)) = from {
                        scene.put(at, From::Stage { stage, path });
                    }
                }
            }
        }
    }

    fn put_mounted(&self, name: Option<&str>, source: &str, at: String, scene: &mut Scene) {
        if let Some(path) = scene::join("/", source) {
            let path = path.trim_start_matches('/').to_owned();
            scene.put(at, From::Context { name: name.map(str::to_owned), path });
        }
    }
}

fn put_document(document: Option<&Heredoc>, at: &str, into: bool, scene: &mut Scene) {
    let Some(document) = document else { return };
    let at = if into { format!("{at}/{}", document.word) } else { at.to_owned() };
    scene.put(at, From::Document { line: document.line });
}

/// Paths of a COPY, quotes removed: `a b /c/`, or `["a", "b", "/c/"]`.
fn paths(text: &str) -> Vec<String> {
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(paths) => paths,
        Err(_) => words::split(text).iter().map(|word| words::unquote(word)).collect(),
    }
}

fn has_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Files and directories of a context that a pattern matches, as Go's `filepath.Match` does, `**` crossing directories.
fn matches(context: &Context, pattern: &str) -> Vec<String> {
    let Some(regex) = regex(pattern) else { return Vec::new() };
    let depth = pattern.split('/').count();
    let crosses = pattern.contains("**");
    let mut found: Vec<String> = Vec::new();
    for file in &context.files {
        let path = match file.match_indices('/').nth(depth - 1) {
            Some((end, _)) if !crosses => &file[..end],
            _ => file.as_str(),
        };
        if found.last().is_none_or(|last| last != path) && regex.is_match(path) {
            found.push(path.to_owned());
        }
        if found.len() == MATCHES {
            break;
        }
    }
    found
}

fn regex(pattern: &str) -> Option<Regex> {
    let mut out = String::from("^");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                // `**/` may stand for nothing.
                out.push_str(if chars.next_if_eq(&'/').is_some() { "(?:.*/)?" } else { ".*" });
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                let class: String = chars.by_ref().take_while(|&c| c != ']').collect();
                out.push_str(&format!("[{}]", class.replace('\\', "\\\\").replace('[', "\\[")));
            }
            '\\' => out.extend(chars.next().map(|c| regex::escape(&c.to_string()))),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push('$');
    Regex::new(&out).ok()
}
