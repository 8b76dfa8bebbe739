//! From a path that a tool names inside a RUN back to the file of the checkout it was copied from.
//!
//! Replays what COPY, ADD, WORKDIR, ENV, ARG and bind mounts say, stage by stage; builds nothing and reads no disk: what
//! the contexts hold is a value ([`Context`]). A path is only ever answered with a file that a context holds. Where nothing
//! is certain there is no answer: a wrong line is worse than none.

mod copy;
mod run;
mod scene;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::Dockerfile;
use super::instructions::{Instruction, Keyword};
pub use scene::append;
use scene::{From, Scene};

/// How many lookups one answer may cost: stages that copy from each other many times over ask for many.
const LOOKUPS: u32 = 2_000;

/// Files that a build may copy from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Its directory, relative to the root of the checkout; empty for the root itself.
    pub dir: String,
    /// Its files, relative to it, without those its ignore file leaves out.
    pub files: BTreeSet<String>,
}

/// Where a file inside a build comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file, relative to the root of the checkout.
    File(String),
    /// A here-document of the Dockerfile, whose first line is this one.
    Document {
        /// 1-based.
        line: u32,
    },
}

/// What a build is made of.
#[derive(Debug, Clone, Copy)]
pub struct Origins<'a> {
    /// The Dockerfile.
    pub dockerfile: &'a Dockerfile,
    /// The build context; `None` where it is not in the checkout.
    pub context: Option<&'a Context>,
    /// Named contexts that are directories of the checkout.
    pub named: &'a BTreeMap<String, Context>,
    /// Build args as given.
    pub build_args: &'a BTreeMap<String, String>,
    /// Platform of the build, `linux/amd64`; may be empty.
    pub platform: &'a str,
}

/// A RUN, with everything it sees.
#[derive(Debug)]
pub struct Step<'a> {
    origins: Origins<'a>,
    scene: Scene,
    /// Where its commands worked: a relative path begins there.
    went: run::Went,
    /// First line of the script in the Dockerfile, where the RUN is a here-document.
    script: Option<u32>,
    left: Cell<u32>,
}

impl<'a> Origins<'a> {
    /// The RUN that covers a line of the Dockerfile.
    pub fn step(self, line: u32) -> Option<Step<'a>> {
        let covers = |i: &Instruction| i.line <= line && line <= i.end_line;
        let (stage, at) = self.dockerfile.stages.iter().enumerate().find_map(|(stage, s)| {
            let at = s.instructions.iter().position(covers)?;
            Some((stage, at))
        })?;
        let mut scene = self.scene(stage, Some(at))?;
        let written = self.dockerfile.stages[stage].instructions.get(at)?;
        let instruction = written.trigger().unwrap_or_else(|| written.clone());
        if instruction.keyword != Keyword::Run {
            return None;
        }
        let documents = self.dockerfile.heredocs.get(instruction.heredocs.clone()).unwrap_or_default();
        self.mounts(stage, &instruction, &mut scene);
        let went = run::directories(&instruction, documents, &scene);
        let script = documents.first().map(|document| document.line);
        Some(Step { origins: self, scene, went, script, left: Cell::new(LOOKUPS) })
    }
}

impl Step<'_> {
    /// Where the file comes from that a tool calls `path`; `/dir/./path` where it is likeliest in that directory.
    pub fn origin(&self, path: &str) -> Option<Origin> {
        self.left.set(LOOKUPS);
        if path.starts_with('/') {
            let whole = scene::clean(path)?;
            let (dir, said) = path.split_once("/./").unzip();
            let known = || scene::clean(dir?).filter(|dir| !self.is_foreign(dir));
            let found = self.look(&whole).or_else(|| self.below_an_unknown_directory(&whole));
            return found.or_else(|| known().and_then(|_| self.relative(said?)));
        }
        self.relative(path)
    }

    /// From every directory that commands worked in: where they disagree, or one of them is not of ours, none is certain.
    fn relative(&self, path: &str) -> Option<Origin> {
        let run::Went { worked, perhaps, lost } = &self.went;
        let gone = worked.iter().filter(|dir| Some(*dir) != self.scene.workdir.as_ref());
        let mut above = lost.iter().map(Option::as_ref).chain(gone.map(Some));
        if above.any(|dir| dir.is_none_or(|dir| self.is_foreign(dir))) {
            return None;
        }
        for dirs in [worked, perhaps].into_iter().filter(|_| lost.is_empty()) {
            let mut found = dirs.iter().filter_map(|dir| self.look(&scene::join(dir, path)?));
            if let Some(first) = found.next() {
                return found.all(|other| other == first).then_some(first);
            }
        }
        self.only(path)
    }

    /// Nothing of a context was put at, above or below a directory.
    fn is_foreign(&self, dir: &str) -> bool {
        let holds = |placed: &scene::Placed| match &placed.from {
            // The root is above everything.
            From::Context { name, path } if placed.at.is_empty() => self
                .origins
                .named_context(name.as_deref())
                .is_some_and(|context| context.is_dir(&scene::append(path, dir.trim_start_matches('/')))),
            _ => !placed.at.is_empty() && scene::below(dir, &placed.at).is_some(),
        };
        !self.scene.placed.iter().any(|placed| holds(placed) || scene::below(&placed.at, dir).is_some())
    }

    /// First line of the script, where the RUN is a here-document.
    pub fn script(&self) -> Option<u32> {
        self.script
    }

    fn look(&self, path: &str) -> Option<Origin> {
        self.origins.look(&self.scene, path, &self.left)
    }

    /// A base image may begin in a directory of its own (`/go`): paths we hold for those of the root are below it.
    fn below_an_unknown_directory(&self, path: &str) -> Option<Origin> {
        const TOOLCHAINS: [&str; 9] = ["usr", "lib", "etc", "proc", "sys", "dev", "opt", "rustc", "nix"];
        let mut parts = path.trim_start_matches('/').splitn(3, '/');
        let (first, second, rest) = (parts.next()?, parts.next()?, parts.next());
        if !self.scene.assumed || TOOLCHAINS.contains(&first) {
            return None;
        }
        let below = |rest: &str| self.look(&format!("/{rest}"));
        match rest {
            Some(rest) => below(&format!("{second}/{rest}")).or_else(|| below(rest)),
            None => below(second),
        }
    }

    /// The only file here whose path ends so: tools of many packages name files from each package's directory.
    fn only(&self, path: &str) -> Option<Origin> {
        let path = scene::join("/", path).filter(|path| path.len() > 1)?;
        let mut copied = BTreeSet::new();
        self.origins.copied(&self.scene, "", &self.left, &mut copied)?;
        let mut same = BTreeSet::new();
        for (name, dir) in copied {
            let Some(context) = self.origins.named_context(name.as_deref()) else { continue };
            let below = context.files.iter().filter(|file| dir.is_empty() || scene::below(file, &dir).is_some());
            let ends = below.filter(|file| file.ends_with(&path) || file.as_str() == &path[1..]);
            same.extend(ends.take(2).map(|file| context.path(file)));
        }
        let mut same = same.into_iter();
        same.next().filter(|_| same.next().is_none()).map(Origin::File)
    }
}

impl Origins<'_> {
    /// The file at an absolute path of a scene. What came last lies on top.
    fn look(&self, scene: &Scene, path: &str, left: &Cell<u32>) -> Option<Origin> {
        scene.placed.iter().rev().find_map(|placed| {
            let rest = scene::below(path, &placed.at)?;
            left.set(left.get().checked_sub(1)?);
            match &placed.from {
                From::Context { name, path } => {
                    let context = self.named_context(name.as_deref())?;
                    let file = scene::append(path, rest);
                    context.files.contains(&file).then(|| Origin::File(context.path(&file)))
                }
                From::Stage { stage, path } => self.look(&self.scene(*stage, None)?, &scene::join(path, rest)?, left),
                From::Document { line } => rest.is_empty().then_some(Origin::Document { line: *line }),
            }
        })
    }

    /// Paths of contexts that came to a directory of a scene, also through other stages. `None` where they are too many.
    fn copied(
        &self,
        scene: &Scene,
        dir: &str,
        left: &Cell<u32>,
        all: &mut BTreeSet<(Option<String>, String)>,
    ) -> Option<()> {
        for placed in &scene.placed {
            let rest = match scene::below(dir, &placed.at) {
                Some(rest) => rest,
                None if scene::below(&placed.at, dir).is_some() => "",
                None => continue,
            };
            left.set(left.get().checked_sub(1)?);
            match &placed.from {
                From::Context { name, path } => drop(all.insert((name.clone(), scene::append(path, rest)))),
                From::Stage { stage, path } => {
                    let Some((scene, dir)) = self.scene(*stage, None).zip(scene::join(path, rest)) else { continue };
                    self.copied(&scene, &dir, left, all)?;
                }
                From::Document { .. } => {}
            }
        }
        Some(())
    }

    fn named_context(&self, name: Option<&str>) -> Option<&Context> {
        match name {
            None => self.context,
            Some(name) => self.named.get(name),
        }
    }
}

impl Context {
    /// A file of it, relative to the root of the checkout.
    fn path(&self, file: &str) -> String {
        scene::append(&self.dir, file)
    }

    /// Holds files below it.
    fn is_dir(&self, dir: &str) -> bool {
        let below = format!("{dir}/");
        dir.is_empty() || self.files.range(below.clone()..).next().is_some_and(|file| file.starts_with(&below))
    }
}
