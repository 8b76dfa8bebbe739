//! One job: which of its steps move, which stay, and what stands in their place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use regex::Regex;

use super::build::{self, Built};
use super::cloud::{self, Clouds};
use super::edit::{self, Edit};
use super::expression;
use super::login::{self, Around};
use super::metadata::{self, Metadata};
use super::names::{self, Places, expression_scalar};
use super::outputs::{self, Outputs, Reading};
use super::report::Report;
use super::step::{Role, Step};
use super::value::Judge;
use super::world::{Run, World};
use super::yaml;
use crate::config::load::tree::Node;

/// A job whose builds move.
#[derive(Debug)]
pub(super) struct Job<'n> {
    pub(super) steps: Vec<Step<'n>>,
    pub(super) node: &'n Node,
    /// Index into `steps`, and what it builds.
    pub(super) builds: Vec<(usize, Built)>,
    pub(super) around: Around,
    outputs: Outputs,
    signs: bool,
    action: &'static str,
}

/// Programs that use a login or a builder that is there.
static DOCKER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)^[^#\n]*\b(docker|buildx|trivy|crane|skopeo|oras|grype|syft|helm|regctl|dive)\b").ok()
});

/// Reads a job in its lines. `None` where nothing of it moves; the report says why, if anybody could have expected it.
#[allow(clippy::too_many_arguments, reason = "all of it is what a job means")]
pub(super) fn read<'n>(
    name: &str,
    node: &'n Node,
    lines: RangeInclusive<usize>,
    world: &World,
    workflow_env: &BTreeMap<String, String>,
    source: &[&str],
    action: &'static str,
    report: &mut Report,
) -> Option<Job<'n>> {
    let steps: Vec<Step<'n>> = yaml::get(node, "steps")
        .map(yaml::items)
        .unwrap_or_default()
        .iter()
        .map(|step| Step::read(step, source))
        .collect();
    if let Some(bake) = steps.iter().find(|step| step.role == Role::Bake) {
        report.lost(bake.line(), &format!("the job `{name}` builds with bake, and stays as it is"), "write each of its targets as a build of .stagefreight.yml; contexts, arguments and platforms have the same names there");
        return None;
    }
    let first = steps.iter().find(|step| step.role == Role::Build)?;
    let rewritten = |step: &Step<'_>| matches!(step.role, Role::Build | Role::Cloud(_));
    if let Some(step) = steps.iter().find(|step| step.item.is_none() || (rewritten(step) && !step.in_lines(source))) {
        report.lost(
            step.line(),
            &format!("the steps of the job `{name}` are written in one line, and stay as they are"),
            "write each step in lines of its own, and call migrate again",
        );
        return None;
    }
    if world.runs.is_empty() {
        let (why, cure) = match world.unread.iter().any(|(event, _)| event == "workflow_call") {
            true => (
                "this workflow is called by others: when and what it publishes stands in the callers, so it stays as it is",
                "docs/migrating.md, “Workflows that are called”, has the step to write",
            ),
            false => (
                "nothing that starts this workflow is known here, so its conditions cannot be judged",
                "write the step and the targets' `when` by hand: docs/migrating.md, “What migrate leaves to you”",
            ),
        };
        report.lost(first.line(), why, cure);
        return None;
    }
    if let Some((line, what, cure)) = elsewhere(&steps) {
        report.lost(line, &format!("the job `{name}` stays as it is: {what}"), cure);
        return None;
    }
    let before = report.clone();
    let mut env = workflow_env.clone();
    env.extend(environment(node));
    let mut judge = Judge { world, env: &env, outputs: BTreeMap::new(), carried: BTreeMap::new() };
    judge.outputs = cloud::outputs(&steps, &judge);
    let metas: BTreeMap<String, Metadata> = steps
        .iter()
        .filter(|step| step.role == Role::Metadata)
        .filter_map(|step| Some((step.text("id")?.to_owned(), metadata::read(step, &judge, source, report))))
        .collect();
    let some_run: Run = world.runs.first()?.clone();
    let mut hosts = login::hosts(&steps, &some_run, &mut judge);
    hosts.extend(cloud::hosts(&steps, &some_run, &mut judge));
    let places = Places { hosts, users: login::users(&steps) };
    let condition = yaml::get(node, "if").and_then(yaml::text);
    let (mut builds, mut stops) = (Vec::new(), Vec::new());
    for (n, step) in steps.iter().enumerate().filter(|(_, step)| step.role == Role::Build) {
        let conditions: Vec<&str> = [condition, step.text("if")].into_iter().flatten().collect();
        let given = build::Given { step, metas: &metas, places: &places, source };
        match build::read(given, &conditions, &mut judge, report) {
            Ok(built) => builds.push((n, built)),
            Err(why) => stops.extend(why),
        }
    }
    if !stops.is_empty() {
        // What would have become of its lines is of no interest.
        *report = before;
        for (line, what, cure) in stops {
            report.lost(line, &what, &cure);
        }
        if !builds.is_empty() {
            report.lost(
                first.line(),
                &format!("the other builds of the job `{name}` stay with it"),
                "move the step that cannot move into a job of its own, and call migrate again",
            );
        }
        return None;
    }
    let mut around = Around::default();
    let needed = docker_users(&steps).is_some();
    for step in steps.iter().filter(|step| step.role == Role::Login) {
        login::login(step, needed, &some_run, &mut judge, &mut around, report);
    }
    let urls = |(_, built): &(usize, Built)| built.published.iter().map(|one| one.url.clone()).collect::<Vec<_>>();
    cloud::read(&mut Clouds {
        steps: &steps,
        run: &some_run,
        judge: &mut judge,
        around: &mut around,
        report,
        source,
        published: builds.iter().flat_map(urls).collect(),
        needed,
        ids: BTreeMap::new(),
    });
    for step in steps.iter().filter(|step| step.role == Role::Buildx) {
        login::buildx(step, needed, &mut around, report);
    }
    let signs = login::sign(&steps, &mut around, report);
    around.env.extend(judge.carried);
    let reading = Reading { steps: &steps, builds: &builds, lines, source, env: &around.env, signs };
    let outputs = outputs::read(&reading, report);
    Some(Job { steps, node, builds, around, outputs, signs, action })
}

/// Why a run would not find this repository's configuration: the checkout before the build is of another, or lies in a directory.
fn elsewhere(steps: &[Step<'_>]) -> Option<(usize, &'static str, &'static str)> {
    let checkouts: Vec<_> =
        steps.iter().take_while(|step| step.role != Role::Build).filter(|step| step.role == Role::Checkout).collect();
    let in_directory = |step: &Step<'_>| step.input("path").is_some_and(|path| !matches!(path.trim(), "" | "." | "./"));
    let Some(step) = checkouts.iter().rev().find(|step| !in_directory(step)) else {
        return checkouts.first().map(|step| {
            (
                step.line(),
                "its checkout has a `path`, and a run looks for .stagefreight.yml in the workspace's root alone",
                "check out without `path`, take it out of `context` and `file`, and call migrate again; or write everything on the step: docs/migrating.md, “Workflows that are called”",
            )
        });
    };
    let own = |text: &str| {
        let text = names::squeezed(text);
        let same = ["github.repository", "gitea.repository", "github.event.pull_request.head.repo.full_name"];
        text.is_empty() || same.iter().any(|path| text == format!("${{{{{path}}}}}"))
    };
    step.input("repository").filter(|text| !own(text)).map(|_| {
        (
            step.line(),
            "it builds another repository, and a run reads the .stagefreight.yml of what is checked out",
            "write everything on the step: docs/migrating.md, “Workflows that are called”; or give that repository a .stagefreight.yml",
        )
    })
}

/// `env:` of a workflow, job or step.
pub(super) fn environment(node: &Node) -> BTreeMap<String, String> {
    let entries = yaml::get(node, "env").map(yaml::entries).unwrap_or_default();
    entries.iter().filter_map(|(key, value)| Some((key.name.clone(), yaml::text(value)?.to_owned()))).collect()
}

impl Job<'_> {
    /// What its matrix tells its runs apart by: for each part of it the variables in templates that name it.
    pub(super) fn matrix(&self) -> Vec<Vec<String>> {
        let Some(matrix) = yaml::get(self.node, "strategy").and_then(|strategy| yaml::get(strategy, "matrix")) else {
            return Vec::new();
        };
        let keys_of = |node: &Node| yaml::entries(node).iter().map(|(key, _)| key.name.clone()).collect::<Vec<_>>();
        let parts: Vec<Vec<String>> = match yaml::entries(matrix) {
            // Known in the job alone.
            [] => vec![vec![String::new()]],
            entries => entries
                .iter()
                .filter(|(key, value)| {
                    key.name != "exclude" && (yaml::text(value).is_some() || yaml::items(value).len() > 1)
                })
                .map(|(key, value)| match key.name.as_str() {
                    "include" if yaml::text(value).is_some() => vec![String::new()],
                    "include" => yaml::items(value).iter().flat_map(keys_of).collect(),
                    name => vec![name.to_owned()],
                })
                .collect(),
        };
        let named = |key: &String| {
            let part = if key.is_empty() { "matrix".to_owned() } else { format!("matrix.{key}") };
            let env = self.around.env.iter().filter(move |(_, text)| expression::reads(text, &part));
            env.map(|(name, _)| format!("{{env:{name}}}")).collect::<Vec<_>>()
        };
        parts.iter().map(|keys| keys.iter().flat_map(named).collect()).collect()
    }

    /// Everything to change in the text. `ids`: the build of each step; `name_them`: the steps have to say it.
    pub(super) fn edits(
        &self,
        ids: &[String],
        name_them: bool,
        any_target: bool,
        source: &[&str],
        report: &mut Report,
    ) -> Vec<Edit> {
        let mut edits = self.around.edits.clone();
        edits.extend(self.outputs.edits.iter().cloned());
        let others = docker_users(&self.steps);
        let emulated = self.builds.iter().any(|(_, built)| {
            built.with.iter().any(|line| line.starts_with("platforms:"))
                || built.spec.platforms.iter().any(|platform| platform != "linux/amd64")
        });
        for (n, step) in self.steps.iter().enumerate() {
            match (step.role, &others) {
                (Role::Login, Some(line)) => report.kept(step.line(), &format!("this login stays as well: line {line} may use it")),
                (Role::Buildx, Some(line)) => report.kept(step.line(), &format!("this builder stays as well: line {line} may use it")),
                (Role::Login | Role::Buildx, None) => edits.extend(removed(step, source)),
                (Role::Metadata, _) if self.outputs.gone.contains(&n) => edits.extend(removed(step, source)),
                (Role::Qemu, _) if emulated => {
                    report.kept(step.line(), "setup-qemu-action stays: it registers emulators with the runner's kernel. Native runners need none: docs/legs.md");
                }
                (Role::Qemu, _) => {
                    report.changed(step.line(), "setup-qemu-action is gone: no platform here needs an emulator");
                    edits.extend(removed(step, source));
                }
                (Role::CosignInstaller | Role::CosignSign, _) if self.signs => edits.extend(removed(step, source)),
                (Role::Attest, _) => report.kept(step.line(), "this attestation stays, and works with our `digest`; `build_mode: crucible` attests a proof beside it"),
                _ => {}
            }
        }
        if !self.steps.iter().any(|step| step.role == Role::Checkout)
            && let Some(item) = self.builds.first().and_then(|(n, _)| self.steps[*n].item)
        {
            report.changed(
                item.first,
                "a checkout was added: build-push-action fetched the commit by itself, we build what is checked out",
            );
            let first = edit::with_comments(source, item);
            let mut lines = vec![format!("{}- uses: actions/checkout@v6", " ".repeat(item.dash))];
            // As far apart as the other steps.
            if first >= 2 && source[first - 2].trim().is_empty() {
                lines.push(String::new());
            }
            edits.push(Edit { from: first, until: first - 1, lines });
        }
        for ((n, built), id) in self.builds.iter().zip(ids) {
            edits.extend(self.step(*n, built, id, name_them, any_target, source, report));
        }
        edits
    }

    /// The step in the place of build-push-action.
    #[allow(clippy::too_many_arguments, reason = "all of it is what the step becomes")]
    fn step(
        &self,
        n: usize,
        built: &Built,
        id: &str,
        name_it: bool,
        any_target: bool,
        source: &[&str],
        report: &mut Report,
    ) -> Vec<Edit> {
        let step = &self.steps[n];
        let (Some(item), Some((uses, _))) = (step.item, yaml::entry(step.node, "uses")) else { return Vec::new() };
        let mut edits = Vec::new();
        let line = source[uses.place.line - 1];
        let column = uses.place.column - 1;
        let lead: String = line.chars().take(column).collect();
        let pad = " ".repeat(column);
        report.changed(uses.place.line, &format!("build-push-action became `{}`", self.action));
        let mut lines = vec![format!("{lead}uses: {}", self.action)];
        if let Some(name) = self.outputs.ids.get(&n) {
            report.changed(
                uses.place.line,
                &format!("the step is called `{name}` now, because others read what it published"),
            );
            lines.push(format!("{pad}id: {name}"));
        }
        let mut with: Vec<String> = Vec::new();
        if name_it {
            with.push(format!("build-id: {id}"));
        }
        with.extend(built.with.iter().cloned());
        if built.published.is_empty() && any_target && !built.says_push && !built.keeps_tags {
            with.push("push: false".to_owned());
        }
        let env = yaml::entry(step.node, "env");
        let own: Vec<&str> = env
            .map(|(_, node)| yaml::entries(node))
            .unwrap_or_default()
            .iter()
            .map(|(key, _)| key.name.as_str())
            .collect();
        let publishes = !built.published.is_empty();
        let vars: Vec<String> = self
            .around
            .env
            .iter()
            .filter(|(name, _)| !own.contains(&name.as_str()) && (publishes || !name.starts_with("COSIGN_")))
            .map(|(name, value)| format!("{name}: {}", expression_scalar(value)))
            .collect();
        match env {
            None if !vars.is_empty() => {
                lines.push(format!("{pad}env:"));
                lines.extend(vars.iter().map(|var| format!("{pad}  {var}")));
            }
            Some((key, node)) if !vars.is_empty() => {
                let inner = yaml::entries(node).first().map_or(column + 2, |(key, _)| key.place.column - 1);
                let last = edit::end(source, key.place.line, column);
                let added = vars.iter().map(|var| format!("{}{var}", " ".repeat(inner))).collect();
                edits.push(Edit { from: last + 1, until: last, lines: added });
            }
            _ => {}
        }
        let block: Vec<String> = std::iter::once(format!("{pad}with:"))
            .chain(with.iter().map(|line| if line.is_empty() { String::new() } else { format!("{pad}  {line}") }))
            .collect();
        match yaml::entry(step.node, "with") {
            Some((key, _)) => {
                // The step's first key may be `with`: its line holds the dash, too.
                let first_line = source[key.place.line - 1];
                let dash = first_line.trim_start().starts_with("- ");
                let until = edit::end(source, key.place.line, column).min(item.last);
                let mut block = if with.is_empty() { Vec::new() } else { block };
                if dash {
                    let lead: String = first_line.chars().take(column).collect();
                    match block.first_mut() {
                        Some(first) => *first = format!("{lead}with:"),
                        None => block.push(format!("{lead}name: Build and publish the image")),
                    }
                }
                edits.push(Edit { from: key.place.line, until, lines: block });
            }
            None if !with.is_empty() => lines.extend(block),
            None => {}
        }
        edits.push(Edit { from: uses.place.line, until: uses.place.line, lines });
        edits
    }
}

/// The line of a step that may use what logins and builders leave behind.
fn docker_users(steps: &[Step<'_>]) -> Option<usize> {
    let docker = DOCKER.as_ref()?;
    let found = steps.iter().filter(|step| step.role == Role::Other).find(|step| {
        let text = [step.text("run"), step.text("uses")].into_iter().flatten().collect::<Vec<_>>().join("\n");
        docker.is_match(&text)
    });
    found.map(Step::line)
}

/// A step and the comments right above it.
fn removed(step: &Step<'_>, source: &[&str]) -> Option<Edit> {
    let item = step.item?;
    let from = edit::with_comments(source, item);
    // Of the empty lines around it one stays.
    let blank = |line: usize| line >= 1 && source.get(line - 1).is_some_and(|text| text.trim().is_empty());
    let begins = |line: usize| source.get(line.wrapping_sub(1)).is_some_and(|text| text.trim_end().ends_with("steps:"));
    let until = if (blank(from - 1) || begins(from - 1)) && blank(item.last + 1) { item.last + 1 } else { item.last };
    Some(Edit { from, until, lines: Vec::new() })
}
