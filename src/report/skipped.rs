//! Builds and targets that a run left out, and why. Not escaped.

use super::document::Document;
use super::plan::nothing_ran;

/// One that was left out.
pub(super) struct Skipped<'d> {
    /// `build` or `target`.
    pub(super) kind: &'static str,
    pub(super) id: &'d str,
    pub(super) why: &'d str,
}

/// All of them.
pub(super) fn all(document: &Document) -> Vec<Skipped<'_>> {
    collect(document, true)
}

/// Those that the headline does not tell of: where nothing ran at all it says so, and a reason for each build would only
/// repeat it.
pub(super) fn untold(document: &Document) -> Vec<Skipped<'_>> {
    collect(document, !nothing_ran(document) || document.failure.is_some())
}

fn collect(document: &Document, builds: bool) -> Vec<Skipped<'_>> {
    let mut all = Vec::new();
    for build in &document.builds {
        let why = build.why.iter().filter(|_| builds);
        all.extend(why.map(|why| Skipped { kind: "build", id: &build.id, why }));
        let out = build.targets.iter().filter(|target| !target.included);
        all.extend(out.map(|target| Skipped { kind: "target", id: &target.id, why: &target.why }));
    }
    all.extend(document.left_out.iter().map(|build| Skipped { kind: "build", id: &build.id, why: &build.why }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_dry_run_says_once_that_nothing_ran() {
        let mut document = Document::new(&fixtures::dry_run());
        let told = |all: Vec<Skipped<'_>>| all.iter().map(|out| format!("{} {}", out.kind, out.id)).collect::<Vec<_>>();
        assert_eq!(told(all(&document)), ["build app", "target nightly", "build docs"]);
        assert_eq!(told(untold(&document)), ["target nightly", "build docs"]);
        document.failure = Document::new(&fixtures::failing_config()).failure;
        assert_eq!(told(untold(&document)), ["build app", "target nightly", "build docs"]);
    }
}
