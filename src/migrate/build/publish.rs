//! Where a build-push-action step publishes in each kind of run: `push` and `tags`, judged together.

use super::{Built, Given};
use crate::migrate::metadata;
use crate::migrate::names::{self, Untold};
use crate::migrate::report::Report;
use crate::migrate::targets::Published;
use crate::migrate::value::Judge;
use crate::migrate::world::Run;
use crate::migrate::yaml;

/// A reference whose registry nobody can tell, with its line.
struct Open(usize, String);

/// Reads them. Returns the lines that say the rest on the step.
pub(super) fn publishes(
    push: Option<(usize, String)>,
    given: Given<'_>,
    conditions: &[&str],
    judge: &mut Judge<'_>,
    built: &mut Built,
    report: &mut Report,
) -> Vec<String> {
    let Given { step, metas, source, .. } = given;
    let tags = given.input("tags");
    let lines = tags.map(|node| yaml::lines(node, source)).unwrap_or_default();
    let loads = built.with.iter().any(|line| line.trim_start().starts_with("load:"));
    for (_, text) in &lines {
        built.metas.extend(names::step_output(text).map(|(meta, _)| meta).filter(|meta| metas.contains_key(meta)));
    }
    let Some((push_line, push)) = push.filter(|(_, text)| text.trim() != "false") else {
        if !loads || lines.is_empty() {
            return Vec::new();
        }
        // Names for the engine; the same names would be published without the last line.
        built.says_push = true;
        let names = lines.iter().map(|(_, text)| format!("  {text}"));
        return std::iter::once("tags: |".to_owned()).chain(names).chain(["push: false".to_owned()]).collect();
    };
    let before = (judge.carried.clone(), report.clone());
    let (mut unknown, mut open) = (false, None);
    for run in judge.world.runs.clone() {
        let holds: Vec<_> = conditions.iter().map(|condition| judge.holds(condition, &run)).collect();
        if holds.contains(&Some(false)) {
            continue;
        }
        built.runs.push(run.clone());
        let pushes = judge.is_true(&push, &run);
        if pushes == Some(false) {
            continue;
        }
        unknown |= pushes.is_none();
        built.unsure |= pushes.is_none() || holds.contains(&None);
        for (line, text) in &lines {
            open = open.or(given.line(*line, text, &run, judge, built, report).err());
        }
    }
    let mut said = Vec::new();
    if let (Some(Open(line, text)), Some(node)) = (open, tags) {
        (judge.carried, *report) = before;
        built.published.clear();
        built.keeps_tags = true;
        report.kept(line, &format!("`{text}` names a registry, or a whole list, that is known in the job alone: no target was made, and `tags` stays on the step, which publishes there"));
        said.extend(step.kept("tags", node, source));
        unknown = push.trim() != "true";
    }
    if unknown {
        let why = if built.keeps_tags { "with `tags`" } else { "nobody can say beforehand when it holds" };
        report.kept(push_line, &format!("`push: {push}` stays on the step: {why}"));
        said.push(format!("push: {}", names::expression_scalar(&push)));
        built.says_push = true;
    } else if push.trim() != "true" {
        report.changed(push_line, &format!("`push: {push}` became the `when` of the targets"));
    }
    said
}

impl Given<'_> {
    /// A line of `tags` in this run.
    fn line(
        &self,
        line: usize,
        text: &str,
        run: &Run,
        judge: &mut Judge<'_>,
        built: &mut Built,
        report: &mut Report,
    ) -> Result<(), Open> {
        if let Some((meta, output)) = names::step_output(text)
            && let Some(metadata) = self.metas.get(&meta).filter(|_| output == "tags")
        {
            let tags = metadata.tags(run, judge, report);
            for (line, image) in &metadata.images {
                self.add(*line, image, Some(&tags), run, judge, built, report)?;
            }
            return Ok(());
        }
        for reference in metadata::split(text) {
            self.add(line, &reference, None, run, judge, built, report)?;
        }
        Ok(())
    }

    /// An image with its tags, or a whole reference.
    #[allow(clippy::too_many_arguments, reason = "all of it is what a reference depends on")]
    fn add(
        &self,
        line: usize,
        text: &str,
        tags: Option<&Vec<String>>,
        run: &Run,
        judge: &mut Judge<'_>,
        built: &mut Built,
        report: &mut Report,
    ) -> Result<(), Open> {
        let template = judge.template(text, run);
        let (name, tags) = match tags {
            Some(tags) => (template, tags.clone()),
            None => names::tagged(&template),
        };
        let mut lost = |why: &str| {
            report.lost(
                line,
                &format!("`{text}` is no name of an image that can be taken apart{why}"),
                "write `url`, `path` and `tags` of the target into .stagefreight.yml",
            );
        };
        if tags.is_empty() || name.is_empty() {
            return Ok(());
        }
        if let Some(why) = tags.iter().find_map(|tag| names::tag(tag).err()) {
            lost(&format!(": {why}"));
            return Ok(());
        }
        let (url, path) = match names::repository(text, &name, self.places) {
            Ok(found) => found,
            Err(Untold::Registry) => return Err(Open(line, text.to_owned())),
            Err(Untold::NoName) => {
                lost("");
                return Ok(());
            }
        };
        match built.published.iter_mut().find(|one| one.run == *run && one.url == url && one.path == path) {
            Some(one) => {
                let new: Vec<_> = tags.into_iter().filter(|tag| !one.tags.contains(tag)).collect();
                one.tags.extend(new);
            }
            None => built.published.push(Published { run: run.clone(), url, path, tags }),
        }
        Ok(())
    }
}
