//! Puts the reports down: the documents in `.stagefreight/`, and what the runner reads in its files.
//!
//! Each file is written even if another could not be. Documents are replaced in one move, so a reader never sees half of
//! one, and a symbolic link is replaced, never followed.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::document::{Document, Forge};
use super::outputs::{METADATA_FILE, Outputs, RESULT_FILE};
use super::{annotations, code_quality, html, markdown};
use crate::outcome::Outcome;
use crate::problem::{Failure, FailureKind, Problem};
use crate::runner::{self, RunnerFiles};

/// Directory of our documents, relative to the workspace.
pub(super) const DIRECTORY: &str = ".stagefreight";
/// The step summary, kept.
pub const SUMMARY_FILE: &str = ".stagefreight/summary.md";
/// The same as a page for a browser.
pub const PAGE_FILE: &str = ".stagefreight/report.html";
/// GitLab's code quality report.
pub const CODE_QUALITY_FILE: &str = ".stagefreight/codequality.json";
/// GitLab's annotations report.
pub const ANNOTATIONS_FILE: &str = ".stagefreight/annotations.json";

/// Writes everything. `document` must be redacted already; `workspace` is the checkout, `build_id` what the input asked
/// for. Gives notes about what is missing and hurts nobody, a cut summary for example.
///
/// # Errors
/// When the result document or the outputs could not be written: later steps would work with nothing, or with the files
/// of another run.
pub fn write(
    outcome: &Outcome,
    document: &Document,
    workspace: &Path,
    build_id: Option<&str>,
) -> Result<Vec<Problem>, Failure> {
    let outputs = Outputs::new(document, build_id);
    let summary = markdown::summary(document);
    let mut said = Said::default();
    match directory(workspace) {
        Ok(()) => documents(document, &outputs, &summary, workspace, &mut said),
        Err(problem) => said.failed.push(problem),
    }
    runner_files(outcome, &outputs, &summary, workspace, &mut said);
    if said.failed.is_empty() { Ok(said.notes) } else { Err(Failure::many(FailureKind::Report, said.failed)) }
}

/// What went wrong on the way.
#[derive(Default)]
struct Said {
    failed: Vec<Problem>,
    notes: Vec<Problem>,
}

fn documents(document: &Document, outputs: &Outputs, summary: &str, workspace: &Path, said: &mut Said) {
    let put =
        |file: &str, text: &str| replace(&workspace.join(file), text).map_err(|error| not_written(file, &error)).err();
    said.failed.extend(put(RESULT_FILE, &document.to_json()));
    match outputs.metadata() {
        Some(metadata) => said.failed.extend(put(METADATA_FILE, &format!("{metadata:#}\n"))),
        // One of an earlier run would be taken for this one's.
        None => drop(fs::remove_file(workspace.join(METADATA_FILE))),
    }
    said.notes.extend(put(SUMMARY_FILE, summary));
    said.notes.extend(put(PAGE_FILE, &html::page(document)));
    if document.context.forge == Forge::GitLab {
        said.notes.extend(put(CODE_QUALITY_FILE, &code_quality::report(document)));
        said.notes.extend(put(ANNOTATIONS_FILE, &annotations::gitlab_report(document)));
    }
}

fn runner_files(outcome: &Outcome, outputs: &Outputs, summary: &str, workspace: &Path, said: &mut Said) {
    let RunnerFiles { output, summary: step_summary, temp: _, dotenv } = &outcome.context.files;
    if let Some(path) = output {
        let values = outputs.for_actions();
        let limits = runner::outputs::OutputLimits::of(outcome.context.forge);
        said.either(runner::outputs::write(path, &pairs(&values), limits));
    }
    if let Some(path) = dotenv {
        let values = outputs.for_dotenv();
        said.either(runner::dotenv::write(&workspace.join(path), &pairs(&values)));
    }
    if let Some(path) = step_summary {
        match runner::summary::append(path, summary) {
            Ok(note) => said.notes.extend(note),
            Err(problem) => said.notes.push(problem),
        }
    }
}

impl Said {
    fn either(&mut self, result: Result<Vec<Problem>, Problem>) {
        match result {
            Ok(notes) => self.notes.extend(notes),
            Err(problem) => self.failed.push(problem),
        }
    }
}

fn pairs<'a>(values: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    values.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Makes our directory, and makes sure that it lies in the workspace.
fn directory(workspace: &Path) -> Result<(), Problem> {
    let path = workspace.join(DIRECTORY);
    let made = match fs::create_dir(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    let (root, real): (PathBuf, PathBuf) = made
        .and_then(|()| Ok((workspace.canonicalize()?, path.canonicalize()?)))
        .map_err(|error| not_written(DIRECTORY, &error))?;
    if !real.starts_with(&root) {
        return Err(Problem::new(format!(
            "{DIRECTORY} is a symbolic link to {}, outside the workspace",
            real.display()
        ))
        .hint(format!("remove {DIRECTORY} from the repository: it is where reports of a run are written")));
    }
    if !real.is_dir() {
        return Err(Problem::new(format!("{DIRECTORY} is not a directory")).hint(format!(
            "remove or rename the file {DIRECTORY}: reports of a run are written to a directory of that name"
        )));
    }
    Ok(())
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = new_file(directory)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// Later steps may run as another user.
fn new_file(directory: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let readable = fs::Permissions::from_mode(0o644);
    tempfile::Builder::new().prefix(".new-").permissions(readable).tempfile_in(directory)
}

fn not_written(file: &str, error: &std::io::Error) -> Problem {
    Problem::new(format!("{file} could not be written: {error}"))
        .hint("the workspace must be writable and have room for it; check the disk and who owns the checkout")
}

/// Takes away what an earlier run left below `.stagefreight/`: it would be taken for this one's.
pub fn withdraw(workspace: &Path, file: &str) {
    // Makes nothing: an empty directory of ours would be in the context of the first build. What cannot be removed cannot be
    // written either, and writing tells.
    if fs::symlink_metadata(workspace.join(DIRECTORY)).is_ok_and(|found| found.is_dir()) {
        let _ = fs::remove_file(workspace.join(file));
    }
}

/// Puts one more document below `.stagefreight/`, replacing an older one in one move.
///
/// # Errors
/// When it cannot be written.
pub fn put(workspace: &Path, file: &str, text: &str) -> Result<(), Failure> {
    let failed = |problem| Failure::new(FailureKind::Report, problem);
    directory(workspace).map_err(failed)?;
    let path = workspace.join(file);
    let parent = path.parent().unwrap_or(workspace);
    fs::create_dir_all(parent).and_then(|()| replace(&path, text)).map_err(|e| failed(not_written(file, &e)))
}

/// The same for a document that is a file already and may be large.
///
/// # Errors
/// When it cannot be written.
pub fn put_file(workspace: &Path, file: &str, from: &Path) -> Result<(), Failure> {
    let failed = |problem| Failure::new(FailureKind::Report, problem);
    directory(workspace).map_err(failed)?;
    let path = workspace.join(file);
    let parent = path.parent().unwrap_or(workspace);
    let copy = || {
        fs::create_dir_all(parent)?;
        let mut new = new_file(parent)?;
        std::io::copy(&mut fs::File::open(from)?, &mut new)?;
        new.persist(&path)?;
        Ok(())
    };
    copy().map_err(|e: std::io::Error| failed(not_written(file, &e)))
}
