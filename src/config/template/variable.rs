//! The variables templates know, and their arguments.

use super::date::Layout;
use super::error::TemplateError;
use crate::config::clip;
use crate::config::nearest::nearest;

/// A variable, as the documentation has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documented {
    /// The name alone.
    pub name: &'static str,
    /// How it is written, with its argument in brackets where that may be left out: `{sha[:N]}`.
    pub form: &'static str,
    /// What it becomes.
    pub meaning: &'static str,
}

const fn documented(name: &'static str, form: &'static str, meaning: &'static str) -> Documented {
    Documented { name, form, meaning }
}

/// Every variable, in the order of the documentation.
pub(super) const VARIABLES: &[Documented] = &[
    documented(
        "version",
        "{version[:SCOPE]}",
        "The version: the git tag `v1.2.3` of the run, else the nearest one with `-dev+` and the short commit. With a scope, that of the tags `SCOPE-v1.2.3`.",
    ),
    documented("base", "{base[:SCOPE]}", "The version's `1.2.3` alone."),
    documented("major", "{major[:SCOPE]}", "Its first number."),
    documented("minor", "{minor[:SCOPE]}", "Its second number."),
    documented("patch", "{patch[:SCOPE]}", "Its third number."),
    documented("prerelease", "{prerelease[:SCOPE]}", "What follows the first `-`, `rc.1`; empty for a release."),
    documented("branch", "{branch}", "The branch. A run that is for none cannot use it."),
    documented("tag", "{tag}", "The git tag of the run, as it is. A run that is for none cannot use it."),
    documented("pr", "{pr}", "The number of the pull or merge request. A run that is for none cannot use it."),
    documented("sha", "{sha[:N]}", "The first N hex digits of the commit, 7 where N is left out."),
    documented("env", "{env:NAME}", "The environment variable. Unset or empty is an error."),
    documented("var", "{var:NAME}", "The value under `vars`, itself a template."),
    documented(
        "date",
        "{date[:LAYOUT]}",
        "The day of the run, `2006-01-02`, UTC. The layout is Go's reference time or strftime (`%Y%m%d`).",
    ),
    documented("datetime", "{datetime}", "The time of the run, `2006-01-02T15:04:05Z`."),
    documented("timestamp", "{timestamp}", "The same in seconds since 1970."),
    documented("commit.date", "{commit.date[:LAYOUT]}", "The day of the commit, UTC."),
    documented("ci.pipeline", "{ci.pipeline}", "The pipeline's or workflow run's id; empty outside CI."),
    documented("ci.runner", "{ci.runner}", "The runner's name; empty outside CI."),
    documented("ci.job", "{ci.job}", "The job's name; empty outside CI."),
    documented("ci.url", "{ci.url}", "The job's web address; empty outside CI."),
    documented("project.name", "{project.name}", "From `project`, or detected. So with the next four."),
    documented("project.url", "{project.url}", "Its web address."),
    documented("project.license", "{project.license}", "Its licence."),
    documented("project.language", "{project.language}", "Its main language."),
    documented("project.description", "{project.description}", "One sentence about it."),
    documented(
        "rand",
        "{rand[:N]}",
        "N decimal digits, 8 where N is left out: other ones in each run, the same all through a run.",
    ),
    documented("randhex", "{randhex[:N]}", "The same in hex."),
];

/// A variable with its argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variable {
    /// A part of the version; of the tags `SCOPE-v…` where a scope is given.
    Version {
        part: VersionPart,
        scope: Option<String>,
    },
    Branch,
    /// The run's git tag.
    Tag,
    /// The number of the pull or merge request.
    PullRequest,
    /// The first so many hex digits of the commit.
    Sha(usize),
    Env(String),
    Var(String),
    Date(Layout),
    DateTime,
    Timestamp,
    CommitDate(Layout),
    Ci(CiField),
    Project(ProjectField),
    /// So many decimal digits that differ from run to run and are the same all through a run.
    Rand(usize),
    /// The same in hex.
    RandHex(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VersionPart {
    Full,
    Base,
    Major,
    Minor,
    Patch,
    Prerelease,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CiField {
    Pipeline,
    Runner,
    Job,
    Url,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProjectField {
    Name,
    Url,
    License,
    Language,
    Description,
}

/// A variable by name and argument.
pub(super) fn variable(name: &str, argument: Option<&str>) -> Result<Variable, TemplateError> {
    let bad = |why: &str| {
        let written = argument.map_or_else(|| name.to_owned(), |argument| format!("{name}:{argument}"));
        TemplateError::Argument { written: clip(&written), why: why.to_owned() }
    };
    let alone = |variable: Variable| match argument {
        None => Ok(variable),
        Some(_) => Err(bad("this variable takes nothing after a colon")),
    };
    let version = |part| match argument {
        Some(scope) if !is_scope(scope) => {
            Err(bad("a scope is letters, digits, `_`, `.`, `/` and `-`, as in the git tag `SCOPE-v1.2.3`"))
        }
        scope => Ok(Variable::Version { part, scope: scope.map(str::to_owned) }),
    };
    let length = |default: usize, longest: usize| match argument {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=longest).contains(n))
            .ok_or_else(|| bad(&format!("a number from 1 to {longest} is wanted"))),
    };
    let named = |what: &str| match argument {
        Some(text) if is_name(text) => Ok(text.to_owned()),
        _ => Err(bad(what)),
    };
    let layout = || match argument {
        None => Ok(Layout::default()),
        Some(text) => Layout::parse(text).map_err(|why| bad(&why)),
    };
    match name {
        "version" => version(VersionPart::Full),
        "base" => version(VersionPart::Base),
        "major" => version(VersionPart::Major),
        "minor" => version(VersionPart::Minor),
        "patch" => version(VersionPart::Patch),
        "prerelease" => version(VersionPart::Prerelease),
        "branch" => alone(Variable::Branch),
        "tag" => alone(Variable::Tag),
        "pr" => alone(Variable::PullRequest),
        "sha" => length(7, 64).map(Variable::Sha),
        "env" => named("the name of an environment variable is wanted, `{env:NAME}`").map(Variable::Env),
        "var" => named("a name from `vars` is wanted, `{var:name}`").map(Variable::Var),
        "date" => layout().map(Variable::Date),
        "datetime" => alone(Variable::DateTime),
        "timestamp" => alone(Variable::Timestamp),
        "commit.date" => layout().map(Variable::CommitDate),
        "ci.pipeline" => alone(Variable::Ci(CiField::Pipeline)),
        "ci.runner" => alone(Variable::Ci(CiField::Runner)),
        "ci.job" => alone(Variable::Ci(CiField::Job)),
        "ci.url" => alone(Variable::Ci(CiField::Url)),
        "project.name" => alone(Variable::Project(ProjectField::Name)),
        "project.url" => alone(Variable::Project(ProjectField::Url)),
        "project.license" => alone(Variable::Project(ProjectField::License)),
        "project.language" => alone(Variable::Project(ProjectField::Language)),
        "project.description" => alone(Variable::Project(ProjectField::Description)),
        "rand" => length(8, 64).map(Variable::Rand),
        "randhex" => length(8, 64).map(Variable::RandHex),
        _ => Err(TemplateError::UnknownVariable {
            name: clip(name),
            nearest: nearest(name, VARIABLES.iter().map(|v| v.name)).map(str::to_owned),
        }),
    }
}

/// Names of variables of the environment and of `vars`.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-'))
}
