//! When what happened, for the charts of the summary and the page: the phases of the run, the steps that took longest, and
//! some that the cache spared. Pure; its texts are not escaped.

use super::document::{Build, Document, Layer, Phase, PhaseSpan};

/// Phases shown: the longest, of a run with many builds.
const PHASES: usize = 24;
/// Phases that were over sooner, and well, show nothing: what had nothing to do, for one.
const GLANCE: f64 = 0.005;
/// Steps shown that ran: the longest.
const STEPS: usize = 16;
/// Steps shown that were cached: the first.
const CACHED: usize = 8;

/// Rows in groups, in the order of the chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Timeline {
    pub(super) groups: Vec<Group>,
    /// Where the chart ends, in seconds.
    pub(super) end: f64,
    /// Steps that ran and are not shown.
    pub(super) more: usize,
}

/// Rows that belong together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) start: f64,
    pub(super) seconds: f64,
    pub(super) kind: Kind,
}

/// What a bar stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A phase of ours.
    Phase,
    /// A phase that did not end well.
    Failed,
    /// A step that ran.
    Step,
    /// One that did not have to.
    Cached,
}

/// The timeline of a run; without groups where nothing was measured.
pub(super) fn timeline(document: &Document) -> Timeline {
    let mut groups = Vec::new();
    let seen = document.phases.iter().filter(|span| !span.ok || span.seconds >= GLANCE);
    let phases = longest(seen.collect(), PHASES, |span| span.seconds);
    if !phases.is_empty() {
        groups.push(Group { title: "Run".to_owned(), rows: phases.into_iter().map(phase).collect() });
    }
    let dated = || document.builds.iter().flat_map(|build| build.layers.iter().map(move |layer| (build, layer)));
    let dated = || dated().filter(|(_, layer)| layer.start.is_some());
    let ran: Vec<_> = dated().filter(|(_, layer)| !layer.cached).collect();
    let more = ran.len().saturating_sub(STEPS);
    let mut steps = longest(ran, STEPS, |(_, layer)| layer.seconds);
    steps.extend(dated().filter(|(_, layer)| layer.cached).take(CACHED));
    for build in &document.builds {
        let of_build: Vec<&Layer> =
            steps.iter().filter(|(of, _)| std::ptr::eq(*of, build)).map(|(_, layer)| *layer).collect();
        groups.extend(stages(build, of_build));
    }
    for group in &mut groups {
        group.rows.sort_by(|a, b| a.start.total_cmp(&b.start));
    }
    let ends = groups.iter().flat_map(|group| &group.rows).map(|row| row.start + row.seconds);
    Timeline { end: ends.fold(document.seconds, f64::max), groups, more }
}

/// Those that took longest, in their own order.
fn longest<T>(all: Vec<T>, limit: usize, seconds: impl Fn(&T) -> f64) -> Vec<T> {
    let mut order: Vec<(usize, T)> = all.into_iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| seconds(b).total_cmp(&seconds(a)));
    order.truncate(limit);
    order.sort_by_key(|(at, _)| *at);
    order.into_iter().map(|(_, item)| item).collect()
}

/// A group for each stage and platform of a build.
fn stages(build: &Build, layers: Vec<&Layer>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for layer in layers {
        let parts = [&build.id, &layer.stage, layer.platform.as_ref().unwrap_or(&String::new())].map(|s| s.to_owned());
        let title = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
        let row = step(layer);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { title, rows: vec![row] }),
        }
    }
    groups
}

fn phase(span: &PhaseSpan) -> Row {
    let name = match span.phase {
        Phase::Builder => "Builder",
        Phase::Build => "Build",
        Phase::Prove => "Prove",
        Phase::Stage => "Stage",
        Phase::Sign => "Sign",
        Phase::Tag => "Tag",
        Phase::Retention => "Old tags",
    };
    let label = span.build.as_ref().map_or(name.to_owned(), |build| format!("{name} {build}"));
    let kind = if span.ok { Kind::Phase } else { Kind::Failed };
    Row { label, start: span.start, seconds: span.seconds, kind }
}

fn step(layer: &Layer) -> Row {
    let place = if layer.total > 0 { format!("{}/{} ", layer.index, layer.total) } else { String::new() };
    Row {
        label: format!("{place}{} {}", layer.instruction, layer.detail),
        start: layer.start.unwrap_or_default(),
        seconds: if layer.cached { 0.0 } else { layer.seconds },
        kind: if layer.cached { Kind::Cached } else { Kind::Step },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn the_longest_steps_are_shown_in_the_order_in_which_they_ran() {
        let mut document = Document::new(&fixtures::success());
        let layer = document.builds[0].layers[3].clone();
        document.builds[0].layers = (0..100)
            .map(|n| Layer {
                detail: format!("{n}"),
                start: Some(f64::from(n)),
                seconds: f64::from((n * 37) % 100),
                ..layer.clone()
            })
            .collect();
        let timeline = timeline(&document);
        let steps = &timeline.groups[1].rows;
        assert_eq!((steps.len(), timeline.more), (STEPS, 84));
        assert!(steps.windows(2).all(|two| two[0].start < two[1].start), "{steps:?}");
        assert!(steps.iter().all(|row| row.seconds >= 84.0), "{steps:?}");
        assert!(timeline.end >= 99.0);
    }

    #[test]
    fn without_times_there_is_no_timeline() {
        let mut document = Document::new(&fixtures::success());
        document.phases.clear();
        document.builds[0].layers.iter_mut().for_each(|layer| layer.start = None);
        assert_eq!(timeline(&document).groups, []);
    }
}
