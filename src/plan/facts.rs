//! What the whole plan rests on, worked out once: version, commit, identity of the repository, what templates mean.

use jiff::Timestamp;

use super::{Version, version};
use crate::config::model::Project;
use crate::config::template::{CiValues, Template, TemplateError, Values};
use crate::environment::Vars;
use crate::image::Tag;
use crate::problem::{Location, Problem};
use crate::request::Request;
use crate::runner::{ForgeKind, Trust};
use crate::source::web_url;

/// Facts about the run and the checkout.
#[derive(Debug)]
pub(crate) struct Facts<'r> {
    pub(crate) request: &'r Request,
    pub(crate) version: Version,
    /// The commit the workspace holds: git's word before the runner's.
    pub(crate) commit: Option<&'r str>,
    pub(crate) commit_time: Option<Timestamp>,
    pub(crate) branch: Option<&'r str>,
    pub(crate) tag: Option<&'r str>,
    /// Defaults filled in.
    pub(crate) project: Project,
    /// Web or git address of the source.
    pub(crate) source_url: Option<String>,
    pub(crate) repo_id: String,
    /// What `{env:…}` may see.
    env: Vars,
}

/// What goes wrong, and what a person should know, while a plan is made.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) notes: Vec<String>,
}

impl Findings {
    /// The value, or the problem is kept.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

impl<'r> Facts<'r> {
    pub(crate) fn of(request: &'r Request) -> Self {
        let (context, git) = (&request.context, request.source.git.as_ref());
        let head = git.and_then(|g| g.head.as_deref());
        let commit = head.or(context.commit.as_deref());
        let tags = git.map(|g| g.tags.as_slice()).unwrap_or_default();
        // What the configuration says holds on every forge and on a laptop, so that they build the same image.
        let source_url = request
            .config
            .sources
            .primary
            .url
            .as_deref()
            .and_then(web_url)
            .or_else(|| context.repository_url.clone())
            .or_else(|| git.and_then(|g| g.remote.clone()));
        Self {
            version: version::version(context.tag.as_deref(), tags, commit),
            commit,
            commit_time: git.and_then(|g| g.commit_time),
            // The branch git has out is a branch of the run only where no CI system says what the run is for.
            branch: context
                .branch
                .as_deref()
                .or_else(|| git.and_then(|g| g.branch.as_deref()).filter(|_| context.forge == ForgeKind::Local)),
            tag: context.tag.as_deref(),
            project: project(request, source_url.as_deref()),
            repo_id: repo_id(request, source_url.as_deref()),
            source_url,
            env: visible(request),
            request,
        }
    }

    /// Why credentials are withheld, if they are.
    pub(crate) fn untrusted(&self) -> Option<&'r str> {
        match &self.request.context.trust {
            Trust::Trusted => None,
            Trust::Untrusted { reason } => Some(reason),
        }
    }

    /// A template of the config or of an input, rendered. `what` names it in the problem: `targets.ghcr.path`.
    pub(crate) fn render(&self, template: &str, what: &str) -> Result<String, Problem> {
        Template::parse(template).and_then(|t| t.render(&self.values())).map_err(|e| self.bad_template(&e, what))
    }

    /// The same for a tag.
    pub(crate) fn render_tag(&self, template: &str, what: &str) -> Result<Tag, Problem> {
        Template::parse(template).and_then(|t| t.render_tag(&self.values())).map_err(|e| self.bad_template(&e, what))
    }

    /// A problem placed in the config file, if there is one.
    pub(crate) fn in_config(&self, problem: Problem) -> Problem {
        match &self.request.config_file {
            Some(file) => problem.at(Location { file: file.clone(), line: None, column: None }),
            None => problem,
        }
    }

    /// A problem with what `what` names: an input (`input …`) has no place, everything else stands in the config file.
    pub(crate) fn placed(&self, problem: Problem, what: &str) -> Problem {
        if what.starts_with("input ") { problem } else { self.in_config(problem) }
    }

    fn bad_template(&self, error: &TemplateError, what: &str) -> Problem {
        let problem = Problem::new(format!("{what}: {error}"));
        let withheld = match error {
            TemplateError::EnvUnset(name) if self.untrusted().is_some() && self.request.vars.get(name).is_some() => {
                Some(format!("{name} is set, but looks like a credential and is withheld from this run"))
            }
            _ => None,
        };
        let problem = match withheld.or_else(|| error.hint()) {
            Some(hint) => problem.hint(hint),
            None => problem,
        };
        self.placed(problem, what)
    }

    fn values(&self) -> Values<'_> {
        let (context, git) = (&self.request.context, self.request.source.git.as_ref());
        Values {
            version: &self.version,
            git_tags: git.map(|g| g.tags.as_slice()).unwrap_or_default(),
            tag: self.tag,
            branch: self.branch,
            pull_request: context.pull_request.as_ref().map(|request| request.number),
            sha: self.commit,
            vars: &self.request.config.vars,
            env: &self.env,
            now: self.request.now,
            commit_time: self.commit_time,
            ci: CiValues {
                pipeline: context.pipeline.as_deref(),
                runner: context.runner.as_deref(),
                job: context.job.as_deref(),
                url: context.job_url.as_deref(),
            },
            project: &self.project,
        }
    }
}

/// Id of the repository for cache names, in this order: `sources.primary.url` verbatim (what StageFreight 0.5 hashes), the
/// repository's web address, git's remote, the name of the root directory.
fn repo_id(request: &Request, source_url: Option<&str>) -> String {
    let configured = request.config.sources.primary.url.as_deref().filter(|url| !url.is_empty());
    let context = &request.context;
    let on_server = || {
        let (server, repository) = (context.server_url.as_deref()?, context.repository.as_deref()?);
        Some(format!("{}/{repository}", server.trim_end_matches('/')))
    };
    let root = || request.source.root.file_name().and_then(|name| name.to_str()).unwrap_or("repository").to_owned();
    configured.or(source_url).map(str::to_owned).or_else(on_server).unwrap_or_else(root)
}

/// The config's facts about the project with what the forge and the checkout know.
fn project(request: &Request, source_url: Option<&str>) -> Project {
    let given = request.config.project.clone();
    let last = |path: &str| {
        let path = path.trim_end_matches('/');
        let name = path.rsplit(['/', ':']).next().unwrap_or(path);
        Some(name.strip_suffix(".git").unwrap_or(name).to_owned()).filter(|name| !name.is_empty())
    };
    let root = || request.source.root.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let configured = || request.config.sources.primary.url.as_deref().and_then(last);
    let repository = || request.context.repository.as_deref().and_then(last);
    let name = || configured().or_else(repository).or_else(|| source_url.and_then(last)).or_else(root);
    Project {
        name: given.name.or_else(name),
        url: given.url.or_else(|| source_url.filter(|url| url.starts_with("http")).map(str::to_owned)),
        language: given.language.or_else(|| language(&request.source.markers)),
        ..given
    }
}

/// The main language, by the files in the root; the first that fits.
fn language(markers: &[String]) -> Option<String> {
    const BY_FILE: [(&str, &str); 14] = [
        ("Cargo.toml", "rust"),
        ("go.mod", "go"),
        ("pom.xml", "java"),
        ("build.gradle", "java"),
        ("build.gradle.kts", "kotlin"),
        ("pyproject.toml", "python"),
        ("setup.py", "python"),
        ("requirements.txt", "python"),
        ("Gemfile", "ruby"),
        ("composer.json", "php"),
        ("mix.exs", "elixir"),
        ("tsconfig.json", "typescript"),
        ("package.json", "javascript"),
        ("CMakeLists.txt", "c++"),
    ];
    let found = BY_FILE.iter().find(|(file, _)| markers.iter().any(|marker| marker == file));
    found.map(|(_, language)| (*language).to_owned())
}

/// The variables templates may see. The config of an untrusted run is somebody else's text: it must not be able to write a
/// credential into a tag or a label, so what looks like one is taken away.
fn visible(request: &Request) -> Vars {
    if request.context.trust == Trust::Trusted {
        return request.vars.clone();
    }
    let kept = request.vars.iter().filter(|(name, value)| !looks_secret(name) && !holds_login(value));
    kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether a variable's name says that its value is a credential.
fn looks_secret(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "PASS",
        "PASSWD",
        "PASSPHRASE",
        "KEY",
        "KEYS",
        "CREDENTIAL",
        "CREDENTIALS",
        "AUTH",
        "JWT",
        "PAT",
        "COOKIE",
        "DSN",
    ];
    let name = name.to_ascii_uppercase();
    name.split('_').any(|word| WORDS.contains(&word))
        || ["TOKEN", "SECRET", "PASSWORD"].iter().any(|part| name.contains(part))
}

/// An address with a login in it, as GitLab's `CI_REPOSITORY_URL` is.
fn holds_login(value: &str) -> bool {
    value.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
}
