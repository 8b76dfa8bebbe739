//! What to remember of a build: its layers, what runs now, and the last words of whatever may fail.
//!
//! Fed with every [`Progress`] of one build; memory stays bounded however long the build talks.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::MAX_VERTEXES;
use super::name;
use super::tail::LogTail;
use crate::buildx::errors::Evidence;
use crate::buildx::event::{CacheSource, Layer, Progress, Vertex, Warning};

#[cfg(test)]
pub(in crate::buildx) mod tests;

/// Of a step that fails. Runners of tests tell those that passed after the one that did not.
const STEP_TAIL: (usize, usize) = (256 * 1024, 4000);
const OVERALL_TAIL: (usize, usize) = (32 * 1024, 200);
/// Steps whose output is kept at a time; a step's own is given up when it ends well.
const MAX_STEP_TAILS: usize = 32;
const MAX_WARNINGS: usize = 100;
/// Caches of a build that are named.
const MAX_CACHES: usize = 20;
/// How BuildKit names the step that opens a cache.
const IMPORT: &str = "importing cache manifest from ";

/// The memory of one build.
#[derive(Debug)]
pub struct Timeline {
    steps: Vec<Step>,
    by_digest: HashMap<String, usize>,
    tails: HashMap<String, LogTail>,
    overall: LogTail,
    /// Who spoke last in `overall`.
    speaker: String,
    trailer: LogTail,
    warnings: Vec<Warning>,
}

/// A vertex, and how it ran.
#[derive(Debug)]
struct Step {
    vertex: Vertex,
    layer: Option<Layer>,
    /// Start of the first go.
    began: Option<Timestamp>,
    /// Seconds of earlier goes.
    before: f64,
}

/// Where a build stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// Layer-making steps finished.
    pub done: usize,
    /// Layer-making steps of all stages that were begun.
    pub total: usize,
    /// What runs now, longest first, BuildKit's own steps included.
    pub running: Vec<Running>,
}

/// A step that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The vertex's digest.
    pub vertex: String,
    /// As BuildKit names it.
    pub name: String,
    /// Since when, by BuildKit's clock; `None` where progress has no times.
    pub since: Option<Timestamp>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            by_digest: HashMap::new(),
            tails: HashMap::new(),
            overall: LogTail::new(OVERALL_TAIL.0, OVERALL_TAIL.1),
            speaker: String::new(),
            trailer: LogTail::new(OVERALL_TAIL.0, OVERALL_TAIL.1),
            warnings: Vec::new(),
        }
    }
}

impl Timeline {
    /// Takes note of one piece of progress.
    pub fn push(&mut self, progress: &Progress) {
        match progress {
            Progress::Vertex(vertex) => self.vertex(vertex),
            Progress::Log { vertex, stderr, data } => self.log(vertex, *stderr, data),
            Progress::Warning(warning) => {
                if self.warnings.len() < MAX_WARNINGS && !self.warnings.contains(warning) {
                    self.warnings.push(warning.clone());
                }
            }
            Progress::Trailer(line) => {
                self.trailer.push_line(line);
                self.overall.push_line(line);
            }
            Progress::Transfer { .. } => {}
        }
    }

    /// Layer-making steps that ended well, in the order in which they began; cached ones of a stage, which begin in any
    /// order, stand in the order of the Dockerfile.
    pub fn layers(&self) -> Vec<Layer> {
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        steps.sort_by_key(|s| s.began);
        let origin = self.steps.iter().filter_map(|s| s.began).filter(|&t| t != Timestamp::UNIX_EPOCH).min();
        let mut layers: Vec<Layer> = steps.into_iter().filter_map(|step| step.finished(origin)).collect();
        let stages: HashSet<_> = layers.iter().map(|l| (l.platform.clone(), l.stage.clone())).collect();
        for (platform, stage) in stages {
            let of_stage = |l: &Layer| l.platform == platform && l.stage == stage;
            let slots: Vec<usize> = (0..layers.len()).filter(|&i| of_stage(&layers[i])).collect();
            let mut steps: Vec<Layer> = slots.iter().map(|&i| std::mem::take(&mut layers[i])).collect();
            steps.sort_by_key(|l| l.index);
            for (slot, layer) in slots.into_iter().zip(steps) {
                layers[slot] = layer;
            }
        }
        layers
    }

    /// Caches that BuildKit opened, each once, in the order in which it began.
    pub fn caches(&self) -> Vec<CacheSource> {
        let opened = self.steps.iter().filter_map(|step| Some((step.vertex.name.strip_prefix(IMPORT)?, step)));
        let mut caches: Vec<CacheSource> = Vec::new();
        for (name, step) in opened {
            if caches.len() < MAX_CACHES && caches.iter().all(|cache| cache.name != name) {
                caches.push(CacheSource { name: name.to_owned(), error: step.vertex.error.clone() });
            }
        }
        caches
    }

    /// Where the build stands now.
    pub fn live(&self) -> Live {
        let mut stages: HashMap<(Option<&str>, &str), u32> = HashMap::new();
        for layer in self.steps.iter().filter_map(|s| s.layer.as_ref()) {
            let total = stages.entry((layer.platform.as_deref(), &layer.stage)).or_default();
            *total = layer.total.max(*total);
        }
        let known = self.steps.iter().filter(|s| s.layer.is_some()).count();
        let total = stages.values().map(|&n| n as usize).fold(0, usize::saturating_add).max(known);
        let mut running: Vec<Running> = self.steps.iter().filter_map(Step::running).collect();
        running.sort_by_key(|r| r.since);
        Live { done: self.steps.iter().filter(|s| s.layer.is_some() && s.ended_well()).count(), total, running }
    }

    /// BuildKit's warnings, each once, the first hundred.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The last lines of everything the build said.
    pub fn tail(&self) -> Vec<String> {
        self.overall.lines()
    }

    /// What is known about why the build failed, for [`crate::buildx::errors::explain`]. Meaningful only for a build
    /// that did: a cache that cannot be read gives a vertex error although the build goes on.
    pub fn evidence(&self) -> Evidence {
        let trailer = self.trailer.lines();
        let verdict = trailer.iter().rev().find(|line| line.starts_with("ERROR: ")).map_or("", String::as_str);
        let failed = self.failed(verdict);
        Evidence {
            step: failed.map(|s| s.vertex.name.clone()).unwrap_or_default(),
            error: failed.map(|s| s.vertex.error.clone()).unwrap_or_default(),
            log: failed.and_then(|s| self.tails.get(&s.vertex.digest)).map(LogTail::lines).unwrap_or_default(),
            trailer,
            overall: self.overall.lines(),
        }
    }

    /// The step buildx's last line speaks of, else the first that failed for its own sake and makes a layer.
    fn failed(&self, verdict: &str) -> Option<&Step> {
        let failed = || self.steps.iter().filter(|s| !s.vertex.error.is_empty() && !s.was_cancelled());
        failed()
            .find(|s| verdict.contains(&s.vertex.error))
            .or_else(|| failed().find(|s| s.layer.is_some()))
            .or_else(|| failed().next())
    }

    fn vertex(&mut self, vertex: &Vertex) {
        let step = match self.by_digest.get(&vertex.digest) {
            Some(&i) => &mut self.steps[i],
            None if self.steps.len() < MAX_VERTEXES => {
                self.by_digest.insert(vertex.digest.clone(), self.steps.len());
                let layer = name::layer(&vertex.name);
                self.steps.push(Step { vertex: Vertex::default(), layer, began: vertex.started, before: 0.0 });
                let last = self.steps.len() - 1;
                &mut self.steps[last]
            }
            None => return,
        };
        // Plain text gives the sum of all goes at each end, and always the same start.
        if step.vertex.started != vertex.started {
            step.before += step.seconds();
        }
        step.vertex.clone_from(vertex);
        if step.ended_well() {
            self.tails.remove(&vertex.digest);
        }
    }

    fn ended_well(&self, digest: &str) -> bool {
        self.by_digest.get(digest).is_some_and(|&i| self.steps[i].ended_well())
    }

    fn log(&mut self, vertex: &str, stderr: bool, data: &[u8]) {
        if self.speaker != vertex {
            self.speaker.clear();
            self.speaker.push_str(vertex);
            self.overall.end_line();
        }
        self.overall.push(stderr, data);
        if let Some(tail) = self.tails.get_mut(vertex) {
            tail.push(stderr, data);
        } else if self.tails.len() < MAX_STEP_TAILS && !self.ended_well(vertex) {
            let mut tail = LogTail::new(STEP_TAIL.0, STEP_TAIL.1);
            tail.push(stderr, data);
            self.tails.insert(vertex.to_owned(), tail);
        }
    }
}

impl Step {
    /// It is over, and nothing was wrong.
    fn ended_well(&self) -> bool {
        (self.vertex.completed.is_some() || self.vertex.cached) && self.vertex.error.is_empty()
    }

    /// The layer with how it ran, if it ended well.
    fn finished(&self, origin: Option<Timestamp>) -> Option<Layer> {
        let layer = self.layer.as_ref().filter(|_| self.ended_well())?;
        let seconds = if self.vertex.cached { 0.0 } else { self.before + self.seconds() };
        let since = |from: Timestamp| self.began.filter(|&t| t >= from).map(|t| t.duration_since(from).as_secs_f64());
        Some(Layer { cached: self.vertex.cached, seconds, start: origin.and_then(since), ..layer.clone() })
    }

    fn running(&self) -> Option<Running> {
        let v = &self.vertex;
        (v.completed.is_none() && !v.cached && v.error.is_empty()).then(|| Running {
            vertex: v.digest.clone(),
            name: v.name.clone(),
            since: v.started.filter(|&t| t != Timestamp::UNIX_EPOCH),
        })
    }

    /// Seconds of the current go, 0 until it ends.
    fn seconds(&self) -> f64 {
        match (self.vertex.started, self.vertex.completed) {
            (Some(from), Some(to)) => to.duration_since(from).as_secs_f64().max(0.0),
            _ => 0.0,
        }
    }

    /// Another step's failure ended it.
    fn was_cancelled(&self) -> bool {
        self.vertex.error.contains("context canceled")
    }
}
