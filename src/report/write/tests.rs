use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::report::fixtures;
use crate::runner::ForgeKind;

/// Writes the reports of a run into a fresh workspace.
fn written(
    mut outcome: Outcome,
    files: impl FnOnce(&Path) -> RunnerFiles,
) -> (tempfile::TempDir, Result<Vec<Problem>, Failure>) {
    let workspace = tempfile::tempdir().unwrap();
    outcome.context.files = files(workspace.path());
    let result = write(&outcome, &Document::new(&outcome), workspace.path(), None);
    (workspace, result)
}

fn none(_: &Path) -> RunnerFiles {
    RunnerFiles::default()
}

fn read(workspace: &tempfile::TempDir, file: &str) -> String {
    fs::read_to_string(workspace.path().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn names(workspace: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(workspace.path().join(DIRECTORY)).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn documents_and_runner_files_are_written() {
    let (workspace, result) = written(fixtures::success(), |dir| RunnerFiles {
        output: Some(dir.join("output")),
        summary: Some(dir.join("summary")),
        ..RunnerFiles::default()
    });
    assert_eq!(result, Ok(vec![]));
    assert_eq!(names(&workspace), ["metadata.json", "report.html", "result.json", "summary.md"]);
    let document: Document = serde_json::from_str(&read(&workspace, RESULT_FILE)).unwrap();
    assert_eq!(document, Document::new(&fixtures::success()));
    assert_eq!(read(&workspace, SUMMARY_FILE), read(&workspace, "summary"));
    assert!(read(&workspace, "output").contains("\nghcr.io/acme/app:latest\n"));
    let mode = fs::metadata(workspace.path().join(RESULT_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "steps that run as another user read it");
}

#[test]
fn gitlab_gets_its_reports_even_when_nothing_was_planned() {
    let (workspace, result) = written(fixtures::failing_config(), |_| RunnerFiles {
        dotenv: Some("reports/build.env".into()),
        ..RunnerFiles::default()
    });
    assert_eq!(result, Ok(vec![]));
    assert_eq!(names(&workspace), ["annotations.json", "codequality.json", "report.html", "result.json", "summary.md"]);
    assert!(read(&workspace, "reports/build.env").contains("STAGEFREIGHT_RESULT=.stagefreight/result.json\n"));
}

#[test]
fn what_another_run_left_is_replaced() {
    let outcome = fixtures::success();
    let (workspace, _) = written(outcome.clone(), none);
    let failed = fixtures::failing_run();
    write(&failed, &Document::new(&failed), workspace.path(), None).unwrap();
    assert_eq!(names(&workspace), ["report.html", "result.json", "summary.md"], "no metadata of the run before");
    assert!(read(&workspace, RESULT_FILE).contains("\"status\": \"failure\""));
}

#[test]
fn a_link_out_of_the_workspace_is_refused_and_one_inside_is_fine() {
    let outcome = fixtures::success();
    let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(outside.path(), workspace.path().join(DIRECTORY)).unwrap();
    let failure = write(&outcome, &Document::new(&outcome), workspace.path(), None).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Report);
    assert!(failure.problems[0].what.contains("outside the workspace"), "{failure}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);

    let workspace = tempfile::tempdir().unwrap();
    fs::create_dir(workspace.path().join("reports")).unwrap();
    symlink("reports", workspace.path().join(DIRECTORY)).unwrap();
    assert_eq!(write(&outcome, &Document::new(&outcome), workspace.path(), None), Ok(vec![]));
    assert!(workspace.path().join("reports/result.json").is_file());
}

#[test]
fn a_linked_file_is_replaced_not_followed() {
    let outcome = fixtures::success();
    let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let precious = outside.path().join("precious");
    fs::write(&precious, "mine").unwrap();
    fs::create_dir(workspace.path().join(DIRECTORY)).unwrap();
    symlink(&precious, workspace.path().join(RESULT_FILE)).unwrap();
    write(&outcome, &Document::new(&outcome), workspace.path(), None).unwrap();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
    assert!(read(&workspace, RESULT_FILE).starts_with('{'));
}

#[test]
fn a_file_in_the_way_is_named_and_outputs_are_written_all_the_same() {
    let mut outcome = fixtures::success();
    let workspace = tempfile::tempdir().unwrap();
    fs::write(workspace.path().join(DIRECTORY), "a file").unwrap();
    outcome.context.files.output = Some(workspace.path().join("output"));
    let failure = write(&outcome, &Document::new(&outcome), workspace.path(), None).unwrap_err();
    assert!(failure.problems[0].what.contains("is not a directory"), "{failure}");
    assert!(failure.problems[0].hint.is_some());
    assert!(read(&workspace, "output").contains("sha256:"));
}

#[test]
fn a_summary_that_cannot_be_written_is_a_note_and_outputs_that_cannot_are_a_failure() {
    let (_workspace, result) = written(fixtures::success(), |dir| RunnerFiles {
        summary: Some(dir.join("no/such/dir/summary")),
        ..RunnerFiles::default()
    });
    assert_eq!(result.unwrap().len(), 1);
    let (_workspace, result) = written(fixtures::success(), |dir| RunnerFiles {
        output: Some(dir.join("no/such/dir/output")),
        ..RunnerFiles::default()
    });
    assert_eq!(result.unwrap_err().kind, FailureKind::Report);
}

#[test]
fn every_fixture_can_be_written_on_every_forge() {
    for (name, outcome) in fixtures::all() {
        for forge in [ForgeKind::GitHub, ForgeKind::Gitea, ForgeKind::Forgejo, ForgeKind::GitLab, ForgeKind::Local] {
            let mut outcome = outcome.clone();
            outcome.context.forge = forge;
            let (_workspace, result) = written(outcome, |dir| RunnerFiles {
                output: Some(dir.join("output")),
                summary: Some(dir.join("summary")),
                dotenv: Some("env".into()),
                ..RunnerFiles::default()
            });
            assert_eq!(result, Ok(vec![]), "{name} {forge:?}");
        }
    }
}
