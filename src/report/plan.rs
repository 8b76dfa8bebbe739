//! What was planned for each build, for those who draw it. Not escaped.

use super::document::{Build, BuildPlan, BuildState, Document};

/// Names shown of one build.
const NAMES: usize = 20;

/// The plan of one build.
pub(super) struct Planned<'d> {
    pub(super) build: &'d Build,
    pub(super) plan: &'d BuildPlan,
    /// The first of its references, or where else the image goes.
    pub(super) names: &'d [String],
    /// How many more there are.
    pub(super) more: usize,
    /// How far it was proven, or was to be.
    pub(super) proof: &'d str,
    /// The first digits of the plan's hash.
    pub(super) hash: String,
}

/// The plans of all builds.
pub(super) fn plans(document: &Document) -> impl Iterator<Item = Planned<'_>> {
    document.builds.iter().filter_map(|build| {
        let plan = build.plan.as_ref()?;
        let names = &plan.names[..plan.names.len().min(NAMES)];
        Some(Planned {
            build,
            plan,
            names,
            more: plan.names.len() - names.len(),
            proof: build.verified.as_deref().unwrap_or(&plan.mode),
            hash: plan.plan_hash.chars().take(12).collect(),
        })
    })
}

/// A plan and nothing more: a dry run, or one that failed before its first build.
pub(super) fn nothing_ran(document: &Document) -> bool {
    !document.builds.is_empty() && document.builds.iter().all(|build| build.state == BuildState::NotRun)
}
