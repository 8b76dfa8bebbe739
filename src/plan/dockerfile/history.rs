//! From a layer of a finished image back to the instruction that made it.
//!
//! BuildKit makes one layer for each RUN, COPY, ADD and WORKDIR of the stages that lead to the final one, and notes the
//! instruction in the image's history (seen on real histories: `tests/fixtures/culprit`). Layers are counted from the end,
//! because base images bring their own; then the note must agree with the text. Where it does not, there is no answer:
//! a wrong line is worse than none.

use std::collections::BTreeMap;

use super::instructions::{Instruction, Keyword};
use super::{Dockerfile, words};

/// A layer as manifest and history tell of it.
#[derive(Debug, Clone, Copy)]
pub struct LayerAt<'h> {
    /// How many layers lie above it.
    pub above: usize,
    /// `created_by` of its history entry.
    pub created_by: &'h str,
}

/// What made a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// An instruction of this Dockerfile.
    Instruction {
        /// Index of the stage it stands in.
        stage: usize,
        /// It; what an ONBUILD held, where that ran.
        instruction: Instruction,
    },
    /// The image that a stage starts from, or an ONBUILD instruction in that image.
    Base {
        /// Index of the stage.
        stage: usize,
        /// Name of the image.
        image: String,
    },
}

/// How well a note agrees with an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    No,
    /// Nothing speaks against it, but variables hide a part.
    Likely,
    Yes,
}

/// The instructions that lead to a stage, first one first, and what lies under them.
pub(super) struct Chain {
    pub(super) steps: Vec<(usize, Instruction)>,
    /// Stage and image; `None` where the name is not certain, or for `scratch`.
    pub(super) base: Option<(usize, String)>,
}

impl Dockerfile {
    /// What made a layer of the image of a stage; `None` where that is not certain. `build_args` may name base images, and
    /// so may the platform (`linux/arm64`).
    pub fn made(
        &self,
        layer: LayerAt<'_>,
        target: Option<&str>,
        build_args: &BTreeMap<String, String>,
        platform: &str,
    ) -> Option<Made> {
        let mut values = self.values(build_args);
        values.extend(platform_args(platform));
        let chain = self.chain(self.stage(target)?, &values)?;
        let makers: Vec<_> = chain.steps.iter().filter(|(_, step)| makes_layer(step)).collect();
        let agreement = |step: &Instruction| self.agreement(step, layer.created_by);
        // The same RUN once only: found wherever it stands.
        let same: Vec<_> = makers.iter().filter(|(_, step)| agreement(step) == Agreement::Yes).collect();
        let only = match same[..] {
            [only] if only.1.keyword == Keyword::Run => Some(only),
            _ => None,
        };
        let Some(at) = makers.len().checked_sub(layer.above + 1) else {
            let (stage, image) = chain.base?;
            return (only.is_none() && !makers.iter().any(|(_, step)| is_vague(step)))
                .then_some(Made::Base { stage, image });
        };
        let vague = makers[at + 1..].iter().any(|(_, step)| is_vague(step));
        let agrees = agreement(&makers[at].1) > Agreement::No && !(vague && same.len() != 1);
        let (stage, instruction) = if agrees { makers[at] } else { only? };
        Some(Made::Instruction { stage: *stage, instruction: instruction.clone() })
    }

    /// The stage that a COPY or RUN in stage `before` takes files from, if it is one of this file.
    pub fn source_stage(&self, name: &str, before: usize) -> Option<usize> {
        let numbered = || name.parse::<usize>().ok().filter(|number| *number < before);
        self.find(name, before.min(self.stages.len())).or_else(numbered)
    }

    /// `None` where the instructions are not known.
    pub(super) fn chain(&self, last: usize, values: &BTreeMap<String, String>) -> Option<Chain> {
        let (mut stages, mut base, mut at) = (vec![last], None, last);
        while let Some(from) = words::expand(&self.stages.get(at)?.from, values).filter(|from| !from.is_empty()) {
            // Names lead backwards only, so this ends.
            match self.find(&from, at) {
                Some(earlier) => {
                    stages.push(earlier);
                    at = earlier;
                }
                None => {
                    base = (from != "scratch").then_some((at, from));
                    break;
                }
            }
        }
        let mut steps = Vec::new();
        let mut below: Option<usize> = None;
        for at in stages.into_iter().rev() {
            let triggers = below.into_iter().flat_map(|below| {
                self.stages[below].instructions.iter().filter_map(Instruction::trigger).map(move |step| (below, step))
            });
            steps.extend(triggers);
            steps.extend(self.stages[at].instructions.iter().map(|step| (at, step.clone())));
            below = Some(at);
        }
        (!steps.is_empty() || base.is_some()).then_some(Chain { steps, base })
    }

    fn agreement(&self, step: &Instruction, created_by: &str) -> Agreement {
        let created_by = created_by.trim_end();
        let noted = created_by.strip_suffix("# buildkit").unwrap_or(created_by).trim();
        let Some((word, noted)) = noted.split_once(char::is_whitespace) else { return Agreement::No };
        if Keyword::of(word) != Some(step.keyword) {
            return Agreement::No;
        }
        match step.keyword {
            Keyword::Run => self.agreement_of_run(step, &collapse(noted)),
            Keyword::Copy | Keyword::Add => agreement_of_copy(step, noted),
            Keyword::Workdir => agreement_of_workdir(step, noted),
            _ => Agreement::Likely,
        }
    }

    /// `|1 A=x /bin/sh -c date > /built`: declared arguments, the shell, the command as written.
    fn agreement_of_run(&self, step: &Instruction, noted: &str) -> Agreement {
        let (_, command) = step.split_flags();
        let json = serde_json::from_str::<Vec<String>>(command).ok();
        let command = collapse(&json.as_ref().map_or_else(|| command.to_owned(), |words| words.join(" ")));
        let documents = self.heredocs.get(step.heredocs.clone()).unwrap_or_default();
        if let Some(first) = documents.first() {
            let body = collapse(&first.body);
            let whole = noted.contains(&command) || (!body.is_empty() && noted.ends_with(&body));
            // A body that begins with `#!` is run as a file; the note names only that.
            let script = first.body.starts_with("#!") && noted.ends_with(&format!("/dev/pipes/{}", first.word));
            return match (whole, script && command.starts_with("<<") && !command.contains(' ')) {
                (true, _) => Agreement::Yes,
                (_, true) => Agreement::Likely,
                _ => Agreement::No,
            };
        }
        let Some(before) = noted.strip_suffix(&command) else { return Agreement::No };
        let before = before.trim_end();
        let exact = match json {
            Some(_) => before.is_empty() || before.starts_with('|'),
            None => self.shells().any(|shell| before.ends_with(&shell)),
        };
        if exact { Agreement::Yes } else { Agreement::Likely }
    }

    /// Shells that RUN may use, as the history spells them. A base image may bring another.
    fn shells(&self) -> impl Iterator<Item = String> + '_ {
        let set = self.stages.iter().flat_map(|stage| &stage.instructions).filter(|i| i.keyword == Keyword::Shell);
        let set =
            set.filter_map(|i| Some(collapse(&serde_json::from_str::<Vec<String>>(&i.arguments).ok()?.join(" "))));
        std::iter::once("/bin/sh -c".to_owned()).chain(set)
    }
}

fn makes_layer(step: &Instruction) -> bool {
    match step.keyword {
        Keyword::Run | Keyword::Copy | Keyword::Add => true,
        // The root is always there already.
        Keyword::Workdir => !words::unquote(&step.arguments).trim_matches(['/', '.']).is_empty(),
        _ => false,
    }
}

/// A directory that may turn out to be the root, and then makes no layer.
fn is_vague(step: &Instruction) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && !part.contains('$');
    let mut parts = step.arguments.split('/');
    step.keyword == Keyword::Workdir && (step.arguments.contains("..") || !parts.any(plain))
}

/// Flags are left out: the history keeps some of them, in its own order.
fn agreement_of_copy(step: &Instruction, noted: &str) -> Agreement {
    let (_, paths) = step.split_flags();
    let written: Vec<String> = match serde_json::from_str::<Vec<String>>(paths) {
        Ok(paths) => paths,
        Err(_) => words::split(paths).iter().map(|word| words::unquote(word)).collect(),
    };
    let written: Vec<&str> = written.iter().flat_map(|path| path.split_whitespace()).collect();
    let noted: Vec<&str> = noted.split_whitespace().skip_while(|word| word.starts_with("--")).collect();
    let variable = |word: &&str| word.contains('$');
    let Some(first) = written.iter().position(variable) else {
        return if written == noted { Agreement::Yes } else { Agreement::No };
    };
    let last = written.iter().rposition(variable).unwrap_or(first);
    let (head, tail) = (&written[..first], &written[last + 1..]);
    if noted.starts_with(head) && noted.ends_with(tail) { Agreement::Likely } else { Agreement::No }
}

/// The history has the whole path; the instruction may go on from the one before. A variable stands for one name, or for
/// all of it.
fn agreement_of_workdir(step: &Instruction, noted: &str) -> Agreement {
    let written = words::unquote(&step.arguments);
    let absolute = written.starts_with('/');
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (written, noted) = (parts(&written), parts(noted));
    let certain = !written.iter().any(|part| part.contains('$') || matches!(part.as_str(), "." | ".."));
    if !certain && (written.len() == 1 || written.iter().any(|part| part.starts_with('.'))) {
        return Agreement::Likely;
    }
    let fits = if absolute { noted.len() == written.len() } else { noted.len() >= written.len() };
    let pairs = written.iter().rev().zip(noted.iter().rev());
    match fits && pairs.into_iter().all(|(written, noted)| written == noted || written.contains('$')) {
        true if certain => Agreement::Yes,
        true => Agreement::Likely,
        false => Agreement::No,
    }
}

/// BuildKit sets these for FROM itself (docs.docker.com, "Automatic platform ARGs in the global scope").
pub(super) fn platform_args(platform: &str) -> impl Iterator<Item = (String, String)> + use<> {
    let mut parts = platform.splitn(3, '/');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let args = [
        ("TARGETOS", next()),
        ("TARGETARCH", next()),
        ("TARGETVARIANT", next()),
        ("TARGETPLATFORM", platform.to_owned()),
    ];
    let known = !platform.is_empty();
    args.into_iter().filter(move |_| known).map(|(name, value)| (name.to_owned(), value))
}

/// One space for all white space between words.
fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
