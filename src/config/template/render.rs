//! Rendering, with bounds: `{var:…}` may nest, but neither in a circle nor to exponential size.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::error::TemplateError;
use super::scoped;
use super::variable::{CiField, ProjectField, Variable, VersionPart};
use super::{Piece, Template};
use crate::config::model::Project;
use crate::config::nearest::nearest;
use crate::environment::Vars;
use crate::image::Digest;
use crate::plan::Version;
use crate::source::GitTag;

/// The longest result, in bytes.
const LONGEST: usize = 64 * 1024;
/// The most `{var:…}` looked up for one result: a chain that doubles at each step is stopped here even when it yields nothing.
const MOST_LOOKUPS: usize = 1000;
/// The deepest nesting of `{var:…}`.
const DEEPEST: usize = 64;

/// What variables mean in this run.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// `{version}` and its parts.
    pub version: &'a Version,
    /// Tags git knows behind the commit, for `{version:SCOPE}`.
    pub git_tags: &'a [GitTag],
    /// The git tag this run is for: `{tag}`.
    pub tag: Option<&'a str>,
    /// `{branch}`.
    pub branch: Option<&'a str>,
    /// The number of the pull or merge request: `{pr}`.
    pub pull_request: Option<u64>,
    /// The commit, hex: `{sha}`.
    pub sha: Option<&'a str>,
    /// `vars` of the config: `{var:name}`.
    pub vars: &'a BTreeMap<String, String>,
    /// `{env:NAME}`.
    pub env: &'a Vars,
    /// The run's one clock reading: `{date}`, `{datetime}`, `{timestamp}`, and the seed of `{rand}`.
    pub now: Timestamp,
    /// `{commit.date}`.
    pub commit_time: Option<Timestamp>,
    /// `{ci.…}`.
    pub ci: CiValues<'a>,
    /// `{project.…}`, defaults filled in.
    pub project: &'a Project,
}

/// `{ci.…}`; what a runner does not tell is empty text.
#[derive(Debug, Clone, Copy, Default)]
pub struct CiValues<'a> {
    /// Pipeline or workflow run id.
    pub pipeline: Option<&'a str>,
    /// Name of the runner.
    pub runner: Option<&'a str>,
    /// Job name.
    pub job: Option<&'a str>,
    /// Web address of the job or run.
    pub url: Option<&'a str>,
}

struct Rendering<'a> {
    values: &'a Values<'a>,
    out: String,
    /// `{var:…}` being expanded, outermost first.
    open: Vec<String>,
    lookups: usize,
}

pub(super) fn render(template: &Template, values: &Values<'_>) -> Result<String, TemplateError> {
    let mut rendering = Rendering { values, out: String::new(), open: Vec::new(), lookups: 0 };
    rendering.template(template)?;
    Ok(rendering.out)
}

impl Rendering<'_> {
    fn template(&mut self, template: &Template) -> Result<(), TemplateError> {
        for piece in &template.pieces {
            match piece {
                Piece::Literal(text) => self.push(text)?,
                Piece::Variable(Variable::Var(name)) => self.var(name)?,
                Piece::Variable(variable) => self.push(&value(variable, self.values)?)?,
            }
        }
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.out.len() + text.len() > LONGEST {
            return Err(TemplateError::TooLarge);
        }
        self.out.push_str(text);
        Ok(())
    }

    fn var(&mut self, name: &str) -> Result<(), TemplateError> {
        if let Some(start) = self.open.iter().position(|open| open == name) {
            let circle = self.open[start..].iter().cloned().chain([name.to_owned()]).collect();
            return Err(TemplateError::Cycle(circle));
        }
        self.lookups += 1;
        if self.lookups > MOST_LOOKUPS || self.open.len() >= DEEPEST {
            return Err(TemplateError::TooLarge);
        }
        let text = self.values.vars.get(name).ok_or_else(|| unknown_var(name, self.values.vars))?;
        let template = Template::parse(text)?;
        self.open.push(name.to_owned());
        self.template(&template)?;
        self.open.pop();
        Ok(())
    }
}

/// The error for a name that `vars` does not have.
pub(super) fn unknown_var(name: &str, vars: &BTreeMap<String, String>) -> TemplateError {
    let nearest = nearest(name, vars.keys().map(String::as_str)).map(str::to_owned);
    TemplateError::UnknownVar { name: name.to_owned(), nearest }
}

fn value(variable: &Variable, values: &Values<'_>) -> Result<String, TemplateError> {
    let missing = |name: &str, why: &str| TemplateError::NoValue { name: name.to_owned(), why: why.to_owned() };
    Ok(match variable {
        Variable::Version { part, scope: None } => part_of(values.version, *part),
        Variable::Version { part, scope: Some(scope) } => {
            let version = scoped::version(scope, values.tag, values.git_tags, values.sha).ok_or_else(|| {
                missing(&format!("version:{scope}"), &format!("no git tag `{scope}-v…` is behind this commit"))
            })?;
            part_of(&version, *part)
        }
        Variable::Branch => values
            .branch
            .ok_or_else(|| {
                missing("branch", "it is not for a branch; `when.branches` limits a target to those that are")
            })?
            .to_owned(),
        Variable::Tag => values
            .tag
            .ok_or_else(|| {
                missing("tag", "it is not for a git tag; `when.git_tags` limits a target to those that are")
            })?
            .to_owned(),
        Variable::PullRequest => values
            .pull_request
            .ok_or_else(|| {
                missing("pr", "it is not for a pull or merge request; `when.events` limits a target to those that are")
            })?
            .to_string(),
        Variable::Sha(digits) => {
            let sha = values.sha.ok_or_else(|| missing("sha", "there is no git commit"))?;
            sha.get(..*digits).unwrap_or(sha).to_owned()
        }
        Variable::Env(name) => values.env.get(name).ok_or_else(|| TemplateError::EnvUnset(name.clone()))?.to_owned(),
        // Expanded by the caller, which has the bounds.
        Variable::Var(_) => String::new(),
        Variable::Date(layout) => {
            layout.format(values.now).ok_or_else(|| missing("date", "the layout cannot show it"))?
        }
        Variable::DateTime => values.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Variable::Timestamp => values.now.as_second().to_string(),
        Variable::CommitDate(layout) => values
            .commit_time
            .and_then(|time| layout.format(time))
            .ok_or_else(|| missing("commit.date", "there is no git commit"))?,
        Variable::Ci(field) => ci(&values.ci, *field).unwrap_or_default().to_owned(),
        Variable::Project(field) => project(values.project, *field).unwrap_or_default().to_owned(),
        Variable::Rand(digits) => random(values, 10, *digits),
        Variable::RandHex(digits) => random(values, 16, *digits),
    })
}

fn part_of(version: &Version, part: VersionPart) -> String {
    match part {
        VersionPart::Full => &version.full,
        VersionPart::Base => &version.base,
        VersionPart::Major => &version.major,
        VersionPart::Minor => &version.minor,
        VersionPart::Patch => &version.patch,
        VersionPart::Prerelease => &version.prerelease,
    }
    .clone()
}

fn ci<'a>(values: &CiValues<'a>, field: CiField) -> Option<&'a str> {
    match field {
        CiField::Pipeline => values.pipeline,
        CiField::Runner => values.runner,
        CiField::Job => values.job,
        CiField::Url => values.url,
    }
}

fn project(values: &Project, field: ProjectField) -> Option<&str> {
    match field {
        ProjectField::Name => &values.name,
        ProjectField::Url => &values.url,
        ProjectField::License => &values.license,
        ProjectField::Language => &values.language,
        ProjectField::Description => &values.description,
    }
    .as_deref()
}

/// Digits drawn from what is different in each run, so that a plan resolved twice in a run is the same plan.
fn random(values: &Values<'_>, base: u8, digits: usize) -> String {
    let mut seed = format!("{}\n", values.now.as_nanosecond());
    for part in [values.sha, values.ci.pipeline, values.ci.job, values.ci.runner] {
        let _ = writeln!(seed, "{}", part.unwrap_or_default());
    }
    let first = Digest::of(seed.as_bytes());
    let more = Digest::of(first.hex().as_bytes());
    // A byte for each digit; 64 digits at most.
    let bytes = hex::decode(format!("{}{}", first.hex(), more.hex())).unwrap_or_default();
    bytes
        .iter()
        .take(digits)
        .map(|byte| char::from_digit(u32::from(byte % base), u32::from(base)).unwrap_or('0'))
        .collect()
}
