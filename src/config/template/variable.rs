//! The variables templates know, and their arguments.

use super::date::Layout;
use super::error::TemplateError;
use crate::config::nearest::nearest;

/// Every name, in the order of the documentation.
pub(super) const NAMES: &[&str] = &[
    "version",
    "base",
    "major",
    "minor",
    "patch",
    "prerelease",
    "branch",
    "sha",
    "env",
    "var",
    "date",
    "datetime",
    "timestamp",
    "commit.date",
    "ci.pipeline",
    "ci.runner",
    "ci.job",
    "ci.url",
    "project.name",
    "project.url",
    "project.license",
    "project.language",
    "project.description",
    "rand",
    "randhex",
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
            nearest: nearest(name, NAMES.iter().copied()).map(str::to_owned),
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

fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}
