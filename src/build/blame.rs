//! Puts what a failed build said on files of the checkout: tools name paths inside the build, people know those of the
//! repository.
//!
//! What cannot be put on a file stands on the line of the Dockerfile, with the path in its message. So every place in the
//! result is a file of the checkout, or the Dockerfile.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use crate::buildx::argv::is_remote;
use crate::buildx::errors::{Explained, MAX_ERRORS};
use crate::buildx::event::{BuildError, BuildFailure, Warning, rule};
use crate::plan::Step;
use crate::plan::dockerfile::{self, origin};
use crate::problem::Location;
use crate::source;

/// A larger Dockerfile is not read.
const DOCKERFILE_LIMIT: u64 = 1 << 20;
/// A longer first line is no `#!`.
const LINE: u64 = 512;
/// Most Go modules looked at.
const MODULES: usize = 200;
/// Longest message, in characters.
const MESSAGE: usize = 400;

/// The failure with places in the checkout at `root`. `warnings` are BuildKit's own, which may be why.
#[must_use]
pub fn place(explained: Explained, warnings: &[Warning], step: &Step, root: &Path) -> BuildFailure {
    let Explained { mut failure, frames } = explained;
    let frames = if violations(&mut failure, warnings) { Vec::new() } else { frames };
    if is_remote(&step.context) {
        // Dockerfile and files are of another repository, or of another commit of this one.
        return failure;
    }
    // BuildKit knows only the name; a file that is not there is where it was looked for.
    let line = failure.dockerfile.as_ref().and_then(|at| at.line);
    let dockerfile = Location { file: step.dockerfile.clone(), line, column: None };
    let text = read(&root.join(&step.dockerfile)).unwrap_or_default();
    let parsed = dockerfile::read(&text);
    let main = context(root, &step.context, &step.dockerfile);
    let named = step.build_contexts.iter().filter(|(_, value)| !is_remote(value));
    let named: BTreeMap<String, origin::Context> =
        named.filter_map(|(name, value)| Some((name.clone(), context(root, value, "")?))).collect();
    let origins = origin::Origins {
        dockerfile: &parsed,
        context: main.as_ref(),
        named: &named,
        build_args: &step.build_args,
        platform: step.platforms.first().map_or("", String::as_str),
    };
    let line = line.or_else(|| download(&parsed, &failure.summary)).or_else(|| command(&parsed, &failure.summary));
    let checkout = Checkout {
        run: line.and_then(|line| origins.step(line)),
        dockerfile: Location { line, ..dockerfile },
        from: line.and_then(|line| parsed.at(line)?.flag("from")),
        modules: OnceCell::new(),
        files: main.as_ref(),
        context: root.join(&step.context),
        root,
    };
    for (i, error) in failure.errors.iter_mut().enumerate() {
        checkout.put(error, frames.get(i).map_or(&[], Vec::as_slice));
    }
    failure.dockerfile = Some(checkout.dockerfile);
    failure
}

/// The line of an ADD whose address BuildKit's last word names: it gives no excerpt there.
fn download(dockerfile: &dockerfile::Dockerfile, summary: &str) -> Option<u32> {
    let mut instructions = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
    let names = |i: &&dockerfile::Instruction| {
        i.arguments.split_whitespace().any(|word| word.contains("://") && summary.contains(word))
    };
    instructions.find(|i| i.keyword == dockerfile::Keyword::Add && names(i)).map(|i| i.line)
}

/// The line of the RUN whose command BuildKit's last word quotes: of two builds that wait for one and the same step, only one
/// gets the excerpt. Nothing where several instructions run it.
fn command(dockerfile: &dockerfile::Dockerfile, summary: &str) -> Option<u32> {
    let quoted = summary.split_once("process \"")?.1.split_once("\" did not complete")?.0;
    let ran = quoted.replace("\\\"", "\"").replace("\\\\", "\\");
    let ran: Vec<&str> = ran.split_whitespace().collect();
    let mut instructions = dockerfile.stages.iter().flat_map(|stage| &stage.instructions).filter(|i| {
        let words: Vec<&str> = i.arguments.split_whitespace().skip_while(|word| word.starts_with("--")).collect();
        i.keyword == dockerfile::Keyword::Run && !words.is_empty() && ran.ends_with(&words)
    });
    let line = instructions.next()?.line;
    instructions.next().is_none().then_some(line)
}

/// `# check=error=true`: what the checks found are the errors. Whether they are.
fn violations(failure: &mut BuildFailure, warnings: &[Warning]) -> bool {
    let Some((_, rules)) = failure.summary.split_once("lint violation found for rules: ") else { return false };
    let rules: Vec<&str> = rules.split(", ").map(str::trim).collect();
    let broken = warnings.iter().filter(|w| rule(&w.message).is_some_and(|(rule, _)| rules.contains(&rule)));
    let errors: Vec<BuildError> = broken
        .take(MAX_ERRORS)
        .map(|w| BuildError {
            tool: "docker".to_owned(),
            location: w.location.clone(),
            message: w.message.clone(),
            raw: w.message.clone(),
        })
        .collect();
    if let Some(first) = errors.first() {
        failure.dockerfile.clone_from(&first.location);
        failure.errors = errors;
        return true;
    }
    false
}

/// BuildKit's warnings with the Dockerfile's path in the checkout.
pub fn place_warnings(warnings: &mut [Warning], step: &Step) {
    if is_remote(&step.context) {
        return;
    }
    for at in warnings.iter_mut().filter_map(|warning| warning.location.as_mut()) {
        at.file.clone_from(&step.dockerfile);
    }
}

/// What an error is put on.
struct Checkout<'a> {
    run: Option<origin::Step<'a>>,
    dockerfile: Location,
    /// The stage or context that the failed COPY takes from, if it names one.
    from: Option<String>,
    context: PathBuf,
    /// The context's files.
    files: Option<&'a origin::Context>,
    /// Its Go modules, once a Go test asks for them.
    modules: OnceCell<Vec<Module>>,
    root: &'a Path,
}

/// A Go module of the context.
struct Module {
    /// Its import path.
    path: String,
    /// Its directory, relative to the context.
    dir: String,
}

impl Checkout<'_> {
    /// `frames` are further places it may stand on.
    fn put(&self, error: &mut BuildError, frames: &[Location]) {
        match (error.location.take(), error.tool.as_str()) {
            (Some(at), "docker") => {
                error.location = Some(Location { line: at.line.or(self.dockerfile.line), ..self.dockerfile.clone() });
                self.explain_missing_source(error);
            }
            (None, "shell") => self.put_script(error),
            (Some(at), _) => self.put_place(error, at, frames),
            (None, _) => {}
        }
    }

    /// The first place that is of the checkout; else the line of the Dockerfile, and in the message the first.
    fn put_place(&self, error: &mut BuildError, at: Location, frames: &[Location]) {
        let known = std::iter::once(&at).chain(frames).find_map(|at| self.origin(at));
        // `/dir/./file`: make's directory, then what the tool said; `package/./file` is all a person has.
        let said = at
            .file
            .split_once("/./")
            .filter(|(dir, _)| dir.starts_with('/'))
            .map_or(at.file.as_str(), |(_, said)| said);
        let said = &said.replace("/./", "/");
        error.location = match known {
            Some(at) => Some(at),
            // make says it in its own words.
            None if error.message.contains(said.as_str()) => None,
            None => {
                let place = written(&Location { file: said.clone(), ..at });
                error.message = format!("{place}: {}", error.message).chars().take(MESSAGE).collect();
                Some(self.dockerfile.clone())
            }
        };
    }

    /// Where a tool's place comes from.
    fn origin(&self, at: &Location) -> Option<Location> {
        let run = self.run.as_ref()?;
        if let Some(file) = self.of_package(&at.file) {
            return Some(Location { file: file?, ..at.clone() });
        }
        // Without a `go.mod` nothing tells whose directory it is: perhaps where the RUN worked.
        let alone = at.file.split_once("/./").filter(|(dir, _)| !dir.starts_with('/') && self.modules().is_empty());
        match run.origin(alone.map_or(at.file.as_str(), |(_, name)| name))? {
            origin::Origin::File(file) => Some(Location { file, ..at.clone() }),
            origin::Origin::Document { line } => {
                let line = Some(line.saturating_add(at.line.unwrap_or(1).max(1) - 1));
                Some(Location { file: self.dockerfile.file.clone(), line, column: at.column })
            }
        }
    }

    fn modules(&self) -> &[Module] {
        self.modules.get_or_init(|| self.files.map(|context| modules(context, self.root)).unwrap_or_default())
    }

    /// A Go file after the import path of its package, `example.com/app/pkg/./a_test.go`. `Some(None)` where the package is of
    /// a module here, and the file is not certain.
    fn of_package(&self, file: &str) -> Option<Option<String>> {
        let said = if file.starts_with('/') { file.split_once("/./")?.1 } else { file };
        let (package, name) = said.split_once("/./")?;
        let dir = |module: &Module| {
            let rest = package.strip_prefix(&module.path)?;
            if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
        };
        let nearest = self.modules().iter().filter_map(dir).min_by_key(|dir| dir.len())?;
        let of = self.modules().iter().filter(|module| dir(module) == Some(nearest));
        let files: BTreeSet<String> =
            of.map(|module| origin::append(&origin::append(&module.dir, nearest), name)).collect();
        let context = self.files?;
        let mut files = files.into_iter().filter(|file| context.files.contains(file));
        let file = files.next().filter(|_| files.next().is_none());
        Some(file.map(|file| origin::append(&context.dir, &file)))
    }

    /// A script that could not be started: the file itself, where it comes from the checkout.
    fn put_script(&self, error: &mut BuildError) {
        let paths = error.message.rsplit(": ").filter(|part| part.contains('/'));
        let mut files = paths.filter_map(|path| match self.run.as_ref()?.origin(path.trim_matches(['\'', '"']))? {
            origin::Origin::File(file) => Some(file),
            origin::Origin::Document { .. } => None,
        });
        let Some(file) = files.next() else {
            let line = self.run.as_ref().and_then(origin::Step::script).zip(line_of_script(&error.message));
            let line = line.map(|(first, line)| first.saturating_add(line.max(1) - 1));
            error.location = line.map(|line| Location { line: Some(line), ..self.dockerfile.clone() });
            return;
        };
        if first_line_ends_as_on_windows(&self.root.join(&file)) {
            error.message.push_str(" (its first line ends with \\r, as on Windows, so there is no such interpreter)");
        }
        error.location = Some(Location { file, line: Some(1), column: None });
    }

    /// COPY found nothing: in the stage it names, or because the ignore file leaves it out.
    fn explain_missing_source(&self, error: &mut BuildError) {
        let Some(path) = error.message.strip_prefix('`').and_then(|m| m.strip_suffix("` is not in the build context"))
        else {
            return;
        };
        let path = path.trim_matches('/');
        if let Some(from) = &self.from {
            error.message = format!("`/{path}` is not in `{from}`, from which it is copied");
        } else if !path.contains("..") && fs::symlink_metadata(self.context.join(path)).is_ok() {
            error.message = format!("`{path}` is left out of the build context by .dockerignore");
        }
    }
}

/// `/bin/sh: 3: tool: not found`, `/bin/bash: line 3: …`: a line of the RUN's own text.
fn line_of_script(message: &str) -> Option<u32> {
    let (shell, rest) = message.split_once(": ")?;
    let number = rest.strip_prefix("line ").unwrap_or(rest).split(':').next()?;
    shell.ends_with("sh").then(|| number.parse().ok())?
}

fn first_line_ends_as_on_windows(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    let mut first = Vec::new();
    let read = BufReader::new(file.take(LINE)).read_until(b'\n', &mut first);
    read.is_ok() && first.starts_with(b"#!") && first.ends_with(b"\r\n")
}

fn written(at: &Location) -> String {
    let number = |n: Option<u32>| n.map(|n| format!(":{n}")).unwrap_or_default();
    format!("{}{}{}", at.file, number(at.line), number(at.column))
}

/// A directory of the checkout, and what a build sees of it; `None` for one outside.
fn context(root: &Path, dir: &str, dockerfile: &str) -> Option<origin::Context> {
    let dir = source::clean_path(dir);
    if dir.starts_with('/') || dir.split('/').any(|part| part == "..") {
        return None;
    }
    let files = source::files(&root.join(&dir), &root.join(dockerfile));
    Some(origin::Context { dir, files })
}

/// The modules whose `go.mod` a context holds.
fn modules(context: &origin::Context, root: &Path) -> Vec<Module> {
    let files = context.files.iter().filter_map(|file| {
        let dir = if file == "go.mod" { "" } else { file.strip_suffix("/go.mod")? };
        Some((file, dir))
    });
    let module = |(file, dir): (&String, &str)| {
        let text = read(&root.join(&context.dir).join(file))?;
        let path = text.lines().find_map(|line| line.strip_prefix("module "))?.split_whitespace().next()?;
        Some(Module { path: path.trim_matches(['"', '`']).to_owned(), dir: dir.to_owned() })
    };
    files.take(MODULES).filter_map(module).collect()
}

fn read(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let text = (metadata.is_file() && metadata.len() <= DOCKERFILE_LIMIT).then(|| fs::read(path).ok())??;
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
