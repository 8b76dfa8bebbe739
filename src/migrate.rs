//! `stagefreight migrate`: a workflow that builds with docker's actions becomes ours; a pipeline of GitLab's too (`gitlab`).
//!
//! Reads the workflow as a tree that knows its lines (`yaml`), sorts the runs it can have into kinds (`world`), judges conditions and
//! names for each (`expression`, `value`, `metadata`, `build`), gathers what is published into targets (`targets`), and changes
//! only the lines it has to (`edit`, `job`). What is not understood is reported with its line, never guessed.

mod build;
mod cloud;
mod edit;
mod expression;
mod gitlab;
mod job;
mod login;
mod metadata;
mod names;
mod outputs;
mod report;
mod step;
mod targets;
mod value;
mod world;
mod written;
mod yaml;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::config::load::tree::Node;
use crate::environment::Environment;
use crate::init::builds::legal;
use crate::init::files::{self, Change, Fate};
use crate::problem::{Failure, FailureKind, Location, Problem};
use crate::redact::Redactor;
use crate::run::complain;
use crate::source;

use report::Report;
use written::Written;

/// The largest workflow read.
const LARGEST: u64 = 512 * 1024;

/// What was asked on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The workflow.
    pub file: PathBuf,
    /// Write both files.
    pub write: bool,
    /// Write over a configuration that is there.
    pub force: bool,
}

/// What became of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The new workflow.
    pub workflow: String,
    /// The new configuration; none where the pipeline's inputs say everything.
    pub config: Option<String>,
    /// What was done to which line, and what a person has to look at.
    pub report: String,
    /// Everything was carried over.
    pub complete: bool,
}

/// Reads, prints, and writes if told to. Returns the exit code: 0 all of it was carried over, 1 somebody has to look at something, 2
/// it is no workflow that could be moved.
pub fn run(env: &Environment, call: &Call) -> u8 {
    match answer(env, call) {
        Ok((text, code)) => {
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            code
        }
        Err(problems) => complain(&Failure::many(FailureKind::Input, problems), &Redactor::default()),
    }
}

fn answer(env: &Environment, call: &Call) -> Result<(String, u8), Vec<Problem>> {
    let path = env.cwd.join(&call.file);
    let shown = call.file.display().to_string();
    let text = read(&path, &shown).map_err(|problem| vec![problem])?;
    let root = path.ancestors().skip(1).find(|directory| directory.join(".git").symlink_metadata().is_ok());
    let root = root.unwrap_or(&env.cwd).to_owned();
    let branch = source::read(&root, &[]).ok().and_then(|source| source.git?.default_branch);
    let found = migrate(&text, &shown, branch.as_deref())?;
    let mut out = found.report.clone();
    let mut code = u8::from(!found.complete);
    if call.write {
        let inside = path.strip_prefix(&root).map_or_else(|_| shown.clone(), |path| path.display().to_string());
        if let Some(text) = found.config {
            let config = Change::create(".stagefreight.yml", text);
            let fates = files::apply(&root, std::slice::from_ref(&config), false, call.force);
            out.push_str(&format!("{}\n", fates[0].sentence(&config)));
            if matches!(fates[0], Fate::LeftAlone | Fate::Failed(_)) {
                out.push_str("the workflow was left as it is; `--force` writes over the configuration that is there\n");
                return Ok((files::shown(&out), 1));
            }
        }
        let workflow = Change::replace(&inside, found.workflow);
        let fates = files::apply(&root, std::slice::from_ref(&workflow), false, call.force);
        out.push_str(&format!("{}\n", fates[0].sentence(&workflow)));
        code = if matches!(fates[0], Fate::Failed(_)) { 1 } else { code };
        out.push_str("\nNext\n  git diff                      what changed\n  stagefreight plan             what a run would do, and why; touches nothing\n");
    } else {
        out.push_str(&format!("# ---- {shown} ----\n{}", found.workflow));
        if let Some(config) = &found.config {
            out.push_str(&format!("\n# ---- .stagefreight.yml ----\n{config}"));
        }
        out.push_str("\n# Nothing was written. `--write` writes this.\n");
    }
    Ok((files::shown(&out), code))
}

fn read(path: &Path, shown: &str) -> Result<String, Problem> {
    let at = || Location { file: shown.to_owned(), line: None, column: None };
    let failed = |what: String| Problem::new(what).at(at());
    let found = std::fs::metadata(path).map_err(|error| failed(format!("the workflow cannot be read: {error}")))?;
    if !found.is_file() {
        return Err(failed("the workflow is not a regular file".to_owned())
            .hint("name one file, as `.github/workflows/docker.yml`"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| failed(format!("the workflow cannot be read: {error}")))?;
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(format!("the workflow cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed("the workflow is larger than 512 KiB".to_owned()).hint("is this the right file?"));
    }
    String::from_utf8(bytes).map_err(|_| failed("the workflow is not UTF-8".to_owned()))
}

/// Turns a workflow into ours. `file` is its path as people should see it.
///
/// # Errors
/// Where it is no workflow, or nothing in it builds with docker's actions.
pub fn migrate(text: &str, file: &str, default_branch: Option<&str>) -> Result<Migration, Vec<Problem>> {
    let root = yaml::read(text, file)?;
    let whole = || Location { file: file.to_owned(), line: None, column: None };
    let Some(jobs) = yaml::get(&root, "jobs") else {
        if gitlab::is_pipeline(&root) {
            return gitlab::migrate(&root, text, file);
        }
        return Err(vec![no_workflow(&root).at(whole())]);
    };
    let source: Vec<&str> = text.lines().collect();
    let world = world::world(&root, text, default_branch);
    let env = job::environment(&root);
    let mut report = Report::default();
    for (event, line) in &world.unread {
        report.kept(
            *line,
            &format!("runs by `{event}`: no target was made for them; write their `when` by hand if they publish"),
        );
    }
    let mut moved: Vec<job::Job<'_>> = Vec::new();
    // A job ends where the next begins, or the key after all of them.
    let starts: Vec<usize> =
        yaml::entries(jobs).iter().chain(yaml::entries(&root)).map(|(key, _)| key.place.line).collect();
    for (key, node) in yaml::entries(jobs) {
        let first = key.place.line;
        let next = starts.iter().filter(|line| **line > first).min().map_or(source.len(), |line| line - 1);
        moved.extend(job::read(&key.name, node, first..=next, &world, &env, &source, action(file), &mut report));
    }
    if moved.is_empty() {
        return Err(nothing_moved(&report, file, whole()));
    }
    let (written, ids) = gather(&moved, &world);
    let config = written::text(&written, &world, file);
    if let Err(problems) = crate::config::load(&config, ".stagefreight.yml") {
        return Err(vec![would_not_load(problems).at(whole())]);
    }
    let mut edits = Vec::new();
    for (job, ids) in moved.iter().zip(&ids) {
        edits.extend(job.edits(ids, written.builds.len() > 1, !written.targets.is_empty(), &source, &mut report));
    }
    let workflow = edit::apply(text, edits);
    unused_logins(&moved, &written, &mut report);
    notes(&moved, &written, &mut report);
    Ok(Migration { workflow, config: Some(config), complete: !report.is_incomplete(), report: report.text(file) })
}

/// Runners of other forges look for actions at home first.
fn action(file: &str) -> &'static str {
    match file.contains(".gitea/") || file.contains(".forgejo/") {
        true => "https://github.com/stagefreight/action@v1",
        false => "stagefreight/action@v1",
    }
}

/// Builds and targets of all jobs; and the build of each step.
fn gather(moved: &[job::Job<'_>], world: &world::World) -> (Written, Vec<Vec<String>>) {
    let mut written = Written::default();
    let mut published: Vec<(String, Vec<targets::Published>)> = Vec::new();
    let mut ids = Vec::new();
    let mut steps: Vec<(String, &build::Built)> = Vec::new();
    for job in moved {
        let mut of_job = Vec::new();
        for (_, built) in &job.builds {
            let shared = |id: &String| steps.iter().filter(|(of, _)| of == id).all(|(_, other)| built.shares(other));
            let known = written.builds.iter().find(|(id, spec)| *spec == built.spec && shared(id));
            let id = known.map(|(id, _)| id.clone()).unwrap_or_else(|| {
                let id = free_id(&name_of(built), &written);
                written.builds.push((id.clone(), built.spec.clone()));
                id
            });
            published.push((id.clone(), built.published.clone()));
            written.matrices.entry(id.clone()).or_default().extend(job.matrix());
            steps.push((id.clone(), built));
            of_job.push(id);
        }
        for login in &job.around.logins {
            if !written.logins.iter().any(|(host, _)| *host == login.0) {
                written.logins.push(login.clone());
            }
        }
        written.sign = written.sign.take().or_else(|| job.around.sign.clone());
        for line in &job.around.builder {
            if !written.builder.contains(line) {
                written.builder.push(line.clone());
            }
        }
        ids.push(of_job);
    }
    let several = written.builds.len() > 1;
    for (id, _) in &written.builds {
        let mut all: Vec<targets::Published> = Vec::new();
        for one in published.iter().filter(|(of, _)| of == id).flat_map(|(_, published)| published) {
            match all.iter_mut().find(|known| known.run == one.run && known.url == one.url && known.path == one.path) {
                Some(known) => {
                    let new: Vec<_> = one.tags.iter().filter(|tag| !known.tags.contains(tag)).cloned().collect();
                    known.tags.extend(new);
                }
                None => all.push(one.clone()),
            }
        }
        written.targets.extend(targets::gather(id, several, &all, world));
    }
    (written, ids)
}

/// A name for a build: the last part of its image, else of its context.
fn name_of(built: &build::Built) -> String {
    let image = built.published.first().map(|one| one.path.as_str()).filter(|path| !path.contains('{'));
    let image = image.and_then(|path| path.rsplit('/').next());
    let context = built.spec.context.as_deref().filter(|path| *path != ".").and_then(|path| path.rsplit('/').next());
    let name = legal(image.or(context).unwrap_or("app"));
    if name.is_empty() { "app".to_owned() } else { name }
}

fn free_id(name: &str, written: &Written) -> String {
    let taken = |id: &str| written.builds.iter().any(|(known, _)| known == id);
    let numbered = (2..1000).map(|n| format!("{name}-{n}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|id| !taken(id)).unwrap_or_else(|| name.to_owned())
}

/// Logins that nothing in the configuration can name: of a registry that only the job knows, and that no target is in.
fn unused_logins(moved: &[job::Job<'_>], written: &Written, report: &mut Report) {
    for job in moved {
        let unknown = job.around.logins.iter().filter(|(host, _)| host.contains('{'));
        for (host, prefix) in unknown.filter(|(host, _)| !written.targets.iter().any(|target| target.url == *host)) {
            let line = job.builds.first().map_or(1, |(n, _)| job.steps[*n].line());
            report.lost(
                line,
                &format!("the login to {host} is on the step, as {prefix}_USER and {prefix}_TOKEN, and no target uses it: which registry it is for, the workflow does not tell"),
                &format!("write `registries: {{HOST: {{credentials: {prefix}}}}}` into .stagefreight.yml, with the registry's name for HOST"),
            );
        }
    }
}

/// What works a little differently.
fn notes(moved: &[job::Job<'_>], written: &Written, report: &mut Report) {
    let Some((n, built)) = moved.first().and_then(|job| job.builds.first()) else { return };
    let line = moved[0].steps[*n].line();
    report.kept(
        line,
        "runs write into .stagefreight/ and dist/: put both into .gitignore and .dockerignore, or every run undoes the cache of `COPY . .`",
    );
    if written.targets.iter().any(|target| target.tags.iter().any(|tag| tag == "latest")) {
        report.kept(line, "`latest` and the like only go forward: a backport or an older job does not take them");
    }
    if written.shares_fixed_tags() {
        report.kept(
            line,
            "several runs put one tag that names a commit or a version, so `publish: {fixed_tags: replace}` was written; without it such a tag is never put on another image",
        );
    }
    if !built.with.iter().any(|line| line.starts_with("provenance") || line.starts_with("sbom")) {
        report.kept(
            line,
            "BuildKit's own provenance is not attached unless asked for: `provenance: mode=max` brings it back",
        );
    }
    if moved.iter().any(|job| {
        job.node.place.line > 0
            && yaml::get(job.node, "permissions").is_some_and(|granted| yaml::get(granted, "statuses").is_none())
    }) {
        report.kept(line, "with `statuses: write` and `checks: write` among the job's permissions the commit gets a status, and errors stand on their lines");
    }
}

/// What a file without jobs is.
fn no_workflow(root: &Node) -> Problem {
    if yaml::get(root, "runs").is_some_and(|runs| yaml::get(runs, "using").is_some()) {
        return Problem::new("this is an action, and no workflow: only workflows are moved").hint(
            "docs/migrating.md, “Composite actions”, has the step to write in place of docker/build-push-action",
        );
    }
    Problem::new("this is no workflow: it has no `jobs`").hint(
        "workflows lie in .github/workflows, .gitea/workflows or .forgejo/workflows; GitLab's pipeline is .gitlab-ci.yml",
    )
}

fn would_not_load(problems: Vec<Problem>) -> Problem {
    let first = problems.into_iter().next().map(|problem| problem.what).unwrap_or_default();
    Problem::new(format!("the configuration made of this workflow would not load: {first}"))
        .hint("mend that value in the workflow, and call migrate again; if nothing is wrong with it, please file a bug")
}

fn nothing_moved(report: &Report, file: &str, at: Location) -> Vec<Problem> {
    if report.is_incomplete() {
        let why = report.text(file);
        return vec![
            Problem::new("nothing of this workflow can be moved as it is")
                .at(at)
                .snippet(why.trim_end())
                .hint("docs/migrating.md, “What migrate leaves to you”, has more on each case"),
        ];
    }
    vec![
        Problem::new("nothing in this workflow builds with docker/build-push-action")
            .at(at)
            .hint("`stagefreight init` writes a workflow of its own"),
    ]
}

#[cfg(test)]
mod tests;
