//! Which instruction made a layer, in words, and what it suggests about the causes of differences.

use super::DockerfileSource;
use super::clip;
use super::hints::Hints;
use super::names;
use crate::image::diff::LayerDiff;
use crate::plan::dockerfile::{Dockerfile, Instruction, Keyword, LayerAt, Made};
use crate::problem::Location;

/// Stages that are looked through for what made a copied file.
const STAGES: usize = 16;

/// A layer's instruction.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// In one line.
    pub(super) instruction: String,
    pub(super) location: Option<Location>,
    /// Where the files were before, if it only copied them.
    pub(super) origin: Option<String>,
    /// What the instruction itself suggests.
    own: Hints,
    /// The instructions that may have made what it copied.
    makers: Vec<Maker>,
}

#[derive(Debug, Clone)]
struct Maker {
    text: String,
    line: u32,
    hints: Hints,
}

impl Place {
    /// What is suggested for a file: by the instructions that speak of it, if some do, or else by all.
    pub(super) fn hints(&self, path: &str) -> Hints {
        let (_, name) = names::split(path);
        let speaking: Vec<_> = self.makers.iter().filter(|maker| speaks_of(&maker.text, name)).collect();
        match (self.makers.is_empty(), speaking.is_empty()) {
            (true, _) => self.own.clone(),
            (_, true) => Hints::join(self.makers.iter().map(|maker| &maker.hints)),
            _ => Hints::join(speaking.into_iter().map(|maker| &maker.hints)),
        }
    }

    /// Adds the one line of the other stage that speaks of the files, if there is just one.
    pub(super) fn point_at_maker<'p>(&mut self, paths: impl Iterator<Item = &'p str>) {
        let Some(origin) = &mut self.origin else { return };
        let names: Vec<&str> = paths.map(|path| names::split(path).1).collect();
        let mut speaking = self.makers.iter().filter(|maker| names.iter().any(|name| speaks_of(&maker.text, name)));
        if let (Some(only), None) = (speaking.next(), speaking.next()) {
            origin.push_str(&format!("; most likely line {}: {}", only.line, clip::line(&only.text, 80)));
        }
    }
}

/// A Dockerfile that was read, and how it was built.
pub(super) struct Plan<'a> {
    pub(super) source: DockerfileSource<'a>,
    pub(super) dockerfile: Dockerfile,
}

/// Finds the instruction of a layer. `layers` is how many the image has, `platform` which one it is of.
pub(super) fn find(plan: Option<&Plan<'_>>, layer: &LayerDiff, layers: (usize, usize), platform: &str) -> Place {
    let fallback =
        Place { instruction: tidy(&layer.created_by), own: Hints::of(&layer.created_by), ..Place::default() };
    let above = match layer.index {
        (Some(at), _) => layers.0.checked_sub(at + 1),
        (None, Some(at)) => layers.1.checked_sub(at + 1),
        (None, None) => None,
    };
    let (Some(plan), Some(above)) = (plan, above) else { return fallback };
    let at = LayerAt { above, created_by: &layer.created_by };
    match plan.dockerfile.made(at, plan.source.target, plan.source.build_args, platform) {
        None => fallback,
        Some(Made::Base { stage, image }) => {
            let line = plan.dockerfile.stages.get(stage).map_or(0, |stage| stage.line);
            let image = clip::line(&image, 100);
            let origin = format!("base image {image} (FROM in line {line}), or an ONBUILD instruction in it");
            Place { origin: Some(origin), ..fallback }
        }
        Some(Made::Instruction { stage, instruction }) => located(plan, stage, &instruction),
    }
}

fn located(plan: &Plan<'_>, stage: usize, instruction: &Instruction) -> Place {
    let text = whole_text(&plan.dockerfile, instruction);
    let (origin, makers) = origin(&plan.dockerfile, stage, instruction);
    let fetches = instruction.keyword == Keyword::Add && is_address(&text);
    Place {
        instruction: clip::line(&format!("{} {text}", instruction.keyword.as_str()), clip::INSTRUCTION),
        location: Some(Location { file: plan.source.path.to_owned(), line: Some(instruction.line), column: None }),
        origin,
        own: if fetches { Hints::fetch() } else { Hints::of(&text) },
        makers,
    }
}

/// The arguments and the bodies of here-documents.
fn whole_text(dockerfile: &Dockerfile, instruction: &Instruction) -> String {
    let documents = dockerfile.heredocs.get(instruction.heredocs.clone()).unwrap_or_default();
    let bodies = documents.iter().map(|document| document.body.as_str());
    std::iter::once(instruction.arguments.as_str()).chain(bodies).collect::<Vec<_>>().join("\n")
}

fn is_address(text: &str) -> bool {
    ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|scheme| text.contains(scheme))
}

fn origin(dockerfile: &Dockerfile, stage: usize, instruction: &Instruction) -> (Option<String>, Vec<Maker>) {
    if !matches!(instruction.keyword, Keyword::Copy | Keyword::Add) {
        return (None, Vec::new());
    }
    match instruction.flag("from") {
        Some(from) => match dockerfile.source_stage(&from, stage) {
            Some(source) => (Some(describe(dockerfile, source)), makers(dockerfile, source)),
            None => (Some(format!("image or named context {}", clip::line(&from, 100))), Vec::new()),
        },
        None if is_address(&instruction.arguments) => (Some("what the address gave, twice".to_owned()), Vec::new()),
        None if !instruction.heredocs.is_empty() => (None, Vec::new()),
        None => (Some("the build context: it was not the same in both builds".to_owned()), Vec::new()),
    }
}

/// `stage build, lines 2 to 7`
fn describe(dockerfile: &Dockerfile, stage: usize) -> String {
    let Some(found) = dockerfile.stages.get(stage) else { return format!("stage {stage}") };
    let name = found.name.as_deref().map_or_else(|| stage.to_string(), |name| clip::line(name, 60));
    let end = found.instructions.last().map_or(found.line, |last| last.end_line);
    match end == found.line {
        true => format!("stage {name}, line {end}"),
        false => format!("stage {name}, lines {} to {end}", found.line),
    }
}

/// The instructions of a stage, and of the stages it is built from, that make files.
fn makers(dockerfile: &Dockerfile, stage: usize) -> Vec<Maker> {
    let (mut todo, mut seen, mut found) = (vec![stage], Vec::new(), Vec::new());
    while let Some(at) = todo.pop() {
        let Some(stage) = dockerfile.stages.get(at).filter(|_| !seen.contains(&at) && seen.len() < STAGES) else {
            continue;
        };
        seen.push(at);
        todo.extend(dockerfile.source_stage(&stage.from, at));
        for instruction in &stage.instructions {
            let source = instruction.flag("from").and_then(|from| dockerfile.source_stage(&from, at));
            todo.extend(source);
            let text = whole_text(dockerfile, instruction);
            let hints = match instruction.keyword {
                Keyword::Run => Hints::of(&text),
                Keyword::Add if is_address(&text) => Hints::fetch(),
                _ => continue,
            };
            found.push(Maker {
                text: format!("{} {text}", instruction.keyword.as_str()),
                line: instruction.line,
                hints,
            });
        }
    }
    found
}

/// The name stands in it as a word.
fn speaks_of(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    name.len() > 1
        && text
            .match_indices(name)
            .any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

/// A history entry as a person would have written it: without BuildKit's notes, argument values and the shell.
fn tidy(created_by: &str) -> String {
    let text = created_by.trim_end();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
    // What builders before BuildKit wrote.
    if let Some(command) = text.strip_prefix("/bin/sh -c ") {
        let command = command.trim_start();
        let told = command
            .strip_prefix("#(nop) ")
            .map_or_else(|| format!("RUN {command}"), |rest| rest.trim_start().to_owned());
        return clip::line(&told, clip::INSTRUCTION);
    }
    let command = match text.strip_prefix("RUN ") {
        Some(run) if run.starts_with('|') => {
            let count = run[1..].split(' ').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
            match run.split_once(" /bin/sh -c ") {
                Some((_, command)) => format!("RUN {command}"),
                None => format!("RUN {}", run.split(' ').skip(count.saturating_add(1)).collect::<Vec<_>>().join(" ")),
            }
        }
        Some(run) => format!("RUN {}", run.strip_prefix("/bin/sh -c ").unwrap_or(run)),
        None => text.to_owned(),
    };
    clip::line(&command, clip::INSTRUCTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_reads_like_a_dockerfile() {
        for (noted, told) in [
            ("RUN /bin/sh -c date > /built # buildkit", "RUN date > /built"),
            ("RUN |2 A=1 TOKEN=secret /bin/sh -c date # buildkit", "RUN date"),
            ("RUN |1 A=1 /bin/bash -ec date # buildkit", "RUN /bin/bash -ec date"),
            ("RUN /usr/bin/tool --now # buildkit", "RUN /usr/bin/tool --now"),
            ("/bin/sh -c #(nop) COPY file:abc in / ", "COPY file:abc in /"),
            ("/bin/sh -c apt-get update", "RUN apt-get update"),
            ("COPY a.txt / # buildkit", "COPY a.txt /"),
            ("RUN /bin/sh -c set -e\ndate > /one\n # buildkit", "RUN set -e date > /one"),
            ("", ""),
            ("RUN |99999999999999999999 x # buildkit", "RUN x"),
        ] {
            assert_eq!(tidy(noted), told, "{noted}");
        }
    }

    #[test]
    fn names_are_found_as_words() {
        assert!(speaks_of("date > /src/out", "out"));
        assert!(speaks_of("gcc -o out.bin", "out"));
        for not in ["output", "about", "out-of-order", ""] {
            assert!(!speaks_of(not, "out"), "{not}");
        }
        assert!(!speaks_of("a b c", "a"), "one letter is no name");
        assert!(speaks_of("→ù→", "ù"));
    }
}
