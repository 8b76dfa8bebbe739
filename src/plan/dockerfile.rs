//! What a Dockerfile says, as far as planning needs it: ARGs, stages, base images, heredocs, ONBUILD.
//!
//! BuildKit is the judge of a Dockerfile. What cannot be read here is no error: the plan then only knows less, and
//! [`read`] says so with `certain: false`. Nothing is looked up and nothing is evaluated but `${NAME:-default}`.

mod heredoc;
mod history;
mod instructions;
pub mod origin;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use parse_dockerfile::{ArgInstruction, Flag, Instruction as Parsed};

pub use heredoc::Heredoc;
pub use history::{LayerAt, Made};
pub use instructions::{Instruction, Keyword};

/// Larger files are not looked into.
const SIZE_LIMIT: usize = 1 << 20;

/// What is known about a Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// The whole file was understood. When false only `global_args` holds anything: every ARG found by its first word.
    pub certain: bool,
    /// ARGs before the first FROM.
    pub global_args: Vec<Arg>,
    /// Stages, in order.
    pub stages: Vec<Stage>,
    /// Here-documents, in order.
    pub heredocs: Vec<Heredoc>,
}

/// A declared build argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arg {
    /// Its name.
    pub name: String,
    /// Its default as written, quotes removed, variables in it not expanded.
    pub default: Option<String>,
    /// 1-based line of the instruction.
    pub line: u32,
}

/// A build stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    /// The name after AS, as written. BuildKit compares names without regard to case.
    pub name: Option<String>,
    /// What it starts from, as written.
    pub from: String,
    /// 1-based line of its FROM.
    pub line: u32,
    /// `--platform`, as written.
    pub platform: Option<String>,
    /// ARGs declared in it.
    pub args: Vec<Arg>,
    /// Stages or images that files are taken from: `COPY --from`, `RUN --mount=…,from=`.
    pub copies_from: Vec<String>,
    /// Lines of its ONBUILD instructions: they run in the images built on it.
    pub onbuild: Vec<u32>,
    /// Its instructions in order, without its FROM.
    pub instructions: Vec<Instruction>,
}

/// Reads a Dockerfile. Never fails: see [`Dockerfile::certain`].
pub fn read(text: &str) -> Dockerfile {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > SIZE_LIMIT {
        return Dockerfile::default();
    }
    let (blanked, heredocs) = heredoc::blank(text);
    match parse(&blanked) {
        Some((global_args, mut stages)) => {
            place(&mut stages, instructions::read(text, &blanked, &heredocs));
            Dockerfile { certain: true, global_args, stages, heredocs }
        }
        None => Dockerfile { certain: false, global_args: args_by_first_word(&blanked), stages: Vec::new(), heredocs },
    }
}

impl Dockerfile {
    /// Whether an ARG of this name is declared anywhere.
    pub fn declares(&self, name: &str) -> bool {
        self.global_args.iter().chain(self.stages.iter().flat_map(|s| &s.args)).any(|arg| arg.name == name)
    }

    /// The index of the stage that is built: the named or numbered one, or the last. `None` where it does not exist.
    pub fn stage(&self, target: Option<&str>) -> Option<usize> {
        match target {
            None => self.stages.len().checked_sub(1),
            Some(name) => self.find(name, self.stages.len()).or_else(|| {
                let number = name.parse::<usize>().ok()?;
                (number < self.stages.len()).then_some(number)
            }),
        }
    }

    /// The instruction that covers a line.
    pub fn at(&self, line: u32) -> Option<&Instruction> {
        let mut all = self.stages.iter().flat_map(|stage| &stage.instructions);
        all.find(|i| i.line <= line && line <= i.end_line)
    }

    /// Names of the stages, for messages.
    pub fn stage_names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().filter_map(|s| s.name.as_deref())
    }

    /// Images that the build of a stage starts from or copies from, in order of appearance, without duplicates: those
    /// whose name is certain once the build args are put in.
    pub fn base_images(&self, target: Option<&str>, build_args: &BTreeMap<String, String>) -> Vec<String> {
        let Some(last) = self.stage(target) else { return Vec::new() };
        let values = self.values(build_args);
        let (mut seen, mut todo, mut images) = (BTreeSet::new(), vec![last], BTreeMap::new());
        while let Some(at) = todo.pop() {
            if !seen.insert(at) {
                continue;
            }
            let stage = &self.stages[at];
            let numbered = |name: &str| name.parse::<usize>().ok().filter(|n| *n < at);
            if let Some(from) = words::expand(&stage.from, &values).filter(|from| !from.is_empty()) {
                match self.find(&from, at) {
                    Some(earlier) => todo.push(earlier),
                    None => drop(images.insert((at, 0), from)),
                }
            }
            for (i, name) in stage.copies_from.iter().enumerate() {
                match self.find(name, at).or_else(|| numbered(name)) {
                    Some(earlier) => todo.push(earlier),
                    // BuildKit expands variables here only since Dockerfile 1.14 and never with certainty for us.
                    None if name.contains('$') => {}
                    None => drop(images.insert((at, i + 1), name.clone())),
                }
            }
        }
        let mut known = BTreeSet::new();
        images.into_values().filter(|image| image != "scratch" && known.insert(image.clone())).collect()
    }

    /// The stage of this name among the first `before`: the last one wins, as in BuildKit.
    fn find(&self, name: &str, before: usize) -> Option<usize> {
        self.stages[..before]
            .iter()
            .rposition(|stage| stage.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    /// Values of the global ARGs once the build args are put in.
    fn values(&self, build_args: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for arg in &self.global_args {
            let given = build_args.get(&arg.name).cloned();
            let value = given.or_else(|| words::expand(arg.default.as_deref()?, &values));
            if let Some(value) = value {
                values.insert(arg.name.clone(), value);
            }
        }
        values
    }
}

fn parse(text: &str) -> Option<(Vec<Arg>, Vec<Stage>)> {
    let (mut global, mut stages) = (Vec::new(), Vec::<Stage>::new());
    let mut lines = Lines::new(text);
    for instruction in parse_dockerfile::parse_iter(text).ok()? {
        match (instruction.ok()?, stages.last_mut()) {
            (Parsed::From(from), _) => stages.push(Stage {
                name: from.as_.as_ref().map(|(_, name)| name.value.to_string()),
                from: words::unquote(&from.image.value),
                line: lines.at(from.from.span.start),
                platform: flag(&from.options, "platform").map(str::to_owned),
                ..Stage::default()
            }),
            (Parsed::Arg(arg), None) => global.extend(args(&arg, &mut lines)),
            (Parsed::Arg(arg), Some(stage)) => stage.args.extend(args(&arg, &mut lines)),
            (Parsed::Copy(copy), Some(stage)) => {
                stage.copies_from.extend(flag(&copy.options, "from").map(str::to_owned));
            }
            (Parsed::Run(run), Some(stage)) => {
                let mounts = run.options.iter().filter(|f| f.name.value == "mount").filter_map(|f| f.value.as_ref());
                let from = |mount: &str| mount.split(',').find_map(|f| f.strip_prefix("from=").map(str::to_owned));
                stage.copies_from.extend(mounts.filter_map(|mount| from(&mount.value)));
            }
            (Parsed::Onbuild(onbuild), Some(stage)) => stage.onbuild.push(lines.at(onbuild.onbuild.span.start)),
            _ => {}
        }
    }
    (!stages.is_empty()).then_some((global, stages))
}

/// Gives every stage its instructions. Where the two readers do not see the same stages, none gets any.
fn place(stages: &mut [Stage], instructions: Vec<Instruction>) {
    let mut parts = Vec::<(u32, Vec<Instruction>)>::new();
    for instruction in instructions {
        match parts.last_mut() {
            _ if instruction.keyword == Keyword::From => parts.push((instruction.line, Vec::new())),
            Some((_, part)) => part.push(instruction),
            None => {}
        }
    }
    if parts.iter().map(|(line, _)| *line).eq(stages.iter().map(|stage| stage.line)) {
        for (stage, (_, part)) in stages.iter_mut().zip(parts) {
            stage.instructions = part;
        }
    }
}

fn flag<'f>(flags: &'f [Flag<'_>], name: &str) -> Option<&'f str> {
    flags.iter().find(|f| f.name.value == name)?.value.as_ref().map(|v| v.value.as_ref())
}

fn args(arg: &ArgInstruction<'_>, lines: &mut Lines<'_>) -> Vec<Arg> {
    let line = lines.at(arg.arg.span.start);
    declared(&arg.arguments.value, line)
}

/// `A=1 B="x y" C` → three ARGs.
fn declared(text: &str, line: u32) -> Vec<Arg> {
    words::split(text)
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((name, default)) => Arg { name: name.to_owned(), default: Some(words::unquote(default)), line },
            None => Arg { name: words::unquote(&word), default: None, line },
        })
        .collect()
}

/// For files the parser cannot read: every line that begins with ARG.
fn args_by_first_word(text: &str) -> Vec<Arg> {
    (1..)
        .zip(text.lines())
        .filter_map(|(number, line)| {
            let (word, rest) = line.trim_start().split_once([' ', '\t'])?;
            word.eq_ignore_ascii_case("ARG").then(|| declared(rest.trim_end_matches(['\\', '`']), number))
        })
        .flatten()
        .collect()
}

/// Line numbers of growing offsets, in one pass over the text.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u32,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    fn at(&mut self, offset: usize) -> u32 {
        let passed = self.text.as_bytes().get(self.at..offset).unwrap_or_default();
        self.line += u32::try_from(passed.iter().filter(|b| **b == b'\n').count()).unwrap_or(0);
        self.at = self.at.max(offset);
        self.line
    }
}

#[cfg(test)]
mod tests;
