//! Outputs of metadata-action that others read. What the new step tells as well, and in time, is read there; for the rest
//! metadata-action stays, and it is said: no line is ever left reading a step that is gone, or has not run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::build::Built;
use super::edit::{self, Edit};
use super::expression::{Piece, pieces};
use super::metadata::Metadata;
use super::report::Report;
use super::step::{Role, Step};
use super::yaml;

/// Variables that metadata-action sets for the steps after it.
const VARIABLE: &str = "DOCKER_METADATA_OUTPUT_";
/// Outputs of metadata-action that the new step has, too.
const SHARED: [&str; 2] = ["version", "tags"];

/// What a job's lines are read for.
pub(super) struct Reading<'a, 'n> {
    pub(super) steps: &'a [Step<'n>],
    pub(super) builds: &'a [(usize, Built)],
    /// Lines of the job.
    pub(super) lines: RangeInclusive<usize>,
    pub(super) source: &'a [&'a str],
    /// Variables of the new steps.
    pub(super) env: &'a BTreeMap<String, String>,
    /// Scripts that sign are gone.
    pub(super) signs: bool,
}

/// What becomes of the metadata steps of a job.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// Those that go, by their place among the steps.
    pub(super) gone: BTreeSet<usize>,
    /// Lines that read the new step instead.
    pub(super) edits: Vec<Edit>,
    /// Ids of builds' steps that had none, by their place among the steps.
    pub(super) ids: BTreeMap<usize, String>,
}

/// An output of a metadata step that a line reads.
#[derive(Debug)]
struct Use {
    line: usize,
    /// From where in the line, and how long; none where the line cannot read something else.
    at: Option<(usize, usize)>,
    /// Its name; empty where none can be told.
    output: String,
}

/// Why a line cannot read the new step, and what to do.
type Obstacle = (&'static str, &'static str);
const UNTOLD: Obstacle = (
    "which the new step does not tell",
    "outputs of the new step are tags, version, digest, image, published: read one of these, and take metadata-action out",
);
const EARLY: Obstacle = (
    "before the image is built, when the new step has not told it yet",
    "take it from the run, `${{ github.ref_name }}` or `${{ github.sha }}`, or read the new step's output in a step after it; then take metadata-action out",
);

/// Whether a build argument is one that the run gives by itself, and is taken from a metadata step.
pub(super) fn is_given(argument: &str, metas: &BTreeMap<String, Metadata>) -> bool {
    let Some((name, value)) = argument.split_once('=') else { return false };
    let parts = pieces(value.trim());
    let [Piece::Expression(inner)] = parts.as_slice() else { return false };
    let squeezed: String = inner.split_whitespace().collect();
    let sources = metas.keys().map(|id| format!("steps.{id}.outputs."));
    let mut sources = sources.chain([format!("env.{VARIABLE}")]);
    let label = |label: &str| format!(".labels['org.opencontainers.image.{label}']");
    sources.any(|source| match name.trim() {
        "VERSION" => squeezed.eq_ignore_ascii_case(&format!("{source}version")),
        "COMMIT" => squeezed.eq_ignore_ascii_case(&format!("fromjson({source}json){}", label("revision"))),
        "BUILD_DATE" => squeezed.eq_ignore_ascii_case(&format!("fromjson({source}json){}", label("created"))),
        _ => false,
    })
}

/// Decides, and reports why one stays.
pub(super) fn read(reading: &Reading<'_, '_>, report: &mut Report) -> Outputs {
    let mut made = Outputs::default();
    let mut changed: BTreeMap<usize, Vec<(usize, usize, String)>> = BTreeMap::new();
    let metas = reading.steps.iter().enumerate().filter(|(_, step)| step.role == Role::Metadata);
    for (n, step) in metas {
        let id = step.text("id").unwrap_or_default();
        let takers: Vec<&(usize, Built)> =
            reading.builds.iter().filter(|(_, built)| built.metas.iter().any(|meta| meta == id)).collect();
        if takers.is_empty() {
            let lines = reading.builds.iter().flat_map(|(_, built)| &built.with);
            let read = lines.into_iter().any(|line| line.contains(VARIABLE)) || !reading.variables(n).is_empty();
            let why = if read { "its variables are read" } else { "no target is made of its tags" };
            report.kept(step.line(), &format!("metadata-action stays: {why}"));
            continue;
        }
        if reading.env.values().any(|value| !found_in(value, id).is_empty())
            || takers.iter().any(|(_, built)| tags_of(built).any(|line| reads(line, id)))
        {
            report.kept(step.line(), "metadata-action stays: the tags of the new step are made of it");
            continue;
        }
        let mut renames = Vec::new();
        let mut stays = false;
        for found in reading.uses(id).into_iter().chain(reading.variables(n)) {
            match reading.heir(&found, &takers) {
                Ok(build) => renames.push((found, build)),
                Err((why, cure)) => {
                    stays = true;
                    let name =
                        if found.output.is_empty() { "an output".to_owned() } else { format!("`{}`", found.output) };
                    report.lost(
                        found.line,
                        &format!("this line reads {name} of metadata-action, {why}; so metadata-action stays"),
                        cure,
                    );
                }
            }
        }
        if stays {
            continue;
        }
        report.changed(step.line(), "metadata-action is gone: its tags are the targets of .stagefreight.yml");
        made.gone.insert(n);
        for (found, build) in renames {
            let id = made.id_of(build, reading.steps);
            let Some((from, length)) = found.at else { continue };
            changed.entry(found.line).or_default().push((from, length, format!("steps.{id}.outputs.{}", found.output)));
        }
    }
    for (line, mut parts) in changed {
        let mut text = reading.source[line - 1].to_owned();
        parts.sort_by_key(|(from, ..)| std::cmp::Reverse(*from));
        for (from, length, new) in parts {
            text.replace_range(from..from + length, &new);
        }
        made.edits.push(Edit { from: line, until: line, lines: vec![text] });
    }
    made
}

/// `tags` as it stays on a build's step.
fn tags_of(built: &Built) -> impl Iterator<Item = &String> {
    let from = built.with.iter().skip_while(|line| !line.starts_with("tags:"));
    from.enumerate().take_while(|(n, line)| *n == 0 || line.starts_with(' ')).map(|(_, line)| line)
}

fn reads(line: &str, id: &str) -> bool {
    line.contains(VARIABLE) || !found_in(line, id).is_empty()
}

impl Reading<'_, '_> {
    /// Uses of a step's outputs in all lines of the job that stay.
    fn uses(&self, id: &str) -> Vec<Use> {
        let mut found = Vec::new();
        for line in self.lines.clone().filter(|line| !self.goes(*line)) {
            for (from, length, output) in found_in(self.source[line - 1], id) {
                found.push(Use { line, at: Some((from, length)), output });
            }
        }
        found.extend(self.inputs(id));
        found
    }

    /// Uses among the inputs that the builds' new steps have.
    fn inputs(&self, id: &str) -> Vec<Use> {
        let mut found = Vec::new();
        for (n, built) in self.builds {
            let step = &self.steps[*n];
            for kept in &built.with {
                let here = |line: &usize| self.source[line - 1].contains(kept.trim());
                let line = self.with(step).find(here).unwrap_or(step.line());
                found.extend(found_in(kept, id).into_iter().map(|(_, _, output)| Use { line, at: None, output }));
                found.extend(variable(kept).map(|output| Use { line, at: None, output }));
            }
        }
        found
    }

    /// Uses of a step's variables: those between it and the next of its kind.
    fn variables(&self, n: usize) -> Vec<Use> {
        let place = |step: &Step<'_>| step.item.map_or(0, |item| item.last);
        let from = place(&self.steps[n]);
        let next = self.steps[n + 1..].iter().find(|step| step.role == Role::Metadata).map_or(usize::MAX, place);
        let lines = self.lines.clone().filter(|line| *line > from && *line <= next && !self.goes(*line));
        let mut found = Vec::new();
        for line in lines {
            found.extend(variable(self.source[line - 1]).map(|output| Use { line, at: None, output }));
        }
        found
    }

    /// Lines that are not in the new workflow, or not as they are: metadata steps, scripts that only sign, a build's inputs.
    fn goes(&self, line: usize) -> bool {
        let inside = |step: &Step<'_>| step.item.is_some_and(|item| (item.first..=item.last).contains(&line));
        let Some(step) = self.steps.iter().find(|step| inside(step)) else { return false };
        match step.role {
            Role::Metadata => true,
            Role::CosignSign => self.signs,
            Role::Build => self.with(step).contains(&line),
            _ => false,
        }
    }

    /// The lines of `with`.
    fn with(&self, step: &Step<'_>) -> RangeInclusive<usize> {
        let with = yaml::entry(step.node, "with").map(|(key, _)| key.place);
        with.map_or(RangeInclusive::new(1, 0), |place| {
            place.line..=edit::end(self.source, place.line, place.column - 1)
        })
    }

    /// The step of the build that a use can read instead: the last before it that publishes what the metadata step names.
    fn heir(&self, found: &Use, takers: &[&(usize, Built)]) -> Result<usize, Obstacle> {
        if !SHARED.contains(&found.output.as_str()) {
            return Err(UNTOLD);
        }
        if found.at.is_none() {
            return Err(EARLY);
        }
        let ends = |n: usize| self.steps[n].item.map_or(usize::MAX, |item| item.last);
        let first = self.steps.first().and_then(|step| step.item).map_or(0, |item| item.first);
        let last = self.steps.last().map_or(0, |step| step.item.map_or(0, |item| item.last));
        // Outputs of the job, and its environment's address, are made at the end.
        let before = |n: usize| ends(n) < found.line || !(first..=last).contains(&found.line);
        let mut ready: Vec<&&(usize, Built)> = takers.iter().filter(|(n, _)| before(*n)).collect();
        ready.sort_by_key(|(n, built)| (!built.published.is_empty(), *n));
        ready.last().map(|(n, _)| *n).ok_or(EARLY)
    }
}

impl Outputs {
    /// The id of a build's step: its own, or one it gets.
    fn id_of(&mut self, n: usize, steps: &[Step<'_>]) -> String {
        if let Some(id) = steps[n].text("id").or(self.ids.get(&n).map(String::as_str)) {
            return id.to_owned();
        }
        let taken = |id: &String| {
            steps.iter().any(|step| step.text("id") == Some(id.as_str())) || self.ids.values().any(|known| known == id)
        };
        let mut names = std::iter::once("image".to_owned()).chain((2..).map(|n| format!("image-{n}")));
        let id = names.find(|id| !taken(id)).unwrap_or_default();
        self.ids.insert(n, id.clone());
        id
    }
}

/// The variable of metadata-action that a line reads.
fn variable(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(VARIABLE)?;
    let name: String = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
    Some(format!("{VARIABLE}{name}"))
}

/// Where a line reads outputs of a step: from where, how long, and which.
fn found_in(line: &str, id: &str) -> Vec<(usize, usize, String)> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut found = Vec::new();
    if id.is_empty() {
        return found;
    }
    for start in [format!("steps.{id}"), format!("steps['{id}']")] {
        for (from, _) in line.match_indices(&start) {
            let rest = &line[from + start.len()..];
            let inside = line[..from].ends_with(|c: char| word(c) || c == '.');
            if inside || (start.ends_with(|c: char| word(c)) && rest.starts_with(word)) {
                continue;
            }
            let name: String =
                rest.strip_prefix(".outputs.").unwrap_or_default().chars().take_while(|c| word(*c)).collect();
            match name.is_empty() {
                true => found.push((from, start.len(), String::new())),
                false => found.push((from, start.len() + ".outputs.".len() + name.len(), name)),
            }
        }
    }
    found
}
